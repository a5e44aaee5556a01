//! How is anything done at all? Through one door, [`Doing::act`]: in shadow mode it tells what it would have done instead
//! of doing it, and either way the audit log says so, written with the effects.
//!
//! ```text
//! let doing = self.doing(cx);
//! let deed = Deed::new("welcome", "欢迎", &room)
//!     .whom([Whom::of(cx, person)])             // about whom
//!     .why("新成员")                          // one clause, for people
//!     .does(Effects::reply(text))            // what happens: only when the mode is `enforce`
//!     .keeps(Effects::none().put(key, &row)?) // KV rows: in shadow mode as well
//!     .undo([Undo::Topic { was }]);          // what takes it back
//! doing.act(deed).await
//! ```
//!
//! Answers to whoever commanded something are no deeds: return them beside what `act` gives.

use wxbot_plugin::prelude::*;

use crate::audit::{Record, Trail, Undo, Whom};
use crate::gate::{Gate, Held, Pass, To};
use crate::guard::state::mark;
use crate::life::names::neutral;
use crate::settings::{Mode, Settings};
use crate::shadow;

/// How long a name may be where it is shown.
const NAME: usize = 24;
/// What all doings of an instance share, in memory.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    gate: Gate,
    trail: Trail,
}

/// One event's way to do things.
#[derive(Debug)]
pub(crate) struct Doing<'a> {
    pub(crate) cx: &'a Ctx,
    pub(crate) settings: &'a Settings,
    desk: &'a Desk,
}

/// One thing to do.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    feature: &'static str,
    what: &'static str,
    room: Option<ContactId>,
    whom: Vec<Whom>,
    why: String,
    by: Option<Whom>,
    effects: Effects,
    keep: Effects,
    undo: Vec<Undo>,
    of: Option<String>,
    small: bool,
    own: bool,
}

impl Deed {
    /// What `feature` does in a room; `what` is a word for people, in Chinese.
    pub(crate) fn new(feature: &'static str, what: &'static str, room: &ContactId) -> Self {
        Self { feature, what, room: Some(room.clone()), ..Self::default() }
    }

    /// Another word for what is done.
    pub(crate) fn called(mut self, what: &'static str) -> Self {
        self.what = what;
        self
    }

    /// About whom it is.
    pub(crate) fn whom(mut self, whom: impl IntoIterator<Item = Whom>) -> Self {
        self.whom.extend(whom);
        self
    }

    /// Why.
    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Who commanded it.
    pub(crate) fn by(mut self, by: Whom) -> Self {
        self.by = Some(by);
        self
    }

    /// What happens, unless the mode is `shadow`.
    pub(crate) fn does(mut self, effects: Effects) -> Self {
        self.effects = self.effects.then(effects);
        self
    }

    /// What is kept in KV, in shadow mode as well.
    pub(crate) fn keeps(mut self, effects: Effects) -> Self {
        self.keep = self.keep.then(effects);
        self
    }

    /// What takes it back.
    pub(crate) fn undo(mut self, undo: impl IntoIterator<Item = Undo>) -> Self {
        self.undo.extend(undo);
        self
    }

    /// The record that it takes back.
    pub(crate) fn takes_back(mut self, key: String) -> Self {
        self.of = Some(key);
        self
    }

    /// It concerns nothing but the plugin's own rows, so that shadow mode does it as well: a pardon, the whitelist.
    pub(crate) fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// Too small a thing for the log and for reports: an answer in a poll. In shadow mode it is not done either.
    pub(crate) fn small(mut self) -> Self {
        self.small = true;
        self
    }
}

impl<'a> Doing<'a> {
    pub(crate) fn new(cx: &'a Ctx, settings: &'a Settings, desk: &'a Desk) -> Self {
        Self { cx, settings, desk }
    }

    /// Whether things are only reported.
    pub(crate) fn is_shadow(&self) -> bool {
        self.settings.mode == Mode::Shadow
    }

    /// Does it, or tells that it would have: the effects of either, with the record.
    pub(crate) async fn act(&self, deed: Deed) -> Result<Effects, PluginError> {
        let (cx, shadow) = (self.cx, self.is_shadow() && !deed.own);
        let room = deed.room.unwrap_or_else(|| cx.event().chat.id.clone());
        cx.note(deed.feature, true, || {
            let whom = names(&deed.whom);
            format!("{}{} {whom}: {}", if shadow { "(shadow) " } else { "" }, deed.what, deed.why)
        });
        if deed.small {
            return Ok(if shadow { deed.keep } else { deed.keep.then(deed.effects) });
        }
        let (no, number) = self.desk.trail.next(cx, &room).await?;
        let record = Record {
            no,
            at_ms: cx.now_ms(),
            room: room.clone(),
            feature: deed.feature.to_owned(),
            what: deed.what.to_owned(),
            whom: deed.whom,
            why: deed.why,
            by: deed.by,
            shadow,
            undo: deed.undo,
            of: deed.of,
        };
        let outward =
            if shadow { self.report(&room, &shadow::report(&self.room_name(&room), &record)) } else { deed.effects };
        let written = deed.keep.then(number).put(record.key(self.desk.trail.number()), &record)?;
        Ok(self.tidy().await?.then(outward).then(written))
    }

