//! What is kept no longer than it serves? Once a day values that say nothing any more are removed: silences that are over,
//! who was told or greeted long ago, conversations that a model has forgotten, counts of other days.
//!
//! A run looks at some pages and removes some values; a timer goes on where it stopped, with the place in its payload, so
//! that a million people are no heavier than a hundred, and a restart loses nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_plugin::KvPage;
use wxbot_plugin::local::{Local, Zone};
use wxbot_plugin::manifest::Missed;
use wxbot_plugin::prelude::*;

use crate::AutoReply;
use crate::friends::GREETED_MS;
use crate::since::since;

/// The name of the schedule and of the timer that goes on.
pub(crate) const NAME: &str = "tidy";
/// So many small values are looked at in a run,
const LOOKS: usize = 5_000;
/// and so many removed: a commit of some milliseconds. Of large ones it is fewer, see [`Kind::weight`].
const REMOVES: usize = 500;
/// The pause before it goes on.
const PAUSE: Duration = Duration::from_secs(10);
/// A clock is set back by some seconds now and then; a moment that is further ahead comes from one that was wrong.
const AHEAD_MS: i64 = 86_400_000;

/// What is looked through, by the beginning of its keys.
const KINDS: [(&str, Kind); 6] = [
    ("away:", Kind::Away),
    ("cooldown-person:", Kind::Cooldown),
    ("cooldown:", Kind::Cooldown),
    ("greeted:", Kind::Greeted),
    ("llm:chat:", Kind::Conversation),
    ("llm:from:", Kind::Count),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Away,
    Cooldown,
    Greeted,
    Conversation,
    Count,
}

impl Kind {
    /// As how many small values one counts. A conversation may have 48 KiB, and a page of them is in memory at a time.
    fn weight(self) -> usize {
        match self {
            Self::Conversation => 20,
            Self::Away | Self::Cooldown | Self::Greeted | Self::Count => 1,
        }
    }
}

/// Where a run stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Of [`KINDS`], by its beginning.
    prefix: String,
    after: Option<String>,
}

/// When it is done: at night.
pub(crate) fn schedule(zone: &Zone) -> PlannedSchedule {
    PlannedSchedule::new(NAME, "0 40 4 * * *").tz(zone.name()).missed(Missed::Once)
}

impl AutoReply {
    /// One run, when this is our schedule or our timer.
    pub(crate) async fn tidy(&self, kind: &EventKind, cx: &Ctx) -> Result<Effects, PluginError> {
        let from = if let EventKind::Schedule { name, .. } = kind
            && name == NAME
        {
            Place::default()
        } else if let EventKind::Timer { name, payload, .. } = kind
            && name == NAME
        {
            Place::deserialize(payload).unwrap_or_default()
        } else {
            return Ok(Effects::none());
        };
        let (now_ms, mut effects) = (cx.now_ms(), Effects::none());
        let today = Local::at(now_ms, &self.settings.zone).date();
        let (mut looks, mut removes) = (LOOKS, REMOVES);
        let mut after = from.after;
        for (prefix, kind) in KINDS.into_iter().skip_while(|(prefix, _)| *prefix < &*from.prefix) {
            loop {
                let page = KvPage::of((KvPage::MOST.min(looks) / kind.weight()).max(1));
                let page = if let Some(after) = &after { page.after(after) } else { page };
                let wanted = page.limit;
                let rows: Vec<(String, Value)> = cx.kv_list(prefix, page).await?;
                let full = rows.len() >= wanted;
                for (key, value) in rows {
                    looks = looks.saturating_sub(kind.weight());
                    if self.is_over(kind, &value, now_ms, &today) {
                        // A swap: what somebody renews in this moment stays.
                        effects = effects.swap(&*key, Some(&value), None::<&Value>)?;
                        removes = removes.saturating_sub(kind.weight());
                    }
                    after = Some(key);
                    if removes == 0 {
                        break;
                    }
                }
                if removes == 0 || (full && looks == 0) {
                    return Ok(effects.timer(NAME, PAUSE, &Place { prefix: prefix.to_owned(), after })?);
                }
                if !full {
                    break;
                }
            }
            after = None;
        }
        Ok(effects)
    }

    /// Whether a value says nothing any more. One of another shape, written by another version, never does.
    fn is_over(&self, kind: Kind, value: &Value, now_ms: i64, today: &str) -> bool {
        let over = |then_ms: Option<i64>, keep_ms: i64| {
            then_ms.is_none_or(|then_ms| match since(now_ms, then_ms) {
                Some(since) => since >= keep_ms,
                None => since(then_ms, now_ms).is_none_or(|ahead| ahead > AHEAD_MS),
            })
        };
        match kind {
            // Without these settings nobody reads it.
            Kind::Away => over(value.as_i64(), self.settings.away.as_ref().map_or(0, |away| away.every_ms())),
            Kind::Cooldown => over(value.as_i64(), self.settings.longest_pause_ms()),
            Kind::Greeted => over(value.as_i64(), GREETED_MS),
            Kind::Conversation => over(value["at_ms"].as_i64(), self.history_ms()),
            Kind::Count => value["day"] != *today,
        }
    }

    /// How long conversations with the model are kept.
    fn history_ms(&self) -> i64 {
        #[cfg(feature = "llm")]
        if let Some(llm) = &self.llm {
            return llm.history_ms();
        }
        0
    }
}
