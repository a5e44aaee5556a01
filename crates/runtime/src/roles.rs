//! Who may do what in an account? `[accounts.roles]` of `bot.toml`, by contact ids and nothing else (security R26).

use std::collections::{BTreeMap, BTreeSet};

use wxbot_model::{ContactId, Event};
use wxbot_plugin::Role;

/// The roles of an account's people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    people: BTreeMap<ContactId, BTreeSet<Role>>,
    /// Of a room, and a person in it.
    group_admins: BTreeSet<(ContactId, ContactId)>,
    /// Nobody is named, and whoever speaks sits at our own terminal.
    own_terminal: bool,
}

impl Roles {
    /// Of an account that only the terminal of this process reaches: who sits there is the owner.
    pub fn of_terminal() -> Self {
        Self { own_terminal: true, ..Self::default() }
    }

    /// Gives a person a role, everywhere.
    pub fn give(&mut self, role: Role, person: ContactId) {
        self.own_terminal = false;
        self.people.entry(person).or_default().insert(role);
    }

    /// Makes a person an admin of a room.
    pub fn give_room(&mut self, room: ContactId, person: ContactId) {
        self.own_terminal = false;
        self.group_admins.insert((room, person));
    }

    /// Who is given exactly this role, sorted; group admins are those of `room`.
    pub fn holders(&self, role: &Role, room: Option<&ContactId>) -> Vec<ContactId> {
        let everywhere = self.people.iter().filter(|(_, roles)| roles.contains(role)).map(|(person, _)| person);
        let there = self.group_admins.iter().filter(|(of, _)| *role == Role::GroupAdmin && Some(of) == room);
        let all: BTreeSet<&ContactId> = everywhere.chain(there.map(|(_, person)| person)).collect();
        all.into_iter().cloned().collect()
    }

    /// The roles of whoever did this. What our own account does, and what nobody does, is nobody's request (R28).
    pub fn of(&self, event: &Event) -> Vec<Role> {
        let Some(sender) = event.sender.as_ref().filter(|_| !event.from_self()) else { return Vec::new() };
        if self.own_terminal {
            return vec![Role::Owner];
        }
        let mut roles: Vec<Role> = self.people.get(&sender.id).into_iter().flatten().cloned().collect();
        // Most accounts have no group admins: then nothing is cloned to look for one.
        if !self.group_admins.is_empty()
            && event.is_group()
            && self.group_admins.contains(&(event.chat.id.clone(), sender.id.clone()))
        {
            roles.push(Role::GroupAdmin);
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(chat: &str, sender: Option<&str>, from_self: bool) -> Event {
        let kind = if chat.starts_with('r') { "group" } else { "private" };
        serde_json::from_value(json!({
            "account": "a", "key": "1",
            "chat": { "id": chat, "kind": kind, "name": "" },
            // Named like the owner: names count for nothing.
            "sender": sender.map(|id| json!({ "id": id, "name": "p1" })),
            "at_s": 0,
            "kind": { "what": "message", "id": "1", "from_self": from_self, "content": { "type": "text", "text": "" },
                      "mentions": { "me": false, "all": false } },
        }))
        .unwrap()
    }

    #[test]
    fn sec_r26_roles_come_from_contact_ids_alone() {
        let mut roles = Roles::default();
        let id = |text: &str| text.parse::<ContactId>().unwrap();
        roles.give(Role::Owner, id("p1"));
        roles.give(Role::custom("vip"), id("p1"));
        roles.give(Role::Admin, id("p2"));
        roles.give_room(id("r1"), id("p3"));
        for (name, event, want) in [
            ("owner", event("p1", Some("p1"), false), vec![Role::Owner, Role::custom("vip")]),
            ("owner in a room", event("r9", Some("p1"), false), vec![Role::Owner, Role::custom("vip")]),
            ("admin", event("r1", Some("p2"), false), vec![Role::Admin]),
            ("group admin", event("r1", Some("p3"), false), vec![Role::GroupAdmin]),
            ("in another room", event("r2", Some("p3"), false), vec![]),
            ("in private", event("p3", Some("p3"), false), vec![]),
            ("somebody of the same name", event("p4", Some("p4"), false), vec![]),
            ("ourselves", event("p1", Some("p1"), true), vec![]),
            ("nobody", event("p1", None, false), vec![]),
        ] {
            assert_eq!(roles.of(&event), want, "{name}");
        }
    }

    #[test]
    fn who_holds_a_role() {
        let mut roles = Roles::default();
        let id = |text: &str| text.parse::<ContactId>().unwrap();
        roles.give(Role::Owner, id("p2"));
        roles.give(Role::Owner, id("p1"));
        roles.give(Role::Admin, id("p4"));
        roles.give_room(id("r1"), id("p3"));
        assert_eq!(roles.holders(&Role::Owner, None), [id("p1"), id("p2")]);
        assert_eq!(roles.holders(&Role::GroupAdmin, Some(&id("r1"))), [id("p3")]);
        assert_eq!(roles.holders(&Role::GroupAdmin, Some(&id("r2"))), []);
        assert_eq!(roles.holders(&Role::GroupAdmin, None), []);
        assert_eq!(roles.holders(&Role::User, None), []);
    }

    #[test]
    fn who_sits_at_the_terminal_is_the_owner_until_somebody_is_named() {
        let mut roles = Roles::of_terminal();
        assert_eq!(roles.of(&event("p1", Some("p1"), false)), [Role::Owner]);
        roles.give(Role::Admin, "p7".parse().unwrap());
        assert_eq!(roles.of(&event("p1", Some("p1"), false)), []);
    }
}
