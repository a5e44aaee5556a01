//! What happens to whom, at the how manieth time? Strikes by member, which fade, and the rungs warn → notice → remove.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::prelude::*;

/// What the keys of strikes begin with.
const STRIKES: &str = "strikes:";

/// From which number of strikes on what is done.
#[derive(Debug, PluginConfig)]
#[config(check = Ladder::check)]
pub struct Ladder {
    /// From so many strikes on the member is warned, with a mention.
    #[config(default = 1, range = 1..=1000)]
    pub warn: u32,
    /// From so many on the room is told, and those in `notify`.
    #[config(default = 2, range = 1..=1000)]
    pub notice: u32,
    /// From so many on the member is removed. Without it nobody ever is, and those in `notify` are told instead.
    #[config(range = 1..=1000)]
    pub remove: Option<u32>,
    /// One strike is forgotten after each such time without another.
    #[config(default = "24h", range = "1min"..="365d")]
    pub decay: Duration,
}

/// What is done about somebody, from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, PluginConfig)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// The member is warned, with a mention.
    Warn,
    /// The room is told, and those in `notify`.
    Notice,
    /// The member is removed.
    Remove,
}

/// The strikes of one member in one room: what is kept under [`key`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strikes {
    /// How many there were after the last one.
    pub(crate) n: u32,
    /// When that was.
    pub(crate) at_ms: i64,
    /// When we asked for the member's removal last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed_ms: Option<i64>,
}

/// Where the strikes of a member are kept; those of shadow mode apart, so that nobody is removed for what was only
/// tried out.
pub(crate) fn key(shadow: bool, room: &ContactId, member: &ContactId) -> String {
    format!("{}{member}", prefix(shadow, room))
}

/// What the keys of a room's strikes begin with.
pub(crate) fn prefix(shadow: bool, room: &ContactId) -> String {
    format!("{}{room}:", if shadow { "shadow-strikes:" } else { STRIKES })
}

impl Ladder {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.notice < self.warn {
            problems
                .push(ConfigProblem::at("/notice", "`notice` comes before `warn`").help("make it larger, or equal"));
        }
        if self.remove.is_some_and(|remove| remove < self.notice) {
            problems
                .push(ConfigProblem::at("/remove", "`remove` comes before `notice`").help("make it larger, or equal"));
        }
        problems
    }

    /// The gravest that is ever done.
    pub(crate) fn top(&self) -> Rung {
        if self.remove.is_some() { Rung::Remove } else { Rung::Notice }
    }

    /// From how many strikes on a rung begins; removal without a number begins nowhere and is a notice.
    fn begins(&self, rung: Rung) -> u32 {
        match rung {
            Rung::Warn => self.warn,
            Rung::Notice => self.notice,
            Rung::Remove => self.remove.unwrap_or(self.notice),
        }
    }

    /// The strikes that are left now.
    pub(crate) fn left(&self, strikes: Strikes, now_ms: i64) -> u32 {
        let decay_ms = u64::try_from(self.decay.as_millis()).unwrap_or(u64::MAX).max(1);
        let faded = now_ms.saturating_sub(strikes.at_ms).max(0).unsigned_abs() / decay_ms;
        strikes.n.saturating_sub(u32::try_from(faded).unwrap_or(u32::MAX))
    }

    /// One more strike, which counts at least as the first of its rung: the strikes, and what is done now (nothing while
    /// there are fewer than `warn`).
    pub(crate) fn climb(&self, before: u32, least: Rung) -> (u32, Option<Rung>) {
        // At `warn` a strike is one; a graver one takes the member there at once.
        let least_n = if least == Rung::Warn { 1 } else { self.begins(least) };
        let n = before.saturating_add(1).max(least_n);
        let rung = match n {
            n if self.remove.is_some_and(|remove| n >= remove) => Some(Rung::Remove),
            n if n >= self.notice => Some(Rung::Notice),
            n if n >= self.warn => Some(Rung::Warn),
            _ => None,
        };
        (n, rung)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ladder(settings: serde_json::Value) -> Ladder {
        Ladder::read(&settings, &Place::default()).unwrap()
    }

    #[test]
    fn rungs_by_strikes() {
        let usual = json!({ "remove": 4 });
        for (name, settings, before, least, want) in [
            ("the first", usual.clone(), 0, Rung::Warn, (1, Some(Rung::Warn))),
            ("the second", usual.clone(), 1, Rung::Warn, (2, Some(Rung::Notice))),
            ("the fourth", usual.clone(), 3, Rung::Warn, (4, Some(Rung::Remove))),
            ("grave at once", usual.clone(), 0, Rung::Notice, (2, Some(Rung::Notice))),
            ("gravest at once", usual.clone(), 0, Rung::Remove, (4, Some(Rung::Remove))),
            ("and again", usual, 4, Rung::Warn, (5, Some(Rung::Remove))),
            ("nobody is removed", json!({}), 9, Rung::Remove, (10, Some(Rung::Notice))),
            ("patience", json!({ "warn": 3, "notice": 5 }), 0, Rung::Warn, (1, None)),
            ("patience ends", json!({ "warn": 3, "notice": 5 }), 2, Rung::Warn, (3, Some(Rung::Warn))),
        ] {
            assert_eq!(ladder(settings).climb(before, least), want, "{name}");
        }
    }

    #[test]
    fn strikes_fade() {
        let ladder = ladder(json!({ "decay": "1h" }));
        let strikes = Strikes { n: 3, at_ms: 1_000, removed_ms: None };
        for (after_ms, left) in
            [(0, 3), (3_599_999, 3), (3_600_000, 2), (10_800_000, 0), (i64::MAX - 1_000, 0), (-5_000, 3)]
        {
            assert_eq!(ladder.left(strikes, 1_000 + after_ms), left, "{after_ms}");
        }
    }

    #[test]
    fn rungs_stand_in_order() {
        let problems = Ladder::read(&json!({ "warn": 3, "notice": 2, "remove": 1 }), &Place::default()).unwrap_err();
        let pointers: Vec<&str> = problems.iter().map(|problem| &*problem.pointer).collect();
        assert_eq!(pointers, ["/notice", "/remove"]);
    }
}
