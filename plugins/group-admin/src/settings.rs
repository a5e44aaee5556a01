//! What can be set? `[plugins.group-admin]` of `bot.toml`: who, where, how strictly, and one table for each feature.
//! A feature whose table is not there is off.

use std::time::Duration;

use wxbot_plugin::local::Zone;
use wxbot_plugin::prelude::*;

use crate::guard::{filter, flood, newcomer, quiet, repeats};
use crate::ladder::Ladder;
use crate::life::settings::{Announce, CheckIn, Join, Polls, Rules, Stats, Topic, Welcome};

/// Keeps rooms in order, and alive.
#[derive(Debug, PluginConfig)]
#[config(check = Settings::check)]
pub struct Settings {
    /// Whether it acts, or only tells what it would have done.
    #[config(default = Mode::Enforce)]
    pub mode: Mode,
    /// The rooms it looks after; none: every room the account is in.
    #[config(default, max_len = 500)]
    pub rooms: Vec<ContactId>,
    /// Time zone for hours and schedules.
    #[config(default)]
    pub tz: Zone,
    /// Who is never judged. Admins, group admins and the owner never are.
    #[config(default, max_len = 1000)]
    pub whitelist: Vec<ContactId>,
    /// People or rooms that are told what happens; none: the owners of the account.
    #[config(default, max_len = 5)]
    pub notify: Vec<ContactId>,
    /// From which number of strikes on what is done.
    pub ladder: Ladder,
    /// The audit log.
    pub audit: AuditSettings,
    /// Words that must not be said.
    pub words: Option<filter::words::Words>,
    /// Links.
    pub links: Option<filter::links::Links>,
    /// Cards, mini programs, invitations into other rooms.
    pub cards: Option<filter::cards::Cards>,
    /// Texts that point to QR codes. Pictures are not decoded.
    pub qr: Option<filter::qr::Qr>,
    /// Texts with numbers and addresses to reach somebody elsewhere.
    pub contacts: Option<filter::contacts::Contacts>,
    /// Too many messages of one member.
    pub flood: Option<flood::Flood>,
    /// The same message again and again, by one member or by several.
    pub repeats: Option<repeats::Repeats>,
    /// What newcomers may not do yet.
    pub probation: Option<newcomer::Probation>,
    /// When rooms are quiet.
    #[config(default, max_len = 50)]
    pub quiet: Vec<quiet::Quiet>,
    /// How many people one admin may remove by command within an hour.
    #[config(default = 10, range = 1..=100)]
    pub removals_per_hour: u32,
    // ---- life ----
    /// Greets whoever comes into a room.
    pub welcome: Option<Welcome>,
    /// Tells the rules of a room to whoever asks.
    pub rules: Option<Rules>,
    /// Brings friends who ask for it into rooms.
    #[config(default, max_len = 20)]
    pub join: Vec<Join>,
    /// Sets a room's name back when somebody changes it.
    pub topic: Option<Topic>,
    /// Counts messages.
    pub stats: Option<Stats>,
    /// Lets members vote.
    pub polls: Option<Polls>,
    /// Lets members check in each day.
    pub checkin: Option<CheckIn>,
    /// Says something at certain times.
    #[config(default, max_len = 100)]
    pub announce: Vec<Announce>,
    // ---- end of life ----
}

/// Whether it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum Mode {
    /// It acts.
    Enforce,
    /// It tells what it would have done, and does nothing.
    Shadow,
}

/// How long the audit log is.
#[derive(Debug, PluginConfig)]
pub struct AuditSettings {
    /// How many records are kept.
    #[config(default = 2_000, range = 50..=20_000)]
    pub keep: usize,
    /// How long a record is kept.
    #[config(default = "90d", range = "1d"..="3650d")]
    pub keep_for: Duration,
}

impl Settings {
    /// How many are told at most: each counts as a reply.
    pub(crate) const NOTIFY: usize = 5;

    /// Whether it looks after this room.
    pub(crate) fn covers(&self, room: &ContactId) -> bool {
        self.rooms.is_empty() || self.rooms.contains(room)
    }

    /// What no field can know alone.
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        for (n, room) in self.rooms.iter().enumerate().filter(|(_, room)| !room.as_str().starts_with('r')) {
            let problem = ConfigProblem::at(format!("/rooms/{n}"), format!("`{room}` is no room"));
            problems.push(problem.help("ids of rooms begin with `r`; `wxbot contacts` lists them"));
        }
        problems
    }
}
