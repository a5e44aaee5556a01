//! Web WeChat: QR login, long-poll sync, sending.
//!
//! Reading order: [`endpoint`] where each thing is asked → [`wire`] what the server says and what we send → [`ret`] its
//! codes → [`login`] the login machine → [`sync`] the keys of the loop and `poll` what a poll means for it → [`xml`] and
//! [`text`] what messages are made of, [`username`] what an id tells → [`convert`] wire ⇄ model → [`book`] the contacts of
//! this login → `client` the driver that performs requests → `session` polls and `sender` sends, with `saved` what is
//! kept of them → [`account`] what the runtime sees. Protocol facts: `docs/protocol/webwx.md`.

pub mod account;
pub mod book;
pub mod client;
pub mod convert;
pub mod endpoint;
pub mod login;
mod poll;
pub mod ret;
mod saved;
mod sender;
mod session;
pub mod sync;
pub mod text;
pub mod username;
pub mod wire;
pub mod xml;

pub use account::{Settings, WebWx, capabilities};
