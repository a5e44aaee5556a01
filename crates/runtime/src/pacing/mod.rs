//! How fast does an account send, and what does it not send at all? The rules, without any store.
//!
//! [`bucket`] one pace as one number → [`manners`] the other rules of an account → [`window`] whether a service lets a chat be
//! written to → [`rules`] what of it holds at this moment → `now` where an account asks for it: before a claim, for `cx.budget()`, and for `wxbot accounts`. Judged and
//! paid is in one place, `store/sqlite/toll.rs`, whichever way a send takes
//! ([ADR 0030](../../../../docs/adr/0030-one-toll-for-every-way-out.md)).

pub mod bucket;
pub mod manners;
pub(crate) mod now;
pub mod rules;
pub mod window;

pub use bucket::{Bucket, Pace};
pub use manners::{Kinds, Manners, OnRepeat, OnSameText, Pushes, Repeat, SameText, WarmUp};
pub use now::{Slowed, SlowedBy};
pub use rules::{QuietNow, Rules};

use wxbot_model::ActionKind;

/// The scope of the account's own bucket.
pub(crate) const OF_ACCOUNT: &str = "";
/// The scope of the gap behind the last send. Conversations have their ids as scopes, and no id begins so.
pub(crate) const GAP: &str = "~gap";
/// The scope that keeps when the last login was.
pub(crate) const LOGIN: &str = "~login";

/// The scope of a kind of actions.
pub(crate) fn of_kind(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Text => "~text",
        ActionKind::Media => "~media",
        ActionKind::FriendRequest => "~friend_request",
        ActionKind::FriendAccept => "~friend_accept",
        ActionKind::RoomChange => "~room_change",
        ActionKind::Recall => "~recall",
        ActionKind::Other | _ => "~other",
    }
}
