//! Does a kill lose nothing and double nothing, repeats of the service included?

use std::collections::HashMap;

use wxbot_sim::{IlinkMessage, IlinkOutcome, IlinkSetup};

use crate::support::wait;
use crate::town::{LIFTED, RULES, Town, WITHIN};

#[test]
fn kill_9_loses_nothing_and_says_nothing_twice() {
    // Small batches, so that a kill meets places in the middle; nobody's quota is the matter here.
    let setup = IlinkSetup { quota: 1_000, burst: 10_000, batch: 3, ..IlinkSetup::default() };
    let top = format!("middleware = []\n{LIFTED}{RULES}");
    let town = Town::with(&top, "window_sends = 100", setup);
    let mut running = town.run_bound();
    let mut number = 0;
    for round in 0..4 {
        let mut ids = Vec::new();
        for _ in 0..8 {
            number += 1;
            let _entered = town.tokio.enter();
            ids.push(town.sim.say("home", &IlinkMessage::text(&format!("q{number}"))).unwrap());
        }
        // Most messages come twice, with another context token; some of them after the restart.
        for (at, id) in ids.iter().enumerate() {
            let _entered = town.tokio.enter();
            town.sim.repeat("home", id, at % 2 == 0).unwrap();
        }
        if round % 2 == 0 {
            // In the middle of it.
            let before = town.seen().len();
            wait::until("something to be answered", WITHIN, || Ok((town.seen().len() > before).then_some(()))).unwrap();
        }
        running.kill().unwrap();
        running = town.run();
        town.state(&running, &["online"]);
        for id in ids.iter().rev().take(3) {
            let _entered = town.tokio.enter();
            town.sim.repeat("home", id, true).unwrap();
        }
    }
    let wanted: Vec<String> = (1..=number).map(|n| format!("a{n}")).collect();
    let held = wait::until("all to be answered or held", WITHIN, || {
        let account = town.account();
        let held = account["outbox"]["uncertain"].as_u64().unwrap_or(0);
        Ok((town.seen().len() as u64 + held >= number).then_some(held))
    });
    let held = held
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{}\n{}", town.seen(), town.account(), running.err().unwrap()));
    assert_eq!(held, 0, "a send that was cut off goes again under its own id: nobody has to decide");
    let mut times: HashMap<String, u32> = HashMap::new();
    for text in town.seen() {
        *times.entry(text).or_default() += 1;
    }
    let off: Vec<_> = wanted.iter().filter(|text| times.get(*text) != Some(&1)).collect();
    assert!(off.is_empty() && times.len() == wanted.len(), "{off:?} of {times:?}");
    let journal = town.sim.journal();
    assert_eq!(journal.count("home", IlinkOutcome::Dropped), 0, "the context token is there after each start");
    assert_eq!(journal.logins.len(), 1, "one scan");
    let again = town.account()["duplicates"].as_u64();
    assert!(again.is_some(), "{}", town.account());
    town.ends_well(running);
}

#[test]
fn a_restart_writes_to_somebody_who_wrote_before_it() {
    let town = Town::open(&format!("{LIFTED}{RULES}"), "");
    let running = town.run_bound();
    town.writes("q1");
    town.sees(&running, "a1");
    let people = town.call(&["contacts", "home", "--people", "--json"]);
    let to = people.out.split('"').find(|part| part.starts_with('p') && part[1..].parse::<u32>().is_ok()).unwrap();
    running.kill().unwrap();
    let running = town.run();
    town.state(&running, &["online"]);
    // Nobody has written since: without what is on disk there would be no context token.
    let said = town.call(&["send", "home", to, "after the restart", "--wait"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    town.sees(&running, "after the restart");
    assert_eq!(town.sim.journal().count("home", IlinkOutcome::Dropped), 0);
    town.ends_well(running);
}
