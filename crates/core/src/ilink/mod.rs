//! iLink, the official bots of personal WeChat ("ClawBot"): QR login, long poll, one item per message.
//!
//! Reading order: [`headers`] what every request says about us → [`endpoint`] where each thing is asked → [`wire`] what the
//! service says and what we say → [`ret`] its codes → [`quote`] which part of a message a quote means → `saved` what is kept
//! of a session → `client` the driver that performs bot calls → `convert` wire → model → `poll` when the next poll is due →
//! `login` the login machine → `session` polls → [`crypt`] how bytes are sealed → `upload` and `download` how they get to the
//! CDN and back → `silk` how long speech lasts → `typing` that an answer is being written → `sender` does actions →
//! [`account`] what the runtime sees. Protocol facts: `docs/protocol/ilink.md`.

pub mod account;
mod client;
mod convert;
pub mod crypt;
mod download;
pub mod endpoint;
pub mod headers;
mod login;
mod poll;
pub mod quote;
pub mod ret;
mod saved;
mod sender;
mod session;
mod silk;
#[cfg(test)]
mod testing;
mod typing;
mod upload;
pub mod wire;

pub use account::{ILink, Settings, capabilities};

use wxbot_model::PeerId;

use crate::error::Error;
use crate::protocol::Incoming;
use crate::transport::HttpResponse;

/// What answers of `getupdates` tell, one after another, a bot that remembers nothing at first. For whoever checks that any
/// bytes are read; a session does the same.
///
/// # Errors
/// Of the first answer that cannot be read.
pub fn told(answers: &[HttpResponse], me: &PeerId, now_ms: i64) -> Result<Vec<Incoming>, Error> {
    let (mut memory, mut events) = (saved::Memory::default(), Vec::new());
    for answer in answers {
        let updates: wire::answer::Updates = wire::read(&endpoint::GETUPDATES, answer)?;
        for (position, raw) in updates.msgs.iter().enumerate() {
            events.extend(convert::message(raw, convert::Scene { me, now_ms, position }, &mut memory));
        }
    }
    Ok(events)
}

#[cfg(test)]
pub(crate) mod testdata {
    //! Fixtures of `tests/fixtures/ilink`.

    use serde_json::Value;

    /// A fixture as it is.
    pub(crate) fn text(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/ilink/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A fixture as JSON.
    pub(crate) fn fixture(name: &str) -> Value {
        serde_json::from_str(&text(name)).unwrap()
    }
}
