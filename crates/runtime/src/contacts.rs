//! Which of our contact ids is this peer? Bindings of one account, renewed after each login.
//!
//! A Web `UserName` lasts one login. After the next one, each contact is bound to the id it had before, by things that
//! outlive a login, and only where the match is unique on both sides. What is ambiguous gets a new id, and so no rights.

use std::collections::HashMap;
use std::sync::Arc;

use wxbot_model::{Contact, ContactId, ContactKind, PeerId};

use crate::store::BoundContact;

/// The contacts of one account.
#[derive(Debug, Default)]
pub struct Contacts {
    by_peer: HashMap<PeerId, ContactId>,
    by_id: HashMap<ContactId, Known>,
    next: u64,
}

#[derive(Debug)]
struct Known {
    bound: BoundContact,
    /// As seen in this login; `None` while it was not.
    contact: Option<Arc<Contact>>,
}

impl Contacts {
    /// From the store, before any login.
    pub fn load(rows: Vec<BoundContact>) -> Self {
        let number = |id: &ContactId| id.as_str().get(1..).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let next = rows.iter().map(|row| number(&row.id)).max().unwrap_or(0) + 1;
        let by_id = rows.into_iter().map(|bound| (bound.id.clone(), Known { bound, contact: None })).collect();
        Self { by_peer: HashMap::new(), by_id, next }
    }

    /// A session began and knows these. Returns the bindings to store.
    pub fn begin(&mut self, contacts: &[Arc<Contact>]) -> Vec<BoundContact> {
        self.by_peer.clear();
        for known in self.by_id.values_mut() {
            known.contact = None;
        }
        let mut left: Vec<&Arc<Contact>> = Vec::new();
        let same_login: HashMap<PeerId, ContactId> =
            self.by_id.values().map(|k| (k.bound.peer.clone(), k.bound.id.clone())).collect();
        let mut changed = Vec::new();
        for contact in contacts {
            match same_login.get(&contact.peer) {
                Some(id) => changed.extend(self.bind(id.clone(), contact)),
                None => left.push(contact),
            }
        }
        // The surest mark first. Whoever is bound by one is out of the game for the next.
        for mark in [uin, alias, remark, nick_and_attr, topic] {
            left = self.match_by(left, mark, &mut changed);
        }
        for contact in left {
            let id = self.fresh(contact.kind);
            changed.extend(self.bind(id, contact));
        }
        changed
    }

    /// Binds each of `left` that has a mark which exactly one of them and exactly one unbound row has.
    fn match_by<'a>(
        &mut self,
        left: Vec<&'a Arc<Contact>>,
        mark: Mark,
        changed: &mut Vec<BoundContact>,
    ) -> Vec<&'a Arc<Contact>> {
        let mut rows: HashMap<(ContactKind, String), Vec<ContactId>> = HashMap::new();
        for known in self.by_id.values().filter(|k| k.contact.is_none()) {
            if let Some(value) = mark(&Marks::of_row(&known.bound)) {
                rows.entry((known.bound.kind, value)).or_default().push(known.bound.id.clone());
            }
        }
        let mut seen: HashMap<(ContactKind, String), usize> = HashMap::new();
        for contact in &left {
            if let Some(value) = mark(&Marks::of_contact(contact)) {
                *seen.entry((contact.kind, value)).or_default() += 1;
            }
        }
        left.into_iter()
            .filter(|contact| {
                let Some(value) = mark(&Marks::of_contact(contact)) else { return true };
                let key = (contact.kind, value);
                match (rows.get(&key).map(Vec::as_slice), seen.get(&key)) {
                    (Some([only]), Some(1)) => {
                        changed.extend(self.bind(only.clone(), contact));
                        false
                    }
                    _ => true,
                }
            })
            .collect()
    }

    fn fresh(&mut self, kind: ContactKind) -> ContactId {
        let id = format!("{}{}", kind.letter(), self.next);
        self.next += 1;
        #[expect(clippy::expect_used, reason = "a letter of the kind and digits")]
        id.parse().expect("a contact id")
    }

    fn bind(&mut self, id: ContactId, contact: &Arc<Contact>) -> Option<BoundContact> {
        let bound = BoundContact {
            id: id.clone(),
            peer: contact.peer.clone(),
            kind: contact.kind,
            uin: contact.uin,
            alias: contact.alias.clone(),
            remark_name: contact.remark_name.clone(),
            nick_name: contact.nick_name.clone(),
            attr_status: contact.attr_status,
        };
        self.by_peer.insert(contact.peer.clone(), id.clone());
        let before = self.by_id.insert(id, Known { bound: bound.clone(), contact: Some(Arc::clone(contact)) });
        (before.is_none_or(|b| b.bound != bound)).then_some(bound)
    }

    /// Takes a new or changed contact of the running login. Returns the binding to store, if it changed.
    pub fn upsert(&mut self, contact: &Arc<Contact>) -> Option<BoundContact> {
        let id = match self.by_peer.get(&contact.peer) {
            Some(id) => id.clone(),
            None => return self.late(contact),
        };
        self.bind(id, contact)
    }

    /// Somebody met only now may still be somebody known from before.
    fn late(&mut self, contact: &Arc<Contact>) -> Option<BoundContact> {
        let same_login = self.by_id.values().find(|k| k.bound.peer == contact.peer).map(|k| k.bound.id.clone());
        if let Some(id) = same_login {
            return self.bind(id, contact);
        }
        let (mut left, mut changed) = (vec![contact], Vec::new());
        for mark in [uin, alias, remark, nick_and_attr, topic] {
            left = self.match_by(left, mark, &mut changed);
        }
        if left.is_empty() {
            return changed.pop();
        }
        let id = self.fresh(contact.kind);
        self.bind(id, contact)
    }

    /// The id of a peer of the running login.
    pub fn id_of(&self, peer: &PeerId) -> Option<&ContactId> {
        self.by_peer.get(peer)
    }

    /// The peer of an id, when it is bound in the running login.
    pub fn peer_of(&self, id: &ContactId) -> Option<&PeerId> {
        self.contact(id).map(|c| &c.peer)
    }

    /// What is known of an id in the running login.
    pub fn contact(&self, id: &ContactId) -> Option<&Arc<Contact>> {
        self.by_id.get(id).and_then(|k| k.contact.as_ref())
    }
}

