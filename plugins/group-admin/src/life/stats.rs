//! Who speaks how much, and who never does? One small value per member and room, written with the event of each message.
//!
//! A message costs one value read and one written in the commit that its event makes anyway; nothing is kept in memory,
//! so that a crash loses no count and repeats none.

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::ContactId;
use wxbot_plugin::text::fold;

use super::names::shown;

/// How many a list shows.
const LISTED: usize = 10;
/// How many silent members are named.
const SILENT_LISTED: usize = 30;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What is stored of a member: `[messages, day, messages on it, week, messages in it, last message in s, first day, name]`.
/// A list and not a table: there is one for each member of each room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally(u64, i64, u32, i64, u32, i64, i64, String);

/// Since when messages are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Span {
    /// Since midnight.
    Day,
    /// Since Monday.
    #[default]
    Week,
    /// Ever.
    All,
}

impl Span {
    /// What a person calls it.
    ///
    /// # Errors
    /// What can be said instead.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        match &*fold(word) {
            "日" | "今日" | "今天" | "天" | "day" | "today" => Ok(Self::Day),
            "周" | "本周" | "星期" | "week" => Ok(Self::Week),
            "总" | "全部" | "累计" | "all" | "total" => Ok(Self::All),
            _ => Err("用法: 排行 [日|周|总] (top [day|week|all])".to_owned()),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "今日",
            Self::Week => "本周",
            Self::All => "累计",
        }
    }
}

/// Weeks since 1970 that begin on Mondays: 1970 began on a Thursday.
fn week(day: i64) -> i64 {
    day.saturating_add(3).div_euclid(7)
}

impl Tally {
    /// One message more, on this day.
    pub(crate) fn add(&mut self, today: i64, now_ms: i64, name: &str) {
        let Self(all, day, on_day, week_no, in_week, last_s, first, called) = self;
        if *all == 0 {
            *first = today;
        }
        *all = all.saturating_add(1);
        *on_day = if *day == today { on_day.saturating_add(1) } else { 1 };
        *in_week = if *week_no == week(today) { in_week.saturating_add(1) } else { 1 };
        (*day, *week_no, *last_s) = (today, week(today), now_ms / 1000);
        if *called != *name {
            *called = shown(name);
        }
    }

    /// How many in this time.
    pub(crate) fn count(&self, span: Span, today: i64) -> u64 {
        match span {
            Span::Day if self.1 == today => self.2.into(),
            Span::Week if self.3 == week(today) => self.4.into(),
            Span::Day | Span::Week => 0,
            Span::All => self.0,
        }
    }

    /// When the last message was.
    pub(crate) fn last_ms(&self) -> i64 {
        self.5.saturating_mul(1000)
    }

    /// The day of the first message that was counted.
    pub(crate) fn first_day(&self) -> i64 {
        self.6
    }

    /// The member's own numbers, and which place that is in this week.
    pub(crate) fn own(&self, today: i64, place: Option<usize>) -> String {
        let [day, week, all] = [Span::Day, Span::Week, Span::All].map(|span| self.count(span, today));
        let place = place.map(|place| format!(",本周第 {place} 名")).unwrap_or_default();
        format!("{}: 今日 {day} 条,本周 {week} 条,累计 {all} 条{place}", self.7)
    }
}

/// Those who spoke most. `all` are the members' ids and numbers.
pub(crate) fn top(all: &[(ContactId, Tally)], span: Span, today: i64) -> String {
    let ranked = ranked(all, span, today);
    let messages: u64 = ranked.iter().map(|(count, ..)| count).sum();
    if ranked.is_empty() {
        return format!("{}还没有人发言", span.word());
    }
    let lines = ranked.iter().take(LISTED).enumerate();
    let lines = lines.map(|(n, (count, _, tally))| format!("\n{}. {} {count} 条", n + 1, tally.7));
    format!("{}发言排行({} 人,{messages} 条){}", span.word(), ranked.len(), lines.collect::<String>())
}

/// Which place somebody has; none without a message.
pub(crate) fn place(all: &[(ContactId, Tally)], whose: &ContactId, span: Span, today: i64) -> Option<usize> {
    ranked(all, span, today).iter().position(|(_, id, _)| *id == whose).map(|at| at + 1)
}

fn ranked(all: &[(ContactId, Tally)], span: Span, today: i64) -> Vec<(u64, &ContactId, &Tally)> {
    let counted = all.iter().map(|(id, tally)| (tally.count(span, today), id, tally));
    let mut ranked: Vec<_> = counted.filter(|(count, ..)| *count > 0).collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    ranked
}

/// A member of the room, for the list of silent ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// When the member last spoke; `None` when never.
    pub(crate) last_ms: Option<i64>,
    /// When the member came, where we saw it.
    pub(crate) joined_ms: Option<i64>,
}

