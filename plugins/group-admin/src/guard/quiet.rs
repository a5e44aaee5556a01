//! When is a room quiet, and what happens to who talks then? The first one brings one notice; who goes on may get strikes.

use wxbot_plugin::local::Hours;
use wxbot_plugin::prelude::*;

use super::Guard;
use super::offence::Offence;
use crate::act::Doing;
use crate::ladder::Rung;

/// Hours in which rooms are quiet.
#[derive(Debug, PluginConfig)]
pub struct Quiet {
    /// When, like `22:00-07:00`.
    pub hours: Hours,
    /// Which rooms; none: all.
    #[config(default, max_len = 500)]
    pub rooms: Vec<ContactId>,
    /// What the room is told, once each time.
    #[config(default = "现在是安静时段,请稍后再聊".to_owned(), min_len = 1, max_len = 500)]
    pub text: String,
    /// Whether talking on counts on the ladder, at most once a minute for each member.
    #[config(default = false)]
    pub counts: bool,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

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

/// Looks at the clock.
pub(crate) async fn look<'a>(
    guard: &Guard,
    doing: &Doing<'a>,
    room: &ContactId,
) -> Result<Option<Found<'a>>, PluginError> {
    let (settings, now_ms) = (doing.settings, doing.cx.now_ms());
    let here = |quiet: &&Quiet| quiet.rooms.is_empty() || quiet.rooms.contains(room);
    let Some(quiet) = settings.quiet.iter().filter(here).find(|quiet| quiet.hours.covers(now_ms, &settings.tz)) else {
        return Ok(None);
    };
    let account = doing.cx.account();
    let known = guard.state.room(account, room, |state| state.quiet_ms);
    let told_ms = match known {
        Some(told_ms) if told_ms > now_ms => told_ms,
        // Not read yet, or of another night.
        Some(_) | None => {
            let told_ms = doing.cx.kv_get::<i64>(&key(room)).await?.unwrap_or(0);
            guard.state.room(account, room, |state| state.quiet_ms = Some(told_ms));
            told_ms
        }
    };
    if told_ms <= now_ms {
        let left_ms = quiet.hours.ends_after(now_ms, &settings.tz).unwrap_or(86_400_000);
        return Ok(Some(Found::First(quiet, now_ms.saturating_add(left_ms))));
    }
    Ok(quiet.counts.then(|| Found::Again(Offence::new("quiet", "安静时段发言", quiet.rung))))
}
