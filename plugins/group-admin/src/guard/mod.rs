//! What must members not do, and what happens then? Filters, floods, repetitions, newcomers, quiet hours; and the
//! commands of those who look after a room.
//!
//! Files in reading order: `watch` (a message is judged, once) → `offence` → `filter` (what it holds) → `flood` and
//! `repeats` (how much of it) → `newcomer` → `quiet` → `judge` (from an offence to a deed) → `state` (what is in memory) →
//! `commands` with `who` (a mention becomes one member, or none) → `log` (the audit log by command, and taking back).

pub(crate) mod commands;
pub(crate) mod filter;
pub(crate) mod flood;
pub(crate) mod judge;
pub(crate) mod log;
pub(crate) mod newcomer;
pub(crate) mod offence;
pub(crate) mod quiet;
pub(crate) mod repeats;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod watch;
pub(crate) mod who;

use wxbot_plugin::prelude::*;

use crate::act::Doing;
use crate::settings::Settings;
use filter::Filters;
use state::State;

/// Rules, compiled, and what is in memory of rooms.
#[derive(Debug)]
pub(crate) struct Guard {
    filters: Filters,
    state: State,
}

impl Guard {
    pub(crate) fn new(settings: &Settings) -> Result<Self, PluginError> {
        Ok(Self { filters: Filters::new(settings)?, state: State::default() })
    }

    /// Whether admins switched it off in this room.
    pub(crate) async fn is_paused(&self, doing: &Doing<'_>, room: &ContactId) -> Result<bool, PluginError> {
        let account = doing.cx.account();
        if let Some(known) = self.state.room(account, room, |room| room.paused) {
            return Ok(known);
        }
        let paused = doing.cx.kv_get::<bool>(&paused_key(room)).await?.unwrap_or(false);
        self.state.room(account, room, |room| room.paused = Some(paused));
        Ok(paused)
    }
}

/// Where it is kept that a room is left alone.
fn paused_key(room: &ContactId) -> String {
    format!("paused:{room}")
}

/// Where it is kept that a member of a room is never judged.
fn white_key(room: &ContactId, member: &ContactId) -> String {
    format!("{}{member}", white_prefix(room))
}

fn white_prefix(room: &ContactId) -> String {
    format!("white:{room}:")
}
