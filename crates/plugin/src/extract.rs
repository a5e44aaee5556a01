//! What may a handler take? Everything that is an [`Extract`]: the event, what was typed, who sent it, values it keeps.
//!
//! | Argument | What it is | Where it is none |
//! |---|---|---|
//! | [`&Event`](Event), [`&Ctx`](Ctx) | what happened; the window to the host | |
//! | `String`, `u8`, `Duration`, … ([`FromArg`](crate::FromArg)) | one word behind a command | the person is told the usage |
//! | `Option<T>`, `Vec<T>` of these | a word that may be missing; all that are left | |
//! | [`Rest`], `Option<Rest>` | the text behind the command, as it was typed | as a word |
//! | [`Text`] | the whole text, without the mention of ourselves | the handler is passed over |
//! | [`Sender`], [`Room`], [`ChatId`], [`Roles`] | who, and where | likewise; `Option<Room>` is `None` |
//! | [`Mentions`](wxbot_model::Mentions), [`Quote`](wxbot_model::Quote) | parts of the message | likewise |
//! | `&Message`, `&MediaHandle`, `&FriendRequest`, `&MembersJoined` | what the event brings | likewise |
//! | [`Captures`] | the groups of `#[regex]` | does not compile elsewhere |
//! | [`Due<T>`](Due) | what `#[timer]` brings | does not compile elsewhere |
//! | [`Config<T>`](Config) | the plugin's settings | |
//! | [`Stored<T>`](crate::Stored), [`Dialogue<S>`](crate::Dialogue) | values that survive a restart | |

mod typed;
mod values;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use wxbot_model::Event;

use crate::ctx::Ctx;
use crate::manifest::{HandlerSpec, Trigger};
use crate::plugin::PluginError;
use crate::route::words::Words;
use crate::stored::Kept;

pub use values::{Captures, ChatId, Config, Due, Rest, Roles, Room, Sender, Text};

/// How many characters of what was typed are said back: a bot is no megaphone.
const ECHO: usize = 20;

/// Something a handler may take as an argument. Types of your own can be one too:
///
/// ```
/// use wxbot_plugin::extract::{Asked, Extract, Miss};
///
/// /// When the message was sent, seconds since 1970.
/// struct SentAt(i64);
///
/// impl<'a, P> Extract<'a, P> for SentAt {
///     async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
///         if asked.event().at_s == 0 { return Err(Miss::pass("it has no time")); }
///         Ok(Self(asked.event().at_s))
///     }
/// }
/// ```
///
/// `Via` tells words that were typed from all the rest, and is never written.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}`",
    label = "nothing of an event is a `{Self}`",
    note = "a handler takes `&Event`, `&Ctx`, `Text`, `Rest`, `Sender`, `Room`, `Mentions`, `Captures`, `Due<T>`, `Stored<T>`, `Dialogue<S>`, …: see `wxbot_plugin::extract`",
    note = "`Config<T>` needs the `T` of `#[plugin(config = T)]`",
    note = "a word behind a command is text, a number, `bool`, `Duration`, or a type of yours with `impl FromArg`"
)]
pub trait Extract<'a, P, Via = Given>: Sized {
    /// What it takes of the text.
    const SHAPE: Shape = Shape::Context;

    /// Makes it. `name` is what the handler calls the argument.
    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send;
}

/// How an argument is made: of the event.
#[derive(Debug)]
pub enum Given {}
/// How an argument is made: of a word that was typed.
#[derive(Debug)]
pub enum Typed {}
/// How an argument is made: of words that may be missing.
#[derive(Debug)]
pub enum Several {}
/// How an argument is made: of the event, where it has such a thing.
#[derive(Debug)]
pub enum Perhaps {}

/// What an argument takes of the text, and where it may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Nothing: it may stand anywhere.
    Context,
    /// The whole text, whatever else is read of it.
    Text,
    /// One word that must be there.
    Word(&'static str),
    /// One word that may be there.
    Optional(&'static str),
    /// All words that are left.
    Many(&'static str),
    /// All that is left, which must be something.
    Rest,
    /// All that is left, if it is something.
    OptionalRest,
    /// Groups of a regular expression.
    Captures,
    /// What a timer brings.
    Due,
}

/// Why there is no such argument.
#[derive(Debug)]
pub enum Miss {
    /// The event is not for this handler: the next one is asked. The text is for `wxbot explain`.
    Pass(String),
    /// The handler failed, or the person is to be told something.
    Error(PluginError),
}

impl Miss {
    /// The event is not for this handler.
    pub fn pass(why: impl Into<String>) -> Self {
        Self::Pass(why.into())
    }
}

impl<E: Into<PluginError>> From<E> for Miss {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// What a handler is asked: all that arguments are made of.
pub struct Asked<'a> {
    pub(crate) event: &'a Event,
    pub(crate) cx: &'a Ctx,
    pub(crate) spec: &'a HandlerSpec,
    pub(crate) found: Found<'a>,
    pub(crate) kept: Arc<Kept>,
    /// The handler takes all of the text, so that nothing can be left over.
    pub(crate) whole_text: bool,
}

/// What a trigger found in the event.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// The word that was said, and what follows.
    Command(&'a str, Words<'a>),
    Captures(Captures),
    Nothing,
}

impl<'a> Asked<'a> {
    /// What happened.
    pub fn event(&self) -> &'a Event {
        self.event
    }

    /// The window to the host.
    pub fn cx(&self) -> &'a Ctx {
        self.cx
    }

    /// Whether the handler goes on with an open dialog.
    pub(crate) fn continues(&self) -> bool {
        self.spec.trigger == Trigger::Continues
    }

    /// The words behind the command.
    fn words(&self) -> Result<&Words<'a>, Miss> {
        match &self.found {
            Found::Command(_, words) => Ok(words),
            Found::Captures(_) | Found::Nothing => Err(Miss::pass("only commands have words")),
        }
    }

    /// Tells the person what is wrong, and how it goes.
    fn told(&self, why: &str) -> Miss {
        let usage = match (&self.found, &self.spec.trigger) {
            (Found::Command(word, _), Trigger::Command { args, .. }) => {
                // Where a prefix is needed it is a part of how it goes; the last one is the shortest.
                let prefix = self.cx.prefixes().last().map_or("", String::as_str);
                format!("{prefix}{}", crate::help::usage(word, args))
            }
            _ => self.spec.name.clone(),
        };
        Miss::Error(PluginError::told(format!("{why}\n用法: {usage}")))
    }

    /// Ends the reading of arguments: nothing may be left over.
    ///
    /// # Errors
    /// Tells the person what was too much.
    pub fn end(&self) -> Result<(), Miss> {
        match &self.found {
            Found::Command(_, words) if !self.whole_text && !words.is_empty() => {
                let more: String = words.rest().chars().take(ECHO).collect();
                Err(self.told(&format!("多了「{more}」(more than it takes)")))
            }
            Found::Command(..) | Found::Captures(_) | Found::Nothing => Ok(()),
        }
    }
}

impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("handler", &self.spec.name).field("cx", &self.cx).finish_non_exhaustive()
    }
}
