//! Who is told how often? The first hit at once, those behind it as a number: "再命中 12 次".

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::prelude::*;

use super::recipients;
use crate::kept;
use crate::settings::{Settings, ms};

/// Rules of one chat that told something lately.
const MOST: usize = 200;

/// What was told of one chat.
#[derive(Debug)]
pub(super) struct Notices {
    key: String,
    /// By the rule's name.
    all: BTreeMap<String, Told>,
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    at_ms: i64,
    /// Hits since then.
    more: u64,
}

/// What the timer brings when the number is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct More {
    /// The rule's name when it was set: settings may have changed since.
    pub(super) rule: String,
    pub(super) n: usize,
}

impl Notices {
    /// Those of a chat. Nothing is read when no rule tells anything.
    pub(super) async fn read(cx: &Ctx, chat: &ContactId, wanted: bool) -> Result<Self, PluginError> {
        let key = format!("told:{chat}");
        let all = if wanted { kept::map(cx, &key).await?.1 } else { BTreeMap::new() };
        Ok(Self { key, all, changed: false })
    }

    /// `None`: tell it. Otherwise it is counted, and for the first one that is, a timer is wanted.
    pub(super) fn hold_back(&mut self, rule: &str, now_ms: i64, every_ms: i64) -> Option<Option<Duration>> {
        let told = self.all.get_mut(rule)?;
        // A moment in the future comes from a clock that was set back.
        let since_ms = now_ms.checked_sub(told.at_ms).filter(|since| (0..every_ms).contains(since))?;
        told.more += 1;
        self.changed = true;
        let left = u64::try_from(every_ms - since_ms).unwrap_or(0);
        Some((told.more == 1).then(|| Duration::from_millis(left)))
    }

    pub(super) fn told(&mut self, rule: String, now_ms: i64) {
        self.changed = true;
        self.all.insert(rule, Told { at_ms: now_ms, more: 0 });
        while self.all.len() > MOST {
            let oldest = self.all.iter().min_by_key(|(_, told)| told.at_ms).map(|(rule, _)| rule.clone());
            oldest.and_then(|oldest| self.all.remove(&oldest));
        }
    }

    pub(super) fn written(self) -> Result<Effects, PluginError> {
        if !self.changed {
            return Ok(Effects::none());
        }
        Ok(Effects::none().put(self.key, &self.all)?)
    }
}

/// The number is due: tells it, and the next one comes no earlier than after the same time again.
pub(crate) async fn merged(settings: &Settings, event: &Event, cx: &Ctx, more: &More) -> Result<Effects, PluginError> {
    let mut notices = Notices::read(cx, &event.chat.id, true).await?;
    let rule = settings.rules.get(more.n).filter(|_| settings.name_of(more.n) == more.rule);
    let counted = notices.all.get(&more.rule).map_or(0, |told| told.more);
    let (Some(rule), true) = (rule, counted > 0) else {
        cx.note("more", false, || "nothing was hit since, or the rule is another one now".to_owned());
        return Ok(Effects::none());
    };
    notices.told(more.rule.clone(), cx.now_ms());
    let place = if event.is_group() {
        format!("「{}」里", event.chat.name)
    } else {
        format!("{} 的私聊里", event.chat.name)
    };
    let every =
        wxbot_plugin::model::span::show_duration(Duration::from_millis(ms(settings.notify_every).unsigned_abs()));
    let text = format!("🔔 {}:{place} {every} 内再命中 {counted} 次 ({counted} more hits)", more.rule);
    let mut effects = Effects::none();
    for to in recipients(&rule.notify, cx).into_iter().filter(|to| *to != event.chat.id).take(super::ACTIONS) {
        effects = effects.and_send(to, &*text);
    }
    Ok(effects.then(notices.written()?))
}
