//! Which moments do hours cover, and when are they over?

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::config::Place;

/// A moment in 2026 by the clock of a zone.
fn at(zone: &str, month: i8, day: i8, hour: i8, minute: i8) -> (i64, Zone) {
    let zone: Zone = zone.parse().unwrap();
    let moment = date(2026, month, day).at(hour, minute, 0, 0).to_zoned(zone.0.clone()).unwrap();
    (moment.timestamp().as_millisecond(), zone)
}

#[test]
fn what_hours_cover() {
    // 2026-01-01 is a Thursday.
    for (hours, day, hour, minute, want) in [
        ("09:00-18:00", 1, 9, 0, true),
        ("09:00-18:00", 1, 8, 59, false),
        ("09:00-18:00", 1, 17, 59, true),
        ("09:00-18:00", 1, 18, 0, false),
        ("22:00-07:00", 1, 23, 59, true),
        ("22:00-07:00", 2, 0, 0, true),
        ("22:00-07:00", 2, 6, 59, true),
        ("22:00-07:00", 2, 7, 0, false),
        ("22:00-07:00 Thu", 1, 22, 0, true),
        ("22:00-07:00 Thu", 2, 6, 0, true),
        ("22:00-07:00 Thu", 2, 22, 0, false),
        ("22:00-07:00 Thu", 1, 6, 0, false),
        ("22:00-07:00 Sun", 5, 6, 0, true),
        ("18:00-24:00", 1, 23, 59, true),
        ("18:00-00:00", 1, 23, 59, true),
        ("18:00-24:00", 2, 0, 0, false),
        ("09:00-18:00 Mon-Fri", 2, 12, 0, true),
        ("09:00-18:00 Mon-Fri", 3, 12, 0, false),
        ("09:00-18:00 Fri-Mon", 4, 12, 0, true),
        ("09:00-18:00 Fri-Mon", 6, 12, 0, false),
        ("09:00-18:00 mon, wed,THU", 1, 12, 0, true),
        ("Sat,Sun", 3, 0, 0, true),
        ("Sat,Sun", 4, 23, 59, true),
        ("Sat,Sun", 5, 0, 0, false),
        ("\u{FF10}\u{FF19}\u{FF1A}00-18:00 周四", 1, 9, 0, true),
    ] {
        let (now_ms, zone) = at("Asia/Shanghai", 1, day, hour, minute);
        let hours: Hours = hours.parse().unwrap();
        assert_eq!(hours.covers(now_ms, &zone), want, "{hours} on the {day}th at {hour}:{minute:02}");
        assert_eq!(hours.ends_after(now_ms, &zone).is_some(), want, "{hours} on the {day}th at {hour}:{minute:02}");
    }
}

#[test]
fn when_they_are_over() {
    let hour = 3_600_000;
    for (name, hours, zone, (month, day, h), want) in [
        ("the same day", json!("09:00-18:00"), "Asia/Shanghai", (1, 1, 10), Some(8 * hour)),
        ("the end of the day", json!("09:00-24:00"), "Asia/Shanghai", (1, 1, 10), Some(14 * hour)),
        ("before midnight", json!("22:00-07:00"), "Asia/Shanghai", (1, 1, 23), Some(8 * hour)),
        ("after midnight", json!("22:00-07:00"), "Asia/Shanghai", (1, 2, 1), Some(6 * hour)),
        ("two that meet", json!(["09:00-12:00", "12:00-18:00"]), "Asia/Shanghai", (1, 1, 11), Some(7 * hour)),
        ("two that overlap", json!(["09:00-13:00", "12:00-18:00"]), "Asia/Shanghai", (1, 1, 11), Some(7 * hour)),
        ("over a weekend", json!(["Sat,Sun"]), "Asia/Shanghai", (1, 3, 12), Some(36 * hour)),
        ("always", json!("00:00-24:00"), "Asia/Shanghai", (1, 1, 10), None),
        ("not now", json!("09:00-18:00"), "Asia/Shanghai", (1, 1, 8), None),
        // The night before 2026-03-29 has an hour less in Berlin, that before 2026-10-25 one more.
        ("clocks forward", json!("22:00-07:00"), "Europe/Berlin", (3, 28, 23), Some(7 * hour)),
        // 02:30 is left out: clocks go from 02:00 to 03:00.
        ("an end that is left out", json!("22:00-02:30"), "Europe/Berlin", (3, 28, 23), Some(3 * hour)),
        ("clocks back", json!("22:00-07:00"), "Europe/Berlin", (10, 24, 23), Some(9 * hour)),
    ] {
        let (now_ms, zone) = at(zone, month, day, h, 0);
        let place = Place::default();
        let hours = Hours::read_value(&hours, &At::top(&place).key("hours")).unwrap();
        assert_eq!(hours.ends_after(now_ms, &zone), want, "{name}");
    }
}

