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
//! | `login`, `start`, `contacts`, `sync` | The endpoints, in the order in which a client meets them |
//! | `send`, `parcel`, `appmsg`, `relay` | What is said, what is wrong with it, who hears it? |
//! | `multipart`, `upload`, `media`, `download`, `avatar`, `made` | How do bytes come in and go out? |
//! | `friends`, `rooms`, `roomlife`, `oplog`, `systext` | How do people and rooms change, and what is told? |
//! | `shape`, `addmsg`, `mold`, `text` | What do answers look like? |
//! | `check`, `fault`, `journal` | What did clients do wrong, what shall go wrong, what happened? |
//! | `phone`, `said`, `script`, `chatter`, `load` | What do people do: by order, by themselves, by the thousand? |
//! | `memory`, `http`, `control` | How requests come in |
//! | `service`, `hook`, `wecom`, `ilink` | Other ways into WeChat, each a service of its own |

mod account;
mod addmsg;
mod appmsg;
mod avatar;
mod chatter;
mod check;
mod contacts;
mod control;
mod download;
mod error;
mod fault;
mod friends;
mod hook;
mod http;
mod ilink;
mod journal;
mod load;
mod log;
mod login;
mod made;
mod media;
mod memory;
mod mold;
mod multipart;
mod names;
mod oplog;
mod parcel;
mod phone;
mod relay;
mod request;
mod roomlife;
mod rooms;
mod said;
mod script;
mod send;
mod server;
mod service;
mod session;
mod shape;
mod start;
mod sync;
mod systext;
mod text;
mod upload;
mod wecom;
mod wire;
mod world;

pub use account::Marks;
pub use chatter::{Chatter, ChatterReport};
pub use check::Violation;
pub use error::{SimError, WorldError};
pub use fault::{Fault, FaultKind};
pub use friends::Rejection;
pub use hook::{HookProfile, HookRoomChange, HookSay, HookSetup, HookSim, HookYes, PushMode, Sloppy};
pub use ilink::{
    IlinkAsked, IlinkDeath, IlinkDownload, IlinkFile, IlinkJournal, IlinkKey, IlinkLogin, IlinkMessage, IlinkOutcome,
    IlinkPresence, IlinkQuote, IlinkQuoteForm, IlinkRefusal, IlinkSay, IlinkSend, IlinkSetup, IlinkSim, IlinkTold,
    IlinkTyping, IlinkUpload, IlinkYes, UploadUrls,
};
pub use journal::{
    CallEntry, DeliveredEntry, Journal, LoginEntry, PeerEntry, RecallEntry, RoomCallEntry, SendEntry, SentMedia,
    Summary, SyncEntry, UploadEntry, VerifyEntry,
};
pub use load::{LoadPlan, LoadReport};
pub use phone::Deliver;
pub use roomlife::RoomChange;
pub use said::{Said, VoipPhase, hostile_file_names};
pub use server::Sim;
pub use service::book::{AskedEntry, HeardEntry, HeardMedia, PushEntry, ServiceJournal};
pub use service::outbox::{PushFault, PushFaultKind};
pub use service::running::Running;
pub use wecom::{Envelope, Notice, WecomApp, WecomRoomChange, WecomSay, WecomSetup, WecomSim};
pub use world::{AccountSpec, FriendSpec, Lang, RoomMet, RoomSpec, ScriptSpec, World};
