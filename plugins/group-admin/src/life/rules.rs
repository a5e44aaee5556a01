//! What are the rules here? Told to whoever asks, and not again for a while.

use wxbot_plugin::prelude::*;
use wxbot_plugin::text::fold;

use crate::act::{Deed, Doing};

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
    let deed = Deed::new("rules", "群规", room).why("有人问").does(Effects::reply(rules.text.trim()));
    doing.act(deed.keeps(Effects::none().put(key, &now_ms)?).small()).await
}
