//! Web WeChat: QR login, long-poll sync, sending.
//!
//! Reading order: [`endpoint`] where each thing is asked → [`wire`] what the server says and what we send → [`ret`] its
//! codes → [`login`] the login machine → [`sync`] the keys and the loop's rules → [`xml`] message bodies → [`convert`]
//! wire ⇄ model → [`book`] the contacts of this login → [`client`] the driver that performs requests → [`account`] what
//! the runtime sees. Protocol facts: `docs/protocol/webwx.md`.

pub mod account;
pub mod book;
pub mod client;
pub mod convert;
pub mod endpoint;
pub mod login;
pub mod ret;
pub mod sync;
pub mod username;
pub mod wire;
pub mod xml;

pub use account::{Settings, WebWx, capabilities};
