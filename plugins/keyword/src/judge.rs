//! Which of the rules that a text hits act, in which order, and why do the others not?

use std::collections::BTreeMap;
use std::fmt;

use wxbot_plugin::model::{ChatKind, ContactId, Event};

use crate::engine::Found;
use crate::settings::{Rule, Settings, Where, Which};

/// Where a text was said, as rules see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here<'a> {
    pub(crate) chat: &'a ContactId,
    pub(crate) sender: &'a ContactId,
    pub(crate) group: bool,
    pub(crate) at_me: bool,
}

/// A rule that the text hits.
#[derive(Debug)]
pub(crate) struct Ruling<'s> {
    /// Its place in the settings; behind the last one for added words that no rule describes.
    pub(crate) n: usize,
    /// `None` for added words that no rule describes.
    pub(crate) rule: Option<&'s Rule>,
    pub(crate) name: String,
    pub(crate) found: Found,
    /// Why it does not act, if it does not.
    pub(crate) why_not: Option<WhyNot>,
}

/// Why a rule that the text hits does not act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhyNot {
    Place,
    Room,
    Person,
    NotMentioned,
    Negative(String),
    Earlier(String),
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place => f.write_str("it does not listen in this sort of chat (`in`)"),
            Self::Room => f.write_str("it does not listen in this room (`rooms`)"),
            Self::Person => f.write_str("it does not listen to this person (`people`)"),
            Self::NotMentioned => f.write_str("not mentioned (`at_me`)"),
            Self::Negative(word) => write!(f, "the negative word `{word}` is in the text (`not`)"),
            Self::Earlier(rule) => write!(f, "the rule {rule} came before it"),
        }
    }
}

impl WhyNot {
    /// The same for people in a chat.
    pub(crate) fn in_chat(&self) -> String {
        match self {
            Self::Place | Self::Room => "不在这里生效 (not here)".to_owned(),
            Self::Person => "不对这个人生效 (not for this person)".to_owned(),
            Self::NotMentioned => "要先 @ 我 (only when I am mentioned)".to_owned(),
            Self::Negative(word) => format!("有排除词「{word}」(negative word)"),
            Self::Earlier(rule) => format!("规则「{rule}」在前 (an earlier rule acts)"),
        }
    }
}

impl<'a> Here<'a> {
    /// Where an event happened; `None` where rules never listen: built-in accounts and the like.
    pub(crate) fn of(event: &'a Event) -> Option<Self> {
        let group = event.is_group();
        if !group && event.chat.kind != ChatKind::Private {
            return None;
        }
        let at_me = group && event.message().is_some_and(|message| message.mentions.me);
        Some(Self { chat: &event.chat.id, sender: &event.sender.as_ref()?.id, group, at_me })
    }
}

impl Rule {
    fn hears(&self, here: Here<'_>) -> Result<(), WhyNot> {
        if matches!((self.place, here.group), (Where::Private, true) | (Where::Group, false)) {
            Err(WhyNot::Place)
        } else if !self.rooms.is_empty() && !self.rooms.contains(here.chat) {
            Err(WhyNot::Room)
        } else if !self.people.is_empty() && !self.people.contains(here.sender) {
            Err(WhyNot::Person)
        } else if self.at_me && here.group && !here.at_me {
            Err(WhyNot::NotMentioned)
        } else {
            Ok(())
        }
    }
}

/// All rules that the text hits, those with a higher priority first.
pub(crate) fn judge<'s>(settings: &'s Settings, found: BTreeMap<usize, Found>, here: Here<'_>) -> Vec<Ruling<'s>> {
    let hit = found.into_iter().filter(|(_, found)| !found.hits.is_empty());
    let mut rulings: Vec<Ruling<'s>> = hit
        .map(|(n, found)| {
            let rule = settings.rules.get(n);
            let heard = rule.map_or(Ok(()), |rule| rule.hears(here));
            let against = found.against.first().map(|hit| WhyNot::Negative(hit.keyword.clone()));
            Ruling { n, rule, name: settings.name_of(n), found, why_not: heard.err().or(against) }
        })
        .collect();
    let priority = |ruling: &Ruling<'_>| ruling.rule.map_or(0, |rule| rule.priority);
    rulings.sort_by_key(|ruling| (std::cmp::Reverse(priority(ruling)), ruling.n));
    let mut ended: Option<String> = None;
    for ruling in rulings.iter_mut().filter(|ruling| ruling.why_not.is_none()) {
        match &ended {
            Some(by) => ruling.why_not = Some(WhyNot::Earlier(by.clone())),
            None if settings.which == Which::First || ruling.rule.is_some_and(|rule| rule.stop) => {
                ended = Some(ruling.name.clone());
            }
            None => {}
        }
    }
    rulings
}
