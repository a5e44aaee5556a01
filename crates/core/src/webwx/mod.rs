//! Web WeChat: QR login, long-poll sync, sending.
//!
//! Reading order: [`endpoint`] where each thing is asked → [`wire`] what the server says and what we send → [`ret`] its
//! codes → [`login`] the login machine → [`sync`] the keys of the loop and `poll` what a poll means for it → [`convert`] wire ⇄ model → [`book`] the contacts of
//! this login → `client` the driver that performs requests, with `calls` what sends and changes, `upload` (`uploaded` what
//! is there already) and `download` (`body` what comes) where bytes go and come from, `outcome` what a failure means → `session` polls, and
//! `sender` does actions, with `circle` those about friends and rooms; `saved` what is kept of a session → [`account`] what
//! the runtime sees. Protocol facts: `docs/protocol/webwx.md`.

pub mod account;
mod body;
pub mod book;
mod calls;
mod circle;
pub mod client;
pub mod convert;
mod download;
pub mod endpoint;
pub mod login;
mod outcome;
mod poll;
pub mod ret;
mod saved;
mod sender;
mod session;
pub mod sync;
#[cfg(test)]
mod testing;
mod upload;
mod uploaded;
pub mod wire;

pub use account::{Settings, WebWx, capabilities};
#[cfg(test)]
use wire::testdata;
