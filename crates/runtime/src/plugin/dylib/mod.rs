//! How does wxbot run a plugin from a file? It loads the library once, makes instances, and talks to them in bytes.
//!
//! Reading order: `refusal` why a file is not loaded → `elf` is it a whole library for this machine → `image` which bytes
//! and which hash → `load` opening, the table, and which libraries this process has → `aside` work that may hang →
//! `host` what an instance can ask → `instance` making one, calling it, ending it.
//!
//! A library is never unloaded: its threads and thread-locals may outlive whatever we know of it. Equal content is opened
//! once, so memory grows only with distinct builds.
#![expect(unsafe_code, reason = "one of the two places where memory of another library is touched")]

mod aside;
mod elf;
mod host;
mod image;
mod instance;
mod load;
mod refusal;

pub use host::HostCalls;
pub use image::Sha256;
pub use instance::{CallError, CreateError, Instance, Patience, Retired, Tally};
pub use load::{LibraryStats, LoadOptions, LoadedLibrary, library_stats, load};
pub use refusal::{LoadError, Refusal};
