//! Does `wxbot messages` find what was said and answered, across kill -9, and delete it when told to?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::rig::{self, Bot, Sim};
use support::{wait, wxbot};

const WITHIN: Duration = Duration::from_secs(20);

/// What `wxbot messages search` prints as JSON.
fn search(folder: &Path, words: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["messages", "search", "--json"].iter().chain(words).copied().collect();
    let said = wxbot::call(folder, &args).unwrap();
    assert_eq!(said.code, Some(0), "{words:?}: {}", said.err);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn until_found(folder: &Path, words: &[&str], count: usize) -> Vec<Value> {
    wait::until(&format!("{count} messages with {words:?}"), WITHIN, || {
        let found = search(folder, words);
        if found.len() == count { Ok(Some(found)) } else { Err(std::io::Error::other(format!("{found:?}"))) }
    })
    .unwrap()
}

#[test]
fn what_was_said_is_found_across_a_kill_and_forgotten_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, binary) = (folder.path(), wxbot::binary());
    let world = folder.join("world.toml");
    std::fs::write(&world, rig::world_toml(2, 2)).unwrap();
    let sim = Sim::start(&binary, &world, folder).unwrap();
    // The second account keeps nothing.
    let toml = rig::bot_toml(sim.base(), 2).replace("name = \"a1\"\n", "name = \"a1\"\narchive = \"full\"\n");
    let mut bot = Bot::new(&binary, folder, &toml).unwrap();
    bot.start().unwrap();
    bot.log_in_all(&sim, WITHIN).unwrap();

    sim.deliver("a1", "f1", "我的订单在哪里").unwrap();
    sim.deliver("a2", "f1", "我的订单在哪里").unwrap();
    let found = until_found(folder, &["订单"], 2);
    assert!(found.iter().all(|one| one["account"] == "a1" && one["text"] == "我的订单在哪里"), "{found:?}");
    assert_eq!(found.iter().map(|one| one["ours"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(found[0]["sender_name"], "f1");

    bot.kill().unwrap();
    assert_eq!(search(folder, &["单"]).len(), 2, "looked up without a running wxbot");
    sim.deliver("a1", "f2", "单子到了").unwrap();
    bot.start().unwrap();
    until_found(folder, &["单"], 4);
    until_found(folder, &["订单"], 2);

    let contact = found[0]["chat"].as_str().unwrap();
    let said = wxbot::call(folder, &["messages", "forget", "a1", contact]).unwrap();
    assert_eq!((said.code, said.out.starts_with("2 messages")), (Some(0), true), "{}{}", said.out, said.err);
    assert_eq!(search(folder, &["订单"]), [] as [Value; 0]);
    assert_eq!(search(folder, &["单"]).len(), 2);
    bot.stop().unwrap();
    let said = wxbot::call(folder, &["messages", "forget", "a1", "p999"]).unwrap();
    assert!(said.out.starts_with("0 messages"), "{}{}", said.out, said.err);
}

#[test]
fn mistakes_are_told_with_a_cure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("bot.toml"), "[[accounts]]\nname = \"me\"\nprotocol = \"console\"\n").unwrap();
    let said = wxbot::call(folder, &["messages", "search", "订单"]).unwrap();
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("policy = \"full\"") && said.err.contains("nothing was found"), "{}", said.err);
    for (args, want) in [
        (&["search", "!?"][..], "no letter, digit or character"),
        (&["search", "--account", "you", "x"], "no account `you`; there are: me"),
        (&["search", "--since", "yesterday", "x"], "is no moment; write it like"),
        (&["search", "--chat", "Tom", "x"], "`Tom` is no contact id"),
        (&["forget", "me", "Tom"], "`Tom` is no contact id"),
    ] {
        let all: Vec<&str> = ["messages"].iter().chain(args).copied().collect();
        let said = wxbot::call(folder, &all).unwrap();
        assert_eq!(said.code, Some(1), "{args:?}");
        assert!(said.err.contains(want), "{args:?}: {}", said.err);
    }
    assert!(!folder.join("data").exists(), "looking makes nothing");
}
