//! For which plugins is something handled again without sending? What they would send at once has no event to be known by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The plugins of one account that handle a replay without `--send` just now, and how many events each.
#[derive(Debug, Default)]
pub(crate) struct Withheld(Mutex<HashMap<Arc<str>, usize>>);

impl Withheld {
    fn all<T>(&self, f: impl FnOnce(&mut HashMap<Arc<str>, usize>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on, until the answer is dropped.
    pub(crate) fn begin(&self, plugin: &Arc<str>) -> Withholding<'_> {
        self.all(|all| *all.entry(Arc::clone(plugin)).or_default() += 1);
        Withholding { all: self, plugin: Arc::clone(plugin) }
    }

    /// Whether this plugin handles one.
    pub(crate) fn has(&self, plugin: &str) -> bool {
        self.all(|all| all.contains_key(plugin))
    }
}

/// One event that is handled again without sending.
#[derive(Debug)]
pub(crate) struct Withholding<'a> {
    all: &'a Withheld,
    plugin: Arc<str>,
}

impl Drop for Withholding<'_> {
    fn drop(&mut self) {
        self.all.all(|all| {
            let left = all.get(&self.plugin).copied().unwrap_or(0).saturating_sub(1);
            if left == 0 {
                all.remove(&self.plugin);
            } else {
                all.insert(Arc::clone(&self.plugin), left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withheld_until_the_last_event_has_ended() {
        let (all, plugin) = (Withheld::default(), Arc::from("a"));
        let (one, two) = (all.begin(&plugin), all.begin(&plugin));
        drop(one);
        assert!(all.has("a") && !all.has("b"));
        drop(two);
        assert!(!all.has("a"));
    }
}
