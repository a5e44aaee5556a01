//! What does the phone tell of its chats? Type 51: `<msg><op id=…>` and the lists in it.

use std::collections::HashSet;

use wxbot_model::PeerId;

use super::content::tree;
use crate::said::username;
use crate::webwx::wire::addmsg::AddMsg;

/// What stands in a status notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operation {
    /// 4 for the list of recent chats, 5 when a chat was left; 1 and 2 occur.
    pub id: Option<i64>,
    /// The chats it is about by the phone's ids (`wxid_…`, `…@chatroom`), which outlive logins.
    pub names: Vec<String>,
    /// What the phone has not read yet.
    pub unread: Vec<Unread>,
    /// How many functions of the phone (Moments and the like) have news.
    pub unread_functions: usize,
}

/// A chat with something unread in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The chat, by the phone's id.
    pub name: String,
    /// When the phone last read it, seconds since 1970; 0 when not stated.
    pub last_read_s: i64,
}

/// Reads the content of a status notice; `None` when it holds no `<op>`.
pub fn operation(content: &str) -> Option<Operation> {
    let root = tree(content)?;
    let op = root.child("op")?;
    let unread = op.child("unreadchatlist").map(|list| list.children.as_slice()).unwrap_or_default();
    Some(Operation {
        id: op.attr("id").and_then(|id| id.trim().parse().ok()),
        names: listed(op.words("username")).map(str::to_owned).collect(),
        unread: unread
            .iter()
            .map(|chat| Unread {
                name: chat.words("username").to_owned(),
                last_read_s: chat.words("lastreadtime").parse().unwrap_or(0),
            })
            .collect(),
        unread_functions: op.child("unreadfunctionlist").map_or(0, |list| list.children.len()),
    })
}

/// Which lasting id of the phone belongs to which id of this login.
///
/// A notice with code 4 has two lists of the recent chats in one order `[I]`. They pair only when they are of one
/// length: where one of them leaves a chat out, nobody can say which. Rights hang on these pairs, so whatever shows that
/// the lists do not go together costs all of them: a room's id beside a person's, a built-in account beside another, an
/// id that stands for two.
pub fn recent_pairs(msg: &AddMsg) -> Vec<(String, PeerId)> {
    let names = operation(&msg.content).filter(|_| msg.status_notify_code == 4).unwrap_or_default().names;
    let peers: Vec<&str> = msg.recent_chats().collect();
    if names.len() != peers.len() {
        return Vec::new();
    }
    let (mut seen_names, mut seen_peers) = (HashSet::new(), HashSet::new());
    let mut pairs = Vec::with_capacity(names.len());
    for (name, peer) in names.into_iter().zip(peers) {
        let same_sort = username::is_room(&name) == username::is_room(peer);
        let built_in = username::is_special(&name) || username::is_special(peer);
        let fits = if built_in { name == peer } else { same_sort && !name.starts_with('@') };
        if !fits || !seen_names.insert(name.clone()) || !seen_peers.insert(peer) {
            tracing::debug!("The two lists of recent chats do not go together; nobody is known by them.");
            return Vec::new();
        }
        if !built_in && let Ok(peer) = peer.parse() {
            pairs.push((name, peer));
        }
    }
    pairs
}

fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}
