//! What is built into this binary? The only place that names protocols and plugins.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;
use wxbot_auto_reply::AutoReply;
use wxbot_core::Error;
use wxbot_core::protocol::Protocol;
use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_core::webwx::endpoint::Mode;
use wxbot_core::webwx::{self, Settings, WebWx};
use wxbot_group_admin::GroupAdmin;
use wxbot_keyword::Keyword;
use wxbot_model::span::Rate;
use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::config::{AccountConfig, Key, Kind, Pacing, Preset, ProtocolSpec, Registry};
use wxbot_runtime::middleware;
use wxbot_runtime::pacing::Manners;

use crate::server::Around;
use crate::{console, hook, ilink, server, wecom};

/// The desktop variant's opaque constant, as its client ships it. Source: `docs/protocol/webwx.md`, login.
const EXTSPAM: &str = include_str!("extspam.txt");

const WEB_OPTIONS: &[Key] = &[
    Key::new(
        "mode",
        "How the account presents itself: `desktop` (the UOS client; many accounts may log in only so) or `browser`.",
        Kind::Choice(&["desktop", "browser"]),
    )
    .preset(Preset::Text("desktop")),
    Key::new("client_version", "The `client-version` header of mode `desktop`.", Kind::Text)
        .preset(Preset::Text("2.0.0")),
    Key::new("extspam", "The `extspam` header of mode `desktop`; absent: the one that client ships.", Kind::Text),
    Key::new("user_agent", "The User-Agent; absent: the usual one of the mode.", Kind::Text),
    Key::new("mark_read", "Mark a chat read on the phone before answering in it.", Kind::Bool)
        .preset(Preset::Bool(false)),
];

const MINUTE: Duration = Duration::from_secs(60);

/// Real accounts: what a fast person types, not more.
const WEB_PACING: Pacing =
    Pacing::new(Rate::new(1, Duration::from_secs(1)), 5, Rate::new(20, MINUTE), Duration::from_secs(600))
        .with(Manners::PERSON);

/// Nobody limits a terminal.
const CONSOLE_PACING: Pacing = Pacing::new(
    Rate::new(10_000, Duration::from_secs(1)),
    1_000,
    Rate::new(10_000, Duration::from_secs(1)),
    Duration::from_secs(600),
);

/// Everything that comes with wxbot.
pub(crate) fn bundled() -> Registry {
    Registry {
        protocols: vec![
            ProtocolSpec {
                name: "web",
                about: "Web WeChat: QR login, long-poll sync",
                profiles: &[],
                capabilities: webwx::capabilities(),
                takes_endpoint: true,
                takes_proxy: true,
                only_one: false,
                judge: None,
                supplies: None,
                direct_only: None,
                simulated: true,
                options: WEB_OPTIONS,
                pacing: WEB_PACING,
            },
            hook::spec(),
            wecom::spec(),
            ilink::spec(),
            ProtocolSpec {
                name: "console",
                about: "This terminal, for trying things out",
                profiles: &[],
                capabilities: console::capabilities(),
                takes_endpoint: false,
                takes_proxy: false,
                only_one: true,
                judge: None,
                supplies: None,
                direct_only: None,
                simulated: false,
                options: &[],
                pacing: CONSOLE_PACING,
            },
        ],
        libraries: None,
        plugins: vec![
            PluginFactory::of::<AutoReply>(),
            PluginFactory::of::<Keyword>(),
            PluginFactory::of::<GroupAdmin>(),
        ],
        middleware: middleware::NAMES.to_vec(),
    }
}

/// The protocol of one account. `endpoint` is the address that stands in for the service, the simulator's included.
///
/// # Errors
/// When its settings or secrets make none.
pub(crate) fn protocol(
    account: &AccountConfig,
    endpoint: Option<Url>,
    transport: Arc<dyn Transport>,
    source: &Source,
    around: &Around,
) -> Result<Arc<dyn Protocol>, Error> {
    if server::is_pushed(account) && !around.listens {
        let why = format!("account `{}` is pushed to, and this wxbot began without a server: restart it", account.name);
        return Err(Error::Settings(why));
    }
    Ok(match account.protocol.as_str() {
        "console" => Arc::new(console::Console::new(source.clone())),
        "wecom" => wecom::protocol(account, around, transport, source).map_err(Error::Settings)?,
        "pc-hook" => hook::protocol(account, around, transport, source).map_err(Error::Settings)?,
        "ilink" => ilink::protocol(&account.options, endpoint, transport, source),
        _ => Arc::new(WebWx::new(web_settings(&account.options, endpoint), transport, source.clone())),
    })
}

/// How wide a text of this account may be, as its protocol will say once it runs.
pub(crate) fn text_limit(account: &AccountConfig) -> Option<usize> {
    (account.protocol == "ilink").then(|| ilink::text_limit(&account.options))
}

fn web_settings(options: &Map<String, Value>, endpoint: Option<Url>) -> Settings {
    let text = |key: &str| options.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    Settings {
        endpoint,
        mode: Mode {
            desktop: text("mode") != "browser",
            client_version: text("client_version"),
            extspam: or(text("extspam"), EXTSPAM.trim()),
            user_agent: text("user_agent"),
        },
        mark_read: options.get("mark_read").and_then(Value::as_bool).unwrap_or(false),
    }
}
