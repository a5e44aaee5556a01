//! Is no more said in a chat than its service lets a bot say, whatever ends in between, and is nothing lost by it?

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use wxbot_core::ReplyWindow;
use wxbot_model::Action;

use super::*;
use crate::outbox::echo_of;
use crate::pacing::window::{Meter, Shut};
use crate::pacing::{Manners, Pushes};
use crate::store::pace::MeterStore;
use crate::store::{Opening, SendState, StoryStore, Verdict};

const HOUR_MS: i64 = 3_600_000;
const WINDOW: ReplyWindow = ReplyWindow { sends: 3, open_for: Duration::from_secs(24 * 3_600) };

fn text(chat: &str, client_id: &str) -> NewSend {
    let what = format!("text {client_id}");
    let action = Action::SendText { to: conv(chat), text: what.clone(), mention: Vec::new() };
    NewSend { body: serde_json::to_string(&action).unwrap(), echo: echo_of(&what), ..send("a", 0, chat, client_id) }
}

fn windowed(now_ms: i64) -> ClaimSends {
    ClaimSends { now_ms, rules: Rules { window: Some(WINDOW), ..Rules::default() }, ..ask() }
}

/// Somebody writes.
fn said(key: &str, chat: &str, at_ms: i64) -> Accept {
    Accept { opens: vec![Opening { row: 0, said_ms: at_ms }], now_ms: at_ms, ..batch(vec![event(key, chat)]) }
}

impl Rig {
    async fn writes(&self, chat: &str, at_ms: i64) -> Option<u64> {
        let key = format!("w{}", self.number("SELECT count(*) FROM inbox"));
        self.store.accept(said(&key, chat, at_ms)).await.unwrap().seqs[0]
    }

    /// Stores answers to events of their own chat.
    async fn answers(&self, sends: Vec<NewSend>) {
        self.caused_by("text", sends).await;
    }

    async fn pushes(&self, sends: Vec<NewSend>) {
        self.caused_by("timer", sends).await;
    }

    async fn caused_by(&self, kind: &'static str, sends: Vec<NewSend>) {
        for send in sends {
            let key = format!("c{}", self.number("SELECT count(*) FROM inbox"));
            let row = NewRow { kind, ..event(&key, send.conv.as_str()) };
            let seq = self.store.accept(batch(vec![row])).await.unwrap().seqs[0].unwrap();
            self.store.finish(end(seq, vec![send])).await.unwrap();
        }
    }

    async fn meter(&self, chat: &str) -> Option<Meter> {
        self.store.meter(&shop(), &conv(chat)).await.unwrap()
    }

    async fn spent(&self, chat: &str) -> u32 {
        self.meter(chat).await.unwrap().spent
    }

    fn reason(&self, id: u64) -> (i64, String) {
        let query = "SELECT state, coalesce(error, '') FROM outbox WHERE id = ?1";
        self.sql().query_row(query, [id], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
    }

    async fn ends(&self, id: u64, settlement: Settlement) {
        self.store.settle(id, settlement).await.unwrap();
    }
}

fn not_taken(at_ms: i64) -> Settlement {
    Settlement::Again { not_before_ms: at_ms, error: "no connection".into(), counts: true, unsure: false }
}

fn refused(at_ms: i64) -> Settlement {
    Settlement::Shut { not_before_ms: at_ms, error: "the conversation is closed: rate limited".into() }
}

fn resent(at_ms: i64) -> Settlement {
    Settlement::Resent { not_before_ms: at_ms, error: "no answer".into() }
}

#[tokio::test]
async fn who_never_wrote_is_not_written_to_and_holds_up_nobody() {
    let rig = rig();
    let silent: Vec<_> = (0..100).map(|n| text("p1", &format!("1{n:03}"))).collect();
    rig.answers(silent).await;
    rig.answers(vec![text("p2", "2")]).await;
    rig.writes("p2", NOW).await;
    let (sends, wake) = rig.store.claim_sends(windowed(NOW)).await.unwrap();
    assert_eq!(sends.iter().map(|send| send.id).collect::<Vec<_>>(), [101], "past a hundred that wait");
    assert_eq!(wake, None, "no moment is known: who writes wakes it");
    assert_eq!(rig.reason(1), (0, Shut::NobodyWrote.reason().to_owned()));
    assert_eq!(rig.reason(2), (0, String::new()), "the first of a lane stands for it");
    assert_eq!(rig.meter("p1").await, None);
}

#[tokio::test]
async fn a_message_opens_so_many_sends_and_a_kill_gives_none_back() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.answers((0..8).map(|n| text("p1", &n.to_string())).collect()).await;
    for id in 1..=2 {
        assert_eq!(rig.claim(windowed(NOW)).await, [id]);
        rig.sent(id).await;
    }
    assert_eq!(rig.claim(windowed(NOW)).await, [3]);
    // The third is paid for when it goes, not when it is answered.
    let rig = rig.killed();
    assert_eq!(rig.spent("p1").await, 3);
    rig.store.recover(&shop()).await.unwrap();
    assert!(rig.claim(windowed(NOW + HOUR_MS / 60)).await.is_empty());
    assert_eq!(rig.reason(4), (0, Shut::Used.reason().to_owned()));
    // A message that was there before opens nothing, however often it comes.
    let again = said("w0", "p1", NOW + 1_000);
    assert_eq!(rig.store.accept(again).await.unwrap().seqs, [None]);
    assert!(rig.claim(windowed(NOW + 1_000)).await.is_empty());
    rig.writes("p1", NOW + 2_000).await;
    assert_eq!((rig.spent("p1").await, rig.claim(windowed(NOW + 2_000)).await), (0, vec![4]));
    assert_eq!(rig.reason(4).0, 1);
}

