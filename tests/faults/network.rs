//! What if connections break, answers are none, codes are unknown and sessions end, while everybody writes?

use std::time::Duration;

use serde_json::{Value, json};

use crate::books::{Books, ONLINE_WITHIN, Scene};
use crate::support::rig;
use crate::support::wait;

/// Two accounts of four friends. Both meet the same, a moment apart.
fn scene() -> Scene {
    Scene::open(2, 4, |config| config, |_| {})
}

/// Everybody goes on writing while each of these happens once to each account.
///
/// No more than five in one scene: an account that fails more often within a minute rests for five.
fn meanwhile(scene: &mut Scene, endpoint: &str, kinds: &[Value]) {
    assert!(kinds.len() <= 5);
    scene.talk(3);
    for kind in kinds {
        for account in [1, 2] {
            scene.break_once(account, endpoint, kind);
            scene.talk(3);
        }
    }
    scene.talk(3);
}

#[test]
fn answers_of_webwxsync_that_break_in_the_middle_are_asked_for_again() {
    let mut scene = scene();
    let kinds = [
        // The connection closes before the promised end; the answer is whole as HTTP and cut as JSON; nothing comes
        // though it was processed; the same batch comes twice.
        json!({ "content_length": { "by": 300 } }),
        json!({ "truncate": { "bytes": 90 } }),
        json!("drop_after"),
        json!("duplicate"),
        json!({ "status": { "code": 503 } }),
    ];
    meanwhile(&mut scene, "webwxsync", &kinds);
    let said = scene.count().said;
    assert_eq!(scene.settle(), Books::all_sent(said), "receiving again costs nothing and doubles nothing");
}

#[test]
fn polls_that_are_no_answers_are_repeated() {
    let mut scene = scene();
    // Each wait is twice the one before it while no poll succeeds in between.
    let kinds = [json!("garbage"), json!("drop"), json!({ "status": { "code": 502 } })];
    meanwhile(&mut scene, "synccheck", &kinds);
    let said = scene.count().said;
    assert_eq!(scene.settle(), Books::all_sent(said));
}

#[test]
fn sends_whose_answer_is_lost_are_held_and_never_repeated() {
    let mut scene = scene();
    // In each case the request was written, and nobody can know whether it was taken. In the first three it was.
    let taken = [json!("drop_after"), json!({ "truncate": { "bytes": 9 } }), json!({ "content_length": { "by": 50 } })];
    let not_taken = [json!({ "status": { "code": 502 } }), json!("html")];
    meanwhile(&mut scene, "webwxsendmsg", &taken);
    meanwhile(&mut scene, "webwxsendmsg", &not_taken);
    let books = scene.settle();
    assert_eq!(books.uncertain, 10, "each fault is one row that says so: {books:?}");
    assert_eq!((books.failed, books.sent), (0, books.said - 10), "{books:?}");
    assert_eq!(books.answered, books.said - 4, "what was taken counts as uncertain all the same: {books:?}");
}

#[test]
fn sends_that_are_surely_not_taken_are_repeated_and_refused_ones_are_not() {
    let mut scene = scene();
    // 404: a gateway that does not know the address has not passed it on. The code is one that nobody knows.
    let kinds = [json!({ "status": { "code": 404 } }), json!({ "ret": { "ret": 4711, "msg": "" } })];
    meanwhile(&mut scene, "webwxsendmsg", &kinds);
    let books = scene.settle();
    assert_eq!((books.failed, books.uncertain), (2, 0), "an unknown code is a refusal: {books:?}");
    assert_eq!((books.sent, books.answered), (books.said - 2, books.said - 2), "{books:?}");
}

#[test]
fn a_service_that_hangs_delays_its_own_account_only() {
    let mut scene = scene();
    let order = json!({ "account": rig::account(1), "endpoint": "webwxsync", "kind": { "delay": { "ms": 3_000 } } });
    scene.sim.api().post("/__sim/faults", &order).unwrap();
    scene.talk(10);
    let other = scene.until(2, "the other account to answer", |one| one.pointer("/outbox/sent") == Some(&json!(40)));
    assert_eq!(other["state"], "online");
    assert_eq!(scene.settle(), Books::all_sent(80));
}

