//! The words that every part of wxbot uses: ids, contacts, messages, events, actions, capabilities, secrets.
//!
//! Reading order: [`id`] → [`contact`] with [`members`] and [`name`] → [`message`] with
//! [`content`] → [`event`] with [`notice`] → [`action`] with [`action_kind`], [`media`], [`file_type`] and
//! [`file_name`] → [`capability`] → [`secret`] → [`span`] and [`size`].
//! Nothing here does I/O or knows a protocol; wire shapes live in `wxbot-core`.

pub mod action;
pub mod action_kind;
pub mod capability;
pub mod contact;
pub mod content;
pub mod event;
pub mod file_name;
pub mod file_type;
pub mod id;
pub mod media;
pub mod members;
pub mod message;
pub mod name;
pub mod notice;
pub mod secret;
pub mod size;
pub mod span;

pub use action::{Action, Stranger};
pub use action_kind::ActionKind;
pub use capability::{Capabilities, Capability};
pub use contact::{Contact, ContactKind, Member, Sex};
pub use content::{
    App, Call, CallState, Card, ChatRecord, Direction, File, Gesture, Link, LiveShare, Location, MiniProgram, Music,
    Point, Quote, Quoted, RecordItem, RoomInvitation, Transfer, TransferStage,
};
pub use event::{Chat, ChatKind, Event, EventKind, Person};
pub use file_type::FileType;
pub use id::{AccountName, ClientMsgId, ContactId, EventKey, IdError, MediaDigest, MsgId, PeerId};
pub use media::{Media, MediaShape, StoredMedia};
pub use members::{MEMBERS_KEPT, Members, Shelf};
pub use message::{Content, MediaHandle, MediaKind, Mentions, Message};
pub use name::Name;
pub use notice::{FriendRequest, JoinedBy, MembersJoined, Noticed, Ticket, Who};
pub use secret::Secret;
