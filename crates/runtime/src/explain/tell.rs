//! How is it told to people? A line per step; the first says whether the event was answered, and if not, why.

use super::Explanation;
use super::trace::{Heard, PluginStep, Trace};
use super::verdict::{passage, send, skipped, verdict};
use crate::store::Replay;

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    pub(super) fn say(self, en: &str, zh: &str) -> String {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
        .to_owned()
    }

    /// A reason that a middleware of ours gives. Others, and what holds numbers, stand as they are.
    pub(super) fn reason(self, en: &str) -> String {
        let zh = match en {
            "our own account sent it" => "本账号自己发出的消息",
            "groups are switched off for this account" => "该账号不处理群聊",
            "private chats are switched off for this account" => "该账号不处理私聊",
            "the chat is on deny_chats" => "聊天在 deny_chats 中",
            "the chat is not on allow_chats" => "聊天不在 allow_chats 中",
            "the sender is on deny_senders" => "发送者在 deny_senders 中",
            "the sender is not on allow_senders" => "发送者不在 allow_senders 中",
            "too many messages in this chat" => "本聊天消息过多",
            "too many messages of this sender" => "该发送者消息过多",
            "older than the limit, and no plugin asked for late messages" => "消息太旧,且没有插件处理迟到的消息",
            other => other,
        };
        self.say(en, zh)
    }
}

/// All that is known, a line per step.
pub fn lines(of: &Explanation, lang: Lang, now_ms: i64) -> Vec<String> {
    let story = &of.story;
    let ago = (now_ms - story.recv_ms).max(0) / 1000;
    let (en, zh) = (
        format!(
            "event {} ({}, {}) of {} in {}, {ago} s ago, tries: {}",
            story.seq, story.kind, story.key, story.account, story.conv, story.attempts
        ),
        format!(
            "事件 {} ({}, {}) 账号 {} 会话 {},{ago} 秒前,尝试 {} 次",
            story.seq, story.kind, story.key, story.account, story.conv, story.attempts
        ),
    );
    let mut lines = vec![verdict(of, lang, now_ms), lang.say(&en, &zh)];
    lines.extend(story.replay.as_ref().map(|replay| again(replay, lang)));
    match &of.trace {
        Some(trace) => steps(trace, lang, &mut lines),
        None => {
            if let Some(note) = &story.note {
                lines.push(lang.say("noted: ", "记录:") + note);
            }
            lines.push(lang.say(
                "its steps are not remembered: only the last ones since the start are, and a sample when there are many",
                "没有保留步骤:只保留本次启动以来最近的事件,消息很多时只抽样",
            ));
        }
    }
    lines.extend(story.sends.iter().map(|one| format!("→ {}", send(one, lang))));
    lines
}

/// Why it is handled once more.
fn again(replay: &Replay, lang: Lang) -> String {
    let Some(of) = replay.of else {
        return lang.say("it was dead, and somebody let it be handled again", "它曾被放弃,后由人工重新处理");
    };
    let plugin = replay.plugin.as_deref().unwrap_or_default();
    let (en, zh) = if replay.send {
        (
            format!("a replay of event {of} for {plugin}; what it answers is sent"),
            format!("事件 {of} 为 {plugin} 重放;会发送回复"),
        )
    } else {
        (
            format!("a replay of event {of} for {plugin}; nothing of it is sent"),
            format!("事件 {of} 为 {plugin} 重放;不发送任何内容"),
        )
    };
    lang.say(&en, &zh)
}

fn steps(trace: &Trace, lang: Lang, lines: &mut Vec<String>) {
    for step in &trace.stations {
        lines.push(format!("· {}: {}{}", step.name, passage(&step.how, lang), took(step.took_us)));
    }
    if let Some(word) = &trace.builtin {
        lines.push(lang.say("· answered by wxbot itself: ", "· wxbot 自身命令:") + word);
    }
    trace.plugins.iter().for_each(|step| plugin(step, lang, lines));
    if trace.cut {
        lines.push(lang.say("… more is not kept", "… 其余未保留"));
    }
}

fn plugin(step: &PluginStep, lang: Lang, lines: &mut Vec<String>) {
    match &step.how {
        Heard::Skipped(why) => lines.push(format!("· {}", skipped(&step.plugin, why, lang))),
        Heard::Asked { took_us, notes, effects, error } => {
            let said = match error {
                Some(error) => lang.say("failed: ", "出错:") + error,
                None => {
                    let (en, zh) = (format!("effects: {effects}"), format!("作用 {effects} 项"));
                    lang.say(&en, &zh)
                }
            };
            lines.push(format!("· {}: {said}{}", step.plugin, took(*took_us)));
            for note in notes {
                let sign = if note.took { '✓' } else { '✗' };
                lines.push(format!("    {sign} {}: {}", note.what, note.why));
            }
        }
    }
}

fn took(us: u64) -> String {
    match us {
        0..1_000 => format!(" ({us} µs)"),
        _ => format!(" ({} ms)", us / 1_000),
    }
}
