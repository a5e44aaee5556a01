//! Which rows does nobody need any more? Those that are long over, looked for once a day in everything that is kept.
//!
//! A pass goes through all beginnings of keys, some pages at a time, and comes back by a timer where there is more. A row
//! goes only as it was read: one that was written anew meanwhile stays, whichever room it is of.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_plugin::KvPage;
use wxbot_plugin::prelude::*;

use crate::act::Doing;
use crate::ladder::Strikes;

/// What the schedule is called.
pub(crate) const NAME: &str = "sweep";
/// When: the small hours, and not on the hour, when announcements are.
pub(crate) const WHEN: &str = "0 17 4 * * *";
/// Rows of one page.
const PAGE: usize = 1_000;
/// Pages that one step reads: rows are small, and a step must end long before a handler's time does.
const PAGES: usize = 10;
/// Rows that one step removes.
const MOST: usize = 300;
/// How long one step waits for the last one.
const BETWEEN: Duration = Duration::from_secs(10);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Beginnings of keys.
const PREFIXES: [&str; 17] = [
    "announcing:",
    "asked-in:",
    "came:",
    "checkin-day:",
    "checkin:",
    "count:",
    "join:",
    "poll:",
    "quiet:",
    "removals:",
    "rules:",
    "seen:",
    "shadow-strikes:",
    "strikes:",
    "topic-war:",
    "welcome-wait:",
    "welcomed:",
];

/// Where a pass has come to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    prefix: usize,
    after: Option<String>,
}

/// One step of a pass.
pub(crate) async fn step(doing: &Doing<'_>, mut place: Place) -> Result<Effects, PluginError> {
    let (mut effects, mut gone) = (Effects::none(), 0);
    for _ in 0..PAGES {
        let Some(prefix) = PREFIXES.get(place.prefix) else { return Ok(effects) };
        let page = match place.after.take() {
            Some(after) => KvPage::of(PAGE).after(after),
            None => KvPage::of(PAGE),
        };
        let rows: Vec<(String, Value)> = doing.cx.kv_list(prefix, page).await?;
        let mut last = None;
        for (key, row) in &rows {
            if gone >= MOST {
                break;
            }
            last = Some(key.clone());
            if is_over(doing, prefix, row) {
                effects = effects.swap(&**key, Some(row), None::<&Value>)?;
                gone += 1;
            }
        }
        if gone < MOST && rows.len() < PAGE {
            place = Place { prefix: place.prefix + 1, after: None };
        } else {
            place.after = last;
        }
        if gone >= MOST {
            break;
        }
    }
    Ok(if place.prefix < PREFIXES.len() { effects.timer(NAME, BETWEEN, &place)? } else { effects })
}

