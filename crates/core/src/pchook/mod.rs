//! PC hook: what a hook inside the Windows client pushes to us.
//!
//! Reading order: [`wire`] what a push looks like → [`path`] how it names files → `waiting` own messages that wait for
//! their acknowledgement and `seen` media that wait for their bytes → [`convert`] wire → model → [`reader`] one body
//! after another.

pub mod convert;
pub mod path;
pub mod reader;
mod seen;
mod waiting;
pub mod wire;

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
