//! How does something reach several rooms, on schedule or by command? Some rooms at a time, and not in quiet hours.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::Person;
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::Facts;

use super::settings::{Announce, MOST_ROOMS, Written};
use super::{local, names, topic_of};
use crate::act::{Deed, Doing};
use crate::audit::Whom;
use crate::guard::quiet;

/// Rooms of one step: each gets two things at most, and an event may ask for twenty. 200 rooms take less than a minute, so
/// that no schedule catches up with itself.
const STEP: usize = 9;
/// In shadow mode each room is one report to everybody in `notify`, who are five at most.
const SHADOW_STEP: usize = 3;
/// How long one step waits for the last one.
const BETWEEN: Duration = Duration::from_secs(2);
/// After how long without a step an announcement was lost on its way.
const LOST_MS: i64 = 60_000;
/// Bytes of a text that is typed.
const TEXT: usize = 3_000;
/// What schedules are called before their number.
const SCHEDULE: &str = "announce:";
/// Names that are shown before the code.
const SHOWN: usize = 8;

/// What is left to do of a scheduled announcement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// What it is, whatever its number: after a reload another one may stand in its place.
    mark: u64,
    rooms: Vec<ContactId>,
    /// It is one room that waited for the end of its quiet hours.
    #[serde(default)]
    alone: bool,
}

/// What is left to do of a typed one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mass {
    text: String,
    rooms: Vec<ContactId>,
    by: ContactId,
    name: String,
}

/// What the schedule of the `n`th announcement is called.
pub(crate) fn schedule(n: usize) -> String {
    format!("{SCHEDULE}{n}")
}

/// How long it is quiet yet in this room; `None` when it is not.
pub(crate) fn quiet_for(doing: &Doing<'_>, room: &ContactId) -> Option<Duration> {
    let left_ms = quiet::left_ms(doing.settings, room, doing.cx.now_ms())?;
    Some(Duration::from_millis(left_ms.max(0).cast_unsigned()))
}

/// A schedule is due.
pub(crate) async fn due(doing: &Doing<'_>, name: &str) -> Result<Effects, PluginError> {
    let Some(n) = name.strip_prefix(SCHEDULE).and_then(|n| n.parse::<usize>().ok()) else { return Ok(Effects::none()) };
    let Some(announce) = doing.settings.announce.get(n) else { return Ok(Effects::none()) };
    let (mark, now_ms) = (mark(announce), doing.cx.now_ms());
    let under_way: Option<i64> = doing.cx.kv_get(&under_way_key(mark)).await?;
    if under_way.is_some_and(|until_ms| (now_ms..now_ms.saturating_add(2 * LOST_MS)).contains(&until_ms)) {
        doing.cx.note("announce", false, || "the last time has not reached all rooms yet".to_owned());
        return Ok(Effects::none());
    }
    step(doing, Step { mark, rooms: announce.rooms.clone(), alone: false }).await
}

/// What an announcement is: two of the same are the same.
pub(super) fn mark(announce: &Announce) -> u64 {
    let mut hasher = DefaultHasher::new();
    let text = announce.text.as_ref().map(Written::source);
    (&announce.cron, text, &announce.image).hash(&mut hasher);
    hasher.finish()
}

/// Where it is kept until when an announcement is surely under way.
fn under_way_key(mark: u64) -> String {
    format!("announcing:{mark:016x}")
}

/// The next rooms. One in which it is quiet is told when its quiet hours end.
pub(crate) async fn step(doing: &Doing<'_>, mut step: Step) -> Result<Effects, PluginError> {
    let key = under_way_key(step.mark);
    let Some(announce) = doing.settings.announce.iter().find(|announce| mark(announce) == step.mark) else {
        return Ok(Effects::none().delete(key));
    };
    // A room may have been taken out meanwhile.
    step.rooms.retain(|room| announce.rooms.contains(room));
    let later = step.rooms.split_off(step.rooms.len().min(step_of(doing)));
    // One whose quiet hours are over is no part of what is under way.
    let is_alone = step.alone;
    let mut effects = Effects::none();
    for room in &step.rooms {
        effects = effects.then(match quiet_for(doing, room) {
            Some(wait) => {
                let alone = Step { mark: step.mark, rooms: vec![room.clone()], alone: true };
                Effects::none().timer(format!("announce:{:016x}:{room}", step.mark), wait, &alone)?
            }
            None => say(doing, announce, room).await?,
        });
    }
    // Few rooms are told at once, and nothing is under way.
    let is_long = announce.rooms.len() > step_of(doing);
    if later.is_empty() {
        return Ok(if is_long && !is_alone { effects.delete(key) } else { effects });
    }
    let until_ms = doing.cx.now_ms().saturating_add(LOST_MS);
    let effects = effects.put(key, &until_ms)?;
    Ok(effects.timer(format!("announce:{:016x}", step.mark), BETWEEN, &Step { rooms: later, ..step })?)
}

fn step_of(doing: &Doing<'_>) -> usize {
    if doing.is_shadow() { SHADOW_STEP } else { STEP }
}

