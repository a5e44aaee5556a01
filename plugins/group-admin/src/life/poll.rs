//! How does a room vote? What opens a poll, what counts as a vote, and how the result reads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::ContactId;
use wxbot_plugin::model::span::{parse_duration, show_duration};
use wxbot_plugin::text::{fold, is_invisible, narrow, shortened};

use super::names::shown;
use crate::act::clipped;

/// Options of one poll.
const MOST_OPTIONS: usize = 20;
/// Chinese characters of a title; an emoji counts for more.
const TITLE: usize = 100;
/// Chinese characters of an option.
const OPTION: usize = 40;
/// Bytes of a Chinese character: texts have an end in bytes.
const WIDE: usize = 3;
/// Bytes of the options that are named as equals.
const EQUALS: usize = 600;
/// Votes of one poll. The largest rooms have 500 members; whoever left has voted too.
const MOST_VOTES: usize = 2_000;
/// How wide the bar of an option with all votes is.
const BAR: usize = 10;
/// The shortest poll.
const SHORTEST: Duration = Duration::from_secs(10);
/// How it goes, behind every mistake.
const USAGE: &str = "用法: 投票 标题 | 选项一 | 选项二 | 10m";

/// What somebody typed to open a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) title: String,
    pub(crate) options: Vec<String>,
    /// How long it is open; `None`: as long as the settings say.
    pub(crate) lasts: Option<Duration>,
}

/// A poll that is open, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Poll {
    /// The event that opened it, so that a timer of an earlier one does not close it.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) options: Vec<String>,
    /// Who may close it besides admins.
    pub(crate) by: ContactId,
    pub(crate) until_ms: i64,
    /// When the count was last told.
    #[serde(default)]
    pub(crate) told_ms: i64,
    #[serde(default)]
    votes: BTreeMap<ContactId, u8>,
}

/// What became of a vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cast {
    /// A new vote, or another one than before.
    Counted {
        /// True when the person had voted for something else.
        changed: bool,
    },
    /// The person had voted for that already.
    Same,
    /// There is no such option.
    NoSuch,
    /// There are too many votes.
    Full,
}

impl Wanted {
    /// Reads `title | A | B`, or each on a line of its own, and at the end perhaps how long: `| 10m`, `B [10m]` or `B 10m`.
    ///
    /// # Errors
    /// What is wrong, for whoever typed it.
    pub(crate) fn parse(text: &str, longest: Duration) -> Result<Self, String> {
        let mut parts: Vec<String> = text.split(['|', '｜', '\n']).map(one_line).collect();
        parts.retain(|part| !part.is_empty());
        let lasts = parts.pop().map(|last| {
            let (rest, lasts) = split_duration(&last, parts.len() >= 3);
            parts.extend(rest);
            lasts
        });
        let mut parts = parts.into_iter();
        let Some(title) = parts.next() else { return Err(USAGE.to_owned()) };
        let options: Vec<String> = parts.collect();
        if title.len() > TITLE * WIDE {
            return Err(format!("标题太长了,最多 {TITLE} 个字 (title too long)"));
        }
        match options.len() {
            0 | 1 => return Err(format!("至少要两个选项 (two options at least)\n{USAGE}")),
            2..=MOST_OPTIONS => {}
            many => return Err(format!("{many} 个选项太多了,最多 {MOST_OPTIONS} 个 (too many options)")),
        }
        for (n, option) in options.iter().enumerate() {
            if option.len() > OPTION * WIDE {
                return Err(format!("第 {} 个选项太长了,最多 {OPTION} 个字 (option too long)", n + 1));
            }
            if options.iter().take(n).any(|before| fold(before) == fold(option)) {
                return Err(format!("选项「{option}」重复了 (the same option twice)"));
            }
        }
        let lasts = lasts.flatten();
        if let Some(lasts) = lasts.filter(|lasts| *lasts < SHORTEST || *lasts > longest) {
            let (asked, least, most) = (show_duration(lasts), show_duration(SHORTEST), show_duration(longest));
            return Err(format!("投票时间要在 {least} 到 {most} 之间,不能是 {asked} (too short or too long)"));
        }
        Ok(Self { title, options, lasts })
    }
}