#[tokio::test]
async fn a_batch_that_is_not_taken_opens_nothing() {
    let rig = rig();
    rig.sql().execute_batch("CREATE TRIGGER t BEFORE INSERT ON cursor BEGIN SELECT raise(ABORT, 'no'); END").unwrap();
    let whole = Accept { cursor: Some(vec![1].into()), ..said("k", "p1", NOW) };
    rig.store.accept(whole).await.unwrap_err();
    assert_eq!(rig.meter("p1").await, None, "one commit");
}

#[tokio::test]
async fn what_goes_with_its_event_pays_as_what_is_claimed() {
    let rig = rig();
    for n in 0..4 {
        let key = format!("e{n}");
        let seq = rig.store.accept(batch(vec![event(&key, "p1")])).await.unwrap().seqs[0].unwrap();
        if n == 0 {
            rig.writes("p1", NOW).await;
        }
        let finish = Finish { direct: Some(windowed(NOW)), ..end(seq, vec![text("p1", &n.to_string())]) };
        let Finished::Done(claimed) = rig.store.finish(finish).await.unwrap() else { panic!("refused") };
        assert_eq!(claimed.len(), usize::from(n < 3), "{n}");
        if let [send] = claimed.as_slice() {
            rig.sent(send.id).await;
        }
    }
    assert_eq!((rig.spent("p1").await, rig.states()), (3, vec![3, 3, 3, 0]));
}

#[tokio::test]
async fn only_what_the_service_may_have_taken_stays_paid() {
    for (name, settlement, spent) in [
        ("taken", Settlement::Sent { server_id: None }, 1),
        ("not taken", not_taken(NOW), 0),
        ("nobody knows", unsure(), 1),
        ("nobody knows, and it goes again", resent(NOW), 1),
        ("dropped because nobody knows", Settlement::Dropped { error: "x".into() }, 1),
        ("refused for good", Settlement::Failed { error: "x".into() }, 0),
        ("nobody is known to be meant", Settlement::Held { error: "x".into() }, 0),
        ("refused because of its chat", refused(NOW), 0),
    ] {
        let rig = rig();
        rig.writes("p1", NOW).await;
        rig.answers(vec![text("p1", "1")]).await;
        assert_eq!(rig.claim(windowed(NOW)).await, [1], "{name}");
        assert_eq!(rig.spent("p1").await, 1, "{name}: while it is under way");
        rig.ends(1, settlement).await;
        assert_eq!(rig.spent("p1").await, spent, "{name}");
    }
}

