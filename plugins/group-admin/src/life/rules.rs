//! What are the rules here? Told to whoever asks, and not again for a while.

use wxbot_plugin::prelude::*;
use wxbot_plugin::text::fold;

use crate::act::{Deed, Doing};
use crate::settings::Settings;

/// Characters of a line that can be quoted by itself.
const LINE: usize = 6;

/// Whether a text is nothing but the rules, or whole lines of them: whoever quotes them, and another bot of ours that tells
/// them, says nothing that is forbidden. A word alone is no line.
pub(crate) fn quotes(settings: &Settings, text: &str) -> bool {
    let Some(rules) = &settings.rules else { return false };
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| fold(line.trim())).filter(|line| !line.is_empty()).collect()
    };
    let ours = lines(&rules.text);
    let theirs = lines(text);
    let is_ours = |line: &String| ours.contains(line) && line.chars().count() >= LINE;
    theirs == ours || (!theirs.is_empty() && theirs.iter().all(is_ours))
}

/// A text in a room: perhaps it asks for the rules.
pub(crate) async fn message(doing: &Doing<'_>, event: &Event, typed: &str) -> Result<Effects, PluginError> {
    let Some(rules) = &doing.settings.rules else { return Ok(Effects::none()) };
    // A word of the settings has 100 bytes at most; full-width letters take three times as many.
    if typed.len() > 400 || !rules.words.iter().any(|word| word.is(&fold(typed))) {
        return Ok(Effects::none());
    }
    let (room, now_ms) = (&event.chat.id, doing.cx.now_ms());
    let key = format!("rules:{room}");
    let last_ms: Option<i64> = doing.cx.kv_get(&key).await?;
    let rest_ms = i64::try_from(rules.cooldown.as_millis()).unwrap_or(i64::MAX);
    if last_ms.is_some_and(|last_ms| (0..rest_ms).contains(&(now_ms - last_ms))) {
        doing.cx.note("rules", false, || "they were told a moment ago (`cooldown`)".to_owned());
        return Ok(Effects::none());
    }
    let deed = Deed::new("rules", "群规", room).why("有人问").does(Effects::reply(&*rules.text));
    doing.act(deed.keeps(Effects::none().put(key, &now_ms)?).small()).await
}
