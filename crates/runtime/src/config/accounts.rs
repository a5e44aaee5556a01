//! Does the file as a whole make sense: are the names known, and can each account do what its plugins need?

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use wxbot_model::Capability;
use wxbot_plugin::host::PluginFactory;

use super::check::{self, Place};
use super::diagnostic::{Diagnostic, Report, codes, quote, suggest, words};
use super::keys::{self, Key};
use super::registry::{ProtocolSpec, Registry};
use super::stations;
use super::tree::{Entry, Node, Table};
use super::view::{Account, Named, RESERVED, accounts, plugin_entries};

/// Checks everything but the settings of plugins.
pub(super) fn check(root: &Table, registry: &Registry, report: &mut Report) {
    let top = stations::with_own(keys::top(), registry);
    check::table(root, &(0..0), &Place::top(), &top.iter().collect::<Vec<_>>(), &|_entry| None, report);
    prefixes(root, report);
    known_middleware(root, registry, report);
    plugin_tables(root, "plugins", registry, report);
    let all = accounts(root, registry);
    if all.is_empty() {
        no_accounts(root, report);
    }
    for account in &all {
        keys_of(account, registry, report);
        protocol(account, registry, report);
        options(account, report);
        known_middleware(account.table, registry, report);
        plugin_tables(account.table, "accounts.plugins", registry, report);
        uses(account, registry, report);
    }
    names(&all, report);
    only_one(&all, registry, report);
    unused(root, &all, registry, report);
}

fn no_accounts(root: &Table, report: &mut Report) {
    const HELP: &str =
        "begin with `[[accounts]]`, `name = \"…\"` and `protocol = \"…\"`; `wxbot init` writes an example";
    let diagnostic = match root.entry("accounts") {
        None if root.entries.is_empty() => Diagnostic::new(codes::EMPTY_FILE, &(0..0), "the file says nothing"),
        None => Diagnostic::new(codes::NO_ACCOUNTS, &(0..0), "there is no account"),
        Some(entry) if entry.node.as_list().is_some_and(<[Node]>::is_empty) => {
            Diagnostic::new(codes::NO_ACCOUNTS, &entry.key_span, "the list of accounts is empty")
        }
        Some(_) => return, // of a wrong type, which was said
    };
    report.mistake(diagnostic.help(HELP));
}

/// The keys of an account: those of every account and the options of its protocol.
fn keys_of(account: &Account<'_>, registry: &Registry, report: &mut Report) {
    let options: Vec<Key> = match account.protocol {
        Some(protocol) => protocol.options.to_vec(),
        // While the protocol is not known, an option of any may be right.
        None => {
            let all = registry.protocols.iter().flat_map(|protocol| protocol.options);
            all.map(|key| Key { kind: keys::Kind::Any, required: false, ..*key }).collect()
        }
    };
    let known = stations::with_own(keys::account(), registry);
    let keys: Vec<&Key> = known.iter().chain(&options).collect();
    let excuse = |entry: &Entry| foreign_option(entry, account, registry);
    check::table(account.table, account.header, &Place::account(), &keys, &excuse, report);
}

fn foreign_option(entry: &Entry, account: &Account<'_>, registry: &Registry) -> Option<Diagnostic> {
    let owners = registry.protocols_with_option(&entry.key);
    let own = account.protocol?;
    let key = quote(&entry.key);
    let message = match owners.as_slice() {
        [] => return None,
        [owner] => format!("{key} is an option of protocol `{owner}`"),
        several => format!("{key} is an option of the protocols {}", words(several)),
    };
    Some(
        Diagnostic::new(codes::FOREIGN_OPTION, &entry.key_span, message)
            .label(format!("`{}` does not know it", own.name))
            .help(format!("remove it, or change the protocol of {}", account.title())),
    )
}

