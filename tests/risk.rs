//! Does an account that risk control stopped stay where it is through the binary, tell why, and go on when a person says so?
#![cfg(unix)]

mod support;

use std::fs;
use std::time::Duration;

use serde_json::json;
use support::rig::{self, Bot, Sim};
use support::{wait, wxbot};

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn a_send_that_risk_control_stops_waits_over_a_restart_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("world.toml"), rig::world_toml(1, 1)).unwrap();
    let sim = Sim::start(&wxbot::binary(), &path.join("world.toml"), path).unwrap();
    let mut bot = Bot::new(&wxbot::binary(), path, &rig::bot_toml(sim.base(), 1)).unwrap();
    bot.start().unwrap();
    bot.log_in_all(&sim, WITHIN).unwrap();
    let fault = json!({ "endpoint": "webwxsendmsg", "kind": { "ret": { "ret": 1205, "msg": "操作频繁" } } });
    sim.api().post("/__sim/faults", &fault).unwrap();
    sim.deliver(&rig::account(1), &rig::friend(1), "hello").unwrap();
    // The state is told a moment before the send is back in the queue.
    let stopped = wait::until("the send to wait", WITHIN, || {
        let one = wxbot::until_state(path, "a1", &["needs_login"], WITHIN)?;
        Ok((one["outbox"]["sending"] == json!(0)).then_some(one))
    })
    .unwrap();
    assert!(stopped["why"].as_str().unwrap().contains("1205 (操作频繁)"), "{stopped}");
    assert_eq!((&stopped["cure"], &stopped["outbox"]["queued"]), (&json!("rest"), &json!(1)), "{stopped}");
    let text = wxbot::call(path, &["accounts"]).unwrap().out;
    assert!(text.contains("risk control: nothing is tried by itself") && text.contains("out queued 1"), "{text}");

    // A restart is no person, and remembers since when.
    bot.stop().unwrap();
    bot.start().unwrap();
    wait::until("the socket", WITHIN, || Ok(path.join("data/wxbot.sock").exists().then_some(()))).unwrap();
    let again = wxbot::until_state(path, "a1", &["needs_login"], WITHIN).unwrap();
    assert_eq!((&again["why"], &again["since_s"]), (&stopped["why"], &stopped["since_s"]));
    assert_eq!(sim.sends().unwrap().len(), 0);

    // No code is needed: the session was good all the time.
    let said = wxbot::call(path, &["login", "a1", "--json"]).unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.out.contains("\"qr\""), "{}", said.out);
    wait::until("the reply", WITHIN, || Ok((sim.sends()?.len() == 1).then_some(()))).unwrap();
    assert_eq!(sim.sends().unwrap()[0].content, "hello");
    bot.stop().unwrap();
}
