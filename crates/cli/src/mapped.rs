//! What do accounts say whose services are asked by tables? Actions, headers, secrets and folders, alike for PC hooks and
//! WeCom gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;
use wxbot_core::http::Outward;
use wxbot_core::mapping::{ActionMap, Headers, MediaWay, PathPair, Problem, Profile, Served};
use wxbot_model::Secret;
use wxbot_plugin::ConfigProblem;
use wxbot_runtime::config::{AccountConfig, Endpoint, Key, Kind, Said};

use crate::server::{self, Around};

pub(crate) const PATHS: &[Key] = &[
    Key::new("local", "The folder as wxbot sees it, relative to this file.", Kind::Path).required(),
    Key::new("remote", "The same folder as the hook sees it, like `Z:\\media`.", Kind::Text).required(),
];

/// Where bytes are fetched from beside public addresses.
pub(crate) const MEDIA_HOSTS: Key = Key::new(
    "media_hosts",
    "Places of one's own that addresses in messages may lead to, like `http://192.168.1.20:8080`; public ones need none.",
    Kind::List(&Kind::Url { schemes: &["http", "https"] }),
);

/// What an account's tables come to.
pub(crate) struct Mapped {
    pub(crate) actions: ActionMap,
    pub(crate) headers: Headers,
    /// What `{{secret.NAME}}` may name.
    pub(crate) secrets: BTreeMap<String, Secret<String>>,
}

fn actions(
    profile: Profile,
    options: &Map<String, Value>,
    secrets: &BTreeSet<String>,
) -> Result<ActionMap, Vec<Problem>> {
    let compat = options.get("compat_keys").and_then(Value::as_bool).unwrap_or(false);
    let actions = if compat { profile.with_compat_keys() } else { profile.actions().clone() };
    match options.get("actions") {
        Some(own) => actions.with(own, secrets),
        None => Ok(actions),
    }
}

fn headers(options: &Map<String, Value>, secrets: &BTreeSet<String>) -> Result<Headers, Vec<Problem>> {
    options.get("headers").map_or_else(|| Ok(Headers::default()), |headers| Headers::read(headers, secrets))
}

/// All that is wrong with an account's tables; else its actions.
pub(crate) fn judge(profile: Profile, said: &Said<'_>) -> Result<ActionMap, Vec<ConfigProblem>> {
    let below = |at: &str, problems: Vec<Problem>| -> Vec<ConfigProblem> {
        let tell = |problem: Problem| {
            ConfigProblem::at(format!("/{at}{}", problem.pointer), problem.message).help(problem.help)
        };
        problems.into_iter().map(tell).collect()
    };
    let actions = actions(profile, said.options, said.secrets).map_err(|wrong| below("actions", wrong));
    let headers = headers(said.options, said.secrets).map_err(|wrong| below("headers", wrong));
    match (actions, headers) {
        (Ok(actions), Ok(_)) => Ok(actions),
        (actions, headers) => Err([actions.err(), headers.err()].into_iter().flatten().flatten().collect()),
    }
}

/// Reads an account's tables, and its secrets from where they are.
pub(crate) fn read(profile: Profile, account: &AccountConfig) -> Result<Mapped, String> {
    let names: BTreeSet<String> = account.secrets.keys().cloned().collect();
    let wrong = |problems: Vec<Problem>| problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ");
    let mut secrets = BTreeMap::new();
    for (name, from) in &account.secrets {
        secrets.insert(name.clone(), server::secret(name, from)?);
    }
    let actions = actions(profile, &account.options, &names).map_err(wrong)?;
    Ok(Mapped { actions, headers: headers(&account.options, &names).map_err(wrong)?, secrets })
}

/// The pairs of folders under a key: as wxbot sees them, as the service does.
pub(crate) fn tables<'a>(account: &'a AccountConfig, key: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let list = account.options.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|table| {
        let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default();
        (text("local"), text("remote"))
    })
}

/// How the service reaches files that wxbot sends.
pub(crate) fn way(account: &AccountConfig, around: &Around) -> MediaWay {
    let base = account.options.get("media_base_url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let here = match &account.endpoint {
        Some(Endpoint::Url(url)) => matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        Some(Endpoint::Sim) | None => true,
    };
    MediaWay {
        path_map: tables(account, "path_map")
            .map(|(local, remote)| PathPair { local: absolute(&around.folder, local), remote: remote.to_owned() })
            .collect(),
        served: base.map(|url| Served { local: around.media.clone(), url }),
        same_machine: here,
    }
}

/// Who fetches what messages have an address of: from public places, and from those that the owner wrote.
///
/// # Errors
/// When the account's proxy cannot be used.
pub(crate) fn outward(account: &AccountConfig) -> Result<Arc<Outward>, String> {
    let hosts = account.options.get("media_hosts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let own = account.options.get("media_base_url").into_iter().chain(hosts);
    let own = own.filter_map(Value::as_str).filter_map(|url| Url::parse(url).ok()).collect();
    Outward::new(account.proxy.as_ref(), own).map(Arc::new).map_err(|error| error.to_string())
}

/// A path of `bot.toml`, whole.
pub(crate) fn absolute(folder: &Path, path: &str) -> PathBuf {
    let path = folder.join(path);
    std::path::absolute(&path).unwrap_or(path)
}
