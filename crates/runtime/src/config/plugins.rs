//! What do the plugins say about their settings, and where in the file does it belong?

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;
use wxbot_model::Capability;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::{ConfigProblem, Feature, InitCtx, Place, Plan};

use super::accounts::no_rooms;
use super::diagnostic::{Diagnostic, Report, codes, quote};
use super::keys::DEFAULT_PREFIXES;
use super::registry::Registry;
use super::tree::{self, Entry, Node, Shape, Table};
use super::view::{Account, RESERVED, accounts, plugin_entries};
use crate::clock::cron::Schedule;

/// What every schedule that settings plan looks like.
const CRON_HELP: &str =
    "write second, minute, hour, day, month and weekday: `0 30 7 * * *` is half past seven each day";

/// Lets every plugin check what each account would give it, and tables that no account uses.
pub(super) fn check(root: &Table, file: &Path, registry: &Registry, report: &mut Report) {
    let accounts = accounts(root, registry);
    let init = init(root, file);
    for plugin in &registry.plugins {
        let id = plugin.id();
        let mut judge = Judge { plugin, init: &init, known: HashMap::new() };
        let common = plugin_entries(root).iter().find(|entry| entry.key == id);
        let alone = common.map(|entry| judge.problems(Some(&entry.node), None)).unwrap_or_default();
        hide(common.map(|entry| &entry.node), &alone, report);
        let mut judged = false;
        for account in &accounts {
            judged |= account_check(account, &mut judge, &alone, report);
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
fn account_check(account: &Account<'_>, judge: &mut Judge<'_>, alone: &[ConfigProblem], report: &mut Report) -> bool {
    let plugin = judge.plugin;
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
    let said = used.and_then(|named| named.said).unwrap_or(account.header);
    match judge.plan(common, own) {
        // That was told for all of it.
        Ok(_) if account.protocol.is_some_and(|spec| no_rooms(plugin, spec).is_some()) => {}
        Ok(plan) if used.is_some() => possible(account, id, &plan, (common, own), said, report),
        Ok(_) => {}
        Err(problems) => {
            hide(own, &problems, report);
            for problem in problems {
                let (span, exact) = locate(common, own, alone.contains(&problem), &problem.pointer);
                report.mistake(tell(id, &problem, span.unwrap_or(said), exact));
            }
        }
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

/// Asks one plugin, about equal settings once: a thousand accounts mostly share theirs, and reading them may mean files.
struct Judge<'a> {
    plugin: &'a PluginFactory,
    init: &'a InitCtx,
    known: HashMap<String, Result<Plan, Vec<ConfigProblem>>>,
}

impl Judge<'_> {
    fn plan(&mut self, common: Option<&Node>, own: Option<&Node>) -> Result<Plan, Vec<ConfigProblem>> {
        // What the parser could not read would only be told a second time, in other words.
        let broken = |node: Option<&Node>| node.is_some_and(Node::is_broken);
        if broken(common) || broken(own) {
            return Ok(Plan::new());
        }
        let settings = settings(common, own);
        let known = self.known.entry(settings.to_string());
        known.or_insert_with(|| judged(self.plugin.plan(&settings, self.init)?)).clone()
    }

    fn problems(&mut self, common: Option<&Node>, own: Option<&Node>) -> Vec<ConfigProblem> {
        self.plan(common, own).err().unwrap_or_default()
    }
}

/// A plan whose schedules are ones.
fn judged(plan: Plan) -> Result<Plan, Vec<ConfigProblem>> {
    let wrong = plan.schedules.iter().filter_map(|planned| {
        let error = Schedule::parse(&planned.expression, planned.tz.as_deref()).err()?;
        Some(ConfigProblem::at(&*planned.pointer, error.to_string()).help(CRON_HELP))
    });
    let wrong: Vec<ConfigProblem> = wrong.collect();
    if wrong.is_empty() { Ok(plan) } else { Err(wrong) }
}

/// Tells what the account's protocol cannot do of a plan: a warning for each feature, a mistake when none is left.
fn possible(
    account: &Account<'_>,
    id: &str,
    plan: &Plan,
    (common, own): (Option<&Node>, Option<&Node>),
    said: &Range<usize>,
    report: &mut Report,
) {
    let Some(spec) = account.protocol else { return };
    let impossible = plan.impossible(account.capabilities());
    let none_left = !impossible.is_empty() && impossible.len() == plan.features.len();
    let of_feature =
        |(feature, missing): &(&Feature, Vec<Capability>)| (feature.name.clone(), account.lacking(missing));
    if none_left {
        let each = impossible.iter().map(of_feature).map(|(name, lacks)| format!("{} needs {lacks}", quote(&name)));
        let message = format!(
            "plugin `{id}` can do nothing of what it is set to do on protocol {} of {}: {}",
            account.protocol_said(spec),
            account.title(),
            each.collect::<Vec<_>>().join(", "),
        );
        report.mistake(
            Diagnostic::new(codes::IMPOSSIBLE_CAPABILITY, said, message).label("nothing is left of it here").help(
                match account.cure(&every(&impossible)) {
                    Some(cure) => format!("{cure} for it, or take `{id}` out of the account's `use`"),
                    None => format!("take `{id}` out of the account's `use`, or use another protocol"),
                },
            ),
        );
        return;
    }
    for one in &impossible {
        let (name, lacks) = of_feature(one);
        let message = format!(
            "{} of plugin `{id}` needs {lacks}, which protocol {} of {} cannot do: it is off there",
            quote(&name),
            account.protocol_said(spec),
            account.title(),
        );
        let span = locate(common, own, false, &one.0.pointer).0.unwrap_or(said);
        let cure = account.cure(&one.1).map(|cure| format!("{cure} for it"));
        report.warning(
            Diagnostic::new(codes::IMPOSSIBLE_FEATURE, span, message).label(format!("lacks {lacks}")).maybe_help(cure),
        );
    }
}

/// All that is missing, each once.
fn every(impossible: &[(&Feature, Vec<Capability>)]) -> Vec<Capability> {
    let mut all: Vec<Capability> = impossible.iter().flat_map(|(_, missing)| missing.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
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
