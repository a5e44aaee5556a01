//! What does `bot.toml` say of a WeCom account, and what becomes of it?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wxbot_core::mapping::{self, EngineSettings, Profile};
use wxbot_core::protocol::Protocol;
use wxbot_core::push::{Door, NOBODY};
use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_core::wecom::app::CallbackSettings;
use wxbot_core::wecom::callback::Audience;
use wxbot_core::wecom::door::{GatewayDoor, SealedDoor};
use wxbot_core::wecom::{
    self, Application, ApplicationSettings, Callback, Gateway, GatewaySettings, GroupRobot, GroupRobotSettings, Keys,
    SmartRobot, SmartRobotSettings, Unnamed, endpoint as places,
};
use wxbot_model::span::{Rate, parse_duration};
use wxbot_model::{Capabilities, Capability, PeerId, Secret};
use wxbot_plugin::ConfigProblem;
use wxbot_runtime::config::{AccountConfig, Endpoint, Key, Kind, Pacing, Preset, ProtocolSpec, Said};
use wxbot_runtime::pacing::{Manners, WarmUp};

use crate::mapped::{self, Mapped};
use crate::server::{self, Around};

const OPTIONS: &[Key] = &[
    Key::new("self_id", "The account's own id, behind a gateway; absent: it is learnt from messages.", Kind::Text),
    Key::new("nick_name", "What the account is called, for mentions.", Kind::Text).preset(Preset::Text("")),
    Key::new("session_id", "The login of a `qw-api` gateway, until a push names another.", Kind::Secret),
    Key::new("instance", "The instance of a `wxwork` service (`uuid`).", Kind::Secret),
    Key::new("corp_id", "The corporation of an application.", Kind::Text),
    Key::new("agent_id", "The application within it.", Kind::Integer { min: 1, max: i64::MAX }),
    Key::new("corp_secret", "What an application's access tokens are fetched with.", Kind::Secret),
    Key::new("callback_token", "`Token` of an application's or smart robot's callback.", Kind::Secret),
    Key::new("callback_aes_key", "`EncodingAESKey` of the callback, 43 characters.", Kind::Secret),
    Key::new(
        "rooms",
        "Group robots: names of the owner's choice, each with the robot's key in that group.",
        Kind::Map(&Kind::Secret),
    ),
    Key::new("app_rooms", "Rooms that an application made before, by `chatid`.", Kind::List(&Kind::Text))
        .preset(Preset::Texts(&[])),
    Key::new(
        "push_secret",
        "What stands in the address that the service pushes to; absent: wxbot makes one and keeps it.",
        Kind::Secret,
    ),
    Key::new("old_push_secret", "The one before it, while the service is changed over.", Kind::Secret),
    Key::new("timeout", "How long an action may take that does not say it itself.", Kind::Duration)
        .preset(Preset::Text("15s")),
    Key::new("max_concurrency", "How many actions at a time, behind a gateway.", Kind::Integer { min: 1, max: 64 })
        .preset(Preset::Integer(1)),
    Key::new("path_map", "Folders that wxbot and the gateway both see.", Kind::List(&Kind::Table(mapped::PATHS))),
    Key::new(
        "media_base_url",
        "An address under which the gateway can fetch the files of wxbot's media folder.",
        Kind::Url { schemes: &["http", "https"] },
    ),
    mapped::MEDIA_HOSTS,
    Key::new("headers", "Headers of every request to a gateway.", Kind::Map(&Kind::Text)),
    Key::new("actions", "Actions by name, in place of the profile's.", Kind::Settings),
];

/// What the service itself allows group robots.
const PACING: Pacing =
    Pacing::new(Rate::new(1, Duration::from_secs(1)), 5, Rate::new(20, MINUTE), Duration::from_secs(600))
        // Robots and applications log in with keys, which makes nobody suspicious.
        .with(Manners { warm_up: WarmUp::NONE, ..Manners::PERSON });
