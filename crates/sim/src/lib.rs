//! A simulated Web WeChat: the server side of the protocol, strict about what clients send.
//!
//! It shares no wire type with `wxbot-core`, so that a mistake is not made twice in the same way. [`Sim`] is reached
//! in memory through [`Sim::transport`] (and then follows a paused clock), or over HTTP through [`Sim::serve`].
//!
//! Where to read, in this order:
//!
//! | file | question |
//! |---|---|
//! | `world`, `error` | What exists before anyone logs in? What can an order be answered? |
//! | `account`, `names`, `log`, `session` | What does the service know about one account and its login? |
//! | `request`, `wire`, `server` | What is asked, and who answers it? |
//! | `login`, `start`, `contacts`, `sync`, `send` | The endpoints, in the order in which a client meets them |
//! | `shape`, `addmsg`, `text` | What do answers look like? |
//! | `check`, `fault`, `journal` | What did clients do wrong, what shall go wrong, what happened? |
//! | `phone`, `script`, `load` | What do people do: by order, by themselves, by the thousand? |
//! | `memory`, `http`, `control` | How requests come in |

mod account;
mod addmsg;
mod check;
mod contacts;
mod control;
mod error;
mod fault;
mod http;
mod journal;
mod load;
mod log;
mod login;
mod memory;
mod names;
mod phone;
mod request;
mod script;
mod send;
mod server;
mod session;
mod shape;
mod start;
mod sync;
mod text;
mod wire;
mod world;

pub use check::Violation;
pub use error::{SimError, WorldError};
pub use fault::{Fault, FaultKind};
pub use journal::{
    CallEntry, DeliveredEntry, Journal, LoginEntry, PeerEntry, RecallEntry, SendEntry, Summary, SyncEntry,
};
pub use load::{LoadPlan, LoadReport};
pub use phone::{Deliver, RoomChange};
pub use server::Sim;
pub use world::{AccountSpec, FriendSpec, RoomMet, RoomSpec, ScriptSpec, World};
