//! Which moment does somebody mean, and how is one shown? In the time zone of this machine.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use wxbot_model::span::parse_duration;

/// A moment as it is typed: `2026-01-31`, `2026-01-31 08:00`, or how long ago: `7d`. Milliseconds since 1970.
pub(crate) fn parse(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(ago) = parse_duration(text) {
        return Ok(now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
    }
    let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    let zoned = local.and_then(|local| local.to_zoned(TimeZone::system()));
    let zoned = zoned.map_err(|_ignored| {
        format!("`{text}` is no moment; write 2026-01-31, \"2026-01-31 08:00\", or 7d for seven days ago")
    })?;
    Ok(zoned.timestamp().as_millisecond())
}

/// `2026-01-31 08:00:00`.
pub(crate) fn show(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        // Beyond all calendars: somebody's clock.
        Err(_) => at_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_shown() {
        let day = parse("2026-01-31", 0).unwrap();
        assert_eq!(show(day), "2026-01-31 00:00:00");
        assert_eq!(show(parse("2026-01-31 08:30", 0).unwrap()), "2026-01-31 08:30:00");
        assert_eq!(parse("2d", 200_000_000).unwrap(), 200_000_000 - 2 * 86_400_000);
        for wrong in ["", "yesterday", "2026-13-01", "31.1.2026"] {
            assert!(parse(wrong, 0).unwrap_err().contains("7d"), "{wrong}");
        }
        assert_eq!(show(i64::MAX), i64::MAX.to_string());
    }
}
