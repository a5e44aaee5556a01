//! Which accounts run now? A list that is replaced as a whole, and that others may watch while it changes.

use std::sync::{Arc, PoisonError, RwLock};

use crate::account::Account;

/// The accounts that run, in the order of `bot.toml`. Clones show the same list.
#[derive(Clone)]
pub struct Roster(Arc<RwLock<Arc<[Arc<Account>]>>>);

impl Roster {
    /// The list of this moment. A reload makes another one; this one stays as it is.
    pub fn now(&self) -> Arc<[Arc<Account>]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn publish(&self, accounts: Arc<[Arc<Account>]>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = accounts;
    }
}

impl Default for Roster {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Arc::from([]))))
    }
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.now().iter()).finish()
    }
}
