//! Was the event answered? If not, why not, in one sentence.

use wxbot_plugin::host::Note;

use super::Explanation;
use super::tell::Lang;
use super::trace::{Ended, Heard, Passage, PluginStep, Skip, Trace};
use crate::store::{EventState, MERGED_INTO, SendState, SendStory, Story};

/// So many notes stand in a sentence.
const NOTES: usize = 3;

/// How the note of a matcher begins that would have taken the event, but rests.
const COOLDOWN: &str = "cooldown";

/// The first line.
pub(super) fn verdict(of: &Explanation, lang: Lang, now_ms: i64) -> String {
    let Explanation { story, trace } = of;
    let note = story.note.as_deref().unwrap_or_default();
    let trace = trace.as_deref();
    match story.state {
        EventState::New => lang.say("not answered yet: nobody has begun it", "尚未回复:还没有开始处理"),
        EventState::Running => lang.say("not answered yet: it is being handled", "尚未回复:正在处理"),
        EventState::Parked { until_ms } => {
            let wait = (until_ms - now_ms).max(0) / 1000;
            let why = resting(trace, lang).unwrap_or_else(|| note.to_owned());
            let (en, zh) =
                (format!("not answered yet, tried again in {wait} s: "), format!("尚未回复,{wait} 秒后重试:"));
            lang.say(&en, &zh) + &why
        }
        EventState::Dead => lang.say("not answered, given up: ", "未回复,已放弃:") + note,
        EventState::Done if !story.sends.is_empty() => sent(story, lang),
        EventState::Done => match trace {
            Some(trace) => unanswered(trace, lang),
            None if !note.is_empty() => lang.say("not answered, stopped by ", "未回复,被拦下:") + &lang.reason(note),
            None => lang.say(
                "not answered: no plugin had an answer; why is no longer known",
                "未回复:没有插件作答;详情已不再保留",
            ),
        },
    }
}

fn resting(trace: Option<&Trace>, lang: Lang) -> Option<String> {
    trace?.plugins.iter().find_map(|step| match &step.how {
        Heard::Skipped(why @ Skip::Resting { .. }) => Some(skipped(&step.plugin, why, lang)),
        Heard::Skipped(_) | Heard::Asked { .. } => None,
    })
}

fn sent(story: &Story, lang: Lang) -> String {
    let all = story.sends.len();
    match story.sends.iter().find(|send| send.state != SendState::Sent) {
        None => {
            let (en, zh) = (format!("answered: {all} sent"), format!("已回复:发出 {all} 条"));
            lang.say(&en, &zh)
        }
        Some(send) => {
            let known = story.sends.iter().filter(|send| send.state == SendState::Sent).count();
            let head = if known == 0 {
                lang.say("not answered: what ", "未回复:")
            } else {
                let (en, zh) =
                    (format!("answered in part ({known} of {all}): what "), format!("部分回复({known}/{all}):"));
                lang.say(&en, &zh)
            };
            head + &state(send, lang)
        }
    }
}

/// What became of a send, after its plugin's name.
fn state(send: &SendStory, lang: Lang) -> String {
    let (en, zh) = match send.state {
        SendState::Queued => ("answered waits to be sent", "的回复在排队"),
        SendState::Sending => ("answered is being sent", "的回复正在发送"),
        SendState::Sent => ("answered was sent", "的回复已发送"),
        SendState::Uncertain => ("answered was perhaps sent, nobody knows", "的回复不确定是否送达"),
        SendState::Held => ("answered is held: nobody here is surely whom it goes to", "的回复被扣住:收件人无法确认"),
        SendState::Failed => ("answered was refused", "的回复被拒绝"),
        SendState::Expired => {
            ("answered was not sent in time and expired (pacing.max_age)", "的回复未能及时发出,已过期 (pacing.max_age)")
        }
        SendState::Dropped if send.error.as_deref().is_some_and(|error| error.starts_with(MERGED_INTO)) => {
            ("answered went with another message", "的回复已并入另一条消息")
        }
        SendState::Dropped => ("answered was dropped", "的回复被丢弃"),
    };
    let error = send.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{} {}{error}", send.plugin, lang.say(en, zh))
}

