//! Which hours of which days does `"22:00-07:00 Mon-Fri"` mean, and when do they end?

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, Time};
use jiff::tz::AmbiguousOffset;
use serde_json::{Value, json};

use super::{Local, Zone};
use crate::config::ConfigProblem;
use crate::config::value::{At, ConfigValue};

pub(super) const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY_DAY: u8 = 0b111_1111;
const DAY_MINUTES: u16 = 24 * 60;
/// More ranges than anybody writes; it bounds what one look costs.
const MOST_RANGES: usize = 50;

/// Hours of the day, perhaps of certain weekdays: `"09:00-18:00"`, `"22:00-07:00 Mon-Fri"`, `"Sat,Sun"` (all day), or a
/// list of such in settings, of which any will do.
///
/// The end is not part of them, and `24:00` is the end of the day. Where the end comes before the beginning, the hours go
/// over midnight and belong to the weekday on which they begin: `"22:00-07:00 Fri"` ends on Saturday morning.
///
/// ```
/// use wxbot_plugin::local::{Hours, Zone};
///
/// let night: Hours = "22:00-07:00".parse().unwrap();
/// let midnight_ms = 1_767_196_800_000; // 2026-01-01 00:00 in Shanghai
/// assert!(night.covers(midnight_ms, &Zone::default()));
/// assert_eq!(night.ends_after(midnight_ms, &Zone::default()), Some(7 * 3_600_000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    ranges: Vec<Range>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    /// Minutes since midnight.
    from: u16,
    /// Minutes since midnight, 1 to 1440; at most `from` where it is of the next day.
    until: u16,
    /// One bit for each weekday, Monday the lowest.
    days: u8,
}

/// Why a text is no hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; hours are written like \"09:00-18:00\", \"22:00-07:00 Mon-Fri\" or \"Sat,Sun\"")]
pub struct NoHours(String);

impl Hours {
    /// Whether it is such an hour at this moment, there.
    pub fn covers(&self, now_ms: i64, zone: &Zone) -> bool {
        let local = Local::at(now_ms, zone);
        self.ranges.iter().any(|range| range.begun(&local).is_some())
    }

    /// Milliseconds until none of these hours is any more; `None` when it is none now, or when they never end within eight
    /// days. The clock of the zone counts: where it is put back meanwhile, the hours are longer.
    pub fn ends_after(&self, now_ms: i64, zone: &Zone) -> Option<i64> {
        let mut at_ms = now_ms;
        // Hours may follow each other without a gap: at most all ranges of eight days.
        for _ in 0..=8 * self.ranges.len() {
            let local = Local::at(at_ms, zone);
            let ends = self.ranges.iter().filter_map(|range| range.end(&local, at_ms, zone));
            match ends.max() {
                Some(end_ms) if end_ms > at_ms => at_ms = end_ms,
                Some(_) | None => return (at_ms > now_ms).then(|| at_ms - now_ms),
            }
            if at_ms - now_ms > 8 * 86_400_000 {
                return None;
            }
        }
        None
    }

    /// True when no moment of a week is without them.
    pub fn is_always(&self) -> bool {
        (0..7).all(|day| {
            let mut minute = 0;
            while minute < DAY_MINUTES {
                let reach = self.ranges.iter().filter_map(|range| range.reach(day, minute)).max();
                match reach {
                    Some(until) => minute = until,
                    None => return false,
                }
            }
            true
        })
    }
}

impl Range {
    /// Whether it is such an hour, and how many days ago it began.
    fn begun(&self, local: &Local) -> Option<i64> {
        let (minute, today) = (local.minute_of_day(), local.weekday.saturating_sub(1));
        if self.from < self.until {
            return (self.on(today) && (self.from..self.until).contains(&minute)).then_some(0);
        }
        if self.on(today) && minute >= self.from {
            Some(0)
        } else {
            (self.on((today + 6) % 7) && minute < self.until).then_some(1)
        }
    }

    fn on(&self, day: u8) -> bool {
        self.days >> day & 1 == 1
    }

    /// When it ends, if it has begun.
    fn end(&self, local: &Local, now_ms: i64, zone: &Zone) -> Option<i64> {
        let begun = self.begun(local)?;
        let next = i64::from(self.until == DAY_MINUTES || (self.from >= self.until && begun == 0));
        let today = Date::new(local.year, i8::try_from(local.month).ok()?, i8::try_from(local.day).ok()?).ok()?;
        let until = self.until % DAY_MINUTES;
        let time = Time::new(i8::try_from(until / 60).ok()?, i8::try_from(until % 60).ok()?, 0, 0).ok()?;
        let moment = zone.0.to_ambiguous_zoned(today.checked_add(next.days()).ok()?.to_datetime(time));
        let ends = match moment.offset() {
            // The clock is put forward over it: the moment at which that happens is the first without.
            AmbiguousOffset::Gap { .. } => {
                let behind = moment.later().ok()?.timestamp();
                zone.0.preceding(behind).next().map_or(behind, |change| change.timestamp())
            }
            AmbiguousOffset::Fold { .. } => {
                let first = moment.clone().earlier().ok()?.timestamp();
                if first.as_millisecond() > now_ms { first } else { moment.later().ok()?.timestamp() }
            }
            AmbiguousOffset::Unambiguous { .. } => moment.compatible().ok()?.timestamp(),
        };
        Some(ends.as_millisecond())
    }