/// Protocol, profile, endpoint and proxy.
fn protocol(account: &Account<'_>, registry: &Registry, report: &mut Report) {
    let (Some(name), Some(node)) = (account.table.text("protocol"), account.table.get("protocol")) else { return };
    let Some(spec) = account.protocol else {
        report.mistake(
            Diagnostic::new(codes::UNKNOWN_PROTOCOL, &node.span, format!("there is no protocol {}", quote(name)))
                .label("not known")
                .help(suggest(name, "protocols", registry.protocols.iter().map(|protocol| protocol.name))),
        );
        return;
    };
    profile(account, spec, &node.span, report);
    if let (Some("sim"), Some(endpoint), false) =
        (account.table.text("endpoint"), account.table.get("endpoint"), spec.simulated)
    {
        report.mistake(
            Diagnostic::new(
                codes::BAD_ENDPOINT,
                &endpoint.span,
                format!("the built-in simulator does not play the service of protocol `{}`", spec.name),
            )
            .label("not simulated here")
            .help("`wxbot sim` plays it in a process of its own: give that one's address"),
        );
    }
    let refused = [
        ("endpoint", spec.takes_endpoint, codes::ENDPOINT_NOT_ALLOWED, "talks to one place only"),
        ("proxy", spec.takes_proxy, codes::PROXY_NOT_ALLOWED, "makes no connection that a proxy could carry"),
    ];
    for (key, taken, code, why) in refused {
        if let (Some(entry), false) = (account.table.entry(key), taken) {
            report.mistake(
                Diagnostic::new(code, &entry.key_span, format!("protocol `{}` takes no `{key}`", spec.name))
                    .label("not possible here")
                    .help(format!("remove the line: `{}` {why}", spec.name)),
            );
        }
    }
}

/// What the protocol itself says of the account's options.
fn options(account: &Account<'_>, report: &mut Report) {
    for problem in account.judged().err().unwrap_or_default() {
        let mut span = account.header;
        let mut node = None;
        for (n, segment) in problem.pointer.split('/').skip(1).enumerate() {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let below =
                if n == 0 { account.table.get(&segment) } else { node.and_then(|node: &Node| node.step(&segment)) };
            let Some(below) = below else { break };
            (span, node) = (&below.span, Some(below));
        }
        report.mistake(
            Diagnostic::new(codes::PROTOCOL_OPTIONS, span, problem.message).label("here").maybe_help(problem.help),
        );
    }
}

fn profile(account: &Account<'_>, spec: &ProtocolSpec, protocol_at: &Range<usize>, report: &mut Report) {
    let known = || spec.profiles.iter().copied();
    match (account.table.get("profile"), account.table.text("profile")) {
        (Some(node), Some(profile)) if !spec.profiles.contains(&profile) => report.mistake(
            Diagnostic::new(
                codes::UNKNOWN_PROFILE,
                &node.span,
                format!("protocol `{}` has no profile {}", spec.name, quote(profile)),
            )
            .label("not known")
            .help(suggest(profile, "profiles", known())),
        ),
        (None, _) if spec.profiles.len() > 1 => report.mistake(
            Diagnostic::new(
                codes::MISSING_PROFILE,
                protocol_at,
                format!("protocol `{}` has several profiles and {} chooses none", spec.name, account.title()),
            )
            .label("needs `profile`")
            .help(format!("add `profile = \"…\"` with one of {}", words(spec.profiles))),
        ),
        (Some(_) | None, _) => {}
    }
}

/// The `middleware` list of this table: known names, each once.
fn known_middleware(table: &Table, registry: &Registry, report: &mut Report) {
    let list = table.texts("middleware").unwrap_or_default();
    each_once("middleware", &list, report);
    for (name, node) in list {
        let known = registry.stations();
        if known.contains(&name) {
            continue;
        }
        let diagnostic = match registry.plugin(name) {
            Some(_) => Diagnostic::new(codes::UNKNOWN_MIDDLEWARE, &node.span, format!("plugin `{name}` is no guard"))
                .label("judges no events")
                .help(format!("remove it here; `use = [\"{name}\"]` lets it handle events")),
            None => {
                let message = format!("there is no middleware {}", quote(name));
                Diagnostic::new(codes::UNKNOWN_MIDDLEWARE, &node.span, message).label("not known").help(suggest(
                    name,
                    "middleware",
                    known,
                ))
            }
        };
        report.mistake(diagnostic);
    }
}

/// `command_prefix`: short, and nothing that a person cannot see.
fn prefixes(root: &Table, report: &mut Report) {
    let list = root.texts("command_prefix").unwrap_or_default();
    each_once("command_prefix", &list, report);
    for (text, node) in list {
        if text.len() > 16 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            report.mistake(
                Diagnostic::new(codes::BAD_PREFIX, &node.span, format!("{} cannot begin a command", quote(text)))
                    .label("not possible here")
                    .help("a prefix is a few characters without spaces, like \"/\"; \"\" lets commands begin with their word"),
            );
        }
    }
}

fn each_once(what: &str, list: &[(&str, &Node)], report: &mut Report) {
    let mut first: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for (name, node) in list {
        if let Some(earlier) = first.get(name) {
            report.mistake(
                Diagnostic::new(codes::DUPLICATE_ENTRY, &node.span, format!("`{what}` lists {} twice", quote(name)))
                    .label("again")
                    .help("keep the one at the place where it shall run")
                    .also(earlier, "first here"),
            );
        } else {
            first.insert(name, &node.span);
        }
    }
}