const MINUTE: Duration = Duration::from_secs(60);

/// What configuration knows of it.
pub(crate) fn spec() -> ProtocolSpec {
    ProtocolSpec {
        name: "wecom",
        about: "WeCom: a gateway that pushes, or the official robots and applications",
        profiles: &["robot", "app", "aibot", "qw-api", "wxwork", "none"],
        capabilities: Capability::ALL.into_iter().collect(),
        judge: Some(judge),
        supplies: Some(supplies),
        direct_only: None,
        simulated: false,
        takes_endpoint: true,
        takes_proxy: true,
        only_one: false,
        options: OPTIONS,
        pacing: PACING,
    }
}

/// Whether the service of this account pushes: a group robot only sends.
pub(crate) fn is_pushed(account: &AccountConfig) -> bool {
    match account.profile.as_deref() {
        Some("robot") => false,
        Some("app") => account.options.contains_key("callback_token"),
        Some(_) | None => true,
    }
}

fn gateway(word: Option<&str>) -> Option<Profile> {
    Profile::WECOM.into_iter().find(|profile| Some(profile.word()) == word)
}

/// The actions that give an account behind a gateway what it lacks. The service's own accounts have no others than theirs.
fn supplies(profile: Option<&str>, capability: Capability) -> &'static [&'static str] {
    if gateway(profile).is_some() { mapping::actions_of(capability) } else { &[] }
}

fn judge(said: &Said<'_>) -> Result<Capabilities, Vec<ConfigProblem>> {
    let missing = |keys: &[&str]| -> Vec<ConfigProblem> {
        let absent = keys.iter().filter(|key| said.options.get(**key).is_none_or(Value::is_null));
        let tell = |key: &&str| {
            let profile = said.profile.unwrap_or_default();
            ConfigProblem::at("/profile", format!("profile `{profile}` needs `{key}`"))
                .help(format!("add `{key}`; the guide says where the management console shows it"))
        };
        absent.map(tell).collect()
    };
    let told =
        |problems: Vec<ConfigProblem>, can: Capabilities| if problems.is_empty() { Ok(can) } else { Err(problems) };
    let unnamed = names(said);
    let told = |mut problems: Vec<ConfigProblem>, can| {
        problems.extend(unnamed.iter().cloned());
        told(problems, can)
    };
    let all = |list: &[Capability]| list.iter().copied().fold(Capabilities::none(), Capabilities::with);
    let sends = [Capability::SendText, Capability::SendImage, Capability::SendFile, Capability::SendLink];
    if let Some(profile) = gateway(said.profile) {
        let actions = match mapped::judge(profile, said) {
            Ok(actions) => actions,
            Err(problems) => return told(problems, Capabilities::none()),
        };
        return told(Vec::new(), wecom::capabilities(&actions));
    }
    match said.profile {
        Some("robot") => {
            let no_room = said.options.get("rooms").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty);
            let problems = if no_room { missing(&["rooms"]) } else { Vec::new() };
            told(problems, all(&sends).with(Capability::Mention))
        }
        Some("app") => {
            let mut problems = missing(&["corp_id", "agent_id", "corp_secret"]);
            let hears = said.options.contains_key("callback_token");
            if hears != said.options.contains_key("callback_aes_key") {
                problems.extend(missing(&["callback_token", "callback_aes_key"]));
            }
            let rooms = [
                Capability::SendVideo,
                Capability::Recall,
                Capability::CreateRoom,
                Capability::AddMembers,
                Capability::RemoveMembers,
                Capability::RenameRoom,
            ];
            let can = rooms.into_iter().fold(all(&sends), Capabilities::with);
            // Of what comes, pictures have an address.
            let heard = [Capability::PrivateMessages, Capability::FetchMedia];
            told(problems, if hears { heard.into_iter().fold(can, Capabilities::with) } else { can })
        }
        Some("aibot") => {
            let hears = [
                Capability::PrivateMessages,
                Capability::GroupMessages,
                Capability::SendText,
                Capability::SendLink,
                Capability::Mention,
            ];
            told(missing(&["callback_token", "callback_aes_key"]), all(&hears))
        }
        Some(_) | None => Ok(Capabilities::none()),
    }
}

