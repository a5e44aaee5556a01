//! What breaks around a wxbot under load: the disk, the network, the session, its plugins. Is anything lost, or sent
//! twice, or out of order? The real binary, a simulator beside it, and a count in the simulator's journal.
//!
//! - `books`: who wrote what to whom, and what the journal and the counts must say of it
//! - `disk`: full, limited, held by somebody else
//! - `pushed`: the same for an account that is pushed to
//! - `network`: connections that are cut, answers that are none, codes that nobody knows, sessions that end
//! - `plugins`: one that hangs, one that panics, one that never lets go, beside one that answers
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests fail like tests")]

#[path = "../support/mod.rs"]
mod support;

mod books;
mod disk;
mod network;
mod plugins;
mod pushed;
