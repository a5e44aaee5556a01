//! What does the owner read of answers that fail, and how often? One line of the log for each sort, once in a while:
//! whoever writes a text that a template fails on can write a thousand of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wxbot_plugin::Ctx;
use wxbot_plugin::model::AccountName;

use crate::since::since;

/// What was told stays told for so long.
const TOLD_MS: i64 = 600_000;
/// More sorts than settings have rules; beyond them nothing is told until some are old.
const MOST: usize = 1_000;

/// What was told, and when.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<(AccountName, String), i64>>);

impl Told {
    /// Tells that `what` (a rule, the text of `away`) cannot answer as it should. `why` holds nothing that people wrote.
    pub(crate) fn tell(&self, what: &str, why: &str, cx: &Ctx) {
        cx.note(what, false, || why.to_owned());
        if self.anew(what, why, cx) {
            tracing::warn!(account = %cx.account(), "{what}: {why}");
        }
    }

    fn anew(&self, what: &str, why: &str, cx: &Ctx) -> bool {
        let now_ms = cx.now_ms();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, then_ms| since(now_ms, *then_ms).is_some_and(|since| since < TOLD_MS));
        let sort = (cx.account().clone(), format!("{what}: {why}"));
        told.len() < MOST && told.insert(sort, now_ms).is_none()
    }
}
