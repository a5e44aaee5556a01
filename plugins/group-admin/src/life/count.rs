//! How are messages counted, and who asks for the numbers? The commands 排行, 我的 and 潜水.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use wxbot_plugin::KvPage;
use wxbot_plugin::local::Local;
use wxbot_plugin::model::{Chat, Person};
use wxbot_plugin::prelude::*;

use super::local;
use super::names::public;
use super::stats::{Seen, Span, Tally, place, silent, top};
use crate::act::{Deed, Doing};

/// Members of one room that a list looks at: the largest rooms have 500, and some have left.
const MOST_ROWS: usize = 5_000;
fn key(room: &ContactId, person: &ContactId) -> String {
    format!("count:{room}:{person}")
}

/// A message of somebody is one more.
pub(crate) async fn message(doing: &Doing<'_>, event: &Event) -> Result<Effects, PluginError> {
    let Some(sender) = &event.sender else { return Ok(Effects::none()) };
    let said = event.message().is_some_and(|message| !message.from_self && message.content.kind() != "system");
    if doing.settings.stats.is_none() || !said {
        return Ok(Effects::none());
    }
    let key = key(&event.chat.id, &sender.id);
    let mut tally: Tally = doing.cx.kv_get(&key).await?.unwrap_or_default();
    tally.add(local(doing).day_number, doing.cx.now_ms(), &public(doing.cx, sender));
    Ok(Effects::none().put(key, &tally)?)
}

/// 排行: who spoke most.
pub(crate) async fn ranking(doing: &Doing<'_>, room: &Chat, span: Option<&str>) -> Result<Effects, PluginError> {
    let span = span.map_or(Ok(Span::default()), Span::parse).map_err(PluginError::told)?;
    let all = all(doing, room).await?;
    let deed = Deed::new("stats", "排行", &room.id).small();
    doing.act(deed.does(Effects::reply(top(&all, span, local(doing).day_number)))).await
}

/// 我的: one's own numbers.
pub(crate) async fn mine(doing: &Doing<'_>, room: &Chat, sender: &Person) -> Result<Effects, PluginError> {
    let all = all(doing, room).await?;
    let today = local(doing).day_number;
    let text = match all.iter().find(|(id, _)| *id == sender.id) {
        Some((_, tally)) => tally.own(today, place(&all, &sender.id, Span::Week, today)),
        None => "你还没有发言记录 (nothing is counted yet)".to_owned(),
    };
    doing.act(Deed::new("stats", "我的", &room.id).does(Effects::reply(text)).small()).await
}

/// 潜水: who says nothing.
pub(crate) async fn silence(
    doing: &Doing<'_>,
    room: &Chat,
    by: &Person,
    days: Option<u32>,
) -> Result<Effects, PluginError> {
    let days = days.or(doing.settings.stats.as_ref().map(|stats| stats.silent_days)).unwrap_or(30);
    if !(1..=3650).contains(&days) {
        return Err(PluginError::told("天数要在 1 到 3650 之间 (1 to 3650 days)"));
    }
    let counted: HashMap<ContactId, Tally> = all(doing, room).await?.into_iter().collect();
    let joined = super::welcome::joined(doing, &room.id).await?;
    let (members, now_ms) = (super::members(doing, &room.id).await?, doing.cx.now_ms());
    let seen = members.into_iter().filter(|member| !member.me).map(|member| {
        let tally = member.id.as_ref().and_then(|id| counted.get(id));
        Seen {
            name: member.public_name().to_owned(),
            // Whoever asks is not silent; that message is not committed yet.
            last_ms: if member.id.as_ref() == Some(&by.id) { Some(now_ms) } else { tally.map(Tally::last_ms) },
            joined_ms: joined.of(member.id.as_ref(), member.public_name()),
        }
    });
    let seen: Vec<Seen> = seen.collect();
    let first = counted.values().map(Tally::first_day).min();
    let first = first.map(|day| Local::at(day.saturating_mul(86_400_000), &utc()).date());
    Ok(Effects::reply(silent(&seen, days, now_ms, first.as_deref())))
}

/// Numbers of days begin at midnight of this clock.
fn utc() -> wxbot_plugin::local::Zone {
    "UTC".parse().unwrap_or_default()
}

async fn all(doing: &Doing<'_>, room: &Chat) -> Result<Vec<(ContactId, Tally)>, PluginError> {
    rows(doing, &format!("count:{}:", room.id)).await
}

/// Values of people under keys that end with their ids.
pub(super) async fn rows<T: DeserializeOwned>(
    doing: &Doing<'_>,
    prefix: &str,
) -> Result<Vec<(ContactId, T)>, PluginError> {
    let mut rows = Vec::new();
    let mut page = KvPage::of(KvPage::MOST);
    while rows.len() < MOST_ROWS {
        let found: Vec<(String, T)> = doing.cx.kv_list(prefix, page).await?;
        let (count, last) = (found.len(), found.last().map(|(key, _)| key.clone()));
        let id = |key: &str| key.strip_prefix(prefix).and_then(|id| id.parse().ok());
        rows.extend(found.into_iter().filter_map(|(key, value)| Some((id(&key)?, value))));
        match last {
            Some(last) if count == KvPage::MOST => page = KvPage::of(KvPage::MOST).after(last),
            Some(_) | None => break,
        }
    }
    Ok(rows)
}
