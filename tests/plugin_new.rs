//! Does what `wxbot plugin new` writes compile outside this repository, pass its test, and answer in a bot?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use support::terminal::{self, CTRL_C, Terminal};
use support::{skip, wxbot};

const SHOWN_WITHIN: Duration = Duration::from_secs(9);

/// Cargo in a target folder that stays, so that only the first run builds what plugins depend on; with the versions of
/// our lock file, so that nothing is asked of the network.
fn at_cargo(command: &mut Command) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-new");
    command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true").output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_new_crate_passes_its_test_is_built_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let said = wxbot::call(folder.path(), &["plugin", "new", "hello-new"]).unwrap();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let krate = folder.path().join("hello-new");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), krate.join("Cargo.lock")).unwrap();

    let tested = at_cargo(Command::new("cargo").arg("test").current_dir(&krate));
    assert!(tested.status.success() && told(&tested).contains("1 passed"), "{}", told(&tested));

    let config = "[plugins.hello-new]\npath = \"plugins/libhello_new.so\"\n\n[[accounts]]\nname = \"me\"\nprotocol = \"console\"\n";
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    let built = at_cargo(&mut wxbot::command(folder.path(), &["plugin", "build", "hello-new"]));
    assert!(built.status.success() && told(&built).contains("path = \"plugins/libhello_new.so\""), "{}", told(&built));
    let said = wxbot::call(folder.path(), &["plugin", "show", "hello-new"]).unwrap();
    for part in ["hello-new 0.1.0 · ", "你好   or: hello, hi", "Says hello back.", "Greets whoever greets"] {
        assert!(said.out.contains(part), "{part}: {}{}", said.out, said.err);
    }

    if let Some(reason) = terminal::missing() {
        return skip::note("wxbot plugin new: the answer", &reason).unwrap();
    }
    let mut terminal = Terminal::start(folder.path(), &["run"]).unwrap();
    terminal.until("the account", SHOWN_WITHIN, |screen| screen.contains("● me online")).unwrap();
    terminal.type_in("你好\n").unwrap();
    terminal.until("its answer", SHOWN_WITHIN, |screen| screen.contains("bot> 你好,you!")).unwrap();
    terminal.type_in(CTRL_C).unwrap();
    assert_eq!(terminal.ended(SHOWN_WITHIN).unwrap().code(), Some(0));
}
