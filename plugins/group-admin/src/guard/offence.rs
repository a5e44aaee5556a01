//! What did somebody do that they should not have? A feature, a clause for people, and where the ladder begins.

use crate::ladder::Rung;

/// One offence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offence {
    /// Which feature found it.
    pub(crate) feature: &'static str,
    /// For the room, in Chinese: 刷屏.
    pub(crate) why: String,
    /// What admins are told besides: the room must not read a forbidden word in our own text.
    pub(crate) detail: String,
    /// Where the ladder begins.
    pub(crate) rung: Rung,
    /// False for what nobody in particular did: the room is told, and nobody gets a strike.
    pub(crate) strike: bool,
}

impl Offence {
    pub(crate) fn new(feature: &'static str, why: impl Into<String>, rung: Rung) -> Self {
        Self { feature, why: why.into(), detail: String::new(), rung, strike: true }
    }

    /// Adds what only admins are told.
    pub(crate) fn in_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Nobody in particular did it.
    pub(crate) fn of_nobody(mut self) -> Self {
        self.strike = false;
        self
    }

    /// All of it, for admins and the log.
    pub(crate) fn in_full(&self) -> String {
        format!("{}{}", self.why, self.detail)
    }
}
