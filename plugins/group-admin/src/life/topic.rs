//! Is a room's name set back? When it is locked, somebody else changed it, and it is no tug-of-war.

use serde::{Deserialize, Serialize};

/// Characters of a room's name; WeChat takes no more.
const LONGEST: usize = 32;
/// How often a name is set back within [`WAR_MS`] before people are left to talk.
const MOST: usize = 3;
const WAR_MS: i64 = 3_600_000;

/// The name that admins gave, as stored: `None` inside means unlocked by command, whatever the settings say.
pub(crate) type Locked = Option<String>;

/// When the name was set back lately, as it is stored, and whether the owner was told that we stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct War {
    back_ms: Vec<i64>,
    #[serde(default)]
    told_ms: i64,
}

/// What is done about another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is set back.
    SetBack,
    /// It was set back too often: the owner is told, and the name stays until somebody decides.
    Notify,
    /// Nothing more: the owner knows.
    Wait,
}

impl War {
    /// Somebody changed the name again.
    pub(crate) fn changed(&mut self, now_ms: i64) -> Answer {
        // What lies in the future comes from a clock that was set back.
        self.back_ms.retain(|at| (0..WAR_MS).contains(&(now_ms - at)));
        if self.back_ms.len() < MOST {
            self.back_ms.push(now_ms);
            return Answer::SetBack;
        }
        if (0..WAR_MS).contains(&(now_ms - self.told_ms)) {
            return Answer::Wait;
        }
        self.told_ms = now_ms;
        Answer::Notify
    }
}

/// A name that a room can have.
///
/// # Errors
/// Why not, for whoever typed it.
pub(crate) fn parse(name: &str) -> Result<String, String> {
    let flat = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
    let name: String = name.chars().map(flat).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        0 => Err("群名不能是空的 (the name is empty)".to_owned()),
        many if many > LONGEST => Err(format!("群名最多 {LONGEST} 个字,这个有 {many} 个 (too long)")),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_set_back_three_times_an_hour() {
        let mut war = War::default();
        let minute = 60_000;
        let start = 1_000 * WAR_MS;
        for (at, want) in [
            (0, Answer::SetBack),
            (1, Answer::SetBack),
            (2, Answer::SetBack),
            (3, Answer::Notify),
            (4, Answer::Wait),
            (59, Answer::Wait),
            (60, Answer::SetBack),
            (60, Answer::Wait),
            (61, Answer::SetBack),
            (62, Answer::SetBack),
            (63, Answer::Notify),
        ] {
            assert_eq!(war.changed(start + at * minute), want, "minute {at}");
        }
        assert_eq!(war.changed(0), Answer::SetBack, "a clock that was set back");
    }

    #[test]
    fn names_of_rooms() {
        assert_eq!(parse(" 读书\n群 "), Ok("读书 群".to_owned()));
        assert!(parse(" \n").is_err() && parse(&"长".repeat(33)).is_err());
        assert_eq!(parse(&"长".repeat(32)).unwrap().chars().count(), 32);
    }
}