#[tokio::test]
async fn a_second_try_under_the_same_id_costs_nothing_and_needs_no_room() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.answers((0..4).map(|n| text("p1", &n.to_string())).collect()).await;
    for id in 1..=3 {
        assert_eq!(rig.claim(windowed(NOW)).await, [id]);
        if id < 3 {
            rig.sent(id).await;
        }
    }
    rig.ends(3, resent(NOW)).await;
    assert_eq!(rig.claim(windowed(NOW)).await, [3], "all are used, and this is one of them");
    // A clear no to the second try says nothing about the first.
    rig.ends(3, not_taken(NOW)).await;
    assert_eq!((rig.spent("p1").await, rig.claim(windowed(NOW)).await), (3, vec![3]));
    rig.sent(3).await;
    assert!(rig.claim(windowed(NOW)).await.is_empty());
    // In another window it counts once more: nobody knows in which the service saw it.
    let rig = self::rig();
    rig.writes("p1", NOW).await;
    rig.answers(vec![text("p1", "1")]).await;
    rig.claim(windowed(NOW)).await;
    rig.ends(1, resent(NOW)).await;
    rig.writes("p1", NOW + 5_000).await;
    assert_eq!(rig.claim(windowed(NOW + 5_000)).await, [1]);
    assert_eq!(rig.spent("p1").await, 1);
}

#[tokio::test]
async fn a_refusal_shuts_until_somebody_writes_and_at_least_as_long_as_it_says() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.answers((0..9).map(|n| text("p1", &n.to_string())).collect()).await;
    assert_eq!(rig.claim(windowed(NOW)).await, [1]);
    rig.sent(1).await;
    rig.claim(windowed(NOW)).await;
    rig.ends(2, refused(NOW + 90_000)).await;
    let meter = rig.meter("p1").await.unwrap();
    assert_eq!((meter.refused, meter.spent, meter.learnt), (true, 1, Some(1)));
    // Long after: nobody has written.
    assert_eq!(rig.store.claim_sends(windowed(NOW + 120_000)).await.unwrap(), (vec![], None));
    assert_eq!(rig.reason(2).1, "the conversation is closed: rate limited", "the service's own words stay");
    rig.writes("p1", NOW + 30_000).await;
    let rig = rig.killed();
    assert_eq!(
        rig.store.claim_sends(windowed(NOW + 30_000)).await.unwrap(),
        (vec![], Some(NOW + 90_000)),
        "written to since, and it rests all the same"
    );
    assert_eq!(rig.meter("p1").await.unwrap().likely(3), 1, "the next window warns earlier");
    for id in 2..=3 {
        assert_eq!(rig.claim(windowed(NOW + 90_000)).await, [id], "and stops nobody");
        rig.sent(id).await;
    }
    assert_eq!(rig.meter("p1").await.unwrap().learnt, None, "it took more than that");
    // Refused at once: no number was too high.
    rig.writes("p1", NOW + 100_000).await;
    assert_eq!(rig.claim(windowed(NOW + 100_000)).await, [4]);
    rig.ends(4, refused(NOW + 100_001)).await;
    assert_eq!(rig.meter("p1").await.unwrap().learnt, None);
}

#[tokio::test]
async fn a_rest_that_was_noted_under_a_clock_ahead_is_cut_once() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.answers((0..2).map(|n| text("p1", &n.to_string())).collect()).await;
    rig.claim(windowed(NOW)).await;
    rig.ends(1, refused(NOW + 10 * HOUR_MS)).await;
    rig.writes("p1", NOW + 1).await;
    rig.sql().execute("UPDATE outbox SET not_before = 0", []).unwrap();
    assert_eq!(rig.store.claim_sends(windowed(NOW)).await.unwrap(), (vec![], Some(NOW + HOUR_MS)));
    let patient = ClaimSends { max_age_ms: 24 * HOUR_MS, ..windowed(NOW + HOUR_MS) };
    assert_eq!(rig.claim(patient).await, [1]);
}

#[tokio::test]
async fn what_is_under_way_when_they_write_counts_in_the_new_window() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.answers((0..5).map(|n| text("p1", &n.to_string())).collect()).await;
    rig.claim(windowed(NOW)).await;
    rig.writes("p1", NOW + 5_000).await;
    assert_eq!(rig.spent("p1").await, 1);
    // What the service says of it may be of the window before: it rests, and is not shut.
    rig.ends(1, refused(NOW + 95_000)).await;
    let meter = rig.meter("p1").await.unwrap();
    assert_eq!((meter.refused, meter.spent, meter.learnt), (false, 0, None));
    assert_eq!(rig.store.claim_sends(windowed(NOW + 5_000)).await.unwrap(), (vec![], Some(NOW + 95_000)));
    assert_eq!(rig.claim(windowed(NOW + 95_000)).await, [1]);
    rig.sent(1).await;
    assert_eq!(rig.spent("p1").await, 1);
}

