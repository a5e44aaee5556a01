//! What does a file without mistakes come to, with all defaults filled in?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use wxbot_model::size::parse_size;
use wxbot_model::span::parse_duration;
use wxbot_plugin::Place;

use super::alerts;
use super::check;
use super::keys;
use super::pacing;
use super::plugins;
use super::registry::Registry;
use super::roles;
use super::server;
use super::settings::{
    AccountConfig, ArchivePolicy, ArchiveSettings, Config, MediaSettings, MiddlewareUse, OnUncertain, PluginUse,
    SecretSource, StoreSettings,
};
use super::stations;
use super::store;
use super::tree::Table;
use super::view::{Account, Named, accounts, plugin_entries};

/// Builds what the checks have passed. What they would have refused is left out.
pub(super) fn config(root: &Table, file: &Path, registry: &Registry) -> Config {
    Config {
        file: file.to_owned(),
        data_dir: data_dir(root, file),
        media: media(root.table("media")),
        keep: store::build(root),
        archive: archive(root.table("archive")),
        store: store(root.table("store")),
        libraries: libraries(root, file),
        server: server::build(root),
        alerts: alerts::build(root, file),
        accounts: accounts(root, registry).iter().filter_map(|account| one(account, file, registry)).collect(),
    }
}

fn libraries(root: &Table, file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let paths = plugin_entries(root).iter().filter_map(|entry| entry.node.as_table()?.text("path"));
    paths.map(|path| folder.join(path)).collect()
}

/// Relative to the folder of the file.
pub(super) fn data_dir(root: &Table, file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(root.text("data_dir").unwrap_or("data"))
}

fn media(table: Option<&Table>) -> MediaSettings {
    let mut settings = MediaSettings::default();
    let text = |key| table.and_then(|table| table.text(key));
    if let Some(bytes) = text("max_size").and_then(|text| parse_size(text).ok()) {
        settings.max_size = bytes;
    }
    if let Some(keep) = text("keep").and_then(|text| parse_duration(text).ok()) {
        settings.keep = keep;
    }
    settings
}

fn archive(table: Option<&Table>) -> ArchiveSettings {
    let keep = table.and_then(|table| table.text("keep")).and_then(|text| parse_duration(text).ok());
    keep.map_or_else(ArchiveSettings::default, |keep| ArchiveSettings { keep })
}

fn archive_policy(account: &Account<'_>) -> ArchivePolicy {
    let common = account.root.table("archive").and_then(|table| table.text("policy"));
    match account.table.text("archive").or(common) {
        Some("metadata") => ArchivePolicy::Metadata,
        Some("full") => ArchivePolicy::Full,
        Some(_) | None => ArchivePolicy::Off,
    }
}

fn store(table: Option<&Table>) -> StoreSettings {
    let reserve = table.and_then(|table| table.text("reserve")).and_then(|text| parse_size(text).ok());
    reserve.map_or_else(StoreSettings::default, |reserve| StoreSettings { reserve })
}

fn one(account: &Account<'_>, file: &Path, registry: &Registry) -> Option<AccountConfig> {
    let spec = account.protocol?;
    let table = account.table;
    let only_profile = if let [profile] = spec.profiles { Some(*profile) } else { None };
    Some(AccountConfig {
        name: table.text("name")?.parse().ok()?,
        protocol: spec.name.to_owned(),
        profile: table.text("profile").or(only_profile).map(str::to_owned),
        endpoint: table.text("endpoint").and_then(|text| check::endpoint(text).ok()),
        proxy: table.text("proxy").and_then(check::proxy),
        enabled: account.enabled(),
        plugins: plugins_of(account.plugins(), account, file, registry),
        middleware: middleware(account, file, registry),
        guards: {
            let mut stations = account.middleware();
            stations.retain(|named| registry.guard(named.name).is_some());
            plugins_of(stations, account, file, registry)
        },
        pacing: pacing::pacing(account, spec.pacing),
        quiet: pacing::quiet(account),
        on_uncertain: match table.text("on_uncertain") {
            Some("resend") => OnUncertain::Resend,
            Some("drop") => OnUncertain::Drop,
            Some(_) | None => OnUncertain::Hold,
        },
        typing: table.get("typing").is_none_or(|node| node.json() != Value::Bool(false)),
        archive: archive_policy(account),
        roles: roles::build(table.table("roles"), spec.only_one),
        builtin: account.root.get("builtin").is_none_or(|node| node.json() != Value::Bool(false)),
        prefixes: plugins::prefixes(account.root),
        options: options(table, spec.options),
        secrets: secrets(table, file.parent().unwrap_or(Path::new(""))),
    })
}

/// How these plugins are used by the account.
fn plugins_of(named: Vec<Named<'_>>, account: &Account<'_>, file: &Path, registry: &Registry) -> Vec<PluginUse> {
    let known = named.into_iter().filter_map(|named| Some((named, registry.plugin(named.name)?)));
    known
        .map(|(named, plugin)| {
            let (common, own) = account.plugin_settings(named.name);
            let settings = plugins::settings(common.map(|entry| &entry.node), own.map(|entry| &entry.node));
            let (init, plugin) = (plugins::init(account.root, file), plugin.clone());
            PluginUse { id: named.name.to_owned(), settings, init, plugin }
        })
        .collect()
}

fn middleware(account: &Account<'_>, file: &Path, registry: &Registry) -> Vec<MiddlewareUse> {
    let layers = |name: &str| {
        if registry.station(name).is_some_and(|station| station.own.is_some()) {
            return stations::settings(account, name);
        }
        let mut settings = keys::presets(keys::middleware(name));
        for table in [account.root, account.table] {
            settings.extend(table.table(name).map(Table::json).unwrap_or_default());
        }
        Value::Object(settings)
    };
    let list = account.middleware();
    let used = |name: &str| {
        // Where they stand is nothing to a built-in one: it is not made anew because of that.
        let own = registry.station(name).is_some_and(|station| station.own.is_some());
        let place = if own { stations::place(file) } else { Place::default() };
        let own = registry.station(name).and_then(|station| station.own);
        MiddlewareUse { name: name.to_owned(), settings: layers(name), place, own }
    };
    list.iter().map(|named| used(named.name)).collect()
}

pub(super) fn options(table: &Table, keys: &[keys::Key]) -> Map<String, Value> {
    let mut options = keys::presets(keys);
    for key in keys {
        if let Some(node) = table.get(key.name) {
            options.insert(key.name.to_owned(), node.json());
        }
    }
    options
}

fn secrets(table: &Table, folder: &Path) -> BTreeMap<String, SecretSource> {
    let entries = table.table("secrets").map_or([].as_slice(), |secrets| &secrets.entries);
    let source = |source: &Table| match (source.text("env"), source.text("file")) {
        (Some(name), _) => Some(SecretSource::Env(name.to_owned())),
        (None, Some(path)) => Some(SecretSource::File(folder.join(path))),
        (None, None) => None,
    };
    entries.iter().filter_map(|entry| Some((entry.key.clone(), source(entry.node.as_table()?)?))).collect()
}
