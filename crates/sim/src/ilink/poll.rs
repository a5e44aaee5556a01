//! What does `getupdates` hand out, and when?

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::fault::FaultKind;
use crate::ilink::IlinkSim;
use crate::ilink::bot::{Bot, IlinkDeath, Place};
use crate::ilink::call::Call;

/// A client that gives a poll up and begins another closes the first connection a moment later: only two that are open
/// for longer are two pollers.
const CROWD_AFTER: Duration = Duration::from_secs(1);

/// Counts a poll as long as it is open.
struct Open<'a>(&'a Bot);

impl<'a> Open<'a> {
    fn new(bot: &'a Bot) -> Self {
        let mut state = bot.state();
        state.polls += 1;
        let binding = state.bindings;
        drop(state);
        bot.polled.send_if_modified(|polled| std::mem::replace(polled, binding) != binding);
        Self(bot)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.state().polls -= 1;
    }
}

/// The refusal of a dead token.
pub(super) fn dead(death: IlinkDeath) -> Value {
    match death {
        IlinkDeath::Errcode => json!({"errcode": -14, "errmsg": "session timeout"}),
        IlinkDeath::Ret => json!({"ret": -14, "errmsg": "session timeout"}),
    }
}

impl IlinkSim {
    pub(super) async fn get_updates(&self, call: &Call<'_>, bot: &Arc<Bot>, fault: Option<&FaultKind>) -> Value {
        if !call.body.get("get_updates_buf").is_some_and(Value::is_string) {
            call.hard("`get_updates_buf` is no text");
        }
        let (setup, began) = (self.setup(), Instant::now());
        let open = Open::new(bot);
        let mut crowded = bot.state().polls > 1;
        loop {
            let changed = bot.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let answer = self.updates(call, bot, setup.batch, fault);
            if let Some(answer) = answer {
                return with_hint(answer, setup.hint);
            }
            let ends = began + setup.hold;
            let wakes = if crowded { ends.min(began + CROWD_AFTER) } else { ends };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(wakes) => {}
            }
            let now = Instant::now();
            if crowded && now >= began + CROWD_AFTER {
                crowded = false;
                if bot.state().polls > 1 {
                    call.hard("two pollers of one bot");
                }
            }
            if now >= ends {
                let cursor = call.text("get_updates_buf").to_owned();
                drop(open);
                return with_hint(json!({"ret": 0, "msgs": [], "get_updates_buf": cursor}), setup.hint);
            }
        }
    }

    /// What there is now, if there is anything.
    fn updates(&self, call: &Call<'_>, bot: &Bot, most: usize, fault: Option<&FaultKind>) -> Option<Value> {
        let mut state = bot.state();
        if let Some(death) = state.death(call.token()) {
            return Some(dead(death));
        }
        let cursor = call.text("get_updates_buf");
        let from = match state.place(cursor) {
            Place::After(seq) => seq,
            Place::Unknown => {
                call.hard("a cursor that was not given to this binding");
                match state.place("") {
                    Place::After(seq) => seq,
                    Place::Unknown => 0,
                }
            }
        };
        state.fetched(from);
        let (mut messages, mut last) = (Vec::new(), from);
        for waiting in state.after(from, most) {
            messages.push(waiting.message.clone());
            last = waiting.seq;
        }
        if messages.is_empty() {
            return None;
        }
        let next = if fault == Some(&FaultKind::Duplicate) { cursor.to_owned() } else { state.cursor(last) };
        drop(state);
        self.shared.book.handed(&bot.name, from + 1..=last);
        Some(json!({"ret": 0, "msgs": messages, "sync_buf": "", "get_updates_buf": next}))
    }
}

fn with_hint(mut answer: Value, hint: Option<Duration>) -> Value {
    let fields: Option<&mut Map<String, Value>> = answer.as_object_mut();
    if let (Some(fields), Some(hint)) = (fields, hint) {
        let ms = u64::try_from(hint.as_millis()).unwrap_or(u64::MAX);
        fields.insert("longpolling_timeout_ms".to_owned(), ms.into());
    }
    answer
}
