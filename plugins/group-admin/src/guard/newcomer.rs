//! Who is new in a room, and what may newcomers not do yet? No links, cards or texts that point to QR codes in their first
//! hours.
//!
//! Joining is told by names, and names are no ids. So a member's time begins with the first message under an id that was not
//! seen in the room before, or when a comparison of lists shows the id among the members. Whoever is first seen soon
//! after the plugin came to the room, and was not announced, counts as an old member.
//!
//! **State.** `since:<room>`: since when the room is looked after. `seen:<room>:<member>`: since when a member is new,
//! 0 for old ones. Written once per member, at the first message; afterwards a message costs no look into the store.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use wxbot_plugin::model::{Noticed, Person};
use wxbot_plugin::prelude::*;

use super::Guard;
use super::filter::Restricted;
use super::offence::Offence;
use super::state::{MemberKey, seconds};
use crate::act::Doing;
use crate::ladder::Rung;

/// What newcomers may not do yet.
#[derive(Debug, PluginConfig)]
pub struct Probation {
    /// How long a member is new.
    #[config(default = "24h", range = "1min"..="90d")]
    pub period: Duration,
    /// How long after the plugin came to a room whoever speaks first counts as an old member.
    #[config(default = "24h", range = "0s"..="30d")]
    pub settle: Duration,
    /// Whether they may post links.
    #[config(default = false)]
    pub links: bool,
    /// Whether they may post cards, mini programs and invitations.
    #[config(default = false)]
    pub cards: bool,
    /// Whether they may post texts that point to QR codes.
    #[config(default = false)]
    pub qr: bool,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// A member whose time is not known yet.
const UNKNOWN: u32 = 0;
/// A member who is not new any more.
const OLD: u32 = 1;

impl Probation {
    fn offence(&self, what: Restricted) -> Option<Offence> {
        let (allowed, why) = match what {
            Restricted::Link => (self.links, "新成员暂不能发链接"),
            Restricted::Card => (self.cards, "新成员暂不能发名片和小程序"),
            Restricted::Qr => (self.qr, "新成员暂不能发扫码、加好友的内容"),
        };
        (!allowed).then(|| Offence::new("probation", why, self.rung))
    }

    fn until_s(&self, since_ms: i64) -> u32 {
        match since_ms {
            0 => OLD,
            since_ms => seconds(since_ms.saturating_add_unsigned(millis(self.period))).max(OLD),
        }
    }
}

/// Where it is kept since when a member is new.
pub(crate) fn seen_key(room: &ContactId, member: &ContactId) -> String {
    format!("seen:{room}:{member}")
}

fn since_key(room: &ContactId) -> String {
    format!("since:{room}")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn named(hashes: &RandomState, name: &str) -> u64 {
    hashes.hash_one(name.trim())
}

/// Looks whether the sender is new here, and notes the first sight of them. The offence, if the message is none for newcomers.
pub(crate) async fn look(
    guard: &Guard,
    doing: &Doing<'_>,
    event: &Event,
    sender: &Person,
    content: &Content,
) -> Result<(Effects, Option<Offence>), PluginError> {
    let Some(rules) = &doing.settings.probation else { return Ok((Effects::none(), None)) };
    let (cx, room, key, now_ms) = (doing.cx, &event.chat.id, MemberKey::of(&sender.id), doing.cx.now_ms());
    let mut until_s = guard.state.room(cx.account(), room, |room| room.member(key, now_ms).new_until_s);
    let mut keep = Effects::none();
    if until_s == UNKNOWN {
        let (since_ms, effects) = first_sight(guard, doing, rules, room, sender).await?;
        until_s = rules.until_s(since_ms);
        keep = effects;
        // Of what was just written nothing is remembered until it is committed: the next message reads it.
        if keep.is_empty() {
            guard.state.room(cx.account(), room, |room| room.member(key, now_ms).new_until_s = until_s);
        }
    }
    if until_s <= seconds(now_ms) {
        return Ok((keep, None));
    }
    let offence = guard.filters.restricted(content).and_then(|what| rules.offence(what));
    Ok((keep, offence))
}

/// Since when the member is new (0: is not), and what is to be kept about it.
async fn first_sight(
    guard: &Guard,
    doing: &Doing<'_>,
    rules: &Probation,
    room: &ContactId,
    sender: &Person,
) -> Result<(i64, Effects), PluginError> {
    let (cx, now_ms, key) = (doing.cx, doing.cx.now_ms(), seen_key(room, &sender.id));
    if let Some(since_ms) = cx.kv_get::<i64>(&key).await? {
        return Ok((since_ms, Effects::none()));
    }
    let (begun_ms, begin) = begin(guard, doing, room).await?;
    let name = named(&guard.state.hashes, &sender.name);
    let announced = guard.state.room(cx.account(), room, |room| {
        room.awaited.iter().find(|(awaited, _)| *awaited == name).map(|(_, at_ms)| *at_ms)
    });
    let settled = now_ms.saturating_sub(begun_ms) >= i64::try_from(rules.settle.as_millis()).unwrap_or(i64::MAX);
    let since_ms = announced.or(settled.then_some(now_ms)).unwrap_or(0);
    Ok((since_ms, begin.put(key, &since_ms)?))
}

/// Since when the room is looked after: since now, if nobody wrote it down.
async fn begin(guard: &Guard, doing: &Doing<'_>, room: &ContactId) -> Result<(i64, Effects), PluginError> {
    let cx = doing.cx;
    if let Some(since_ms) = guard.state.room(cx.account(), room, |room| room.since_ms) {
        return Ok((since_ms, Effects::none()));
    }
    match cx.kv_get::<i64>(&since_key(room)).await? {
        Some(since_ms) => {
            guard.state.room(cx.account(), room, |room| room.since_ms = Some(since_ms));
            Ok((since_ms, Effects::none()))
        }
        None => Ok((cx.now_ms(), Effects::none().put(since_key(room), &cx.now_ms())?)),
    }
}

/// People came in, by the names that the service told.
pub(crate) async fn joined(
    guard: &Guard,
    doing: &Doing<'_>,
    event: &Event,
    joined: &MembersJoined,
) -> Result<Effects, PluginError> {
    if doing.settings.probation.is_none() {
        return Ok(Effects::none());
    }
    let (_, begin) = begin(guard, doing, &event.chat.id).await?;
    let now_ms = doing.cx.now_ms();
    guard.state.room(doing.cx.account(), &event.chat.id, |room| {
        for name in &joined.names {
            room.awaits(named(&guard.state.hashes, name), now_ms);
        }
    });
    Ok(begin)
}

/// People came in, by a comparison of lists: some of them have ids.
pub(crate) async fn noticed(
    guard: &Guard,
    doing: &Doing<'_>,
    event: &Event,
    joined: &[Noticed],
) -> Result<Effects, PluginError> {
    if doing.settings.probation.is_none() {
        return Ok(Effects::none());
    }
    let (_, mut keep) = begin(guard, doing, &event.chat.id).await?;
    let (room, now_ms) = (&event.chat.id, doing.cx.now_ms());
    for person in joined {
        guard.state.room(doing.cx.account(), room, |state| match &person.id {
            // Whoever left and came back is new again.
            Some(id) => state.pardon(MemberKey::of(id)),
            None => state.awaits(named(&guard.state.hashes, &person.name), now_ms),
        });
        if let Some(id) = &person.id {
            keep = keep.put(seen_key(room, id), &now_ms)?;
        }
    }
    Ok(keep)
}