/// `[plugins.*]` of the top level or an account: known ids, tables, no reserved keys.
fn plugin_tables(table: &Table, path: &str, registry: &Registry, report: &mut Report) {
    for entry in plugin_entries(table) {
        let Some(settings) = entry.node.as_table() else {
            check::value(&entry.key, &entry.node, &keys::Kind::Plugins, &Place::top(), report);
            continue;
        };
        // What is wrong with the file is told at its line.
        let from_file = RESERVED.iter().any(|key| settings.get(key).is_some());
        if registry.plugin(&entry.key).is_none() && !from_file {
            let message = format!("{} is for a plugin that is not built in", quote(&format!("[{path}.{}]", entry.key)));
            report.mistake(unknown_plugin(&entry.key, &entry.key_span, message, registry));
        }
    }
}

fn unknown_plugin(id: &str, span: &Range<usize>, message: String, registry: &Registry) -> Diagnostic {
    Diagnostic::new(codes::UNKNOWN_PLUGIN, span, message).label("not known").help(suggest(
        id,
        "plugins",
        registry.plugins.iter().map(|plugin| plugin.id()),
    ))
}

/// The plugins of an account: known, each once, and possible on its protocol.
fn uses(account: &Account<'_>, registry: &Registry, report: &mut Report) {
    each_once("use", &account.table.texts("use").unwrap_or_default(), report);
    for used in account.plugins() {
        let (common, own) = account.plugin_settings(used.name);
        let Some(plugin) = registry.plugin(used.name) else {
            // A table of an unknown plugin was reported at the table.
            if let (Some(span), None, None) = (used.said, common, own) {
                let message = format!("{} uses plugin {}, which is not built in", account.title(), quote(used.name));
                report.mistake(unknown_plugin(used.name, span, message, registry));
            }
            continue;
        };
        let Some(spec) = account.protocol else { continue };
        if let Some(why) = no_rooms(plugin, spec) {
            roomless(account, &used, spec, why, registry, report);
            continue;
        }
        let missing = account.capabilities().missing(&plugin.manifest().needs);
        if missing.is_empty() {
            continue;
        }
        let lacks: Vec<&str> = missing.iter().map(|capability| capability.word()).collect();
        let span = used.said.or(account.table.get("protocol").map(|node| &node.span)).unwrap_or(account.header);
        let mut diagnostic = Diagnostic::new(
            codes::IMPOSSIBLE_CAPABILITY,
            span,
            format!(
                "plugin `{}` needs {}, which protocol {} of {} cannot do",
                used.name,
                account.lacking(&missing),
                account.protocol_said(spec),
                account.title()
            ),
        )
        .label(format!("lacks {}", words(&lacks)))
        .help(match (account.cure(&missing), used.said) {
            (Some(cure), _) => format!("{cure} for it, or give the account a `use` list without `{}`", used.name),
            (None, Some(_)) => format!("remove `{}` from `use`, or use another protocol", used.name),
            (None, None) => "give the account a `use` list without it".to_owned(),
        });
        if let (None, Some(entry)) = (used.said, common) {
            diagnostic = diagnostic.also(&entry.key_span, "used because the account has no `use`");
        }
        report.mistake(diagnostic);
    }
}

/// What a plugin that keeps watch over rooms lives on.
const OF_ROOMS: [Capability; 4] =
    [Capability::GroupMessages, Capability::MemberEvents, Capability::RemoveMembers, Capability::RenameRoom];

/// Why this plugin has nothing to do with any account of this protocol; `None` where it may have.
pub(super) fn no_rooms(plugin: &PluginFactory, spec: &ProtocolSpec) -> Option<&'static str> {
    spec.direct_only.filter(|_| plugin.manifest().watches)
}

