//! When is a schedule due? Cron expressions with seconds, on the clock of a place that puts its clocks forward and back.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

const DAY: i64 = 86_400;
/// Nothing that happens at all is further apart than the 29ths of February around 2100.
const HORIZON: i64 = 9 * 366 * DAY;
/// Bytes of a schedule. One that lists every value of every field has half as many.
const LONGEST: usize = 1024;
const EVERY_HOUR: u64 = (1 << 24) - 1;

/// Why a text is no schedule, in words for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// No schedule needs so many bytes.
    #[error("a schedule has at most {LONGEST} bytes; this one has {len}")]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// Too few or too many fields.
    #[error(
        "a schedule has five fields, `minute hour day month weekday`, or six with the second before them; `{expr}` has {found}"
    )]
    Fields {
        /// What was written.
        expr: String,
        /// How many it has.
        found: usize,
    },
    /// One field cannot be read.
    #[error("`{part}` is no {field}: {why}")]
    Part {
        /// Which field.
        field: &'static str,
        /// What was written there.
        part: String,
        /// The rule that it breaks.
        why: String,
    },
    /// A date like the 30th of February.
    #[error("`{expr}` never happens: none of its months has such a day")]
    Never {
        /// What was written.
        expr: String,
    },
    /// Nobody knows this place.
    #[error("`{zone}` is no time zone; they are named like `Asia/Shanghai`, `Europe/Berlin` or `UTC`")]
    Zone {
        /// What was written.
        zone: String,
    },
}

/// A cron expression in a time zone: `0 30 8 * * MON-FRI`, or without the second `30 8 * * MON-FRI`.
///
/// A field is `*`, a number, a range `9-17`, each with a step `*/15` if need be, or a list of these with commas. Months and
/// weekdays have English names of three letters; Sunday is 0 or 7. `L` is the last day of a month. Where both the day and
/// the weekday are stated, either of them will do, as everywhere in cron.
///
/// Where clocks are put forward, what was due in the hour that is left out is due once, when it would have begun. Where they
/// are put back, the repeated hour counts once for a schedule of certain hours, and twice for one of every hour: what
/// happens every ten minutes goes on happening every ten minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    expr: Box<str>,
    zone: TimeZone,
    // One bit for each value.
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    last_day: bool,
    months: u64,
    weekdays: u64,
    /// Both day and weekday are stated.
    either: bool,
}

impl Schedule {
    /// Reads an expression. Without a zone it is the machine's own, and UTC on a machine that says nothing of it.
    ///
    /// # Errors
    /// When it is no expression, names no time zone, or is never due.
    pub fn parse(expr: &str, zone: Option<&str>) -> Result<Self, CronError> {
        if expr.len() > LONGEST {
            return Err(CronError::TooLong { len: expr.len() });
        }
        let fields: Vec<&str> = expr.split_whitespace().collect();
        let (second, [minute, hour, day, month, weekday]) = match *fields.as_slice() {
            [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
            _ => return Err(CronError::Fields { expr: expr.to_owned(), found: fields.len() }),
        };
        let zone = match zone {
            Some(name) => TimeZone::get(name).map_err(|_ignored| CronError::Zone { zone: name.to_owned() })?,
            None => TimeZone::system(),
        };
        // `L` stands alone in the list of days; what is left of it are numbers.
        let last_day = day.split(',').any(|part| part == "L");
        let numbers: Vec<&str> = day.split(',').filter(|part| *part != "L").collect();
        let days = if numbers.is_empty() { 0 } else { DAYS.read(&numbers.join(","))? };
        let weekdays = WEEKDAYS.read(weekday)?;
        let any = |field: &str| field.starts_with(['*', '?']);
        let schedule = Self {
            expr: fields.join(" ").into(),
            zone,
            seconds: SECONDS.read(second)?,
            minutes: MINUTES.read(minute)?,
            hours: HOURS.read(hour)?,
            days,
            last_day,
            months: MONTHS.read(month)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either: !any(day) && !any(weekday),
        };
        let happens = schedule.either || schedule.last_day || (1..=12).any(|month| schedule.has_day_in(month));
        if happens { Ok(schedule) } else { Err(CronError::Never { expr: expr.to_owned() }) }
    }

    fn has_day_in(&self, month: u32) -> bool {
        let longest = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].get(month as usize).copied().unwrap_or(0);
        has(self.months, month) && self.days & ((1 << (longest + 1)) - 1) != 0
    }

