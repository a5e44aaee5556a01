//! What day and hour is it where the bot's people live, and is it within certain hours? Feature `local-time`.
//!
//! ```
//! use serde_json::json;
//! use wxbot_plugin::local::{Hours, Local, Zone};
//! use wxbot_plugin::prelude::*;
//!
//! #[derive(PluginConfig)]
//! struct Settings {
//!     /// Where the clock hangs.
//!     #[config(default)]
//!     tz: Zone,                            // "Asia/Shanghai" unless stated
//!     /// When somebody answers.
//!     open: Option<Hours>,
//! }
//!
//! let settings = json!({ "open": ["09:00-18:00 Mon-Fri", "10:00-12:00 Sat"] });
//! let Settings { tz, open } = Settings::read(&settings, &Place::default()).unwrap();
//! let now_ms = 1_767_225_600_000; // 2026-01-01 00:00 UTC, a Thursday
//! let local = Local::at(now_ms, &tz);
//! assert_eq!((local.date(), local.time()), ("2026-01-01".to_owned(), "08:00".to_owned()));
//! let open = open.unwrap();
//! assert!(!open.covers(now_ms, &tz) && open.covers(now_ms + 3_600_000, &tz));
//! ```
//!
//! Reading order: this file (places and moments) → [`hours`].

pub mod hours;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::config::ConfigProblem;
use crate::config::value::{At, ConfigValue};

pub use hours::{Hours, NoHours};

/// A time zone by its name, like `Europe/Berlin`. [`Default`] is `Asia/Shanghai`, the one clock of mainland China.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub(crate) TimeZone);

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone; they are named like `Asia/Shanghai`, `Europe/Berlin` or `UTC`")]
pub struct NoZone(String);

/// A moment on the clock of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Local {
    /// The year.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 1 Monday to 7 Sunday.
    pub weekday: u8,
    /// Days since 1970-01-01 on this clock: two moments of the same day have the same number, the next day has the next.
    pub day_number: i64,
}

impl Zone {
    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl Default for Zone {
    fn default() -> Self {
        // The database is compiled in; without it this is the same clock under no name.
        Self(TimeZone::get("Asia/Shanghai").unwrap_or_else(|_missing| TimeZone::fixed(jiff::tz::offset(8))))
    }
}

impl FromStr for Zone {
    type Err = NoZone;

    fn from_str(name: &str) -> Result<Self, NoZone> {
        TimeZone::get(name).map(Self).map_err(|_unknown| NoZone(name.to_owned()))
    }
}

impl ConfigValue for Zone {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1, "examples": ["Asia/Shanghai", "Europe/Berlin", "UTC"] })
    }

    fn want() -> String {
        "a time zone like \"Asia/Shanghai\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = value.as_str().ok_or_else(|| at.wants(&Self::want(), value))?;
        text.parse().map_err(|error| vec![at.problem(format!("{}: {error}", at.name()))])
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self.name()))
    }
}

impl Local {
    /// The moment on the clock of `zone`. Beyond the years −9999 to 9999 it is the last one before.
    pub fn at(now_ms: i64, zone: &Zone) -> Self {
        let zoned = timestamp(now_ms).to_zoned(zone.0.clone());
        let days = Date::constant(1970, 1, 1).until(zoned.date());
        Self {
            year: zoned.year(),
            month: part(zoned.month()),
            day: part(zoned.day()),
            hour: part(zoned.hour()),
            minute: part(zoned.minute()),
            weekday: part(zoned.weekday().to_monday_one_offset()),
            day_number: days.map_or(0, |span| i64::from(span.get_days())),
        }
    }

    /// `2026-01-01`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `08:00`.
    pub fn time(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// `Mon`, …, `Sun`.
    pub fn weekday_name(&self) -> &'static str {
        hours::DAYS.get(usize::from(self.weekday.saturating_sub(1))).copied().unwrap_or("Mon")
    }

    /// Minutes since midnight.
    pub fn minute_of_day(&self) -> u16 {
        u16::from(self.hour) * 60 + u16::from(self.minute)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.date(), self.time())
    }
}

pub(crate) fn timestamp(now_ms: i64) -> Timestamp {
    let limit = if now_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(now_ms).unwrap_or(limit)
}

/// Parts of dates and times are small and not negative.
fn part(number: i8) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clocks_of_places() {
        for (zone, now_ms, want, day) in [
            ("Asia/Shanghai", 0, "1970-01-01 08:00 Thu", 0),
            ("Asia/Shanghai", -1, "1970-01-01 07:59 Thu", 0),
            ("Asia/Shanghai", -28_800_001, "1969-12-31 23:59 Wed", -1),
            ("Asia/Shanghai", 1_709_135_999_999, "2024-02-28 23:59 Wed", 19_781),
            ("Asia/Shanghai", 1_709_136_000_000, "2024-02-29 00:00 Thu", 19_782),
            ("UTC", 1_709_136_000_000, "2024-02-28 16:00 Wed", 19_781),
            // 2026-03-29 01:00 UTC: clocks in Berlin go from 02:00 to 03:00.
            ("Europe/Berlin", 1_774_745_999_999, "2026-03-29 01:59 Sun", 20_541),
            ("Europe/Berlin", 1_774_746_000_000, "2026-03-29 03:00 Sun", 20_541),
        ] {
            let local = Local::at(now_ms, &zone.parse().unwrap());
            assert_eq!(format!("{local} {}", local.weekday_name()), want, "{zone} {now_ms}");
            assert_eq!(local.day_number, day, "{zone} {now_ms}");
        }
        assert_eq!(Zone::default().name(), "Asia/Shanghai");
        assert_eq!(
            "Mars/Base".parse::<Zone>().unwrap_err().to_string().split(';').next(),
            Some("`Mars/Base` is no time zone")
        );
    }

    proptest! {
        #[test]
        fn any_moment_has_a_clock(now_ms: i64) {
            let local = Local::at(now_ms, &Zone::default());
            prop_assert!((1..=7).contains(&local.weekday) && local.hour < 24 && local.minute < 60);
            prop_assert_eq!(local.time().len(), 5);
        }

        #[test]
        fn days_are_numbered_without_gaps(day in -100_000i64..100_000) {
            let at = |day: i64| Local::at(day * 86_400_000, &Zone::default());
            prop_assert_eq!(at(day).day_number + 1, at(day + 1).day_number);
            prop_assert_eq!(i64::from(at(day).weekday), (at(day).day_number + 3).rem_euclid(7) + 1);
        }
    }
}
