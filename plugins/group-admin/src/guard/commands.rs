//! What may those who look after a room command? Warn, remove, pardon, whitelist, status, pause.
//!
//! Commands are plain texts typed in the room by somebody with a role: quotes, forwarded records and names give none
//! (security R26, R27). Removing asks for a code and has a limit per admin and hour (R29).

use serde::{Deserialize, Serialize};
use wxbot_plugin::KvPage;
use wxbot_plugin::model::Person;
use wxbot_plugin::prelude::*;

use super::newcomer::seen_key;
use super::state::MemberKey;
use super::who::{Target, below_us, named};
use super::{Guard, paused_key, white_key, white_prefix};
use crate::act::{Deed, Doing, label, names};
use crate::audit::{Undo, Whom};
use crate::ladder::{self, Strikes};
use crate::plan;

const HOUR_MS: i64 = 3_600_000;
/// How many rows are looked at for a list.
const ROWS: usize = 500;
/// How many of them are shown.
const SHOWN: usize = 10;

/// How many people an admin has removed within an hour.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Removals {
    from_ms: i64,
    n: u32,
}

/// What a command is about: where, and who gave it.
pub(crate) struct Command<'a> {
    pub(crate) guard: &'a Guard,
    pub(crate) doing: &'a Doing<'a>,
    pub(crate) room: &'a ContactId,
    pub(crate) by: &'a Person,
}

