//! Does the boundary to loaded libraries hold? Against a library that does as it is told, and one written in C.
//!
//! `making` builds them, `host` is the host they talk to; then `calls` what comes back, `storm` how often, `faults` what
//! a bad plugin can do to others, `refusals` which files are not loaded, `reload` what many loads cost, `kinds`
//! whether a loaded plugin behaves as a linked one, `other_tools` other compilers, and `figures` how fast it is.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod calls;
mod faults;
mod figures;
mod host;
mod kinds;
mod making;
mod other_tools;
mod refusals;
mod reload;
mod storm;

#[path = "../../../../tests/support/skip.rs"]
mod skip;
