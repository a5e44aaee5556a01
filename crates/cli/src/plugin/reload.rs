//! `wxbot plugin reload`: plugins that were built anew go into force in the running wxbot.

use wxbot_runtime::config::Registry;

use super::known;
use crate::args::Args;
use crate::report::{Failure, say};

/// Asks the running wxbot to read `bot.toml` and its libraries again. All of them: a library that did not change is
/// not touched.
pub(super) fn run(registry: &Registry, args: &Args, plugin: Option<&str>, as_json: bool) -> Result<(), Failure> {
    if let Some(id) = plugin {
        let known = known::find(registry, args, id)?;
        if known.library.is_none() {
            return Err(Failure::new(format!(
                "`{id}` is built into wxbot, so another one comes with another wxbot; only plugins with a `path` are reloaded"
            )));
        }
        if known.accounts.is_empty() {
            say(&format!("warning: no account uses `{id}`"));
        }
    }
    crate::reload::run(registry, args, as_json)
}
