//! WeCom (Enterprise WeChat): what a gateway, or the service itself, pushes to us.
//!
//! Two ways in. A client gateway posts plain JSON: [`wire`] what it says → [`extension`] the same once more as protobuf →
//! [`convert`] wire → model → [`reader`] one body after another. The service itself posts sealed bodies: [`crypt`] opens
//! and seals them, [`replay`] knows those that came before, [`callback`] reads what is in them (XML for applications,
//! JSON for smart robots).
//!
//! Accounts: [`door`] who may push → [`account`] one behind a gateway, with [`people`] whom it knows → [`official`] what the
//! service's own accounts share → [`robot`] a group robot, [`app`] an application, [`aibot`] a smart robot.

pub mod account;
pub mod aibot;
pub mod app;
pub mod callback;
pub mod convert;
pub mod crypt;
pub mod door;
pub mod endpoint;
pub mod extension;
pub mod official;
pub mod people;
pub mod reader;
pub mod replay;
pub mod robot;
pub mod wire;

pub use account::{Gateway, GatewaySettings, capabilities};
pub use aibot::{SmartRobot, SmartRobotSettings};
pub use app::{Application, ApplicationSettings};
pub use callback::{Callback, Opened, ReplyTo};
pub use crypt::{CallbackError, KeyError, Keys, Query, Sealed};
pub use door::Tokens;
pub use people::Unnamed;
pub use reader::{Reader, Settings, token};
pub use replay::Replays;
pub use robot::{GroupRobot, GroupRobotSettings};

#[cfg(test)]
pub(crate) mod testdata {
    //! Fixtures of `tests/fixtures/wecom`.

    /// A fixture as it is.
    pub(crate) fn fixture(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/wecom/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A fixture as JSON, to change it.
    pub(crate) fn fixture_json(name: &str) -> serde_json::Value {
        serde_json::from_str(&fixture(name)).unwrap()
    }
}