/// White space of any sort is one space, and an `@` is none that rings: what a poll says again and again is typed by
/// somebody.
fn one_line(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_invisible(*c));
    let quiet: String = seen.map(|c| if c == '@' { '\u{FF20}' } else { c }).collect();
    quiet
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last part without the duration at its end. A part that is nothing but a duration is one only where enough options
/// stand before it: `多久? | 10m | 20m` asks for two durations.
fn split_duration(last: &str, enough_before: bool) -> (Option<String>, Option<Duration>) {
    let read = |word: &str| {
        let plain: String = word.chars().map(narrow).collect();
        parse_duration(&plain.to_lowercase()).ok()
    };
    let bare = |text: &str| text.trim_matches(['[', ']', '【', '】', '［', '］']).trim().to_owned();
    let bracketed = bare(last) != last;
    if let Some(lasts) = read(&bare(last)).filter(|_| enough_before || bracketed) {
        return (None, Some(lasts));
    }
    if let Some((rest, word)) = last.rsplit_once([' ', '[', '【', '［'])
        && let Some(lasts) = read(&bare(word))
        && !rest.trim().is_empty()
    {
        return (Some(rest.trim_end_matches(['[', '【', '［', ' ']).to_owned()), Some(lasts));
    }
    (Some(last.to_owned()), None)
}

/// The number of an option: nothing but a number, in any width.
pub(crate) fn number(text: &str) -> Option<usize> {
    let plain: String = text.trim().chars().map(narrow).collect();
    if plain.is_empty() || plain.len() > 3 || !plain.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    plain.parse().ok()
}

impl Poll {
    pub(crate) fn open(id: String, wanted: Wanted, by: ContactId, until_ms: i64) -> Self {
        let Wanted { title, options, lasts: _ } = wanted;
        Self { id, title, options, by, until_ms, told_ms: 0, votes: BTreeMap::new() }
    }

    /// A vote for the option with this number, which people count from 1. A later one of the same person replaces it.
    pub(crate) fn vote(&mut self, by: &ContactId, number: usize) -> Cast {
        let Ok(choice) = u8::try_from(number) else { return Cast::NoSuch };
        if number == 0 || number > self.options.len() {
            return Cast::NoSuch;
        }
        if self.votes.len() >= MOST_VOTES && !self.votes.contains_key(by) {
            return Cast::Full;
        }
        match self.votes.insert(by.clone(), choice) {
            Some(before) if before == choice => Cast::Same,
            before => Cast::Counted { changed: before.is_some() },
        }
    }

    /// How many have voted.
    pub(crate) fn voters(&self) -> usize {
        self.votes.len()
    }

    /// What an option is called, by its number.
    pub(crate) fn option(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|at| self.options.get(at)).map_or("", String::as_str)
    }

    /// How the poll is put to the room.
    pub(crate) fn question(&self, by: &str, lasts_ms: i64) -> String {
        let lasts = lasting(lasts_ms);
        let mut text = format!("📊 {} 发起投票: {}", shown(by), self.title);
        for (n, option) in self.options.iter().enumerate() {
            text.push_str(&format!("\n{}. {option}", n + 1));
        }
        let how = format!("\n回复数字投票,可以改,{lasts}后截止");
        format!("{}{how}", clipped(&text))
    }

    /// The votes of each option, as far as they have come.
    pub(crate) fn counts(&self) -> String {
        let counts = self.tally();
        let mut text = String::new();
        for (n, (option, count)) in self.options.iter().zip(&counts).enumerate() {
            let share = if self.votes.is_empty() { 0 } else { count * 100 / self.votes.len() };
            let bar = "█".repeat(share * BAR / 100);
            let gap = if bar.is_empty() { "" } else { " " };
            text.push_str(&format!("\n{}. {option}{gap}{bar} {count} 票 ({share}%)", n + 1));
        }
        text
    }

    /// How it ended.
    pub(crate) fn result(&self) -> String {
        let counts = self.tally();
        let most = counts.iter().copied().max().unwrap_or(0);
        let best: Vec<&str> =
            self.options.iter().zip(&counts).filter(|(_, count)| **count == most).map(|(o, _)| o.as_str()).collect();
        let verdict = match (most, best.as_slice()) {
            (0, _) => "没有人投票".to_owned(),
            (_, [one]) => format!("最多: {one}"),
            (_, several) => format!("并列: {}", shortened(&several.join("、"), EQUALS)),
        };
        let end = format!("\n共 {} 人投票,{}", self.votes.len(), shortened(&verdict, EQUALS + 100));
        // How it ended is said in any case; what was stored by another version may be longer than what is read today.
        let counts = format!("📊 投票结束: {}{}", self.title, self.counts());
        format!("{}{end}", shortened(&counts, 3_000))
    }

    fn tally(&self) -> Vec<usize> {
        (1..=self.options.len())
            .map(|n| self.votes.values().filter(|choice| usize::from(**choice) == n).count())
            .collect()
    }
}

