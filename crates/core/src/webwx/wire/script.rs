//! What do jslogin, the login poll and synccheck say? Lines of JavaScript, read as enums.

use std::sync::LazyLock;

use regex::Regex;

use crate::error::EndReason;
use crate::webwx::ret::{PollCode, Ret};

fn pattern(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "constant patterns, compiled in the tests")]
    Regex::new(text).expect("constant pattern")
}

/// `window.QRLogin.code = 200; window.QRLogin.uuid = "…";`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrLogin {
    /// 200 when a uuid was given.
    pub code: i64,
    /// The id of this login.
    pub uuid: String,
}

impl QrLogin {
    /// `None` when the text is something else.
    pub fn parse(body: &str) -> Option<Self> {
        static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"QRLogin\.code\s*=\s*(\d+)"));
        static UUID: LazyLock<Regex> = LazyLock::new(|| pattern(r#"QRLogin\.uuid\s*=\s*"([^"]*)""#));
        let code = CODE.captures(body)?.get(1)?.as_str().parse().ok()?;
        let uuid = UUID.captures(body).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned()).unwrap_or_default();
        Some(Self { code, uuid })
    }
}

/// One login poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// What happened.
    pub code: PollCode,
    /// With 201: the picture of who scanned, as a data URL.
    pub avatar: Option<String>,
    /// With 200: where the login goes on.
    pub redirect: Option<String>,
}

impl Poll {
    /// `None` when the text is something else.
    pub fn parse(body: &str) -> Option<Self> {
        static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"window\.code\s*=\s*(\d+)"));
        static REDIRECT: LazyLock<Regex> = LazyLock::new(|| pattern(r#"window\.redirect_uri\s*=\s*"([^"]*)""#));
        static AVATAR: LazyLock<Regex> = LazyLock::new(|| pattern(r"window\.userAvatar\s*=\s*'([^']*)'"));
        let code: i64 = CODE.captures(body)?.get(1)?.as_str().parse().ok()?;
        let group = |pattern: &Regex| pattern.captures(body).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned());
        Some(Self { code: code.into(), avatar: group(&AVATAR), redirect: group(&REDIRECT) })
    }
}

/// `window.synccheck={retcode:"0",selector:"2"}`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncCheck {
    /// Nothing new.
    Quiet,
    /// Something to fetch. The selector hints at what (2 message, 4 and 6 contacts, 7 chat opened or left, 3 unknown),
    /// but only webwxsync tells.
    News {
        /// As sent.
        selector: u32,
    },
    /// The session is over.
    Ended(EndReason),
    /// Another code: transient.
    Refused(Ret),
}

impl SyncCheck {
    /// `None` when the text is something else.
    pub fn parse(body: &str) -> Option<Self> {
        static BOTH: LazyLock<Regex> =
            LazyLock::new(|| pattern(r#"retcode\s*:\s*"(\d+)"\s*,\s*selector\s*:\s*"(\d+)""#));
        let found = BOTH.captures(body)?;
        let ret = Ret(found.get(1)?.as_str().parse().ok()?);
        let selector = found.get(2)?.as_str().parse().ok()?;
        Some(match (ret.ended(), ret, selector) {
            (Some(reason), ..) => Self::Ended(reason),
            (None, Ret::OK, 0) => Self::Quiet,
            (None, Ret::OK, selector) => Self::News { selector },
            (None, ret, _) => Self::Refused(ret),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testdata::fixture;
    use super::*;

    // cov: 1
    #[test]
    fn jslogin_answers() {
        assert_eq!(
            QrLogin::parse(&fixture("jslogin.resp.txt")),
            Some(QrLogin { code: 200, uuid: "gf5Gk61zEA==".into() })
        );
        assert_eq!(QrLogin::parse("window.QRLogin.code = 400;"), Some(QrLogin { code: 400, uuid: String::new() }));
        assert_eq!(QrLogin::parse("<html>"), None);
    }

    fn poll(name: &str) -> Poll {
        Poll::parse(&fixture(name)).unwrap()
    }

    // cov: 4
    #[test]
    fn poll_408_waits() {
        assert_eq!(poll("login-408.resp.txt"), Poll { code: PollCode::Waiting, avatar: None, redirect: None });
    }

    // cov: 5
    #[test]
    fn poll_201_is_scanned_and_brings_the_avatar() {
        let scanned = poll("login-201.resp.txt");
        assert_eq!((scanned.code, scanned.avatar.as_deref()), (PollCode::Scanned, Some("data:img/jpg;base64")));
    }

    // cov: 6
    #[test]
    fn poll_200_brings_the_redirect_even_on_the_next_line() {
        let confirmed = poll("login-200.resp.txt");
        assert_eq!(confirmed.code, PollCode::Confirmed);
        let redirect = confirmed.redirect.unwrap();
        assert!(
            redirect.starts_with("https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=TICKET@qrticket_0")
        );
        assert!(poll("x-login-200-wx2.resp.txt").redirect.unwrap().contains("wx2.qq.com"));
    }

    #[test]
    fn other_poll_codes() {
        for (name, want) in [
            ("x-login-202.resp.txt", PollCode::Cancelled),
            ("x-login-400.resp.txt", PollCode::Expired),
            ("x-login-500.resp.txt", PollCode::Expired),
        ] {
            assert_eq!(poll(name).code, want, "{name}");
        }
        assert_eq!(Poll::parse("window.code=999;").unwrap().code, PollCode::Other(999));
    }

    fn check(name: &str) -> SyncCheck {
        SyncCheck::parse(&fixture(name)).unwrap()
    }

    // cov: 30
    #[test]
    fn synccheck_0_0_is_quiet() {
        assert_eq!(check("synccheck-0-0.resp.txt"), SyncCheck::Quiet);
    }

    // cov: 31
    #[test]
    fn synccheck_0_2_is_a_new_message() {
        assert_eq!(check("synccheck-0-2.resp.txt"), SyncCheck::News { selector: 2 });
    }

    // cov: 32
    #[test]
    fn synccheck_0_7_is_a_chat_opened_or_left() {
        assert_eq!(check("synccheck-0-7.resp.txt"), SyncCheck::News { selector: 7 });
    }

    // cov: 33
    #[test]
    fn synccheck_0_4_and_0_6_are_contact_changes() {
        assert_eq!(check("synccheck-0-4.resp.txt"), SyncCheck::News { selector: 4 });
        assert_eq!(check("synccheck-0-6.resp.txt"), SyncCheck::News { selector: 6 });
        assert_eq!(check("x-synccheck-0-3.resp.txt"), SyncCheck::News { selector: 3 });
    }

    // cov: 34
    #[test]
    fn synccheck_1100_is_the_end() {
        assert_eq!(check("synccheck-1100-0.resp.txt"), SyncCheck::Ended(EndReason::LoggedOut));
        assert_eq!(check("x-synccheck-1101-0.resp.txt"), SyncCheck::Ended(EndReason::Replaced));
        assert_eq!(check("x-synccheck-1102-0.resp.txt"), SyncCheck::Ended(EndReason::CookiesRefused));
        assert_eq!(
            SyncCheck::parse(r#"window.synccheck={retcode:"1",selector:"0"}"#),
            Some(SyncCheck::Refused(Ret(1)))
        );
    }
}