    /// The first moment after `ms` at which it is due; both in milliseconds since 1970. `None` beyond the year 9000.
    pub fn next_after(&self, ms: i64) -> Option<i64> {
        let after = ms.div_euclid(1_000);
        let mut stretch = self.stretch(after)?;
        let mut from = (after + 1 + stretch.offset).max(stretch.first);
        loop {
            let until = stretch.end.min(after + HORIZON) + stretch.offset;
            if let Some(at) = self.first_on_clock(from, until) {
                return Some((at - stretch.offset).max(stretch.start) * 1_000);
            }
            if stretch.end >= after + HORIZON {
                return None;
            }
            stretch = self.stretch(stretch.end)?;
            from = stretch.first;
        }
    }

    /// The moments after `from_ms` and up to `to_ms` at which it was due, in order. When they are more than `most`, the
    /// last of them; asked at a year of seconds, it costs what those cost.
    pub fn due_between(&self, from_ms: i64, to_ms: i64, most: usize) -> Vec<i64> {
        let mut due = Vec::new();
        let mut to = to_ms;
        while due.len() < most
            && let Some(at) = self.last_until(to, from_ms)
        {
            due.push(at);
            to = at - 1;
        }
        due.reverse();
        due
    }

    /// The last moment up to `ms` at which it was due, if that is after `after_ms`.
    fn last_until(&self, ms: i64, after_ms: i64) -> Option<i64> {
        let upto = ms.div_euclid(1_000);
        let mut stretch = self.stretch(upto)?;
        let mut to = upto + stretch.offset;
        loop {
            let floor =
                stretch.first.max(after_ms.div_euclid(1_000).saturating_add(stretch.offset.min(stretch.before)));
            if let Some(at) = self.last_on_clock(to, floor) {
                let at = (at - stretch.offset).max(stretch.start) * 1_000;
                return (at > after_ms).then_some(at);
            }
            if stretch.start.saturating_mul(1_000) <= after_ms {
                return None;
            }
            stretch = self.stretch(stretch.start - 1)?;
            to = stretch.end + stretch.offset - 1;
        }
    }

    /// The time around `at_s` in which no clock is changed.
    fn stretch(&self, at_s: i64) -> Option<Stretch> {
        let moment = |s: i64| Timestamp::from_second(s).ok();
        let offset = |s: i64| Some(i64::from(self.zone.to_offset(moment(s)?).seconds()));
        let here = offset(at_s)?;
        // Strictly before and after, so that a change at `at_s` itself begins the stretch.
        let start = self.zone.preceding(moment(at_s + 1)?).next().map(|change| change.timestamp().as_second());
        let end = self.zone.following(moment(at_s)?).next().map(|change| change.timestamp().as_second());
        let before = start.map_or(Some(here), |start| offset(start - 1))?;
        // Far away, and still far from the ends of the number.
        let (start, end) = (start.unwrap_or(i64::MIN / 4_000), end.unwrap_or(i64::MAX / 4_000));
        // The clock goes on from where it was, over an hour that is left out. What it repeats counts for some only.
        let first = start + if self.hours == EVERY_HOUR { before.min(here) } else { before };
        Some(Stretch { start, end, offset: here, before, first })
    }

    /// The first due second of a wall clock at or after `from` and before `until`.
    fn first_on_clock(&self, from: i64, until: i64) -> Option<i64> {
        let (mut day, mut time) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        while day * DAY < until {
            if self.is_day(day)
                && let Some(time) = self.first_in_day(time)
            {
                return Some(day * DAY + time).filter(|at| *at < until);
            }
            (day, time) = (day + 1, 0);
        }
        None
    }

    /// The last due second of a wall clock at or before `to` and not before `floor`.
    fn last_on_clock(&self, to: i64, floor: i64) -> Option<i64> {
        let (mut day, mut time) = (to.div_euclid(DAY), to.rem_euclid(DAY));
        while (day + 1) * DAY > floor {
            if self.is_day(day)
                && let Some(time) = self.last_in_day(time)
            {
                return Some(day * DAY + time).filter(|at| *at >= floor);
            }
            (day, time) = (day - 1, DAY - 1);
        }
        None
    }

