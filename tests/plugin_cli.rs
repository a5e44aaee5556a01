//! Do `wxbot plugin …` and `wxbot dev` find, write, build and swap plugins, and say what to do when they cannot?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use support::terminal::{self, CTRL_C, Terminal};
use support::wxbot::{self, Running, Said};
use support::{skip, wait};
use tempfile::TempDir;

/// A build by the C compiler, on a loaded machine.
const BUILT_WITHIN: Duration = Duration::from_secs(20);
const STOPS_WITHIN: Duration = Duration::from_secs(9);
const BOT_TOML: &str =
    "[plugins.greeter]\npath = \"plugins/libgreeter.so\"\n\n[[accounts]]\nname = \"me\"\nprotocol = \"console\"\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn call(folder: &Path, args: &[&str]) -> Said {
    wxbot::call(folder, args).unwrap()
}

fn shipped() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("bot.toml"), folder.path().join("bot.toml")).unwrap();
    folder
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

/// A crate, and a `cargo` that makes its library with the C compiler: what stands in `src/lib.rs` is the version, and
/// `error` does not compile.
struct Workshop {
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let this = Self { folder };
        fs::create_dir_all(this.krate().join("src")).unwrap();
        fs::create_dir_all(this.path().join("bin")).unwrap();
        fs::create_dir_all(this.path().join("out")).unwrap();
        fs::write(this.krate().join("Cargo.toml"), "[package]\nname = \"greeter\"\n").unwrap();
        this.save("0.1.0");
        this.describe(json!({ "dylib": [] }), "lib");
        let script = this.path().join("bin/cargo");
        fs::write(&script, this.script()).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        this
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn krate(&self) -> PathBuf {
        self.path().join("greeter")
    }

    fn script(&self) -> String {
        let manifest = fs::canonicalize(self.krate()).unwrap().join("Cargo.toml");
        let library = self.path().join("out/libgreeter.so");
        let artifact = json!({
            "reason": "compiler-artifact", "manifest_path": manifest,
            "target": { "crate_types": ["cdylib"] }, "filenames": [library],
        });
        format!(
            r#"#!/bin/sh
here='{here}'
echo "$*" >> "$here/calls"
if [ "$1" = metadata ]; then exec cat "$here/metadata.json"; fi
version=$(cat '{krate}/src/lib.rs')
if [ "$version" = error ]; then echo 'error: a mistake on line 1' >&2; exit 101; fi
if [ "$version" = slow ]; then sleep 60; fi
cc -shared -fPIC -DVERSION="\"$version\"" -I '{root}/crates/plugin/include' -o '{library}' '{root}/tests/fixtures/plugin-c/plugin.c' || exit 101
echo '{artifact}'
"#,
            here = self.path().display(),
            krate = self.krate().display(),
            root = root().display(),
            library = library.display(),
        )
    }

    /// What `cargo metadata` says of the crate.
    fn describe(&self, features: Value, kind: &str) {
        let manifest = fs::canonicalize(self.krate()).unwrap().join("Cargo.toml");
        let package = json!({
            "name": "greeter", "manifest_path": manifest, "targets": [{ "kind": [kind] }], "features": features,
        });
        let metadata = json!({ "packages": [package], "target_directory": self.path().join("out") });
        fs::write(self.path().join("metadata.json"), metadata.to_string()).unwrap();
    }

    /// As an editor does it.
    fn save(&self, version: &str) {
        let source = self.krate().join("src/lib.rs");
        fs::write(source.with_extension("rs~"), version).unwrap();
        fs::rename(source.with_extension("rs~"), source).unwrap();
    }

    /// A PATH with our cargo before all others.
    fn search_path(&self) -> String {
        format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap())
    }

    fn call(&self, folder: &Path, args: &[&str]) -> Said {
        let mut command = wxbot::command(folder, args);
        command.env("PATH", self.search_path());
        wxbot::finish(command).unwrap()
    }
}