/// What outlives a login.
struct Marks<'a> {
    uin: u64,
    alias: &'a str,
    remark: &'a str,
    nick: &'a str,
    attr: u64,
    kind: ContactKind,
}

impl<'a> Marks<'a> {
    fn of_row(row: &'a BoundContact) -> Self {
        Self {
            uin: row.uin,
            alias: &row.alias,
            remark: &row.remark_name,
            nick: &row.nick_name,
            attr: row.attr_status,
            kind: row.kind,
        }
    }

    fn of_contact(contact: &'a Contact) -> Self {
        Self {
            uin: contact.uin,
            alias: &contact.alias,
            remark: &contact.remark_name,
            nick: &contact.nick_name,
            attr: contact.attr_status,
            kind: contact.kind,
        }
    }
}

type Mark = fn(&Marks<'_>) -> Option<String>;

fn uin(marks: &Marks<'_>) -> Option<String> {
    (marks.uin != 0).then(|| marks.uin.to_string())
}

fn alias(marks: &Marks<'_>) -> Option<String> {
    (!marks.alias.is_empty()).then(|| marks.alias.to_owned())
}

fn remark(marks: &Marks<'_>) -> Option<String> {
    (!marks.remark.is_empty()).then(|| marks.remark.to_owned())
}

fn nick_and_attr(marks: &Marks<'_>) -> Option<String> {
    (!marks.nick.is_empty() && marks.attr != 0).then(|| format!("{}\0{}", marks.nick, marks.attr))
}

/// A room's topic, or the name of a special account or of ourselves. A person's nick alone proves nobody.
fn topic(marks: &Marks<'_>) -> Option<String> {
    (marks.kind != ContactKind::Person && !marks.nick.is_empty()).then(|| marks.nick.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(peer: &str, kind: ContactKind, nick: &str, edit: impl FnOnce(&mut Contact)) -> Arc<Contact> {
        let mut contact = Contact::nameless(peer.parse().unwrap(), kind);
        contact.nick_name = nick.into();
        edit(&mut contact);
        Arc::new(contact)
    }

    fn id<'a>(contacts: &'a Contacts, peer: &str) -> &'a str {
        contacts.id_of(&peer.parse().unwrap()).unwrap().as_str()
    }

    #[test]
    fn ids_outlive_a_login_where_the_match_is_unique() {
        let person = ContactKind::Person;
        let mut first = Contacts::default();
        let rows = first.begin(&[
            contact("@a1", person, "Alice", |c| c.alias = "alice".into()),
            contact("@b1", person, "Bob", |c| c.attr_status = 7),
            contact("@c1", person, "Twin", |c| c.attr_status = 9),
            contact("@d1", person, "Twin", |c| c.attr_status = 9),
            contact("@@r1", ContactKind::Room, "测试群", |_| {}),
        ]);
        assert_eq!(rows.len(), 5);
        let (alice, bob, room) =
            (id(&first, "@a1").to_owned(), id(&first, "@b1").to_owned(), id(&first, "@@r1").to_owned());
        let twins = [id(&first, "@c1").to_owned(), id(&first, "@d1").to_owned()];

        let mut again = Contacts::load(rows);
        again.begin(&[
            contact("@a2", person, "Alice renamed", |c| c.alias = "alice".into()),
            contact("@b2", person, "Bob", |c| c.attr_status = 7),
            contact("@c2", person, "Twin", |c| c.attr_status = 9),
            contact("@@r2", ContactKind::Room, "测试群", |_| {}),
        ]);
        assert_eq!((id(&again, "@a2"), id(&again, "@b2"), id(&again, "@@r2")), (&*alice, &*bob, &*room));
        assert!(!twins.contains(&id(&again, "@c2").to_owned()), "ambiguous: a new id, no rights");
        assert_eq!(again.peer_of(&alice.parse().unwrap()).unwrap().as_str(), "@a2");
        assert_eq!(again.peer_of(&twins[0].parse().unwrap()), None);
    }

    #[test]
    fn the_same_login_keeps_all_and_changes_nothing() {
        let mut first = Contacts::default();
        let list = [
            contact("@a1", ContactKind::Person, "Alice", |_| {}),
            contact("@b1", ContactKind::Person, "Alice", |_| {}),
        ];
        let rows = first.begin(&list);
        let mut again = Contacts::load(rows);
        assert_eq!(again.begin(&list), []);
        assert_eq!(id(&again, "@a1"), id(&first, "@a1"));
    }

    #[test]
    fn someone_met_later_gets_an_id_once() {
        let mut contacts = Contacts::default();
        contacts.begin(&[]);
        let new = contact("@x", ContactKind::Person, "X", |_| {});
        assert!(contacts.upsert(&new).is_some());
        assert!(contacts.upsert(&new).is_none());
    }
}
