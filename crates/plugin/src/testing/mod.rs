//! How is a plugin tested without a bot? With a [`Kit`]: simulated people and rooms, KV in memory, time in your hand.
//!
//! With `wxbot-plugin = { version = "…", features = ["testing"] }` under `[dev-dependencies]`, a test is
//!
//! ```
//! # use wxbot_plugin::prelude::*;
//! # use wxbot_plugin::testing::Kit;
//! # struct Weather;
//! # impl Plugin for Weather {
//! #     type Config = NoConfig;
//! #     fn manifest() -> Manifest { Manifest::new("weather", "Tells the weather.") }
//! #     async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> { Ok(Self) }
//! #     async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
//! #         if event.text() != Some("天气") { return Ok(Effects::none()); }
//! #         let city: String = cx.ask("请输入地名").await?;
//! #         Ok(Effects::reply(format!("{city}: 晴")))
//! #     }
//! # }
//! #[wxbot_plugin::test]
//! async fn asks_for_a_city(bot: Kit<Weather>) {
//!     let alice = bot.user("alice");
//!     alice.say("天气").await.gets("请输入地名");
//!     alice.say("北京").await.gets("北京: 晴");
//! }
//! ```
//!
//! and with settings `#[wxbot_plugin::test(settings = json!({ … }))]`. Time is tokio's, and paused; it passes when the test
//! says so ([`Kit::advance`]) and when a handler sleeps. Without the feature, [`Kit::start`] makes a kit in any runtime, or
//! in none.
//!
//! A kit does to a plugin what a running wxbot does: a dialog gets the person's next message, changes are committed
//! together or not at all, timers outlive [a restart](Kit::restart) and dialogs do not.
//!
//! Reading order: this file → `people` (who talks) → [`heard`] (what came back) → `bench` (what becomes of an event) →
//! `host` (what is behind `Ctx`) → [`run()`].

mod bench;
pub mod heard;
mod host;
mod people;
mod run;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wxbot_model::{
    Action, Capability, Chat, ChatKind, Contact, ContactId, ContactKind, Content, Event, EventKind, MediaHandle,
    MediaShape, Mentions, Message, Person,
};

use crate::budget::Budget;
use crate::config::Place;
use crate::contacts::RoomMember;
use crate::ctx::InitCtx;
use crate::effects::Effects;
use crate::host::{CallMeta, Host as _, Instance as _};
use crate::media::{MediaError, MediaSource};
use crate::plugin::{Plugin, PluginError, Verdict};

use bench::Bench;
use host::FakeHost;

pub use heard::{Heard, Sent, What};
pub use people::{Member, Room, User};
pub use run::{Testable, run};

/// A plugin instance on a bench, with people around it.
pub struct Kit<P> {
    bench: Arc<Bench<P>>,
}

/// A picture, film, file or sticker that a plugin sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SentMedia {
    /// The conversation.
    pub to: ContactId,
    /// How it is shown.
    pub shape: MediaShape,
    /// Where the bytes are; [`MediaSource::Bytes`] and [`MediaSource::Path`] are not looked at.
    pub source: MediaSource,
}

/// Settings of a test: from nowhere, and without the environment of whoever runs it.
fn nowhere() -> InitCtx {
    let mut init = InitCtx::new();
    init.place = Place::default().with_env::<&str, &str>([]);
    init
}

impl<P: Plugin> Kit<P> {
    /// Starts the plugin with these settings; time begins at 2026-01-01 00:00 UTC.
    ///
    /// # Errors
    /// What reading the settings or `init` answered.
    pub async fn start(settings: Value) -> Result<Self, PluginError> {
        Self::start_at(settings, nowhere()).await
    }

    /// The same for settings that name files or variables, or with other prefixes of commands.
    ///
    /// # Errors
    /// What reading the settings or `init` answered.
    pub async fn start_at(settings: Value, init: InitCtx) -> Result<Self, PluginError> {
        Ok(Self { bench: Arc::new(Bench::start(settings, init, FakeHost::new()).await?) })
    }

    /// A person of this name, the same one each time.
    pub fn user(&self, name: &str) -> User<P> {
        let (person, new) = self.bench.book(|book| {
            if let Some(person) = book.people.iter().find(|person| person.name == name) {
                return (person.clone(), false);
            }
            let person = Person { id: id('p', 101 + book.people.len()), name: name.to_owned() };
            book.people.push(person.clone());
            (person, true)
        });
        if new {
            self.know(&person.id, ContactKind::Person, name);
        }
        let chat = Chat { id: person.id.clone(), kind: ChatKind::Private, name: name.to_owned() };
        User { bench: Arc::clone(&self.bench), person, chat }
    }

