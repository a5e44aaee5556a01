//! How does code without a runtime wait for a condition instead of for a while?

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "no runtime here: real processes, real time")]

use std::io;
use std::time::{Duration, Instant};

/// First pause between two looks; it doubles up to [`LONGEST_PAUSE`], so that quick answers are seen at once and slow
/// ones do not cost a core.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Asks `look` until it gives something; fails after `limit`, naming what was waited for and the last error of `look`.
///
/// An error of `look` counts as "not yet": processes that are being started refuse connections for a moment.
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    let ends = Instant::now() + limit;
    let mut pause_for = FIRST_PAUSE;
    loop {
        let last = match look() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) => format!(" (last error: {error})"),
        };
        if Instant::now() >= ends {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("not within {limit:?}: {what}{last}")));
        }
        pause(pause_for);
        pause_for = (pause_for * 2).min(LONGEST_PAUSE);
    }
}

/// Lets time pass where the time itself is meant: the moment of a kill, the pace of a feeder.
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
