//! Why is a file not loaded as a plugin, and what helps?

use std::path::PathBuf;
use std::time::Duration;

use super::image::Sha256;

/// A file that was not loaded. Whatever ran before runs on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not loaded: {refusal}", path.display())]
pub struct LoadError {
    /// The file as it was named.
    pub path: PathBuf,
    /// Why not.
    pub refusal: Refusal,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not there, or may not be read; or its private copy cannot be written.
    #[error("{what}: {why}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: String,
    },
    /// A folder, a pipe, a device.
    #[error("it is no regular file")]
    NotAFile,
    /// Larger than a plugin may be.
    #[error("it has more than {most} bytes")]
    TooLarge {
        /// The limit.
        most: u64,
    },
    /// Not the build that was pinned. It was not opened.
    #[error("its SHA-256 is {found}, but {pinned} is pinned")]
    WrongHash {
        /// What is pinned.
        pinned: Sha256,
        /// What it has.
        found: Sha256,
    },
    /// Something else than a shared library.
    #[error("it is no shared library: {why}")]
    NotALibrary {
        /// How one can tell.
        why: &'static str,
    },
    /// Its end is missing.
    #[error("it is cut off: {have} bytes are there, and it speaks of {want}")]
    HalfWritten {
        /// How many there are.
        have: u64,
        /// How many there should be.
        want: u64,
    },
    /// A library for another processor.
    #[error("it was built for another machine than this one ({ours})")]
    OtherMachine {
        /// The processor here.
        ours: &'static str,
    },
    /// The system's loader did not take it.
    #[error("the system cannot open it: {why}")]
    NotOpened {
        /// What the loader said.
        why: String,
    },
    /// A library, but not a plugin.
    #[error("it does not export `wxbot_plugin_entry_v1`")]
    NoSymbol,
    /// A plugin for another wxbot.
    #[error("it speaks version {major} of the plugin interface, and this wxbot speaks version 1")]
    OtherMajor {
        /// Its version.
        major: u32,
    },
    /// The symbol is there, but behind it is something else.
    #[error("its table does not begin like the table of a plugin")]
    BadMagic,
    /// The table ends before its last function.
    #[error("its table has {size} bytes, and version 1 has at least {least}")]
    ShortTable {
        /// What it says.
        size: u32,
        /// What it should be.
        least: u32,
    },
    /// A function of the table is null.
    #[error("its table has no `{name}`")]
    NoFunction {
        /// Which.
        name: &'static str,
    },
    /// The manifest cannot be had or read.
    #[error("its manifest cannot be read: {why}")]
    BadManifest {
        /// Why.
        why: String,
    },
    /// A panic in it would end wxbot.
    #[error("it was built with `panic = \"abort\"`")]
    PanicAborts,
    /// It hangs.
    #[error("it could not be opened within {after:?}; a thread of wxbot is stuck in it")]
    TooSlow {
        /// How long was waited.
        after: Duration,
    },
}

impl Refusal {
    /// What to do about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::NotAFile => "check the path, and that wxbot may read it",
            Self::TooLarge { .. } => "build with `wxbot plugin build`, which leaves debug information out",
            Self::WrongHash { .. } => {
                "if you replaced the plugin yourself, write the new hash; if not, find out who did"
            }
            Self::NotALibrary { .. } => "name the file that `wxbot plugin build` made (`.so`, `.dylib` or `.dll`)",
            Self::HalfWritten { .. } => "copy it again, under another name, and rename it when it is complete",
            Self::OtherMachine { .. } => "build it on a machine like this one",
            Self::NotOpened { .. } => "build it on a system like this one, and let wxbot's data folder hold programs",
            Self::NoSymbol => {
                "was it built with `wxbot plugin build`? It calls `export_plugin!` and has the feature `dylib`"
            }
            Self::OtherMajor { .. } => "use the plugin and the wxbot that belong together",
            Self::BadMagic | Self::ShortTable { .. } | Self::NoFunction { .. } => {
                "build it again with the SDK or the C header of this wxbot"
            }
            Self::BadManifest { .. } => "ask the plugin's author; `wxbot plugin build` shows the same",
            Self::PanicAborts => "take `panic = \"abort\"` out of the plugin's profile; `wxbot plugin build` does",
            Self::TooSlow { .. } => "ask the plugin's author what runs while it is loaded, and start wxbot anew",
        }
    }
}
