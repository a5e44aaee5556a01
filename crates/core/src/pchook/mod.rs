//! PC hook: what a hook inside the Windows client pushes to us.
//!
//! Reading order: [`wire`] what a push looks like → [`path`] how it names files → `waiting` own messages that wait for
//! their acknowledgement and `seen` media that wait for their bytes → [`convert`] wire → model → [`reader`] one body
//! after another. The other way: `door` who may push → [`account`] what the runtime sees → `control` what the hook is told
//! and asked → `people` → `sender`.

pub mod account;
mod control;
pub mod convert;
mod door;
pub mod path;
mod people;
pub mod reader;
mod seen;
mod sender;
mod waiting;
pub mod wire;

pub use account::{AccountSettings, PcHook, capabilities};
pub use control::Callback;
pub use door::HookDoor;
pub use reader::{Instance, Reader, Settings, instance};

#[cfg(test)]
pub(crate) mod testdata {
    //! Fixtures of `tests/fixtures/pc-hook`.

    /// A fixture as it is.
    pub(crate) fn fixture(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/pc-hook/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A fixture as JSON, to change it.
    pub(crate) fn fixture_json(name: &str) -> serde_json::Value {
        serde_json::from_str(&fixture(name)).unwrap()
    }
}