#[test]
fn what_is_no_hours() {
    for (text, why) in [
        ("", "it is empty"),
        ("9-18", "`9-18` has no minutes"),
        ("09:00", "`09:00` is not from one time to another"),
        ("09:00-25:00", "`25:00` is no time of a day"),
        ("09:00-24:30", "`24:30` is no time of a day"),
        ("09:0-10:00", "`09:0` is no time of a day"),
        ("09:00-09:00", "`09:00-09:00` begins when it ends"),
        ("24:00-09:00", "`24:00-09:00` begins at the end of a day"),
        ("09:00-18:00 Monday", "`Monday` is no weekday; they are `Mon`"),
        ("09:00-18:00 Mon-", "`` is no weekday"),
    ] {
        let error = text.parse::<Hours>().unwrap_err().to_string();
        assert!(error.starts_with(why) && error.contains("hours are written like"), "{text}: {error}");
    }
}

#[test]
fn mistakes_have_their_places() {
    let place = Place::default();
    let at = At::top(&place).key("hours");
    let read = |value: Value| {
        let problems = Hours::read_value(&value, &at).unwrap_err();
        problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect::<Vec<_>>()
    };
    let wrong = read(json!(["09:00-18:00", "9", 7]));
    assert_eq!(wrong.iter().map(|(pointer, _)| &**pointer).collect::<Vec<_>>(), ["/hours/1", "/hours/2"]);
    assert_eq!(read(json!(9))[0].1, "`hours` is hours like \"09:00-18:00 Mon-Fri\", or a list of them, not a number");
    assert_eq!(read(json!([]))[0].1, "`hours` must have 1 to 50 entries, not 0");
    let hours = Hours::read_value(&json!(["09:00-18:00 Mon-Fri", "Sat"]), &at).unwrap();
    assert_eq!(hours.shown(), Some(json!(["09:00-18:00 Mon,Tue,Wed,Thu,Fri", "00:00-24:00 Sat"])));
}

#[test]
fn hours_without_a_gap() {
    let place = Place::default();
    for (value, want) in [
        (json!("00:00-24:00"), true),
        (json!("09:00-18:00"), false),
        (json!(["07:00-22:00", "22:00-07:00"]), true),
        (json!(["Mon-Fri", "Sat"]), false),
        (json!(["Mon-Fri", "Sat,Sun"]), true),
        (json!(["22:00-07:00 Mon", "07:00-22:00"]), false),
    ] {
        let hours = Hours::read_value(&value, &At::top(&place)).unwrap();
        assert_eq!(hours.is_always(), want, "{value}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_the_same(text in "[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]( (Mon|Tue-Thu|Sat,Sun))?") {
        if let Ok(hours) = text.parse::<Hours>() {
            prop_assert_eq!(hours.to_string().parse::<Hours>().unwrap(), hours);
        }
    }

    #[test]
    fn any_text_is_hours_or_not(text in any::<String>()) {
        if let Err(error) = text.parse::<Hours>() {
            prop_assert!(error.to_string().contains("hours are written like"));
        }
    }

    #[test]
    fn the_end_is_the_first_moment_without(
        from in 0u16..1440, until in 1u16..=1440, days in 1u8..128, minute in 0i64..20_160, berlin: bool,
        spring: bool
    ) {
        let hours = Hours { ranges: vec![Range { from, until, days }] };
        let zone: Zone = if berlin { "Europe/Berlin" } else { "Asia/Shanghai" }.parse().unwrap();
        // Two weeks around the day when clocks go forward in Berlin, or back.
        let now_ms = if spring { 1_774_000_000_000 } else { 1_792_200_000_000 } + minute * 60_000;
        match hours.ends_after(now_ms, &zone) {
            Some(after_ms) => {
                prop_assert!(hours.covers(now_ms, &zone) && hours.covers(now_ms + after_ms - 1, &zone));
                prop_assert!(!hours.covers(now_ms + after_ms, &zone));
            }
            None => prop_assert!(!hours.covers(now_ms, &zone) || hours.is_always()),
        }
    }
}
