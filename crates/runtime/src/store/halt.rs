//! Why does an account wait for a person? What a run leaves to the next one, so that a restart tries nothing by itself and
//! knows since when.

use wxbot_core::error::Risk;
use wxbot_model::AccountName;

use super::Answer;

/// An account that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// Somebody logged it out; otherwise it needs a login.
    pub logged_out: bool,
    /// Why.
    pub why: String,
    /// What risk control holds against it.
    pub risk: Option<Risk>,
    /// The service no longer takes its token.
    pub token: bool,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// What an account has left to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftToPeople {
    /// Whose.
    pub account: String,
    /// Events given up.
    pub dead: u64,
    /// Sends of which nobody knows whether they went out, or whom they are for.
    pub uncertain: u64,
}

/// The steps around waiting for a person.
pub trait HaltStore {
    /// Notes that the account waits, in place of what was noted before.
    fn note_halt(&self, account: &AccountName, halt: Halt) -> Answer<'_, ()>;

    /// Forgets it: a session is there.
    fn forget_halt(&self, account: &AccountName) -> Answer<'_, ()>;

    /// What lies there for people to decide: of each account that has any, events given up and sends that are uncertain.
    fn left_to_people(&self) -> Answer<'_, Vec<LeftToPeople>>;

    /// What is noted.
    fn halt(&self, account: &AccountName) -> Answer<'_, Option<Halt>>;
}
