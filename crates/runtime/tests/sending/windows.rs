//! Where a service lets a bot answer and not begin: is nothing lost, nothing said too often, and does everybody see why?

use std::time::Duration;

use wxbot_core::SendError;
use wxbot_core::protocol::ReplyWindow;
use wxbot_model::{Action, Capabilities, Capability, ClientMsgId};
use wxbot_runtime::store::{SendFilter, SendRow, SendState};

use crate::rig::{Rig, Ways};

const DAY: Duration = Duration::from_secs(86_400);

fn all() -> Capabilities {
    Capability::ALL.into_iter().collect()
}

fn ways(sends: u32) -> Ways {
    Ways { window: Some(ReplyWindow { sends, open_for: DAY }), ..Ways::default() }
}

fn texts(rig: &Rig) -> Vec<String> {
    let text = |action| if let Action::SendText { text, .. } = action { text } else { format!("{action:?}") };
    rig.gone().into_iter().map(|gone| text(gone.action)).collect()
}

fn begun(rig: &Rig) -> Vec<ClientMsgId> {
    rig.service.begun.lock().unwrap().clone()
}

async fn rows(rig: &Rig) -> Vec<SendRow> {
    let mut rows = rig.runtime().store().sends(SendFilter::default(), u64::MAX, 100).await.unwrap();
    rows.reverse();
    rows
}