/// Who has said nothing for so many days, those who never spoke last. Whoever came later than that is none of them.
pub(crate) fn silent(members: &[Seen], days: u32, now_ms: i64, since: Option<&str>) -> String {
    let before_ms = now_ms - i64::from(days) * DAY_MS;
    let quiet = members.iter().filter(|member| {
        member.last_ms.is_none_or(|last| last < before_ms) && member.joined_ms.is_none_or(|joined| joined < before_ms)
    });
    let mut quiet: Vec<&Seen> = quiet.collect();
    // The longest silence that is known first.
    quiet.sort_by_key(|member| (member.last_ms.is_none(), member.last_ms));
    let since = since.map(|date| format!("(统计始于 {date})")).unwrap_or_default();
    if quiet.is_empty() {
        return format!("{days} 天内大家都发过言{since}");
    }
    let lines = quiet.iter().take(SILENT_LISTED).map(|member| match member.last_ms {
        Some(last) => format!("\n{} {} 天", shown(&member.name), (now_ms - last) / DAY_MS),
        None => format!("\n{} 从未发言", shown(&member.name)),
    });
    let lines: String = lines.collect();
    let more = match quiet.len().checked_sub(SILENT_LISTED) {
        Some(more @ 1..) => format!("\n…还有 {more} 人"),
        Some(0) | None => String::new(),
    };
    format!("{} 天未发言: {} / {} 人{since}{lines}{more}", days, quiet.len(), members.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> ContactId {
        format!("p{n}").parse().unwrap()
    }

    fn spoke(days: &[i64], name: &str) -> Tally {
        let mut tally = Tally::default();
        for day in days {
            tally.add(*day, day * DAY_MS, name);
        }
        tally
    }

    #[test]
    fn weeks_begin_on_mondays() {
        // 2026-01-01 was a Thursday, day 20,454.
        for (day, same_week_as_the_day_before) in
            [(20_454, true), (20_455, true), (20_457, true), (20_458, false), (4, false), (0, true), (-3, false)]
        {
            assert_eq!(week(day) == week(day - 1), same_week_as_the_day_before, "{day}");
        }
    }

    #[test]
    fn messages_are_counted_by_day_and_week() {
        let tally = spoke(&[20_450, 20_454, 20_455, 20_455], "a");
        let counts = |today| [Span::Day, Span::Week, Span::All].map(|span| tally.count(span, today));
        assert_eq!(counts(20_455), [2, 3, 4]);
        assert_eq!(counts(20_456), [0, 3, 4]);
        assert_eq!(counts(20_458), [0, 0, 4]);
        assert_eq!((tally.first_day(), tally.last_ms()), (20_450, 20_455 * DAY_MS));
    }

    #[test]
    fn a_member_costs_little() {
        let mut tally = spoke(&[20_455], &"名".repeat(50));
        tally.0 = 1_000_000;
        let stored = serde_json::to_string(&tally).unwrap();
        assert!(stored.len() < 130, "{} bytes: {stored}", stored.len());
    }

    #[test]
    fn lists_are_ranked_and_short() {
        let all: Vec<(ContactId, Tally)> = vec![
            (id(1), spoke(&[20_455; 2], "甲")),
            (id(2), spoke(&[20_455; 3], "乙\n@all")),
            (id(3), spoke(&[20_400; 9], "丙")),
        ];
        assert_eq!(top(&all, Span::Week, 20_455), "本周发言排行(2 人,5 条)\n1. 乙 ＠all 3 条\n2. 甲 2 条");
        assert!(top(&all, Span::All, 20_455).starts_with("累计发言排行(3 人,14 条)\n1. 丙 9 条"));
        assert_eq!(top(&all, Span::Day, 20_456), "今日还没有人发言");
        assert_eq!(place(&all, &id(1), Span::Week, 20_455), Some(2));
        assert_eq!(place(&all, &id(3), Span::Week, 20_455), None);
        let many: Vec<_> = (0..500).map(|n| (id(n), spoke(&[20_455], &"名".repeat(20)))).collect();
        assert!(top(&many, Span::Day, 20_455).len() < 1_000);
    }

    #[test]
    fn who_is_silent() {
        let now_ms = 100 * DAY_MS;
        let seen = |name: &str, last: Option<i64>, joined: Option<i64>| Seen {
            name: name.into(),
            last_ms: last.map(|day| day * DAY_MS),
            joined_ms: joined.map(|day| day * DAY_MS),
        };
        let members = [
            seen("speaks", Some(99), None),
            seen("never", None, None),
            seen("new", None, Some(98)),
            seen("quiet", Some(60), None),
            seen("quieter", Some(20), Some(1)),
        ];
        assert_eq!(
            silent(&members, 30, now_ms, Some("2026-01-01")),
            "30 天未发言: 3 / 5 人(统计始于 2026-01-01)\nquieter 80 天\nquiet 40 天\nnever 从未发言"
        );
        assert_eq!(silent(&members[..1], 30, now_ms, None), "30 天内大家都发过言");
        let many: Vec<Seen> = (0..500).map(|_| seen(&"名".repeat(30), None, None)).collect();
        let told = silent(&many, 30, now_ms, None);
        assert!(told.ends_with("…还有 470 人") && told.len() < 4_096, "{}", told.len());
    }

    #[test]
    fn spans_have_words() {
        assert_eq!(
            [Span::parse("DAY"), Span::parse("本周"), Span::parse("总")],
            [Ok(Span::Day), Ok(Span::Week), Ok(Span::All)]
        );
        assert!(Span::parse("年").is_err());
    }
}
