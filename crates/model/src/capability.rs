//! What an account's protocol can do, and what a plugin needs: compared before anything runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One ability of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Capability {
    /// Receives messages of private chats.
    PrivateMessages,
    /// Receives messages of rooms.
    GroupMessages,
    /// Sends text.
    SendText,
    /// Mentions members of a room.
    Mention,
    /// Tells when a message was taken back.
    RecallEvents,
    /// Lists contacts and room members.
    Contacts,
}

impl Capability {
    /// All there are, in the order they are shown.
    pub const ALL: [Self; 6] =
        [Self::PrivateMessages, Self::GroupMessages, Self::SendText, Self::Mention, Self::RecallEvents, Self::Contacts];

    /// The word used in manifests, messages and the guide.
    pub fn word(self) -> &'static str {
        match self {
            Self::PrivateMessages => "private-messages",
            Self::GroupMessages => "group-messages",
            Self::SendText => "send-text",
            Self::Mention => "mention",
            Self::RecallEvents => "recall-events",
            Self::Contacts => "contacts",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of abilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const fn none() -> Self {
        Self(0)
    }

    /// This one as well.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u32)
    }

    /// Whether this one is among them.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u32) != 0
    }

    /// Those of `needed` that are not here.
    pub fn missing(self, needed: &[Capability]) -> Vec<Capability> {
        needed.iter().copied().filter(|c| !self.has(*c)).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        iter.into_iter().fold(Self::none(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_names_what_is_not_there() {
        let web: Capabilities = [Capability::SendText, Capability::GroupMessages].into_iter().collect();
        assert_eq!(web.missing(&[Capability::SendText, Capability::Mention]), [Capability::Mention]);
        assert!(Capability::ALL.iter().all(|c| Capabilities::none().with(*c).has(*c)));
    }
}
