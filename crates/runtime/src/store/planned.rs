//! Which messages go out at a time that a person has said? What is due, and that it goes out once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use wxbot_model::{AccountName, ContactId};

use super::{Answer, LoneSend};
use crate::clock::Missed;

/// Planned messages of one account. Whoever needs more wants a plugin with a table of its own.
pub const MOST_PLANNED: u64 = 100;

/// A message to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlanned {
    /// Of which account.
    pub account: AccountName,
    /// To whom.
    pub conv: ContactId,
    /// What, as an action in JSON.
    pub body: String,
    /// Each time that this is due; `None`: once.
    pub cron: Option<String>,
    /// On the clock of this place; `None`: the machine's.
    pub tz: Option<String>,
    /// What becomes of it when nobody was there at its time.
    pub missed: Missed,
    /// When it is due first, milliseconds since 1970.
    pub due_ms: i64,
    /// Now.
    pub now_ms: i64,
}

/// A message that is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its number.
    pub id: u64,
    /// Of which account.
    pub account: AccountName,
    /// To whom.
    pub conv: ContactId,
    /// What, as an action in JSON.
    pub body: String,
    /// Each time that this is due; `None`: once.
    pub cron: Option<String>,
    /// On the clock of this place; `None`: the machine's.
    pub tz: Option<String>,
    /// What becomes of it when nobody was there at its time.
    pub missed: Missed,
    /// When it is due next, milliseconds since 1970.
    pub due_ms: i64,
    /// When it was planned.
    pub made_ms: i64,
}

/// A planned message whose time has come, or has been missed.
#[derive(Debug, Clone)]
pub struct PlannedFiring {
    /// Which.
    pub id: u64,
    /// It counts only while it is due then.
    pub due_ms: i64,
    /// When it is due again; `None`: it is over.
    pub next_ms: Option<i64>,
    /// What goes out.
    pub send: LoneSend,
    /// Why it does not: kept with the send, which is expired from the beginning.
    pub missed: Option<String>,
}

/// The steps around planned messages.
pub trait PlannedStore {
    /// Plans one and answers its number; `None` when the account has [`MOST_PLANNED`] already.
    fn plan(&self, new: NewPlanned) -> Answer<'_, Option<u64>>;

    /// Those of an account, or of all, by when they are due.
    fn planned(&self, account: Option<&AccountName>) -> Answer<'_, Vec<Planned>>;

    /// Takes one back; false when there is none.
    fn unplan(&self, id: u64) -> Answer<'_, bool>;

    /// Those of these accounts that are due, and when the next one will be that is not among them.
    fn due_planned(
        &self,
        accounts: Vec<AccountName>,
        now_ms: i64,
        limit: usize,
    ) -> Answer<'_, (Vec<Planned>, Option<i64>)>;

    /// Stores the send and moves the plan on, in one step; so whoever ends in between has neither lost nor doubled it.
    /// False when it was taken back or fired meanwhile.
    fn fire_planned(&self, firing: PlannedFiring) -> Answer<'_, bool>;

    /// Rings when one was planned.
    fn planned_bell(&self) -> Arc<Notify>;
}
