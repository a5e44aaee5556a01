//! What is done about an offence? One more strike, and the rung of the ladder that it leads to; within a minute the same
//! is not done twice about the same member.

use wxbot_plugin::model::Person;
use wxbot_plugin::prelude::*;

use super::offence::Offence;
use super::state::{MemberKey, mark};
use super::{Guard, white_key};
use crate::act::{Deed, Doing};
use crate::audit::{Undo, Whom};
use crate::ladder::{self, Rung, Strikes};
use crate::life::names;

/// How long after a removal somebody who speaks was perhaps not removed.
const STILL_MS: i64 = 3_600_000;

/// Judges one offence. `None` when the member is one who is never judged.
pub(crate) async fn punish(
    guard: &Guard,
    doing: &Doing<'_>,
    event: &Event,
    sender: &Person,
    offence: Offence,
) -> Result<Option<Effects>, PluginError> {
    let (cx, room) = (doing.cx, &event.chat.id);
    if cx.kv_get::<serde_json::Value>(&white_key(room, &sender.id)).await?.is_some() {
        cx.note(offence.feature, false, || format!("{}, by one on this room's whitelist", offence.why));
        return Ok(None);
    }
    if !offence.strike {
        return ask_the_room(guard, doing, event, sender, &offence).await.map(Some);
    }
    let (now_ms, key, mark) = (cx.now_ms(), MemberKey::of(&sender.id), mark(&event.key));
    let kept = ladder::key(doing.is_shadow(), room, &sender.id);
    let was: Strikes = cx.kv_get(&kept).await?.unwrap_or_default();
    let ladder = &doing.settings.ladder;
    let before = ladder.left(was, now_ms);
    let (n, rung) = ladder.climb(before, offence.rung);
    let lately = guard.state.room(cx.account(), room, |room| room.member(key, now_ms).acted(mark, now_ms));
    // Nothing graver can follow: the rest of a storm is read and not written about.
    let spent = lately.is_some_and(|lately| Some(lately) >= rung && lately >= ladder.top());
    let once_a_minute = offence.feature == "quiet" && lately.is_some();
    if spent || once_a_minute {
        cx.note(offence.feature, true, || format!("{}, and something was done about it a moment ago", offence.why));
        return Ok(Some(Effects::none()));
    }
    let removes = rung == Some(Rung::Remove) && cx.can(Capability::RemoveMembers) && !doing.is_shadow();
    let removed_ms = if removes { Some(now_ms) } else { was.removed_ms };
    let deed = Deed::new(offence.feature, "记一次", room)
        .whom([Whom::of(cx, sender)])
        .why(offence.in_full())
        .keeps(Effects::none().put(kept, &Strikes { n, at_ms: now_ms, removed_ms })?)
        .undo([Undo::Strikes { member: sender.id.clone(), strikes: n - before }]);
    // The same again within a minute is counted and not said.
    let Some(rung) = rung.filter(|rung| lately.is_none_or(|lately| lately < *rung)) else {
        return doing.act(deed).await.map(Some);
    };
    guard.state.room(cx.account(), room, |room| room.member(key, now_ms).acts(rung, mark, now_ms));
    // Who still speaks was not removed, or came back.
    let still_here = was.removed_ms.is_some_and(|at_ms| (0..STILL_MS).contains(&now_ms.saturating_sub(at_ms)));
    let deed = Step { doing, room, sender, offence: &offence, n, still_here }.take(rung, deed);
    doing.act(deed).await.map(Some)
}

/// One step on the ladder, in words.
struct Step<'a> {
    doing: &'a Doing<'a>,
    room: &'a ContactId,
    sender: &'a Person,
    offence: &'a Offence,
    n: u32,
    still_here: bool,
}

impl Step<'_> {
    fn take(&self, rung: Rung, deed: Deed) -> Deed {
        let Self { doing, room, sender, offence, n, still_here } = self;
        let (name, why) = (names::public(doing.cx, sender), &offence.why);
        let room_name = doing.room_name(room);
        let next = if doing.settings.ladder.remove.is_some() { ",再犯将被移出本群" } else { "" };
        match rung {
            Rung::Warn => {
                let text = format!("请注意:{why}。请遵守群规 (第 {n} 次)");
                deed.called("警告").does(doing.say_to_sender(&text, &format!("请注意 {name}:{why}")))
            }
            Rung::Notice => {
                let told = doing.tell(room, &format!("「{room_name}」{name} 第 {n} 次违规:{}", offence.in_full()));
                deed.called("通报").does(doing.say(&format!("⚠️ {name} 第 {n} 次违规:{why}{next}"))).does(told)
            }
            Rung::Remove if doing.cx.can(Capability::RemoveMembers) => {
                let out = Effects::none().remove_members((*room).clone(), [sender.id.clone()]);
                let deed = deed.called("移出").does(out).undo([Undo::Invite { members: vec![sender.id.clone()] }]);
                let why_told = offence.in_full();
                if *still_here {
                    // The room was told already, and what it was told may not be true.
                    let told = "移出后仍在群里:本账号可能没有权限,请看一下";
                    return deed
                        .does(doing.tell(room, &format!("「{room_name}」{name} {told}。又一次移出:{why_told}")));
                }
                let told = format!("「{room_name}」移出 {name}:{why_told}。在群里发「撤销」可撤销");
                deed.does(doing.say(&format!("{name} 因{why}将被移出本群"))).does(doing.tell(room, &told))
            }
            Rung::Remove => {
                let why = offence.in_full();
                let told =
                    doing.tell(room, &format!("「{room_name}」{name} 该移出了:{why}。本账号不能移出成员,请手动处理"));
                deed.called("请人移出").does(told)
            }
        }
    }
}

/// Several say the same: the room is asked to stop, once a minute.
async fn ask_the_room(
    guard: &Guard,
    doing: &Doing<'_>,
    event: &Event,
    sender: &Person,
    offence: &Offence,
) -> Result<Effects, PluginError> {
    let (now_ms, mark) = (doing.cx.now_ms(), mark(&event.key));
    if !guard.state.room(doing.cx.account(), &event.chat.id, |room| room.may_ask(mark, now_ms)) {
        doing.cx.note(offence.feature, true, || "the room was asked to stop a moment ago".to_owned());
        return Ok(Effects::none());
    }
    let deed =
        Deed::new(offence.feature, "请停", &event.chat.id).whom([Whom::of(doing.cx, sender)]).why(offence.in_full());
    doing.act(deed.does(doing.say("请不要刷同样的内容"))).await
}
