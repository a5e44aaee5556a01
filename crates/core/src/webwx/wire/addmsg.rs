//! How does the server write one message of `AddMsgList`?

use serde::Deserialize;

use super::lenient::{int, text};

/// The fields that are read of one message. Any may be absent; ids are kept as text.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the server's own names; see docs/protocol/webwx.md, message envelope")]
pub struct AddMsg {
    #[serde(deserialize_with = "text")]
    pub msg_id: String,
    /// The same id as a number: above 2^53, and some servers round it.
    #[serde(deserialize_with = "text")]
    pub new_msg_id: String,
    #[serde(deserialize_with = "text")]
    pub from_user_name: String,
    #[serde(deserialize_with = "text")]
    pub to_user_name: String,
    #[serde(deserialize_with = "int")]
    pub msg_type: i64,
    #[serde(deserialize_with = "text")]
    pub content: String,
    #[serde(deserialize_with = "int")]
    pub create_time: i64,
    #[serde(deserialize_with = "int")]
    pub status_notify_code: i64,
    #[serde(deserialize_with = "text")]
    pub status_notify_user_name: String,
    #[serde(deserialize_with = "int")]
    pub sub_msg_type: i64,
    #[serde(deserialize_with = "int")]
    pub app_msg_type: i64,
}

impl AddMsg {
    /// UserNames of recent chats in a type-51 message.
    pub fn recent_chats(&self) -> impl Iterator<Item = &str> {
        self.status_notify_user_name.split(',').map(str::trim).filter(|name| !name.is_empty())
    }
}