async fn say(doing: &Doing<'_>, announce: &Announce, room: &ContactId) -> Result<Effects, PluginError> {
    let now = local(doing);
    let contact = doing.cx.contact(room);
    let members = contact.map_or(0, |contact| contact.members.count());
    let facts = Facts::new()
        .text("room", &names::shown(&topic_of(doing, room)))
        .number("members", i64::try_from(members).unwrap_or(i64::MAX))
        .text("date", &now.date())
        .text("time", &now.time())
        .text("weekday", now.weekday_name());
    let mut effects = Effects::none();
    // Asking for what the account cannot do would fail the text as well; `wxbot check` has warned of it.
    if let Some(image) = announce.image.as_ref().filter(|_| doing.cx.can(Capability::SendImage)) {
        effects = effects.and_send_media(room.clone(), MediaShape::Image, MediaSource::path(image));
    }
    if let Some(text) = &announce.text {
        let failed = |why| PluginError::msg(format!("the text of an announcement failed: {why}"));
        if let Some(text) = text.template().render(&facts).map_err(failed)? {
            effects = effects.and_send(room.clone(), text);
        }
    }
    if effects.is_empty() {
        return Ok(effects);
    }
    doing.act(Deed::new("announce", "公告", room).why("定时").does(effects)).await
}

/// 公告: the same text to several rooms, now. Dangerous, so that it takes a role and a code (security R29).
pub(crate) async fn typed(doing: &Doing<'_>, by: &Person, to: &str, text: &str) -> Result<Effects, PluginError> {
    let text = text.trim();
    if text.len() > TEXT {
        let told = format!("公告太长了,最多 {} 个汉字 (too long)", TEXT / 3);
        return Err(PluginError::told(told));
    }
    let rooms = rooms(doing, to)?;
    let shown: Vec<String> = rooms.iter().take(SHOWN).map(|room| names::shown(&topic_of(doing, room))).collect();
    let more = if rooms.len() > SHOWN { "…" } else { "" };
    doing.cx.confirm(&format!("向 {} 个群发公告: {}{more}", rooms.len(), shown.join("、"))).await?;
    // The code proves that it was read; who may command it may have changed meanwhile.
    if !doing.cx.may(&Role::Admin) {
        return Err(PluginError::told("你现在没有权限了 (you may not do that any more)"));
    }
    let count = rooms.len();
    let typed = Mass { text: text.to_owned(), rooms, by: by.id.clone(), name: names::public(doing.cx, by) };
    let answer = if doing.is_shadow() { "观察模式,不会真的发" } else { "好的,开始发" };
    Ok(Effects::reply(format!("{answer}({count} 个群)")).then(next(doing, typed).await?))
}

/// The next rooms of a typed one.
pub(crate) async fn next(doing: &Doing<'_>, mut typed: Mass) -> Result<Effects, PluginError> {
    let mut effects = Effects::none();
    let later = typed.rooms.split_off(typed.rooms.len().min(step_of(doing)));
    for room in &typed.rooms {
        let by = Whom { id: Some(typed.by.clone()), name: typed.name.clone() };
        let deed = Deed::new("announce", "公告", room).why("命令").by(by);
        effects = effects.then(doing.act(deed.does(Effects::none().and_send(room.clone(), &*typed.text))).await?);
    }
    if later.is_empty() {
        return Ok(effects);
    }
    typed.rooms = later;
    // One name for each command, so that a second one does not cut off the first.
    let name = format!("announce-now:{}", doing.cx.message_id());
    Ok(effects.timer(name, BETWEEN, &typed)?)
}

/// `全部`, or ids with commas between them.
fn rooms(doing: &Doing<'_>, to: &str) -> Result<Vec<ContactId>, PluginError> {
    let usage = "用法: 公告 全部|r12,r13 内容 (announce all|r12,r13 text)";
    let mut rooms: Vec<ContactId> = Vec::new();
    if ["全部", "all", "ALL"].contains(&to) {
        rooms.clone_from(&doing.settings.rooms);
        if rooms.is_empty() {
            let query = ContactQuery::new("").rooms().limit(MOST_ROOMS + 1);
            rooms.extend(doing.cx.find_contacts(query).into_iter().map(|room| room.id));
        }
    } else {
        for word in to.split([',', ',', '、']).filter(|word| !word.is_empty()) {
            let room: ContactId = word.parse().map_err(|_no_id| PluginError::told(usage))?;
            let known =
                doing.cx.contact(&room).is_some_and(|contact| contact.kind == wxbot_plugin::model::ContactKind::Room);
            if !known || !doing.settings.covers(&room) {
                return Err(PluginError::told(format!("{room} 不是这里管理的群 (no room of mine)")));
            }
            if !rooms.contains(&room) {
                rooms.push(room);
            }
        }
    }
    match rooms.len() {
        0 => Err(PluginError::told(usage)),
        many if many > MOST_ROOMS => Err(PluginError::told(format!("一次最多 {MOST_ROOMS} 个群 (too many rooms)"))),
        _ => Ok(rooms),
    }
}
