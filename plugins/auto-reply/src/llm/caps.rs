//! How many answers and tokens were used today, and may there be one more?
//!
//! Counted in memory, because questions of several conversations are asked at the same time: each takes its place before
//! the endpoint is asked, and for each further try, so that neither a hundred rooms nor an endpoint that fails each time
//! can pass a cap. Written to the KV store with each answer
//! (`llm:day`, `llm:from:<id>`), and read from there after a restart. What was spent on an answer that was never
//! committed is lost with the process, and with it alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::{AccountName, ContactId};
use wxbot_plugin::{Ctx, Effects, PluginError};

use super::settings::LlmSettings;

/// People counted in memory at a time; beyond that it is read anew from the store.
const MOST_PEOPLE: usize = 20_000;

/// What was used on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    /// The local date.
    day: String,
    answers: u32,
    tokens: u64,
    /// The person was told that it is over for today.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    told: bool,
    /// The event that told it: handled anew, it tells it again, for nothing was sent.
    #[serde(skip)]
    told_by: Option<String>,
}

/// Of an account (`None`), and of one person there.
type Whose = (AccountName, Option<ContactId>);

/// What was used today, by whom.
#[derive(Debug, Default)]
pub(crate) struct Caps(Mutex<HashMap<Whose, Used>>);

/// Whom a question is counted for, and when.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) account: &'a AccountName,
    pub(crate) sender: &'a ContactId,
    /// The local date.
    pub(crate) today: &'a str,
    /// The same when the event is handled again.
    pub(crate) event: &'a str,
}

/// Whether one more may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum May {
    Ask,
    /// It is over for today; the person has not been told so.
    Tell,
    /// The person has.
    Not,
}

impl Asker<'_> {
    fn both(&self) -> [Whose; 2] {
        [(self.account.clone(), None), (self.account.clone(), Some(self.sender.clone()))]
    }
}

fn key(whose: &Whose) -> String {
    match &whose.1 {
        None => "llm:day".to_owned(),
        Some(person) => format!("llm:from:{person}"),
    }
}

/// Whether one of the limits is reached, with so many tokens more.
fn over(all: &HashMap<Whose, Used>, [account, person]: &[Whose; 2], limits: &LlmSettings, more: u64) -> bool {
    let over = |whose: &Whose, answers: u32, tokens: Option<u64>| {
        let used = all.get(whose).cloned().unwrap_or_default();
        used.answers >= answers || tokens.is_some_and(|most| used.tokens.saturating_add(more) >= most)
    };
    over(account, limits.per_day, limits.tokens_per_day)
        || over(person, limits.per_sender_per_day, limits.tokens_per_sender_per_day)
}

impl Caps {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<Whose, Used>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a place for one more question, if there is one.
    pub(crate) async fn take(&self, asker: &Asker<'_>, limits: &LlmSettings, cx: &Ctx) -> Result<May, PluginError> {
        let both = asker.both();
        for whose in &both {
            let known = self.with(|all| all.get(whose).is_some_and(|used| used.day == asker.today));
            if !known {
                // Another shape, written by another version, is no reason to fail on every question.
                let stored: Option<serde_json::Value> = cx.kv_get(&key(whose)).await?;
                let stored = stored.and_then(|value| Used::deserialize(value).ok());
                let used = stored.filter(|used| used.day == asker.today);
                let used = used.unwrap_or_else(|| Used { day: asker.today.to_owned(), ..Used::default() });
                self.with(|all| {
                    if all.len() >= MOST_PEOPLE {
                        all.retain(|(_, person), _| person.is_none());
                    }
                    // Somebody may have been faster while the store was read.
                    let now = all.entry(whose.clone()).or_insert_with(|| used.clone());
                    if now.day != asker.today {
                        *now = used;
                    }
                });
            }
        }
        let [_, person] = &both;
        Ok(self.with(|all| {
            let over = over(all, &both, limits, 0);
            if !over {
                for whose in &both {
                    all.entry(whose.clone()).and_modify(|used| used.answers += 1);
                }
                return May::Ask;
            }
            let tells = all.get_mut(person).is_some_and(|used| {
                if !std::mem::replace(&mut used.told, true) {
                    used.told_by = Some(asker.event.to_owned());
                }
                used.told_by.as_deref() == Some(asker.event)
            });
            if tells { May::Tell } else { May::Not }
        }))
    }

    /// The try before may have cost this much; takes a place for another one, if there is one.
    pub(crate) fn again(&self, asker: &Asker<'_>, limits: &LlmSettings, tokens: u64) -> bool {
        let both = asker.both();
        let over = self.with(|all| over(all, &both, limits, tokens));
        if !over {
            self.change(asker, |used| {
                used.answers = used.answers.saturating_add(1);
                used.tokens = used.tokens.saturating_add(tokens);
            });
        }
        !over
    }

    /// The question cost this much.
    pub(crate) fn spent(&self, asker: &Asker<'_>, tokens: u64) {
        self.change(asker, |used| used.tokens = used.tokens.saturating_add(tokens));
    }

    /// The question cost nothing: its place is free again.
    pub(crate) fn give_back(&self, asker: &Asker<'_>) {
        self.change(asker, |used| used.answers = used.answers.saturating_sub(1));
    }

    fn change(&self, asker: &Asker<'_>, how: impl Fn(&mut Used)) {
        self.with(|all| {
            for whose in asker.both() {
                // A new day may have begun in between: it owes nothing.
                all.get_mut(&whose).filter(|used| used.day == asker.today).map(&how);
            }
        });
    }

    /// What is to be written with the answer.
    pub(crate) fn written(&self, asker: &Asker<'_>) -> Result<Effects, PluginError> {
        let mut effects = Effects::none();
        for whose in asker.both() {
            if let Some(used) = self.with(|all| all.get(&whose).cloned()) {
                effects = effects.put(key(&whose), &used)?;
            }
        }
        Ok(effects)
    }
}
