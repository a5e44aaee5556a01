//! Is every send judged and paid, whichever way it takes, and does the store say why one does not go?

use proptest::prelude::*;
use wxbot_model::Action;

use super::*;
use crate::outbox::echo_of;
use crate::pacing::{Kinds, Manners, OnRepeat, OnSameText, Pushes, QuietNow, Repeat, SameText, WarmUp};
use crate::store::{PaceStore, SendState, StoryStore};

const HOUR: Duration = Duration::from_secs(3_600);

fn text(chat: &str, client_id: &str, what: &str) -> NewSend {
    let action = Action::SendText { to: conv(chat), text: what.to_owned(), mention: Vec::new() };
    let body = serde_json::to_string(&action).unwrap();
    NewSend { body, echo: echo_of(what), ..send("a", 0, chat, client_id) }
}

fn friend(person: &str, client_id: &str) -> NewSend {
    let person_ = wxbot_model::Stranger::Contact(conv(person));
    let body = serde_json::to_string(&Action::AddFriend { person: person_, greeting: "hi".into() }).unwrap();
    NewSend { body, ..send("a", 0, person, client_id) }
}

fn by(manners: Manners, now_ms: i64) -> ClaimSends {
    ClaimSends { now_ms, rules: Rules { manners, burst: 5, ..Rules::default() }, ..ask() }
}

impl Rig {
    /// Ends an event of this kind in this chat with a send, claimed at once where it may go.
    async fn direct(&self, kind: &'static str, chat: &str, send: NewSend, ask: ClaimSends) -> Vec<ClaimedSend> {
        let key = format!("d{}", self.number("SELECT count(*) FROM inbox"));
        let row = NewRow { kind, ..event(&key, chat) };
        let seq = self.store.accept(batch(vec![row])).await.unwrap().seqs[0].unwrap();
        let now_ms = ask.now_ms;
        let finish = Finish { direct: Some(ask), now_ms, ..end(seq, vec![send]) };
        let Finished::Done(claimed) = self.store.finish(finish).await.unwrap() else { panic!("refused") };
        claimed
    }

    /// Stores what a timer of this chat sends.
    async fn push(&self, sends: Vec<NewSend>) {
        for send in sends {
            let key = format!("t{}", self.number("SELECT count(*) FROM inbox"));
            let row = NewRow { kind: "timer", ..event(&key, send.conv.as_str()) };
            let seq = self.store.accept(batch(vec![row])).await.unwrap().seqs[0].unwrap();
            self.store.finish(end(seq, vec![send])).await.unwrap();
        }
    }