#[test]
fn plugins_are_listed_with_or_without_a_good_file() {
    let folder = shipped();
    let said = call(folder.path(), &["plugin", "list"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for part in ["auto-reply ", "built in", "used by shop, club, home, me"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let said = call(folder.path(), &["plugin", "list", "--json"]);
    let all: Value = serde_json::from_str(&said.out).unwrap();
    let one = &all[0];
    assert_eq!((&one["id"], &one["kind"]), (&json!("auto-reply"), &json!("built-in")), "{one}");
    assert_eq!((&one["accounts"], &one["path"]), (&json!(["shop", "club", "home", "me"]), &Value::Null), "{one}");
    assert!(one["version"].is_string() && one["about"].is_string() && one["needs"].is_array(), "{one}");

    for (text, why) in [(None, "no bot.toml, so only"), (Some("x = \n"), "wxbot check")] {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            fs::write(folder.path().join("bot.toml"), text).unwrap();
        }
        let said = call(folder.path(), &["plugin", "list"]);
        assert_eq!(said.code, Some(0), "{why}: {}", said.err);
        assert!(said.out.contains("auto-reply") && said.err.contains(why), "{}{}", said.out, said.err);
    }
}

#[test]
fn a_plugin_is_shown_and_a_misspelt_one_is_guessed() {
    let folder = shipped();
    let said = call(folder.path(), &["plugin", "show", "auto-reply"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for part in ["used by", "Settings, in [plugins.auto-reply]", "rules[].reply", "cooldown"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let said = call(folder.path(), &["plugin", "show", "auto-reply", "--json"]);
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(shown["manifest"]["id"], "auto-reply");
    assert!(shown["settings"]["properties"]["rules"].is_object(), "{shown}");

    let said = call(folder.path(), &["plugin", "show", "autoreply"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("no plugin `autoreply`; did you mean `auto-reply`?"), "{}", said.err);
    let said = call(folder.path(), &["plugin", "show", "./nothing.so"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("nothing.so"), "{}", said.err);
}

#[test]
fn a_new_crate_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let said = call(folder.path(), &["plugin", "new", "good-morning"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("crates/plugin") && said.err.contains("--wxbot"), "{}", said.err);
    for file in ["Cargo.toml", ".gitignore", "README.md", "src/lib.rs"] {
        let text = fs::read_to_string(at("good-morning").join(file)).unwrap();
        assert!(!text.contains("{{"), "{file}: {text}");
    }
    let manifest: toml::Table = fs::read_to_string(at("good-morning/Cargo.toml")).unwrap().parse().unwrap();
    assert!(manifest["dependencies"]["wxbot-plugin"]["path"].is_str(), "{manifest:?}");

    fs::create_dir(at("below")).unwrap();
    let said = call(folder.path(), &["plugin", "new", "other", "--dir", "below", "--wxbot", "0.1"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let manifest: toml::Table = fs::read_to_string(at("below/other/Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(manifest["dependencies"]["wxbot-plugin"]["version"].as_str(), Some("0.1"));

    let before = listed(folder.path());
    fs::write(at("good-morning/src/lib.rs"), "mine").unwrap();
    for (args, what) in [
        (&["good-morning"][..], "there already"),
        (&["Good_Morning"], "try `good-morning`"),
        (&["test"], "try `test-bot`"),
        (&["x", "--dir", "nowhere"], "no folder nowhere"),
        (&["x", "--wxbot", "nowhere"], "neither a folder nor a version"),
        (&["x", "--wxbot", "below"], "holds no wxbot"),
    ] {
        let said = call(folder.path(), &[&["plugin", "new"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(what), "{args:?}: {}", said.err);
        assert_eq!(listed(folder.path()), before, "{args:?}");
    }
    assert_eq!(fs::read_to_string(at("good-morning/src/lib.rs")).unwrap(), "mine");
}

#[test]
fn a_build_that_cannot_be_says_what_to_do() {
    let workshop = Workshop::new();
    let said = call(workshop.path(), &["plugin", "build", "bin"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no Cargo.toml in bin") && said.err.contains("wxbot plugin new"), "{}", said.err);

    let mut command = wxbot::command(workshop.path(), &["plugin", "build", "greeter"]);
    command.env("PATH", workshop.path().join("nowhere"));
    let said = wxbot::finish(command).unwrap();
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`cargo`") && said.err.contains("rustup"), "{}", said.err);

    for (features, kind, what) in
        [(json!({}), "lib", "dylib = [\"wxbot-plugin/dylib\"]"), (json!({ "dylib": [] }), "bin", "src/lib.rs")]
    {
        workshop.describe(features, kind);
        let said = workshop.call(workshop.path(), &["plugin", "build", "greeter"]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
        assert!(said.err.contains(what), "{}", said.err);
    }
    workshop.describe(json!({ "dylib": [] }), "lib");
    workshop.save("error");
    let said = workshop.call(workshop.path(), &["plugin", "build", "greeter", "--install"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    assert!(said.err.contains("a mistake on line 1"), "cargo's own words: {}", said.err);
    assert!(said.err.contains("`greeter` was not built"), "{}", said.err);
    assert!(!workshop.path().join("plugins").exists(), "nothing was put there");
}

#[test]
fn what_is_built_is_put_beside_bot_toml_and_can_be_used() {
    let workshop = Workshop::new();
    let bot = workshop.path().join("bot");
    fs::create_dir(&bot).unwrap();
    let build = ["plugin", "build", "../greeter"];

    let said = workshop.call(&bot, &build);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("out/libgreeter.so") && listed(&bot).is_empty(), "no bot, so no copy: {}", said.out);
    let said = workshop.call(&bot, &[&build[..], &["--out", "elsewhere", "--json"]].concat());
    let built: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&built["path"], &built["installed"]), (&json!("elsewhere/libgreeter.so"), &json!(true)), "{built}");

    fs::write(bot.join("bot.toml"), BOT_TOML).unwrap();
    let said = workshop.call(&bot, &build);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in ["greeter 0.1.0", "sha256 ", "[plugins.greeter]\npath = \"plugins/libgreeter.so\"\n"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert_eq!(listed(&bot.join("plugins")), [Path::new("libgreeter.so")]);
    let said = call(&bot, &["plugin", "list", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let greeter = all.iter().find(|one| one["id"] == "greeter").unwrap_or_else(|| panic!("{}{}", said.out, said.err));
    assert_eq!((&greeter["kind"], &greeter["accounts"]), (&json!("library"), &json!(["me"])), "{greeter}");
    assert_eq!(greeter["sha256"], built["sha256"]);
    for plugin in ["greeter", "plugins/libgreeter.so"] {
        let said = call(&bot, &["plugin", "show", plugin]);
        for part in ["greeter 0.1.0", "hello   or: hi", "Greets back.", "No settings"] {
            assert!(said.out.contains(part), "{part}: {}{}", said.out, said.err);
        }
    }
}

#[test]
fn a_running_wxbot_takes_up_another_build() {
    let workshop = Workshop::new();
    let bot = workshop.path();
    fs::write(bot.join("bot.toml"), BOT_TOML).unwrap();
    assert_eq!(workshop.call(bot, &["plugin", "build", "greeter"]).code, Some(0));
    for (args, what) in [
        (&["plugin", "reload"][..], "no wxbot runs"),
        (&["plugin", "reload", "greter"], "did you mean `greeter`?"),
        (&["plugin", "reload", "auto-reply"], "built into wxbot"),
    ] {
        let said = call(bot, args);
        assert_eq!(said.code, Some(1), "{args:?}: {}", said.err);
        assert!(said.err.contains(what), "{args:?}: {}", said.err);
    }
    let run = Running::start(bot, &["run"]).unwrap();
    wxbot::until_state(bot, "me", &["online"], STOPS_WITHIN).unwrap();
    assert!(run.err().unwrap().contains("greeter 0.1.0"), "the first lines name it: {}", run.err().unwrap());
    let said = call(bot, &["plugin", "reload", "greeter"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("nothing changed"), "the same build: {}", said.err);
    workshop.save("0.2.0");
    assert_eq!(workshop.call(bot, &["plugin", "build", "greeter"]).code, Some(0));
    // The file is watched as well, so it may be in force before anybody asks.
    let said = call(bot, &["plugin", "reload"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told = || Ok(run.err()?.contains("swapped greeter 0.1.0 → 0.2.0").then_some(()));
    wait::until("the other build to be in force", STOPS_WITHIN, told)
        .unwrap_or_else(|e| panic!("{e}{}", run.err().unwrap()));
    assert!(run.stop("TERM", STOPS_WITHIN).unwrap().success());
}

#[test]
fn dev_builds_each_save_and_ends_with_ctrl_c() {
    if let Some(reason) = terminal::missing() {
        return skip::note("wxbot dev: a terminal", &reason).unwrap();
    }
    let workshop = Workshop::new();
    workshop.save("error");
    let mut dev =
        Terminal::start_with(workshop.path(), &["dev", "greeter"], &[("PATH", &workshop.search_path())]).unwrap();
    let mut until = |what: &str, good: &dyn Fn(&str) -> bool| dev.until(what, BUILT_WITHIN, good).unwrap();
    until("the first build to fail", &|screen| {
        screen.contains("a mistake on line 1") && screen.contains("a save builds again")
    });
    workshop.save("0.1.0");
    until("a bot", &|screen| screen.contains("● me online") && screen.contains("● demo online"));
    workshop.save("error");
    until("the next to fail", &|screen| screen.contains("the build from before goes on"));
    workshop.save("0.2.0");
    let screen = until("the swap", &|screen| screen.contains("swapped greeter 0.1.0 → 0.2.0"));
    assert_eq!(screen.matches("● me online").count(), 1, "it is still the same bot: {screen}");
    assert_eq!(screen.matches("⟳").count(), 4, "one build a save: {screen}");
    let home = workshop.krate().join(".wxbot-dev");
    assert_eq!(fs::read_to_string(home.join(".gitignore")).unwrap(), "*\n");

    dev.type_in(CTRL_C).unwrap();
    assert_eq!(dev.ended(STOPS_WITHIN).unwrap().code(), Some(0), "{}", dev.screen().unwrap());
    assert!(!home.join("data/wxbot.sock").exists(), "the bot has ended in peace");
}

#[test]
fn dev_ends_with_a_signal_while_cargo_builds() {
    let workshop = Workshop::new();
    workshop.save("slow");
    let mut command = wxbot::command(workshop.path(), &["dev", "greeter"]);
    command.env("PATH", workshop.search_path());
    let dev = Running::spawn(workshop.path(), command).unwrap();
    let building = || Ok(fs::read_to_string(workshop.path().join("calls"))?.contains("rustc").then_some(()));
    wait::until("a build", STOPS_WITHIN, building).unwrap();
    assert!(dev.stop("TERM", STOPS_WITHIN).unwrap().success());
}