impl Command<'_> {
    fn deed(&self, what: &'static str, targets: &[Target]) -> Deed {
        let whom = targets.iter().map(Target::whom);
        Deed::new("command", what, self.room).whom(whom).by(Whom::of(self.doing.cx, self.by))
    }

    /// What is answered to the command when it is done.
    fn done(&self, text: String) -> Effects {
        Effects::reply(if self.doing.is_shadow() {
            format!("{text}(观察模式:只记录,没有真的做)")
        } else {
            text
        })
    }

    /// `警告 @甲 理由`: a strike and a word, never more.
    pub(crate) async fn warn(&self, text: &str) -> Result<Effects, PluginError> {
        let (cx, room) = (self.doing.cx, self.room);
        let (targets, why) = named(self.doing, room, text).await?;
        below_us(self.doing, room, &targets).await?;
        let why =
            if why.is_empty() { "请遵守群规".to_owned() } else { wxbot_plugin::text::head(why, 300).to_owned() };
        let (mut kept, mut undo) = (Effects::none(), Vec::new());
        for target in &targets {
            let key = ladder::key(self.doing.is_shadow(), room, &target.id);
            let was: Strikes = cx.kv_get(&key).await?.unwrap_or_default();
            let left = self.doing.settings.ladder.left(was, cx.now_ms());
            kept = kept.put(key, &Strikes { n: left.saturating_add(1), at_ms: cx.now_ms(), ..was })?;
            undo.push(Undo::Strikes { member: target.id.clone(), strikes: 1 });
        }
        let mention = targets.iter().map(|target| target.id.clone()).collect();
        let said = if cx.can(Capability::Mention) {
            Effects::none()
                .and_act(Action::SendText { to: room.clone(), text: format!("管理员警告:{why}"), mention })
        } else {
            Effects::reply(format!("管理员警告 {}:{why}", listed(&targets)))
        };
        let done = self.doing.act(self.deed("警告", &targets).why(why).does(said).keeps(kept).undo(undo)).await?;
        // The warning is the answer, where there is one.
        Ok(if self.doing.is_shadow() { done.then(self.done("已警告".to_owned())) } else { done })
    }

    /// `移出 @甲 @乙`, with a code.
    pub(crate) async fn remove(&self, text: &str) -> Result<Effects, PluginError> {
        let (cx, room) = (self.doing.cx, self.room);
        if !cx.can(Capability::RemoveMembers) {
            return Err(PluginError::told("本账号不能移出成员,请在手机上处理 (this account cannot remove members)"));
        }
        let (targets, why) = named(self.doing, room, text).await?;
        below_us(self.doing, room, &targets).await?;
        self.removals(targets.len()).await?;
        cx.confirm(format!("移出 {}", listed(&targets))).await?;
        // It took a while: is the person still allowed, and the number still free?
        if !cx.may(&Role::GroupAdmin) {
            return Err(PluginError::told("你已经不是管理员,什么也没做 (you are no admin any more)"));
        }
        below_us(self.doing, room, &targets).await?;
        let (key, was, now) = self.removals(targets.len()).await?;
        let out: Vec<ContactId> = targets.iter().map(|target| target.id.clone()).collect();
        let (mut kept, mut undo) = (Effects::none().swap(key, was.as_ref(), Some(&now))?, Vec::new());
        for id in &out {
            // That somebody was removed counts as a strike at least, so that they do not come back by themselves.
            let key = ladder::key(self.doing.is_shadow(), room, id);
            let was: Strikes = cx.kv_get(&key).await?.unwrap_or_default();
            let left = self.doing.settings.ladder.left(was, cx.now_ms());
            let n = left.max(1);
            kept = kept.put(key, &Strikes { n, at_ms: cx.now_ms(), removed_ms: Some(cx.now_ms()) })?;
            undo.push(Undo::Strikes { member: id.clone(), strikes: n - left });
        }
        undo.push(Undo::Invite { members: out.clone() });
        let why =
            if why.is_empty() { "管理员命令".to_owned() } else { wxbot_plugin::text::head(why, 300).to_owned() };
        let deed = self
            .deed("移出", &targets)
            .why(why)
            .does(Effects::none().remove_members(room.clone(), out))
            .keeps(kept)
            .undo(undo);
        let said = self.done(format!("正在移出 {}。「撤销」可撤销", listed(&targets)));
        Ok(self.doing.act(deed).await?.then(said))
    }

    /// The row of this admin's removals, as it is and as it will be.
    async fn removals(&self, more: usize) -> Result<(String, Option<Removals>, Removals), PluginError> {
        let (cx, most) = (self.doing.cx, self.doing.settings.removals_per_hour);
        let key = format!("removals:{}", self.by.id);
        let was: Option<Removals> = cx.kv_get(&key).await?;
        let this_hour = was.filter(|row| (0..HOUR_MS).contains(&(cx.now_ms() - row.from_ms)));
        let mut now = this_hour.unwrap_or(Removals { from_ms: cx.now_ms(), n: 0 });
        now.n = now.n.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        if now.n > most {
            return Err(PluginError::told(format!("每人每小时最多移出 {most} 人,请稍后再试 (at most {most} an hour)")));
        }
        Ok((key, was, now))
    }

    /// `豁免 @甲`: no strikes, and new no more.
    pub(crate) async fn pardon(&self, text: &str) -> Result<Effects, PluginError> {
        let (cx, room) = (self.doing.cx, self.room);
        let (targets, _) = named(self.doing, room, text).await?;
        let (mut kept, mut undo) = (Effects::none(), Vec::new());
        for target in &targets {
            for shadow in [false, true] {
                let key = ladder::key(shadow, room, &target.id);
                if let Some(was) = cx.kv_get::<serde_json::Value>(&key).await? {
                    kept = kept.delete(&*key);
                    undo.push(Undo::Put { key, was: Some(was), left: None });
                }
            }
            let seen = seen_key(room, &target.id);
            let was = cx.kv_get::<serde_json::Value>(&seen).await?;
            kept = kept.put(&*seen, &-cx.now_ms())?;
            undo.push(Undo::Put { key: seen, was, left: Some((-cx.now_ms()).into()) });
            self.guard.state.room(cx.account(), room, |state| state.pardon(MemberKey::of(&target.id)));
        }
        let said = Effects::reply(format!("已豁免 {}", listed(&targets)));
        Ok(self.doing.act(self.deed("豁免", &targets).own().keeps(kept).undo(undo)).await?.then(said))
    }

    /// `白名单 加 @甲`, `白名单 删 @甲`, `白名单`.
    pub(crate) async fn whitelist(&self, text: &str) -> Result<Effects, PluginError> {
        let text = text.trim_matches(wxbot_plugin::text::is_blank);
        let (word, rest) = text
            .split_at_checked(text.find('@').or_else(|| text.find('\u{FF20}')).unwrap_or(text.len()))
            .unwrap_or((text, ""));
        let adds = match wxbot_plugin::text::fold(word).trim() {
            "" if rest.is_empty() => return self.whitelisted().await,
            "加" | "add" => true,
            "删" | "去" | "del" | "remove" => false,
            _ => return Err(PluginError::told("用法:白名单 加 @成员 / 白名单 删 @成员 (whitelist add|del @member)")),
        };
        let (cx, room) = (self.doing.cx, self.room);
        let (targets, _) = named(self.doing, room, rest).await?;
        let (mut kept, mut undo) = (Effects::none(), Vec::new());
        for target in &targets {
            let key = white_key(room, &target.id);
            let was = cx.kv_get::<serde_json::Value>(&key).await?;
            let left = adds.then(|| serde_json::Value::from(label(&target.name)));
            kept = match &left {
                Some(name) => kept.put(&*key, name)?,
                None => kept.delete(&*key),
            };
            undo.push(Undo::Put { key, was, left });
        }
        let what = if adds { "加入白名单" } else { "移出白名单" };
        let said = Effects::reply(format!("已{what}:{}", listed(&targets)));
        Ok(self.doing.act(self.deed(what, &targets).own().keeps(kept).undo(undo)).await?.then(said))
    }

    async fn whitelisted(&self) -> Result<Effects, PluginError> {
        let rows = self.doing.cx.kv_list::<serde_json::Value>(&white_prefix(self.room), KvPage::of(ROWS)).await?;
        let all: Vec<&str> = rows.iter().filter_map(|(_, name)| name.as_str()).collect();
        Ok(Effects::reply(match all.as_slice() {
            [] => "本群白名单是空的 (empty)".to_owned(),
            all => crate::act::clipped(&format!("本群白名单({} 人):{}", all.len(), all.join("、"))),
        }))
    }

    /// `状态`.
    pub(crate) async fn status(&self) -> Result<Effects, PluginError> {
        let (doing, cx) = (self.doing, self.doing.cx);
        let on = if self.guard.is_paused(doing, self.room).await? {
            "已关闭(「开 群管」重新打开)"
        } else {
            "开"
        };
        let mode = if doing.is_shadow() { "观察 shadow" } else { "执行 enforce" };
        let plan = plan::of(doing.settings);
        let features: Vec<&str> = plan.features.iter().map(|feature| &*feature.name).collect();
        let mut lines = vec![format!("群管:{on};模式:{mode}"), format!("功能:{}", features.join("、"))];
        let prefix = ladder::prefix(doing.is_shadow(), self.room);
        let rows = cx.kv_list::<Strikes>(&prefix, KvPage::of(ROWS)).await?;
        let now_ms = cx.now_ms();
        let mut counted: Vec<(u32, &str)> = rows
            .iter()
            .filter_map(|(key, strikes)| {
                Some((doing.settings.ladder.left(*strikes, now_ms), key.strip_prefix(&*prefix)?))
            })
            .filter(|(n, _)| *n > 0)
            .collect();
        counted.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
        if !counted.is_empty() {
            let members = cx.members(self.room).await.unwrap_or_default();
            let name = |id: &str| {
                let known = members.iter().find(|member| member.id.as_ref().is_some_and(|known| known.as_str() == id));
                known.map_or_else(|| id.to_owned(), |member| label(member.public_name()))
            };
            let shown = counted.iter().take(SHOWN).map(|(n, id)| format!("{} {n}", name(id)));
            lines.push(format!("违规:{}", shown.collect::<Vec<_>>().join("、")));
        }
        Ok(Effects::reply(crate::act::clipped(&lines.join("\n"))))
    }

    /// `关 群管`, `开 群管`.
    pub(crate) async fn pause(&self, pause: bool) -> Result<Effects, PluginError> {
        let (cx, key) = (self.doing.cx, paused_key(self.room));
        let was = cx.kv_get::<serde_json::Value>(&key).await?;
        // Read anew by the next message, when this is committed.
        self.guard.state.room(cx.account(), self.room, |state| state.paused = None);
        let kept = if pause { Effects::none().put(&*key, &true)? } else { Effects::none().delete(&*key) };
        let (what, said) = if pause {
            ("关闭群管", "群管已关闭,命令仍可用 (off)")
        } else {
            ("打开群管", "群管已打开 (on)")
        };
        let deed =
            self.deed(what, &[]).own().keeps(kept).undo([Undo::Put { key, was, left: pause.then_some(true.into()) }]);
        Ok(self.doing.act(deed).await?.then(Effects::reply(said)))
    }
}

/// The names of those a command is about.
fn listed(targets: &[Target]) -> String {
    names(&targets.iter().map(Target::whom).collect::<Vec<_>>())
}
