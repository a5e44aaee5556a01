//! Something a bot asks an account to do.

use serde::{Deserialize, Serialize};

use crate::capability::Capability;
use crate::id::ContactId;

/// One thing to do. It is stored in the outbox as JSON before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Send a text to a person or room.
    SendText {
        /// The conversation.
        to: ContactId,
        /// The text, `\n` for a new line.
        text: String,
        /// Room members to mention; the protocol puts the names in front of the text.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mention: Vec<ContactId>,
    },
}

impl Action {
    /// The conversation it goes to.
    pub fn to(&self) -> &ContactId {
        match self {
            Self::SendText { to, .. } => to,
        }
    }

    /// What an account must be able to do for it.
    pub fn needs(&self) -> Capability {
        match self {
            Self::SendText { .. } => Capability::SendText,
        }
    }
}