/// What is let in to an account, for whom nothing else of it is; `None` where nothing is pushed to it. Sealed callbacks are
/// opened here, so their token and key are read; the corporation's secret is not.
///
/// # Errors
/// When a secret of its address or of its callbacks cannot be read, or is none.
pub(crate) fn door(account: &AccountConfig, around: &Around) -> Result<Option<Arc<dyn Door>>, String> {
    if !is_pushed(account) {
        return Ok(None);
    }
    let path_secrets = server::push_secrets(account, around)?;
    if gateway(account.profile.as_deref()).is_some() {
        let door = GatewayDoor::new(account.name.to_string(), Arc::clone(&around.tokens), path_secrets);
        return Ok(Some(Arc::new(door)));
    }
    let secret = |key: &str| {
        let from = account.options.get(key).and_then(|value| server::source(value, &around.folder));
        let from = from.ok_or_else(|| format!("`{key}` of account `{}` is missing", account.name))?;
        server::secret(key, &from)
    };
    let receiver = account.options.get("corp_id").and_then(Value::as_str).unwrap_or_default();
    let (audience, receiver) = match account.profile.as_deref() {
        Some("aibot") => (Audience::Robot, String::new()),
        Some(_) | None => (Audience::Application, receiver.to_owned()),
    };
    let keys = Keys::new(secret("callback_token")?, &secret("callback_aes_key")?, receiver)
        .map_err(|error| format!("account `{}`: {error}", account.name))?;
    let me = NOBODY.parse().map_err(|error| format!("account `{}`: {error}", account.name))?;
    Ok(Some(Arc::new(SealedDoor::new(Arc::new(Callback::new(keys, audience, me)), path_secrets))))
}

