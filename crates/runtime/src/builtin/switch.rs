//! What does `/plugin` answer? Which plugins listen in this chat, and one of them switched off or on.

use wxbot_model::ContactId;
use wxbot_plugin::Effects;

use super::order::Wanted;
use super::silence::Silenced;
use crate::account::{Account, Settings};

const USAGE: &str = "用法 (usage): /plugin list,/plugin off 名称,/plugin on 名称";

/// What is answered; the silence itself is a row of wxbot's own, committed with the answer.
pub(super) fn answer(account: &Account, settings: &Settings, chat: &ContactId, wanted: &Wanted) -> Effects {
    let (name, off) = match wanted {
        Wanted::Usage => return Effects::reply(USAGE),
        Wanted::List => return Effects::reply(list(account, settings, chat)),
        Wanted::On(name) => (name, false),
        Wanted::Off(name) => (name, true),
    };
    if !settings.plugins.iter().any(|plugin| *plugin.id == **name) {
        let known: Vec<&str> = settings.plugins.iter().map(|plugin| &*plugin.id).collect();
        return Effects::reply(format!("没有插件「{name}」(no such plugin);有:{}", known.join(", ")));
    }
    // Before the commit: when that fails, this event is handled again and says so again.
    account.silenced.set(chat, name, off);
    let key = Silenced::key(chat, name);
    if off {
        let told = Effects::reply(format!("{name} 在本聊天已关闭 (off here);/plugin on {name} 可重新打开"));
        // `true` is always JSON.
        told.put(key, &true).unwrap_or_default()
    } else {
        Effects::reply(format!("{name} 在本聊天已打开 (on here)")).delete(key)
    }
}

fn list(account: &Account, settings: &Settings, chat: &ContactId) -> String {
    let mut lines = vec!["本聊天的插件 (plugins here):".to_owned()];
    for plugin in &settings.plugins {
        let (sign, word) = if account.silenced.has(chat, &plugin.id) { ('○', "关 off") } else { ('●', "开 on") };
        lines.push(format!("{sign} {} [{word}] {}", plugin.id, plugin.manifest.about));
    }
    lines.join("\n")
}
