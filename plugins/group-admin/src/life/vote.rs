//! How does a poll live? It is opened and closed by command or timer, one at a time in each room; numbers are votes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::{Chat, Person};
use wxbot_plugin::prelude::*;

use super::names::public;
use super::poll::{Cast, Poll, Wanted, lasting, number};
use crate::act::{Deed, Doing, clipped};

/// How long votes are only counted after the count was told: in a storm of votes the room hears it six times a minute.
const TOLD_EVERY_MS: i64 = 10_000;
/// The longest poll where no settings say.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// What the timer of a poll brings.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Closing {
    id: String,
}

fn key(room: &ContactId) -> String {
    format!("poll:{room}")
}

fn said(room: &ContactId, effects: Effects) -> Deed {
    Deed::new("polls", "投票", room).does(effects).small()
}

/// 投票: opens a poll, or shows the open one.
pub(crate) async fn open(
    doing: &Doing<'_>,
    room: &Chat,
    by: &Person,
    what: Option<&str>,
) -> Result<Effects, PluginError> {
    let (cx, now_ms) = (doing.cx, doing.cx.now_ms());
    let stored: Option<Poll> = cx.kv_get(&key(&room.id)).await?;
    // Its timer was lost, or is late: how it ended is said now.
    let (running, over) = match stored {
        Some(poll) if poll.is_open(now_ms) => (Some(poll), None),
        over => (None, over),
    };
    let ended = over.as_ref().map_or_else(Effects::none, |poll| Effects::reply(poll.result()));
    let Some(what) = what else {
        let Some(running) = running else {
            let none = ended.and_reply("现在没有投票。发起: 投票 标题 | 选项一 | 选项二 | 10m");
            let kept = if over.is_some() { gone(&room.id) } else { Effects::none() };
            return doing.act(said(&room.id, none).keeps(kept)).await;
        };
        return doing.act(said(&room.id, Effects::reply(running.question_again(now_ms)))).await;
    };
    let allow = doing.settings.polls.as_ref().map_or(&Role::User, |polls| &polls.allow);
    if !cx.may(allow) {
        return Err(PluginError::told(format!("只有{}可以发起投票 (only: {allow})", called(allow))));
    }
    if let Some(running) = running {
        let title = &running.title;
        return Err(PluginError::told(format!("已有投票「{title}」,先「结束投票」吧 (one poll at a time)")));
    }
    let longest = doing.settings.polls.as_ref().map_or(LONGEST, |polls| polls.longest);
    let wanted = Wanted::parse(what, longest).map_err(PluginError::told)?;
    let usual = doing.settings.polls.as_ref().map_or(Duration::from_secs(3_600), |polls| polls.duration);
    let lasts = wanted.lasts.unwrap_or(usual.min(longest));
    let lasts_ms = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
    let poll = Poll::open(cx.message_id().to_string(), wanted, by.id.clone(), now_ms.saturating_add(lasts_ms));
    let kept = Effects::none().put(key(&room.id), &poll)?.timer(
        format!("poll:{}", room.id),
        lasts,
        &Closing { id: poll.id.clone() },
    )?;
    doing.act(said(&room.id, ended.and_reply(poll.question(&public(cx, by), lasts_ms))).keeps(kept)).await
}

/// A role, for people.
fn called(role: &Role) -> &str {
    match role {
        Role::Owner => "主人",
        Role::Admin => "管理员",
        Role::GroupAdmin => "群管理员",
        Role::User => "成员",
        Role::Custom(word) => word,
    }
}

/// A number alone, while a poll is open. One that is no option is no mistake: people write numbers.
pub(crate) async fn message(doing: &Doing<'_>, event: &Event, typed: &str) -> Result<Effects, PluginError> {
    let (Some(number), Some(sender)) = (number(typed), &event.sender) else { return Ok(Effects::none()) };
    if doing.settings.polls.is_none() {
        return Ok(Effects::none());
    }
    let Some(mut poll) = current(doing, &event.chat.id).await? else { return Ok(Effects::none()) };
    match poll.vote(&sender.id, number) {
        Cast::Counted { .. } => counted(doing, &event.chat.id, poll, sender, number, false).await,
        Cast::Same | Cast::NoSuch | Cast::Full => Ok(Effects::none()),
    }
}

