//! How is a service asked that does what a table says? The sending half of the PC hook and of WeCom gateways.
//!
//! Reading order: [`value`] what is filled in → `filter` and `template` how → `names` which actions and names there are →
//! `action` one mapping → `read` out of `bot.toml`, mistakes and all → [`map`] all of an account → [`profile`] those that
//! wxbot brings along → `request` and `answer` both sides of one call → [`engine`] that makes it → [`way`] where the
//! service finds our files → [`call`] what may be asked → [`outgoing`] a bot's action as calls.

mod action;
mod answer;
pub mod call;
pub mod engine;
mod filter;
pub mod map;
mod names;
pub mod outgoing;
pub mod profile;
mod read;
mod request;
mod template;
#[cfg(test)]
pub(crate) mod testing;
pub mod value;
pub mod way;

pub use call::{Call, NotOneQuestion};
pub use engine::{Engine, EngineSettings, Performed};
pub use map::{ActionMap, Availability, actions_of};
pub use outgoing::{Dialect, FriendTicket, MappedSender, NameOf};
pub use profile::Profile;
pub use read::{Headers, Problem};
pub use value::{Datum, Values};
pub use way::{MediaWay, PathPair, Placed, Served};
