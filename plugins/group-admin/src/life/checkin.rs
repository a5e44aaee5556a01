//! Who checked in today, and how many days in a row? Days are those of the time zone that the settings name.

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::{Chat, Person};
use wxbot_plugin::prelude::*;

use super::count::rows;
use super::local;
use super::names::{public, shown};
use crate::act::{Deed, Doing};

/// How many the list shows.
const LISTED: usize = 10;

/// What is stored of a person in a room: `[last day, days in a row, all days, the longest row, name]`. Days are numbered
/// from 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Days(i64, u32, u32, u32, String);

/// What is stored of a room: which day it is, and how many have checked in on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Today(i64, u32);

impl Days {
    /// Checks in. False when the person had, on this day. A day in the future comes from a clock that was set back; it
    /// neither counts nor breaks the row.
    pub(crate) fn check_in(&mut self, today: i64, name: &str) -> bool {
        let Self(last, row, all, longest, called) = self;
        if *all > 0 && today <= *last {
            return false;
        }
        *row = if *all > 0 && today.saturating_sub(*last) == 1 { row.saturating_add(1) } else { 1 };
        *all = all.saturating_add(1);
        *longest = (*longest).max(*row);
        *last = today;
        *called = shown(name);
        true
    }

    /// Days in a row until now: none when yesterday was missed.
    pub(crate) fn row(&self, today: i64) -> u32 {
        if self.0.saturating_add(1) >= today { self.1 } else { 0 }
    }

    /// What the person is told. `place` is how many have checked in today.
    pub(crate) fn told(&self, place: u32) -> String {
        let Self(_, row, all, longest, _) = self;
        let best = if longest > row { format!(",最长 {longest} 天") } else { String::new() };
        format!("签到成功,今天第 {place} 个,连续 {row} 天,累计 {all} 天{best}")
    }

    /// What is told to whoever has checked in before.
    pub(crate) fn told_again(&self) -> String {
        format!("今天签过了,连续 {} 天,累计 {} 天", self.1, self.2)
    }
}

impl Today {
    /// One more; which one of the day it is.
    pub(crate) fn next(&mut self, today: i64) -> u32 {
        *self = if self.0 == today { Self(today, self.1.saturating_add(1)) } else { Self(today, 1) };
        self.1
    }
}

/// The list of those with the longest rows.
pub(crate) fn board(mut all: Vec<Days>, today: i64) -> String {
    if all.is_empty() {
        return "还没有人签到".to_owned();
    }
    all.sort_by(|a, b| (b.row(today), b.2, &a.4).cmp(&(a.row(today), a.2, &b.4)));
    let lines = all.iter().take(LISTED).enumerate();
    let lines =
        lines.map(|(n, days)| format!("\n{}. {} 连续 {} 天,累计 {} 天", n + 1, days.4, days.row(today), days.2));
    format!("签到榜{}", lines.collect::<String>())
}

/// 签到: somebody is here today.
pub(crate) async fn check_in(doing: &Doing<'_>, room: &Chat, who: &Person) -> Result<Effects, PluginError> {
    let (own, day) = (format!("checkin:{}:{}", room.id, who.id), format!("checkin-day:{}", room.id));
    let today = local(doing).day_number;
    let mut days: Days = doing.cx.kv_get(&own).await?.unwrap_or_default();
    let (text, kept) = if days.check_in(today, &public(doing.cx, who)) {
        let mut of_day: Today = doing.cx.kv_get(&day).await?.unwrap_or_default();
        let place = of_day.next(today);
        (days.told(place), Effects::none().put(own, &days)?.put(day, &of_day)?)
    } else {
        (days.told_again(), Effects::none())
    };
    let mention = doing.settings.checkin.as_ref().is_none_or(|checkin| checkin.mention);
    let said = if mention { Effects::none().and_reply_at_sender(text) } else { Effects::reply(text) };
    doing.act(Deed::new("checkin", "签到", &room.id).does(said).keeps(kept).small()).await
}

/// 签到榜: who comes most.
pub(crate) async fn list(doing: &Doing<'_>, room: &Chat) -> Result<Effects, PluginError> {
    let all: Vec<(ContactId, Days)> = rows(doing, &format!("checkin:{}:", room.id)).await?;
    let text = board(all.into_iter().map(|(_, days)| days).collect(), local(doing).day_number);
    doing.act(Deed::new("checkin", "签到榜", &room.id).does(Effects::reply(text)).small()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_in_a_row() {
        let mut days = Days::default();
        for (today, counted, row, all) in [
            (100, true, 1, 1),
            (100, false, 1, 1),
            (101, true, 2, 2),
            (99, false, 2, 2),
            (103, true, 1, 3),
            (104, true, 2, 4),
        ] {
            assert_eq!(days.check_in(today, "a"), counted, "day {today}");
            assert_eq!((days.1, days.2), (row, all), "day {today}");
        }
        assert_eq!((days.row(104), days.row(105), days.row(106)), (2, 2, 0));
        assert_eq!(Days::default().row(20_000), 0);
    }

    #[test]
    fn the_first_day_of_all_counts() {
        let mut days = Days::default();
        assert!(days.check_in(0, "a") && !days.check_in(0, "a"));
    }

    #[test]
    fn the_place_of_the_day() {
        let mut today = Today::default();
        assert_eq!([today.next(5), today.next(5), today.next(6)], [1, 2, 1]);
    }

    #[test]
    fn the_board_is_short_and_sorted() {
        let of = |name: &str, last, row, all| Days(last, row, all, row, name.into());
        assert_eq!(board(vec![], 9), "还没有人签到");
        let all = vec![of("甲", 9, 2, 2), of("乙", 5, 90, 99), of("丙", 8, 3, 3)];
        assert_eq!(
            board(all, 9),
            "签到榜\n1. 丙 连续 3 天,累计 3 天\n2. 甲 连续 2 天,累计 2 天\n3. 乙 连续 0 天,累计 99 天"
        );
        let many = (0..500).map(|n| of(&"名".repeat(20), 9, n, n)).collect();
        assert!(board(many, 9).len() < 2_000);
    }
}