fn unanswered(trace: &Trace, lang: Lang) -> String {
    match &trace.ended {
        Ended::Stopped { by, why } => {
            let (en, zh) = (format!("not answered, stopped by {by}: "), format!("未回复,被 {by} 拦下:"));
            lang.say(&en, &zh) + &lang.reason(why)
        }
        Ended::Troubled { plugin, why } => {
            let (en, zh) = (format!("not answered: {plugin} failed: "), format!("未回复:{plugin} 出错:"));
            lang.say(&en, &zh) + why
        }
        Ended::Passed { actions: 1.. } => {
            lang.say("answered; what was sent is no longer stored", "已回复;发送记录已不再保留")
        }
        Ended::Passed { .. } => lang.say("not answered: ", "未回复:") + &nobody(trace, lang),
    }
}

/// Nobody had an answer, and nothing went wrong. A matcher that rests, or took the event and still said nothing, tells
/// most; then those that did not take it; then why plugins were not even asked.
fn nobody(trace: &Trace, lang: Lang) -> String {
    let notes = || {
        let of = |step: &PluginStep| match &step.how {
            Heard::Asked { notes, .. } => notes.iter().map(|note| (step.plugin.clone(), note.clone())).collect(),
            Heard::Skipped(_) => Vec::new(),
        };
        trace.plugins.iter().flat_map(of)
    };
    let told = |(plugin, note): (String, Note)| format!("{plugin}, {}: {}", note.what, note.why);
    let told_most = |note: &Note| note.took || note.why.starts_with(COOLDOWN);
    let most: Vec<String> = notes().filter(|(_, note)| told_most(note)).map(told).take(NOTES).collect();
    if !most.is_empty() {
        return most.join("; ");
    }
    let looked: Vec<String> = notes().map(told).take(NOTES).collect();
    if !looked.is_empty() {
        return lang.say("nothing matched (", "没有匹配 (") + &looked.join("; ") + ")";
    }
    let asked: Vec<&str> = asked(trace).collect();
    if !asked.is_empty() {
        return lang.say("these had no answer: ", "这些插件没有作答:") + &asked.join(", ");
    }
    let skips: Vec<String> = trace
        .plugins
        .iter()
        .filter_map(
            |step| if let Heard::Skipped(why) = &step.how { Some(skipped(&step.plugin, why, lang)) } else { None },
        )
        .collect();
    if skips.is_empty() {
        lang.say("the account uses no plugin", "该账号没有使用插件")
    } else {
        skips.join("; ")
    }
}

fn asked(trace: &Trace) -> impl Iterator<Item = &str> {
    trace.plugins.iter().filter(|step| matches!(step.how, Heard::Asked { .. })).map(|step| &*step.plugin)
}

/// Why a plugin was not asked.
pub(super) fn skipped(plugin: &str, why: &Skip, lang: Lang) -> String {
    let (en, zh) = match why {
        Skip::NotWanted { kind } => (format!("does not listen to `{kind}`"), format!("不接收 `{kind}` 事件")),
        Skip::Silenced => (
            format!("is silenced in this chat (`/plugin on {plugin}` ends that)"),
            format!("在本聊天被关闭 (`/plugin on {plugin}` 可打开)"),
        ),
        Skip::Late => ("does not want messages that come late".to_owned(), "不处理迟到的消息".to_owned()),
        Skip::HeldBack { by } => (
            format!("was not asked: {by} holds it back, and it keeps no watch"),
            format!("未被询问:{by} 只放行给群管类插件"),
        ),
        Skip::Blocked { by } => {
            (format!("was not asked: {by} took the event for itself"), format!("未被询问:{by} 已独占此事件"))
        }
        Skip::Resting { for_ms } => {
            let s = for_ms.div_ceil(1000);
            (
                format!("rests after too many failures, for {s} s more (breaker open)"),
                format!("连续出错,熔断中,还剩 {s} 秒 (breaker open)"),
            )
        }
        Skip::DoneBefore => ("was done with it at an earlier try".to_owned(), "在之前的尝试中已处理".to_owned()),
    };
    format!("{plugin} {}", lang.say(&en, &zh))
}

/// What became of the event at a middleware.
pub(super) fn passage(how: &Passage, lang: Lang) -> String {
    match how {
        Passage::Passed => lang.say("passed", "通过"),
        Passage::HeldBack { why } => {
            lang.say("held back from all that keep no watch: ", "只放行给群管类插件:") + &lang.reason(why)
        }
        Passage::MarkedLate => lang.say("passed, marked as late", "通过,标记为迟到"),
        Passage::Stopped { why } => lang.say("stopped: ", "拦下:") + &lang.reason(why),
    }
}

/// One send, as a line.
pub(super) fn send(send: &SendStory, lang: Lang) -> String {
    let id = send.server_id.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
    format!("{} → {}{id}", state(send, lang), send.conv)
}