    fn is_day(&self, day: i64) -> bool {
        let Ok(noon) = Timestamp::from_second(day * DAY) else { return false };
        let date = TimeZone::UTC.to_datetime(noon).date();
        let is = |bits, n: i8| has(bits, n.unsigned_abs().into());
        let by_day = is(self.days, date.day()) || self.last_day && date.day() == date.days_in_month();
        let by_weekday = is(self.weekdays, date.weekday().to_sunday_zero_offset());
        is(self.months, date.month()) && if self.either { by_day || by_weekday } else { by_day && by_weekday }
    }

    fn first_in_day(&self, time: i64) -> Option<i64> {
        let (hour, minute, second) = split(time);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = at_or_after(self.seconds, second)
            {
                return Some(joined(hour, minute, second));
            }
            if let Some(minute) = at_or_after(self.minutes, minute + 1) {
                return Some(joined(hour, minute, self.seconds.trailing_zeros()));
            }
        }
        let hour = at_or_after(self.hours, hour + 1)?;
        Some(joined(hour, self.minutes.trailing_zeros(), self.seconds.trailing_zeros()))
    }

    fn last_in_day(&self, time: i64) -> Option<i64> {
        let (hour, minute, second) = split(time);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = before(self.seconds, second + 1)
            {
                return Some(joined(hour, minute, second));
            }
            if let Some(minute) = before(self.minutes, minute) {
                return Some(joined(hour, minute, self.seconds.ilog2()));
            }
        }
        let hour = before(self.hours, hour)?;
        Some(joined(hour, self.minutes.ilog2(), self.seconds.ilog2()))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.expr, self.zone.iana_name().unwrap_or("local time"))
    }
}

/// A time without a change of the clock. Seconds since 1970; what a wall clock shows is `offset` ahead of that.
struct Stretch {
    start: i64,
    /// The first second after it.
    end: i64,
    offset: i64,
    /// The offset before it.
    before: i64,
    /// What the wall clock shows at the first moment that counts here.
    first: i64,
}

fn has(bits: u64, n: u32) -> bool {
    bits >> n & 1 == 1
}

fn at_or_after(bits: u64, n: u32) -> Option<u32> {
    let left = bits >> n;
    (left != 0).then(|| n + left.trailing_zeros())
}

fn before(bits: u64, n: u32) -> Option<u32> {
    (bits & ((1 << n) - 1)).checked_ilog2()
}

fn split(time: i64) -> (u32, u32, u32) {
    let time = u32::try_from(time).unwrap_or(0);
    (time / 3_600, time / 60 % 60, time % 60)
}

fn joined(hour: u32, minute: u32, second: u32) -> i64 {
    i64::from(hour * 3_600 + minute * 60 + second)
}

/// What one field may hold.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    /// Of the values from `least` on.
    names: &'static [&'static str],
}

const SECONDS: Field = Field { what: "second", least: 0, most: 59, names: &[] };
const MINUTES: Field = Field { what: "minute", least: 0, most: 59, names: &[] };
const HOURS: Field = Field { what: "hour", least: 0, most: 23, names: &[] };
const DAYS: Field = Field { what: "day of a month", least: 1, most: 31, names: &[] };
const MONTHS: Field = Field {
    what: "month",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAYS: Field =
    Field { what: "weekday", least: 0, most: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };

impl Field {
    fn read(&self, text: &str) -> Result<u64, CronError> {
        text.split(',').try_fold(0, |bits, part| match self.part(part) {
            Ok(more) => Ok(bits | more),
            Err(why) => Err(CronError::Part { field: self.what, part: part.to_owned(), why }),
        })
    }

    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = step.parse().ok().filter(|step| (1..=self.most).contains(step));
                (range, Some(step.ok_or_else(|| format!("a step is a number from 1 to {}", self.most))?))
            }
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (self.least, self.most),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if step.is_some() => (self.value(range)?, self.most),
            None => (self.value(range)?, self.value(range)?),
        };
        // A week may end with Sunday.
        let to = if to < from && to == 0 && self.most == 7 { 7 } else { to };
        if to < from {
            return Err(format!("it runs backwards; write `{from}-{},{}-{to}`", self.most, self.least));
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        Ok((from..=to).step_by(step).fold(0, |bits, n| bits | 1 << n))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| self.least + at);
        let value = named.or_else(|| text.parse().ok()).filter(|value| (self.least..=self.most).contains(value));
        value.ok_or_else(|| {
            let (first, last) = (self.names.first(), self.names.last());
            let names = first.zip(last).map(|(first, last)| format!(", or {first} to {last}")).unwrap_or_default();
            format!("it takes `*`, or numbers from {} to {}{names}", self.least, self.most)
        })
    }
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
