//! What do people live through who talk to an account with auto-reply? One module per part of the settings.
//!
//! People are `p101`, `p102`, … in the order they come up, rooms `r101`, …; time begins at 2026-01-01 00:00 UTC, a Thursday,
//! 08:00 in Shanghai.

#![expect(clippy::unwrap_used, reason = "helpers of tests; clippy.toml knows only the tests")]

mod answers;
mod away;
mod bad_input;
mod friends;
mod media;
mod rules;
mod tidy;
