//! What does the service say in conversations, in both languages?

use crate::world::Lang;

/// What happened in a room, in the words of one who sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoomNews {
    YouInvited(Vec<String>),
    InvitedYou { by: String, there: Vec<String> },
    InvitedYouAnd { by: String, who: Vec<String> },
    Invited { by: String, who: Vec<String> },
    ByYourQr(String),
    ByQr { of: String, who: String },
    YouRemoved(Vec<String>),
    RemovedYou(String),
    YouRenamed(String),
    Renamed { by: String, topic: String },
}

impl RoomNews {
    pub(crate) fn text(&self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::Zh, Self::YouInvited(who)) => {
                format!("你邀请\"{}\"加入了群聊  <a href=\"weixin://revoke/\">撤销</a>", who.join("、"))
            }
            (Lang::En, Self::YouInvited(who)) => format!("You invited {} to the group chat", who.join(", ")),
            (Lang::Zh, Self::InvitedYou { by, there }) => {
                format!("\"{by}\"邀请你加入了群聊，群聊参与人还有：{}", there.join("、"))
            }
            (Lang::En, Self::InvitedYou { by, there }) => {
                format!("{by} invited you to a group chat with {}", there.join(", "))
            }
            (Lang::Zh, Self::InvitedYouAnd { by, who }) => format!("\"{by}\"邀请你和\"{}\"加入了群聊", who.join("、")),
            (Lang::En, Self::InvitedYouAnd { by, who }) => {
                format!("{by} invited you and {} to the group chat", who.join(", "))
            }
            (Lang::Zh, Self::Invited { by, who }) => format!("\"{by}\"邀请\"{}\"加入了群聊", who.join("、")),
            (Lang::En, Self::Invited { by, who }) => format!("{by} invited {} to the group chat", who.join(", ")),
            (Lang::Zh, Self::ByYourQr(who)) => format!("\" {who}\"通过扫描你分享的二维码加入群聊"),
            (Lang::En, Self::ByYourQr(who)) => format!("\" {who}\" joined group chat via the QR code you shared"),
            (Lang::Zh, Self::ByQr { of, who }) => format!("\" {who}\"通过扫描\"{of}\"分享的二维码加入群聊"),
            (Lang::En, Self::ByQr { of, who }) => {
                format!("\"{who}\" joined the group chat via the QR Code shared by \"{of}\"")
            }
            (Lang::Zh, Self::YouRemoved(who)) => format!("你将\"{}\"移出了群聊", who.join("、")),
            (Lang::En, Self::YouRemoved(who)) => format!("You removed \"{}\" from the group chat", who.join(", ")),
            (Lang::Zh, Self::RemovedYou(by)) => format!("你被\"{by}\"移出群聊"),
            (Lang::En, Self::RemovedYou(by)) => format!("You were removed from the group chat by \"{by}\""),
            (Lang::Zh, Self::YouRenamed(topic)) => format!("你修改群名为“{topic}”"),
            (Lang::En, Self::YouRenamed(topic)) => format!("You changed the group name to \"{topic}\""),
            (Lang::Zh, Self::Renamed { by, topic }) => format!("\"{by}\"修改群名为“{topic}”"),
            (Lang::En, Self::Renamed { by, topic }) => format!("\"{by}\" changed the group name to \"{topic}\""),
        }
    }
}

/// A send to somebody who deleted the account.
pub(crate) fn not_a_friend(lang: Lang, nick: &str) -> String {
    match lang {
        Lang::Zh => {
            format!("{nick}开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求，对方验证通过后，才能聊天。")
        }
        Lang::En => format!("{nick} has enabled Friend Confirmation"),
    }
}

/// A send to somebody who blocked the account.
pub(crate) fn blocked(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "消息已发出，但被对方拒收了。",
        Lang::En => "The message is successfully sent but rejected by the receiver.",
    }
}

/// A friend came into being.
pub(crate) fn added(lang: Lang, nick: &str) -> String {
    match lang {
        Lang::Zh => format!("你已添加了{nick}，现在可以开始聊天了。"),
        Lang::En => format!("You have added {nick} as your WeChat contact. Start chatting!"),
    }
}

/// What the one who accepts says by itself.
pub(crate) fn accepted(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "我通过了你的朋友验证请求，现在我们可以开始聊天了",
        Lang::En => "I've accepted your friend request. Now let's chat!",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn friends_are_told_as_in_the_fixtures() {
        let fixture = |name: &str| -> String {
            let path = format!("{}/../../tests/fixtures/webwx/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let message: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            message["Content"].as_str().unwrap().to_owned()
        };
        for (name, text) in [
            ("x-msg-10000-friend-confirm-zh", added(Lang::Zh, "甲")),
            ("x-msg-10000-friend-confirm-en", added(Lang::En, "甲")),
            ("x-msg-10000-friend-needverify-zh", not_a_friend(Lang::Zh, "甲")),
            ("x-msg-10000-friend-needverify-en", not_a_friend(Lang::En, "甲")),
            ("x-msg-1-accepted-zh", accepted(Lang::Zh).to_owned()),
        ] {
            assert_eq!(text, fixture(name), "{name}");
        }
    }

    #[test]
    fn texts_are_those_of_the_fixtures() {
        let text = |news: RoomNews, lang| news.text(lang);
        let one = || vec!["乙".to_owned()];
        let by = || "甲".to_owned();
        for (news, zh, en) in [
            (
                RoomNews::YouInvited(one()),
                "你邀请\"乙\"加入了群聊  <a href=\"weixin://revoke/\">撤销</a>",
                "You invited 乙 to the group chat",
            ),
            (
                RoomNews::InvitedYou { by: by(), there: vec!["乙".to_owned(), "丙".to_owned()] },
                "\"甲\"邀请你加入了群聊，群聊参与人还有：乙、丙",
                "甲 invited you to a group chat with 乙, 丙",
            ),
            (
                RoomNews::InvitedYouAnd { by: by(), who: one() },
                "\"甲\"邀请你和\"乙\"加入了群聊",
                "甲 invited you and 乙 to the group chat",
            ),
            (
                RoomNews::Invited { by: by(), who: one() },
                "\"甲\"邀请\"乙\"加入了群聊",
                "甲 invited 乙 to the group chat",
            ),
            (
                RoomNews::ByYourQr("乙".to_owned()),
                "\" 乙\"通过扫描你分享的二维码加入群聊",
                "\" 乙\" joined group chat via the QR code you shared",
            ),
            (
                RoomNews::ByQr { of: by(), who: "乙".to_owned() },
                "\" 乙\"通过扫描\"甲\"分享的二维码加入群聊",
                "\"乙\" joined the group chat via the QR Code shared by \"甲\"",
            ),
            (RoomNews::YouRemoved(one()), "你将\"乙\"移出了群聊", "You removed \"乙\" from the group chat"),
            (RoomNews::RemovedYou(by()), "你被\"甲\"移出群聊", "You were removed from the group chat by \"甲\""),
            (RoomNews::YouRenamed("new".to_owned()), "你修改群名为“new”", "You changed the group name to \"new\""),
            (
                RoomNews::Renamed { by: by(), topic: "new".to_owned() },
                "\"甲\"修改群名为“new”",
                "\"甲\" changed the group name to \"new\"",
            ),
        ] {
            assert_eq!(text(news.clone(), Lang::Zh), zh);
            assert_eq!(text(news, Lang::En), en);
        }
    }
}