#[tokio::test]
async fn an_older_message_that_comes_late_shortens_nothing() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.writes("p1", NOW - HOUR_MS).await;
    assert_eq!(rig.meter("p1").await.unwrap().opened_ms, NOW);
    // One that waited at the service for longer than the window opens nothing.
    rig.writes("p2", NOW - 25 * HOUR_MS).await;
    rig.answers(vec![text("p2", "1")]).await;
    assert!(rig.claim(windowed(NOW)).await.is_empty());
    assert_eq!(rig.reason(1), (0, Shut::Over.reason().to_owned()));
}

#[tokio::test]
async fn after_its_time_answers_grow_old_and_pushes_follow_their_policy() {
    let late = NOW + 24 * HOUR_MS;
    for (pushes, states) in [(Pushes::Wait, vec![5, 0]), (Pushes::Merge, vec![5, 0]), (Pushes::Expire, vec![5, 5])] {
        let rig = rig();
        rig.writes("p1", NOW).await;
        let later = |now_ms| {
            let rules =
                Rules { window: Some(WINDOW), manners: Manners { pushes, ..Manners::NONE }, ..Rules::default() };
            ClaimSends { now_ms, max_age_ms: 600_000, rules, ..ask() }
        };
        rig.answers(vec![text("p1", "1")]).await;
        rig.pushes(vec![text("p1", "2")]).await;
        rig.sql().execute("UPDATE outbox SET created_at = ?1", [late]).unwrap();
        assert!(rig.claim(later(late)).await.is_empty(), "the window is over");
        assert!(rig.claim(later(late + 600_001)).await.is_empty());
        assert_eq!(rig.states(), states, "{pushes:?}");
        rig.writes("p1", late + 700_000).await;
        let goes = rig.claim(later(late + 700_000)).await;
        assert_eq!(goes, if states[1] == 0 { vec![2] } else { vec![] }, "{pushes:?}");
    }
}

#[tokio::test]
async fn a_push_that_met_a_refusal_keeps_its_age_and_answers_pass_it() {
    let rig = rig();
    let later = |now_ms| ClaimSends { max_age_ms: 600_000, ..windowed(now_ms) };
    rig.writes("p1", NOW).await;
    rig.pushes((1..=3).map(|n| text("p1", &n.to_string())).collect()).await;
    assert_eq!(rig.claim(later(NOW)).await, [1]);
    rig.ends(1, refused(NOW + 90_000)).await;
    // Once tried, a send has `max_age` from then on; but this was no try.
    assert!(rig.claim(later(NOW + 3 * HOUR_MS)).await.is_empty());
    assert_eq!(rig.states(), [0, 0, 0]);
    let at = NOW + 4 * HOUR_MS;
    rig.writes("p1", at).await;
    rig.answers(vec![text("p1", "4")]).await;
    rig.sql().execute("UPDATE outbox SET created_at = ?1 WHERE id = 4", [at]).unwrap();
    let mut order = Vec::new();
    while let [id] = rig.claim(later(at)).await[..] {
        order.push(id);
        rig.sent(id).await;
    }
    assert_eq!(order, [4, 1, 2], "who wrote is answered first, and three go in all");
    // The same where it goes with its event.
    rig.writes("p1", at + 1).await;
    let seq = rig.store.accept(batch(vec![event("direct", "p1")])).await.unwrap().seqs[0].unwrap();
    let finish = Finish { direct: Some(later(at + 1)), now_ms: at + 1, ..end(seq, vec![text("p1", "5")]) };
    let Finished::Done(claimed) = rig.store.finish(finish).await.unwrap() else { panic!("refused") };
    assert_eq!(claimed.len(), 1, "past the push that waits");
}

