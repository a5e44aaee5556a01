//! Web WeChat's codes and what each means for us. No other file of this folder knows a number.

use crate::error::{Advice, EndReason, Refusal, Risk};

/// Words of the service that mean risk control whatever the code: "too often" …
const TOO_OFTEN: [&str; 4] = ["频繁", "频率过快", "too often", "frequent"];
/// … and "not from here, not like this, or not any more".
const FORBIDDEN: [&str; 6] = ["环境异常", "帐号安全", "账号安全", "被限制", "限制登录", "被封"];

/// `BaseResponse.Ret`, `retcode` of synccheck and `<ret>` of newloginpage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ret(pub i64);

impl Ret {
    /// Fine.
    pub const OK: Self = Self(0);

    /// Why the session is over, if this code says so.
    pub fn ended(self) -> Option<EndReason> {
        match self.0 {
            1100 => Some(EndReason::LoggedOut),
            1101 => Some(EndReason::Replaced),
            1102 => Some(EndReason::CookiesRefused),
            _ => None,
        }
    }

    /// True where a room was made, or people brought into one: −2013 says so too, and the official client takes it.
    pub fn is_ok_for_rooms(self) -> bool {
        matches!(self.0, 0 | -2013)
    }

    /// True for the code with which rooms refuse people who may still be invited.
    pub fn may_invite(self) -> bool {
        self.0 == 1
    }

    /// True for refusals that say nothing about uploaded bytes: it is the receiver, or us.
    pub fn is_about_peer(self) -> bool {
        matches!(self.0, 1203..=1205)
    }

    /// What the code means, for refusals without words.
    fn words(self) -> &'static str {
        match self.0 {
            -14 => "the ticket or key is no longer good",
            -66 => "only the owner of the room may do this",
            1203 => "the service does not let this account use the Web",
            1204 => "this is no friend, or no friend any more",
            1205 => "too often",
            _ => "",
        }
    }

    /// What to do about it where it is not the end of the session.
    ///
    /// 1203 and 1205 are the service's risk control: going on by itself makes it worse. The pause that 1205 asks for lasts
    /// from tens of seconds to hours, and nobody is told how long: a person decides when it is over.
    pub fn advice(self) -> Advice {
        match self.0 {
            1203 => Advice::Stop(Risk::Forbidden),
            1205 => Advice::Stop(Risk::TooOften),
            -1 | 1 => Advice::TryLater,
            // -2 logic error, -14 ticket error, -66 not the owner, 1200 unreadable, 1204 not a friend, and what we do
            // not know: repeating an unknown no is how accounts get banned.
            _ => Advice::GiveUp,
        }
    }

    /// As a refusal with the service's words, or ours where it has none. `<e>` pages in ErrMsg are cut down to their text.
    ///
    /// 1 is a wrong parameter or "too often", −1 anything: only the words tell. A refusal that is about the one asked for
    /// (1204, −66) stays what it is.
    pub fn refusal(self, message: &str) -> Refusal {
        let message = match (message.find("<![CDATA["), message.find("]]>")) {
            (Some(from), Some(to)) if from + 9 <= to => message.get(from + 9..to).unwrap_or(message),
            _ => message,
        };
        let message = if message.trim().is_empty() { self.words() } else { message.trim() };
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        let advice = match self.0 {
            1204 | -66 => self.advice(),
            _ if says(&TOO_OFTEN) => Advice::Stop(Risk::TooOften),
            _ if says(&FORBIDDEN) => Advice::Stop(Risk::Forbidden),
            _ => self.advice(),
        };
        Refusal { ret: self.0, message: message.chars().take(300).collect(), advice }
    }
}

/// `MemberStatus` of somebody who did not come into a room, in words.
pub fn member_status(status: i64) -> &'static str {
    match status {
        3 => "they blocked us",
        4 => "they deleted us",
        _ => "the service does not say why",
    }
}

/// `window.code` of the login poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollCode {
    /// 408: nothing happened in this window.
    Waiting,
    /// 201: scanned.
    Scanned,
    /// 200: confirmed.
    Confirmed,
    /// 202: cancelled on the phone.
    Cancelled,
    /// 400, 500, 0: the code is expired, unknown, or the poll service failed; a new code is needed.
    Expired,
    /// Not documented: transient, with a bound.
    Other(i64),
}

impl From<i64> for PollCode {
    fn from(code: i64) -> Self {
        match code {
            408 => Self::Waiting,
            201 => Self::Scanned,
            200 => Self::Confirmed,
            202 => Self::Cancelled,
            400 | 500 | 0 => Self::Expired,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!(Ret(1100).ended(), Some(EndReason::LoggedOut));
        assert_eq!(Ret(1101).ended(), Some(EndReason::Replaced));
        assert_eq!(Ret(1102).ended(), Some(EndReason::CookiesRefused));
        assert_eq!(Ret(0).ended(), None);
        for (ret, advice) in [
            (1203, Advice::Stop(Risk::Forbidden)),
            (1205, Advice::Stop(Risk::TooOften)),
            (-1, Advice::TryLater),
            (1204, Advice::GiveUp),
            (4711, Advice::GiveUp),
        ] {
            assert_eq!(Ret(ret).advice(), advice, "{ret}");
        }
    }

    #[test]
    fn an_error_page_is_cut_down_to_its_words() {
        let refusal = Ret(-1).refusal("<e><ShowType>1</ShowType><Content><![CDATA[操作太频繁]]></Content></e>");
        assert_eq!(refusal.message, "操作太频繁");
        assert_eq!(Ret(1).refusal("]]><![CDATA[").message, "]]><![CDATA[");
    }

    #[test]
    fn the_words_of_a_refusal_count() {
        let often = Ret(1).refusal("操作太频繁，请稍后再试。");
        assert_eq!(often.advice, Advice::Stop(Risk::TooOften), "{often:?}");
        for (ret, words, want) in [
            (-1, "操作频繁", Advice::Stop(Risk::TooOften)),
            (-1, "当前登录环境异常。为了你的帐号安全，暂时不能登录web微信。", Advice::Stop(Risk::Forbidden)),
            (1, "功能被限制", Advice::Stop(Risk::Forbidden)),
            (4711, "操作频率过快", Advice::Stop(Risk::TooOften)),
            (1204, "操作频繁", Advice::GiveUp),
            (-66, "限制登录", Advice::GiveUp),
            (-1, "系统繁忙", Advice::TryLater),
        ] {
            assert_eq!(Ret(ret).refusal(words).advice, want, "{ret} {words}");
        }
        assert_eq!(Ret(1).refusal("").advice, Advice::TryLater);
        assert_eq!(Ret(-66).refusal(" ").message, "only the owner of the room may do this");
        assert_eq!(Ret(-66).refusal("no").message, "no");
    }

    #[test]
    fn codes_of_single_calls() {
        assert!(Ret(0).is_ok_for_rooms() && Ret(-2013).is_ok_for_rooms() && !Ret(1).is_ok_for_rooms());
        assert!(Ret(1).may_invite() && !Ret(-66).may_invite());
        assert!(Ret(1204).is_about_peer() && !Ret(1).is_about_peer());
    }
}
