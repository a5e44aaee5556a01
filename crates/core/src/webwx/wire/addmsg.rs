//! How does the server write one message of `AddMsgList`?

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::lenient::scalar::{int, text, uint};

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
    /// Milliseconds.
    #[serde(deserialize_with = "uint")]
    pub voice_length: u64,
    /// Seconds.
    #[serde(deserialize_with = "uint")]
    pub play_length: u64,
    /// Of a file its name, of other app messages the title.
    #[serde(deserialize_with = "text")]
    pub file_name: String,
    #[serde(deserialize_with = "text")]
    pub encry_file_name: String,
    #[serde(deserialize_with = "text")]
    pub file_size: String,
    #[serde(deserialize_with = "text")]
    pub media_id: String,
    #[serde(deserialize_with = "text")]
    pub url: String,
    /// Not 0 for stickers of the shop.
    #[serde(deserialize_with = "int")]
    pub has_product_id: i64,
    /// Of a location the XML that phones get, escaped like Content.
    #[serde(deserialize_with = "text")]
    pub ori_content: String,
    #[serde(deserialize_with = "readable")]
    pub recommend_info: RecommendInfo,
    #[serde(deserialize_with = "readable")]
    pub app_info: AppInfo,
}

/// The person that a card, a friend request or a recommendation is about.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the server's own names; see docs/protocol/webwx.md, message envelope")]
pub struct RecommendInfo {
    #[serde(deserialize_with = "text")]
    pub user_name: String,
    #[serde(deserialize_with = "text")]
    pub nick_name: String,
    #[serde(deserialize_with = "text")]
    pub alias: String,
    #[serde(deserialize_with = "text")]
    pub province: String,
    #[serde(deserialize_with = "text")]
    pub city: String,
    #[serde(deserialize_with = "text")]
    pub signature: String,
    /// What the person wrote.
    #[serde(deserialize_with = "text")]
    pub content: String,
    #[serde(deserialize_with = "text")]
    pub ticket: String,
    #[serde(deserialize_with = "int")]
    pub scene: i64,
    #[serde(deserialize_with = "int")]
    pub sex: i64,
    #[serde(deserialize_with = "int")]
    pub verify_flag: i64,
}

/// The app that shared something.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct AppInfo {
    /// `wx…`.
    #[serde(rename = "AppID", deserialize_with = "text")]
    pub app_id: String,
}

/// A part that matters to few messages: in another shape than expected it counts as absent, and the message stays.
fn readable<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    // Raw, since nearly all messages have these parts empty, and a tree of values costs more than the whole message.
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

impl AddMsg {
    /// UserNames of recent chats in a type-51 message.
    pub fn recent_chats(&self) -> impl Iterator<Item = &str> {
        self.status_notify_user_name.split(',').map(str::trim).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_parts_cost_only_themselves() {
        for part in ["null", "[]", "7", r#"{"UserName":{}}"#] {
            let json = format!(r#"{{"MsgId":"1","Content":"x","RecommendInfo":{part},"AppInfo":{part}}}"#);
            let msg: AddMsg = serde_json::from_str(&json).unwrap();
            assert_eq!((msg.content.as_str(), msg.recommend_info), ("x", RecommendInfo::default()), "{part}");
        }
    }
}
