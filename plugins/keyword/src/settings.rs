//! What can be set? `[plugins.keyword]` of `bot.toml`.
//!
//! Reading order: this file (the tables) → `values` (what their keys may hold) → `check` (rules between keys, and whether
//! everything can be looked for).

mod check;
mod values;

use std::time::Duration;

use wxbot_plugin::local::Zone;
use wxbot_plugin::manifest::Missed;
use wxbot_plugin::prelude::*;

use crate::fold::Folding;
use crate::lists::Entry;

pub(crate) use check::too_many_bytes;
pub(crate) use values::{Ids, ListFile, Notify, Reply, Texts, read_list, told};

/// Acts when somebody says one of many keywords.
#[derive(Debug, PluginConfig)]
#[config(check = Settings::check)]
pub struct Settings {
    /// The rules. Those with a higher `priority` come first, equal ones as they stand in the file.
    #[config(default, max_len = 1_000)]
    pub(crate) rules: Vec<Rule>,
    /// Which of the rules that are hit act.
    #[config(default = Which::All, rename = "match")]
    pub(crate) which: Which,
    /// Traditional and simplified characters are the same: `发票` finds 發票.
    #[config(default = false)]
    pub(crate) simplify: bool,
    /// Capitals make no difference.
    #[config(default = true)]
    pub(crate) ignore_case: bool,
    /// Full-width signs are the same as half-width ones.
    #[config(default = true)]
    pub(crate) ignore_width: bool,
    /// After a reply, how long a rule does not reply again.
    #[config(default = "0s", range = ..="30d")]
    pub(crate) cooldown: Duration,
    /// Whom such a silence concerns.
    #[config(default = Per::Chat)]
    pub(crate) per: Per,
    /// How often the same rule may notify of the same chat; what is hit meanwhile is told as a number.
    #[config(default = "10min", range = "10s"..="7d")]
    pub(crate) notify_every: Duration,
    /// How many messages a rule passes on from one chat to the same room or person in a minute.
    #[config(default = 20, range = 1..=1_000)]
    pub(crate) forward_limit: u32,
    /// How often the files of lists are looked at.
    #[config(default = "5s", range = "1s"..="1h")]
    pub(crate) look_every: Duration,
    /// By which clock days are counted, and `date` and `time` are written.
    #[config(default)]
    pub(crate) tz: Zone,
}

/// What is looked for, where, and what happens then.
#[derive(Debug, PluginConfig)]
pub struct Rule {
    /// What it is called in notices, statistics and explanations; `#1` is the first rule without one.
    #[config(min_len = 1, max_len = 40)]
    pub(crate) name: Option<String>,
    /// Keywords: one of them is somewhere in the text.
    #[config(default)]
    pub(crate) any: Texts,
    /// Regular expressions: one of them matches somewhere in the text.
    #[config(default)]
    pub(crate) regex: Texts,
    /// Files with more of both: `.txt`, `.csv` or `.toml`, relative to the folder of bot.toml.
    #[config(default, max_len = 20)]
    pub(crate) files: Vec<ListFile>,
    /// Negative words: with one of them in the text the rule does not act.
    #[config(default)]
    pub(crate) not: Texts,
    /// Keywords stand between borders: `ai` is not in `mail`. Chinese characters border on everything.
    #[config(default = false)]
    pub(crate) whole_word: bool,
    /// Words that are added by chat belong to this rule.
    #[config(default = false)]
    pub(crate) added: bool,
    /// Rules with a higher one come first.
    #[config(default = 0, range = -1_000..=1_000)]
    pub(crate) priority: i32,
    /// In which sort of chat.
    #[config(default = Where::Any, rename = "in")]
    pub(crate) place: Where,
    /// In rooms: only when our account is mentioned.
    #[config(default = false)]
    pub(crate) at_me: bool,
    /// Only in these rooms.
    #[config(default)]
    pub(crate) rooms: Ids,
    /// Only from these people.
    #[config(default)]
    pub(crate) people: Ids,
    /// The answer, a template.
    pub(crate) reply: Option<Reply>,
    /// Mention the sender in the answer, in rooms.
    #[config(default = false)]
    pub(crate) mention: bool,
    /// Passes the message on to these rooms and people.
    #[config(default)]
    pub(crate) forward_to: Ids,
    /// Invites the sender to this room, if the sender is a friend or wrote in private.
    pub(crate) invite_to: Option<ContactId>,
    /// Tells the owner (`true`) or these people and rooms.
    #[config(default)]
    pub(crate) notify: Notify,
    /// What they are told, a template.
    pub(crate) notify_text: Option<Reply>,
    /// Remembers these words of the sender.
    #[config(default)]
    pub(crate) tag: Texts,
    /// Neither later rules nor later plugins see the message.
    #[config(default = false)]
    pub(crate) stop: bool,
    /// The rule's own silence after a reply.
    #[config(range = ..="30d")]
    pub(crate) cooldown: Option<Duration>,
    /// Whom it concerns.
    pub(crate) per: Option<Per>,
}