/// Names and ids that are none, each at its place.
fn names(said: &Said<'_>) -> Vec<ConfigProblem> {
    let wrong = |pointer: String, id: &str, key: &str, cure: &str| {
        let error = id.parse::<PeerId>().err()?;
        Some(ConfigProblem::at(pointer, format!("`{key}`: {error}")).help(cure))
    };
    let rooms = said.options.get("rooms").and_then(Value::as_object);
    let rooms = rooms.into_iter().flatten().filter_map(|(name, _)| {
        let pointer = format!("/rooms/{}", name.replace('~', "~0").replace('/', "~1"));
        wrong(pointer, name, "rooms", "the name is yours to choose: letters, digits and `-` do")
    });
    let made = said.options.get("app_rooms").and_then(Value::as_array);
    let made = made.into_iter().flatten().enumerate().filter_map(|(nth, room)| {
        let cure = "write the `chatid` that the service gave when the room was made";
        wrong(format!("/app_rooms/{nth}"), room.as_str()?, "app_rooms", cure)
    });
    let own = said.options.get("self_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let own =
        own.and_then(|id| wrong("/self_id".to_owned(), id, "self_id", "write the account's own id, digits alone"));
    rooms.chain(made).chain(own).collect()
}

/// The protocol of one account.
///
/// # Errors
/// When a secret cannot be read, or is none.
pub(crate) fn protocol(
    account: &AccountConfig,
    around: &Around,
    transport: Arc<dyn Transport>,
    source: &Source,
) -> Result<Arc<dyn Protocol>, String> {
    let text = |key: &str| account.options.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| account.options.get(key).and_then(Value::as_u64);
    let secret = |key: &str| -> Result<Option<Secret<String>>, String> {
        let from = account.options.get(key).and_then(|value| server::source(value, &around.folder));
        from.map(|from| server::secret(key, &from)).transpose()
    };
    let needed = |key: &str| secret(key)?.ok_or_else(|| format!("`{key}` of account `{}` is missing", account.name));
    let bad_key = |error: &dyn std::error::Error| format!("account `{}`: {error}", account.name);
    let timeout = parse_duration(text("timeout")).unwrap_or(Duration::from_secs(15));
    let endpoint = match &account.endpoint {
        Some(Endpoint::Url(url)) => Some(url.clone()),
        // Refused by the check: it is not simulated.
        Some(Endpoint::Sim) => None,
        None => None,
    };
    let official_endpoint = || endpoint.clone().unwrap_or_else(places::official);
    let callback = || -> Result<CallbackSettings, String> {
        Ok(CallbackSettings {
            token: needed("callback_token")?,
            aes_key: needed("callback_aes_key")?,
            path_secrets: server::push_secrets(account, around)?,
        })
    };
    if let Some(profile) = gateway(account.profile.as_deref()) {
        let Mapped { actions, headers, secrets } = mapped::read(profile, account)?;
        let engine = EngineSettings {
            account: account.name.to_string(),
            protocol: "wecom",
            profile: profile.word().to_owned(),
            actions,
            base: endpoint
                .ok_or_else(|| format!("account `{}` needs `endpoint`: where its gateway is", account.name))?,
            headers,
            secrets,
            timeout,
            max_concurrency: number("max_concurrency").and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        };
        let settings = GatewaySettings {
            engine,
            profile,
            self_id: text("self_id").parse().ok(),
            nick_name: text("nick_name").to_owned(),
            session_id: secret("session_id")?,
            instance: secret("instance")?,
            path_secrets: server::push_secrets(account, around)?,
            way: mapped::way(account, around),
            outward: mapped::outward(account)?,
        };
        return Ok(Arc::new(Gateway::new(
            settings,
            transport,
            source.clone(),
            Arc::clone(&around.tokens),
            Arc::new(Unnamed),
        )));
    }
    let name = account.name.to_string();
    Ok(match account.profile.as_deref() {
        Some("app") => {
            let heard = account.options.contains_key("callback_token");
            let settings = ApplicationSettings {
                account: name,
                endpoint: official_endpoint(),
                corp_id: text("corp_id").to_owned(),
                agent_id: number("agent_id").unwrap_or_default(),
                corp_secret: needed("corp_secret")?,
                callback: heard.then(callback).transpose()?,
                rooms: rooms(account),
                timeout,
                outward: mapped::outward(account)?,
            };
            Arc::new(Application::new(settings, transport, source.clone()).map_err(|error| bad_key(&error))?)
        }
        Some("aibot") => {
            let settings = SmartRobotSettings { account: name, endpoint: official_endpoint(), callback: callback()? };
            Arc::new(SmartRobot::new(settings, transport, source.clone()).map_err(|error| bad_key(&error))?)
        }
        Some(_) | None => {
            let settings = GroupRobotSettings {
                account: name,
                endpoint: official_endpoint(),
                rooms: keys(account, around)?,
                timeout,
            };
            Arc::new(GroupRobot::new(settings, transport, source.clone()))
        }
    })
}

fn rooms(account: &AccountConfig) -> Vec<PeerId> {
    let list = account.options.get("app_rooms").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).filter_map(|room| room.parse().ok()).collect()
}

fn keys(account: &AccountConfig, around: &Around) -> Result<BTreeMap<PeerId, Secret<String>>, String> {
    let mut keys = BTreeMap::new();
    for (room, from) in account.options.get("rooms").and_then(Value::as_object).into_iter().flatten() {
        let Some(from) = server::source(from, &around.folder) else { continue };
        let peer = room.parse().map_err(|error| format!("the room `{room}` of account `{}`: {error}", account.name))?;
        keys.insert(peer, server::secret(room, &from)?);
    }
    Ok(keys)
}
