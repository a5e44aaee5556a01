//! Which handlers of a plugin see an event, in which order, and what becomes of what they return?
//!
//! [`#[plugin]`](macro@crate::plugin) writes a table of handlers and hands every event to [`run`]. Reading order of the
//! folder: `heard` what was typed, `words` its words, `look` whether a handler takes the event, `cooldown` whether it
//! rests, `table` what the macro writes.

pub(crate) mod cooldown;
pub(crate) mod heard;
mod look;
mod table;
pub(crate) mod words;

use std::sync::Arc;

use wxbot_model::Event;

use crate::ask::{CANCELLED, is_cancel};
use crate::ctx::Ctx;
use crate::effects::Effects;
use crate::extract::{Asked, Miss};
use crate::plugin::PluginError;
use crate::stored::Kept;

use heard::Heard;
use look::Look;

#[doc(hidden)]
pub use table::MadeByDefault;
pub use table::{Handler, Handlers, On, Run, args, check, extract, id_of, made, manifest, shape};

/// The name under which `wxbot explain` shows a dialog that the person ended.
const DIALOG: &str = "dialogue";

/// Asks the handlers, one after the other: those that [continue](crate::Dialogue) a dialog first, then by priority, then
/// as they stand in the source. Each look is [noted](Ctx::note).
///
/// # Errors
/// What a handler failed with; then nothing of the others happens either.
pub async fn run<P: Sync>(
    handlers: &'static Handlers<P>,
    plugin: &P,
    event: &Event,
    cx: &Ctx,
) -> Result<Effects, PluginError> {
    let kept = Arc::new(Kept::default());
    let heard = Heard::of(event, cx.prefixes());
    let dialog = handlers.open_dialog(event, cx, &kept).await?;
    if let (Some(open), Ok(heard)) = (&dialog, &heard)
        && is_cancel(heard.raw())
    {
        open.close(&kept);
        cx.note(DIALOG, true, || "the person ended it".to_owned());
        cx.block();
        return Ok(Effects::reply(CANCELLED).then(kept.commit()?));
    }
    let look = Look { event, cx, longest: handlers.longest(&heard), heard, dialog: dialog.is_some() };
    for handler in &handlers.list {
        let (spec, name) = (&handler.spec, &*handler.spec.name);
        let found = match look.at(handler) {
            Ok(found) => found,
            Err(why) => {
                cx.note(name, false, || why.to_string());
                continue;
            }
        };
        let mut using = None;
        if let Some(rest) = spec.cooldown {
            match cx.link.resting.begin(handler.number, rest, event, cx.now_ms()) {
                Ok(begun) => using = Some(begun),
                Err(left_ms) => {
                    cx.note(name, false, || {
                        format!("cooldown: {} s left", left_ms.max(0).cast_unsigned().div_ceil(1000))
                    });
                    continue;
                }
            }
        }
        let (begun, before) = (cx.message_id(), cx.turn.with(|now| now.pending.len()));
        let asked = Asked { event, cx, spec, found, kept: Arc::clone(&kept), whole_text: handler.whole_text };
        // It holds from now on: a handler that asks answers the event before it has ended.
        let blocked = cx.turn.with(|now| {
            let before = now.block;
            now.block |= spec.block;
            before
        });
        let ended = (handler.run)(plugin, &asked).await;
        let moved_on = cx.message_id() != begun;
        if moved_on {
            // It asked somebody: what was pending then is committed.
            kept.forget();
        }
        match ended {
            Ok(effects) => {
                let stored = kept.commit()?;
                cx.also(effects.then(stored));
                if let Some(using) = using {
                    using.keep();
                }
                cx.note(name, true, || spec.trigger_found());
            }
            Err(Miss::Pass(why)) => {
                kept.discard();
                if !moved_on {
                    cx.turn.with(|now| now.block = blocked);
                }
                cx.note(name, false, || why);
                continue;
            }
            Err(Miss::Error(error)) => {
                kept.discard();
                let Some(told) = error.for_person() else { return Err(error) };
                // What the handlers before it did stays done.
                cx.turn.with(|now| now.pending.truncate(if moved_on { 0 } else { before }));
                if !told.is_empty() {
                    cx.reply(told);
                }
                cx.note(name, true, || "it took the event and told the person what is wrong".to_owned());
            }
        }
        // By its attribute, or because it said so.
        if spec.block || cx.turn.with(|now| now.block) {
            break;
        }
    }
    Ok(Effects::none())
}
