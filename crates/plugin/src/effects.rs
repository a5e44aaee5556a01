//! What does a handler answer? Effects: data that the host commits with the event and performs afterwards.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_model::{Action, ContactId, MediaShape};

use crate::media::MediaSource;

/// What should happen because of one event, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Effects {
    list: Vec<Effect>,
}

/// One thing that should happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Answer in the conversation of the event.
    Reply {
        /// The text, at most 4 KiB.
        text: String,
        /// Mention the sender; ignored outside rooms.
        mention_sender: bool,
    },
    /// Send a picture, film, file or sticker.
    Media {
        /// The conversation; `None`: the event's.
        to: Option<ContactId>,
        /// How it is shown.
        shape: MediaShape,
        /// Where the bytes are.
        source: MediaSource,
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
    /// Change a value that is still as it was read; else nothing of this answer is done and the event is handled anew.
    Swap {
        /// The key.
        key: String,
        /// What it was; `None` when there was none.
        was: Option<Value>,
        /// What it becomes; `None` removes it.
        now: Option<Value>,
    },
    /// Come back to this conversation later, with an event of the kind `timer`. A timer of the same name is replaced.
    Timer {
        /// Its name, at most 512 bytes.
        name: String,
        /// When, ms from now.
        after_ms: u64,
        /// What the event brings.
        payload: Value,
    },
    /// Take a timer back, if it has not fired yet.
    CancelTimer {
        /// Its name.
        name: String,
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

    /// A picture as the answer (PNG, JPEG, BMP; GIF stands still).
    pub fn reply_image(source: impl Into<MediaSource>) -> Self {
        Self::none().and_reply_image(source)
    }

    /// A film as the answer (MP4).
    pub fn reply_video(source: impl Into<MediaSource>) -> Self {
        Self::none().and_reply_video(source)
    }

    /// A file as the answer.
    pub fn reply_file(source: impl Into<MediaSource>) -> Self {
        Self::none().and_reply_file(source)
    }

    /// A moving picture without a frame as the answer (GIF).
    pub fn reply_sticker(source: impl Into<MediaSource>) -> Self {
        Self::none().and_reply_sticker(source)
    }

    /// One more answer: a picture.
    #[must_use]
    pub fn and_reply_image(self, source: impl Into<MediaSource>) -> Self {
        self.media(None, MediaShape::Image, source.into())
    }

    /// One more answer: a film.
    #[must_use]
    pub fn and_reply_video(self, source: impl Into<MediaSource>) -> Self {
        self.media(None, MediaShape::Video, source.into())
    }

    /// One more answer: a file.
    #[must_use]
    pub fn and_reply_file(self, source: impl Into<MediaSource>) -> Self {
        self.media(None, MediaShape::File, source.into())
    }

    /// One more answer: a moving picture without a frame.
    #[must_use]
    pub fn and_reply_sticker(self, source: impl Into<MediaSource>) -> Self {
        self.media(None, MediaShape::Sticker, source.into())
    }

    /// A picture, film, file or sticker to another conversation.
    #[must_use]
    pub fn and_send_media(self, to: ContactId, shape: MediaShape, source: impl Into<MediaSource>) -> Self {
        self.media(Some(to), shape, source.into())
    }

    fn media(mut self, to: Option<ContactId>, shape: MediaShape, source: MediaSource) -> Self {
        self.list.push(Effect::Media { to, shape, source });
        self
    }

    /// Something else, somewhere else; each action also has a method of its own (`recall`, `set_topic`, …).
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

    /// Changes a KV value that nobody else has changed since it was read: `was` is what [`Ctx::kv_get`](crate::Ctx::kv_get)
    /// gave. When somebody has, the event is handled anew.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn swap(
        mut self,
        key: impl Into<String>,
        was: Option<&impl Serialize>,
        now: Option<&impl Serialize>,
    ) -> Result<Self, serde_json::Error> {
        let (was, now) = (was.map(serde_json::to_value).transpose()?, now.map(serde_json::to_value).transpose()?);
        self.list.push(Effect::Swap { key: key.into(), was, now });
        Ok(self)
    }

    /// Comes back to this conversation after a while: the event `timer` brings `payload`. It outlives restarts. A timer
    /// of the same name (per plugin and account) is replaced.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn timer(
        mut self,
        name: impl Into<String>,
        after: Duration,
        payload: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let payload = serde_json::to_value(payload)?;
        self.list.push(Effect::Timer { name: name.into(), after_ms, payload });
        Ok(self)
    }

    /// Takes a timer back, if it has not fired yet.
    #[must_use]
    pub fn cancel_timer(mut self, name: impl Into<String>) -> Self {
        self.list.push(Effect::CancelTimer { name: name.into() });
        self
    }

    /// These, then the others.
    #[must_use]
    pub fn then(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self
    }

    /// The effects in order.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.list.truncate(len);
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