/// 投: a vote that is always answered.
pub(crate) async fn cast(
    doing: &Doing<'_>,
    room: &Chat,
    by: &Person,
    choice: Option<&str>,
) -> Result<Effects, PluginError> {
    let choice = choice.and_then(number).ok_or_else(|| PluginError::told("用法: 投 选项的数字 (vote number)"))?;
    let poll = current(doing, &room.id).await?;
    let mut poll = poll.ok_or_else(|| PluginError::told("现在没有投票 (there is no poll)"))?;
    match poll.vote(&by.id, choice) {
        Cast::Counted { .. } => counted(doing, &room.id, poll, by, choice, true).await,
        Cast::Same => Err(PluginError::told("你已经投过这一项了 (counted already)")),
        Cast::NoSuch => Err(PluginError::told(format!("请投 1 到 {} (1 to {0}, please)", poll.options.len()))),
        Cast::Full => Err(PluginError::told("投票人数满了 (too many votes)")),
    }
}

async fn counted(
    doing: &Doing<'_>,
    room: &ContactId,
    mut poll: Poll,
    by: &Person,
    number: usize,
    answer: bool,
) -> Result<Effects, PluginError> {
    let now_ms = doing.cx.now_ms();
    let tell = answer || !(0..TOLD_EVERY_MS).contains(&(now_ms - poll.told_ms));
    let text = match tell {
        true => format!("{} 投了「{}」,共 {} 票", public(doing.cx, by), poll.option(number), poll.voters()),
        false => String::new(),
    };
    if tell {
        poll.told_ms = now_ms;
    }
    let effects = if text.is_empty() { Effects::none() } else { Effects::reply(text) };
    doing.act(said(room, effects).keeps(Effects::none().put(key(room), &poll)?)).await
}

/// 结束投票: by whoever opened it, or an admin.
pub(crate) async fn close(doing: &Doing<'_>, room: &Chat, by: &Person) -> Result<Effects, PluginError> {
    let poll: Option<Poll> = doing.cx.kv_get(&key(&room.id)).await?;
    let poll = poll.ok_or_else(|| PluginError::told("现在没有投票 (there is no poll)"))?;
    if poll.is_open(doing.cx.now_ms()) && poll.by != by.id && !doing.cx.may(&Role::GroupAdmin) {
        return Err(PluginError::told("只有发起人和管理员可以结束 (only whoever opened it, or an admin)"));
    }
    doing.act(said(&room.id, Effects::reply(poll.result())).keeps(gone(&room.id))).await
}

/// The room has no poll any more.
fn gone(room: &ContactId) -> Effects {
    Effects::none().delete(key(room)).cancel_timer(format!("poll:{room}"))
}

/// The time is over.
pub(crate) async fn timer(doing: &Doing<'_>, room: &ContactId, due: Closing) -> Result<Effects, PluginError> {
    let poll: Option<Poll> = doing.cx.kv_get(&key(room)).await?;
    let Some(poll) = poll.filter(|poll| poll.id == due.id) else { return Ok(Effects::none()) };
    let kept = Effects::none().delete(key(room));
    doing.act(said(room, Effects::none().and_send(room.clone(), poll.result())).keeps(kept)).await
}

/// The poll that is open. One whose time is over takes no votes, also while its timer is late.
async fn current(doing: &Doing<'_>, room: &ContactId) -> Result<Option<Poll>, PluginError> {
    let poll: Option<Poll> = doing.cx.kv_get(&key(room)).await?;
    Ok(poll.filter(|poll| poll.is_open(doing.cx.now_ms())))
}

impl Poll {
    /// Whether it takes votes. One whose time is over is none, also where nothing closed it.
    fn is_open(&self, now_ms: i64) -> bool {
        now_ms < self.until_ms
    }

    /// The open poll, for whoever asks.
    pub(super) fn question_again(&self, now_ms: i64) -> String {
        let left = lasting(self.until_ms.saturating_sub(now_ms));
        let counts = clipped(&format!("📊 {}{}", self.title, self.counts()));
        format!("{counts}\n回复数字投票,还有 {left}")
    }
}
