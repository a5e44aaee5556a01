//! The SDK of a wxbot plugin: everything an author needs, and nothing of the host.
//!
//! A plugin is a type that turns an [`Event`] into [`Effects`]. It does not send; the host commits the effects
//! together with the note that the event is done, so that a crash repeats the handler and never its replies.
//!
//! ```
//! use wxbot_plugin::prelude::*;
//!
//! struct Ping;
//!
//! impl Plugin for Ping {
//!     type Config = NoConfig;
//!     fn manifest() -> Manifest {
//!         Manifest::new("ping", "Answers ping with pong.")
//!     }
//!     async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
//!         Ok(Self)
//!     }
//!     async fn on_event(&self, event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
//!         Ok(match event.text() {
//!             Some("ping") => Effects::reply("pong"),
//!             _ => Effects::none(),
//!         })
//!     }
//! }
//! ```
//!
//! That is all there is to it; [`#[plugin]`](macro@plugin) writes it for you from methods like
//! `#[command("ping")] fn ping(&self) -> &'static str`.
//!
//! Reading order: [`plugin`](mod@plugin) → [`macro@plugin`] with [`extract`] and [`reply`] → [`effects`] and [`actions`] →
//! [`ctx`] with [`contacts`], [`ask`], [`stored`], [`dialogue`] and [`budget`] → [`media`] → [`manifest`] and [`help`] → [`middleware`] →
//! [`testing`]; [`text`], `template` and `local` are a toolbox for plugins that match and write texts by settings; [`route`] is what the macro calls, and [`host`] is the other side of the table: both are for wxbot
//! itself. [`abi`] is what a library and wxbot lay out between them.
//!
//! **Delivery.** At least once, in order per conversation. [`Ctx::message_id`] is stable over repeats and
//! [`Ctx::attempt`] tells one. Replies and KV changes are exactly once per message; for calls of your own use
//! [`Ctx::idempotency_key`].

//!
//! **Features.** `testing`: the test kit on paused time. `template` and `local-time`: the modules `template` (texts of
//! settings that are filled in later) and `local` (days and hours of a place). `dylib`: a library that wxbot loads.
//! `wire`: for the host.

// Tests and macros call it by its name.
extern crate self as wxbot_plugin;

pub mod abi;
pub mod actions;
pub mod args;
pub mod ask;
pub mod budget;
pub mod config;
mod confirm;
pub mod contacts;
pub mod ctx;
pub mod dialogue;
pub mod effects;
pub mod extract;
pub mod help;
pub mod host;
mod instance;
#[cfg(feature = "local-time")]
pub mod local;
pub mod manifest;
pub mod media;
pub mod middleware;
pub mod plan;
pub mod plugin;
pub mod reply;
pub mod role;
pub mod route;
pub mod stored;
#[cfg(feature = "template")]
pub mod template;
pub mod testing;
pub mod text;

