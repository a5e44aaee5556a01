//! How does the server write a contact or a room member?

use serde::Deserialize;

use crate::lenient::scalar::{int, raw_list, text, uint};

/// One entry of `MemberList`, `ContactList`, `ModContactList`. Any field may be absent.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the server's own names; see docs/protocol/webwx.md, contacts")]
pub struct Contact {
    #[serde(deserialize_with = "uint")]
    pub uin: u64,
    #[serde(deserialize_with = "text")]
    pub user_name: String,
    #[serde(deserialize_with = "text")]
    pub nick_name: String,
    #[serde(deserialize_with = "text")]
    pub remark_name: String,
    #[serde(deserialize_with = "text")]
    pub display_name: String,
    #[serde(deserialize_with = "text")]
    pub alias: String,
    #[serde(deserialize_with = "text")]
    pub head_img_url: String,
    #[serde(rename = "PYInitial", deserialize_with = "text")]
    pub py_initial: String,
    #[serde(rename = "PYQuanPin", deserialize_with = "text")]
    pub py_quan_pin: String,
    #[serde(rename = "RemarkPYInitial", deserialize_with = "text")]
    pub remark_py_initial: String,
    #[serde(rename = "RemarkPYQuanPin", deserialize_with = "text")]
    pub remark_py_quan_pin: String,
    #[serde(deserialize_with = "int")]
    pub contact_flag: i64,
    #[serde(deserialize_with = "int")]
    pub sex: i64,
    #[serde(deserialize_with = "text")]
    pub signature: String,
    #[serde(deserialize_with = "text")]
    pub province: String,
    #[serde(deserialize_with = "text")]
    pub city: String,
    #[serde(deserialize_with = "uint")]
    pub verify_flag: u64,
    #[serde(deserialize_with = "uint")]
    pub attr_status: u64,
    #[serde(deserialize_with = "uint")]
    pub owner_uin: u64,
    #[serde(deserialize_with = "text")]
    pub chat_room_owner: String,
    #[serde(deserialize_with = "text")]
    pub encry_chat_room_id: String,
    /// How many members a room has: more than are listed when the list is only a part.
    #[serde(deserialize_with = "uint")]
    pub member_count: u64,
    #[serde(deserialize_with = "members")]
    pub member_list: Vec<Member>,
}

/// One entry of a room's `MemberList`.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the server's own names")]
pub struct Member {
    #[serde(deserialize_with = "uint")]
    pub uin: u64,
    #[serde(deserialize_with = "text")]
    pub user_name: String,
    #[serde(deserialize_with = "text")]
    pub nick_name: String,
    #[serde(deserialize_with = "text")]
    pub display_name: String,
    #[serde(deserialize_with = "uint")]
    pub attr_status: u64,
}

/// Null is empty, and a member that cannot be read costs neither the others nor the room.
fn members<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Member>, D::Error> {
    Ok(super::answer::elements(&raw_list(deserializer)?).0)
}

/// One entry of `DelContactList`.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the server's own names")]
pub struct DelContact {
    #[serde(deserialize_with = "text")]
    pub user_name: String,
}
