//! Whom may somebody of the former login be in this one? Marks, levels, and the rule: unique on both sides or nobody.
//!
//! Pure functions over [`Marks`]; [`binding`](super::binding) applies them. The rule and its reasons:
//! `docs/adr/0016-who-is-who-after-a-login.md`.

use std::collections::HashMap;

use wxbot_model::{Contact, ContactKind, PeerId};

use super::sketch;
use crate::store::BoundContact;

/// What of a contact may outlive a login.
#[derive(Debug, Clone)]
pub(super) struct Marks<'a> {
    kind: ContactKind,
    wxid: &'a str,
    uin: u64,
    alias: &'a str,
    remark: &'a str,
    nick: &'a str,
    attr: u64,
    picture: u64,
    sketch: std::borrow::Cow<'a, [u32]>,
}

impl<'a> Marks<'a> {
    pub(super) fn of_row(row: &'a BoundContact) -> Self {
        Self {
            kind: row.kind,
            wxid: &row.wxid,
            uin: row.uin,
            alias: &row.alias,
            remark: &row.remark_name,
            nick: &row.nick_name,
            attr: row.attr_status,
            picture: row.picture,
            sketch: row.room.as_ref().map_or(&[][..], |room| &room.sketch).into(),
        }
    }

    pub(super) fn of_contact(contact: &'a Contact, me: Option<&PeerId>) -> Self {
        Self {
            kind: contact.kind,
            wxid: &contact.wxid,
            uin: contact.uin,
            alias: &contact.alias,
            remark: &contact.remark_name,
            nick: &contact.nick_name,
            attr: contact.attr_status,
            picture: contact.picture,
            sketch: Vec::from(sketch::of(&contact.members, me)).into(),
        }
    }
}

/// By what two are held to be the same, the surest first. Who is bound by one is out of the game for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The service's lasting id.
    Wxid,
    /// The service's number.
    Uin,
    /// The WeChat id.
    Alias,
    /// The owner's remark, and one thing more.
    Remark,
    /// Nick name, `AttrStatus` and picture.
    Picture,
    /// Nick name and `AttrStatus`.
    Nick,
    /// Topic, and half of the members.
    TopicAndMembers,
    /// Nearly all members: a room that was renamed.
    Members,
    /// The topic of a room whose members were never seen.
    Topic,
    /// The name of an official or built-in account, or of ourselves.
    Named,
}

use Level::{Alias, Members, Named, Nick, Picture, Remark, Topic, TopicAndMembers, Uin, Wxid};

impl Level {
    /// True for what belongs to one person or room alone, by the service's word.
    pub(super) fn is_strong(self) -> bool {
        matches!(self, Wxid | Uin | Alias)
    }
}

/// The levels of a kind, in their order.
pub(super) fn levels(kind: ContactKind) -> &'static [Level] {
    match kind {
        ContactKind::Person => &[Wxid, Uin, Alias, Remark, Picture, Nick],
        ContactKind::Room => &[Wxid, Uin, TopicAndMembers, Members, Topic],
        // Nobody but the service gives these their names.
        ContactKind::Special | ContactKind::Myself => &[Wxid, Uin, Alias, Named],
        ContactKind::Official | _ => &[Wxid, Uin, Alias, Remark, Picture, Nick, Named],
    }
}

/// What two must have equal at a level to be looked at; `None` for who is out of it.
fn key(level: Level, marks: &Marks<'_>) -> Option<String> {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match level {
        Wxid => text(marks.wxid),
        Uin => (marks.uin != 0).then(|| marks.uin.to_string()),
        Alias => text(marks.alias).map(|alias| alias.to_ascii_lowercase()),
        Remark => text(marks.remark),
        Picture if marks.picture == 0 => None,
        Picture => Some(format!("{}\0{}", key(Nick, marks)?, marks.picture)),
        Nick if marks.attr == 0 => None,
        Nick => text(marks.nick).map(|nick| format!("{nick}\0{}", marks.attr)),
        TopicAndMembers | Topic | Named => text(marks.nick),
        Members => (!marks.sketch.is_empty()).then(String::new),
    }
}

/// True when both have something of which each has only one, and it is another.
pub(super) fn contradict(row: &Marks<'_>, contact: &Marks<'_>) -> bool {
    let differ = |one: &str, other: &str| !one.is_empty() && !other.is_empty() && !one.eq_ignore_ascii_case(other);
    let numbers_differ = row.uin != 0 && contact.uin != 0 && row.uin != contact.uin;
    // A WeChat id can be changed, once a year; the other two stay for ever, so where one of them is equal, it was.
    let proved = (!row.wxid.is_empty() && row.wxid == contact.wxid) || (row.uin != 0 && row.uin == contact.uin);
    row.kind != contact.kind
        || differ(row.wxid, contact.wxid)
        || numbers_differ
        || (!proved && differ(row.alias, contact.alias))
}

/// What is asked at a level beyond equal keys.
fn agree(level: Level, row: &Marks<'_>, contact: &Marks<'_>) -> bool {
    let same_nick = !row.nick.is_empty() && row.nick == contact.nick;
    let same_attr = row.attr != 0 && row.attr == contact.attr;
    let other_attr = row.attr != 0 && contact.attr != 0 && row.attr != contact.attr;
    let other_remark = !row.remark.is_empty() && !contact.remark.is_empty() && row.remark != contact.remark;
    match level {
        Wxid | Uin | Alias | Named => true,
        // Owners use a remark twice ("客户"), or move it to somebody else: alone it proves nobody.
        Remark => (same_nick || same_attr) && !other_attr,
        // Another picture is no other person: people change it. An equal one tells two of one name apart.
        Picture | Nick => !other_remark,
        TopicAndMembers => sketch::agree(&row.sketch, &contact.sketch),
        Members => sketch::agree_well(&row.sketch, &contact.sketch),
        // Anybody can call a room like ours. Where its members are known, they have to be seen before.
        Topic => row.sketch.is_empty(),
    }
}

/// Which of `rows` is which of `contacts` at a level: the pairs that are unique on both sides.
pub(super) fn unique_pairs(level: Level, rows: &[Marks<'_>], contacts: &[Marks<'_>]) -> Vec<(usize, usize)> {
    let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(key) = key(level, row) {
            by_key.entry(key).or_default().push(at);
        }
    }
    let mut met = vec![0_u32; rows.len()];
    let mut edges = Vec::new();
    for (at, contact) in contacts.iter().enumerate() {
        let group = key(level, contact).and_then(|key| by_key.get(&key));
        let fits =
            |row: &usize| rows.get(*row).is_some_and(|row| !contradict(row, contact) && agree(level, row, contact));
        let mut found = group.into_iter().flatten().copied().filter(fits);
        let (first, more) = (found.next(), found.next().is_some());
        for row in group.into_iter().flatten().copied().filter(fits) {
            if let Some(met) = met.get_mut(row) {
                *met += 1;
            }
        }
        if let (Some(row), false) = (first, more) {
            edges.push((row, at));
        }
    }
    edges.retain(|(row, _)| met.get(*row) == Some(&1));
    edges
}

/// True when the contact could be the one of the row, for all that is known. For telling people, never for binding.
pub(super) fn could_be(row: &Marks<'_>, contact: &Marks<'_>) -> bool {
    let same_name = !row.nick.is_empty() && row.nick == contact.nick;
    let same_remark = !row.remark.is_empty() && row.remark == contact.remark;
    !contradict(row, contact) && (same_name || same_remark || sketch::agree(&row.sketch, &contact.sketch))
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
