//! Which names and keys does the service invent: UserNames, sids, tickets, MsgIds?
//!
//! All values come from generators seeded by the world, so that a run can be repeated.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

/// Who a UserName stands for, seen from one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// The account itself.
    Me,
    /// An entry of the account's people.
    Person(usize),
    /// An entry of the account's rooms.
    Room(usize),
    /// A service of WeChat: filehelper, fmessage …
    Special(&'static str),
}

/// Services without an `@` name that this server knows, with their NickNames.
pub(crate) const SPECIALS: [(&str, &str); 5] = [
    ("filehelper", "文件传输助手"),
    ("weixin", "微信团队"),
    ("fmessage", "朋友推荐消息"),
    ("newsapp", "腾讯新闻"),
    ("notification_messages", "服务通知"),
];

pub(crate) fn special(name: &str) -> Option<Peer> {
    SPECIALS.iter().find(|(id, _)| *id == name).map(|(id, _)| Peer::Special(id))
}

/// The UserNames of one login. All of them are drawn anew by the next one.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) me: String,
    pub(crate) people: Vec<String>,
    pub(crate) rooms: Vec<String>,
    pub(crate) encry: Vec<String>,
    index: HashMap<String, Peer>,
    /// People who are no contacts but were named by a message, by UserName: pending friend requests.
    pub(crate) requesters: HashMap<String, Value>,
}

impl Names {
    pub(crate) fn draw(rng: &mut StdRng, people: usize, rooms: usize) -> Self {
        let mut names = Self { me: user_name(rng), ..Self::default() };
        names.index.insert(names.me.clone(), Peer::Me);
        (0..people).for_each(|_| names.add_person(rng));
        (0..rooms).for_each(|_| names.add_room(rng));
        names
    }

    pub(crate) fn add_person(&mut self, rng: &mut StdRng) {
        let name = user_name(rng);
        self.index.insert(name.clone(), Peer::Person(self.people.len()));
        self.people.push(name);
    }

    /// Gives a person the name by which a message introduced it.
    pub(crate) fn rename_person(&mut self, at: usize, user_name: &str) {
        if let Some(name) = self.people.get_mut(at) {
            self.index.remove(name);
            user_name.clone_into(name);
            self.index.insert(name.clone(), Peer::Person(at));
        }
    }

    pub(crate) fn add_room(&mut self, rng: &mut StdRng) {
        let name = format!("@{}", user_name(rng));
        self.index.insert(name.clone(), Peer::Room(self.rooms.len()));
        self.rooms.push(name);
        self.encry.push(format!("@{}", hex(rng, 32)));
    }

    /// Who is meant, if the name is of this login.
    pub(crate) fn find(&self, user_name: &str) -> Option<Peer> {
        self.index.get(user_name).copied().or_else(|| special(user_name))
    }

    pub(crate) fn of(&self, peer: Peer) -> &str {
        match peer {
            Peer::Me => &self.me,
            Peer::Person(at) => self.people.get(at).map_or("", String::as_str),
            Peer::Room(at) => self.rooms.get(at).map_or("", String::as_str),
            Peer::Special(id) => id,
        }
    }
}

/// The generator of one account: what one account draws does not depend on what others do.
pub(crate) fn generator(seed: u64, purpose: &str) -> StdRng {
    StdRng::seed_from_u64(seed ^ stable_hash(purpose))
}

/// FNV-1a: the standard hasher may change between releases, and drawn values must not.
pub(crate) fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

pub(crate) fn hex(rng: &mut StdRng, digits: usize) -> String {
    draw(rng, b"0123456789abcdef", digits)
}

fn user_name(rng: &mut StdRng) -> String {
    format!("@{}", hex(rng, 64))
}

const PLAIN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(crate) fn draw(rng: &mut StdRng, alphabet: &[u8], len: usize) -> String {
    let count = u64::try_from(alphabet.len()).unwrap_or(1);
    (0..len)
        .filter_map(|_| alphabet.get(usize::try_from(rng.next_u64() % count).unwrap_or(0)))
        .map(|&byte| char::from(byte))
        .collect()
}

pub(crate) fn uuid(rng: &mut StdRng) -> String {
    // A real uuid is base64 and may hold a slash; this one stays fit for the path of /qrcode/{uuid}.
    format!("{}==", draw(rng, PLAIN, 10))
}

/// 16 characters with `+` and `/`, so that a client that forgets to encode it is found out at every login.
pub(crate) fn sid(rng: &mut StdRng) -> String {
    format!("{}+{}/{}", draw(rng, PLAIN, 5), draw(rng, PLAIN, 5), draw(rng, PLAIN, 4))
}

pub(crate) fn skey(rng: &mut StdRng) -> String {
    format!("@crypt_{}_{}", hex(rng, 8), hex(rng, 32))
}

/// Arrives percent-encoded, as the real one does.
pub(crate) fn pass_ticket(rng: &mut StdRng) -> String {
    format!("{}%2F{}%2B{}", draw(rng, PLAIN, 15), draw(rng, PLAIN, 24), draw(rng, PLAIN, 20))
}

pub(crate) fn ticket(rng: &mut StdRng) -> String {
    draw(rng, PLAIN, 32)
}

/// As the service names what was uploaded.
pub(crate) fn media_id(rng: &mut StdRng) -> String {
    format!("@crypt_{}_{}", hex(rng, 8), hex(rng, 160))
}

/// What a friend request is answered with.
pub(crate) fn friend_ticket(rng: &mut StdRng) -> String {
    format!("v2_{}@stranger", hex(rng, 97))
}

/// `wxid_…` of a person: the same at every login, which no UserName is.
pub(crate) fn wxid(account: &str, nick: &str) -> String {
    let mut rng = generator(stable_hash(account), nick);
    format!("wxid_{}", draw(&mut rng, b"abcdefghijklmnopqrstuvwxyz0123456789", 14))
}