pub use args::FromArg;
pub use ask::Ask;
pub use budget::{Allowance, Budget, ReplyWindow};
pub use config::{ConfigProblem, NoConfig, Place, PluginConfig};
pub use contacts::{ContactQuery, FoundContact, RoomMember};
pub use ctx::{Ctx, InitCtx, KvPage};
pub use dialogue::Dialogue;
pub use effects::{Effect, Effects};
pub use extract::{Captures, ChatId, Config, Due, Extract, Rest, Roles, Room, Sender, Text};
pub use host::Receipt;
pub use manifest::Manifest;
pub use media::{MediaError, MediaFile, MediaSource};
pub use middleware::{Envelope, Middleware, Next, Outcome, StationConfig};
pub use plan::{Feature, Plan, PlannedSchedule};
pub use plugin::{Plugin, PluginError, Verdict};
pub use reply::{AtSender, FileReply, Image, IntoEffects};
pub use role::Role;
pub use stored::Stored;
pub use wxbot_model as model;
/// Reads settings into a struct: a schema for editors, and a reading that tells all mistakes, each at its place. An
/// example is in [`config`].
///
/// | On a field | |
/// |---|---|
/// | `default` | [`Default::default`] when nobody says anything; without any of these three the key must be there, unless it is an `Option` or a struct whose keys may all be missing |
/// | `default = 5`, `default = "10min"` | a value; text in quotes is read as if it stood in the file |
/// | `env = "NAME"` | the environment variable that is asked when the file says nothing |
/// | `range = 1..=10`, `"1s"..="1h"` | numbers and durations: how small and how large |
/// | `min_len = 1`, `max_len = 9` | texts, lists and tables: how short and how long |
/// | `rename = "key"` | the key, where it is not the field's name |
///
/// On the struct `check = path::of::a_function` names a `fn(&Self) -> Vec<ConfigProblem>` for rules between fields; it is
/// asked when all fields are good. On an enum without data the variants become words: `GroupAdmin` is `group-admin`.
///
/// Types of fields: see [`ConfigValue`](config::ConfigValue). A key or password is a [`Secret<String>`](wxbot_model::Secret),
/// which the file can only name: `{ env = "NAME" }` or `{ file = "path" }`.
///
/// ```compile_fail,E0277
/// # use wxbot_plugin::prelude::*;
/// #[derive(PluginConfig)]
/// struct Settings {
///     #[config(range = 1..=10)]
///     name: String, // `String` has no `range`
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use wxbot_plugin::prelude::*;
/// #[derive(PluginConfig)]
/// struct Settings {
///     started: std::sync::Arc<str>, // `Arc<str>` cannot be read from settings
/// }
/// ```
pub use wxbot_plugin_macros::PluginConfig;
/// Turns the methods of an impl block into handlers and writes [`Plugin`] for the type.
///
/// ```
/// use wxbot_plugin::prelude::*;
///
/// #[derive(Debug, Default)]
/// struct Weather;
///
/// /// 天气:问城市,答天气。
/// #[plugin(id = "weather")]
/// impl Weather {
///     /// 查天气
///     #[command("天气", alias = ["weather"], cooldown = "5s/user")]
///     async fn weather(
///         &self,
///         /// 城市
///         city: String,
///         days: Option<u8>,
///     ) -> Result<String, PluginError> {
///         Ok(format!("{city}: 晴, {} 天", days.unwrap_or(1)))
///     }
///
///     #[keyword(any = ["价格", "price"], at_me)]
///     fn price(&self, who: Sender) -> String {
///         format!("{who}: 免费")
///     }
///
///     #[regex(r"^订单\s*(?P<no>\d+)$")]
///     async fn order(&self, captures: Captures) -> Option<String> {
///         captures.get("no").map(|no| format!("订单 {no} 已发货"))
///     }
///
///     #[on(FriendRequest)]
///     fn asked(&self, request: &FriendRequest) -> Effects {
///         if request.suggested { Effects::none() } else { Effects::reply("hi") }
///     }
///
///     #[timer("remind")]
///     async fn remind(&self, due: Due<String>) -> String {
///         due.payload
///     }
///
///     #[cron("0 30 7 * * *", tz = "Asia/Shanghai", missed = Skip)]
///     async fn morning(&self, cx: &Ctx) -> Effects {
///         match cx.find_contacts("项目").into_iter().next() {
///             Some(room) => Effects::none().and_send(room.id, "早"),
///             None => Effects::none(),
///         }
///     }
/// }
/// ```
///
/// **Options** of the block, all optional: `id` (the crate's name without `wxbot-`), `about` (the first line of the block's
/// doc comment), `version` (the crate's), `config` (a [`PluginConfig`]; [`NoConfig`]), `needs` (capabilities;
/// `[Capability::SendText]`), `priority` (0), `wants_late`, `watches`.
///
/// **Methods of the trait** may stand in the block: `async fn init(config, cx: &InitCtx) -> Result<Self, PluginError>`, not
/// needed where the type has a [`Default`]; `async fn stop(&self)`; `fn plan(config: &…) -> Plan`;
/// `async fn guard(&self, event: &Event, cx: &Ctx) -> Result<Verdict, PluginError>`. All methods may be without `async`.
///
/// **Triggers.** A method with one of these is a handler; its doc comment is its help text.
///
/// | Attribute | Called for |
/// |---|---|
/// | `#[command("天气", alias = […])]` | a text that begins with the word, behind one of the account's prefixes; then white space or nothing. Of several commands the longest word wins |
/// | `#[keyword(any = […])]` | a text that holds one of the words |
/// | `#[regex("…")]` | a text that fits, in the syntax of the crate `regex` |
/// | `#[on(FriendRequest, …)]` | any [kind of event](wxbot_model::EventKind); `Message` is every message, our own too |
/// | `#[timer("name")]` | a timer that a handler [set](Effects::timer) under this name, or under `name:` and anything: several at once need several names |
/// | `#[schedule("name")]` | a time that [`plan`](Plugin::plan) makes of settings, under this name or `name:` and anything |
/// | `#[cron("0 30 7 * * *", tz = "…", missed = Skip)]` | the clock: second, minute, hour, day, month, weekday; `missed` is `Skip`, `Once` or `All`. There is no chat to reply in: [send](Effects::and_send) |
/// | `#[continues]` | the next messages of somebody whose [`Dialogue`] is open, before all others |
///
/// Commands, keywords and regexes hear only what a person types as plain text: no quotes, forwards or cards, nothing late,
/// nothing that our own account or an official account sent. A mention of ourselves at the beginning is skipped; capitals,
/// full-width and invisible characters make no difference for matching.
///
/// **Filters** behind the trigger: `only = group` or `private`; `at_me` (in rooms); `from = ["p12", "r3"]`; `allow = Role::Admin`;
/// `cooldown = "5s/user"`, `/chat` or `/all` (a handler that fails does not count); `priority = 3` (higher ones are asked
/// first, then as they stand in the source); `block` (nobody behind it sees an event that it took: `true` for commands
/// and `continues`). What a handler does not take goes to the next one, and `wxbot explain` shows why.
///
/// **Arguments** are [extractors](extract), **return values** whatever is [`IntoEffects`]. Words behind a command are split
/// at white space, `"…"` and `“…”` hold some together; when one is missing, too much, or no number where one is needed, the
/// person is told the usage.
///
/// What cannot work does not compile. A type that no event brings:
///
/// ```compile_fail,E0277
/// # use wxbot_plugin::prelude::*;
/// # #[derive(Default)] struct Weather;
/// #[plugin]
/// impl Weather {
///     #[command("天气")]
///     fn weather(&self, city: std::rc::Rc<str>) {} // a handler cannot take `Rc<str>`
/// }
/// ```
///
/// Settings of another type than the plugin's:
///
/// ```compile_fail,E0277
/// # use wxbot_plugin::prelude::*;
/// # #[derive(Default)] struct Weather;
/// #[plugin]
/// impl Weather {
///     #[command("天气")]
///     fn weather(&self, config: Config<String>) {} // `Config<T>` needs the `T` of `#[plugin(config = T)]`
/// }
/// ```
///
/// A word where none was typed, or behind one that may be left out:
///
/// ```compile_fail,E0080
/// # use wxbot_plugin::prelude::*;
/// # #[derive(Default)] struct Weather;
/// #[plugin]
/// impl Weather {
///     #[keyword("天气")]
///     fn weather(&self, city: String) {} // only a `#[command]` handler can take words
/// }
/// ```
///
/// ```compile_fail,E0080
/// # use wxbot_plugin::prelude::*;
/// # #[derive(Default)] struct Weather;
/// #[plugin]
/// impl Weather {
///     #[command("天气")]
///     fn weather(&self, days: Option<u8>, city: String) {} // … cannot follow one that may be left out
/// }
/// ```
///
/// An answer that is none, and a plugin that nothing makes:
///
/// ```compile_fail,E0277
/// # use wxbot_plugin::prelude::*;
/// # #[derive(Default)] struct Weather;
/// #[plugin]
/// impl Weather {
///     #[command("天气")]
///     fn weather(&self) -> u8 { 3 } // a handler cannot return `u8`
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use wxbot_plugin::prelude::*;
/// # struct Weather;
/// #[plugin]
/// impl Weather { // `Weather` can be made neither by `init` nor by default
///     #[command("天气")]
///     fn weather(&self) {}
/// }
/// ```
pub use wxbot_plugin_macros::plugin;
/// Makes a test of an `async fn` that takes a [`Kit`](testing::Kit): people, rooms and paused time, no network. An example
/// is in [`testing`].
///
/// `settings = json!({ … })` are the plugin's settings, none unless stated; `env = [("NAME", "value")]` is the environment
/// that they may name, which is empty unless stated. It needs the feature `testing` of this crate, best under
/// `[dev-dependencies]`.
pub use wxbot_plugin_macros::test;

/// What most plugins import.
pub mod prelude {
    pub use crate::{
        AtSender, Captures, ChatId, Config, ConfigProblem, ContactQuery, Ctx, Dialogue, Due, Effects, Feature,
        FileReply, FromArg, Image, InitCtx, IntoEffects, KvPage, Manifest, MediaError, MediaFile, MediaSource,
        NoConfig, Place, Plan, PlannedSchedule, Plugin, PluginConfig, PluginError, Receipt, Rest, Role, Roles, Room,
        Sender, Stored, Text, Verdict, plugin,
    };
    pub use wxbot_model::{
        Action, ActionKind, Capability, ChatKind, ContactId, Content, Event, EventKind, FileType, FriendRequest,
        MediaHandle, MediaShape, MembersJoined, Mentions, Message, Quote,
    };
}
