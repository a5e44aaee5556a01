//! What time is it, in the zone that these services write?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The Windows machines of the samples stand in UTC+8.
const ZONE_S: i64 = 8 * 3_600;
const DAY_S: i64 = 86_400;

/// Wall time that follows tokio's clock, so that it stands still and jumps as a paused test does.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_since_1970: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let start_since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_since_1970 }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        let now = self.start_since_1970 + self.start.elapsed();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}

/// `YYYY-MM-DD HH:MM:SS` in UTC+8.
pub(crate) fn local_time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX - ZONE_S) + ZONE_S;
    let (day, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// The date of a day since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::local_time;

    #[test]
    fn times_are_those_of_the_machine() {
        for (seconds, want) in [
            // clientmsgid of recv-voice.json, and the second it was made.
            (1_677_993_542, "2023-03-05 13:19:02"),
            (0, "1970-01-01 08:00:00"),
            (1_709_135_999, "2024-02-28 23:59:59"),
            (1_709_136_000, "2024-02-29 00:00:00"),
            (1_735_660_800, "2025-01-01 00:00:00"),
        ] {
            assert_eq!(local_time(seconds * 1_000), want);
        }
    }
}
