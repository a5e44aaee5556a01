//! Is a room's name set back? When it is locked, somebody else changed it, and it is no tug-of-war.

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::{Chat, Person, Who};
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::is_invisible;

use super::names::{shown, told};
use super::topic_of;
use crate::act::{Deed, Doing};
use crate::audit::{Undo, Whom};

/// Characters of a room's name; WeChat takes no more.
const LONGEST: usize = 32;
/// How often a name is set back within [`WAR_MS`] before people are left to talk.
const MOST: usize = 3;
const WAR_MS: i64 = 3_600_000;

/// Names that we gave a room and of which the service may still tell.
const MOST_SET: usize = 4;

/// The name that admins gave, as stored: `None` inside means unlocked by command, whatever the settings say.
type Locked = Option<String>;

/// When the name was set back lately, as it is stored, and whether the owner was told that we stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct War {
    back_ms: Vec<i64>,
    #[serde(default)]
    told_ms: i64,
}

/// What is done about another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is set back.
    SetBack,
    /// It was set back too often: the owner is told, and the name stays until somebody decides.
    Notify,
    /// Nothing more: the owner knows.
    Wait,
}

impl War {
    /// Somebody changed the name again.
    pub(crate) fn changed(&mut self, now_ms: i64) -> Answer {
        // What lies in the future comes from a clock that was set back.
        self.back_ms.retain(|at| (0..WAR_MS).contains(&(now_ms - at)));
        if self.back_ms.len() < MOST {
            self.back_ms.push(now_ms);
            return Answer::SetBack;
        }
        if (0..WAR_MS).contains(&(now_ms - self.told_ms)) {
            return Answer::Wait;
        }
        self.told_ms = now_ms;
        Answer::Notify
    }
}

/// A name that a room can have.
///
/// # Errors
/// Why not, for whoever typed it.
pub(crate) fn parse(name: &str) -> Result<String, String> {
    let flat = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
    let name: String = name.chars().filter(|c| !is_invisible(*c)).map(flat).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        0 => Err("群名不能是空的 (the name is empty)".to_owned()),
        many if many > LONGEST => Err(format!("群名最多 {LONGEST} 个字,这个有 {many} 个 (too long)")),
        _ => Ok(name),
    }
}

fn key(room: &ContactId) -> String {
    format!("topic:{room}")
}

/// Where the names are kept that we gave a room last.
fn set_key(room: &ContactId) -> String {
    format!("topic-set:{room}")
}

fn war_key(room: &ContactId) -> String {
    format!("topic-war:{room}")
}

/// The name that the room is locked to: by command, else by the settings.
async fn locked(doing: &Doing<'_>, room: &ContactId) -> Result<Option<String>, PluginError> {
    if let Some(by_command) = doing.cx.kv_get::<Locked>(&key(room)).await? {
        return Ok(by_command);
    }
    let names = doing.settings.topic.as_ref().map(|topic| &topic.names);
    let name = names.and_then(|names| names.get(room.as_str()));
    Ok(name.and_then(|name| parse(name).ok()))
}

/// The service says that the room has another name. It tells who did it by name only, which is no proof of anything
/// (security R26): whoever it was, the name is set back, and admins use the command.
pub(crate) async fn changed(
    doing: &Doing<'_>,
    room: &ContactId,
    topic: &str,
    by: &Who,
) -> Result<Effects, PluginError> {
    if doing.settings.topic.is_none() || !doing.settings.covers(room) {
        return Ok(Effects::none());
    }
    let Some(name) = locked(doing, room).await? else { return Ok(Effects::none()) };
    if topic == name {
        return Ok(Effects::none());
    }
    // Our own doing comes back as an event, perhaps after the next one. `You` alone proves nothing: it is also what a
    // member may call themself.
    let ours: Vec<String> = doing.cx.kv_get(&set_key(room)).await?.unwrap_or_default();
    if by.is_me() && ours.iter().any(|name| name == topic) {
        return Ok(Effects::none());
    }
    if !doing.cx.can(Capability::RenameRoom) {
        doing.cx.note("topic", false, || "this account cannot rename rooms".to_owned());
        return Ok(Effects::none());
    }
    let mut war: War = doing.cx.kv_get(&war_key(room)).await?.unwrap_or_default();
    let answer = war.changed(doing.cx.now_ms());
    let kept = Effects::none().put(war_key(room), &war)?;
    match answer {
        Answer::SetBack => {
            let who = Whom::called(None, &told(doing.cx, by.name().unwrap_or("你")));
            let deed = Deed::new("topic", "恢复群名", room).whom([who]).why(format!("改成了「{}」", shown(topic)));
            let back = Effects::none()
                .set_topic(room.clone(), &*name)
                .and_send(room.clone(), "群名已锁定,已经改回来。改名请管理员发: 改名 新名字");
            // To leave it is to lock it: else it would be set back again.
            let lock = doing.cx.kv_get::<serde_json::Value>(&key(room)).await?;
            let undo = [
                Undo::Put { key: key(room), was: Some(serde_json::json!(topic)), left: lock },
                Undo::Topic { was: topic.to_owned() },
            ];
            let told = if by.is_me() {
                let line = format!(
                    "「{}」被本账号或叫「你」的人改名,已经改回。要改名请发: 改名 新名字 (renamed by you?)",
                    shown(&name)
                );
                doing.tell(room, &line)
            } else {
                Effects::none()
            };
            doing.act(deed.does(back).does(told).keeps(kept).undo(undo)).await
        }
        Answer::Notify => {
            let room_name = shown(&name);
            let line =
                format!("「{room_name}」的群名一小时内被改了 {} 次,先不改回了 (renamed again and again)", MOST + 1);
            Ok(kept.then(doing.tell(room, &line)))
        }
        Answer::Wait => Ok(kept),
    }
}