    /// A room of these people and our account; the same name is the same room, and adds members.
    pub fn room<'a>(&self, name: &str, members: impl IntoIterator<Item = &'a User<P>>) -> Room<P> {
        let (chat, new) = self.bench.book(|book| {
            if let Some(chat) = book.rooms.iter().find(|chat| chat.name == name) {
                return (chat.clone(), false);
            }
            let chat = Chat { id: id('r', 101 + book.rooms.len()), kind: ChatKind::Group, name: name.to_owned() };
            book.rooms.push(chat.clone());
            (chat, true)
        });
        let member = |id: Option<ContactId>, name: &str, me: bool| {
            let (name, nick_name) = (name.to_owned(), name.to_owned());
            RoomMember { id, name, nick_name, group_name: String::new(), me }
        };
        if new {
            self.know(&chat.id, ContactKind::Room, name);
            self.add_member(chat.id.clone(), member(None, "bot", true));
        }
        for user in members {
            self.add_member(chat.id.clone(), member(Some(user.person.id.clone()), &user.person.name, false));
        }
        Room { bench: Arc::clone(&self.bench), chat }
    }

    fn know(&self, id: &ContactId, kind: ContactKind, name: &str) {
        let Ok(peer) = format!("@{id}").parse() else { return };
        self.add_contact(id.clone(), Contact { nick_name: name.into(), ..Contact::nameless(peer, kind) });
    }

    /// Lets time pass: timers fire and dialogs end when they are due, the earliest first. Answers what was sent meanwhile,
    /// wherever it went; [`User::hears`] and [`Room::hears`] have the same by conversation.
    ///
    /// Schedules do not fire by themselves: see [`fires`](Self::fires).
    pub async fn advance(&self, by: Duration) -> Heard {
        let advanced = self.bench.advance(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)).await;
        Self::heard(format!("{by:?} passed"), advanced)
    }

    /// From now on the account's protocol cannot do this: [`Ctx::can`](crate::Ctx::can) says so. Actions that need it are not
    /// refused, so that a test sees who asks for them all the same.
    pub fn cannot(&self, what: &[Capability]) {
        self.bench.host.state(|s| s.lacks.extend_from_slice(what));
    }

    /// What [`Ctx::budget`](crate::Ctx::budget) answers from now on, for every chat; unlimited unless said. A kit sends at
    /// once whatever it says.
    pub fn budget(&self, budget: Budget) {
        self.bench.host.state(|s| s.budget = budget);
    }

    /// Now is a time of this schedule: the handler of that name under `#[cron]`, or one that the settings plan. Which times those are is no question for
    /// a test: the expression is checked when the plugin is compiled, and the host's clock has tests of its own.
    ///
    /// # Panics
    /// When the manifest has no such schedule.
    pub async fn fires(&self, schedule: &str) -> Heard {
        let known = self.bench.schedules();
        assert!(known.contains(&schedule), "the plugin has no schedule `{schedule}`; it has {known:?}");
        let delivered = self.bench.deliver(self.bench.schedule(schedule)).await;
        let delivered = delivered.inspect(|delivery| drop(self.bench.leave(delivery.sent.clone(), None)));
        Self::heard(format!("the schedule {schedule} was due"), delivered)
    }

    fn heard(after: String, delivered: Result<bench::Delivery, PluginError>) -> Heard {
        match delivered {
            Ok(delivery) => Heard { after, ended: Ok(delivery.sent), notes: delivery.notes, block: delivery.block },
            Err(error) => Heard { after, ended: Err(error), notes: Vec::new(), block: false },
        }
    }

    /// Ends the instance and makes another one over the same KV, as a restart and a reload do. Handlers that wait for an
    /// answer are gone, and whoever was asked is told so with the next message.
    ///
    /// # Errors
    /// What `init` answered.
    pub async fn restart(&self) -> Result<(), PluginError> {
        self.bench.restart().await
    }

    /// The next event is handled, and before it is committed wxbot crashes: nothing of it was done, except what was sent
    /// at once. After the restart it is handled again, with [`Ctx::attempt`](crate::Ctx::attempt) 2.
    pub fn crash_before_commit(&self) {
        self.bench.book(|book| book.crash = true);
    }

    /// A committed KV value.
    ///
    /// # Errors
    /// When it is of another shape.
    pub fn kv<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        self.bench.host.state(|s| s.kv.get(key).cloned()).map(serde_json::from_value).transpose()
    }

    /// Sets a KV value from outside, as another event does that is handled at the same time.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn set_kv(&self, key: &str, value: &impl Serialize) -> Result<(), serde_json::Error> {
        let value = serde_json::to_value(value)?;
        self.bench.host.state(|s| drop(s.kv.insert(key.to_owned(), value)));
        Ok(())
    }

    /// The keys of all committed KV values, sorted.
    pub fn kv_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.bench.host.state(|s| s.kv.keys().cloned().collect());
        keys.sort_unstable();
        keys
    }

    /// The names of the timers that are set.
    pub fn timers(&self) -> Vec<String> {
        self.bench.book(|book| book.timers())
    }

    /// What time it is, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.bench.host.now_ms()
    }

    /// What the plugin as a guard says of an event: see [`Plugin::guard`].
    ///
    /// # Errors
    /// What the guard answered.
    pub async fn judges(&self, event: &Event) -> Result<Verdict, PluginError> {
        self.bench.instance().guard(Arc::new(event.clone()), CallMeta::first()).await
    }

    /// Sets the clock forward or back, without letting anything happen.
    pub fn advance_ms(&self, ms: i64) {
        self.bench.host.set_ms(ms);
    }

    /// Has these bytes to give for a handle, under this name: `cx.media(&handle)` answers them. What is given to nobody
    /// is [`MediaError::Gone`]. [`MediaFile::path`](crate::MediaFile::path) leads to no file here.
    pub fn give_media(&self, media: &MediaHandle, name: &str, bytes: impl Into<Vec<u8>>) {
        self.bench.host.give_media(media, Ok(host::file(name, bytes.into())));
    }

    /// Answers this error for a handle.
    pub fn refuse_media(&self, media: &MediaHandle, error: MediaError) {
        self.bench.host.give_media(media, Err(error));
    }

    /// Has this picture to give of a contact.
    pub fn give_avatar(&self, of: &ContactId, bytes: impl Into<Vec<u8>>) {
        self.bench.host.give_avatar(of, bytes.into());
    }

    /// The media that handled events sent since the last call.
    pub fn sent_media(&self) -> Vec<SentMedia> {
        self.bench.book(|book| std::mem::take(&mut book.media))
    }

    /// The other actions that handled events asked for since the last call.
    pub fn acted(&self) -> Vec<Action> {
        self.bench.book(|book| std::mem::take(&mut book.acted))
    }

    /// Makes a contact known to the account, in place of one of that id.
    pub fn add_contact(&self, id: ContactId, contact: Contact) {
        self.bench.host.state(|s| {
            s.contacts.retain(|(known, _)| *known != id);
            s.contacts.push((id, contact));
        });
    }

    /// Makes somebody a member of a room. Rooms without members are not known.
    pub fn add_member(&self, room: ContactId, member: RoomMember) {
        self.bench.host.state(|s| s.members.entry(room).or_default().push(member));
    }

    /// A private text from the person `p1`; the texts of the replies.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn say(&mut self, text: &str) -> Result<Vec<String>, PluginError> {
        let event = self.text_event("p1", None, text);
        self.handle(&event).await
    }

    /// A text from `p1` in the room `r1`; `at_me` says whether our account is mentioned.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn say_in_room(&mut self, text: &str, at_me: bool) -> Result<Vec<String>, PluginError> {
        let mut event = self.text_event("p1", Some("r1"), text);
        if let EventKind::Message(message) = &mut event.kind {
            message.mentions.me = at_me;
        }
        self.handle(&event).await
    }

    /// A text event to change before it is handled.
    pub fn text_event(&mut self, from: &str, room: Option<&str>, text: &str) -> Event {
        let id = |text: &str| -> ContactId {
            #[expect(clippy::expect_used, reason = "a test names a contact that is none: the test is wrong")]
            text.parse().expect("a contact id like p1 or r1")
        };
        let chat = Chat {
            id: id(room.unwrap_or(from)),
            kind: if room.is_some() { ChatKind::Group } else { ChatKind::Private },
            name: room.unwrap_or(from).to_owned(),
        };
        let sender = Person { id: id(from), name: from.to_owned() };
        let content = Content::Text { text: text.to_owned() };
        #[expect(clippy::expect_used, reason = "a digit")]
        let number = "0".parse().expect("a message id");
        let message = Message { id: number, from_self: false, content, mentions: Mentions::default() };
        let mut event = self.bench.event(chat, Some(sender), EventKind::Message(message));
        people::number(&mut event);
        event
    }

    /// Handles one event as the host would, and returns the texts of its replies.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn handle(&mut self, event: &Event) -> Result<Vec<String>, PluginError> {
        let delivery = self.bench.deliver(event.clone()).await?;
        let replies = delivery.sent.into_iter().filter(|sent| sent.reply);
        Ok(replies.filter_map(|sent| sent.text().map(str::to_owned)).collect())
    }

    /// Runs the handlers and returns their effects without applying them.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn effects(&self, event: &Event) -> Result<Effects, PluginError> {
        bench::effects(&self.bench, event).await
    }
}

fn id(letter: char, number: usize) -> ContactId {
    #[expect(clippy::expect_used, reason = "a letter and digits")]
    format!("{letter}{number}").parse().expect("a contact id")
}

impl<P> fmt::Debug for Kit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
