//! Who is welcomed, when, and how? Whoever came in, once, together with others who came at the same time.
//!
//! The service tells names and seldom ids. A name is good enough to greet somebody and for nothing else.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::{ContactKind, Noticed};
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::Facts;
use wxbot_plugin::text::head;
use wxbot_plugin::{KvPage, RoomMember};

use super::settings::Welcome;
use super::{announce, local, names, topic_of};
use crate::act::{Deed, Doing};
use crate::audit::Whom;

/// How many wait for one welcome; whoever comes beyond that is only counted.
const MOST_WAITING: usize = 200;
/// Bytes of a waiting name.
const NAME: usize = 120;
/// How many are mentioned in one text; the phones of the others do not ring for it.
const MENTIONED: usize = 10;
/// Bytes of the text, so that mentions fit before it.
const TEXT: usize = 3_000;
/// How long after its time a welcome is still on its way: timers wait while the bot is busy.
const LATE_MS: i64 = 60_000;
/// How long after its time nobody is welcomed any more: they are no newcomers then.
const STALE_MS: i64 = 3_600_000;

/// Somebody who came, as it is stored until the delay is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Newcomer {
    name: String,
    id: Option<ContactId>,
}

/// Those who wait, as they are stored.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    who: Vec<Newcomer>,
    /// How many more there are.
    #[serde(default)]
    more: usize,
    /// When the timer is due that welcomes them. It may be lost: where the plugin was silenced then, or not used.
    #[serde(default)]
    due_ms: i64,
}

/// The service says that people came in.
pub(crate) async fn told(doing: &Doing<'_>, event: &Event, joined: &MembersJoined) -> Result<Effects, PluginError> {
    // Where we come in ourselves the others were there before us, or the room is new.
    if joined.me_invited {
        return Ok(Effects::none());
    }
    let who = joined.names.iter().map(|name| (name.as_str(), None));
    came(doing, &event.chat.id, who.collect()).await
}

/// A comparison of lists shows that people came in.
pub(crate) async fn noticed(doing: &Doing<'_>, event: &Event, joined: &[Noticed]) -> Result<Effects, PluginError> {
    let us = |id: &ContactId| doing.cx.contact(id).is_some_and(|contact| contact.kind == ContactKind::Myself);
    let others = joined.iter().filter(|one| !one.name.is_empty() && !one.id.as_ref().is_some_and(us));
    let who = others.map(|one| (one.name.as_str(), one.id.clone()));
    came(doing, &event.chat.id, who.collect()).await
}

async fn came(
    doing: &Doing<'_>,
    room: &ContactId,
    who: Vec<(&str, Option<ContactId>)>,
) -> Result<Effects, PluginError> {
    let Some(welcome) = doing.settings.welcome.as_ref().filter(|_| doing.settings.covers(room)) else {
        return Ok(Effects::none());
    };
    if who.is_empty() {
        return Ok(Effects::none());
    }
    let key = waiting_key(room);
    let was: Option<Waiting> = doing.cx.kv_get(&key).await?;
    let now_ms = doing.cx.now_ms();
    let mut waiting = was.filter(|was| now_ms.saturating_sub(was.due_ms) < STALE_MS).unwrap_or_default();
    // The timer of the first one brings all of them, unless it was lost.
    let begins = now_ms.saturating_sub(waiting.due_ms) > LATE_MS;
    for (name, id) in who {
        waiting.add(Newcomer { name: head(name, NAME).to_owned(), id });
    }
    let wait = announce::quiet_for(doing, room).map_or(welcome.delay, |quiet| welcome.delay.max(quiet));
    if begins && wait.is_zero() {
        return Ok(Effects::none().delete(key).then(greet(doing, welcome, room, waiting).await?));
    }
    if !begins {
        return Ok(Effects::none().put(key, &waiting)?);
    }
    later(room, waiting, now_ms, wait)
}

