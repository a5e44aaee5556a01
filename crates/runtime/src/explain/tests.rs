//! Does a trace say what happened, stay small, and lead to the right first line?

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use wxbot_model::Event;
use wxbot_plugin::host::{Answer, Note};
use wxbot_plugin::middleware::{AnyMiddleware, Destination, Observer};
use wxbot_plugin::{Effects, Envelope, Middleware, Next, Outcome};

use super::trace::{Ended, Heard, Passage, Skip};
use super::*;
use crate::plugin::Trouble;
use crate::store::{EventState, SendState, SendStory};

fn event() -> Event {
    serde_json::from_value(json!({
        "account": "shop", "key": "7", "chat": { "id": "p1", "kind": "private", "name": "" },
        "sender": { "id": "p1", "name": "" }, "at_s": 0,
        "kind": { "what": "message", "id": "7", "from_self": false, "content": { "type": "text", "text": "hi" },
                  "mentions": { "me": false, "all": false } },
    }))
    .unwrap()
}

/// Takes its time before and behind the others; marks the event as late, or stops it.
struct Slow(&'static str);

impl Middleware for Slow {
    fn name(&self) -> &str {
        self.0
    }
    async fn handle(&self, mut env: Envelope, next: Next<'_>) -> Outcome {
        tokio::time::sleep(Duration::from_millis(2)).await;
        match self.0 {
            "stops" => return Outcome::stopped("stops", "it was told to"),
            "marks" => env.event.late = true,
            _ => {}
        }
        let outcome = next.run(env).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        outcome
    }
}

struct Plugins;

impl Destination for Plugins {
    fn arrive(&self, _env: Envelope) -> BoxFuture<'_, Outcome> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Outcome::Passed { actions: 0, said: 0 }
        })
    }
}

fn recorder() -> Recorder {
    Traces::default().begin(&"shop".parse().unwrap(), 7, 1, 1_000).unwrap()
}

