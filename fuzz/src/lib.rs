//! Does every parser of wxbot take any bytes? Fuzz targets (security R10), and what drives them without a nightly toolchain.
//!
//! Reading order: [`targets`] one function per family of parsers → [`judge`] what one input may cost → [`mutate`] how new
//! inputs are made of old ones → [`corpus`] where they begin → [`hunt`] one worker → [`crew`] all of them, on every core.
//! Why it is made so: `docs/adr/0031-fuzzing-on-stable.md`.

#![expect(clippy::disallowed_types, reason = "real time: what a parser costs is what is measured")]

pub mod corpus;
pub mod crew;
pub mod hunt;
pub mod judge;
pub mod mutate;
pub mod targets;

pub use targets::{TARGETS, Target};
