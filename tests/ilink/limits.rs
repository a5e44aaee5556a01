//! Are the window, the quota, long texts and a token that is dead what the guide says?

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use wxbot_sim::{IlinkDeath, IlinkOutcome, IlinkRefusal, IlinkSetup};

use crate::support::wait;
use crate::support::wxbot::Running;
use crate::town::{LIFTED, Login, RULES, Town, WITHIN, code, tap};

/// The contact id of the owner.
fn owner(town: &Town) -> String {
    let people = town.call(&["contacts", "home", "--people", "--json"]);
    let id = people.out.split('"').find(|part| part.starts_with('p') && part[1..].parse::<u32>().is_ok());
    id.unwrap_or_else(|| panic!("{}{}", people.out, people.err)).to_owned()
}

fn sends(town: &Town, to: &str, text: &str) {
    let said = town.call(&["send", "home", to, text]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}

fn outbox(town: &Town, state: &str) -> u64 {
    town.account()["outbox"][state].as_u64().unwrap_or(0)
}

fn until_outbox(town: &Town, running: &Running, state: &str, count: u64) {
    wait::until(&format!("{count} sends to be {state}"), WITHIN, || Ok((outbox(town, state) == count).then_some(())))
        .unwrap_or_else(|error| panic!("{error} {}\n{}", town.account(), running.err().unwrap()));
}

#[test]
fn what_the_window_does_not_allow_waits_until_the_person_writes() {
    let setup = IlinkSetup { quota: 3, ..IlinkSetup::default() };
    let town = Town::with(&format!("{LIFTED}{RULES}"), "window_sends = 3", setup);
    let running = town.run_bound();
    town.writes("q1");
    town.sees(&running, "a1");
    let to = owner(&town);
    for text in ["b1", "b2", "b3", "b4"] {
        sends(&town, &to, text);
    }
    town.sees(&running, "b2");
    until_outbox(&town, &running, "sent", 3);
    // The service was never asked for what it would have refused.
    let journal = town.sim.journal();
    assert_eq!(journal.count("home", IlinkOutcome::Refused), 0, "{:#?}", journal.sends);
    assert_eq!(town.seen(), ["a1", "b1", "b2"]);
    let people = town.call(&["accounts"]);
    assert!(people.out.contains("0 left") || people.out.contains("none is open"), "what is left: {}", people.out);
    // Over a restart, too.
    assert!(running.stop("TERM", WITHIN).unwrap().success());
    let running = town.run();
    town.state(&running, &["online"]);
    assert_eq!(town.seen().len(), 3);
    town.writes("and now?");
    town.sees(&running, "b4");
    assert_eq!(town.seen(), ["a1", "b1", "b2", "b3", "b4"], "in order, once each");
    town.ends_well(running);
}

#[test]
fn a_refusal_teaches_more_than_the_numbers() {
    // The service lets two through where ten were thought of.
    let setup = IlinkSetup { quota: 2, ..IlinkSetup::default() };
    let town = Town::with(&format!("{LIFTED}{RULES}"), "", setup);
    let running = town.run_bound();
    town.writes("q1");
    town.sees(&running, "a1");
    let to = owner(&town);
    for text in ["b1", "b2", "b3"] {
        sends(&town, &to, text);
    }
    town.until(&running, "a refusal", |journal| journal.count("home", IlinkOutcome::Refused) >= 1);
    until_outbox(&town, &running, "sent", 2);
    // One refusal is enough: nothing more goes to this person by itself.
    assert_eq!(town.sim.journal().count("home", IlinkOutcome::Refused), 1, "{:#?}", town.sim.journal().sends);
    assert_eq!(town.seen(), ["a1", "b1"]);
    assert_eq!(outbox(&town, "failed") + outbox(&town, "uncertain"), 0, "{}", town.account());
    town.ends_well(running);
}

#[test]
fn a_long_text_by_hand_goes_in_parts_whether_or_not_wxbot_runs() {
    let town = Town::open(&format!("{LIFTED}{RULES}"), "chunk = 200");
    let running = town.run_bound();
    town.writes("q1");
    town.sees(&running, "a1");
    let owner = owner(&town);
    let come_in_three = |running: &Running, before: usize, text: &str| {
        town.until(running, "all its parts", |journal| journal.texts_to("home", "home").count() >= before + 3);
        let parts = town.seen().split_off(before);
        assert!(parts.iter().all(|part| part.chars().count() <= 200), "{parts:?}");
        assert_eq!(parts.concat(), text);
    };
    let text = "甲".repeat(450);
    sends(&town, &owner, &text);
    come_in_three(&running, 1, &text);
    assert!(running.stop("TERM", WITHIN).unwrap().success());
    let text = "乙".repeat(450);
    sends(&town, &owner, &text);
    let running = town.run();
    come_in_three(&running, 4, &text);
    town.ends_well(running);
}

#[test]
fn a_long_text_goes_in_parts_that_the_phone_shows_whole() {
    let paragraph = "一段不短的话,说明白一件事。".repeat(7);
    let text: Vec<String> = (0..12).map(|n| format!("{n}. {paragraph}")).collect();
    let text = text.join("\n");
    // A plugin's text has 4 KiB at most: a phone that shows less makes the same of it.
    assert!(text.chars().count() > 1_200 && text.len() < 4_096);
    let town = Town::mirrored(IlinkSetup { text_limit: 500, ..IlinkSetup::default() }, "chunk = 500");
    let running = town.run_bound();
    town.writes(&text);
    let journal = town
        .until(&running, "the end of it", |journal| journal.texts_to("home", "home").any(|part| part.contains("11. ")));
    let parts: Vec<&str> = journal.texts_to("home", "home").collect();
    assert!((3..=4).contains(&parts.len()), "few large ones: {}", parts.len());
    assert!(journal.shown("home").all(|send| !send.cut), "nothing is longer than the phone shows");
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(plain(&parts.concat()), plain(&text), "nothing is lost and nothing doubled");
    assert!(parts.iter().all(|part| part.starts_with(|c: char| c.is_ascii_digit())), "cut at ends of lines: {parts:?}");
    town.ends_well(running);
}

#[test]
fn a_dead_token_is_told_at_once() {
    // Both spellings; the alert, which waits for others to come along, with the first one.
    for (death, alerts) in
        [(IlinkDeath::Errcode, "[alerts]\nafter = \"1s\"\ncommand = [\"./notify.sh\"]\n"), (IlinkDeath::Ret, "")]
    {
        let town = Town::open(&format!("{LIFTED}{alerts}{RULES}"), "");
        let script = "#!/bin/sh\ncat > told.part\nmv told.part told.json\n";
        fs::write(town.path().join("notify.sh"), script).unwrap();
        fs::set_permissions(town.path().join("notify.sh"), fs::Permissions::from_mode(0o700)).unwrap();
        let running = town.run_bound();
        town.writes("q1");
        town.sees(&running, "a1");
        fs::remove_file(town.path().join("told.json")).ok();
        town.sim.forget();
        town.sim.kill("home", death).unwrap();
        let account = town.state(&running, &["needs_login"]);
        assert_eq!(account["cure"], "bind", "{account}");
        assert!(account["why"].as_str().unwrap().contains("-14"), "{account}");
        if !alerts.is_empty() {
            let told = wait::until("the alert", WITHIN, || {
                let told = fs::read(town.path().join("told.json")).ok();
                Ok(told.map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap()))
            });
            let told = told.unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
            let opened = &told["opened"][0];
            assert_eq!((&opened["account"], &opened["state"]), (&"home".into(), &"needs_login".into()), "{told}");
        }
        // Greeted once, and asked no more: neither now nor after a restart.
        let names = |town: &Town| town.sim.journal().asked.into_iter().map(|asked| asked.name).collect::<Vec<_>>();
        let polls = names(&town).iter().filter(|name| *name == "getupdates").count();
        assert!(polls <= 2, "{:?}", names(&town));
        assert_eq!(names(&town).iter().filter(|name| *name == "notifystart").count(), 1, "{:?}", names(&town));
        assert!(running.stop("TERM", WITHIN).unwrap().success());
        town.sim.forget();
        let running = town.run();
        town.state(&running, &["needs_login"]);
        assert!(names(&town).is_empty(), "nothing is tried by itself: {:?}", names(&town));
        // A person scans, and it goes on.
        let login = Login::start(&town, &[], &[]);
        let code = code(&town);
        town.sim.scan(&code, "home").unwrap();
        tap(&town, &code);
        assert_eq!(login.ends().0, Some(0));
        town.state(&running, &["online"]);
        town.writes("q2");
        town.sees(&running, "a2");
        town.ends_well(running);
    }
}

#[test]
fn a_rate_limit_of_the_service_is_no_failure() {
    for ret in [-2, -13] {
        let town = Town::open(&format!("{LIFTED}{RULES}"), "");
        let running = town.run_bound();
        let refusal = IlinkRefusal { to: None, ret, errmsg: "rate limited".to_owned(), times: 1 };
        town.sim.refuse("home", refusal).unwrap();
        town.writes("q1");
        town.until(&running, "a refusal", |journal| journal.count("home", IlinkOutcome::Refused) == 1);
        let waiting = wait::until("the answer to wait", WITHIN, || {
            let account = town.account();
            let out = &account["outbox"];
            let lost = out["failed"].as_u64().unwrap_or(0) + out["uncertain"].as_u64().unwrap_or(0);
            assert_eq!(lost, 0, "{account}");
            Ok((out["sent"].as_u64().unwrap_or(0) == 0).then_some(account))
        });
        assert!(waiting.is_ok(), "{ret}");
        assert_eq!(town.account()["state"], "online");
        town.ends_well(running);
    }
}
