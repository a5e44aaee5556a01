//! What do the black-box tests and `cargo xtask` share? Both drive the built binary from outside, without tokio.
//!
//! - `wait`: poll for a condition, with a deadline
//! - `http`: a blocking JSON client, enough for the simulator's control API
//! - `rig`: one simulator and one wxbot as processes, with their files in one folder
//! - `storm`: a thousand messages in one room, and what the others notice
//! - `wxbot`: the binary as a person calls it
//! - `terminal`: the same in a terminal of its own
//! - `fake_wechat`: a small Web WeChat inside a test, with keys that the test knows and answers that can be spoilt
//! - `pace`: whether what arrived kept to a pace
//! - `files`: the Rust sources of this repository; `listed`: the tests in them, by name
//! - `skip`: how a test says that it was skipped, and why
//!
//! `source` (the scanner of `tidy.rs`) lies beside them and is included by `tidy.rs` alone, `library` (a plugin as a file) by
//! tests that load one.

#![allow(dead_code, reason = "each test binary, and xtask, uses its own part of this folder")]

pub(crate) mod fake_wechat;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod listed;
pub(crate) mod pace;
pub(crate) mod rig;
pub(crate) mod skip;
pub(crate) mod storm;
pub(crate) mod terminal;
pub(crate) mod wait;
pub(crate) mod wxbot;
