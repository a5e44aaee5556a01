//! What can be set? `[plugins.group-admin]` of `bot.toml`: who, where, how strictly, and one table for each feature.
//! A feature whose table is not there is off.

use std::ops::Deref;
use std::time::Duration;

use wxbot_plugin::config::{At, ConfigValue, Value};
use wxbot_plugin::local::Zone;
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::{is_blank_text, shortened};

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

/// A text that the bot says as it is: one that can be seen, and that fits into a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken(String);

impl Spoken {
    /// Bytes of the longest: WeChat's texts end at 4 KiB, and a mention may stand before it.
    const MOST: usize = 3_900;
}

impl Deref for Spoken {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Spoken {
    fn from(text: &str) -> Self {
        Self(shortened(text.trim(), Self::MOST))
    }
}

impl ConfigValue for Spoken {
    fn value_schema() -> Value {
        serde_json::json!({ "type": "string", "minLength": 1, "maxLength": Self::MOST })
    }

    fn want() -> String {
        "a text".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = String::read_value(value, at)?;
        let text = text.trim();
        if is_blank_text(text) {
            return Err(vec![at.problem(format!("nothing of {} can be seen", at.name())).help("write the text")]);
        }
        if text.len() > Self::MOST {
            let (len, most) = (text.len(), Self::MOST);
            let problem = at.problem(format!("{} has {len} bytes; at most {most} fit into a message", at.name()));
            return Err(vec![problem.help(format!("shorten it: {} Chinese characters fit", most / 3))]);
        }
        Ok(Self(text.to_owned()))
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::from(self.0.clone()))
    }
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
