//! What does a middleware that the program brings say about its settings? As plugins do, with tables of their own.

use std::path::Path;

use serde_json::Value;
use wxbot_plugin::middleware::OwnStation;
use wxbot_plugin::{ConfigProblem, Place};

use super::diagnostic::{Diagnostic, Report, codes, quote};
use super::keys::{Key, Kind};
use super::plugins::locate;
use super::registry::Registry;
use super::tree::{self, Entry, Node, Table};
use super::view::{Account, accounts};

/// These keys with the tables of what the program brings, which stand for built-in ones of their names.
pub(super) fn with_own(keys: impl Iterator<Item = &'static Key>, registry: &Registry) -> Vec<Key> {
    let built_in = keys.filter(|key| registry.own_stations().all(|(name, _)| name != key.name));
    let own = registry.own_stations().map(|(name, own)| Key::new(name, own.about, Kind::Settings));
    built_in.copied().chain(own).collect()
}

/// Lets each judge what every account would give it, and a common table that no account uses.
pub(super) fn check(root: &Table, file: &Path, registry: &Registry, report: &mut Report) {
    let (accounts, place) = (accounts(root, registry), place(file));
    for (name, own) in registry.own_stations() {
        let common = root.entry(name).and_then(settings_of);
        let alone = problems(&own, common, None, &place);
        let mut judged = false;
        for account in &accounts {
            let table = account.table.entry(name).and_then(settings_of);
            let used = account.middleware().into_iter().find(|named| named.name == name);
            if used.is_none() && table.is_none() {
                continue;
            }
            judged = true;
            for problem in problems(&own, common, table, &place) {
                let (span, exact) = locate(common, table, alone.contains(&problem), &problem.pointer);
                let span = span.or(used.and_then(|named| named.said)).unwrap_or(account.header);
                report.mistake(tell(name, &problem, span, exact));
            }
        }
        if let (Some(node), false) = (common, judged) {
            for problem in &alone {
                let (span, exact) = locate(Some(node), None, true, &problem.pointer);
                report.mistake(tell(name, problem, span.unwrap_or(&node.span), exact));
            }
        }
    }
}

/// The settings that an account gives to one of these.
pub(super) fn settings(account: &Account<'_>, name: &str) -> Value {
    let [common, own] = [account.root, account.table].map(|table| table.entry(name).and_then(settings_of));
    tree::overlay(common, own)
}

/// Where the settings stand.
pub(super) fn place(file: &Path) -> Place {
    Place::of(file.parent().unwrap_or(Path::new("")))
}

fn settings_of(entry: &Entry) -> Option<&Node> {
    entry.node.as_table().map(|_table| &entry.node)
}

fn problems(own: &OwnStation, common: Option<&Node>, table: Option<&Node>, place: &Place) -> Vec<ConfigProblem> {
    // What the parser could not read would only be told a second time, in other words.
    let broken = [common, table].into_iter().flatten().any(Node::is_broken);
    if broken { Vec::new() } else { (own.check)(&tree::overlay(common, table), place) }
}

fn tell(name: &str, problem: &ConfigProblem, span: &std::ops::Range<usize>, exact: bool) -> Diagnostic {
    let key = problem.pointer.rsplit('/').find(|segment| !segment.is_empty() && segment.parse::<usize>().is_err());
    let label = match key {
        Some(key) if !exact => format!("{} is not given here", quote(key)),
        Some(key) => quote(key),
        None => format!("settings of `{name}`"),
    };
    Diagnostic::new(codes::MIDDLEWARE_SETTINGS, span, format!("middleware `{name}`: {}", problem.message))
        .label(label)
        .maybe_help(problem.help.clone())
}
