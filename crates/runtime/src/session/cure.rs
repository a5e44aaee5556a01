//! What can a person do about a state? In two languages, for lists, health and alerts.

use serde::{Deserialize, Serialize};
use wxbot_core::error::Risk;

use super::phase::Phase;
use crate::explain::Lang;

/// The word of a state ([`Phase::word`]) for people.
pub fn state_word(word: &str, lang: Lang) -> &str {
    let zh = match word {
        "starting" => "启动中",
        "awaiting_scan" => "等待扫码",
        "awaiting_confirm" => "等待确认",
        "awaiting_code" => "等待数字",
        "online" => "在线",
        "reconnecting" => "重连中",
        "degraded" => "故障",
        "needs_login" => "需要登录",
        "logged_out" => "已退出",
        "stopped" => "已停止",
        other => other,
    };
    match lang {
        Lang::En => word,
        Lang::Zh => zh,
    }
}

/// What a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cure {
    /// Nothing has to be done.
    Nothing,
    /// Scan the QR code.
    Scan,
    /// Confirm on the phone.
    Confirm,
    /// Type the digits that the phone shows.
    Code,
    /// Log in.
    LogIn,
    /// Log in, since the service no longer takes the token: by scanning, which ends a binding elsewhere.
    Bind,
    /// It goes on by itself; whoever does not want to wait looks at network and endpoint.
    Network,
    /// Risk control does not let this login or place in: look at the phone, log in where it may, and only then here.
    Trust,
    /// Risk control says that it was too often: rest, do less, and only then go on.
    Rest,
    /// The disk is full, or what is stored cannot be written.
    Room,
    /// wxbot, or the account in it, does not run.
    Start,
}

impl Cure {
    /// Of a state.
    pub fn of(phase: &Phase, risk: Option<Risk>) -> Self {
        match (phase, risk) {
            (Phase::NeedsLogin, Some(Risk::Forbidden)) => Self::Trust,
            (Phase::NeedsLogin, Some(Risk::TooOften)) => Self::Rest,
            (Phase::NeedsLogin | Phase::LoggedOut, _) => Self::LogIn,
            (Phase::AwaitingScan { payload, .. }, _) if !payload.is_empty() => Self::Scan,
            (Phase::AwaitingScan { .. } | Phase::AwaitingConfirm, _) => Self::Confirm,
            (Phase::AwaitingCode { .. }, _) => Self::Code,
            (Phase::Degraded | Phase::Reconnecting { .. }, _) => Self::Network,
            (Phase::Stopped, _) => Self::Start,
            (Phase::Starting | Phase::Online, _) => Self::Nothing,
        }
    }

    /// In words; empty for [`Nothing`](Self::Nothing).
    pub fn tell(self, account: &str, lang: Lang) -> String {
        let (en, zh) = match self {
            Self::Nothing => ("", ""),
            Self::Scan => ("scan the QR code with the phone", "用手机扫描二维码"),
            Self::Confirm => ("confirm on the phone", "在手机上确认"),
            Self::Code => (
                "type the digits that the phone shows where the login was asked for, or run `wxbot login {} --code DIGITS`",
                "在发起登录的地方输入手机上显示的数字,或运行 `wxbot login {} --code 数字`",
            ),
            Self::Bind => (
                "the service no longer takes its token: it was bound elsewhere, or not used for long. Run `wxbot login {}` and scan \
                 with the same phone; that ends a binding elsewhere",
                "服务不再接受它的令牌:已在别处绑定,或长期未用。请运行 `wxbot login {}` 并用同一部手机扫码;别处的绑定随之失效",
            ),
            Self::LogIn => ("run `wxbot login {}`", "运行 `wxbot login {}`"),
            Self::Network => (
                "it is tried again by itself; `wxbot doctor` looks at network and endpoint",
                "会自动重试;`wxbot doctor` 可检查网络和服务地址",
            ),
            Self::Trust => (
                "risk control: nothing is tried by itself. Look on the phone for a notice of WeChat and follow it; if it \
                 forbids the web, try `mode = \"desktop\"`; then run `wxbot login {}`",
                "风控:不会自动重试。请在手机上查看微信的安全提示并处理;若提示不能登录网页版,可试 `mode = \"desktop\"`;然后运行 `wxbot login {}`",
            ),
            Self::Rest => (
                "risk control: nothing is tried by itself. Leave the account alone for some hours, lower `pacing`, then run \
                 `wxbot login {}`; what waits goes out then",
                "风控:不会自动重试。请让账号休息几个小时,调低 `pacing`,然后运行 `wxbot login {}`;等待中的消息届时发出",
            ),
            Self::Room => (
                "free some space on the disk of the data directory, or let wxbot write there; it goes on by itself",
                "请在数据目录所在的磁盘上腾出空间,或允许 wxbot 写入;之后会自动继续",
            ),
            Self::Start => ("run `wxbot run`, or enable it in `bot.toml`", "运行 `wxbot run`,或在 `bot.toml` 中启用它"),
        };
        let words = match lang {
            Lang::En => en,
            Lang::Zh => zh,
        };
        words.replace("{}", account)
    }
}

#[cfg(test)]
#[path = "cure_tests.rs"]
mod tests;
