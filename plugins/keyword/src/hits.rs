//! Which keywords are said how often, where, and on which day? For each chat 31 days, each with its most frequent ones.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use wxbot_plugin::local::Local;
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::shortened;

use crate::judge::Ruling;
use crate::kept;
use crate::settings::Settings;

/// How many days are kept: each overwrites the one of a month ago.
const DAYS: i64 = 31;
/// How many keywords of one day and chat are told apart.
const MOST: usize = 100;
/// How much of a keyword is kept; a regex may be long.
const WORD_BYTES: usize = 80;
/// How many are shown.
const SHOWN: usize = 10;
/// How many days of chats are looked through for all chats together.
const LOOKED_AT: usize = 20_000;
/// How long that may take: a handler has 30 s, and people wait less.
const LOOKS_FOR: Duration = Duration::from_secs(8);

/// One day of one chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Day {
    /// Days since 1970.
    pub(crate) day: i64,
    /// All hits, those of forgotten keywords too.
    pub(crate) total: u64,
    /// By rule and keyword.
    pub(crate) words: BTreeMap<String, u64>,
}

fn key(chat: &ContactId, day: i64) -> String {
    format!("hits:{chat}:{:02}", day.rem_euclid(DAYS))
}

impl Day {
    fn count(&mut self, word: String) {
        self.total = self.total.saturating_add(1);
        if let Some(count) = self.words.get_mut(&word) {
            *count = count.saturating_add(1);
            return;
        }
        if self.words.len() >= MOST {
            let rarest = self.words.iter().min_by_key(|(_, count)| **count).map(|(word, _)| word.clone());
            rarest.and_then(|rarest| self.words.remove(&rarest));
        }
        self.words.insert(word, 1);
    }
}

/// Counts what the rules found that acted. Events of one chat come one after the other, so that no other one counts on the
/// same day meanwhile.
pub(crate) async fn count(
    settings: &Settings,
    event: &Event,
    cx: &Ctx,
    rulings: &[Ruling<'_>],
) -> Result<Effects, PluginError> {
    let acting = rulings.iter().filter(|ruling| ruling.why_not.is_none());
    let words: Vec<String> =
        acting.flat_map(|ruling| ruling.found.hits.iter().map(|hit| word(&ruling.name, &hit.keyword))).collect();
    if words.is_empty() {
        return Ok(Effects::none());
    }
    let today = Local::at(cx.now_ms(), &settings.tz).day_number;
    let key = key(&event.chat.id, today);
    let kept: Option<Value> = cx.kv_get(&key).await?;
    let kept: Option<Day> = kept.and_then(|value| kept::understood(&key, &value));
    let mut day = kept.filter(|day| day.day == today).unwrap_or(Day { day: today, ..Day::default() });
    words.into_iter().for_each(|word| day.count(word));
    Ok(Effects::none().put(key, &day)?)
}

fn word(rule: &str, keyword: &str) -> String {
    format!("{rule}「{}」", shortened(keyword, WORD_BYTES))
}

/// The most frequent keywords of the last days, in a chat or in all.
pub(crate) async fn top(
    settings: &Settings,
    cx: &Ctx,
    chat: Option<&ContactId>,
    days: i64,
) -> Result<String, PluginError> {
    let days = days.clamp(1, DAYS);
    let today = Local::at(cx.now_ms(), &settings.tz).day_number;
    let prefix = chat.map_or_else(|| "hits:".to_owned(), |chat| format!("hits:{chat}:"));
    let (mut total, mut words, mut looked_at) = (0u64, BTreeMap::<String, u64>::new(), 0);
    let (mut page, began) = (KvPage::of(KvPage::MOST), Instant::now());
    let partial = loop {
        let rows: Vec<(String, Value)> = cx.kv_list(&prefix, page).await?;
        looked_at += rows.len();
        let last = rows.last().map(|(key, _)| key.clone()).filter(|_| rows.len() >= KvPage::MOST);
        let read = rows.into_iter().filter_map(|(key, value)| kept::understood::<Day>(&key, &value));
        for day in read.filter(|day| is_recent(day.day, today, days)) {
            total = total.saturating_add(day.total);
            for (word, count) in day.words {
                let sum = words.entry(word).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        match last {
            None => break "",
            Some(_) if looked_at >= LOOKED_AT || began.elapsed() >= LOOKS_FOR => {
                break "\n会话太多,只数了一部分;在群里问就是那个群的 (only a part was counted)";
            }
            Some(last) => page = KvPage::of(KvPage::MOST).after(last),
        }
    };
    if total == 0 {
        return Ok(format!("近 {days} 天没有命中 (no hits){partial}"));
    }
    let mut words: Vec<(String, u64)> = words.into_iter().collect();
    words.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    let lines = words.iter().take(SHOWN).enumerate().map(|(n, (word, count))| format!("{}. {word} {count}", n + 1));
    let lines: Vec<String> = lines.collect();
    Ok(format!("近 {days} 天命中 {total} 次 (hits)\n{}{partial}", lines.join("\n")))
}

fn is_recent(day: i64, today: i64, days: i64) -> bool {
    today.checked_sub(day).is_some_and(|ago| (0..days).contains(&ago))
}

/// Whether this value says nothing any more. One that nobody understands does not.
pub(crate) fn is_over(key: &str, value: &Value, today: i64) -> bool {
    kept::understood::<Day>(key, value).is_none_or(|day| today.checked_sub(day.day).is_none_or(|ago| ago >= DAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_keeps_its_most_frequent_words() {
        let mut day = Day::default();
        for n in 0..MOST {
            (0..2).for_each(|_| day.count(word("r", &n.to_string())));
        }
        (0..500).for_each(|n| day.count(word("r", &format!("once {n} {}", "长".repeat(300)))));
        assert_eq!((day.words.len(), day.total), (MOST, 700));
        assert_eq!(day.words.values().filter(|count| **count == 2).count(), MOST - 1, "the rarest go");
        assert!(serde_json::to_string(&day).unwrap().len() < 64 * 1024);
    }

    #[test]
    fn a_day_takes_the_place_of_one_a_month_ago() {
        let chat: ContactId = "r1".parse().unwrap();
        assert_eq!(key(&chat, 20_000), key(&chat, 20_000 + DAYS));
        assert_ne!(key(&chat, 20_000), key(&chat, 20_001));
    }
}