    /// Up to which minute of this day it covers what begins at `minute`.
    fn reach(&self, day: u8, minute: u16) -> Option<u16> {
        if self.from < self.until {
            (self.on(day) && (self.from..self.until).contains(&minute)).then_some(self.until)
        } else if self.on(day) && minute >= self.from {
            Some(DAY_MINUTES)
        } else {
            (self.on((day + 6) % 7) && minute < self.until).then_some(self.until)
        }
    }
}

impl FromStr for Hours {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<Self, NoHours> {
        Ok(Self { ranges: vec![range(text)?] })
    }
}

fn range(text: &str) -> Result<Range, NoHours> {
    // As a Chinese keyboard writes it, too.
    let plain: String = text.chars().map(crate::text::narrow).collect();
    let mut words = plain.split_whitespace().peekable();
    if let Some(word) = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains(':')) {
        return Err(NoHours(format!("`{word}` has no minutes")));
    }
    let mut hours = None;
    if let Some(word) = words.next_if(|word| word.contains(':')) {
        hours = Some(between(word)?);
    }
    let mut days = 0;
    for part in words.flat_map(|word| word.split(',')).filter(|part| !part.is_empty()) {
        days |= weekdays(part)?;
    }
    let (from, until) = match hours {
        Some(hours) => hours,
        None if days != 0 => (0, DAY_MINUTES),
        None => return Err(NoHours("it is empty".to_owned())),
    };
    Ok(Range { from, until, days: if days == 0 { EVERY_DAY } else { days } })
}

fn between(word: &str) -> Result<(u16, u16), NoHours> {
    let wrong = || NoHours(format!("`{word}` is not from one time to another"));
    let (from, until) = word.split_once(['-', '–', '~']).ok_or_else(wrong)?;
    let (from, until) = (clock(from)?, clock(until)?);
    match (from, until) {
        (DAY_MINUTES, _) => Err(NoHours(format!("`{word}` begins at the end of a day; write 00:00"))),
        (from, until) if from == until => Err(NoHours(format!("`{word}` begins when it ends"))),
        (from, 0) => Ok((from, DAY_MINUTES)),
        hours => Ok(hours),
    }
}

fn clock(text: &str) -> Result<u16, NoHours> {
    let wrong = || NoHours(format!("`{text}` is no time of a day"));
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, most: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number <= most).ok_or_else(wrong)
    };
    let minutes = number(hour, 24)? * 60 + number(minute, 59)?;
    if minutes <= DAY_MINUTES && minute.len() == 2 { Ok(minutes) } else { Err(wrong()) }
}

fn weekdays(part: &str) -> Result<u8, NoHours> {
    let Some((from, until)) = part.split_once('-') else { return weekday(part).map(|day| 1 << day) };
    let (from, until) = (weekday(from)?, weekday(until)?);
    // `Fri-Mon` goes over the end of the week.
    let count = (until + 7 - from) % 7;
    Ok((0..=count).fold(0, |days, n| days | 1 << ((from + n) % 7)))
}

fn weekday(word: &str) -> Result<u8, NoHours> {
    const CHINESE: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
    let known = (0u8..).zip(DAYS.iter().zip(CHINESE));
    let mut found = known.filter(|(_, (english, chinese))| english.eq_ignore_ascii_case(word) || *chinese == word);
    found
        .next()
        .map(|(day, _)| day)
        .ok_or_else(|| NoHours(format!("`{word}` is no weekday; they are {}", crate::config::words::list(&DAYS))))
}

impl ConfigValue for Hours {
    fn value_schema() -> Value {
        let one = json!({ "type": "string", "minLength": 3, "examples": ["09:00-18:00", "22:00-07:00 Mon-Fri"] });
        json!({ "oneOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": MOST_RANGES }] })
    }

    fn want() -> String {
        "hours like \"09:00-18:00 Mon-Fri\", or a list of them".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let one = |value: &Value, at: &At<'_>| {
            let text = value.as_str().ok_or_else(|| at.wants(&Self::want(), value))?;
            range(text).map_err(|error| vec![at.problem(format!("{}: {error}", at.name()))])
        };
        let Some(list) = value.as_array() else { return Ok(Self { ranges: vec![one(value, at)?] }) };
        if list.is_empty() || list.len() > MOST_RANGES {
            let message = format!("{} must have 1 to {MOST_RANGES} entries, not {}", at.name(), list.len());
            return Err(vec![at.problem(message)]);
        }
        let (mut ranges, mut problems) = (Vec::new(), Vec::new());
        for (n, value) in list.iter().enumerate() {
            match one(value, &at.entry(n)) {
                Ok(range) => ranges.push(range),
                Err(wrong) => problems.extend(wrong),
            }
        }
        if problems.is_empty() { Ok(Self { ranges }) } else { Err(problems) }
    }

    fn shown(&self) -> Option<Value> {
        Some(json!(self.ranges.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until, days } = *self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)?;
        if days != EVERY_DAY {
            let named = (0u8..).zip(DAYS).filter(|(day, _)| self.on(*day)).map(|(_, name)| name);
            write!(f, " {}", named.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }
}

/// As it may stand in settings; several are separated by `; `.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.ranges.iter().map(ToString::to_string).collect();
        f.write_str(&ranges.join("; "))
    }
}

#[cfg(test)]
mod tests;
