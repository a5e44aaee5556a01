//! What is left of the promises when the process ends where it hurts most? Black-box tests with the built binary.
//!
//! - `fail_points`: at each named point of a debug build, one after the other
//! - `power_loss`: with everything dropped that was written after the last fsync; `disk`: what that is
//! - `terminate`: by SIGTERM, under load
//! - `ledger`: the store, read from outside
//! - `kill`: by SIGKILL at random moments, under load; `steps`: between which two steps each of them fell
//! - `echo`: a town whose messages are echoed; `told`: words that each do something; both count what is wrong at the end
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]
#![expect(clippy::indexing_slicing, reason = "a wrong index in a model of a test is a failure of the test")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a soak found is for people to read")]

mod disk;
mod echo;
mod fail_points;
mod kill;
mod ledger;
mod power_loss;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod terminate;
mod told;