    /// Removes records that nobody needs any more, now and then: in a storm the log would outgrow its end before the night.
    async fn tidy(&self) -> Result<Effects, PluginError> {
        let desk = self.desk;
        if !desk.trail.is_time(self.cx.account()) {
            return Ok(Effects::none());
        }
        desk.trail.prune(self.cx, &self.settings.audit).await
    }

    /// Tells those in `notify`, else the owners of the account, about a room; in a storm, together with what else
    /// there is to tell. Nothing in shadow mode, where the deed itself is told.
    pub(crate) fn tell(&self, room: &ContactId, line: &str) -> Effects {
        if self.is_shadow() { Effects::none() } else { self.report(room, line) }
    }

    fn report(&self, room: &ContactId, line: &str) -> Effects {
        match self.pass(room, To::Watchers, line) {
            Pass::Now => self.to_watchers(line),
            Pass::Later(after) => come_back(room, To::Watchers, after),
        }
    }

    /// Says something in the room of the event, to whoever sent it; in a storm `line` is said without a mention,
    /// together with what else there is to say.
    /// Nothing in shadow mode.
    pub(crate) fn say_to_sender(&self, text: &str, line: &str) -> Effects {
        self.say_with(Effects::none().and_reply_at_sender(text), line)
    }

    /// Says something in the room of the event; in a storm, together with what else there is to say. Nothing in shadow
    /// mode.
    pub(crate) fn say(&self, line: &str) -> Effects {
        self.say_with(Effects::reply(clipped(line)), line)
    }

    fn say_with(&self, said: Effects, line: &str) -> Effects {
        if self.is_shadow() {
            return Effects::none();
        }
        let event = self.cx.event();
        match self.pass(&event.chat.id, To::Room, line) {
            Pass::Now => said,
            Pass::Later(after) => come_back(&event.chat.id, To::Room, after),
        }
    }

    fn pass(&self, room: &ContactId, to: To, line: &str) -> Pass {
        let place = (self.cx.account().clone(), room.clone(), to);
        self.desk.gate.pass(place, mark(&self.cx.message_id()), self.cx.now_ms(), line)
    }

    /// The timer of what had to wait.
    pub(crate) fn say_what_waited(&self, chat: &ContactId, held: &Held) -> Effects {
        let room = held.room.as_ref().unwrap_or(chat);
        let text = self.desk.gate.drain(&(self.cx.account().clone(), room.clone(), held.to), self.cx.now_ms());
        match (text, held.to) {
            (None, _) => Effects::none(),
            (Some(text), To::Room) => Effects::none().and_send(room.clone(), clipped(&text)),
            (Some(text), To::Watchers) => self.to_watchers(&text),
        }
    }

    fn to_watchers(&self, text: &str) -> Effects {
        let told =
            if self.settings.notify.is_empty() { self.cx.people(&Role::Owner) } else { self.settings.notify.clone() };
        if told.is_empty() {
            self.cx
                .note("notify", false, || "there is nobody to tell: no `notify`, and the account has no owner".into());
        }
        told.into_iter().take(Settings::NOTIFY).fold(Effects::none(), |effects, to| effects.and_send(to, clipped(text)))
    }

    /// What a room calls itself. A remark of ours is a private note, and those in `notify` may be a room.
    pub(crate) fn topic_of(&self, room: &ContactId) -> String {
        let event = self.cx.event();
        let name = match self.cx.contact(room) {
            Some(contact) if !contact.nick_name.is_empty() => contact.nick_name.to_string(),
            // By its first members.
            Some(contact) if contact.remark_name.is_empty() => contact.display_name().to_owned(),
            None if event.chat.id == *room => event.chat.name.clone(),
            Some(_) | None => String::new(),
        };
        if name.is_empty() { room.to_string() } else { name }
    }

    /// The same, short, for people to read.
    pub(crate) fn room_name(&self, room: &ContactId) -> String {
        label(&self.topic_of(room))
    }
}

fn come_back(room: &ContactId, to: To, after: std::time::Duration) -> Effects {
    let name = match to {
        To::Room => format!("gate:{room}:room"),
        To::Watchers => format!("gate:{room}:watchers"),
    };
    // A word and a moment are always JSON.
    Effects::none().timer(name, after, &Held { room: Some(room.clone()), to }).unwrap_or_default()
}

/// A name or another text that somebody chose, short and on one line: it must not look like our own words.
pub(crate) fn label(text: &str) -> String {
    neutral(text, NAME)
}

/// The names of people, the first of them.
pub(crate) fn names(whom: &[Whom]) -> String {
    let mut text = whom.iter().take(5).map(|whom| label(&whom.name)).collect::<Vec<_>>().join("、");
    if whom.len() > 5 {
        text.push_str(&format!(" 等 {} 人", whom.len()));
    }
    text
}

/// A text of at most 4 KiB.
pub(crate) fn clipped(text: &str) -> String {
    wxbot_plugin::text::shortened(text, 4_000)
}
