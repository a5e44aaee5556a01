//! Is a schedule due when people expect it, also when clocks are changed?

use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use proptest::prelude::*;

use super::*;

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// The next so many, as that place's clock shows them.
fn next(expr: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expr, Some(zone)).unwrap();
    let mut at = ms(from);
    let mut all = Vec::new();
    for _ in 0..count {
        at = schedule.next_after(at).unwrap();
        let shown = Timestamp::from_millisecond(at).unwrap().to_zoned(schedule.zone.clone());
        all.push(shown.strftime("%m-%d %H:%M:%S %z").to_string());
    }
    all
}

#[test]
fn ordinary_days() {
    let from = "2026-05-30T12:34:56.789+08:00";
    for (expr, want) in [
        ("*/30 * * * * *", ["05-30 12:35:00", "05-30 12:35:30"]),
        ("* * * * *", ["05-30 12:35:00", "05-30 12:36:00"]),
        ("0 9 * * *", ["05-31 09:00:00", "06-01 09:00:00"]),
        ("15 30 8 * * MON-FRI", ["06-01 08:30:15", "06-02 08:30:15"]),
        ("0 8 * * fri-sun", ["05-31 08:00:00", "06-05 08:00:00"]),
        ("0 8 * * 7", ["05-31 08:00:00", "06-07 08:00:00"]),
        ("0 0 L * *", ["05-31 00:00:00", "06-30 00:00:00"]),
        ("0 0 15,L 6 ?", ["06-15 00:00:00", "06-30 00:00:00"]),
        ("0 12 13 * FRI", ["06-05 12:00:00", "06-12 12:00:00"]),
        ("0 0 29 2 *", ["02-29 00:00:00", "02-29 00:00:00"]),
        ("5/20 9-10 * * *", ["05-31 09:05:00", "05-31 09:25:00"]),
        ("0 22-23,0-1 * * *", ["05-30 22:00:00", "05-30 23:00:00"]),
        ("59 59 23 31 DEC *", ["12-31 23:59:59", "12-31 23:59:59"]),
    ] {
        assert_eq!(next(expr, "Asia/Shanghai", from, 2), want.map(|at| format!("{at} +0800")), "{expr}");
    }
}