/// 改名: an admin names the room and locks it; without a name it is locked as it is.
pub(crate) async fn rename(
    doing: &Doing<'_>,
    room: &Chat,
    by: &Person,
    name: Option<&str>,
) -> Result<Effects, PluginError> {
    let before = topic_of(doing, &room.id);
    let now = parse(name.unwrap_or(&before)).map_err(PluginError::told)?;
    let was: Option<Locked> = doing.cx.kv_get(&key(&room.id)).await?;
    let said = if name.is_some() { "已改名并锁定" } else { "已锁定群名" };
    let mut done = Effects::reply(format!("{said}: {now}"));
    if now != before {
        if !doing.cx.can(Capability::RenameRoom) {
            return Err(PluginError::told("这个账号不能改群名 (this account cannot rename rooms)"));
        }
        done = done.set_topic(room.id.clone(), &*now);
    }
    if doing.is_shadow() {
        return Ok(Effects::reply(format!("观察模式: 会改成「{now}」并锁定 (shadow)")));
    }
    let (was, left) = (was.map(serde_json::to_value).transpose()?, Some(serde_json::json!(now)));
    let mut ours: Vec<String> = doing.cx.kv_get(&set_key(&room.id)).await?.unwrap_or_default();
    ours.retain(|name| *name != now);
    ours.push(now.clone());
    ours.drain(..ours.len().saturating_sub(MOST_SET));
    let undo = [Undo::Put { key: key(&room.id), was, left }, Undo::Topic { was: before }];
    let kept =
        Effects::none().put(key(&room.id), &Some(&now))?.put(set_key(&room.id), &ours)?.delete(war_key(&room.id));
    let deed = Deed::new("topic", "改名", &room.id).by(Whom::of(doing.cx, by)).why(format!("改成「{now}」"));
    doing.act(deed.does(done).keeps(kept).undo(undo)).await
}

/// 解锁群名: everybody may name the room again.
pub(crate) async fn unlock(doing: &Doing<'_>, room: &Chat, by: &Person) -> Result<Effects, PluginError> {
    if locked(doing, &room.id).await?.is_none() {
        return Err(PluginError::told("群名没有锁定 (the name is not locked)"));
    }
    if doing.is_shadow() {
        return Ok(Effects::reply("观察模式: 会解锁群名 (shadow)"));
    }
    let was: Option<Locked> = doing.cx.kv_get(&key(&room.id)).await?;
    let was = was.map(serde_json::to_value).transpose()?;
    let undo = [Undo::Put { key: key(&room.id), was, left: Some(serde_json::Value::Null) }];
    let kept = Effects::none().put(key(&room.id), &Locked::None)?.delete(war_key(&room.id));
    let deed = Deed::new("topic", "解锁群名", &room.id).by(Whom::of(doing.cx, by)).why("命令");
    doing.act(deed.does(Effects::reply("群名已解锁,大家都可以改了")).keeps(kept).undo(undo)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_set_back_three_times_an_hour() {
        let mut war = War::default();
        let minute = 60_000;
        let start = 1_000 * WAR_MS;
        for (at, want) in [
            (0, Answer::SetBack),
            (1, Answer::SetBack),
            (2, Answer::SetBack),
            (3, Answer::Notify),
            (4, Answer::Wait),
            (59, Answer::Wait),
            (60, Answer::SetBack),
            (60, Answer::Wait),
            (61, Answer::SetBack),
            (62, Answer::SetBack),
            (63, Answer::Notify),
        ] {
            assert_eq!(war.changed(start + at * minute), want, "minute {at}");
        }
        assert_eq!(war.changed(0), Answer::SetBack, "a clock that was set back");
    }

    #[test]
    fn names_of_rooms() {
        assert_eq!(parse(" 读书\n群 "), Ok("读书 群".to_owned()));
        assert!(parse(" \n").is_err() && parse("\u{200B}").is_err() && parse(&"长".repeat(33)).is_err());
        assert_eq!(parse(&"长".repeat(32)).unwrap().chars().count(), 32);
    }
}