    fn why(&self, id: u64) -> (i64, String) {
        let query = "SELECT state, coalesce(error, '') FROM outbox WHERE id = ?1";
        self.sql().query_row(query, [id], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
    }
}

#[tokio::test]
async fn each_kind_has_a_pace_of_its_own_that_a_kill_does_not_refill() {
    let kinds = Kinds { friend_request: Some(Rate::new(10, HOUR)), ..Kinds::default() };
    let paced = |now_ms| by(Manners { kinds, ..Manners::NONE }, now_ms);
    let rig = rig();
    rig.push(vec![friend("p2", "1"), friend("p3", "2"), text("p4", "3", "hi"), friend("p5", "4")]).await;
    let (sends, wake) = rig.store.claim_sends(paced(NOW)).await.unwrap();
    assert_eq!(sends.iter().map(|send| send.id).collect::<Vec<_>>(), [1, 3], "one request; the text has another pace");
    let six_minutes = NOW + 360_001;
    assert_eq!(wake, Some(six_minutes));
    let rig = rig.killed();
    assert!(rig.claim(paced(six_minutes - 2)).await.is_empty(), "the debt is on the disk");
    assert_eq!(rig.claim(paced(six_minutes)).await, [2]);
    assert!(rig.claim(paced(six_minutes)).await.is_empty());
}

#[tokio::test]
async fn who_is_brought_into_a_room_is_counted() {
    let kinds = Kinds { room_change: Some(Rate::new(60, HOUR)), ..Kinds::default() };
    let paced = |now_ms| by(Manners { kinds, ..Manners::NONE }, now_ms);
    let change = |room: &str, client_id: &str, count: u32| {
        let members = (0..count).map(|n| conv(&format!("p{n}"))).collect();
        let body = serde_json::to_string(&Action::AddMembers { room: conv(room), members }).unwrap();
        NewSend { body, ..send("a", 0, room, client_id) }
    };
    let rig = rig();
    rig.push(vec![change("r1", "1", 10), change("r2", "2", 1)]).await;
    let (sends, wake) = rig.store.claim_sends(paced(NOW)).await.unwrap();
    // Three may go at once; ten have gone, so the next one waits for eight minutes.
    assert_eq!((sends.len(), wake), (1, Some(NOW + 8 * 60_000 + 1)));
}

#[tokio::test]
async fn a_debt_far_ahead_is_cut_to_an_hour_for_good() {
    let rig = rig();
    let far = (NOW + 400 * DAY) * 1_000;
    for scope in ["", "p2", "~friend_request"] {
        rig.sql().execute("INSERT INTO bucket VALUES ('shop', ?1, ?2)", rusqlite::params![scope, far]).unwrap();
    }
    let kinds = Kinds { friend_request: Some(Rate::new(10, HOUR)), ..Kinds::default() };
    let second = (Rate::new(1, Duration::from_secs(1)), 1);
    let paced = |now_ms| ClaimSends {
        per_account: second,
        per_chat: second,
        max_age_ms: DAY,
        ..by(Manners { kinds, ..Manners::NONE }, now_ms)
    };
    rig.push(vec![friend("p2", "1")]).await;
    let mut now_ms = NOW;
    // The account's, the chat's and the kind's: each is found out when the one before it is free.
    for _ in 0..3 {
        let (sends, wake) = rig.store.claim_sends(paced(now_ms)).await.unwrap();
        let wake = wake.unwrap();
        assert!(sends.is_empty() && wake - now_ms <= 3_600_001, "{}", wake - now_ms);
        now_ms = wake;
    }
    assert_eq!(rig.claim(paced(now_ms)).await, [1]);
}

#[tokio::test]
async fn sends_are_spread_by_times_that_a_seed_repeats() {
    let run = async |seed: u64| {
        let rig = rig();
        rig.push((2..9).map(|n| text(&format!("p{n}"), &n.to_string(), &format!("text {n}"))).collect()).await;
        let (mut now_ms, mut at) = (NOW, Vec::new());
        while at.len() < 7 {
            let manners = Manners { jitter_percent: 50, ..Manners::NONE };
            let rules = Rules { manners, seed: seed + u64::try_from(now_ms).unwrap(), ..Rules::default() };
            let per_account = (Rate::new(1, Duration::from_secs(1)), 3);
            let (sends, wake) =
                rig.store.claim_sends(ClaimSends { now_ms, per_account, rules, ..ask() }).await.unwrap();
            for send in sends {
                at.push((send.id, now_ms - NOW));
                rig.sent(send.id).await;
            }
            now_ms = wake.unwrap_or(now_ms + 1).max(now_ms + 1);
        }
        at
    };
    let (one, again, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(one, again, "the same seed, the same times");
    assert_ne!(one, other);
    assert_eq!(one.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7], "in order all the same");
    let gaps: Vec<i64> = one.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    assert!(gaps.iter().all(|gap| (0..=1_502).contains(gap)), "{gaps:?}");
    assert!(gaps[2..].iter().all(|gap| *gap % 1_000 > 1), "no regular beat: {gaps:?}");
    assert!(one[6].1 >= 4_000, "the rate is never beaten: {one:?}");
}

#[tokio::test]
async fn in_quiet_hours_pushes_wait_and_answers_pass_them() {
    let quiet = |all| QuietNow { until_ms: NOW + 3_600_000, all };
    let asked = |all, now_ms| {
        let rules = Rules { quiet: (now_ms < NOW + 3_600_000).then(|| quiet(all)), ..Rules::default() };
        ClaimSends { now_ms, rules, max_age_ms: DAY, ..ask() }
    };
    let rig = rig();
    rig.push(vec![text("p1", "1", "good morning"), text("p2", "2", "good morning")]).await;
    assert_eq!(rig.store.claim_sends(asked(false, NOW)).await.unwrap(), (vec![], Some(NOW + 3_600_000)));
    // Who writes now is answered, past the push that waits in the same chat; at once, and by a claim.
    let at_once = rig.direct("message", "p1", text("p1", "3", "hello"), asked(false, NOW)).await;
    assert_eq!(at_once.len(), 1);
    let waits = rig.direct("message", "p1", text("p1", "4", "and more"), asked(false, NOW)).await;
    assert!(waits.is_empty(), "in order behind the first");
    rig.sent(at_once[0].id).await;
    assert_eq!(rig.claim(asked(false, NOW)).await, [4]);
    rig.sent(4).await;
    // What goes into another chat than it came from, or comes from a clock, answers nobody.
    assert!(rig.direct("message", "p1", text("p3", "5", "news"), asked(false, NOW)).await.is_empty());
    assert!(rig.direct("timer", "p4", text("p4", "6", "tick"), asked(false, NOW)).await.is_empty());
    // With `all` nobody is answered either.
    assert!(rig.direct("message", "p5", text("p5", "7", "hello"), asked(true, NOW)).await.is_empty());
    assert_eq!(rig.store.claim_sends(asked(true, NOW)).await.unwrap(), (vec![], Some(NOW + 3_600_000)));
    assert_eq!(rig.claim(asked(false, NOW + 3_600_000)).await, [1, 2, 5, 6, 7]);
}

#[tokio::test]
async fn a_text_for_many_chats_is_refused_with_the_reason() {
    let same = |act, answers_too| SameText { act, chats: 3, per: Duration::from_secs(600), answers_too };
    let paced = |act, all, now_ms| by(Manners { same_text: same(act, all), ..Manners::NONE }, now_ms);
    let refused =
        "the same text went to 3 other chats within 10min, and wxbot sends nothing in bulk ([pacing] same_text)";
    let rig = rig();
    rig.push((2..8).map(|n| text(&format!("p{n}"), &n.to_string(), "buy now")).collect()).await;
    let sends = rig.store.claim_sends(paced(OnSameText::Refuse, false, NOW)).await.unwrap().0;
    let ended: Vec<bool> = sends.iter().map(|send| send.ended.is_some()).collect();
    assert_eq!(ended, [false, false, false, true, true, true]);
    assert_eq!(sends[3].ended.as_deref(), Some(refused));
    assert_eq!(rig.why(4), (4, refused.to_owned()));
    // Whatever way it takes, and after a kill.
    let rig = rig.killed();
    let direct = rig.direct("schedule", "p9", text("p9", "9", "buy now"), paced(OnSameText::Refuse, false, NOW)).await;
    assert_eq!((direct[0].ended.as_deref(), rig.why(direct[0].id).0), (Some(refused), 4));
    // Another text, an answer to who asks, and one of the chats that got it: those go.
    for (name, kind, what, chat) in
        [("another text", "timer", "buy later", "p10"), ("an answer", "message", "buy now", "p11")]
    {
        let send = text(chat, &format!("2{chat}").replace('p', ""), what);
        let went = rig.direct(kind, chat, send, paced(OnSameText::Refuse, false, NOW)).await;
        assert!(went[0].ended.is_none(), "{name}");
    }
    // Where answers count, the same answer ends there too.
    let answer = rig.direct("message", "p12", text("p12", "12", "buy now"), paced(OnSameText::Refuse, true, NOW)).await;
    assert!(answer[0].ended.is_some());
    // `wait`: until the first of them is long enough ago.
    rig.push(vec![text("p13", "13", "buy now")]).await;
    let (sends, wake) = rig.store.claim_sends(paced(OnSameText::Wait, false, NOW + 1_000)).await.unwrap();
    assert_eq!((sends.len(), wake), (0, Some(NOW + 600_000)));
    assert_eq!(rig.store.claim_sends(paced(OnSameText::Wait, false, NOW + 600_000)).await.unwrap().0.len(), 1);
    // The rest is forgotten after a day.
    assert!(rig.number("SELECT count(*) FROM said") > 0);
    rig.store.sweep(NOW + 2 * DAY).await.unwrap();
    assert_eq!(rig.number("SELECT count(*) FROM said"), 0);
}

#[tokio::test]
async fn a_text_that_its_chat_has_just_got_is_spaced_or_dropped() {
    let repeat = |act| Manners { repeat: Repeat { act, after: Duration::from_secs(3) }, ..Manners::NONE };
    let rig = rig();
    let at = |act, by_ms| by(repeat(act), NOW + by_ms);
    let one = rig.direct("message", "p1", text("p1", "1", "hi"), at(OnRepeat::Space, 0)).await;
    rig.store.settle(one[0].id, again(NOW, true)).await.unwrap();
    assert_eq!(rig.claim(at(OnRepeat::Space, 1)).await, [1], "another try is no repeat");
    rig.store
        .settle(1, Settlement::Again { not_before_ms: NOW, error: "x".into(), counts: false, unsure: false })
        .await
        .unwrap();
    rig.sql().execute_batch("UPDATE outbox SET attempts = 0").unwrap();
    assert_eq!(rig.claim(at(OnRepeat::Drop, 1)).await, [1], "nor is one that does not count");
    rig.sent(1).await;
    assert!(rig.direct("message", "p1", text("p1", "2", "hi"), at(OnRepeat::Space, 1_000)).await.is_empty());
    assert_eq!(rig.store.claim_sends(at(OnRepeat::Space, 1_500)).await.unwrap(), (vec![], Some(NOW + 3_001)));
    let dropped = rig.store.claim_sends(at(OnRepeat::Drop, 2_001)).await.unwrap().0;
    let why = "the same text went to this chat 2s before ([pacing] repeat)";
    assert_eq!((dropped[0].ended.as_deref(), rig.why(2)), (Some(why), (6, why.to_owned())));
    let story = rig.store.story(2).await.unwrap().unwrap();
    assert_eq!((story.sends[0].state, story.sends[0].error.as_deref()), (SendState::Dropped, Some(why)));
    let later = rig.direct("message", "p1", text("p1", "3", "hi"), at(OnRepeat::Drop, 3_001)).await;
    assert!(later[0].ended.is_none(), "long enough ago");
}

#[tokio::test]
async fn waiting_pushes_of_a_chat_become_one_message() {
    let merge = |now_ms| by(Manners { pushes: Pushes::Merge, ..Manners::NONE }, now_ms);
    let rig = rig();
    let long = "x".repeat(4_090);
    rig.push(vec![text("p2", "1", "one"), text("p2", "2", "two"), text("p3", "3", "else"), text("p2", "4", &long)])
        .await;
    let sends = rig.store.claim_sends(merge(NOW)).await.unwrap().0;
    let said = |send: &ClaimedSend| {
        let Action::SendText { text, .. } = serde_json::from_str(&send.body).unwrap() else { panic!("{send:?}") };
        text
    };
    assert_eq!(sends.iter().map(|s| (s.id, said(s))).collect::<Vec<_>>(), [(1, "one\ntwo".into()), (3, "else".into())]);
    assert_eq!(rig.why(2), (6, "merged into send 1".to_owned()));
    let echo = rig.number("SELECT echo FROM outbox WHERE id = 1");
    assert_eq!(echo, echo_of("one\ntwo"), "our own message is known when it comes back");
    rig.sent(1).await;
    assert_eq!(rig.claim(merge(NOW)).await, [4], "what would make it too long goes by itself");
    rig.sent(4).await;
    // Neither answers nor what was tried before.
    rig.queue(vec![text("p1", "5", "five"), text("p1", "6", "six")]).await;
    rig.push(vec![text("p9", "7", "seven"), text("p9", "8", "eight")]).await;
    rig.sql().execute_batch("UPDATE outbox SET attempts = 1 WHERE id = 7").unwrap();
    assert_eq!(rig.claim(merge(NOW)).await, [5, 7]);
    assert_eq!((rig.why(6).0, rig.why(8).0), (0, 0));
}

#[tokio::test]
async fn answers_pushes_and_deeds_become_old_at_different_ages() {
    for (pushes, want) in [(Pushes::Wait, [5, 0, 0]), (Pushes::Expire, [5, 5, 0]), (Pushes::Merge, [5, 0, 0])] {
        let rig = rig();
        let leave = |room: &str| serde_json::to_string(&Action::LeaveRoom { room: conv(room) }).unwrap();
        rig.queue(vec![text("p1", "1", "answer"), text("p2", "2", "push")]).await;
        rig.queue(vec![NewSend { body: leave("p1"), ..send("a", 0, "p1", "3") }]).await;
        let claim = |now_ms| ClaimSends { limit: 0, ..by(Manners { pushes, ..Manners::NONE }, now_ms) };
        rig.store.claim_sends(claim(NOW + 600_001)).await.unwrap();
        assert_eq!(rig.states(), want, "{pushes:?}");
        rig.store.claim_sends(claim(NOW + DAY + 1)).await.unwrap();
        assert_eq!(rig.states(), [5, 5, 5], "{pushes:?}: nothing waits for ever");
    }
    // What was tried and not taken holds up its lane no longer than an answer.
    let rig = rig();
    rig.push(vec![text("p2", "1", "push")]).await;
    let day_later = NOW + DAY - 1_000;
    assert_eq!(rig.claim(by(Manners::NONE, day_later)).await, [1]);
    rig.store.settle(1, again(day_later, false)).await.unwrap();
    assert_eq!(rig.claim(by(Manners::NONE, day_later + 900)).await, [1]);
    rig.store.settle(1, again(day_later, false)).await.unwrap();
    rig.sql().execute_batch("UPDATE outbox SET created_at = created_at + 3600000").unwrap();
    assert_eq!(rig.claim(by(Manners::NONE, day_later + 600_000)).await, [1]);
    rig.store.settle(1, again(day_later, false)).await.unwrap();
    assert!(rig.claim(by(Manners::NONE, day_later + 600_001)).await.is_empty());
    assert_eq!(rig.states(), [5]);
}

#[tokio::test]
async fn a_new_login_is_warmed_up_across_a_restart() {
    let warm_up = WarmUp { over: Duration::from_secs(600), from_percent: 50 };
    let paced = |by_ms| {
        let rules = Rules { manners: Manners { warm_up, ..Manners::NONE }, ..Rules::default() };
        ClaimSends {
            now_ms: NOW + by_ms,
            per_account: (Rate::new(1, Duration::from_secs(1)), 4),
            rules,
            max_age_ms: DAY,
            ..ask()
        }
    };
    let rig = rig();
    rig.push((2..20).map(|n| text(&format!("p{n}"), &n.to_string(), &n.to_string())).collect()).await;
    rig.store.note_login(&shop(), NOW).await.unwrap();
    let rig = rig.killed();
    let (sends, wake) = rig.store.claim_sends(paced(0)).await.unwrap();
    assert_eq!((sends.len(), wake), (2, Some(NOW + 2_001)), "half the burst, half the rate");
    assert_eq!(rig.claim(paced(600_000)).await.len(), 4, "all of it when it is over");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    /// The two ways out, in any mixture and across kills: no window of any scope has more than its burst and its rate.
    #[test]
    fn no_way_out_is_cheaper(
        steps in prop::collection::vec((any::<bool>(), 0i64..1_500, 2u8..6, any::<bool>(), 0u8..12), 10..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kinds = Kinds { friend_request: Some(Rate::new(1, Duration::from_secs(4))), ..Kinds::default() };
            let (mut rig, mut now_ms, mut went) = (rig(), NOW, Vec::<(i64, String, bool)>::new());
            for (n, (directly, pause_ms, chat, request, kill)) in steps.into_iter().enumerate() {
                now_ms += pause_ms;
                let ask = ClaimSends {
                    per_account: (Rate::new(2, Duration::from_secs(1)), 3),
                    per_chat: (Rate::new(1, Duration::from_secs(1)), 2),
                    ..by(Manners { kinds, ..Manners::NONE }, now_ms)
                };
                let (chat, id) = (format!("p{chat}"), (n + 1).to_string());
                let send = if request { friend(&chat, &id) } else { text(&chat, &id, &id) };
                let sends = if directly {
                    rig.direct("message", &chat, send, ask).await
                } else {
                    rig.push(vec![send]).await;
                    rig.store.claim_sends(ask).await.unwrap().0
                };
                for send in sends {
                    went.push((now_ms, send.conv.to_string(), send.body.contains("add_friend")));
                    rig.sent(send.id).await;
                }
                if kill == 0 {
                    rig = rig.killed();
                }
            }
            let all = || went.iter();
            for (name, at, burst, interval_ms) in [
                ("account", all().map(|one| one.0).collect::<Vec<_>>(), 3, 500),
                ("chat", all().filter(|one| one.1 == "p2").map(|one| one.0).collect(), 2, 1_000),
                ("friend requests", all().filter(|one| one.2).map(|one| one.0).collect(), 1, 4_000),
            ] {
                for (n, from) in at.iter().enumerate() {
                    for (m, until) in at.iter().enumerate().skip(n) {
                        let most = burst + (until - from) / interval_ms;
                        assert!(i64::try_from(m - n + 1).unwrap() <= most, "{name}: {at:?}");
                    }
                }
            }
        });
    }
}
