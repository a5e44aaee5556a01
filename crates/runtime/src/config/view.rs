//! What does an account say, and what holds where it says nothing? The one place that knows which table covers which.

use std::ops::Range;

use wxbot_model::{Capabilities, Capability};
use wxbot_plugin::ConfigProblem;

use super::build;
use super::diagnostic::quote;
use super::keys::DEFAULT_MIDDLEWARE;
use super::registry::{ProtocolSpec, Registry, Said};
use super::tree::{Entry, Node, Table};

/// Keys of a plugin's table that are not the plugin's.
pub(super) const RESERVED: &[&str] = &["path", "sha256"];

/// One `[[accounts]]` entry over the whole file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account<'t> {
    pub(super) root: &'t Table,
    pub(super) table: &'t Table,
    pub(super) header: &'t Range<usize>,
    /// None when it is absent or unknown.
    pub(super) protocol: Option<&'t ProtocolSpec>,
}

/// One name in force for an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'t> {
    pub(super) name: &'t str,
    /// Where the account itself says it.
    pub(super) said: Option<&'t Range<usize>>,
}

/// All accounts in file order.
pub(super) fn accounts<'t>(root: &'t Table, registry: &'t Registry) -> Vec<Account<'t>> {
    let list = root.get("accounts").and_then(Node::as_list).unwrap_or(&[]);
    let one = |node: &'t Node| {
        let table = node.as_table()?;
        let protocol = table.text("protocol").and_then(|name| registry.protocol(name));
        Some(Account { root, table, header: &node.span, protocol })
    };
    list.iter().filter_map(one).collect()
}

/// The tables of all `[[accounts]]`.
pub(super) fn accounts_tables(root: &Table) -> impl Iterator<Item = &Table> {
    root.get("accounts").and_then(Node::as_list).unwrap_or(&[]).iter().filter_map(Node::as_table)
}

/// The tables of `[plugins.*]` at the top level or in an account, in file order.
pub(super) fn plugin_entries(table: &Table) -> &[Entry] {
    table.table("plugins").map_or(&[], |plugins| &plugins.entries)
}

impl<'t> Account<'t> {
    /// As it is called in a sentence.
    pub(super) fn title(&self) -> String {
        self.table.text("name").map_or_else(|| "an account".to_owned(), |name| format!("account {}", quote(name)))
    }

    /// How its protocol is called where it is said what that cannot do: profiles differ.
    pub(super) fn protocol_said(&self, spec: &ProtocolSpec) -> String {
        match self.table.text("profile") {
            Some(profile) => format!("{} (profile {})", quote(spec.name), quote(profile)),
            None => quote(spec.name),
        }
    }

    /// What it can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        let known = self.protocol.map(|spec| spec.capabilities).unwrap_or_default();
        // Options that are wrong are told; what such an account could do is not the question then.
        self.judged().unwrap_or(known)
    }

    /// The actions that would give it an ability, any one of them; none where its tables have no say.
    fn supplied_by(&self, capability: Capability) -> &'static [&'static str] {
        let supplies = self.protocol.and_then(|spec| spec.supplies);
        supplies.map_or(&[], |supplies| supplies(self.profile(), capability))
    }

    /// What is missing, as a sentence says it: abilities, each with the action that its tables lack.
    pub(super) fn lacking(&self, missing: &[Capability]) -> String {
        let one = |capability: &Capability| match self.supplied_by(*capability) {
            [] => quote(capability.word()),
            actions => format!("{} (action {})", quote(capability.word()), either(actions)),
        };
        missing.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// How the owner can give it what is missing; `None` when actions cannot give all of it.
    pub(super) fn cure(&self, missing: &[Capability]) -> Option<String> {
        let table = |capability: &Capability| {
            let [action, ..] = self.supplied_by(*capability) else { return None };
            Some(format!("`[accounts.actions.{action}]`"))
        };
        let tables: Option<Vec<String>> = missing.iter().map(table).collect();
        tables.filter(|tables| !tables.is_empty()).map(|tables| format!("write {}", tables.join(" and ")))
    }

    /// Its profile: as it says, or the only one there is.
    fn profile(&self) -> Option<&'t str> {
        let only = if let Some([profile]) = self.protocol.map(|spec| spec.profiles) { Some(*profile) } else { None };
        self.table.text("profile").or(only)
    }

    /// What its protocol says of its options.
    pub(super) fn judged(&self) -> Result<Capabilities, Vec<ConfigProblem>> {
        let Some(spec) = self.protocol else { return Ok(Capabilities::none()) };
        let Some(judge) = spec.judge else { return Ok(spec.capabilities) };
        let said = Said {
            profile: self.profile(),
            options: &build::options(self.table, spec.options),
            secrets: &self
                .table
                .table("secrets")
                .into_iter()
                .flat_map(|secrets| secrets.entries.iter().map(|e| e.key.clone()))
                .collect(),
        };
        judge(&said)
    }

    pub(super) fn enabled(&self) -> bool {
        self.table.get("enabled").is_none_or(|node| node.json() != serde_json::Value::Bool(false))
    }

    /// Its plugins: its `use`, or all common tables. Unknown ones too.
    pub(super) fn plugins(&self) -> Vec<Named<'t>> {
        match self.table.get("use") {
            Some(_) => said(self.table.texts("use")),
            None => {
                plugin_entries(self.root).iter().map(|entry| Named { name: entry.key.as_str(), said: None }).collect()
            }
        }
    }

    /// Its middleware: its own list, the common one, or the default.
    pub(super) fn middleware(&self) -> Vec<Named<'t>> {
        if self.table.get("middleware").is_some() {
            return said(self.table.texts("middleware"));
        }
        match self.root.get("middleware") {
            Some(_) => unsaid(self.root.texts("middleware").unwrap_or_default().into_iter().map(|(name, _node)| name)),
            None => unsaid(DEFAULT_MIDDLEWARE.iter().copied()),
        }
    }

    /// The common settings of a plugin and its own.
    pub(super) fn plugin_settings(&self, id: &str) -> (Option<&'t Entry>, Option<&'t Entry>) {
        let find = |table: &'t Table| plugin_entries(table).iter().find(|entry| entry.key == id);
        (find(self.root), find(self.table))
    }
}

fn either(actions: &[&str]) -> String {
    actions.iter().map(|action| quote(action)).collect::<Vec<_>>().join(" or ")
}

fn said<'t>(texts: Option<Vec<(&'t str, &'t Node)>>) -> Vec<Named<'t>> {
    texts.unwrap_or_default().into_iter().map(|(name, node)| Named { name, said: Some(&node.span) }).collect()
}

fn unsaid<'t>(names: impl Iterator<Item = &'t str>) -> Vec<Named<'t>> {
    names.map(|name| Named { name, said: None }).collect()
}
