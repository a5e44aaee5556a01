//! Which actions does wxbot bring along? One table per generation of a service, in the words of `bot.toml`.

use std::sync::OnceLock;

use serde_json::Value;

use super::map::ActionMap;
use super::outgoing::Dialect;

/// A table of actions that comes with wxbot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// PC hook for clients 3.6 to 3.9.
    V3,
    /// PC hook for clients 4.1.
    V4,
    /// The WeCom service that answers below `/wxwork/`.
    WxWork,
    /// The WeCom gateway whose bodies are known and whose paths are not.
    QwApi,
    /// Nothing: the owner maps everything.
    None,
}

impl Profile {
    /// Those of PC hook accounts; the first is what an account gets that says nothing.
    pub const PC_HOOK: [Self; 3] = [Self::V3, Self::V4, Self::None];
    /// Those of WeCom accounts that are asked by tables.
    pub const WECOM: [Self; 3] = [Self::WxWork, Self::QwApi, Self::None];

    /// Its name in `bot.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::V3 => "v3",
            Self::V4 => "v4",
            Self::WxWork => "wxwork",
            Self::QwApi => "qw-api",
            Self::None => "none",
        }
    }

    /// Its actions.
    pub fn actions(self) -> &'static ActionMap {
        static READ: [OnceLock<ActionMap>; 5] = [const { OnceLock::new() }; 5];
        let [v3, v4, wxwork, qw_api, none] = &READ;
        match self {
            Self::V3 => v3.get_or_init(|| read(include_str!("pc-hook-v3.toml"))),
            Self::V4 => v4.get_or_init(|| read(include_str!("pc-hook-v4.toml"))),
            Self::WxWork => wxwork.get_or_init(|| read(include_str!("wecom-wxwork.toml"))),
            Self::QwApi => qw_api.get_or_init(|| read(include_str!("wecom-qw-api.toml"))),
            Self::None => none.get_or_init(ActionMap::none),
        }
    }

    /// How its service writes ids of rooms.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::V3 | Self::V4 | Self::None => Dialect::Plain,
            Self::WxWork => Dialect::Number,
            Self::QwApi => Dialect::Lettered,
        }
    }

    /// The actions again, with texts that suit every hook where they send `wxid`, `wxidorgid` and `toid` together
    /// (`compat_keys = true`). No action of another profile changes.
    pub fn with_compat_keys(self) -> ActionMap {
        let actions = self.actions().clone();
        if !matches!(self, Self::V3 | Self::V4) {
            return actions;
        }
        let keys = serde_json::json!({ "wxid": "{{to}}", "wxidorgid": "{{to}}", "toid": "{{to}}", "msg": "{{text}}" });
        let texts = serde_json::json!({ "send_text": [
            { "when": { "to_suffix": "@openim" }, "path": "/SendTextMsg_NoSrc", "body": keys },
            { "path": "/SendTextMsg", "body": keys },
        ] });
        actions.with(&texts, &std::collections::BTreeSet::new()).unwrap_or(actions)
    }
}

/// Tables that come with wxbot are right: the tests read each of them.
fn read(text: &str) -> ActionMap {
    let table = text.parse::<toml::Table>().ok().and_then(|table| serde_json::to_value(table).ok());
    let actions = table.as_ref().and_then(|table| table.get("actions")).unwrap_or(&Value::Null);
    ActionMap::profile(actions).unwrap_or_default()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
