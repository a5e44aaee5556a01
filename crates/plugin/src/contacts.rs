//! Whom does an account know? The questions of [`Ctx::find_contacts`](crate::Ctx::find_contacts) and
//! [`Ctx::members`](crate::Ctx::members), and their answers.

use serde::{Deserialize, Serialize};
use wxbot_model::{Contact, ContactId, ContactKind};

/// How many are answered where no limit is stated.
const LIMIT: usize = 20;

/// Which contacts are wanted.
///
/// ```
/// use wxbot_plugin::ContactQuery;
/// let rooms = ContactQuery::new("项目").rooms().limit(5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactQuery {
    text: String,
    sort: Sort,
    limit: usize,
    strangers: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    All,
    People,
    Rooms,
}

impl Default for ContactQuery {
    fn default() -> Self {
        Self { text: String::new(), sort: Sort::All, limit: LIMIT, strangers: false }
    }
}

impl From<&str> for ContactQuery {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl ContactQuery {
    /// Those with this in their remark, name or WeChat id, or in how these sound in pinyin (`wf` finds 王芳), in any case.
    /// Empty: everybody.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into().trim().to_lowercase(), ..Self::default() }
    }

    /// People only, official accounts included.
    #[must_use]
    pub fn people(mut self) -> Self {
        self.sort = Sort::People;
        self
    }

    /// Rooms only.
    #[must_use]
    pub fn rooms(mut self) -> Self {
        self.sort = Sort::Rooms;
        self
    }

    /// Also those who are no contacts of ours: whoever spoke in a room, friends who were lost, rooms that were left. They
    /// gave themselves their names, and anybody can take the name of somebody else.
    #[must_use]
    pub fn with_strangers(mut self) -> Self {
        self.strangers = true;
        self
    }

    /// At most so many; 20 unless stated.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// How well a contact fits: 0 is a whole name, 1 its beginning, 2 something within, 3 how it sounds; `None` not at all.
    pub fn rank(&self, contact: &Contact) -> Option<u8> {
        let wanted = match (self.sort, contact.kind) {
            (_, ContactKind::Myself) => false,
            (Sort::All, _) | (Sort::Rooms, ContactKind::Room) => true,
            (Sort::People, kind) => kind != ContactKind::Room,
            (Sort::Rooms, _) => false,
        };
        if !wanted || !(contact.is_ours || self.strangers) {
            return None;
        }
        let names = [&*contact.remark_name, &*contact.nick_name, &*contact.alias, contact.members.names()];
        let rank = |name: &str| match name.to_lowercase() {
            name if name == self.text => Some(0),
            name if name.starts_with(&self.text) => Some(1),
            name if name.contains(&self.text) => Some(2),
            _ => None,
        };
        let by_name = names.into_iter().filter(|name| !name.is_empty()).filter_map(rank).min();
        by_name.or_else(|| contact.pinyin.split(' ').any(|sound| sound.starts_with(&self.text)).then_some(3))
    }

    /// The best of these, as many as wanted.
    pub fn pick<'a>(&self, all: impl Iterator<Item = (&'a ContactId, &'a Contact)>) -> Vec<FoundContact> {
        let mut found: Vec<(u8, &str, &ContactId, &Contact)> =
            all.filter_map(|(id, contact)| Some((self.rank(contact)?, contact.display_name(), id, contact))).collect();
        found.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        found.truncate(self.limit);
        found.into_iter().map(|(_, _, id, contact)| FoundContact::of(id, contact)).collect()
    }
}

/// Somebody an account knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundContact {
    /// wxbot's own id: what actions take, and the only thing that rights may be bound to.
    pub id: ContactId,
    /// Person, room, …
    pub kind: ContactKind,
    /// The name to show.
    pub name: String,
    /// The name the other one gave itself; a room's topic.
    pub nick_name: String,
    /// The name our account gave it.
    pub remark_name: String,
    /// WeChat id, where it is shown.
    pub alias: String,
    /// How many members a room has; 0 when unknown.
    pub members: usize,
}

impl FoundContact {
    /// What is told of a contact.
    pub fn of(id: &ContactId, contact: &Contact) -> Self {
        Self {
            id: id.clone(),
            kind: contact.kind,
            name: contact.display_name().to_owned(),
            nick_name: contact.nick_name.to_string(),
            remark_name: contact.remark_name.to_string(),
            alias: contact.alias.to_string(),
            members: contact.members.count(),
        }
    }
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMember {
    /// wxbot's own id; `None` for somebody the account never dealt with. It comes with their first message.
    pub id: Option<ContactId>,
    /// The name to show: group nickname, else our remark for a friend, else nick name. A remark is a private note; to
    /// speak to the room use [`public_name`](Self::public_name).
    pub name: String,
    /// The name the member gave itself.
    pub nick_name: String,
    /// The member's name in this room (群昵称); empty when none.
    pub group_name: String,
    /// True for our own account.
    pub me: bool,
}

impl RoomMember {
    /// The name that everybody in the room sees.
    pub fn public_name(&self) -> &str {
        if self.group_name.is_empty() { &self.nick_name } else { &self.group_name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_found() {
        let contact = |kind: ContactKind, nick: &str, remark: &str, alias: &str, pinyin: &str| Contact {
            nick_name: nick.into(),
            remark_name: remark.into(),
            alias: alias.into(),
            pinyin: pinyin.into(),
            ..Contact::nameless("@x".parse().unwrap(), kind)
        };
        let all = [
            ("p1", contact(ContactKind::Person, "Wang Fang", "王芳", "wangf_1", "wf wangfang")),
            ("p2", contact(ContactKind::Person, "方方", "", "", "ff fangfang")),
            ("r3", contact(ContactKind::Room, "王芳的群", "", "", "wfdq")),
            ("o4", contact(ContactKind::Official, "Fang News", "", "", "")),
            ("m5", contact(ContactKind::Myself, "王芳", "", "", "")),
            ("p6", Contact { is_ours: false, ..contact(ContactKind::Person, "王芳", "", "", "") }),
        ]
        .map(|(id, contact)| (id.parse::<ContactId>().unwrap(), contact));
        for (name, query, want) in [
            ("whole name first", ContactQuery::new("王芳"), &["p1", "r3"][..]),
            ("in any case, within, then as it sounds", ContactQuery::new(" FANG "), &["o4", "p1", "p2"]),
            ("WeChat id", ContactQuery::new("wangf_"), &["p1"]),
            ("initials", ContactQuery::new("wf"), &["p1", "r3"]),
            ("rooms", ContactQuery::new("王").rooms(), &["r3"]),
            ("people", ContactQuery::new("王").people(), &["p1"]),
            ("everybody, bounded", ContactQuery::new("").limit(2), &["o4", "p2"]),
            ("nobody", ContactQuery::new("x-y"), &[]),
            ("strangers, asked for", ContactQuery::new("王芳").people().with_strangers(), &["p1", "p6"]),
        ] {
            let found = query.pick(all.iter().map(|(id, contact)| (id, contact)));
            let ids: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
            assert_eq!(ids, want, "{name}");
        }
    }
}