/// Keeps those who wait, and comes back to them.
fn later(room: &ContactId, mut waiting: Waiting, now_ms: i64, wait: Duration) -> Result<Effects, PluginError> {
    waiting.due_ms = now_ms.saturating_add_unsigned(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    Ok(Effects::none().put(waiting_key(room), &waiting)?.timer(format!("welcome:{room}"), wait, &())?)
}

/// The delay is over.
pub(crate) async fn timer(doing: &Doing<'_>, room: &ContactId) -> Result<Effects, PluginError> {
    let key = waiting_key(room);
    let waiting: Option<Waiting> = doing.cx.kv_get(&key).await?;
    let (Some(welcome), Some(waiting)) = (&doing.settings.welcome, waiting) else { return Ok(Effects::none()) };
    if let Some(wait) = announce::quiet_for(doing, room) {
        return later(room, waiting, doing.cx.now_ms(), wait);
    }
    let greeted = greet(doing, welcome, room, waiting).await?;
    Ok(Effects::none().delete(key).then(greeted))
}

fn waiting_key(room: &ContactId) -> String {
    format!("welcome-wait:{room}")
}

/// When somebody was welcomed: by id where it is known, else by name.
fn mark_of_id(room: &ContactId, id: &ContactId) -> String {
    format!("welcomed:{room}:{id}")
}

fn mark_of_name(room: &ContactId, name: &str) -> String {
    format!("welcomed:{room}:~{}", names::key(name))
}

impl Waiting {
    /// One more, unless the same one waits already.
    fn add(&mut self, newcomer: Newcomer) {
        let same = |known: &Newcomer| match (&known.id, &newcomer.id) {
            (Some(known), Some(id)) => known == id,
            (_, _) => known.name == newcomer.name,
        };
        if self.who.iter().any(same) {
            return;
        }
        if self.who.len() < MOST_WAITING {
            self.who.push(newcomer);
        } else {
            self.more += 1;
        }
    }
}

/// Welcomes those of them who were not welcomed lately.
async fn greet(
    doing: &Doing<'_>,
    welcome: &Welcome,
    room: &ContactId,
    waiting: Waiting,
) -> Result<Effects, PluginError> {
    let (cx, now_ms) = (doing.cx, doing.cx.now_ms());
    // Without the list there are names all the same.
    let members = cx.members(room).await.unwrap_or_default();
    let again_ms = i64::try_from(welcome.again.as_millis()).unwrap_or(i64::MAX);
    let is_fresh = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| (0..again_ms).contains(&(now_ms - at_ms)));
    let (mut fresh, mut marks) = (Vec::new(), HashSet::new());
    for mut one in waiting.who {
        let found = found(&members, &one);
        if found.is_some_and(|member| member.me) {
            continue;
        }
        one.id = one.id.or_else(|| found.and_then(|member| member.id.clone()));
        let by_name = mark_of_name(room, &one.name);
        let mark = one.id.as_ref().map_or_else(|| by_name.clone(), |id| mark_of_id(room, id));
        // Whoever was welcomed by name has an id once they have spoken, so that both are asked.
        if is_fresh(cx.kv_get(&mark).await?) || (mark != by_name && is_fresh(cx.kv_get(&by_name).await?)) {
            cx.note("welcome", false, || "somebody of them was welcomed before (`again`)".to_owned());
            continue;
        }
        // The service calls our friends as we do: a remark is a private note.
        one.name = match found {
            Some(member) => member.public_name().to_owned(),
            None => names::told(cx, &one.name),
        };
        // Two strangers of one name are two people.
        if one.id.is_none() || marks.insert(mark.clone()) {
            marks.insert(mark);
            fresh.push(one);
        }
    }
    let mut kept = Effects::none();
    for mark in marks {
        kept = kept.put(mark, &now_ms)?;
    }
    if fresh.is_empty() && waiting.more == 0 {
        return Ok(kept);
    }
    let count = fresh.len() + waiting.more;
    let Some(said) = text(doing, welcome, room, &members, &fresh, count)? else { return Ok(kept) };
    let whom = fresh.iter().take(MENTIONED).map(|one| Whom::called(one.id.clone(), &one.name));
    let deed = Deed::new("welcome", "欢迎", room).whom(whom).why(format!("{count} 人进群"));
    doing.act(deed.does(Effects::none().and_act(said)).keeps(kept)).await
}

