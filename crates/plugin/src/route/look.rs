//! Does a handler take an event, and if not, why not?

use std::fmt;

use wxbot_model::{Event, EventKind};

use super::heard::Heard;
use super::table::{Handler, Ready};
use crate::ctx::Ctx;
use crate::extract::{Captures, Found};
use crate::manifest::{HandlerSpec, Only, Trigger};
use crate::role::Role;
use crate::route::words::Words;
use crate::text::{Deaf, spoken_to_us};

/// An event, as all handlers look at it.
pub(crate) struct Look<'a> {
    pub(crate) event: &'a Event,
    pub(crate) cx: &'a Ctx,
    /// The longest word of a command that was said, in characters.
    pub(crate) longest: usize,
    pub(crate) heard: Result<Heard<'a>, Deaf>,
    /// A dialog with the sender is open.
    pub(crate) dialog: bool,
}

/// Why a handler does not take an event.
#[derive(Debug)]
pub(crate) enum Why<'a> {
    Deaf(Deaf),
    OtherWord(&'a [String]),
    Longer,
    NoKeyword(&'a [String]),
    NoFit,
    OtherKind(&'static str),
    OtherTimer(&'a str),
    NoDialog,
    Only(Only),
    NotMentioned,
    NotFrom,
    Role(&'a Role),
    Unknown,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deaf(why) => why.fmt(f),
            Self::OtherWord(words) => write!(f, "text does not begin with {}", words.join(", ")),
            Self::Longer => f.write_str("a longer command was said"),
            Self::NoKeyword(words) => write!(f, "text holds none of {}", words.join(", ")),
            Self::NoFit => f.write_str("text does not fit the regex"),
            Self::OtherKind(kind) => write!(f, "it is another kind of event: {kind}"),
            Self::OtherTimer(name) => write!(f, "it is another timer or schedule: {name}"),
            Self::NoDialog => f.write_str("no dialog with the sender is open"),
            Self::Only(Only::Group) => f.write_str("only in rooms"),
            Self::Only(Only::Private) => f.write_str("only in private chats"),
            Self::NotMentioned => f.write_str("not mentioned"),
            Self::NotFrom => f.write_str("sender and chat are not in `from`"),
            Self::Role(role) => write!(f, "role {role} needed"),
            Self::Unknown => f.write_str("its trigger is not known to this version"),
        }
    }
}

impl<'a> Look<'a> {
    /// What the handler's trigger found, when it takes the event.
    pub(crate) fn at<P>(&'a self, handler: &'a Handler<P>) -> Result<Found<'a>, Why<'a>> {
        let found = self.trigger(handler)?;
        self.filters(&handler.spec)?;
        Ok(found)
    }

    fn heard(&'a self) -> Result<&'a Heard<'a>, Why<'a>> {
        self.heard.as_ref().map_err(|why| Why::Deaf(*why))
    }

    fn trigger<P>(&'a self, handler: &'a Handler<P>) -> Result<Found<'a>, Why<'a>> {
        match (&handler.spec.trigger, &handler.ready) {
            (Trigger::Command { words, .. }, Ready::Words(folded)) => {
                let said = self.heard()?.command(folded).ok_or(Why::OtherWord(words))?;
                if said.len < self.longest {
                    return Err(Why::Longer);
                }
                let word = words.get(said.nth).map_or("", String::as_str);
                Ok(Found::Command(word, Words::new(said.rest)))
            }
            (Trigger::Keyword { any }, Ready::Words(folded)) => {
                let text = self.heard()?.folded();
                folded.iter().any(|word| text.contains(word)).then_some(Found::Nothing).ok_or(Why::NoKeyword(any))
            }
            (Trigger::Regex { .. }, Ready::Regex(regex)) => {
                let heard = self.heard()?;
                // As it came first, so that groups keep the sender's own characters and a pattern may name full-width
                // ones; then without them, so that `^order (\d+)$` also finds what a Chinese keyboard made of it.
                let found = Captures::find(regex, heard.raw()).or_else(|| Captures::find(regex, heard.plain()));
                found.map(Found::Captures).ok_or(Why::NoFit)
            }
            (Trigger::Event { kinds }, _) => {
                let kind = self.event.kind.word();
                kinds.iter().any(|wanted| wanted == kind).then_some(Found::Nothing).ok_or_else(|| self.other_kind())
            }
            (Trigger::Timer { name: wanted }, _) => {
                let EventKind::Timer { name, .. } = &self.event.kind else { return Err(self.other_kind()) };
                is_one_of(name, wanted).then_some(Found::Nothing).ok_or(Why::OtherTimer(name))
            }
            (Trigger::Schedule { name: wanted }, _) => {
                let EventKind::Schedule { name, .. } = &self.event.kind else { return Err(self.other_kind()) };
                is_one_of(name, wanted).then_some(Found::Nothing).ok_or(Why::OtherTimer(name))
            }
            (Trigger::Cron { .. }, _) => {
                let EventKind::Schedule { name, .. } = &self.event.kind else { return Err(self.other_kind()) };
                (*name == handler.spec.name).then_some(Found::Nothing).ok_or(Why::OtherTimer(name))
            }
            (Trigger::Continues, _) => {
                spoken_to_us(self.event).map_err(Why::Deaf)?;
                self.dialog.then_some(Found::Nothing).ok_or(Why::NoDialog)
            }
            (Trigger::Command { .. } | Trigger::Keyword { .. } | Trigger::Regex { .. } | Trigger::Unknown, _) => {
                Err(Why::Unknown)
            }
        }
    }

    fn other_kind(&self) -> Why<'a> {
        Why::OtherKind(self.event.kind.word())
    }

    fn filters(&self, spec: &'a HandlerSpec) -> Result<(), Why<'a>> {
        let event = self.event;
        let here = if event.is_group() { Only::Group } else { Only::Private };
        if let Some(only) = spec.only.filter(|only| *only != here) {
            return Err(Why::Only(only));
        }
        if spec.at_me && event.is_group() && !event.message().is_some_and(|message| message.mentions.me) {
            return Err(Why::NotMentioned);
        }
        let sender = event.sender.as_ref().map(|sender| &sender.id);
        let listed = |id: &String| *id == event.chat.id.as_str() || sender.is_some_and(|sender| *id == sender.as_str());
        if !spec.from.is_empty() && !spec.from.iter().any(listed) {
            return Err(Why::NotFrom);
        }
        match &spec.allow {
            Some(role) if !self.cx.may(role) => Err(Why::Role(role)),
            Some(_) | None => Ok(()),
        }
    }
}

/// `remind`, or `remind:` and whatever tells it from others: the name of a timer or schedule is unique per plugin and
/// account, so a plugin that reminds more than one person needs more than one.
fn is_one_of(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