/// The accounts of the scenes in which sessions end: slow enough that replies wait when it happens.
fn slow(config: String) -> String {
    let slow = config.replacen("per_account = \"1000000/s\"", "per_account = \"30/s\"", 1);
    slow.replacen("burst = 10000", "burst = 5", 1)
}

/// Everybody has written, everything is taken, and most of the replies still wait.
fn full_outbox() -> Scene {
    let mut scene = Scene::open(2, 4, slow, |_| {});
    scene.talk(15);
    for account in [1, 2] {
        scene.until(account, "all to be taken", |one| {
            let number = |path: &str| one.pointer(path).and_then(Value::as_u64).unwrap();
            number("/inbox/waiting") == 0 && number("/inbox/done") >= 60 && number("/outbox/sent") > 5
        });
    }
    assert!(scene.count().open > 40, "replies wait: {:?}", scene.count());
    scene
}

/// The phone says yes to what it is asked, for a while.
fn confirm(scene: &Scene, account: usize) {
    let name = rig::account(account);
    wait::until("the phone to be asked", ONLINE_WITHIN, || {
        let pending = scene.sim.api().get("/__sim/pending")?;
        let prompts = pending["prompts"].as_array().cloned().unwrap_or_default();
        let Some(prompt) = prompts.into_iter().find(|prompt| prompt["account"] == name.as_str()) else {
            return Ok(None);
        };
        scene.sim.api().post("/__sim/confirm", &json!({ "uuid": prompt["uuid"] }))?;
        Ok(Some(()))
    })
    .unwrap();
}

#[test]
fn sessions_that_end_in_the_middle_hold_their_replies_and_send_each_once() {
    let mut scene = full_outbox();
    // 1101: another place took over. The phone is asked, and one press is enough.
    scene.sim.api().post("/__sim/expire", &json!({ "account": "a1", "ret": 1101 })).unwrap();
    // 1100: somebody logged it out. Nobody is asked, and the state says who must act.
    scene.sim.api().post("/__sim/kick", &json!({ "account": "a2" })).unwrap();
    let out = scene.until(2, "the logout to be told", |one| one["state"] == "logged_out");
    assert!(out["todo"].as_str().unwrap().contains("wxbot login a2"), "{out}");
    confirm(&scene, 1);
    scene.until(1, "the first to be online", |one| one["state"] == "online");
    let waiting = scene.account(2)["outbox"]["queued"].clone();
    assert!(waiting.as_u64().unwrap() > 10, "the other's replies wait: {waiting}");
    scene.bot.log_in_all(&scene.sim, ONLINE_WITHIN).unwrap();
    scene.until(2, "the second to be online", |one| one["state"] == "online");
    scene.talk(2);
    let books = scene.settle();
    assert_eq!(books, Books::all_sent(8 * 17), "refused for the session's sake is not refused for good");
}

#[test]
fn an_unknown_code_in_mid_run_stops_for_a_person_and_loses_nothing() {
    let mut scene = full_outbox();
    scene.break_once(1, "webwxsync", &json!({ "ret": { "ret": 4711, "msg": "" } }));
    // What is written now is what webwxsync refuses to hand over.
    let before = scene.account(1)["inbox"]["done"].as_u64().unwrap();
    scene.say(1, 1);
    let refused = scene.until(1, "the code to be told", |one| one["state"] == "needs_login");
    assert!(refused["why"].as_str().unwrap().contains("4711"), "{refused}");
    assert_eq!(refused["inbox"]["done"].as_u64().unwrap(), before, "nothing of it was taken");
    wait::pause(Duration::from_millis(500));
    let asked = scene.sim.api().get("/__sim/summary").unwrap();
    wait::pause(Duration::from_millis(1_500));
    assert_eq!(scene.account(1)["state"], "needs_login", "nothing is tried by itself: {asked}");
    scene.bot.log_in_all(&scene.sim, ONLINE_WITHIN).unwrap();
    scene.until(1, "it to be online", |one| one["state"] == "online");
    // A new login begins at the present, as with the real service: what it kept back is the service's to tell.
    assert_eq!(scene.count_kept_back(), 1);
    scene.talk(2);
    assert_eq!(scene.settle(), Books::all_sent(8 * 17));
}
