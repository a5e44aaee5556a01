//! Is `bot.toml` read, with every mistake told, and are the settings of the bundled plugins?

use std::sync::OnceLock;

use wxbot_plugin::config::Place;
use wxbot_plugin::ctx::InitCtx;
use wxbot_runtime::config::Registry;

fn registry() -> &'static Registry {
    static APP: OnceLock<wxbot::App> = OnceLock::new();
    APP.get_or_init(wxbot::App::bundled).registry()
}

/// The file as `wxbot check` reads it, and what it would print.
pub(super) fn bot_toml(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(told) = wxbot::doors::bot_toml(&text, registry()) {
        assert!(told.contains("bot.toml"), "mistakes have a place: {told}");
    }
}

/// Settings of each plugin, as a table: its mistakes have places, and what is good makes a plan.
pub(super) fn of_plugins(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(table) = text.parse::<toml::Table>() else { return };
    let Ok(value) = serde_json::to_value(table) else { return };
    let mut init = InitCtx::new();
    init.place = Place::default().with_env::<&str, &str>([]);
    for plugin in &registry().plugins {
        // The file's own table of this plugin, where there is one.
        let own = value.get("plugins").and_then(|all| all.get(plugin.id())).unwrap_or(&value);
        if let Err(problems) = plugin.plan(own, &init) {
            assert!(problems.iter().all(|one| !one.message.is_empty()), "a mistake has words");
        }
    }
}