/// Which of the rules that are hit act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum Which {
    /// All of them, up to one with `stop`.
    All,
    /// The first of them.
    First,
}

/// Whom a silence concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum Per {
    /// Everybody in the chat.
    Chat,
    /// Who said the word, in this chat.
    Person,
}

/// In which sort of chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum Where {
    /// Everywhere.
    Any,
    /// With one person.
    Private,
    /// In rooms.
    Group,
}

impl Settings {
    /// Which differences count for nothing.
    pub(crate) fn folding(&self) -> Folding {
        Folding { case: self.ignore_case, width: self.ignore_width, simplified: self.simplify }
    }

    /// What a rule is called: people count from 1.
    pub(crate) fn name_of(&self, n: usize) -> String {
        let named = self.rules.get(n).and_then(|rule| rule.name.clone());
        named.unwrap_or_else(|| if n < self.rules.len() { format!("#{}", n + 1) } else { ADDED.to_owned() })
    }

    /// The rule that words of the chat belong to: one of the settings, or else the one behind them, which does nothing of
    /// its own.
    pub(crate) fn added(&self) -> usize {
        self.rules.iter().position(|rule| rule.added).unwrap_or(self.rules.len())
    }

    /// How long a rule is silent after a reply, and for whom. `None` is the rule of added words that no setting describes.
    pub(crate) fn silence(&self, rule: Option<&Rule>) -> (i64, Per) {
        let cooldown = rule.and_then(|rule| rule.cooldown).unwrap_or(self.cooldown);
        (ms(cooldown), rule.and_then(|rule| rule.per).unwrap_or(self.per))
    }

    /// What these settings make of the plugin.
    pub(crate) fn plan(&self) -> Plan {
        type Wants = fn(&Rule) -> bool;
        let features: [(&str, &str, Wants, &[Capability]); 7] = [
            (
                "reply",
                "reply",
                |rule| rule.reply.is_some() || rule.has(|entry| entry.reply.is_some()),
                &[Capability::SendText],
            ),
            ("mention", "mention", |rule| rule.mention, &[Capability::SendText, Capability::Mention]),
            // Only what people type is heard, so that a text is all that is ever passed on.
            ("forward", "forward_to", |rule| !rule.forward_to.is_empty(), &[Capability::SendText]),
            ("invite", "invite_to", |rule| rule.invite_to.is_some(), &[Capability::AddMembers]),
            ("notify", "notify", |rule| rule.notify.is_on(), &[Capability::SendText]),
            ("tag", "tag", |rule| !rule.tag.is_empty() || rule.has(|entry| entry.tag.is_some()), &[]),
            ("stop", "stop", |rule| rule.stop, &[]),
        ];
        let nightly = PlannedSchedule::new("tidy", "0 17 4 * * *").tz(self.tz.to_string()).missed(Missed::Once);
        features.into_iter().fold(Plan::new().schedule(nightly), |plan, (name, key, wants, needs)| {
            match self.rules.iter().position(wants) {
                Some(n) => plan.feature(Feature::new(name, format!("/rules/{n}/{key}")).needs(needs)),
                None => plan,
            }
        })
    }
}

impl Rule {
    /// Whether an entry of its files is like this.
    fn has(&self, like: fn(&Entry) -> bool) -> bool {
        self.files.iter().any(|file| file.list.entries.iter().any(like))
    }

    /// Whether anything happens when it is hit.
    pub(crate) fn acts(&self) -> bool {
        self.reply.is_some()
            || !self.forward_to.is_empty()
            || self.invite_to.is_some()
            || self.notify.is_on()
            || !self.tag.is_empty()
            || self.stop
            || self.has(|entry| entry.reply.is_some() || entry.tag.is_some())
    }
}

/// What the rule of added words is called when the settings have none.
const ADDED: &str = "chat";

/// Milliseconds, as the clock counts them.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
