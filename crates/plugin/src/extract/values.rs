//! Which values of an event can a handler take, besides words that were typed?

use std::any::Any;
use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use wxbot_model::{
    Chat, ContactId, Content, Event, EventKind, FriendRequest, MediaHandle, MembersJoined, Mentions, Message, Person,
    Quote,
};

use super::{Asked, Extract, Found, Miss, Shape};
use crate::args::FromArg;
use crate::ctx::Ctx;
use crate::plugin::{Plugin, PluginError};
use crate::role::Role;
use crate::route::heard::Heard;
use crate::text::head;

/// How much of a text a regex looks at. WeChat itself refuses texts of some kilobytes, so that this is a guard only.
const HAYSTACK_BYTES: usize = 16 * 1024;

/// What was typed, without the mention of ourselves at its beginning: of a command all of it, the word too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

/// What follows the command, as it was typed, quotes and all. `Option<Rest>` where there may be nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest(String);

/// Who sent it. Decide by [`id`](Person::id) and never by the name, which everybody chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Person);

/// The room it was sent in; in private chats the handler is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room(Chat);

/// wxbot's id of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatId(ContactId);

/// The roles of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

/// What the groups of `#[regex]` caught.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    groups: Vec<(Option<String>, Option<String>)>,
}

/// What a timer brings: the payload that [`Effects::timer`](crate::Effects::timer) was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<T> {
    /// The payload.
    pub payload: T,
    /// When it was due, milliseconds since 1970; it may have come later.
    pub due_ms: i64,
}

/// The plugin's settings: `T` is the type of `#[plugin(config = T)]`.
#[derive(Clone)]
pub struct Config<T>(Arc<T>);

macro_rules! derefs {
    ($($name:ty => $target:ty),*) => {$(
        impl Deref for $name {
            type Target = $target;

            fn deref(&self) -> &$target {
                &self.0
            }
        }
    )*};
}

derefs! { Text => str, Rest => str, Sender => Person, Room => Chat, ChatId => ContactId, Roles => [Role] }

impl<T> Deref for Config<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

macro_rules! displays {
    ($($name:ty => $field:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.$field(), f)
            }
        }
    )*};
}

displays! { Text => as_str, Rest => as_str, Sender => name, ChatId => id }

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Rest {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Sender {
    /// wxbot's id of the person.
    pub fn id(&self) -> &ContactId {
        &self.0.id
    }

    /// The name as shown in the chat: for people to read.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl ChatId {
    /// The id.
    pub fn id(&self) -> &ContactId {
        &self.0
    }

    /// The id, taken out.
    pub fn into_id(self) -> ContactId {
        self.0
    }
}

impl Roles {
    /// Whether the sender may do what demands this role.
    pub fn may(&self, role: &Role) -> bool {
        role.is_met_by(&self.0)
    }
}

impl Captures {
    /// What a regex catches in a text, of which the first 16 KiB are looked at; `None` when it does not fit.
    pub fn find(regex: &regex::Regex, text: &str) -> Option<Self> {
        regex.captures(head(text, HAYSTACK_BYTES)).map(|found| Self::of(regex, &found))
    }

    fn of(regex: &regex::Regex, found: &regex::Captures<'_>) -> Self {
        let text = |group: regex::Match<'_>| group.as_str().to_owned();
        let named = regex.capture_names().zip(found.iter());
        Self { groups: named.map(|(name, group)| (name.map(str::to_owned), group.map(text))).collect() }
    }

    /// All groups in their order, group 0 first: the name of those that have one, and what they caught.
    pub fn groups(&self) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
        self.groups.iter().map(|(name, caught)| (name.as_deref(), caught.as_deref()))
    }

    /// What a group caught, by its number; 0 is all of it. `None` when it took no part.
    pub fn nth(&self, number: usize) -> Option<&str> {
        self.groups.get(number).and_then(|(_, caught)| caught.as_deref())
    }

    /// What a group caught, by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let group = self.groups.iter().find(|(known, _)| known.as_deref() == Some(name));
        group.and_then(|(_, caught)| caught.as_deref())
    }

    /// What a group caught, as a number or whatever else [`FromArg`] reads.
    ///
    /// # Errors
    /// Tells the person what is wrong with it; one that took no part reads like an empty text.
    pub fn parse<T: FromArg>(&self, name: &str) -> Result<T, PluginError> {
        T::from_arg(self.get(name).unwrap_or_default()).map_err(|why| PluginError::told(format!("{name}: {why}")))
    }
}

