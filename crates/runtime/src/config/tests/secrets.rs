//! Is a secret shown that somebody wrote into the settings of a plugin?

use wxbot_model::{Event, Secret};
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::{Ctx, Effects, InitCtx, Manifest, Plugin, PluginConfig, PluginError};

use super::rig::{registry, web};
use crate::config::{Mistakes, parse};

#[derive(Debug, PluginConfig)]
struct Settings {
    #[expect(dead_code, reason = "read, and never used")]
    token: Secret<String>,
    #[expect(dead_code, reason = "read, and never used")]
    #[config(default)]
    old: Vec<Secret<String>>,
}

struct Keyed;

impl Plugin for Keyed {
    type Config = Settings;
    fn manifest() -> Manifest {
        Manifest::new("keyed", "Has a key.")
    }
    async fn init(_config: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, _event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(Effects::none())
    }
}

fn mistakes(text: &str) -> Mistakes {
    let mut registry = registry();
    registry.plugins.push(PluginFactory::of::<Keyed>());
    parse(text, std::path::Path::new("bot.toml"), &registry).unwrap_err()
}

#[test]
fn sec_r20_a_secret_in_a_plugins_settings_is_not_shown() {
    let good = "[accounts.plugins.keyed]\ntoken = { env = \"PATH\" }";
    for (name, text) in [
        ("in the clear", web("[accounts.plugins.keyed]\ntoken = \"hunter2\"")),
        ("a table", web("[accounts.plugins.keyed]\ntoken = { value = \"hunter2\", env = \"A\" }")),
        ("a list", web("[accounts.plugins.keyed]\ntoken = [\"hunter2\"]")),
        ("under a header", web("[accounts.plugins.keyed.token]\nvalue = \"hunter2\"\nenv = \"A\"")),
        ("in the common table", format!("{}\n[plugins.keyed]\ntoken = \"hunter2\"", web(""))),
        ("behind the account's own", format!("{}\n[plugins.keyed]\ntoken = \"hunter2\"\nx = 1", web(good))),
        ("under a misspelt key", web("[accounts.plugins.keyed]\ntokken = \"hunter2\"")),
        ("where a list of them belongs", web("[accounts.plugins.keyed]\ntoken = { env = \"A\" }\nold = \"hunter2\"")),
        ("a bad name", web("[accounts.plugins.keyed]\ntoken = { env = \"hunter2\" }")),
    ] {
        let mistakes = mistakes(&text);
        let shown = format!("{mistakes}\n{mistakes:?}");
        assert!(!shown.contains("hunter2"), "{name}\n{shown}");
    }
}
