//! Where does the bot of `wxbot dev` live? In `.wxbot-dev` beside the sources: its `bot.toml`, the library, its data.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wxbot_model::Capabilities;
use wxbot_runtime::config::Registry;

use super::super::cargo::Crate;
use super::super::install::install;
use super::super::known::Known;
use crate::control::{self, Request};
use crate::report::{Failure, OrExit, say};
use crate::watch::print_of;

const BOT_TOML: &str = include_str!("../template/dev-bot.toml");
/// Accounts of that file, by their protocols.
const ACCOUNTS: [(&str, &str); 2] = [
    ("console", "\n[[accounts]]\nname = \"me\"\nprotocol = \"console\"                    # type into the terminal\n"),
    (
        "web",
        "\n[[accounts]]\nname = \"demo\"\nprotocol = \"web\"\nendpoint = \"sim\"                        # the built-in simulator\n",
    ),
];

/// The folder of the bot of a crate.
pub(super) fn folder(krate: &Path) -> PathBuf {
    krate.join(".wxbot-dev")
}

/// The bot's folder.
#[derive(Debug, Clone)]
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn of(krate: &Crate) -> Self {
        Self(folder(&krate.folder))
    }

    pub(super) fn bot_toml(&self) -> PathBuf {
        self.0.join("bot.toml")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Stands for what `bot.toml` holds.
    pub(super) fn print(&self) -> Option<u64> {
        print_of(&self.bot_toml(), &[])
    }

    /// Puts the library into its place, and writes what is not there yet. A `bot.toml` that is there stays: its owner
    /// may have changed it.
    pub(super) fn furnish(&self, library: &Path, known: &Known, registry: &Registry) -> Result<(), Failure> {
        let place = install(library, &self.0.join("plugins"))?;
        let write = |name: &str, text: &str| {
            let path = self.0.join(name);
            fs::write(&path, text).or_exit(&format!("cannot write {}", path.display()))
        };
        // Git ignores the folder also where the crate says nothing of it.
        write(".gitignore", "*\n")?;
        if !self.bot_toml().exists() {
            let file = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            write("bot.toml", &bot_toml(known, &file, registry)?)?;
            say(&format!("wrote {}; it is yours to change", self.bot_toml().display()));
        }
        Ok(())
    }

    /// Asks the bot to take up what changed. The bot says itself what came of it; when it does not listen yet, it takes
    /// up the new library as it starts.
    pub(super) async fn reload(&self) {
        let data = self.data();
        let asked = tokio::task::spawn_blocking(move || {
            control::ask(&data, &Request::Reload).map(|lines| lines.and_then(|mut lines| lines.next()))
        });
        if let Ok(Err(failure)) = asked.await {
            say(&format!("✗ {failure}"));
        }
    }
}

/// A `bot.toml` with those accounts that can do what the plugin needs.
fn bot_toml(known: &Known, file: &str, registry: &Registry) -> Result<String, Failure> {
    let manifest = known.plugin.manifest();
    let can = |protocol: &str| {
        let all = registry.protocol(protocol).map_or(Capabilities::none(), |protocol| protocol.capabilities);
        manifest.needs.iter().all(|need| all.has(*need))
    };
    let accounts: String = ACCOUNTS.iter().filter(|(protocol, _)| can(protocol)).map(|(_, lines)| *lines).collect();
    if accounts.is_empty() {
        let needs = super::super::list::words(&manifest.needs).join(", ");
        return Err(Failure::new(format!(
            "neither the console nor the simulator can do what `{}` needs: {needs}",
            manifest.id
        )));
    }
    let mut text = BOT_TOML.replace("{{id}}", &manifest.id).replace("{{file}}", file);
    let schema = known.plugin.schema();
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !required.is_empty() {
        text.push_str(&format!("# It needs: {} (`wxbot plugin show`)\n", required.join(", ")));
    }
    Ok(text + &accounts)
}
