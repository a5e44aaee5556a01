//! How do dialog, schedule, storage, media, settings and roles work together? In an assistant that keeps notes for a chat,
//! reminds people, and looks at pictures.
//!
//! Files: this one (the handlers) → [`settings`] → `tests` (all of it, without a bot).

pub mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use wxbot_plugin::model::span::show_duration;
use wxbot_plugin::prelude::*;

use settings::Settings;

/// The most bytes of a picture that are looked at.
const PICTURE_BYTES: u64 = 20 * 1024 * 1024;

/// The plugin. It keeps nothing in memory: notes are in the KV store, reminders are timers, and both survive a restart.
#[derive(Debug, Default)]
pub struct Assistant;

/// The notes of each chat.
type Notes = BTreeMap<ContactId, Vec<String>>;

/// 小助手:记事、提醒、看图。
#[plugin(
    id = "assistant",
    config = Settings,
    needs = [Capability::SendText, Capability::SendFile, Capability::FetchMedia],
)]
impl Assistant {
    /// 记一条
    #[command("记", alias = ["note"])]
    fn note(&self, what: Rest, chat: ChatId, config: Config<Settings>, mut notes: Stored<Notes>) -> String {
        // Storage: `notes` is written with the answer, or neither is.
        let list = notes.entry(chat.into_id()).or_default();
        if list.len() >= config.notes {
            return format!("已经有 {} 条了,先「清空」吧", list.len());
        }
        list.push(what.as_str().to_owned());
        let count = list.len();
        config.says(&format!("记下了,共 {count} 条"))
    }

    /// 看清单
    #[command("清单", alias = ["notes"], cooldown = "3s/chat")]
    fn list(&self, chat: ChatId, notes: Stored<Notes>) -> String {
        shown(&notes, chat.id())
    }

    /// 清空清单
    #[command("清空", allow = Role::GroupAdmin)]
    async fn clear(&self, cx: &Ctx, chat: ChatId) -> Result<Effects, PluginError> {
        // Dialog: the handler goes on with the person's next message.
        if !cx.ask("真的都删掉吗?(是/否)").timeout(Duration::from_secs(30)).parse::<bool>().await? {
            return Ok(Effects::reply("那就留着"));
        }
        // Read now: what was there before the question may have changed. If it changes once more until the commit, the
        // swap fails and the event is handled anew.
        let was: Option<Notes> = cx.kv_get("notes").await?;
        let mut now = was.clone().unwrap_or_default();
        now.remove(chat.id());
        Ok(Effects::reply("清空了").swap("notes", was.as_ref(), Some(&now))?)
    }

    /// 过一会儿提醒
    #[command("提醒", alias = ["remind"])]
    async fn remind(
        &self,
        cx: &Ctx,
        config: Config<Settings>,
        /// 多久以后
        after: Option<Duration>,
        /// 提醒什么
        what: Option<Rest>,
    ) -> Result<Effects, PluginError> {
        let name = format!("remind:{}", cx.message_id());
        let after = match after {
            Some(after) => after,
            None => cx.ask("多久以后?比如 10m").retry(2).parse().await?,
        };
        if after < config.shortest || after > config.longest {
            let (least, most) = (show_duration(config.shortest), show_duration(config.longest));
            return Err(PluginError::told(format!("只能是 {least} 到 {most} 以后")));
        }
        let what = match what {
            Some(what) => what.as_str().to_owned(),
            None => cx.ask("提醒什么?").await?,
        };
        let answer = Effects::reply(config.says(&format!("{}后提醒", show_duration(after))));
        Ok(answer.timer(name, after, &what)?)
    }

    #[timer("remind")]
    fn ring(&self, due: Due<String>) -> String {
        format!("⏰ {}", due.payload)
    }

    #[cron("0 0 9 * * Mon-Fri", tz = "Asia/Shanghai", missed = Skip)]
    fn morning(&self, config: Config<Settings>, notes: Stored<Notes>) -> Effects {
        match &config.room {
            Some(room) => Effects::none().and_send(room.clone(), format!("早上好!\n{}", shown(&notes, room))),
            None => Effects::none(),
        }
    }

    /// 看图
    #[on(Message, only = private)]
    async fn picture(&self, cx: &Ctx, message: &Message) -> Result<Effects, PluginError> {
        let Content::Image { media } = &message.content else { return Ok(Effects::none()) };
        if message.from_self {
            return Ok(Effects::none());
        }
        let file = match cx.media(media).await {
            Ok(file) if file.len() > PICTURE_BYTES => return Ok(Effects::reply("这张图太大了")),
            Ok(file) => file,
            Err(MediaError::Gone { .. }) => return Ok(Effects::reply("这张图已经没有了")),
            // Not now: the event comes again.
            Err(error) => return Err(error.into()),
        };
        let about = format!("{}, {} 字节,原图给你:", file.file_type().mime(), file.len());
        Ok(Effects::reply(about).and_reply_file(&file))
    }
}

wxbot_plugin::export_plugin!(Assistant);

/// The notes of a chat, numbered.
fn shown(notes: &Notes, chat: &ContactId) -> String {
    match notes.get(chat).map(Vec::as_slice) {
        None | Some([]) => "还没有记什么".to_owned(),
        Some(list) => {
            let lines = list.iter().enumerate().map(|(n, note)| format!("{}. {note}", n + 1));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}
