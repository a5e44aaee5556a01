//! Which moment does a person mean, and how is one told? `2026-12-01 09:00` on the clock of a place.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Disambiguation, TimeZone};
use wxbot_model::span::parse_duration;

fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        Some(name) => TimeZone::get(name).map_err(|_unknown| {
            format!("`{name}` is no time zone; they are named like `Asia/Shanghai`, `Europe/Berlin` or `UTC`")
        }),
        None => Ok(TimeZone::system()),
    }
}

/// The moment that a text names, in milliseconds since 1970: `2026-12-01`, `2026-12-01 09:00`, `2026-12-01T09:00:00+08:00`.
/// Without an offset it is on the clock of this zone, else of the machine. One that the clock of the place leaves out is
/// an hour later; of one that it shows twice, it is the first.
///
/// # Errors
/// In words, when the text is none of these or the zone is unknown.
pub fn moment(text: &str, tz: Option<&str>) -> Result<i64, String> {
    let zone = zone(tz)?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let clock: DateTime = text.parse().map_err(|_ignored| {
        format!("`{text}` is no moment; write it like `2026-12-01 09:00` or `2026-12-01T09:00:00Z`")
    })?;
    let at = zone.into_ambiguous_zoned(clock).disambiguate(Disambiguation::Compatible);
    at.map(|at| at.timestamp().as_millisecond()).map_err(|error| format!("`{text}`: {error}"))
}

/// A moment that may also be said as how long ago it is: `2h`.
///
/// # Errors
/// As [`moment`].
pub fn moment_or_ago(text: &str, tz: Option<&str>, now_ms: i64) -> Result<i64, String> {
    let ago = |span: Duration| now_ms.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    parse_duration(text)
        .map(ago)
        .or_else(|_no_duration| moment(text, tz).map_err(|error| format!("{error}; or how long ago it is, like `2h`")))
}

/// A moment on the clock of this zone, else of the machine: `2026-12-01 09:00:00`.
pub fn shown(ms: i64, tz: Option<&str>) -> String {
    let (Ok(at), Ok(zone)) = (Timestamp::from_millisecond(ms), zone(tz)) else { return ms.to_string() };
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_people() {
        let china = Some("Asia/Shanghai");
        let nine = 1_796_086_800_000;
        for (text, tz, want) in [
            ("2026-12-01 09:00", china, nine),
            ("2026-12-01T09:00:00", china, nine),
            ("2026-12-01T09:00:00+08:00", Some("UTC"), nine),
            ("2026-12-01 01:00", Some("UTC"), nine),
            ("2026-12-01", china, nine - 9 * 3_600_000),
            // The clocks of Berlin leave this half hour out, and show the other one twice.
            ("2026-03-29 02:30", Some("Europe/Berlin"), 1_774_747_800_000),
            ("2026-10-25 02:30", Some("Europe/Berlin"), 1_792_888_200_000),
        ] {
            assert_eq!(moment(text, tz), Ok(want), "{text}");
        }
        assert_eq!(shown(nine, china), "2026-12-01 09:00:00");
        assert_eq!(moment_or_ago("2h", None, nine), Ok(nine - 7_200_000));
        for (text, tz, want) in [
            ("soon", china, "no moment"),
            ("2026-13-01", china, "no moment"),
            ("2026-12-01", Some("Mars"), "no time zone"),
        ] {
            assert!(moment(text, tz).unwrap_err().contains(want), "{text}");
        }
        assert!(moment_or_ago("soon", None, 0).unwrap_err().contains("2h"));
    }
}