/// The one member that bears this name, or that has this id.
fn found<'m>(members: &'m [RoomMember], newcomer: &Newcomer) -> Option<&'m RoomMember> {
    if newcomer.id.is_some() {
        return members.iter().find(|member| member.id == newcomer.id);
    }
    let bears = |member: &&RoomMember| [&member.nick_name, &member.group_name, &member.name].contains(&&newcomer.name);
    let mut bearing = members.iter().filter(bears);
    let first = bearing.next();
    // Of two with one name nobody knows which one came.
    if bearing.next().is_none() { first } else { None }
}

/// What is said: mentions by id where it is known, else by name in the text.
fn text(
    doing: &Doing<'_>,
    welcome: &Welcome,
    room: &ContactId,
    members: &[RoomMember],
    fresh: &[Newcomer],
    count: usize,
) -> Result<Option<Action>, PluginError> {
    let now = local(doing);
    let mut shown = names::list(fresh.iter().map(|one| one.name.as_str()));
    if count > fresh.len() {
        shown = format!("{shown} 和另外 {} 人", count - fresh.len());
    }
    let in_room = if members.is_empty() {
        doing.cx.contact(room).map_or(0, |contact| contact.members.count())
    } else {
        members.len()
    };
    let facts = Facts::new()
        .text("name", &shown)
        .number("count", i64::try_from(count).unwrap_or(i64::MAX))
        .number("members", i64::try_from(in_room).unwrap_or(i64::MAX))
        .text("room", &names::shown(&topic_of(doing, room)))
        .text("date", &now.date())
        .text("time", &now.time())
        .text("rules", doing.settings.rules.as_ref().map_or("", |rules| &*rules.text));
    let failed = |why| PluginError::msg(format!("the text of `welcome` failed: {why}"));
    let Some(text) = welcome.text.template().render(&facts).map_err(failed)? else { return Ok(None) };
    let (mut mention, mut by_name) = (Vec::new(), String::new());
    if welcome.mention && doing.cx.can(Capability::Mention) {
        for one in fresh.iter().take(MENTIONED) {
            match &one.id {
                Some(id) => mention.push(id.clone()),
                None => by_name.push_str(&names::mention(&one.name, members)),
            }
        }
    }
    let line = if by_name.is_empty() { "" } else { "\n" };
    let text = format!("{by_name}{line}{}", head(&text, TEXT));
    Ok(Some(Action::SendText { to: room.clone(), text, mention }))
}

/// When members came in, as far as they were welcomed: for the list of silent ones.
#[derive(Debug)]
pub(crate) struct Joined {
    room: ContactId,
    marks: BTreeMap<String, i64>,
}

/// Reads them.
pub(crate) async fn joined(doing: &Doing<'_>, room: &ContactId) -> Result<Joined, PluginError> {
    let page = KvPage::of(KvPage::MOST);
    let marks: Vec<(String, i64)> = doing.cx.kv_list(&format!("welcomed:{room}:"), page).await?;
    Ok(Joined { room: room.clone(), marks: marks.into_iter().collect() })
}

impl Joined {
    /// When this member came.
    pub(crate) fn of(&self, id: Option<&ContactId>, name: &str) -> Option<i64> {
        let by_id = id.and_then(|id| self.marks.get(&mark_of_id(&self.room, id)));
        by_id.or_else(|| self.marks.get(&mark_of_name(&self.room, name))).copied()
    }
}
