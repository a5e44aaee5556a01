//! How is read what others write carelessly? Shared by all protocols: total, linear, bounded (security R08–R10).
//!
//! Reading order: [`json`] strict first, repaired second → [`scalar`] numbers and texts in it → [`hex`] →
//! [`protobuf`] without a schema → [`time`] as Windows writes it → [`hash_key`] what has no id of its own.
//! XML is read in [`crate::said::xml`].

mod hash;
pub mod hex;
pub mod json;
pub mod protobuf;
pub mod scalar;
pub mod time;

pub use hash::hash_key;
