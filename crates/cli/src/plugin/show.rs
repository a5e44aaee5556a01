//! `wxbot plugin show`: what does a plugin do, for whom, and how is it set up?

use std::path::Path;

use serde_json::{Value, json};
use wxbot_plugin::Manifest;
use wxbot_runtime::config::Registry;

use super::known::{self, Known};
use super::{handlers, list, settings};
use crate::args::Args;
use crate::report::{Failure, print};

pub(super) fn run(registry: &Registry, args: &Args, plugin: &str, as_json: bool) -> Result<(), Failure> {
    let known = if is_file(plugin) {
        known::in_file(registry, Path::new(plugin))?
    } else {
        known::find(registry, args, plugin)?
    };
    if as_json {
        print(&in_json(&known).to_string());
    } else {
        print(&in_words(&known));
    }
    Ok(())
}

/// Ids hold neither a slash nor a dot.
fn is_file(plugin: &str) -> bool {
    plugin.contains(['/', '\\', '.'])
}

fn in_json(known: &Known) -> Value {
    let mut shown = list::in_json(known);
    if let Value::Object(shown) = &mut shown {
        shown.insert("manifest".into(), json!(known.plugin.manifest()));
        shown.insert("settings".into(), known.plugin.schema());
    }
    shown
}

fn in_words(known: &Known) -> String {
    let manifest = known.plugin.manifest();
    let mut parts = vec![head(known, manifest)];
    parts.extend(handlers::in_words(&manifest.handlers));
    let rows = settings::rows(&known.plugin.schema());
    parts.push(if rows.is_empty() {
        "No settings.".to_owned()
    } else {
        format!("Settings, in [plugins.{}]\n{}", manifest.id, settings::in_words(&rows))
    });
    parts.join("\n\n")
}

fn head(known: &Known, manifest: &Manifest) -> String {
    let mut lines = vec![format!("{} {} · {}", manifest.id, manifest.version, list::origin(known))];
    if !manifest.about.is_empty() {
        lines.push(manifest.about.clone());
    }
    let mut facts = Vec::new();
    if !known.accounts.is_empty() {
        facts.push(("used by", known.accounts.join(", ")));
    }
    if !manifest.needs.is_empty() {
        facts.push(("needs", list::words(&manifest.needs).join(", ")));
    }
    let late = if manifest.wants_late { ", late ones too" } else { "" };
    let floods = if manifest.watches { ", floods of rooms too" } else { "" };
    facts.push(("hears", format!("{}{late}{floods}", manifest.events.join(", "))));
    if manifest.priority != 0 {
        facts.push(("priority", manifest.priority.to_string()));
    }
    if manifest.guards {
        facts.push(("guards", "may stand in `middleware`".into()));
    }
    if let Some(sha256) = known.sha256() {
        facts.push(("sha256", sha256.to_owned()));
    }
    lines.push(String::new());
    lines.extend(facts.iter().map(|(name, fact)| format!("{name:<9} {fact}")));
    lines.join("\n")
}