async fn waiting(rig: &Rig, count: u64) {
    rig.until("waiting", async |rig| rig.counts().await.outbox.queued == count).await;
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_waits_until_they_write_and_goes_at_once_then() {
    let mut rig = Rig::of(all(), ways(2), "").await;
    rig.say("triple").await;
    rig.until_gone(2).await;
    pass(120).await;
    assert_eq!(texts(&rig), ["a", "b"]);
    let why = rows(&rig).await[2].error.clone().unwrap();
    assert!(why.starts_with("the reply window is shut: all its sends are used"), "{why}");
    // A restart knows as much.
    rig.stop().await;
    rig.start().await;
    pass(120).await;
    assert_eq!(texts(&rig), ["a", "b"]);
    let asked = tokio::time::Instant::now();
    rig.say("hi").await;
    rig.until_gone(4).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "nobody waits for the next look: {:?}", asked.elapsed());
    assert_eq!(texts(&rig)[2..], ["c", "echo: hi"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn handlers_and_lists_see_what_is_left() {
    let mut rig = Rig::of(all(), ways(5), "").await;
    let open = rig.account().open_windows().await.unwrap();
    assert_eq!(open, Some(vec![]), "nobody has written");
    rig.say("budget").await;
    rig.until_gone(1).await;
    assert_eq!(texts(&rig), ["5 5 86400"]);
    rig.until("settled", async |rig| rig.counts().await.outbox.sent == 1).await;
    let open = rig.account().open_windows().await.unwrap().unwrap();
    let [one] = open.as_slice() else { panic!("{open:?}") };
    let left_s = (one.until_ms - rig.source.now_ms()) / 1_000;
    assert_eq!((one.name.as_str(), one.left, one.likely), ("@alice", 4, 4));
    assert!((86_300..=86_400).contains(&left_s), "{left_s}");
    // After a refusal the next window warns earlier.
    *rig.service.answers.lock().unwrap() =
        [SendError::Closed { why: "rate limited".into(), after: Duration::from_secs(90) }].into();
    rig.say("triple").await;
    waiting(&rig, 3).await;
    pass(60).await;
    rig.say("budget").await;
    pass(300).await;
    assert_eq!(texts(&rig)[1..], ["a", "b", "c", "5 5 86400"], "refused at once: no number was too high");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_a_message_and_for_as_long_as_it_says() {
    let mut rig = Rig::of(all(), ways(10), "").await;
    rig.say("hi").await;
    rig.until_gone(1).await;
    let closed = SendError::Closed { why: "rate limited".into(), after: Duration::from_secs(90) };
    *rig.service.answers.lock().unwrap() = [closed].into();
    rig.say("triple").await;
    rig.until("refused", async |rig| begun(rig).len() == 2).await;
    pass(240).await;
    assert_eq!(begun(&rig).len(), 2, "nothing is tried before they write");
    let why = rows(&rig).await[1].error.clone().unwrap();
    assert!(why.contains("rate limited"), "the service's own words: {why}");
    rig.say("again").await;
    rig.until_gone(5).await;
    assert_eq!(texts(&rig), ["echo: hi", "a", "b", "c", "echo: again"]);
    assert_eq!(begun(&rig)[1], begun(&rig)[2], "under its id");

    // Who writes at once is answered when the service has had its rest.
    let closed = SendError::Closed { why: "rate limited".into(), after: Duration::from_secs(90) };
    *rig.service.answers.lock().unwrap() = [closed].into();
    rig.say("one").await;
    rig.until("refused", async |rig| rig.service.answers.lock().unwrap().is_empty()).await;
    let begun = tokio::time::Instant::now();
    rig.say("two").await;
    rig.until_gone(7).await;
    assert!((85..=100).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_never_wrote_gets_nothing_and_holds_up_nobody() {
    let mut rig = Rig::of(all(), ways(10), "").await;
    let contacts = rig.runtime().store().contacts(&"shop".parse().unwrap()).await.unwrap();
    let bob = contacts.iter().find(|row| row.peer == crate::rig::peer("@bob")).unwrap().id.clone();
    for _ in 0..70 {
        rig.say(&format!("push {bob}")).await;
    }
    waiting(&rig, 70).await;
    rig.say("hi").await;
    rig.until_gone(1).await;
    assert_eq!(texts(&rig), ["echo: hi"]);
    let rows = rows(&rig).await;
    assert!(rows[0].error.as_deref().unwrap().contains("nobody has written in this chat yet"), "{:?}", rows[0]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn answers_grow_too_old_where_nobody_writes() {
    let mut rig = Rig::of(all(), ways(1), "").await;
    rig.say("triple").await;
    rig.until_gone(1).await;
    rig.until("expired", async |rig| rig.counts().await.outbox.expired == 2).await;
    assert_eq!(rig.counts().await.outbox.queued, 0);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_sends_at_once_hears_that_it_is_shut() {
    let mut rig = Rig::of(all(), ways(1), "").await;
    let asked = tokio::time::Instant::now();
    rig.say("now one two").await;
    rig.until("the second is refused, and the handler would say so", async |rig| rig.counts().await.outbox.queued == 1)
        .await;
    assert!(asked.elapsed() < Duration::from_secs(5), "it does not wait for its turn: {:?}", asked.elapsed());
    rig.say("slow 10").await;
    rig.until_gone(2).await;
    let shut =
        "told: nothing was sent: the reply window is shut: all its sends are used; it opens when they write again";
    assert_eq!(texts(&rig), ["one", shut]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_text_goes_out_in_parts_with_ids_of_their_own() {
    let limited = Ways { text_limit: Some(30), ..ways(10) };
    let mut rig = Rig::of(all(), limited, "").await;
    rig.say("long").await;
    rig.until_gone(3).await;
    let pair = "one two three\none two three";
    assert_eq!(texts(&rig), [pair, pair, "end"]);
    let ids = begun(&rig);
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    rig.until("settled", async |rig| rig.counts().await.outbox.sent == 3).await;
    let open = rig.account().open_windows().await.unwrap().unwrap();
    assert_eq!(open[0].left, 7, "each part pays");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_text_are_one_commit_and_come_once_whatever_ends_in_between() {
    let limited = Ways { text_limit: Some(30), safe: true, ..ways(10) };
    let mut rig = Rig::of(all(), limited, "").await;
    rig.service.hangs.send_replace(true);
    rig.say("long").await;
    rig.until("the first is on its way", async |rig| begun(rig).len() == 1).await;
    assert_eq!(rows(&rig).await.len(), 3, "all parts, in the commit that ended the event");
    rig.kill().await;
    rig.service.hangs.send_replace(false);
    rig.start().await;
    rig.until_gone(3).await;
    let pair = "one two three\none two three";
    assert_eq!(texts(&rig), [pair, pair, "end"]);
    assert_eq!(rows(&rig).await.len(), 3);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_request_and_answer_sends_again_under_exactly_the_same_id() {
    for (lines, goes) in [("", true), ("on_uncertain = \"resend\"", true), ("on_uncertain = \"drop\"", false)] {
        let mut rig = Rig::of(all(), Ways { safe: true, ..ways(2) }, lines).await;
        rig.service.hangs.send_replace(true);
        rig.say("hi").await;
        rig.until("on its way", async |rig| begun(rig).len() == 1).await;
        rig.kill().await;
        rig.service.hangs.send_replace(false);
        rig.start().await;
        if goes {
            rig.until("again", async |rig| rig.counts().await.outbox.sent == 1).await;
            let ids = begun(&rig);
            assert_eq!((ids.len(), &ids[0]), (2, &ids[1]), "{lines}");
            let open = rig.account().open_windows().await.unwrap().unwrap();
            assert_eq!(open[0].left, 1, "{lines}: one message, one payment");
        } else {
            pass(600).await;
            assert_eq!((begun(&rig).len(), rig.counts().await.outbox.dropped), (1, 1), "the owner's word holds");
        }
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_tried_again_with_patience_and_then_left_to_people() {
    let lost = || SendError::Uncertain { why: "the answer was cut".into() };
    let mut rig = Rig::of(all(), Ways { safe: true, ..ways(2) }, "").await;
    *rig.service.answers.lock().unwrap() = std::iter::repeat_with(lost).take(3).collect();
    rig.say("hi").await;
    let asked = tokio::time::Instant::now();
    rig.until_gone(1).await;
    assert!(asked.elapsed() > Duration::from_secs(8), "it backs off: {:?}", asked.elapsed());
    let ids = begun(&rig);
    assert!(ids.len() == 4 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    *rig.service.answers.lock().unwrap() = std::iter::repeat_with(lost).take(50).collect();
    rig.say("on").await;
    rig.until("given to people", async |rig| rig.counts().await.outbox.uncertain == 1).await;
    assert_eq!(begun(&rig).len(), 4 + 8, "a limit of tries");
    rig.stop().await;
    // Where nobody says that a second one is dropped, everything is as it was.
    for safe in [true, false] {
        let lines = if safe { "on_uncertain = \"drop\"" } else { "" };
        let mut rig = Rig::of(all(), Ways { safe, ..Ways::default() }, lines).await;
        *rig.service.answers.lock().unwrap() = [lost()].into();
        rig.say("hi").await;
        let ended = async |rig: &Rig| {
            let out = rig.counts().await.outbox;
            if safe { out.dropped == 1 } else { out.uncertain == 1 }
        };
        rig.until("ended", ended).await;
        pass(600).await;
        assert_eq!(begun(&rig).len(), 1, "safe: {safe}");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_without_windows_sends_as_ever() {
    let mut rig = Rig::new().await;
    for _ in 0..6 {
        rig.say("triple").await;
    }
    rig.until_gone(18).await;
    rig.say("budget").await;
    rig.say("long").await;
    rig.until_gone(21).await;
    assert_eq!(texts(&rig)[18], "none");
    assert_eq!(texts(&rig)[19].lines().count(), 4, "no limit, no parts");
    assert_eq!(rig.account().open_windows().await.unwrap(), None);
    // Told all the same that a chat is closed: it waits, and goes.
    let closed = SendError::Closed { why: "x".into(), after: Duration::from_secs(30) };
    *rig.service.answers.lock().unwrap() = [closed].into();
    let asked = tokio::time::Instant::now();
    rig.say("hi").await;
    rig.until_gone(22).await;
    assert!(asked.elapsed() >= Duration::from_secs(30), "{:?}", asked.elapsed());
    rig.until("settled", async |rig| rig.counts().await.outbox.sent == 22).await;
    assert!(rows(&rig).await.iter().all(|row| row.state == SendState::Sent), "{:?}", rows(&rig).await);
    rig.stop().await;
}
