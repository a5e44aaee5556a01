//! What does the service tell of friends and rooms? The structs of [`EventKind`](crate::EventKind) that are no messages.
//!
//! Most of it is read out of texts that the service writes for people, so persons are **names**: whoever calls
//! themself like somebody else is told apart by nobody here. Never decide rights by them. The whole text is kept as
//! `notice`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contact::Sex;
use crate::id::{ContactId, PeerId};

/// A person in a text of the service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Who {
    /// Our own account (`你`, `You`).
    Me,
    /// Somebody else.
    Other {
        /// The name as the text has it; where the service names people by their ids only, the id.
        name: String,
    },
}

impl Who {
    /// Somebody of this name.
    pub fn other(name: impl Into<String>) -> Self {
        Self::Other { name: name.into() }
    }

    /// The name, unless it is us.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Me => None,
            Self::Other { name } => Some(name),
        }
    }

    /// True for our own account.
    pub fn is_me(&self) -> bool {
        matches!(self, Self::Me)
    }
}

/// What lets an account accept a friend request. It is worth nothing to anybody else, but is not shown in logs either.
///
/// It serializes as plain text: events are stored with it, so that a request can be accepted later.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(String);

impl Ticket {
    /// Takes what the service gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that goes back to the service.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when the service gave none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "[no ticket]" } else { "[ticket]" })
    }
}

/// Somebody wants to be our friend, or the service recommends somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FriendRequest {
    /// The person's id in this login; accepting needs it.
    pub user: Option<PeerId>,
    /// The name the person gave themself.
    pub name: String,
    /// The person's WeChat id; empty when not shown.
    pub alias: String,
    /// The service's lasting id of the person (`wxid_…`); empty when not shown.
    pub wxid: String,
    /// What the person wrote; empty for recommendations.
    pub greeting: String,
    /// Where the person found us: 3 by WeChat id, 6 a contact, 14 a room, 17 a card, 30 a QR code, and others.
    pub scene: i64,
    /// Accepting needs it.
    pub ticket: Ticket,
    /// Stated sex.
    pub sex: Sex,
    /// Region.
    pub province: String,
    /// Region.
    pub city: String,
    /// Profile text.
    pub signature: String,
    /// The phone's id of the room both are in (`…@chatroom`), for requests out of a room; else empty.
    pub room: String,
    /// The name of who recommended us to the person; else empty.
    pub shared_by: String,
    /// True when nobody asked: the service thinks that we may know the person.
    pub suggested: bool,
}

/// People came into a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersJoined {
    /// Who came in, without us.
    pub names: Vec<String>,
    /// True when we came in with them, or alone.
    pub me_invited: bool,
    /// Who else takes part, where the text says so to us as newcomers.
    #[serde(default)]
    pub others: Vec<String>,
    /// Who invited them, or whose QR code it was.
    pub inviter: Who,
    /// How they came in.
    pub by: JoinedBy,
    /// The whole text.
    pub notice: String,
}

/// How somebody came into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JoinedBy {
    /// A member invited them.
    Invitation,
    /// They scanned a QR code that a member shared.
    QrCode,
}

/// A member of a room of whom a comparison of lists tells something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// wxbot's own id of the person; `None` for somebody the account never dealt with.
    pub id: Option<ContactId>,
    /// The name as the room shows it; empty when it is not known any more.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r19_a_ticket_has_no_text() {
        let request = FriendRequest { ticket: Ticket::new("v2_9d2e@stranger"), ..FriendRequest::default() };
        assert!(!format!("{request:?}").contains("v2_"), "{request:?}");
        let back: FriendRequest = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        assert_eq!(back.ticket.expose(), "v2_9d2e@stranger");
    }
}
