//! What can a person use, and how? Lines for a help command, read from manifests.

use std::fmt;

use crate::manifest::{ArgSpec, Manifest, Only, Trigger};
use crate::role::Role;

/// One thing that a person can use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HelpLine {
    /// What is typed: `天气 <city> [days]`.
    pub usage: String,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// What it does; may be empty.
    pub about: String,
    /// In rooms our account has to be mentioned.
    pub at_me: bool,
}

impl fmt::Display for HelpLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.usage)?;
        if !self.aliases.is_empty() {
            write!(f, " ({})", self.aliases.join(", "))?;
        }
        match self.about.lines().next() {
            Some(about) if !about.is_empty() => write!(f, " — {about}"),
            _ => Ok(()),
        }
    }
}

/// What somebody with these roles may use in a room, or in a private chat: commands and keywords, in the order of the
/// manifest. What is for certain people only (`from = [...]`) is not listed: they know.
pub fn lines(manifest: &Manifest, roles: &[Role], is_group: bool) -> Vec<HelpLine> {
    let here = if is_group { Only::Group } else { Only::Private };
    let may = manifest.handlers.iter().filter(|handler| {
        handler.from.is_empty()
            && handler.only.is_none_or(|only| only == here)
            && handler.allow.as_ref().is_none_or(|role| role.is_met_by(roles))
    });
    may.filter_map(|handler| {
        let (usage, aliases) = match &handler.trigger {
            Trigger::Command { words, args } => {
                let (word, aliases) = words.split_first()?;
                (usage(word, args), aliases.to_vec())
            }
            Trigger::Keyword { any } => (any.join(" | "), Vec::new()),
            Trigger::Regex { .. }
            | Trigger::Event { .. }
            | Trigger::Timer { .. }
            | Trigger::Schedule { .. }
            | Trigger::Cron { .. }
            | Trigger::Continues
            | Trigger::Unknown => return None,
        };
        Some(HelpLine { usage, aliases, about: handler.about.clone(), at_me: handler.at_me && is_group })
    })
    .collect()
}

/// How a command is typed.
pub(crate) fn usage(word: &str, args: &[ArgSpec]) -> String {
    let mut usage = word.to_owned();
    for ArgSpec { name, optional, rest, .. } in args {
        let more = if *rest { "…" } else { "" };
        let (open, close) = if *optional { ('[', ']') } else { ('<', '>') };
        usage.push_str(&format!(" {open}{name}{more}{close}"));
    }
    usage
}
