//! Which room does somebody come into who asks for one in a private chat? The first that has a place.

use futures_util::future::join_all;
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::{self, fold};

use super::names::{self, shown};
use super::settings::Join;
use super::topic_of;
use crate::act::{Deed, Doing};
use crate::audit::Whom;
use crate::ladder::{self, Strikes};

/// How long somebody who was asked in counts as a member: then the room's own count knows better.
const ASKED_MS: i64 = 600_000;
/// Of how many invitations a room is kept in mind.
const MOST_ASKED: usize = 500;

/// A room as the account knows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: ContactId,
    pub(crate) name: String,
    /// How many members it has; 0 when the account does not know the room.
    pub(crate) members: usize,
    /// Whether the person is one of them.
    pub(crate) is_member: bool,
    /// Whether the person was removed from it, and the strikes have not faded.
    pub(crate) is_barred: bool,
    /// Who was asked in lately and may not be counted among the members yet.
    asked: Option<Vec<i64>>,
}

/// Where somebody goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'c> {
    /// Into this room.
    Room(&'c Candidate),
    /// Nowhere: the person is in this one already.
    Already(&'c Candidate),
    /// Nowhere: all are full.
    Full,
    /// Nowhere: the person was removed from those that have a place.
    Barred,
    /// Nowhere: the account is in none of the rooms.
    Unknown,
}

/// Picks the room.
pub(crate) fn pick(rooms: &[Candidate], full: usize) -> Place<'_> {
    if let Some(room) = rooms.iter().find(|room| room.is_member) {
        return Place::Already(room);
    }
    let mut known = rooms.iter().filter(|room| room.members > 0).peekable();
    if known.peek().is_none() {
        return Place::Unknown;
    }
    let mut free = known.filter(|room| room.members < full).peekable();
    if free.peek().is_none() {
        return Place::Full;
    }
    free.find(|room| !room.is_barred).map_or(Place::Barred, Place::Room)
}

/// A private text: perhaps it asks for a room.
pub(crate) async fn message(doing: &Doing<'_>, event: &Event) -> Result<Effects, PluginError> {
    let (Ok(typed), Some(sender)) = (text::typed(event), &event.sender) else { return Ok(Effects::none()) };
    // A word of the settings has 100 bytes at most; full-width letters take three times as many.
    if typed.len() > 400 {
        return Ok(Effects::none());
    }
    let folded = fold(typed);
    let Some(join) = doing.settings.join.iter().find(|join| join.words.iter().any(|word| word.is(&folded))) else {
        return Ok(Effects::none());
    };
    if !doing.is_shadow() {
        doing.cx.block();
    }
    let (cx, now_ms, key) = (doing.cx, doing.cx.now_ms(), format!("join:{}", sender.id));
    let last_ms: Option<i64> = cx.kv_get(&key).await?;
    let rest_ms = i64::try_from(join.every.as_millis()).unwrap_or(i64::MAX);
    if last_ms.is_some_and(|last_ms| (0..rest_ms).contains(&(now_ms - last_ms))) {
        cx.note("join", false, || "this person was answered a moment ago (`every`)".to_owned());
        return Ok(Effects::none());
    }
    let answered = answer(doing, join, sender).await?;
    Ok(answered.put(key, &now_ms)?)
}

