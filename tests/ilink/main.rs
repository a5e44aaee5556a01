//! Does wxbot on iLink do what the guide and the table of the protocol say, from the first scan on?
//!
//! - `town`: a simulated iLink in this process, and one wxbot as a process
//! - `login`: the person at the phone and the one at the terminal
//! - `talk`: what comes in and what goes out
//! - `limits`: the window, the quota, long texts, a token that is dead
//! - `crash`: kill -9, and the service's repeats
//! - `secret`: tokens in what is written
//! - `check`: what `wxbot check` says
//! - `table`: whether the table of what works names tests that exist
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests fail like tests")]

mod check;
mod crash;
mod limits;
mod login;
mod secret;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod talk;
mod town;
