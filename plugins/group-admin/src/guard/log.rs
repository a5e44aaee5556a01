//! How do admins read what was done, and take it back? `日志 [page]` and `撤销 [n]`, each about the room it is said in.
//!
//! What cannot be taken back says so. Taking back is recorded like everything else.

use wxbot_plugin::local::Local;
use wxbot_plugin::prelude::*;

use super::commands::Command;
use super::paused_key;
use super::state::MemberKey;
use crate::act::{Deed, label, names};
use crate::audit::{self, Record, Undo, Whom};
use crate::ladder::{self, Strikes};

/// How many records make a page.
const PAGE: usize = 8;
/// Which feature takes back.
const UNDO: &str = "undo";

impl Command<'_> {
    /// `日志 [page]`.
    pub(crate) async fn log(&self, page: Option<usize>) -> Result<Effects, PluginError> {
        let records = audit::of_room(self.doing.cx, self.room).await?;
        if records.is_empty() {
            return Ok(Effects::reply("本群还没有日志 (no records)"));
        }
        let (page, pages) = (page.unwrap_or(1).max(1), records.len().div_ceil(PAGE));
        let shown = records.iter().skip((page - 1).saturating_mul(PAGE)).take(PAGE);
        let mut lines: Vec<String> = shown.map(|(key, record)| self.line(record, is_undone(&records, key))).collect();
        if lines.is_empty() {
            return Err(PluginError::told(format!("只有 {pages} 页 (only {pages} pages)")));
        }
        lines.push(format!("第 {page}/{pages} 页;「撤销 编号」撤销那一条"));
        Ok(Effects::reply(crate::act::clipped(&lines.join("\n"))))
    }

    fn line(&self, record: &Record, undone: bool) -> String {
        let at = Local::at(record.at_ms, &self.doing.settings.tz);
        let by = record.by.as_ref().map(|by| format!(" [{}]", label(&by.name))).unwrap_or_default();
        let marks = format!("{}{}", if record.shadow { "(观察)" } else { "" }, if undone { "(已撤销)" } else { "" });
        let why = label(&record.why);
        let no = record.no;
        format!("{no}. {} {} {}{by} {}:{why}{marks}", at.date(), at.time(), record.what, names(&record.whom))
    }

    /// `撤销 [n]`: the one with this number in the log, which no later record changes; without a number the last that can be.
    pub(crate) async fn undo(&self, n: Option<u64>) -> Result<Effects, PluginError> {
        let records = audit::of_room(self.doing.cx, self.room).await?;
        let found = match n {
            Some(n) => records.iter().find(|(_, record)| record.no == n && n > 0),
            None => records.iter().find(|(key, record)| !record.undo.is_empty() && !is_undone(&records, key)),
        };
        let Some((key, record)) = found else {
            return Err(PluginError::told("没有可撤销的记录,「日志」可查看 (nothing to undo)"));
        };
        if is_undone(&records, key) {
            return Err(PluginError::told("这一条已经撤销过了 (undone already)"));
        }
        if record.undo.is_empty() {
            let what = label(&record.what);
            return Err(PluginError::told(format!("「{what}」不能撤销:说过的话收不回来 (this cannot be undone)")));
        }
        for step in &record.undo {
            if let Undo::Put { key, left, .. } = step
                && self.doing.cx.kv_get::<serde_json::Value>(key).await? != *left
            {
                return Err(PluginError::told("后来又改过了,没有撤销;请看「日志」里更新的记录 (changed again since)"));
            }
        }
        let (mut out, mut kept, mut told) = (Effects::none(), Effects::none(), Vec::new());
        for step in &record.undo {
            let (outward, keep, said) = self.step(record, step).await?;
            (out, kept) = (out.then(outward), kept.then(keep));
            told.extend(Some(said).filter(|said| !said.is_empty()));
        }
        let own = out.is_empty();
        let deed = Deed::new(UNDO, "撤销", self.room)
            .whom(record.whom.clone())
            .why(format!("{}:{}", record.what, told.join(",")))
            .by(Whom::of(self.doing.cx, self.by))
            .does(out)
            .keeps(kept)
            .takes_back(key.clone());
        let deed = if own { deed.own() } else { deed };
        let said = format!("撤销「{} {}」:{}", record.what, names(&record.whom), told.join(","));
        Ok(self.doing.act(deed).await?.then(Effects::reply(crate::act::clipped(&said))))
    }

    /// What one step does, what is kept, and what is told of it.
    async fn step(&self, record: &Record, step: &Undo) -> Result<(Effects, Effects, String), PluginError> {
        let (cx, room, none) = (self.doing.cx, self.room, Effects::none);
        let forget = |member: &ContactId| {
            self.guard.state.room(cx.account(), room, |state| state.pardon(MemberKey::of(member)));
        };
        Ok(match step {
            Undo::Cannot { why } => (none(), none(), format!("不能撤销:{}", label(why))),
            Undo::Strikes { member, strikes } => {
                let key = ladder::key(record.shadow, room, member);
                let was: Option<Strikes> = cx.kv_get(&key).await?;
                forget(member);
                let kept = match was.map(|was| Strikes { n: was.n.saturating_sub(*strikes), removed_ms: None, ..was }) {
                    Some(left) if left.n > 0 => none().put(key, &left)?,
                    Some(_) | None => none().delete(key),
                };
                (none(), kept, if *strikes > 0 { format!("违规次数减 {strikes}") } else { String::new() })
            }
            Undo::Invite { .. } | Undo::Topic { .. } if record.shadow => {
                (none(), none(), "当时是观察模式,没有真的做".to_owned())
            }
            Undo::Invite { members } if cx.can(Capability::AddMembers) => {
                members.iter().for_each(forget);
                let back = none().add_members(room.clone(), members.iter().cloned());
                (back, none(), format!("已邀请 {} 人回群(对方可能要同意)", members.len()))
            }
            Undo::Invite { .. } => (none(), none(), "本账号不能邀请成员,请手动邀请".to_owned()),
            Undo::Topic { was } if cx.can(Capability::RenameRoom) => {
                (none().set_topic(room.clone(), was.clone()), none(), format!("群名改回「{}」", label(was)))
            }
            Undo::Topic { .. } => (none(), none(), "本账号不能改群名,请手动改".to_owned()),
            Undo::Put { key, was, left: _ } => {
                record.whom.iter().filter_map(|whom| whom.id.as_ref()).for_each(forget);
                self.guard.state.room(cx.account(), room, |state| {
                    if *key == paused_key(room) {
                        state.paused = None;
                    }
                });
                let kept = match was {
                    Some(was) => none().put(&**key, was)?,
                    None => none().delete(&**key),
                };
                (none(), kept, "已恢复原来的设置".to_owned())
            }
        })
    }
}

/// Whether a later record takes this one back.
fn is_undone(records: &[(String, Record)], key: &str) -> bool {
    records.iter().any(|(_, record)| record.of.as_deref() == Some(key))
}
