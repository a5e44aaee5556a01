//! Is each difference between two files seen as what it is?

use std::path::{Path, PathBuf};
use std::time::Duration;

use wxbot_model::span::Rate;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::prelude::*;

use super::Plan;
use super::*;
use crate::config::{self, Config, Key, Kind, Pacing, Preset, ProtocolSpec, Registry};
use crate::middleware;

/// A plugin with any settings, so that they may differ.
struct Any;

impl Plugin for Any {
    type Config = serde_json::Value;
    fn manifest() -> Manifest {
        Manifest::new("any", "Takes any settings.")
    }
    async fn init(_config: serde_json::Value, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

const OPTIONS: &[Key] = &[Key::new("mode", "How.", Kind::Text).preset(Preset::Text("desktop"))];

fn protocol(name: &'static str, profiles: &'static [&'static str]) -> ProtocolSpec {
    let a_second = Rate::new(1, Duration::from_secs(1));
    ProtocolSpec {
        name,
        about: "A protocol.",
        profiles,
        capabilities: [Capability::SendText].into_iter().collect(),
        takes_endpoint: true,
        takes_proxy: true,
        only_one: false,
        judge: None,
        supplies: None,
        direct_only: None,
        simulated: true,
        options: OPTIONS,
        pacing: Pacing::new(a_second, 5, a_second, Duration::from_secs(600)),
    }
}

fn read(text: &str) -> Config {
    let registry = Registry {
        libraries: None,
        protocols: vec![protocol("web", &[]), protocol("hook", &["v3", "v4"])],
        plugins: vec![PluginFactory::of::<Any>()],
        middleware: middleware::NAMES.to_vec(),
    };
    let loaded = config::parse(text, Path::new("/etc/bot.toml"), &registry);
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}")).config
}

fn account(name: &str, more: &str) -> String {
    let protocol = if more.contains("protocol =") { "" } else { "protocol = \"web\"\n" };
    format!("[[accounts]]\nname = \"{name}\"\n{protocol}{more}\n")
}

/// The plan in short: `name:change`, with the keys that differ.
fn plan(old: &str, new: &str) -> String {
    let (old, new) = (read(old), read(new));
    let plan = Plan::between(&old.accounts, &new.accounts);
    let short = plan.accounts.iter().map(|(name, change)| match change {
        Change::Added => format!("{name}:added"),
        Change::Removed => format!("{name}:removed"),
        Change::Session(keys) => format!("{name}:session {}", keys.join(" ")),
        Change::Work(keys) => format!("{name}:work {}", keys.join(" ")),
        Change::Unchanged => format!("{name}:same"),
    });
    let short = short.collect::<Vec<_>>().join(", ");
    assert_eq!(plan.is_empty(), !short.contains(':') || short.split(", ").all(|one| one.ends_with(":same")), "{short}");
    short
}

#[test]
fn accounts_come_go_and_stay() {
    let [a, b, c] = ["a", "b", "c"].map(|name| account(name, ""));
    let off = account("b", "enabled = false");
    for (name, old, new, want) in [
        ("the same file", format!("{a}{b}"), format!("{a}{b}"), "a:same, b:same"),
        ("another order", format!("{a}{b}"), format!("{b}{a}"), "b:same, a:same"),
        ("one more, in front", format!("{a}{b}"), format!("{c}{a}{b}"), "c:added, a:same, b:same"),
        ("one less", format!("{a}{b}"), a.clone(), "a:same, b:removed"),
        ("one for another", format!("{a}{b}"), format!("{a}{c}"), "a:same, c:added, b:removed"),
        ("disabled is removed", format!("{a}{b}"), format!("{a}{off}"), "a:same, b:removed"),
        ("enabled is added", format!("{a}{off}"), format!("{a}{b}"), "a:same, b:added"),
        ("disabled all along", format!("{a}{off}"), format!("{a}{off}"), "a:same"),
        ("the last one", b.clone(), off.clone(), "b:removed"),
    ] {
        assert_eq!(plan(&old, &new), want, "{name}");
    }
}

#[test]
fn each_key_is_work_or_session() {
    for (old, new, want) in [
        ("", "endpoint = \"sim\"", "session endpoint"),
        ("endpoint = \"http://127.0.0.1:1\"", "endpoint = \"http://127.0.0.1:2\"", "session endpoint"),
        ("", "proxy = \"socks5://127.0.0.1:1\"", "session proxy"),
        ("proxy = \"socks5://a:b@127.0.0.1:1\"", "proxy = \"socks5://a:c@127.0.0.1:1\"", "session proxy"),
        ("", "protocol = \"hook\"\nprofile = \"v3\"", "session protocol profile"),
        ("protocol = \"hook\"\nprofile = \"v3\"", "protocol = \"hook\"\nprofile = \"v4\"", "session profile"),
        ("", "mode = \"browser\"", "session options"),
        ("", "mode = \"desktop\"", "same"),
        ("", "secrets = { KEY = { env = \"KEY\" } }", "session secrets"),
        ("secrets = { KEY = { env = \"A\" } }", "secrets = { KEY = { file = \"A\" } }", "session secrets"),
        ("", "pacing = { burst = 9 }", "work pacing"),
        ("", "pacing = { burst = 5 }", "same"),
        ("", "pacing = { quiet = \"23:00-07:00\" }", "work pacing"),
        ("", "pacing = { friend_requests = \"1/h\" }", "work pacing"),
        ("", "on_uncertain = \"drop\"", "work on_uncertain"),
        ("", "typing = false", "work typing"),
        ("", "archive = \"full\"", "work archive"),
        ("", "roles = { owner = [\"p1\"] }", "work roles"),
        ("roles = { vip = [\"p1\", \"p2\"] }", "roles = { vip = [\"p2\", \"p1\"] }", "same"),
        ("", "middleware = []", "work middleware"),
        ("", "middleware = [\"trace\", \"access\"]", "work middleware"),
        ("", "access = { groups = false }", "work middleware"),
        ("", "use = [\"any\"]", "work plugins"),
        ("use = [\"any\"]", "use = [\"any\"]\nplugins = { any = { x = 1 } }", "work plugins"),
        ("", "endpoint = \"sim\"\npacing = { burst = 9 }\nuse = [\"any\"]", "session endpoint plugins pacing"),
        ("# a comment", "enabled = true", "same"),
    ] {
        let (other, want) = (account("other", ""), format!("other:same, a:{want}"));
        assert_eq!(plan(&(other.clone() + &account("a", old)), &(other + &account("a", new))), want, "{old} → {new}");
    }
}

#[test]
fn common_settings_reach_the_accounts_that_have_them() {
    let accounts = account("a", "") + &account("b", "pacing = { burst = 3 }\nmiddleware = []\nuse = []");
    for (old, new, want) in [
        ("pacing = { burst = 1 }", "pacing = { burst = 2 }", "a:work pacing, b:same"),
        ("", "builtin = false", "a:work builtin, b:work builtin"),
        ("", "command_prefix = [\"#\"]", "a:work command_prefix, b:work command_prefix"),
        ("", "middleware = [\"trace\"]", "a:work middleware, b:same"),
        ("", "plugins = { any = { x = 1 } }", "a:work plugins, b:same"),
        ("plugins = { any = { x = 1 } }", "plugins = { any = { x = 2 } }", "a:work plugins, b:same"),
    ] {
        let file = |top: &str| format!("{top}\n{accounts}");
        assert_eq!(plan(&file(old), &file(new)), want, "{old} → {new}");
    }
}

#[test]
fn what_the_process_has_once_needs_a_restart() {
    let file = |top: &str| read(&format!("{top}\n{}", account("a", "")));
    assert_eq!(file("").data_dir, PathBuf::from("/etc/data"));
    for (old, new, want) in [
        ("", "data_dir = \"data\"", &[][..]),
        ("", "data_dir = \"elsewhere\"", &["data_dir"]),
        ("", "pacing = { burst = 2 }", &[]),
    ] {
        assert_eq!(needs_restart(&file(old), &file(new)), want, "{old} → {new}");
    }
}
