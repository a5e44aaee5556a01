//! What do the plugins say about their settings, and where in the file does it belong?

use std::ops::Range;
use std::path::Path;

use serde_json::Value;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::{ConfigProblem, InitCtx, Place};

use super::diagnostic::{Diagnostic, Report, codes, quote};
use super::keys::DEFAULT_PREFIXES;
use super::registry::Registry;
use super::tree::{self, Entry, Node, Shape, Table};
use super::view::{Account, RESERVED, accounts, plugin_entries};

/// Lets every plugin check what each account would give it, and tables that no account uses.
pub(super) fn check(root: &Table, file: &Path, registry: &Registry, report: &mut Report) {
    let accounts = accounts(root, registry);
    let init = init(root, file);
    for plugin in &registry.plugins {
        let id = plugin.id();
        let common = plugin_entries(root).iter().find(|entry| entry.key == id);
        let alone = common.map(|entry| problems(plugin, Some(&entry.node), None, &init)).unwrap_or_default();
        hide(common.map(|entry| &entry.node), &alone, report);
        let mut judged = false;
        for account in &accounts {
            judged |= account_check(account, plugin, &alone, &init, report);
        }
        if let (Some(entry), false) = (common, judged) {
            for problem in &alone {
                let (span, exact) = locate(Some(&entry.node), None, true, &problem.pointer);
                report.mistake(tell(id, problem, span.unwrap_or(&entry.key_span), exact));
            }
        }
    }
}

/// Whether the account had anything to check.
fn account_check(
    account: &Account<'_>,
    plugin: &PluginFactory,
    alone: &[ConfigProblem],
    init: &InitCtx,
    report: &mut Report,
) -> bool {
    let id = plugin.id();
    let (common, own) = account.plugin_settings(id);
    let (common, own) = (common.and_then(settings_of), own.and_then(settings_of));
    let mut used = account.plugins().into_iter().find(|named| named.name == id);
    if plugin.manifest().guards {
        used = used.or_else(|| account.middleware().into_iter().find(|named| named.name == id));
    }
    if used.is_none() && own.is_none() {
        return false;
    }
    let problems = problems(plugin, common, own, init);
    hide(own, &problems, report);
    for problem in problems {
        let (span, exact) = locate(common, own, alone.contains(&problem), &problem.pointer);
        let span = span.or(used.and_then(|named| named.said)).unwrap_or(account.header);
        report.mistake(tell(id, &problem, span, exact));
    }
    true
}

fn settings_of(entry: &Entry) -> Option<&Node> {
    entry.node.as_table().map(|_table| &entry.node)
}

/// The settings an account gives to a plugin.
pub(super) fn settings(common: Option<&Node>, own: Option<&Node>) -> Value {
    let mut settings = tree::overlay(common, own);
    if let Value::Object(map) = &mut settings {
        map.retain(|key, _value| !RESERVED.contains(&key.as_str()));
    }
    settings
}

/// What a plugin is told besides its settings.
pub(super) fn init(root: &Table, file: &Path) -> InitCtx {
    let mut init = InitCtx::new();
    init.prefixes = prefixes(root);
    init.place = Place::of(file.parent().unwrap_or(Path::new("")));
    init
}

/// What may stand before the word of a command, the longest first: `//` is not `/` and then a word.
pub(super) fn prefixes(root: &Table) -> Vec<String> {
    let said = root.texts("command_prefix").map(|list| list.into_iter().map(|(text, _node)| text).collect());
    let mut list: Vec<&str> = said.unwrap_or_else(|| DEFAULT_PREFIXES.to_vec());
    list.sort_by_key(|text| std::cmp::Reverse(text.len()));
    list.into_iter().map(str::to_owned).collect()
}

fn problems(plugin: &PluginFactory, common: Option<&Node>, own: Option<&Node>, init: &InitCtx) -> Vec<ConfigProblem> {
    // What the parser could not read would only be told a second time, in other words.
    let broken = |node: Option<&Node>| node.is_some_and(Node::is_broken);
    if broken(common) || broken(own) { Vec::new() } else { plugin.check(&settings(common, own), init) }
}

/// Notes what stands where a plugin has looked for a secret: nobody shall be shown it.
fn hide(settings: Option<&Node>, problems: &[ConfigProblem], report: &mut Report) {
    for problem in problems.iter().filter(|problem| problem.secret) {
        let segments = problem.pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"));
        if let Some(node) = segments.fold(settings, |node, segment| node?.step(&segment)) {
            spans_below(node, &mut report.hidden);
        }
    }
}

/// A table that is written under a header has its values elsewhere.
fn spans_below(node: &Node, spans: &mut Vec<Range<usize>>) {
    match &node.shape {
        Shape::Table(table) => table.entries.iter().for_each(|entry| spans_below(&entry.node, spans)),
        Shape::List(list) => list.iter().for_each(|node| spans_below(node, spans)),
        Shape::Text(_) | Shape::Integer(_) | Shape::Float(_) | Shape::Bool(_) | Shape::Date(_) | Shape::Broken => {
            spans.push(node.span.clone())
        }
    }
}

/// The place a JSON pointer into the merged settings means, as far down as it goes, and whether it went all the way.
/// Where both tables are meant, `in_common` says whose the fault is.
pub(super) fn locate<'t>(
    common: Option<&'t Node>,
    own: Option<&'t Node>,
    in_common: bool,
    pointer: &str,
) -> (Option<&'t Range<usize>>, bool) {
    let (mut common, mut own) = (common, own);
    let mut exact = true;
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        let (below, above) = step(common, own, &segment);
        if below.is_none() && above.is_none() {
            exact = false;
            break;
        }
        (common, own) = (below, above);
    }
    let node = match (common, own) {
        (Some(common), Some(own)) => Some(if in_common { common } else { own }),
        (Some(node), None) | (None, Some(node)) => Some(node),
        (None, None) => None,
    };
    (node.map(|node| &node.span), exact)
}

/// One step down in both, in step with [`tree::overlay`]: only tables let the common value show through.
fn step<'t>(common: Option<&'t Node>, own: Option<&'t Node>, segment: &str) -> (Option<&'t Node>, Option<&'t Node>) {
    let below = common.and_then(|node| node.step(segment));
    let above = own.and_then(|node| node.step(segment));
    match (below, above) {
        (Some(_), Some(node)) if node.as_table().is_none() => (None, above),
        (Some(node), Some(_)) if node.as_table().is_none() => (None, above),
        (below, above) => (below, above),
    }
}

fn tell(id: &str, problem: &ConfigProblem, span: &Range<usize>, exact: bool) -> Diagnostic {
    let key = problem.pointer.rsplit('/').find(|segment| !segment.is_empty() && segment.parse::<usize>().is_err());
    let label = match key {
        Some(key) if !exact => format!("{} is not given here", quote(key)),
        Some(key) => quote(key),
        None => format!("settings of `{id}`"),
    };
    Diagnostic::new(codes::PLUGIN_SETTINGS, span, format!("plugin `{id}`: {}", problem.message))
        .label(label)
        .maybe_help(problem.help.clone())
}
