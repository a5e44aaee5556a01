//! When is a room quiet, and what happens to who talks then? The first one brings one notice; who goes on may get strikes.

use wxbot_plugin::local::Hours;
use wxbot_plugin::prelude::*;

use super::Guard;
use super::offence::Offence;
use crate::act::Doing;
use crate::ladder::Rung;
use crate::settings::{Settings, Spoken};

/// Hours in which rooms are quiet.
#[derive(Debug, PluginConfig)]
pub struct Quiet {
    /// When, like `22:00-07:00`.
    pub hours: Hours,
    /// Which rooms; none: all.
    #[config(default, max_len = 500)]
    pub rooms: Vec<ContactId>,
    /// What the room is told, once each time.
    #[config(default = "现在是安静时段,请稍后再聊")]
    pub text: Spoken,
    /// Whether talking on counts on the ladder, at most once a minute for each member.
    #[config(default = false)]
    pub counts: bool,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// After how long a room that is always quiet is told again.
const LONGEST_MS: i64 = 86_400_000;

/// What becomes of a message in quiet hours.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// The room is told; until when it is not told again.
    First(&'a Quiet, i64),
    /// The room knows.
    Again(Offence),
}

/// Where it is kept until when a room has been told.
pub(crate) fn key(room: &ContactId) -> String {
    format!("quiet:{room}")
}

fn of_room<'s>(settings: &'s Settings, room: &ContactId) -> impl Iterator<Item = &'s Quiet> {
    settings.quiet.iter().filter(|quiet| quiet.rooms.is_empty() || quiet.rooms.contains(room))
}

/// How long it is quiet in a room yet, also where one of several tables follows another; a day at most. `None`: it is not.
pub(crate) fn left_ms(settings: &Settings, room: &ContactId, now_ms: i64) -> Option<i64> {
    let (mut end_ms, last_ms) = (now_ms, now_ms.saturating_add(LONGEST_MS));
    // Each step ends a table at least, or the day is over.
    for _ in 0..=settings.quiet.len() * 4 {
        let ends = of_room(settings, room).filter_map(|quiet| quiet.hours.ends_after(end_ms, &settings.tz));
        match ends.max() {
            Some(left_ms) if left_ms > 0 && end_ms < last_ms => end_ms = end_ms.saturating_add(left_ms).min(last_ms),
            Some(_) | None => break,
        }
    }
    (end_ms > now_ms).then_some(end_ms - now_ms)
}

/// Looks at the clock.
pub(crate) async fn look<'a>(
    guard: &Guard,
    doing: &Doing<'a>,
    room: &ContactId,
) -> Result<Option<Found<'a>>, PluginError> {
    let (settings, now_ms) = (doing.settings, doing.cx.now_ms());
    let mut here = of_room(settings, room);
    let Some(quiet) = here.find(|quiet| quiet.hours.covers(now_ms, &settings.tz)) else { return Ok(None) };
    // What lies further ahead comes from a clock that was set back, or from other settings.
    let holds = |told_ms: i64| (now_ms.saturating_add(1)..=now_ms.saturating_add(LONGEST_MS)).contains(&told_ms);
    let account = doing.cx.account();
    let known = guard.state.room(account, room, |state| state.quiet_ms);
    let told_ms = match known {
        Some(told_ms) if holds(told_ms) => told_ms,
        // Not read yet, or of another night.
        Some(_) | None => {
            let told_ms = doing.cx.kv_get::<i64>(&key(room)).await?.unwrap_or(0);
            guard.state.room(account, room, |state| state.quiet_ms = Some(told_ms));
            told_ms
        }
    };
    if !holds(told_ms) {
        let left_ms = left_ms(settings, room, now_ms).unwrap_or(LONGEST_MS);
        return Ok(Some(Found::First(quiet, now_ms.saturating_add(left_ms))));
    }
    Ok(quiet.counts.then(|| Found::Again(Offence::new("quiet", "安静时段发言", quiet.rung))))
}
