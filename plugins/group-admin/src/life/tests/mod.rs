//! Does each part of a room's life do what it says? Conversations in the test kit, one file for each part.

mod announce;
mod checkin;
mod join;
mod polls;
mod settings;
mod stats;
mod topic;
mod welcome;

pub(super) use std::time::Duration;

pub(super) use serde_json::json;
pub(super) use wxbot_plugin::RoomMember;
pub(super) use wxbot_plugin::model::{Contact, ContactKind, JoinedBy, Members, Noticed, Who};
pub(super) use wxbot_plugin::prelude::*;
pub(super) use wxbot_plugin::testing::{Heard, Kit, Room as KitRoom};

pub(super) use crate::GroupAdmin;

/// Somebody whose doing everything is that the service tells.
pub(super) async fn happens(bot: &Kit<GroupAdmin>, room: &KitRoom<GroupAdmin>, kind: EventKind) -> Heard {
    bot.user("服务").in_room(room).does(kind).await
}

pub(super) fn joined(names: &[&str]) -> EventKind {
    EventKind::MembersJoined(MembersJoined {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        me_invited: false,
        others: Vec::new(),
        inviter: Who::other("老板"),
        by: JoinedBy::Invitation,
        notice: "老板邀请……加入了群聊".to_owned(),
    })
}

pub(super) fn renamed(topic: &str, by: Who) -> EventKind {
    EventKind::TopicChanged { topic: topic.to_owned(), by, notice: format!("……修改群名为“{topic}”") }
}

/// A member of whom nobody knows more than the name.
pub(super) fn stranger(bot: &Kit<GroupAdmin>, room: &KitRoom<GroupAdmin>, name: &str) {
    let (name, nick_name) = (name.to_owned(), name.to_owned());
    bot.add_member(
        room.chat().id.clone(),
        RoomMember { id: None, name, nick_name, group_name: String::new(), me: false },
    );
}

/// A room with so many members, as the account's contacts have it.
pub(super) fn counted(bot: &Kit<GroupAdmin>, room: &KitRoom<GroupAdmin>, members: usize) {
    let contact = Contact::nameless(format!("@@{}", room.chat().id).parse().unwrap(), ContactKind::Room);
    let nick_name = room.chat().name.as_str().into();
    bot.add_contact(room.chat().id.clone(), Contact { nick_name, members: Members::counted(members), ..contact });
}

/// The code that a question asks for.
pub(super) fn code_in(question: &str) -> String {
    let digits: Vec<&str> = question.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() == 4).collect();
    (*digits.last().unwrap()).to_owned()
}

pub(super) fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub(super) fn days(n: u64) -> Duration {
    Duration::from_secs(86_400 * n)
}
