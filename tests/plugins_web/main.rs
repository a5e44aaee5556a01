//! Do the three plugins do on Web WeChat what their pages promise? The real binary, the simulator over loopback, and
//! whole stories: who comes, who floods, who is removed, and who is let in again.
//!
//! - `town`: a simulated service, a wxbot on it, and the people who write
//! - `group`: what group-admin does in a room
//! - `words`: what keyword does with what is said
//! - `door`: what auto-reply says, and to whom it opens
//! - `storm`: a thousand messages in one room, and the others who wait for an answer
//! - `libraries`: the same plugins from files
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests fail like tests")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/library.rs"]
mod library;

mod door;
mod group;
mod libraries;
mod storm;
mod town;
mod words;