/// Whether a row says nothing any more. One that cannot be read is somebody else's, or of another version, and stays.
fn is_over(doing: &Doing<'_>, prefix: &str, row: &Value) -> bool {
    let (settings, now_ms) = (doing.settings, doing.cx.now_ms());
    let number = |value: Option<&Value>| value.and_then(Value::as_i64);
    let older = |at_ms: Option<i64>, than_ms: i64| at_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) > than_ms);
    match prefix {
        // The longest probation.
        "came:" => older(row.as_i64(), 91 * DAY_MS),
        // Whoever comes after that is looked at like anybody first seen: an old member.
        "seen:" => older(row.as_i64().map(i64::saturating_abs), 100 * DAY_MS),
        "strikes:" | "shadow-strikes:" => serde_json::from_value::<Strikes>(row.clone())
            .is_ok_and(|strikes| settings.ladder.left(strikes, now_ms) == 0 && older(Some(strikes.at_ms), DAY_MS)),
        "removals:" => older(number(row.get("from_ms")), HOUR_MS),
        "quiet:" => older(row.as_i64(), DAY_MS),
        // A cooldown is a day at most.
        "join:" | "rules:" => older(row.as_i64(), 2 * DAY_MS),
        "asked-in:" => row.as_array().is_some_and(|all| older(all.iter().filter_map(Value::as_i64).max(), DAY_MS)),
        "welcomed:" => {
            let again = settings.welcome.as_ref().map_or(Duration::from_secs(30 * 86_400), |welcome| welcome.again);
            older(row.as_i64(), i64::try_from(again.as_millis()).unwrap_or(i64::MAX))
        }
        "welcome-wait:" => older(number(row.get("due_ms")).or(Some(0)), DAY_MS),
        "topic-war:" => {
            let back = row.get("back_ms").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64);
            older(back.chain(number(row.get("told_ms"))).max(), DAY_MS)
        }
        "poll:" => older(number(row.get("until_ms")), 7 * DAY_MS),
        "announcing:" => older(row.as_i64(), DAY_MS),
        // Days are numbered from 1970; the fifth of a count is its last moment in seconds.
        "checkin:" => older(number(row.get(0)).map(|day| day.saturating_mul(DAY_MS)), 400 * DAY_MS),
        "checkin-day:" => older(number(row.get(0)).map(|day| day.saturating_mul(DAY_MS)), 3 * DAY_MS),
        "count:" => older(number(row.get(5)).map(|at_s| at_s.saturating_mul(1_000)), 400 * DAY_MS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wxbot_plugin::testing::Kit;

    use super::*;
    use crate::GroupAdmin;

    #[wxbot_plugin::test(settings = json!({ "links": {}, "stats": {}, "checkin": {}, "welcome": { "again": "30d" } }))]
    async fn rows_that_are_over_go_and_others_stay(bot: Kit<GroupAdmin>) {
        bot.advance_ms(500 * DAY_MS);
        let now = bot.now_ms();
        let (day, at_s) = (now / DAY_MS, now / 1_000);
        let strikes = |n: u32, ago: i64| json!({ "n": n, "at_ms": now - ago });
        let rows = [
            // The key, one that is over, and one that is not.
            ("strikes:r1:p", strikes(1, 3 * DAY_MS), strikes(1, 0)),
            ("shadow-strikes:r1:p", strikes(2, 9 * DAY_MS), strikes(9, 2 * DAY_MS)),
            ("seen:r1:p", json!(101 * DAY_MS - now), json!(DAY_MS - now)),
            ("came:r1:p", json!(now - 92 * DAY_MS), json!(now - 80 * DAY_MS)),
            ("removals:p", json!({ "from_ms": now - 2 * HOUR_MS, "n": 1 }), json!({ "from_ms": now, "n": 1 })),
            ("quiet:r", json!(now - 2 * DAY_MS), json!(now + HOUR_MS)),
            ("join:p", json!(now - 3 * DAY_MS), json!(now)),
            ("rules:r", json!(now - 3 * DAY_MS), json!(now)),
            ("asked-in:r", json!([1, now - 2 * DAY_MS]), json!([1, now])),
            ("welcomed:r1:p", json!(now - 31 * DAY_MS), json!(now - 29 * DAY_MS)),
            ("welcome-wait:r", json!({ "who": [] }), json!({ "who": [], "due_ms": now })),
            ("topic-war:r", json!({ "back_ms": [5], "told_ms": 0 }), json!({ "back_ms": [5, now], "told_ms": 0 })),
            ("poll:r", json!({ "until_ms": now - 8 * DAY_MS }), json!({ "until_ms": now - DAY_MS })),
            ("announcing:", json!(now - 2 * DAY_MS), json!(now)),
            ("checkin:r1:p", json!([day - 401, 1, 1, 1, "a"]), json!([day - 30, 1, 1, 1, "a"])),
            ("checkin-day:r", json!([day - 4, 1]), json!([day, 1])),
            ("count:r1:p", json!([1, 0, 1, 0, 1, at_s - 401 * 86_400, 0, "a"]), json!([1, 0, 1, 0, 1, at_s, 0, "a"])),
            ("white:r1:p", json!("a"), json!("b")),
        ];
        let mut stay = Vec::new();
        for (key, over, fresh) in &rows {
            bot.set_kv(&format!("{key}1"), over).unwrap();
            bot.set_kv(&format!("{key}2"), fresh).unwrap();
            stay.push(format!("{key}2"));
        }
        stay.push("white:r1:p1".to_owned());
        stay.sort();
        bot.fires(NAME).await.gets_nothing();
        bot.advance(Duration::from_secs(600)).await.gets_nothing();
        let mut left = bot.kv_keys();
        left.sort();
        assert_eq!(left, stay);
        assert_eq!(rows.len() - 1, PREFIXES.len());
        assert!(bot.timers().is_empty());
    }

    #[wxbot_plugin::test(settings = json!({ "welcome": {} }))]
    async fn a_pass_comes_to_its_end_however_much_there_is(bot: Kit<GroupAdmin>) {
        bot.advance_ms(500 * DAY_MS);
        for n in 0..2_500 {
            // Old and new among each other, over several pages.
            let at_ms = if n % 2 == 0 { 1 } else { bot.now_ms() };
            bot.set_kv(&format!("welcomed:r1:p{n:05}"), &at_ms).unwrap();
        }
        bot.fires(NAME).await.gets_nothing();
        assert!(bot.kv_keys().len() >= 2_500 - MOST, "some at a time");
        bot.advance(Duration::from_secs(600)).await.gets_nothing();
        assert_eq!(bot.kv_keys().len(), 1_250);
        assert!(bot.timers().is_empty());
    }
}
