//! What does `bot.toml` say of a PC hook account, and what becomes of it?

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;
use wxbot_core::mapping::{self, Profile};
use wxbot_core::pchook::{self, AccountSettings, Callback, HookDoor, PcHook, Settings};
use wxbot_core::protocol::Protocol;
use wxbot_core::push::Door;
use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_model::span::{Rate, parse_duration};
use wxbot_model::{Capabilities, Capability, PeerId, Secret};
use wxbot_plugin::ConfigProblem;
use wxbot_runtime::config::{AccountConfig, Endpoint, Key, Kind, Pacing, Preset, ProtocolSpec, Said};
use wxbot_runtime::pacing::{Manners, WarmUp};

use crate::mapped::{self, Mapped};
use crate::server::{self, Around};

const ROOTS: &[Key] = &[
    Key::new("remote", "A folder of the hook that its media lie in, as the hook names it.", Kind::Text).required(),
    Key::new("local", "The same folder as wxbot sees it; absent: the hook runs on this machine.", Kind::Path),
];

const OPTIONS: &[Key] = &[
    Key::new(
        "server_port",
        "`ServerPort` of the instance: 30001 for the first. A push of another one is refused.",
        Kind::Integer { min: 1, max: 65_535 },
    ),
    Key::new("self_wxid", "The account's own `wxid`; absent: the first one that pushes is ours.", Kind::Text),
    Key::new("nick_name", "What the account is called, for mentions.", Kind::Text).preset(Preset::Text("")),
    Key::new(
        "push_secret",
        "What stands in the address that the hook pushes to; absent: wxbot makes one and keeps it.",
        Kind::Secret,
    ),
    Key::new("old_push_secret", "The one before it, while the hook is changed over.", Kind::Secret),
    Key::new(
        "default_path",
        "Also takes what comes to `/api/user/recive_msg`, for hooks whose address cannot be set.",
        Kind::Bool,
    )
    .preset(Preset::Bool(false)),
    Key::new(
        "callback",
        "Which form the hook is told to push: `decoded`, `raw`, or `by-hand` where it was set up otherwise.",
        Kind::Choice(&["decoded", "raw", "by-hand"]),
    )
    .preset(Preset::Text("decoded")),
    Key::new(
        "callback_base",
        "How the hook reaches wxbot, when it runs on another machine; absent: `http://` and `listen` of `[server]`.",
        Kind::Url { schemes: &["http", "https"] },
    ),
    Key::new("timeout", "How long an action may take that does not say it itself.", Kind::Duration)
        .preset(Preset::Text("15s")),
    Key::new("max_concurrency", "How many actions at a time.", Kind::Integer { min: 1, max: 64 })
        .preset(Preset::Integer(1)),
    Key::new("compat_keys", "Sends a text's receiver under every name that hooks know it by.", Kind::Bool)
        .preset(Preset::Bool(false)),
    Key::new("path_map", "Folders that wxbot and the hook both see.", Kind::List(&Kind::Table(mapped::PATHS))),
    Key::new(
        "media_base_url",
        "An address under which the hook can fetch the files of wxbot's media folder.",
        Kind::Url { schemes: &["http", "https"] },
    ),
    Key::new(
        "media_roots",
        "Where received media lie; nothing else of the hook is opened.",
        Kind::List(&Kind::Table(ROOTS)),
    ),
    mapped::MEDIA_HOSTS,
    Key::new("headers", "Headers of every request to the hook.", Kind::Map(&Kind::Text)),
    Key::new("actions", "Actions by name, in place of the profile's.", Kind::Settings),
];

/// Where a hook listens when nobody says otherwise: the first instance on this machine.
const PORT: u64 = 30_001;

/// As a fast person types: the hook presses the keys of a real client.
const PACING: Pacing =
    Pacing::new(Rate::new(1, Duration::from_secs(1)), 3, Rate::new(20, MINUTE), Duration::from_secs(600))
        // The phone's own login is nobody's news here: a client that is hooked stays logged in.
        .with(Manners { warm_up: WarmUp::NONE, ..Manners::PERSON });
const MINUTE: Duration = Duration::from_secs(60);

/// What configuration knows of it.
pub(crate) fn spec() -> ProtocolSpec {
    ProtocolSpec {
        name: "pc-hook",
        about: "A hook inside the Windows client: it pushes by HTTP and takes actions by HTTP",
        profiles: &["v3", "v4", "none"],
        capabilities: pchook::capabilities(Profile::V3.actions()),
        judge: Some(judge),
        supplies: Some(supplies),
        direct_only: None,
        simulated: false,
        takes_endpoint: true,
        takes_proxy: false,
        only_one: false,
        options: OPTIONS,
        pacing: PACING,
    }
}