/// A plugin for rooms where there are none.
fn roomless(
    account: &Account<'_>,
    used: &Named<'_>,
    spec: &ProtocolSpec,
    why: &str,
    registry: &Registry,
    report: &mut Report,
) {
    let id = used.name;
    let lacks: Vec<&str> = spec.capabilities.missing(&OF_ROOMS).into_iter().map(Capability::word).collect();
    let others: Vec<&str> = registry
        .protocols
        .iter()
        .filter(|other| other.capabilities.missing(&OF_ROOMS).is_empty())
        .map(|other| other.name)
        .collect();
    let message = format!(
        "plugin `{id}` keeps watch over rooms, which protocol `{}` of {} does not have: {why}",
        spec.name,
        account.title()
    );
    let elsewhere = match others.as_slice() {
        [] => String::new(),
        [one] => format!("; rooms are looked after by an account of protocol `{one}`"),
        several => format!("; rooms are looked after by an account of one of the protocols {}", words(several)),
    };
    let (span, cure) = match used.said {
        Some(span) => (span, format!("take `{id}` out of the account's `use`{elsewhere}")),
        None => {
            let span = account.table.get("protocol").map_or(account.header, |node| &node.span);
            (span, format!("give the account a `use` list without `{id}`{elsewhere}"))
        }
    };
    let mut diagnostic = Diagnostic::new(codes::IMPOSSIBLE_CAPABILITY, span, message)
        .label(format!("lacks {}", words(&lacks)))
        .help(cure);
    if let (None, Some(entry)) = (used.said, account.plugin_settings(id).0) {
        diagnostic = diagnostic.also(&entry.key_span, "used because the account has no `use`");
    }
    report.mistake(diagnostic);
}

fn names(all: &[Account<'_>], report: &mut Report) {
    let mut first: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for account in all {
        let (Some(name), Some(node)) = (account.table.text("name"), account.table.get("name")) else { continue };
        if let Some(earlier) = first.get(name) {
            report.mistake(
                Diagnostic::new(
                    codes::DUPLICATE_ACCOUNT,
                    &node.span,
                    format!("two accounts are called {}", quote(name)),
                )
                .label("again")
                .help("choose another name: it keys everything that wxbot remembers of the account")
                .also(earlier, "first here"),
            );
        } else {
            first.insert(name, &node.span);
        }
    }
}

/// What a process has once cannot serve two accounts.
fn only_one(all: &[Account<'_>], registry: &Registry, report: &mut Report) {
    let mut first: HashMap<&str, &Range<usize>> = HashMap::new();
    for account in all.iter().filter(|account| account.enabled()) {
        let Some(node) = account.table.get("protocol") else { continue };
        let Some(spec) = node.as_text().and_then(|name| registry.protocol(name)).filter(|spec| spec.only_one) else {
            continue;
        };
        match first.get(spec.name) {
            None => drop(first.insert(spec.name, &node.span)),
            Some(earlier) => report.mistake(
                Diagnostic::new(
                    codes::ONE_TERMINAL,
                    &node.span,
                    format!("a second account wants the one {}", spec.name),
                )
                .label("it is taken")
                .help("set `enabled = false` in all but one of them")
                .also(earlier, "taken here"),
            ),
        }
    }
}

/// Warnings about settings that nothing reads.
fn unused(root: &Table, all: &[Account<'_>], registry: &Registry, report: &mut Report) {
    let mut warn = |entry: &Entry, message: String| {
        report.warning(Diagnostic::new(codes::UNUSED_SETTINGS, &entry.key_span, message).label("nothing reads this"));
    };
    let has = |list: Vec<Named<'_>>, name: &str| list.iter().any(|named| named.name == name);
    let stations = || {
        let own = registry.own_stations().map(|(name, _)| name);
        let built_in = keys::MIDDLEWARE.iter().map(|key| key.name);
        built_in.filter(|name| registry.own_stations().all(|(own, _)| own != *name)).chain(own)
    };
    let guards = |account: &Account<'_>, id: &str| registry.guard(id).is_some() && has(account.middleware(), id);
    let known = |entry: &&Entry| registry.plugin(&entry.key).is_some();
    for account in all {
        for entry in plugin_entries(account.table).iter().filter(known) {
            if !has(account.plugins(), &entry.key) && !guards(account, &entry.key) {
                warn(entry, format!("{} does not use plugin `{}`", account.title(), entry.key));
            }
        }
        for entry in stations().filter_map(|name| account.table.entry(name)) {
            if !has(account.middleware(), &entry.key) {
                warn(entry, format!("{} does not run middleware `{}`", account.title(), entry.key));
            }
        }
    }
    for entry in plugin_entries(root).iter().filter(known) {
        if !all.iter().any(|account| has(account.plugins(), &entry.key) || guards(account, &entry.key)) {
            warn(entry, format!("no account uses plugin `{}`", entry.key));
        }
    }
    for entry in stations().filter_map(|name| root.entry(name)) {
        if !all.iter().any(|account| has(account.middleware(), &entry.key)) {
            warn(entry, format!("no account runs middleware `{}`", entry.key));
        }
    }
}
