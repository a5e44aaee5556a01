//! What does a handler answer? Effects: data that the host commits with the event and performs afterwards.

use serde::Serialize;
use serde_json::Value;
use wxbot_model::{Action, ContactId};

/// What should happen because of one event, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    list: Vec<Effect>,
}

/// One thing that should happen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Answer in the conversation of the event.
    Reply {
        /// The text, at most 4 KiB.
        text: String,
        /// Mention the sender; ignored outside rooms.
        mention_sender: bool,
    },
    /// Do something else, somewhere else.
    Act(Action),
    /// Set a value of the plugin's own KV store (per account).
    Put {
        /// The key, at most 512 bytes.
        key: String,
        /// The value.
        value: Value,
    },
    /// Remove a value.
    Delete {
        /// The key.
        key: String,
    },
}

impl Effects {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// One answer in the same conversation.
    pub fn reply(text: impl Into<String>) -> Self {
        Self::none().and_reply(text)
    }

    /// One more answer.
    #[must_use]
    pub fn and_reply(mut self, text: impl Into<String>) -> Self {
        self.list.push(Effect::Reply { text: text.into(), mention_sender: false });
        self
    }

    /// One more answer that mentions the sender (in rooms).
    #[must_use]
    pub fn and_reply_at_sender(mut self, text: impl Into<String>) -> Self {
        self.list.push(Effect::Reply { text: text.into(), mention_sender: true });
        self
    }

    /// A text to another conversation.
    #[must_use]
    pub fn and_send(mut self, to: ContactId, text: impl Into<String>) -> Self {
        self.list.push(Effect::Act(Action::SendText { to, text: text.into(), mention: Vec::new() }));
        self
    }

    /// Something else, somewhere else.
    #[must_use]
    pub fn and_act(mut self, action: Action) -> Self {
        self.list.push(Effect::Act(action));
        self
    }

    /// Sets a KV value with the event.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn put(mut self, key: impl Into<String>, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        self.list.push(Effect::Put { key: key.into(), value: serde_json::to_value(value)? });
        Ok(self)
    }

    /// Removes a KV value with the event.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.list.push(Effect::Delete { key: key.into() });
        self
    }

    /// The effects in order.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.list.iter()
    }

    /// True when nothing should happen.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