#[tokio::test]
async fn merged_pushes_pay_once_and_stay_within_what_one_text_may_have() {
    let rig = rig();
    rig.writes("p1", NOW).await;
    rig.pushes((1..=5).map(|n| text("p1", &n.to_string())).collect()).await;
    let manners = Manners { pushes: Pushes::Merge, ..Manners::NONE };
    // Three texts of six characters, and two line ends.
    let rules = Rules { window: Some(WINDOW), manners, text_limit: Some(20), ..Rules::default() };
    let asked = ClaimSends { rules, ..ask() };
    assert_eq!(rig.claim(asked.clone()).await, [1]);
    let body: String = rig.sql().query_row("SELECT body FROM outbox WHERE id = 1", [], |r| r.get(0)).unwrap();
    assert!(body.contains("text 1\\ntext 2\\ntext 3") && !body.contains("text 4"), "{body}");
    assert_eq!(rig.spent("p1").await, 1);
    rig.sent(1).await;
    assert_eq!(rig.claim(asked).await, [4]);
    assert_eq!((rig.spent("p1").await, rig.states()), (2, vec![3, 6, 6, 1, 6]));
}

#[tokio::test]
async fn what_says_nothing_is_not_metered() {
    let rig = rig();
    let recall = serde_json::to_string(&Action::Recall { chat: conv("p1"), msg: None }).unwrap();
    rig.answers(vec![NewSend { body: recall, ..send("a", 0, "p1", "1") }]).await;
    assert_eq!(rig.claim(windowed(NOW)).await, [1], "nobody wrote, and nothing is said");
    rig.ends(1, refused(NOW + 5)).await;
    assert_eq!(rig.meter("p1").await, None);
}

#[tokio::test]
async fn accounts_without_windows_have_no_meters_and_pay_nothing() {
    let rig = rig();
    let seqs = rig.store.accept(batch(vec![event("a", "p1")])).await.unwrap().seqs;
    rig.store
        .finish(end(seqs[0].unwrap(), (0..20).map(|n| NewSend { ord: n, ..text("p1", &n.to_string()) }).collect()))
        .await
        .unwrap();
    for id in 1..=20 {
        assert_eq!(rig.claim(ask()).await, [id]);
        rig.sent(id).await;
    }
    let touched = "SELECT (SELECT count(*) FROM meter) + (SELECT count(*) FROM outbox WHERE paid <> 0 OR unsure)";
    assert_eq!(rig.number(touched), 0);
    // A service that says all the same that a chat is closed: it waits as long as it is told, and no try is counted.
    rig.answers(vec![text("p1", "99")]).await;
    rig.claim(ask()).await;
    rig.ends(21, refused(NOW + 90_000)).await;
    assert_eq!(rig.store.claim_sends(ask()).await.unwrap(), (vec![], Some(NOW + 90_000)));
    let again = rig.store.claim_sends(ClaimSends { now_ms: NOW + 90_000, ..ask() }).await.unwrap().0;
    assert_eq!((again[0].attempts, rig.number(touched)), (1, 0));
}

#[tokio::test]
async fn a_crash_sends_again_under_the_same_id_where_the_service_drops_the_second() {
    let rig = rig();
    rig.answers(vec![text("p1", "4711"), text("p2", "4712"), text("p3", "4713")]).await;
    assert_eq!(rig.claim(ask()).await.len(), 3);
    rig.ends(2, unsure()).await;
    rig.sql().execute("UPDATE outbox SET attempts = 8 WHERE id = 3", []).unwrap();
    let rig = rig.killed();
    rig.store.recover(&shop()).await.unwrap();
    assert_eq!(rig.states(), [2, 2, 2]);
    let safely = Verdict::ResendSafely { below: 8 };
    assert_eq!(rig.store.decide_uncertain(&shop(), safely).await.unwrap(), 2);
    let again = rig.store.claim_sends(ask()).await.unwrap().0;
    let told: Vec<_> = again.iter().map(|send| (send.client_id.as_str(), send.attempts)).collect();
    assert_eq!(told, [("4711", 2), ("4712", 2)]);
    assert_eq!(rig.states(), [1, 1, 2], "tried often enough: somebody decides");
}

#[tokio::test]
async fn what_may_have_been_taken_does_not_simply_expire() {
    let rig = rig();
    rig.answers(vec![text("p1", "1"), text("p2", "2")]).await;
    let later = |now_ms| ClaimSends { now_ms, max_age_ms: 600_000, ..ask() };
    assert_eq!(rig.claim(later(NOW)).await, [1, 2]);
    rig.ends(1, resent(NOW + 2_000)).await;
    rig.ends(2, not_taken(NOW + 2_000)).await;
    assert!(rig.claim(later(NOW + 600_001)).await.is_empty());
    assert_eq!(rig.states(), [2, 5]);
    let story = rig.store.story(1).await.unwrap().unwrap();
    assert_eq!(story.sends[0].state, SendState::Uncertain);
    assert!(rig.reason(1).1.contains("may have been taken"), "{}", rig.reason(1).1);
}

