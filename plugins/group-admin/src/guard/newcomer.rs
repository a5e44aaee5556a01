//! Who is new in a room, and what may newcomers not do yet? No links, cards or texts that point to QR codes in their first
//! hours.
//!
//! Joining is told by names, and names are no ids. A member is new whose id a comparison of lists showed among those who
//! came, or whose first message under an id comes within the period after somebody of the name was said to have come in.
//! Nobody else is: where the protocol gives strangers new ids at a login, members of long standing come under ids that
//! were never seen. So what is kept of strangers is kept for a login.
//!
//! **State.** `came:<room>:<name>`: when somebody of this name was said to have come in. `seen:<room>:<member>`: since
//! when a member is new; not above zero for old ones, whose first sight it is with a minus. Written once per member, at the
//! first message; afterwards a message costs no look into the store.

use std::time::Duration;

use wxbot_plugin::model::{Noticed, Person};
use wxbot_plugin::prelude::*;

use super::Guard;
use super::filter::Restricted;
use super::offence::Offence;
use super::state::{MemberKey, seconds};
use crate::act::Doing;
use crate::ladder::Rung;
use crate::life::names;

/// What newcomers may not do yet.
#[derive(Debug, PluginConfig)]
pub struct Probation {
    /// How long a member is new.
    #[config(default = "24h", range = "1min"..="90d")]
    pub period: Duration,
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

/// How many who came at once are noted: WeChat's rooms have 500 members.
const MOST: usize = 500;
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
        if since_ms <= 0 {
            return OLD;
        }
        seconds(since_ms.saturating_add_unsigned(millis(self.period))).max(OLD)
    }
}

/// Where it is kept since when a member is new.
pub(crate) fn seen_key(room: &ContactId, member: &ContactId) -> String {
    format!("seen:{room}:{member}")
}

/// Where it is kept that somebody of this name was said to have come in.
fn came_key(room: &ContactId, name: &str) -> String {
    format!("came:{room}:{}", names::key(name))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
        let (since_ms, effects) = first_sight(doing, rules, room, sender).await?;
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
    let offence = guard.filters.restricted(doing.settings, content).and_then(|what| rules.offence(what));
    Ok((keep, offence))
}

/// Since when the member is new, and what is to be kept about it.
async fn first_sight(
    doing: &Doing<'_>,
    rules: &Probation,
    room: &ContactId,
    sender: &Person,
) -> Result<(i64, Effects), PluginError> {
    let (cx, now_ms, key) = (doing.cx, doing.cx.now_ms(), seen_key(room, &sender.id));
    if let Some(since_ms) = cx.kv_get::<i64>(&key).await? {
        return Ok((since_ms, Effects::none()));
    }
    // The service tells of a friend by our remark, of others by the name they gave themselves.
    let mut called = vec![sender.name.clone()];
    if let Some(contact) = cx.contact(&sender.id) {
        called.extend([contact.nick_name.to_string(), contact.remark_name.to_string()]);
    }
    called.sort();
    called.dedup();
    let mut announced_ms = None;
    for name in called.iter().filter(|name| !name.is_empty()) {
        announced_ms = announced_ms.max(cx.kv_get::<i64>(&came_key(room, name)).await?);
    }
    let since_ms = announced_ms.filter(|at_ms| now_ms < at_ms.saturating_add_unsigned(millis(rules.period)));
    let since_ms = since_ms.unwrap_or(-now_ms);
    Ok((since_ms, Effects::none().put(key, &since_ms)?))
}

/// People came in, by the names that the service told.
pub(crate) fn joined(doing: &Doing<'_>, event: &Event, joined: &MembersJoined) -> Result<Effects, PluginError> {
    if doing.settings.probation.is_none() {
        return Ok(Effects::none());
    }
    let now_ms = doing.cx.now_ms();
    joined
        .names
        .iter()
        .take(MOST)
        .try_fold(Effects::none(), |keep, name| Ok(keep.put(came_key(&event.chat.id, name), &now_ms)?))
}

/// People came in, by a comparison of lists: some of them have ids.
pub(crate) fn noticed(
    guard: &Guard,
    doing: &Doing<'_>,
    event: &Event,
    joined: &[Noticed],
) -> Result<Effects, PluginError> {
    if doing.settings.probation.is_none() {
        return Ok(Effects::none());
    }
    let (room, now_ms, mut keep) = (&event.chat.id, doing.cx.now_ms(), Effects::none());
    for person in joined.iter().take(MOST) {
        keep = match &person.id {
            Some(id) => {
                // Whoever left and came back is new again.
                guard.state.room(doing.cx.account(), room, |state| state.pardon(MemberKey::of(id)));
                keep.put(seen_key(room, id), &now_ms)?
            }
            None => keep.put(came_key(room, &person.name), &now_ms)?,
        };
    }
    Ok(keep)
}
