//! `UserName`: what a Web id tells about itself.

use wxbot_model::{ContactKind, PeerId};

/// Ids without `@` that are built in. Source: `docs/protocol/webwx.md`, account kinds.
const SPECIALS: &[&str] = &[
    "filehelper",
    "newsapp",
    "fmessage",
    "weibo",
    "qqmail",
    "tmessage",
    "qmessage",
    "qqsync",
    "floatbottle",
    "lbsapp",
    "shakeapp",
    "medianote",
    "qqfriend",
    "readerapp",
    "blogapp",
    "facebookapp",
    "masssendapp",
    "meishiapp",
    "feedsapp",
    "voip",
    "blogappweixin",
    "weixin",
    "brandsessionholder",
    "weixinreminder",
    "officialaccounts",
    "notification_messages",
    "wxitil",
    "userexperience_alarm",
    "wxid_novlwrv3lqwv11",
    "gh_22b87fa7cb3c",
    "notifymessage",
];

/// `VerifyFlag` bit of official accounts.
const BRAND: u32 = 8;

/// True for a chatroom: `@@…`, or `…@chatroom` in places that show the phone's ids.
pub fn is_room(user_name: &str) -> bool {
    user_name.starts_with("@@") || user_name.ends_with("@chatroom")
}

/// True for a built-in account.
pub fn is_special(user_name: &str) -> bool {
    SPECIALS.contains(&user_name) || user_name.ends_with("@lbsroom") || user_name.ends_with("@talkroom")
}

/// The sort of a contact. The order matters: specials before the `@` rules, rooms before `VerifyFlag`.
pub fn kind(user_name: &str, verify_flag: u32, myself: Option<&PeerId>) -> ContactKind {
    if myself.is_some_and(|me| me.as_str() == user_name) {
        ContactKind::Myself
    } else if is_special(user_name) {
        ContactKind::Special
    } else if is_room(user_name) {
        ContactKind::Room
    } else if verify_flag & BRAND != 0 {
        ContactKind::Official
    } else {
        ContactKind::Person
    }
}

/// Finer classes of official accounts by the known values of `VerifyFlag`; other values with bit 8 are ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfficialClass {
    /// 8: personal or ordinary.
    Ordinary,
    /// 24: a verified company, or WeChat's own.
    Verified,
    /// 56: the WeChat team.
    WeChatTeam,
}

/// The class of an official account; `None` for anything else.
pub fn official_class(verify_flag: u32) -> Option<OfficialClass> {
    match verify_flag {
        56 => Some(OfficialClass::WeChatTeam),
        24 => Some(OfficialClass::Verified),
        flag if flag & BRAND != 0 => Some(OfficialClass::Ordinary),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // cov: 23, 24, 25, 27
    #[test]
    fn kinds() {
        let me: PeerId = "@me".parse().unwrap();
        for (user_name, flag, want) in [
            ("@me", 0, ContactKind::Myself),
            ("@595d9f44", 0, ContactKind::Person),
            ("@595d9f44", 1, ContactKind::Person),
            ("@@9e1c0ab6", 0, ContactKind::Room),
            ("@@9e1c0ab6", 8, ContactKind::Room),
            ("123@chatroom", 0, ContactKind::Room),
            ("@595d9f44", 8, ContactKind::Official),
            ("@595d9f44", 24, ContactKind::Official),
            ("@595d9f44", 136, ContactKind::Official),
            ("filehelper", 0, ContactKind::Special),
            ("weixin", 56, ContactKind::Special),
        ] {
            assert_eq!(kind(user_name, flag, Some(&me)), want, "{user_name} {flag}");
        }
        for special in SPECIALS {
            assert_eq!(kind(special, 0, Some(&me)), ContactKind::Special, "{special}");
        }
        assert!(SPECIALS.len() >= 28);
    }

    // cov: 26
    #[test]
    fn official_classes() {
        for (flag, want) in [
            (0, None),
            (1, None),
            (8, Some(OfficialClass::Ordinary)),
            (24, Some(OfficialClass::Verified)),
            (56, Some(OfficialClass::WeChatTeam)),
            (136, Some(OfficialClass::Ordinary)),
        ] {
            assert_eq!(official_class(flag), want, "{flag}");
        }
    }
}
