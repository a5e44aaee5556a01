//! What do wxbot and a plugin say to each other? The payloads of the operations, as records with names.
//!
//! A field that is added gets a default, and an enum has an arm for what is not known yet: the two sides may be of
//! different versions. The answers are [`Answer`](crate::host::Answer), [`Verdict`](crate::Verdict) and the types below.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wxbot_model::{AccountName, Action, ContactId, Event, FileType, MediaHandle, StoredMedia};

use crate::config::ConfigProblem;
use crate::contacts::ContactQuery;
use crate::ctx::KvPage;
use crate::host::{Call, CallMeta};
use crate::plan::Plan;
use crate::role::Role;

/// EVENT, RESUME and GUARD. Answered with [`Answer`](crate::host::Answer), GUARD with [`Verdict`](crate::Verdict).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Handle {
    /// What happened.
    pub event: Arc<Event>,
    /// What else is known.
    #[serde(default)]
    pub meta: CallMeta,
    /// The parked dialog that it answers.
    #[serde(default)]
    pub dialog: Option<u64>,
}

/// FORGET. Answered with nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Forget {
    /// Which dialog.
    pub dialog: u64,
}

/// ACTION. Answered with a [`Receipt`](crate::host::Receipt).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Act {
    /// In whose name.
    pub account: AccountName,
    /// What.
    pub action: Action,
}

/// KV_GET. Answered with the JSON value, or nil.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KvGet {
    /// The account whose value it is.
    pub account: AccountName,
    /// The key.
    pub key: String,
}

/// KV_LIST. Answered with a list of keys and JSON values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KvList {
    /// The account whose values they are.
    pub account: AccountName,
    /// What the keys begin with.
    pub prefix: String,
    /// How many, and from where.
    pub page: KvPage,
}

/// CHECK. What settings are worth: a plan, or problems.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Checked {
    /// All that is wrong.
    pub problems: Vec<ConfigProblem>,
    /// What the plugin makes of settings with which nothing is wrong.
    pub plan: Plan,
}

/// LOOKUP.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lookup {
    /// Contacts that fit, as a list of [`FoundContact`](crate::FoundContact).
    Contacts {
        /// Whose.
        account: AccountName,
        /// Which.
        query: ContactQuery,
    },
    /// One contact, or nil.
    Contact {
        /// Whose.
        account: AccountName,
        /// Which.
        id: ContactId,
    },
    /// The members of a room, as a list of [`RoomMember`](crate::RoomMember).
    Members {
        /// Who is in it.
        account: AccountName,
        /// Which.
        room: ContactId,
    },
    /// What the account's protocol can do, as a list of [words](wxbot_model::Capability::word).
    Capabilities {
        /// Which.
        account: AccountName,
    },
    /// Who has a role, as a list of ids.
    People {
        /// Where.
        account: AccountName,
        /// Which.
        role: Role,
        /// For group admins, the room.
        #[serde(default)]
        room: Option<ContactId>,
    },
    /// What the pacing lets out now into a chat, as a [`Budget`](crate::Budget).
    Budget {
        /// Whose.
        account: AccountName,
        /// Into which.
        chat: ContactId,
    },
    /// Something of a later version.
    #[serde(other)]
    Unknown,
}

/// MEDIA. Answered with a `Result` of [`Fetched`] or [`MediaError`](crate::MediaError).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fetch {
    /// The bytes of a message.
    Media {
        /// Who received it.
        account: AccountName,
        /// Where the service has it.
        media: MediaHandle,
        /// What the sender called it; may be empty.
        name: String,
    },
    /// The picture of a contact.
    Avatar {
        /// Who knows the contact.
        account: AccountName,
        /// Of whom.
        of: ContactId,
        /// Through which room, for members who are no friends.
        #[serde(default)]
        room: Option<ContactId>,
    },
    /// Something of a later version.
    #[serde(other)]
    Unknown,
}

/// A file that was fetched. It stays where it is until RELEASE, or until the instance ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fetched {
    /// Its place in the media folder.
    pub stored: StoredMedia,
    /// What it is.
    pub file_type: FileType,
    /// Where it is.
    pub path: PathBuf,
    /// What RELEASE takes.
    pub hold: u64,
}

/// RELEASE. Answered with nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Release {
    /// Of which [`Fetched`].
    pub hold: u64,
}

impl From<Call> for Handle {
    fn from(Call { event, meta, dialog }: Call) -> Self {
        Self { event, meta, dialog }
    }
}

impl From<Handle> for Call {
    fn from(Handle { event, meta, dialog }: Handle) -> Self {
        Self { event, meta, dialog }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use wxbot_model::ActionKind;

    use super::*;
    use crate::abi::{decode, encode};
    use crate::budget::{Allowance, Budget};
    use crate::host::Answer;

    /// Crosses as what another version of the SDK wrote.
    fn of_another_version<T: DeserializeOwned>(sent: Value) -> T {
        decode(&encode(&sent).unwrap()).unwrap()
    }

    fn event() -> Value {
        json!({
            "account": "xiaoli", "key": "m1", "sender": null, "at_s": 7,
            "chat": { "id": "p1", "kind": "private", "name": "Anna" },
            "kind": { "what": "timer", "plugin": "p", "name": "t", "payload": { "n": 1.5 }, "due_ms": 9 },
        })
    }

    /// Old and new sides: what one of them does not know is skipped, what it misses is filled.
    #[test]
    fn payloads_of_other_versions_are_read() {
        let old: Handle = of_another_version(json!({ "event": event() }));
        assert_eq!((old.meta, old.dialog), (CallMeta::default(), None));
        let mut grown = event();
        grown["mood"] = json!("good");
        let new: Handle =
            of_another_version(json!({ "event": grown, "meta": { "attempt": 2, "moon": "full" }, "lane": 3 }));
        assert_eq!((new.event, new.meta.attempt), (old.event, 2));

        let answer: Answer = of_another_version(json!({}));
        assert_eq!(answer, Answer::default());
        let answer: Answer = of_another_version(json!({ "effects": [], "block": true, "mood": [1, 2] }));
        assert!(answer.block);
        assert!(matches!(of_another_version(json!({ "what": "weather", "in": "Kunming" })), Lookup::Unknown));
        assert!(matches!(of_another_version(json!({ "what": "hologram" })), Fetch::Unknown));
    }

    /// A kind of actions that this side does not know yet is one of the others.
    #[test]
    fn budgets_cross_and_those_of_another_version_are_read() {
        let budget =
            Budget::unlimited().with_chat(Allowance::of(2)).with_kind(ActionKind::Recall, Allowance::not_before(7));
        let budget = budget.in_quiet_hours(9, true).warming_up(11).with_window(3, 2, 60);
        assert_eq!(decode::<Budget>(&encode(&budget).unwrap()).unwrap(), budget);
        assert_eq!(of_another_version::<Budget>(json!({})), Budget::unlimited());
        let grown = json!({ "kinds": [{ "kind": "dance", "allowance": { "now": 1, "style": "tango" } }], "mood": 3 });
        let want = Budget::unlimited().with_kind(ActionKind::Other, Allowance::of(1));
        assert_eq!(of_another_version::<Budget>(grown), want);
    }

    #[test]
    fn events_cross_and_come_back() {
        let sent: Event = serde_json::from_value(event()).unwrap();
        let handle = Handle { event: Arc::new(sent), meta: CallMeta::first(), dialog: Some(7) };
        let got: Handle = decode(&encode(&handle).unwrap()).unwrap();
        assert_eq!((got.event, got.meta, got.dialog), (handle.event, handle.meta, handle.dialog));
    }
}
