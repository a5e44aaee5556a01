//! How does wxbot run a plugin from a file? It loads the library once, makes instances, and talks to them in bytes.
//!
//! Reading order: `refusal` why a file is not loaded → `elf` is it a whole library for this machine → `image` which bytes
//! and which hash → `load` opening, the table, and which libraries this process has → `aside` work that may hang →
//! `host` what an instance can ask → `instance` making one, calling it, ending it. Up to here all is bytes. Then `kind` a
//! library as a plugin beside those that are linked, `remote` its instances, `bridge` its questions.
//!
//! A library is never unloaded: its threads and thread-locals may outlive whatever we know of it. Equal content is opened
//! once, so memory grows only with distinct builds.
#![expect(unsafe_code, reason = "one of the two places where memory of another library is touched")]

mod aside;
mod bridge;
mod elf;
mod host;
mod image;
mod instance;
mod kind;
mod load;
mod refusal;
mod remote;

pub use host::HostCalls;
pub use image::{NotASha256, Sha256};
pub use instance::{CallError, CreateError, Instance, Patience, Retired, Tally};
pub use kind::{Dylib, Shelf};
pub use load::{LibraryStats, LoadOptions, LoadedLibrary, library_stats, load, load_waiting};
pub use refusal::{LoadError, Refusal};
