//! What of the KV store is of no use any more? Once a day rests that are over, what was passed on long ago and days of
//! more than a month ago are removed.

use serde_json::Value;
use wxbot_plugin::local::Local;
use wxbot_plugin::prelude::*;

use crate::settings::Settings;
use crate::{act, hits, kept};

/// Where the next day goes on, when there was too much for one.
const NEXT: &str = "tidied";
/// How many values are looked at in one day.
const LOOKED_AT: usize = 20_000;
/// How many are removed at once, and how long they are together: each is removed only if it still is as it was read.
const REMOVED: usize = 5_000;
const REMOVED_BYTES: usize = 4 << 20;

/// What values there are, by the beginning of their keys, and whether one is of no use any more.
const KINDS: [(&str, IsOver); 4] = [
    ("forwarded:", |key, value, now| act::are_passed(key, value, now.ms)),
    ("hits:", |key, value, now| hits::is_over(key, value, now.day)),
    ("invited:", |key, value, now| act::are_over(key, value, now.ms)),
    ("rest:", |key, value, now| act::are_over(key, value, now.ms)),
];

type IsOver = fn(key: &str, value: &Value, now: Now) -> bool;

#[derive(Debug, Clone, Copy)]
struct Now {
    ms: i64,
    day: i64,
}

/// Removes what is of no use, from where the last day ended.
pub(crate) async fn tidy(settings: &Settings, cx: &Ctx) -> Result<Effects, PluginError> {
    let now = Now { ms: cx.now_ms(), day: Local::at(cx.now_ms(), &settings.tz).day_number };
    let was: Option<Value> = cx.kv_get(NEXT).await?;
    let from: String = was.as_ref().and_then(|value| kept::understood(NEXT, value)).unwrap_or_default();
    let (mut effects, mut looked_at, mut removed, mut bytes) = (Effects::none(), 0, 0, 0);
    for (prefix, is_over) in KINDS {
        // Keys are in order, and so are the kinds.
        let mut after = (*from > *prefix).then(|| from.clone());
        if after.as_ref().is_some_and(|after| !after.starts_with(prefix)) {
            continue;
        }
        loop {
            let page = after.take().map_or(KvPage::of(KvPage::MOST), |after| KvPage::of(KvPage::MOST).after(after));
            let rows: Vec<(String, Value)> = cx.kv_list(prefix, page).await?;
            looked_at += rows.len();
            let last = rows.last().map(|(key, _)| key.clone()).filter(|_| rows.len() >= KvPage::MOST);
            for (key, value) in rows.iter().filter(|(key, value)| is_over(key, value, now)) {
                effects = effects.swap(key.clone(), Some(value), None::<&Value>)?;
                removed += 1;
                bytes += value.to_string().len();
                if removed >= REMOVED || bytes >= REMOVED_BYTES {
                    return Ok(effects.swap(NEXT, was.as_ref(), Some(key))?);
                }
            }
            match last {
                None => break,
                Some(last) if looked_at >= LOOKED_AT => {
                    return Ok(effects.swap(NEXT, was.as_ref(), Some(&last))?);
                }
                Some(last) => after = Some(last),
            }
        }
    }
    match was {
        Some(was) => Ok(effects.swap(NEXT, Some(&was), None::<&Value>)?),
        None => Ok(effects),
    }
}