/// How long something lasts, in the largest unit of which there is one: `10 分钟`.
pub(crate) fn lasting(ms: i64) -> String {
    let seconds = ms.max(0).cast_unsigned().div_ceil(1000);
    for (unit, size) in [("天", 86_400), ("小时", 3_600), ("分钟", 60)] {
        if seconds >= size && (seconds.is_multiple_of(size) || seconds >= 2 * size) {
            return format!("{} {unit}", seconds.div_ceil(size));
        }
    }
    format!("{seconds} 秒")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn person(n: usize) -> ContactId {
        format!("p{n}").parse().unwrap()
    }

    fn poll(options: &[&str]) -> Poll {
        let wanted =
            Wanted { title: "午饭".into(), options: options.iter().map(|o| (*o).to_owned()).collect(), lasts: None };
        Poll::open("7".into(), wanted, person(1), 0)
    }

    #[test]
    fn what_opens_a_poll() {
        let minutes = |n: u64| Some(Duration::from_secs(60 * n));
        for (text, title, options, lasts) in [
            ("午饭 | 面 | 饭", "午饭", &["面", "饭"][..], None),
            ("午饭|面|饭|10m", "午饭", &["面", "饭"], minutes(10)),
            ("午饭 ｜ 面 ｜ 饭 [１０m]", "午饭", &["面", "饭"], minutes(10)),
            ("午饭 | 面 | 炒 饭 2h", "午饭", &["面", "炒 饭"], minutes(120)),
            ("午饭 | 面 | 饭【5min】", "午饭", &["面", "饭"], minutes(5)),
            ("午饭\n面\n\n饭\n", "午饭", &["面", "饭"], None),
            ("开多久? | 10m | 20m", "开多久?", &["10m", "20m"], None),
            ("开多久? | 10m | 20m | [1h]", "开多久?", &["10m", "20m"], minutes(60)),
            ("@所有人 | a\tb | {{ c }}", "＠所有人", &["a b", "{{ c }}"], None),
        ] {
            let got = Wanted::parse(text, WEEK).unwrap();
            assert_eq!(
                (&*got.title, got.options.iter().map(String::as_str).collect::<Vec<_>>(), got.lasts),
                (title, options.to_vec(), lasts),
                "{text}"
            );
        }
    }

    #[test]
    fn what_opens_none() {
        let hundred = format!("t{}", "| x".repeat(100));
        let long = format!("{} | a | b", "长".repeat(4_000));
        let long_option = format!("t | {} | b", "长".repeat(41));
        let faces = format!("t | {} | b", "😀".repeat(40));
        for (text, why) in [
            ("", "用法"),
            (" | | ", "用法"),
            ("午饭", "两个选项"),
            ("午饭 | 面", "两个选项"),
            (&*hundred, "100 个选项太多"),
            (&*long, "标题太长"),
            (&*long_option, "第 1 个选项太长"),
            (&*faces, "第 1 个选项太长"),
            ("t | \u{200B} | b", "两个选项"),
            ("t | A | ａ", "重复"),
            ("t | a | b | 1s", "10s 到 7d"),
            ("t | a | b [400d]", "10s 到 7d"),
        ] {
            let told = Wanted::parse(text, WEEK).unwrap_err();
            assert!(told.contains(why) && told.len() < 300, "{why}: {told}");
        }
    }

    #[test]
    fn each_person_has_one_vote_and_may_change_it() {
        let mut poll = poll(&["面", "饭"]);
        assert_eq!(poll.vote(&person(1), 1), Cast::Counted { changed: false });
        assert_eq!(poll.vote(&person(1), 1), Cast::Same);
        assert_eq!(poll.vote(&person(1), 2), Cast::Counted { changed: true });
        for none in [0, 3, 256, usize::MAX] {
            assert_eq!(poll.vote(&person(2), none), Cast::NoSuch, "{none}");
        }
        assert_eq!(poll.voters(), 1);
        assert_eq!(poll.counts(), "\n1. 面 0 票 (0%)\n2. 饭 ██████████ 1 票 (100%)");
    }

    #[test]
    fn how_it_ends() {
        let mut poll = poll(&["面", "饭", "粥"]);
        assert!(poll.result().ends_with("共 0 人投票,没有人投票"));
        poll.vote(&person(1), 1);
        assert!(poll.result().ends_with("最多: 面"));
        poll.vote(&person(2), 3);
        assert!(poll.result().ends_with("共 2 人投票,并列: 面、粥"));
    }

    #[test]
    fn votes_and_what_is_stored_are_bounded() {
        let options: Vec<String> = (0..20).map(|n| format!("{}{n:02}", "长".repeat(38))).collect();
        let mut poll = poll(&options.iter().map(String::as_str).collect::<Vec<_>>());
        poll.title = "长".repeat(100);
        for n in 0..MOST_VOTES {
            poll.vote(&person(100_000 + n), n % 20 + 1);
        }
        assert_eq!(poll.vote(&person(1), 1), Cast::Full);
        let tie = poll.result();
        assert!(tie.len() < 4_096 && tie.contains("并列: "), "{} bytes", tie.len());
        assert_eq!(poll.vote(&person(100_000), 2), Cast::Counted { changed: true });
        let stored = serde_json::to_string(&poll).unwrap().len();
        assert!(stored < 40_000, "{stored} bytes");
        let longest = poll.result().len().max(poll.question(&"长".repeat(50), 1).len());
        assert!(longest < 4_096, "{longest} bytes");
    }

    #[test]
    fn a_row_of_another_version_is_said_all_the_same() {
        let mut poll = poll(&["😀".repeat(40).as_str(); 20]);
        for n in 0..20 {
            poll.vote(&person(n), n + 1);
        }
        for text in [poll.result(), poll.question("a", 1), poll.question_again(0)] {
            assert!(text.len() < 4_096 && text.contains("投票"), "{} bytes", text.len());
        }
        assert!(poll.result().contains("共 20 人投票"));
    }

    #[test]
    fn how_long_is_said_shortly() {
        for (ms, want) in [
            (600_000, "10 分钟"),
            (3_600_000, "1 小时"),
            (5_400_000, "90 分钟"),
            (90_000, "90 秒"),
            (-1, "0 秒"),
            (7_300_001, "3 小时"),
        ] {
            assert_eq!(lasting(ms), want);
        }
    }

    #[test]
    fn numbers_of_options() {
        for (text, want) in
            [("2", Some(2)), (" １２ ", Some(12)), ("2.", None), ("", None), ("1234", None), ("+1", None)]
        {
            assert_eq!(number(text), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,80}|[ab |\\[\\]10mh]{0,40}") {
            if let Ok(wanted) = Wanted::parse(&text, WEEK) {
                prop_assert!((2..=MOST_OPTIONS).contains(&wanted.options.len()));
                prop_assert!(!wanted.title.is_empty() && wanted.options.iter().all(|option| !option.is_empty()));
                prop_assert!(!wanted.options.iter().any(|option| option.contains(['\n', '@'])));
            }
        }
    }
}