#[test]
fn clocks_put_forward_leave_nothing_out() {
    for (expr, zone, from, want) in [
        ("30 2 * * *", BERLIN, "2026-03-28T12:00Z", ["03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]),
        ("*/20 2 * * *", BERLIN, "2026-03-29T00:00Z", ["03-29 03:00:00 +0200", "03-30 02:00:00 +0200"]),
        ("0 3 * * *", BERLIN, "2026-03-28T12:00Z", ["03-29 03:00:00 +0200", "03-30 03:00:00 +0200"]),
        ("*/20 * * * *", BERLIN, "2026-03-29T00:50Z", ["03-29 03:00:00 +0200", "03-29 03:20:00 +0200"]),
        ("0 30 2 * * *", NEW_YORK, "2026-03-07T12:00Z", ["03-08 03:00:00 -0400", "03-09 02:30:00 -0400"]),
        ("0 9 * * *", NEW_YORK, "2026-03-07T12:00Z", ["03-07 09:00:00 -0500", "03-08 09:00:00 -0400"]),
        // A second before the change, and at it.
        ("30 2 * * *", BERLIN, "2026-03-29T00:59:59Z", ["03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]),
        ("30 2 * * *", BERLIN, "2026-03-29T01:00:00Z", ["03-30 02:30:00 +0200", "03-31 02:30:00 +0200"]),
    ] {
        assert_eq!(next(expr, zone, from, 2), want, "{expr}");
    }
}

#[test]
fn clocks_put_back_repeat_only_what_is_of_every_hour() {
    for (expr, zone, from, want) in [
        ("30 2 * * *", BERLIN, "2026-10-24T12:00Z", ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"]),
        ("0 2,3 * * *", BERLIN, "2026-10-24T12:00Z", ["10-25 02:00:00 +0200", "10-25 03:00:00 +0100"]),
        ("30 * * * *", BERLIN, "2026-10-25T00:00Z", ["10-25 02:30:00 +0200", "10-25 02:30:00 +0100"]),
        ("0 * * * *", BERLIN, "2026-10-24T23:59Z", ["10-25 02:00:00 +0200", "10-25 02:00:00 +0100"]),
        ("0 30 1 * * *", NEW_YORK, "2026-10-31T12:00Z", ["11-01 01:30:00 -0400", "11-02 01:30:00 -0500"]),
        // Asked within the hour that is repeated.
        ("30 2 * * *", BERLIN, "2026-10-25T01:10Z", ["10-26 02:30:00 +0100", "10-27 02:30:00 +0100"]),
    ] {
        assert_eq!(next(expr, zone, from, 2), want, "{expr}");
    }
}

#[test]
fn what_was_missed_is_told_from_the_end() {
    let every_second = Schedule::parse("* * * * * *", Some("UTC")).unwrap();
    let (from, to) = (ms("2020-01-01T00:00Z"), ms("2026-01-01T00:00:00.500Z"));
    assert_eq!(every_second.due_between(from, to, 3), [to - 2_500, to - 1_500, to - 500]);
    let daily = Schedule::parse("0 9 * * *", Some(BERLIN)).unwrap();
    let days = daily.due_between(ms("2026-03-28T08:00Z"), ms("2026-03-30T07:00Z"), 100);
    assert_eq!(days, [ms("2026-03-29T07:00Z"), ms("2026-03-30T07:00Z")], "after the first, up to the last");
    assert!(daily.due_between(to, to, 100).is_empty() && daily.due_between(to, from, 100).is_empty());
}

#[test]
fn mistakes_are_told_in_words() {
    for (expr, zone, want) in [
        ("0 9 * *", None, "`minute hour day month weekday`, or six with the second before them; `0 9 * *` has 4"),
        ("", None, "has 0"),
        ("60 * * * *", None, "`60` is no minute: it takes `*`, or numbers from 0 to 59"),
        ("0 24 * * *", None, "`24` is no hour"),
        ("0 9 0 * *", None, "`0` is no day of a month: it takes `*`, or numbers from 1 to 31"),
        ("0 9 * * XYZ", None, "`XYZ` is no weekday: it takes `*`, or numbers from 0 to 7, or SUN to SAT"),
        ("*/0 * * * *", None, "`*/0` is no minute: a step is a number from 1 to 59"),
        ("0 22-5 * * *", None, "it runs backwards; write `22-23,0-5`"),
        ("0 9 30 2 *", None, "never happens"),
        ("0 9 31 2,4 ?", None, "never happens"),
        ("0 9,, * * *", None, "`` is no hour"),
        (&"0 ".repeat(600), None, "at most 1024 bytes; this one has 1200"),
        ("0 9 * * *", Some("Peking"), "`Peking` is no time zone"),
    ] {
        let error = Schedule::parse(expr, zone).unwrap_err().to_string();
        assert!(error.contains(want), "{expr}: {error}");
    }
    assert!(Schedule::parse("0 9 30 2 MON", None).is_ok(), "its Mondays happen");
    assert_eq!(Schedule::parse("0  9 * * *", Some(BERLIN)).unwrap().to_string(), "0 9 * * * (Europe/Berlin)");
}

/// The same rules once more, moment by moment.
fn is_due(schedule: &Schedule, at: Timestamp) -> bool {
    let matches = |clock: DateTime| {
        let bit = |bits: u64, n: i8| bits >> n & 1 == 1;
        let (date, time) = (clock.date(), clock.time());
        bit(schedule.hours, time.hour())
            && bit(schedule.minutes, time.minute())
            && bit(schedule.seconds, time.second())
            && bit(schedule.weekdays, date.weekday().to_sunday_zero_offset())
            && bit(schedule.days, date.day())
    };
    let clock = schedule.zone.to_datetime(at);
    let offset = schedule.zone.to_offset(at);
    let twice = match schedule.zone.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Fold { after, .. } => offset == after,
        AmbiguousOffset::Gap { .. } | AmbiguousOffset::Unambiguous { .. } => false,
    };
    if matches(clock) && (!twice || schedule.hours == EVERY_HOUR) {
        return true;
    }
    // The end of a gap stands for all of it.
    let earlier = schedule.zone.to_offset(at - jiff::SignedDuration::from_secs(1));
    let gap = offset.seconds() - earlier.seconds();
    let hidden = |s: i32| clock - jiff::SignedDuration::from_secs(s.into());
    (1..=gap.max(0)).any(|s| matches(hidden(s)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn each_moment_is_judged_alike_from_both_sides(
        minute in prop_oneof![Just("*"), Just("*/15"), Just("7"), Just("0,59")],
        hour in prop_oneof![Just("*"), Just("2"), Just("1-3"), Just("*/2"), Just("23,0")],
        day in prop_oneof![3 => Just("* * *"), 1 => Just("* * SUN"), 1 => Just("8,29 * *"), 1 => Just("25 * *")],
        around in prop_oneof![
            Just((BERLIN, "2026-03-29T01:00Z")), Just((BERLIN, "2026-10-25T01:00Z")),
            Just((NEW_YORK, "2026-03-08T07:00Z")), Just((NEW_YORK, "2026-11-01T06:00Z")),
            // Half an hour, and at another hour.
            Just(("Australia/Lord_Howe", "2026-10-03T15:30Z")), Just(("Australia/Lord_Howe", "2026-04-04T15:00Z")),
            Just(("Asia/Shanghai", "2026-01-01T00:00Z")),
        ],
        minutes in 10_i64..2_000,
    ) {
        let expr = format!("{minute} {hour} {day}");
        let schedule = Schedule::parse(&expr, Some(around.0)).unwrap();
        let from = ms(around.1) - minutes * 30_000;
        let from = from - from.rem_euclid(60_000);
        let to = from + minutes * 60_000;
        let each = (1..=minutes).map(|n| from + n * 60_000);
        let want: Vec<i64> = each.filter(|at| is_due(&schedule, Timestamp::from_millisecond(*at).unwrap())).collect();
        let forward: Vec<i64> =
            std::iter::successors(schedule.next_after(from), |at| schedule.next_after(*at)).take_while(|at| *at <= to).collect();
        prop_assert_eq!(&forward, &want, "forward, {} in {}", expr, around.0);
        prop_assert_eq!(schedule.due_between(from, to, 10_000), want, "backward, {} in {}", expr, around.0);
    }
}
