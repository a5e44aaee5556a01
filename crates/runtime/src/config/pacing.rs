//! What do `[pacing]` and `[accounts.pacing]` come to, over what the protocol says?

use std::time::Duration;

use wxbot_model::span::{Rate, parse_duration};

use super::check::OFF;
use super::settings::{Pacing, Quiet};
use super::tree::{Node, Shape, Table};
use super::view::Account;
use crate::pacing::{Manners, OnRepeat, OnSameText, Pace, Pushes, Repeat, SameText, WarmUp};

/// The common table and the account's own, in the order in which the later one counts.
fn tables<'a>(account: &Account<'a>) -> impl Iterator<Item = &'a Table> + Clone {
    [account.root, account.table].into_iter().filter_map(|table| table.table("pacing"))
}

fn rate(table: &Table, key: &str) -> Option<Rate> {
    table.text(key)?.parse().ok()
}

fn duration(table: &Table, key: &str) -> Option<Duration> {
    parse_duration(table.text(key)?).ok()
}

fn number(table: &Table, key: &str) -> Option<u32> {
    let Some(Node { shape: Shape::Integer(number), .. }) = table.get(key) else { return None };
    u32::try_from(*number).ok()
}

/// How the account sends.
pub(super) fn pacing(account: &Account<'_>, of_protocol: Pacing) -> Pacing {
    let mut pacing = of_protocol;
    for table in tables(account) {
        pacing.per_account = rate(table, "per_account").unwrap_or(pacing.per_account);
        pacing.per_chat = rate(table, "per_chat").unwrap_or(pacing.per_chat);
        pacing.max_age = duration(table, "max_age").unwrap_or(pacing.max_age);
        pacing.burst = number(table, "burst").unwrap_or(pacing.burst);
    }
    let is_lifted = |pacing: &Pacing| Pace::new(pacing.per_account, pacing.burst).is_none();
    if is_lifted(&pacing) && !is_lifted(&of_protocol) {
        // Whoever lifts the pace measures the machinery, not its politeness.
        (pacing.lifted, pacing.manners) = (true, Manners::NONE);
    }
    if account.table.get("endpoint").is_some() {
        // It is not WeChat that is reached there: nobody watches logins.
        pacing.manners.warm_up = WarmUp::NONE;
    }
    for table in tables(account) {
        manners(table, &mut pacing.manners);
    }
    pacing
}

fn manners(table: &Table, manners: &mut Manners) {
    let Manners { kinds, jitter_percent, warm_up, same_text, repeat, pushes } = manners;
    for (key, of) in [
        ("texts", &mut kinds.text),
        ("media", &mut kinds.media),
        ("friend_requests", &mut kinds.friend_request),
        ("friend_accepts", &mut kinds.friend_accept),
        ("room_changes", &mut kinds.room_change),
        ("recalls", &mut kinds.recall),
    ] {
        *of = rate(table, key).or(*of);
    }
    *jitter_percent = number(table, "jitter").unwrap_or(*jitter_percent);
    *warm_up = WarmUp {
        over: duration(table, "warm_up").unwrap_or(warm_up.over),
        from_percent: number(table, "warm_up_from").unwrap_or(warm_up.from_percent),
    };
    *same_text = SameText {
        act: match table.text("same_text") {
            Some("refuse") => OnSameText::Refuse,
            Some("wait") => OnSameText::Wait,
            Some("allow") => OnSameText::Allow,
            Some(_) | None => same_text.act,
        },
        chats: number(table, "same_text_chats").unwrap_or(same_text.chats),
        per: duration(table, "same_text_per").unwrap_or(same_text.per).min(SameText::LONGEST),
        answers_too: table.text("same_text_for").map_or(same_text.answers_too, |what| what == "all"),
    };
    *repeat = Repeat {
        act: match table.text("repeat") {
            Some("space") => OnRepeat::Space,
            Some("drop") => OnRepeat::Drop,
            Some("allow") => OnRepeat::Allow,
            Some(_) | None => repeat.act,
        },
        after: duration(table, "repeat_after").unwrap_or(repeat.after).min(SameText::LONGEST),
    };
    *pushes = match table.text("pushes") {
        Some("wait") => Pushes::Wait,
        Some("merge") => Pushes::Merge,
        Some("expire") => Pushes::Expire,
        Some(_) | None => *pushes,
    };
}

/// When the account is quiet.
pub(super) fn quiet(account: &Account<'_>) -> Option<Quiet> {
    let last = |key: &str| tables(account).filter_map(|table| table.text(key)).last();
    let hours = last("quiet").filter(|text| *text != OFF)?.parse().ok()?;
    let zone = last("tz").and_then(|name| name.parse().ok()).unwrap_or_default();
    Some(Quiet { hours, zone, answers_too: last("quiet_for") == Some("all") })
}
