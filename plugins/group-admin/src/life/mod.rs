//! What does a room want done? Welcome, rules, a way in, a locked name, numbers, polls, check-in, announcements.
//!
//! Reading order: this file (what a message is to the room's life) → [`settings`] → `here` (which part a command belongs
//! to) → `names` (how members are named) → each part: `welcome`, `rules`, `join`, `topic`, `stats` with `count`, `poll`
//! with `vote`, `checkin`, `announce`.
//!
//! **State** is in the KV store, one small value per thing, written with the event that changes it, so that a crash neither
//! loses nor repeats any of it. In memory are only the cooldowns of commands and what waits to be said (`gate`): a restart
//! forgets both. What timers bring may be lost with them; rows say until when they count. Old rows go at night (`sweep`).
//!
//! | Key | What |
//! |---|---|
//! | `welcomed:<room>:<who>` | when somebody was welcomed |
//! | `welcome-wait:<room>` | who came and waits to be welcomed |
//! | `rules:<room>` | when the rules were told |
//! | `join:<person>` | when somebody who asked for a room was answered |
//! | `asked-in:<room>` | when people were asked in who may not be counted yet |
//! | `topic:<room>`, `topic-set:<room>`, `topic-war:<room>` | the locked name; what we named it; when it was set back |
//! | `announcing:<mark>` | until when an announcement is under way |
//! | `count:<room>:<person>` | messages of a member |
//! | `poll:<room>` | the open poll with its votes |
//! | `checkin:<room>:<person>`, `checkin-day:<room>` | days of a member; how many today |

pub(crate) mod announce;
pub(crate) mod checkin;
pub(crate) mod count;
pub(crate) mod here;
pub(crate) mod join;
pub(crate) mod names;
mod poll;
pub(crate) mod rules;
pub(crate) mod settings;
mod stats;
#[cfg(test)]
mod tests;
pub(crate) mod topic;
pub(crate) mod vote;
pub(crate) mod welcome;

use wxbot_plugin::RoomMember;
use wxbot_plugin::local::Local;
use wxbot_plugin::prelude::*;
use wxbot_plugin::text;

use crate::act::Doing;
use crate::settings::Settings;

/// A message in a room that broke no rule: it is counted, and may be a vote or ask for the rules.
pub(crate) async fn message(doing: &Doing<'_>, event: &Event) -> Result<Effects, PluginError> {
    let mut effects = count::message(doing, event).await?;
    let Ok(typed) = text::typed(event) else { return Ok(effects) };
    effects = effects.then(vote::message(doing, event, typed).await?);
    Ok(effects.then(rules::message(doing, event, typed).await?))
}

/// What a member's command came to. That it was a wrong one is an answer too: a handler that fails has no cooldown, and
/// whoever repeats a mistake must not make the bot talk.
pub(crate) fn answered(ended: Result<Effects, PluginError>) -> Result<Effects, PluginError> {
    match ended {
        Err(error) => match error.for_person() {
            Some("") => Ok(Effects::none()),
            Some(told) => Ok(Effects::reply(told)),
            None => Err(error),
        },
        fine => fine,
    }
}

/// Who is in a room, for a command. That the service does not answer now is no fault of the plugin's: whoever asked is
/// told, and nothing is tried again.
pub(crate) async fn members(doing: &Doing<'_>, room: &ContactId) -> Result<Vec<RoomMember>, PluginError> {
    doing.cx.members(room).await.map_err(|error| {
        doing.cx.note("members", false, || format!("the list of members cannot be read now: {error}"));
        PluginError::told("成员列表暂时读不到,请稍后再试 (the list of members cannot be read now)")
    })
}

/// What a room calls itself.
pub(crate) fn topic_of(doing: &Doing<'_>, room: &ContactId) -> String {
    doing.topic_of(room)
}

/// The clock of the rooms.
pub(crate) fn local(doing: &Doing<'_>) -> Local {
    Local::at(doing.cx.now_ms(), &doing.settings.tz)
}

/// A room is another than before.
pub(crate) async fn changed(doing: &Doing<'_>, event: &Event) -> Result<Effects, PluginError> {
    if let EventKind::MembersChanged { joined, .. } = &event.kind {
        return welcome::noticed(doing, event, joined).await;
    }
    let EventKind::TopicChanged { topic, by, .. } = &event.kind else { return Ok(Effects::none()) };
    topic::changed(doing, &event.chat.id, topic, by).await
}

/// A time of the settings is there.
pub(crate) async fn scheduled(doing: &Doing<'_>, event: &Event) -> Result<Effects, PluginError> {
    let EventKind::Schedule { name, .. } = &event.kind else { return Ok(Effects::none()) };
    announce::due(doing, name).await
}

/// Which parts are on, and what each needs of an account.
pub(crate) fn plan(settings: &Settings, mut plan: Plan) -> Plan {
    let send = Capability::SendText;
    if settings.welcome.is_some() {
        plan = plan.feature(Feature::new("welcome", "/welcome").needs(&[send, Capability::MemberEvents]));
    }
    if settings.rules.is_some() {
        plan = plan.feature(Feature::new("rules", "/rules").needs(&[send, Capability::GroupMessages]));
    }
    if !settings.join.is_empty() {
        let needs = [send, Capability::PrivateMessages, Capability::Contacts, Capability::AddMembers];
        plan = plan.feature(Feature::new("join", "/join").needs(&needs));
    }
    if settings.topic.is_some() {
        let needs = [send, Capability::MemberEvents, Capability::RenameRoom];
        plan = plan.feature(Feature::new("topic lock", "/topic").needs(&needs));
    }
    if settings.stats.is_some() {
        let needs = [send, Capability::GroupMessages, Capability::Contacts];
        plan = plan.feature(Feature::new("statistics", "/stats").needs(&needs));
    }
    if settings.polls.is_some() {
        plan = plan.feature(Feature::new("polls", "/polls").needs(&[send, Capability::GroupMessages]));
    }
    if settings.checkin.is_some() {
        plan = plan.feature(Feature::new("check-in", "/checkin").needs(&[send, Capability::GroupMessages]));
    }
    for (n, announce) in settings.announce.iter().enumerate() {
        let mut needs = Vec::new();
        needs.extend(announce.text.as_ref().map(|_| send));
        needs.extend(announce.image.as_ref().map(|_| Capability::SendImage));
        let tz = announce.tz.as_ref().unwrap_or(&settings.tz);
        let schedule = PlannedSchedule::new(announce::schedule(n), &*announce.cron).tz(tz.name());
        plan = plan
            .feature(Feature::new(format!("announcement {}", n + 1), format!("/announce/{n}")).needs(&needs))
            .schedule(schedule.missed(announce.missed.into()).at(format!("/announce/{n}/cron")));
    }
    plan
}
