//! `wxbot plugin list`: which plugins are there, and who uses them?

use serde_json::{Value, json};
use wxbot_plugin::model::Capability;
use wxbot_runtime::config::Registry;

use super::known::{self, Known};
use crate::args::Args;
use crate::report::{Failure, print, say};

pub(super) fn run(registry: &Registry, args: &Args, as_json: bool) -> Result<(), Failure> {
    let (all, why) = known::all(registry, args)?;
    if let Some(why) = why {
        say(&why);
    }
    if as_json {
        print(&Value::Array(all.iter().map(in_json).collect()).to_string());
        return Ok(());
    }
    for known in &all {
        print(&in_words(known));
    }
    Ok(())
}

/// One plugin as JSON, also the beginning of what `show` prints.
pub(super) fn in_json(known: &Known) -> Value {
    let manifest = known.plugin.manifest();
    json!({
        "id": manifest.id,
        "version": manifest.version,
        "about": manifest.about,
        "kind": if known.library.is_some() { "library" } else { "built-in" },
        "path": known.library,
        "sha256": known.sha256(),
        "accounts": known.accounts,
        "needs": words(&manifest.needs),
    })
}

fn in_words(known: &Known) -> String {
    let manifest = known.plugin.manifest();
    let mut lines = vec![format!("{} {} · {}", manifest.id, manifest.version, origin(known))];
    if !manifest.about.is_empty() {
        lines.push(format!("  {}", manifest.about));
    }
    if let Some(sha256) = known.sha256() {
        lines.push(format!("  sha256 {sha256}"));
    }
    let used = if known.accounts.is_empty() { "no account".to_owned() } else { known.accounts.join(", ") };
    lines.push(format!("  used by {used}"));
    if !manifest.needs.is_empty() {
        lines.push(format!("  needs {}", words(&manifest.needs).join(", ")));
    }
    lines.join("\n")
}

/// Where a plugin comes from, in words.
pub(super) fn origin(known: &Known) -> String {
    known.library.as_ref().map_or_else(|| "built in".to_owned(), |path| path.display().to_string())
}

/// What a plugin needs of an account, by the words of the guide.
pub(super) fn words(needs: &[Capability]) -> Vec<&'static str> {
    needs.iter().map(|need| need.word()).collect()
}
