//! Is anything that is as good as the account in what wxbot writes, with everything logged?

use std::fs;
use std::path::Path;

use wxbot_sim::{IlinkFile, IlinkSay, IlinkSetup};

use crate::support::http::Client;
use crate::support::wxbot::Running;
use crate::town::{Login, Town, WITHIN, code, tap};

/// All files below a folder, with what is in them.
fn written(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            written(&path, all);
        } else if path.is_file() {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn tokens_are_in_nothing_that_is_written() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = Running::spawn(town.path(), town.command(&["run", "--log", "trace"])).unwrap();
    town.state(&running, &["needs_login"]);
    let login = Login::start(&town, &["--json"], &[]);
    let code = code(&town);
    // Whoever is to scan it is told all of it.
    login.until(&code, 1);
    town.sim.scan(&code, "home").unwrap();
    tap(&town, &code);
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    town.writes("PRIVATEtext");
    town.sees(&running, "PRIVATEtext");
    town.says(IlinkSay::File(IlinkFile { len: Some(5_000), name: "a.bin".to_owned(), ..IlinkFile::default() }));
    town.until(&running, "a file to come back", |journal| journal.shown("home").any(|send| send.kind == "file"));
    let world = Client::new(&town.sim.endpoint()).unwrap().get("/__sim/world").unwrap();
    let account = &world["accounts"][0];
    let (token, context) =
        (account["token"].as_str().unwrap(), account["people"][0]["context_token"].as_str().unwrap());
    assert!(token.len() > 30 && context.len() > 30, "{world}");
    // One that is refused is told of, too.
    town.sim.kill("home", wxbot_sim::IlinkDeath::Errcode).unwrap();
    town.state(&running, &["needs_login"]);
    let shown = town.call(&["accounts"]);
    assert!(running.stop("TERM", WITHIN).unwrap().success());
    let mut all = vec![("accounts".to_owned(), format!("{}{}", shown.out, shown.err).into_bytes())];
    written(town.path(), &mut all);
    assert!(
        all.iter().any(|(name, bytes)| name.ends_with("run.err") && holds(bytes, "Account state.")),
        "nothing was logged"
    );
    for (what, word) in [("the token", token), ("a context token", context)] {
        let found: Vec<&str> =
            all.iter().filter(|(_, bytes)| holds(bytes, word)).map(|(name, _)| name.as_str()).collect();
        assert!(found.is_empty(), "{what} is in {found:?}");
    }
    let logs = all.iter().filter(|(name, _)| name.ends_with("run.err") || name.ends_with("run.out"));
    for (name, bytes) in logs {
        for word in [code.as_str(), "PRIVATEtext"] {
            assert!(!holds(bytes, word), "{word} is in {name}");
        }
    }
}