async fn through(names: &[&'static str]) -> Trace {
    let chain: Vec<Arc<dyn AnyMiddleware>> = names.iter().map(|name| Arc::new(Slow(name)) as _).collect();
    let recorder = recorder();
    let envelope = Envelope::new(event(), 7);
    let outcome = Next::new(&chain, &Plugins).seen_by(Some(&recorder as &dyn Observer)).run(envelope).await;
    recorder.end(&outcome, None)
}

#[tokio::test(start_paused = true)]
async fn stations_are_seen_with_their_own_time() {
    let trace = through(&["plain", "marks", "after"]).await;
    let steps: Vec<_> = trace.stations.iter().map(|step| (&*step.name, step.took_us, step.how.clone())).collect();
    assert_eq!(
        steps,
        [("plain", 3_000, Passage::Passed), ("marks", 3_000, Passage::MarkedLate), ("after", 3_000, Passage::Passed)]
    );
    assert_eq!((trace.took_us, trace.ended), (509_000, Ended::Passed { actions: 0 }));
    let trace = through(&["plain", "stops", "after"]).await;
    let steps: Vec<_> = trace.stations.iter().map(|step| (&*step.name, step.took_us, step.how.clone())).collect();
    let why = "it was told to".to_owned();
    assert_eq!(steps, [("plain", 3_000, Passage::Passed), ("stops", 2_000, Passage::Stopped { why: why.clone() })]);
    assert_eq!(trace.ended, Ended::Stopped { by: "stops".into(), why });
}

fn note(what: &str, took: bool, why: &str) -> Note {
    Note { what: what.into(), took, why: why.into() }
}

fn answer(notes: Vec<Note>) -> Answer {
    let mut answer = Answer::of(Effects::none());
    answer.notes = notes;
    answer
}

#[test]
fn a_trace_stays_below_eight_kibibytes() {
    let recorder = recorder();
    for n in 0..1_000 {
        let long = "\"\\引号\u{1b}[2J".repeat(100);
        recorder.asked(&format!("plugin-{n}"), Duration::ZERO, Ok(&answer(vec![note(&long, false, &long); 20])));
    }
    let trace = recorder.end(&Outcome::stopped("x", "y".repeat(100_000)), None);
    let json = serde_json::to_string(&trace).unwrap();
    assert!(trace.cut && json.len() <= 8 * 1024, "{}", json.len());
    assert!(!json.contains("\\u001b"));
}

fn story(state: EventState, note: Option<&str>, sends: Vec<SendStory>) -> Story {
    Story {
        replay: None,
        seq: 7,
        account: "shop".parse().unwrap(),
        key: "7".parse().unwrap(),
        conv: "p1".parse().unwrap(),
        kind: "message".into(),
        state,
        attempts: 1,
        errors: 0,
        note: note.map(str::to_owned),
        recv_ms: 0,
        done: Vec::new(),
        sends,
    }
}

fn send(state: SendState, error: Option<&str>) -> SendStory {
    SendStory {
        id: 1,
        plugin: "echo".into(),
        ord: 0,
        conv: "p1".parse().unwrap(),
        state,
        attempts: 1,
        server_id: None,
        error: error.map(str::to_owned),
        created_ms: 0,
        tried_ms: None,
    }
}

/// A trace that passed, with what happened at the plugins.
fn passed(plugins: impl FnOnce(&Recorder)) -> Option<Trace> {
    let recorder = recorder();
    plugins(&recorder);
    Some(recorder.end(&Outcome::Passed { actions: 0, said: 0 }, None))
}

#[test]
fn the_first_line_says_why() {
    use EventState::{Dead, Done, New, Parked};
    let matched = |why| passed(|r| r.asked("a", Duration::ZERO, Ok(&answer(vec![note("rule 1", false, why)]))));
    for (name, story, trace, want) in [
        ("new", story(New, None, vec![]), None, "not answered yet: nobody has begun it"),
        (
            "parked",
            story(Parked { until_ms: 9_000 }, Some("plugin a: x"), vec![]),
            None,
            "not answered yet, tried again in 8 s: plugin a: x",
        ),
        (
            "parked for a breaker",
            story(Parked { until_ms: 9_000 }, Some("plugin a rests"), vec![]),
            passed(|r| r.asked("a", Duration::ZERO, Err(&Trouble::Open(Duration::from_millis(7_500))))),
            "not answered yet, tried again in 8 s: a rests after too many failures, for 8 s more (breaker open)",
        ),
        ("dead", story(Dead, Some("plugin a: x"), vec![]), None, "not answered, given up: plugin a: x"),
        (
            "stopped, forgotten",
            story(Done, Some("access: the chat is on deny_chats"), vec![]),
            None,
            "not answered, stopped by access: the chat is on deny_chats",
        ),
        (
            "stopped",
            story(Done, Some("access: no"), vec![]),
            Some(recorder().end(&Outcome::stopped("access", "the chat is on deny_chats"), None)),
            "not answered, stopped by access: the chat is on deny_chats",
        ),
        ("forgotten", story(Done, None, vec![]), None, "not answered: no plugin had an answer; why is no longer known"),
        ("no plugin", story(Done, None, vec![]), passed(|_| {}), "not answered: the account uses no plugin"),
        (
            "silenced",
            story(Done, None, vec![]),
            passed(|r| r.skipped("a", Skip::Silenced)),
            "not answered: a is silenced in this chat (`/plugin on a` ends that)",
        ),
        (
            "no match",
            story(Done, None, vec![]),
            matched("the text does not match"),
            "not answered: nothing matched (a, rule 1: the text does not match)",
        ),
        (
            "cooldown",
            story(Done, None, vec![]),
            matched("cooldown: 4 s left"),
            "not answered: a, rule 1: cooldown: 4 s left",
        ),
        (
            "says nothing of itself",
            story(Done, None, vec![]),
            passed(|r| r.asked("a", Duration::ZERO, Ok(&answer(vec![])))),
            "not answered: these had no answer: a",
        ),
        ("sent", story(Done, None, vec![send(SendState::Sent, None)]), None, "answered: 1 sent"),
        (
            "expired",
            story(Done, None, vec![send(SendState::Expired, None)]),
            None,
            "not answered: what echo answered was not sent in time and expired (pacing.max_age)",
        ),
        (
            "one of two refused",
            story(Done, None, vec![send(SendState::Sent, None), send(SendState::Failed, Some("Ret 1204"))]),
            None,
            "answered in part (1 of 2): what echo answered was refused: Ret 1204",
        ),
    ] {
        let explanation = Explanation { story, trace: trace.map(Arc::new) };
        let said = lines(&explanation, Lang::En, 1_000);
        assert_eq!(said[0], want, "{name}");
        let zh = lines(&explanation, Lang::Zh, 1_000);
        assert!(zh[0].contains("回复") && zh.len() == said.len(), "{name}: {zh:?}");
    }
}

#[test]
fn every_step_is_a_line() {
    let trace = passed(|r| {
        r.asked("a", Duration::from_micros(1_500), Ok(&answer(vec![note("rule 1", true, "it answers")])));
        r.asked("b", Duration::from_micros(20), Err(&Trouble::Failed("it panicked".into())));
        r.skipped("c", Skip::Blocked { by: "a".into() });
    });
    let story = story(EventState::Done, None, vec![send(SendState::Uncertain, Some("timeout"))]);
    let said = lines(&Explanation { story, trace: trace.map(Arc::new) }, Lang::En, 61_000);
    assert_eq!(
        said,
        [
            "not answered: what echo answered was perhaps sent, nobody knows: timeout",
            "event 7 (message, 7) of shop in p1, 61 s ago, tries: 1",
            "· a: effects: 0 (1 ms)",
            "    ✓ rule 1: it answers",
            "· b: failed: it panicked (20 µs)",
            "· c was not asked: a took the event for itself",
            "→ echo answered was perhaps sent, nobody knows: timeout → p1",
        ]
    );
    let Heard::Asked { .. } = passed(|r| r.asked("a", Duration::ZERO, Ok(&answer(vec![])))).unwrap().plugins[0].how
    else {
        panic!()
    };
}