async fn answer(doing: &Doing<'_>, join: &Join, sender: &wxbot_plugin::model::Person) -> Result<Effects, PluginError> {
    let (cx, Some(first)) = (doing.cx, join.rooms.first()) else { return Ok(Effects::none()) };
    let say = |text: String| doing.act(Deed::new("join", "回答", first).does(Effects::reply(text)).small());
    if !cx.contact(&sender.id).is_some_and(|contact| contact.is_ours) {
        return say("只能邀请好友进群,请先加我为好友 (please become a friend first)".to_owned()).await;
    }
    if !cx.can(Capability::AddMembers) {
        return say("这个账号不能邀请人进群 (this account cannot bring people into rooms)".to_owned()).await;
    }
    // All at once: one that the service does not answer for 20 s must not hold up the others.
    let looks = join_all(join.rooms.iter().map(|room| look(doing, room, &sender.id))).await;
    let rooms: Vec<Candidate> = looks.into_iter().collect::<Result<_, _>>()?;
    let who = names::public(cx, sender);
    let barred = rooms.iter().filter(|room| room.is_barred && !room.is_member);
    let told = barred.fold(Effects::none(), |told, room| {
        let line =
            format!("「{}」的人被移出过,又私聊申请进群: {who} (removed before, asks to come in)", shown(&room.name));
        told.then(doing.tell(&room.id, &line))
    });
    let full = match pick(&rooms, join.full) {
        Place::Room(room) => {
            let deed = Deed::new("join", "邀请进群", &room.id).whom([Whom::of(cx, sender)]).why("私聊申请");
            let invited = Effects::reply(format!("好的,正在邀请你进「{}」", shown(&room.name)))
                .add_members(room.id.clone(), [sender.id.clone()]);
            // Two who ask at once must not both get the last place.
            let asked: Vec<i64> = lately(room.asked.as_deref(), cx.now_ms()).chain([cx.now_ms()]).collect();
            let kept = Effects::none().swap(asked_key(&room.id), room.asked.as_ref(), Some(&asked))?;
            return Ok(doing.act(deed.does(invited).keeps(kept)).await?.then(told));
        }
        Place::Already(room) => return say(format!("你已经在「{}」里了", shown(&room.name))).await,
        // Nobody is told that they are not wanted; those who look after the rooms decide.
        Place::Barred => {
            return Ok(say("暂时没有可以进的群,已经通知管理员 (no room now)".to_owned()).await?.then(told));
        }
        Place::Full => "群都满了,已经通知管理员 (all rooms are full)",
        Place::Unknown => "暂时没有可以进的群,已经通知管理员 (no room now)",
    };
    let line = format!("有人要进群,但是没有位置: {} (nobody can be brought in: rooms are full or unknown)", who);
    Ok(say(full.to_owned()).await?.then(told).then(doing.tell(first, &line)))
}

/// The room as it is now. A list that is not to be had says nothing of members; the count is known all the same.
async fn look(doing: &Doing<'_>, room: &ContactId, person: &ContactId) -> Result<Candidate, PluginError> {
    let contact = doing.cx.contact(room).filter(|contact| contact.is_ours);
    let counted = contact.as_ref().map_or(0, |contact| contact.members.count());
    let name = topic_of(doing, room);
    let listed = if contact.is_some() { doing.cx.members(room).await.unwrap_or_default() } else { Vec::new() };
    let is_member = listed.iter().any(|member| member.id.as_ref() == Some(person));
    let (cx, now_ms) = (doing.cx, doing.cx.now_ms());
    let asked: Option<Vec<i64>> = cx.kv_get(&asked_key(room)).await?;
    let waiting = lately(asked.as_deref(), now_ms).count();
    let members = if contact.is_some() { counted.max(listed.len()) + waiting } else { 0 };
    let strikes: Strikes = cx.kv_get(&ladder::key(false, room, person)).await?.unwrap_or_default();
    let is_barred = strikes.removed_ms.is_some() && doing.settings.ladder.left(strikes, now_ms) > 0;
    Ok(Candidate { id: room.clone(), name, members, is_member, is_barred, asked })
}

/// Where it is kept when people were asked into a room.
fn asked_key(room: &ContactId) -> String {
    format!("asked-in:{room}")
}

/// Those of the moments that are not long ago, the last of them.
fn lately(asked: Option<&[i64]>, now_ms: i64) -> impl Iterator<Item = i64> {
    let asked = asked.unwrap_or_default();
    let last = asked.get(asked.len().saturating_sub(MOST_ASKED)..).unwrap_or_default();
    last.iter().copied().filter(move |at_ms| (0..ASKED_MS).contains(&(now_ms - at_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_room_with_a_place() {
        let room = |n: usize, members, is_member| Candidate {
            id: format!("r{n}").parse().unwrap(),
            name: format!("room {n}"),
            members,
            is_member,
            is_barred: false,
            asked: None,
        };
        let barred = |n, members| Candidate { is_barred: true, ..room(n, members, false) };
        let name = |place: Place<'_>| match place {
            Place::Room(room) => format!("into {}", room.id),
            Place::Already(room) => format!("in {}", room.id),
            Place::Full => "full".to_owned(),
            Place::Barred => "barred".to_owned(),
            Place::Unknown => "unknown".to_owned(),
        };
        for (rooms, want) in [
            (vec![room(1, 10, false), room(2, 3, false)], "into r1"),
            (vec![room(1, 500, false), room(2, 3, false)], "into r2"),
            (vec![room(1, 500, false), room(2, 501, false)], "full"),
            (vec![room(1, 10, false), room(2, 500, true)], "in r2"),
            (vec![room(1, 0, false), room(2, 3, false)], "into r2"),
            (vec![room(1, 0, false)], "unknown"),
            (vec![barred(1, 10), room(2, 3, false)], "into r2"),
            (vec![barred(1, 10), room(2, 500, false)], "barred"),
            (vec![barred(1, 500)], "full"),
            (vec![], "unknown"),
        ] {
            assert_eq!(name(pick(&rooms, 500)), want);
        }
    }
}