impl<T: fmt::Debug> fmt::Debug for Config<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One extractor that needs no waiting: a closure from what was asked.
macro_rules! extract {
    ($name:ty, $($const:ident)?, $from:expr) => {
        impl<'a, P> Extract<'a, P> for $name {
            $(const SHAPE: Shape = Shape::$const;)?

            fn extract(asked: &'a Asked<'a>, _name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
                let from: fn(&'a Asked<'a>) -> Result<Self, Miss> = $from;
                ready(from(asked))
            }
        }
    };
}

extract!(&'a Event, , |asked| Ok(asked.event));
extract!(&'a Ctx, , |asked| Ok(asked.cx));
extract!(Text, Text, |asked| match Heard::of(asked.event, &[]) {
    Ok(heard) => Ok(Self(heard.raw().to_owned())),
    Err(why) => Err(Miss::pass(why.to_string())),
});
extract!(Sender, , |asked| asked.event.sender.clone().map(Self).ok_or_else(|| Miss::pass("it has no sender")));
extract!(Room, , |asked| match asked.event.is_group() {
    true => Ok(Self(asked.event.chat.clone())),
    false => Err(Miss::pass("only in rooms")),
});
extract!(ChatId, , |asked| Ok(Self(asked.event.chat.id.clone())));
extract!(Roles, , |asked| Ok(Self(asked.cx.roles())));
extract!(Mentions, , |asked| message(asked).map(|message| message.mentions));
extract!(&'a Message, , message);
extract!(Quote, , |asked| {
    let content = &message(asked)?.content;
    let Content::Quote(quote) = content else {
        return Err(Miss::pass(format!("it is no quote but: {}", content.kind())));
    };
    Ok(quote.clone())
});
extract!(&'a MediaHandle, , |asked| message(asked)?.content.media().ok_or_else(|| Miss::pass("it brings no file")));
extract!(Captures, Captures, |asked| match &asked.found {
    Found::Captures(captures) => Ok(captures.clone()),
    Found::Command(..) | Found::Nothing => Err(Miss::pass("only a regex has captures")),
});

fn message<'a>(asked: &'a Asked<'a>) -> Result<&'a Message, Miss> {
    asked.event.message().ok_or_else(|| Miss::pass("it is no message"))
}

impl<'a, P> Extract<'a, P> for &'a FriendRequest {
    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        if let EventKind::FriendRequest(request) = &asked.event.kind { Ok(request) } else { other(asked) }
    }
}

impl<'a, P> Extract<'a, P> for &'a MembersJoined {
    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        if let EventKind::MembersJoined(joined) = &asked.event.kind { Ok(joined) } else { other(asked) }
    }
}

impl<'a, P, T: DeserializeOwned + Send> Extract<'a, P> for Due<T> {
    const SHAPE: Shape = Shape::Due;

    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        if let EventKind::Timer { payload, due_ms, .. } = &asked.event.kind {
            Ok(Self { payload: T::deserialize(payload)?, due_ms: *due_ms })
        } else {
            other(asked)
        }
    }
}

fn other<T>(asked: &Asked<'_>) -> Result<T, Miss> {
    Err(Miss::pass(format!("it is another kind of event: {}", asked.event.kind.word())))
}

impl<'a, P: Plugin<Config = T>, T: Send + Sync + 'static> Extract<'a, P> for Config<T> {
    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        let config: Arc<dyn Any + Send + Sync> = Arc::clone(&asked.cx.link.config);
        let config = config.downcast().map_err(|_other| PluginError::msg("the settings are of another type"))?;
        Ok(Self(config))
    }
}
