//! How does a test say that it was skipped, and why?
//!
//! Test runners swallow the output of tests that pass, so the reason goes to the file named by `WXBOT_SKIP_LOG`;
//! `cargo xtask test` prints that file at the end.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// The variable with the file's name.
pub(crate) const LOG_VARIABLE: &str = "WXBOT_SKIP_LOG";

/// Notes that `test` did not check anything. The test then returns.
pub(crate) fn note(test: &str, reason: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os(LOG_VARIABLE) else { return Ok(()) };
    let mut log = OpenOptions::new().create(true).append(true).open(path)?;
    // One write, so that lines of tests that run side by side do not mix.
    log.write_all(format!("{test}: {reason}\n").as_bytes())
}