fn profile_of(word: Option<&str>) -> Profile {
    Profile::PC_HOOK.into_iter().find(|profile| Some(profile.word()) == word).unwrap_or(Profile::V3)
}

/// The actions that give an account what it lacks.
fn supplies(_profile: Option<&str>, capability: Capability) -> &'static [&'static str] {
    mapping::actions_of(capability)
}

fn judge(said: &Said<'_>) -> Result<Capabilities, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let text = |key: &str| said.options.get(key).and_then(Value::as_str).unwrap_or_default();
    if let Err(error) = text("self_wxid").parse::<PeerId>()
        && !text("self_wxid").is_empty()
    {
        problems.push(ConfigProblem::at("/self_wxid", format!("`self_wxid`: {error}")));
    }
    let shared = said.options.get("default_path").and_then(Value::as_bool).unwrap_or(false);
    if shared && text("self_wxid").is_empty() && said.options.get("server_port").is_none_or(Value::is_null) {
        problems.push(
            ConfigProblem::at("/default_path", "at the address that all share nobody could tell whose a push is")
                .help("give the instance's `server_port`, or the account's `self_wxid`"),
        );
    }
    let actions = mapped::judge(profile_of(said.profile), said);
    match (actions, problems.is_empty()) {
        (Ok(actions), true) => Ok(pchook::capabilities(&actions)),
        (actions, _) => Err(problems.into_iter().chain(actions.err().unwrap_or_default()).collect()),
    }
}

/// What an account says of the pushes that are its own.
fn pushes(account: &AccountConfig) -> Settings {
    let text = |key: &str| account.options.get(key).and_then(Value::as_str).unwrap_or_default();
    let port = account.options.get("server_port").and_then(Value::as_u64);
    Settings {
        server_port: port.and_then(|port| u16::try_from(port).ok()),
        self_wxid: text("self_wxid").parse().ok(),
        nick_name: text("nick_name").to_owned(),
        offset_s: None,
    }
}

fn default_path(account: &AccountConfig) -> bool {
    account.options.get("default_path").and_then(Value::as_bool).unwrap_or(false)
}

/// What is let in to an account, for whom nothing else of it is.
///
/// # Errors
/// When a secret of its address cannot be read.
pub(crate) fn door(account: &AccountConfig, around: &Around) -> Result<Arc<dyn Door>, String> {
    let secrets = server::push_secrets(account, around)?;
    Ok(Arc::new(HookDoor::new(&pushes(account), secrets, default_path(account))))
}

/// The protocol of one account.
///
/// # Errors
/// When a secret cannot be read.
pub(crate) fn protocol(
    account: &AccountConfig,
    around: &Around,
    transport: Arc<dyn Transport>,
    source: &Source,
) -> Result<Arc<dyn Protocol>, String> {
    let text = |key: &str| account.options.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| account.options.get(key).and_then(Value::as_u64);
    let profile = profile_of(account.profile.as_deref());
    let Mapped { actions, headers, secrets: named_secrets } = mapped::read(profile, account)?;
    let secrets = server::push_secrets(account, around)?;
    let address = |secret: &Secret<String>| {
        let base = if text("callback_base").is_empty() { around.base.as_str() } else { text("callback_base") };
        Secret::new(format!("{}/push/{}/{}", base.trim_end_matches('/'), account.name, secret.expose()))
    };
    let mode = if text("callback") == "raw" { "2" } else { "1" };
    let callback = secrets.first().filter(|_| text("callback") != "by-hand");
    let base = match &account.endpoint {
        Some(Endpoint::Url(url)) => Some(url.clone()),
        // The port that pushes name is the one that the instance listens on.
        Some(Endpoint::Sim) | None => {
            Url::parse(&format!("http://127.0.0.1:{}", number("server_port").unwrap_or(PORT))).ok()
        }
    };
    let settings = AccountSettings {
        account: account.name.to_string(),
        pushes: pushes(account),
        callback: callback.map(|secret| Callback { url: address(secret), mode }),
        secrets,
        default_path: default_path(account),
        profile: profile.word().to_owned(),
        actions,
        base: base.ok_or("there is no address of the hook")?,
        headers,
        named_secrets,
        timeout: parse_duration(text("timeout")).unwrap_or(Duration::from_secs(15)),
        max_concurrency: number("max_concurrency").and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        way: mapped::way(account, around),
        media_roots: roots(account, &around.folder),
        outward: mapped::outward(account)?,
    };
    Ok(Arc::new(PcHook::new(settings, transport, source.clone())))
}

fn roots(account: &AccountConfig, folder: &Path) -> Vec<(String, PathBuf)> {
    let root = |(local, remote): (&str, &str)| {
        let local = if local.is_empty() { PathBuf::from(remote) } else { mapped::absolute(folder, local) };
        (remote.to_owned(), local)
    };
    mapped::tables(account, "media_roots").map(root).collect()
}
