//! Durations and rates as people write them in `bot.toml`: `"15s"`, `"800ms"`, `"20/min"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is no duration or rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpanError(String);

impl SpanError {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

/// Reads `"15s"`, `"800ms"`, `"10min"`, `"2h"`, `"7d"`; a whole number and a unit, at most 10,000 days.
///
/// # Errors
/// Says what is wrong and shows a good example.
pub fn parse_duration(text: &str) -> Result<Duration, SpanError> {
    let bad =
        || SpanError(format!("`{text}` is not a duration; write a number and a unit (ms, s, min, h, d), like \"15s\""));
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_ignored| bad())?;
    let unit_ms: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    match number.checked_mul(unit_ms) {
        Some(ms) if ms <= 10_000 * 86_400_000 => Ok(Duration::from_millis(ms)),
        Some(_) | None => Err(SpanError(format!("`{text}` is longer than 10000 days"))),
    }
}

/// So many things per period, like `20/min`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

impl Rate {
    /// `count` things per `per`.
    pub const fn new(count: u32, per: Duration) -> Self {
        Self { count, per }
    }

    /// Time between two things at an even pace.
    pub fn interval(&self) -> Duration {
        self.per / self.count.max(1)
    }
}

impl FromStr for Rate {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let bad = || {
            SpanError(format!("`{text}` is not a rate; write a number, `/` and a unit (s, min, h, d), like \"20/min\""))
        };
        let (count, unit) = text.split_once('/').ok_or_else(bad)?;
        let count: u32 = count.trim().parse().map_err(|_ignored| bad())?;
        if count == 0 {
            return Err(SpanError(format!("`{text}` allows nothing; the number is at least 1")));
        }
        let unit = unit.trim();
        let per = if unit.starts_with(|c: char| c.is_ascii_digit()) {
            parse_duration(unit)
        } else {
            parse_duration(&format!("1{unit}"))
        }
        .map_err(|_ignored| bad())?;
        if per.is_zero() {
            return Err(bad());
        }
        Ok(Self { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, show_duration(self.per))
    }
}

/// The shortest exact form of a duration: `"15s"`, `"1min"`; below a millisecond it is cut.
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("15s", Some(15_000)),
            ("800ms", Some(800)),
            ("10min", Some(600_000)),
            ("10m", Some(600_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("15", None),
            ("-1s", None),
            ("1.5s", None),
            ("", None),
            ("99999999999999999999s", None),
            ("20000d", None),
        ] {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_millis()), want, "{text:?}");
        }
    }

    #[test]
    fn rates() {
        for (text, want) in [
            ("1/s", Some((1, 1_000))),
            ("20/min", Some((20, 60_000))),
            ("5/10s", Some((5, 10_000))),
            ("0/s", None),
            ("x/s", None),
            ("3", None),
        ] {
            assert_eq!(text.parse::<Rate>().ok().map(|r| (r.count, r.per.as_millis())), want, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn shown_durations_read_back(ms in 0u64..864_000_000_000) {
            let duration = Duration::from_millis(ms);
            proptest::prop_assert_eq!(parse_duration(&show_duration(duration)).unwrap(), duration);
        }
    }
}