#[derive(Debug, Clone)]
enum Move {
    Write(u8),
    Answer(u8),
    Push(u8),
    Claim,
    Settle(usize, u8),
    Crash,
    Pass(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => (0u8..2).prop_map(Move::Write),
        4 => (0u8..2).prop_map(Move::Answer),
        2 => (0u8..2).prop_map(Move::Push),
        5 => Just(Move::Claim),
        6 => (any::<usize>(), 0u8..7).prop_map(|(at, how)| Move::Settle(at, how)),
        1 => Just(Move::Crash),
        1 => (1i64..100_000).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 1..80)
}

/// What the service may have seen of one chat since somebody wrote there last.
#[derive(Default)]
struct Seen {
    open: bool,
    refused: bool,
    sends: HashSet<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("CASES").map_or(48, |c| c.parse().unwrap())))]

    /// Whatever the order of messages, sends, answers and crashes: since the last message of a person the service has seen at
    /// most as many different sends as it lets, none before the first message, and none after a refusal.
    #[test]
    fn the_service_never_sees_more_than_it_lets(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = rig();
            let (mut now, mut id, mut flying) = (NOW, 0u32, HashMap::<u64, String>::new());
            let mut chats: HashMap<String, Seen> = HashMap::new();
            for step in moves {
                match step {
                    Move::Write(chat) => {
                        let chat = format!("p{chat}");
                        // A moment later, so that two windows are told apart.
                        now += 1;
                        rig.writes(&chat, now).await;
                        let under_way = flying.iter().filter(|(_, of)| **of == chat).map(|(id, _)| *id).collect();
                        chats.insert(chat, Seen { open: true, refused: false, sends: under_way });
                    }
                    Move::Answer(chat) | Move::Push(chat) => {
                        id += 1;
                        let send = text(&format!("p{chat}"), &id.to_string());
                        let push = matches!(step, Move::Push(_));
                        if push { rig.pushes(vec![send]).await } else { rig.answers(vec![send]).await }
                    }
                    Move::Claim => {
                        for send in rig.store.claim_sends(windowed(now)).await.unwrap().0 {
                            let chat = send.conv.to_string();
                            let seen = chats.entry(chat.clone()).or_default();
                            prop_assert!(seen.open, "nobody wrote in {}", chat);
                            prop_assert!(!seen.refused, "{} was refused", chat);
                            seen.sends.insert(send.id);
                            prop_assert!(seen.sends.len() <= 3, "{:?} in {}", seen.sends, chat);
                            flying.insert(send.id, chat);
                        }
                    }
                    Move::Settle(at, how) => {
                        let mut all: Vec<u64> = flying.keys().copied().collect();
                        all.sort_unstable();
                        let Some(send) = all.get(at % all.len().max(1)).copied() else { continue };
                        let chat = flying.remove(&send).unwrap();
                        let fresh = rig.number(&format!("SELECT NOT unsure FROM outbox WHERE id = {send}")) == 1;
                        let seen = chats.get_mut(&chat).unwrap();
                        let settlement = match how {
                            0 | 1 => Settlement::Sent { server_id: None },
                            2 => unsure(),
                            3 => resent(now),
                            4 => not_taken(now),
                            5 => Settlement::Failed { error: "x".into() },
                            _ => refused(now),
                        };
                        // Only the first try of a send says of it that the service has not seen it.
                        if how >= 4 && fresh {
                            seen.sends.remove(&send);
                        }
                        seen.refused |= how == 6 && rig.number(&format!("SELECT paid > 0 FROM outbox WHERE id = {send}")) == 1;
                        rig.ends(send, settlement).await;
                    }
                    Move::Crash => {
                        flying.clear();
                        rig.store.recover(&shop()).await.unwrap();
                        rig.store.decide_uncertain(&shop(), Verdict::ResendSafely { below: 8 }).await.unwrap();
                    }
                    Move::Pass(ms) => now += ms,
                }
            }
            Ok(())
        })?;
    }
}
