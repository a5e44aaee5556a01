//! Who is found by a part of a name? In the running login, else in what is stored of the last one.

use wxbot_model::{Contact, ContactId, ContactKind};
use wxbot_plugin::{ContactQuery, FoundContact, RoomMember};

use super::Contacts;
use crate::store::BoundContact;

/// The contacts of the running login that fit.
pub fn found(book: &Contacts, query: &ContactQuery) -> Vec<FoundContact> {
    let here = book.by_id.iter().filter(|(_, known)| known.bound.same_as.is_none());
    query.pick(here.filter_map(|(id, known)| Some((id, &**known.contact.as_ref()?))))
}

/// The stored contacts that fit, under names that may be old: those of the WeChat account that was logged in last.
pub fn find_stored(rows: &[BoundContact], query: &ContactQuery) -> Vec<FoundContact> {
    let stored = |row: &BoundContact| Contact {
        nick_name: row.nick_name.clone(),
        remark_name: row.remark_name.clone(),
        alias: row.alias.clone(),
        is_ours: row.ours,
        ..Contact::nameless(row.peer.clone(), row.kind)
    };
    let last = rows.iter().find(|row| row.kind == ContactKind::Myself && row.login != 0).map_or(0, |row| row.of);
    let fits = |row: &&BoundContact| row.same_as.is_none() && (row.of == 0 || last == 0 || row.of == last);
    let rows: Vec<(&ContactId, Contact)> = rows.iter().filter(fits).map(|row| (&row.id, stored(row))).collect();
    query.pick(rows.iter().map(|(id, contact)| (*id, contact)))
}

impl Contacts {
    /// The members of a room whose list is loaded.
    pub fn members_of(&self, room: &Contact) -> Vec<RoomMember> {
        let member = |member: &wxbot_model::Member| {
            let id = self.by_peer.get(&member.peer);
            let contact = id.and_then(|id| self.contact(id));
            RoomMember {
                id: id.cloned(),
                name: room.name_of_member(&member.peer, contact.map(|contact| &**contact)).to_owned(),
                nick_name: member.nick_name.to_string(),
                group_name: member.display_name.to_string(),
                me: self.me.as_ref() == Some(&member.peer),
            }
        };
        room.members.iter().map(member).collect()
    }
}
