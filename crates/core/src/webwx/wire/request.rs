//! What JSON do we send? Field names as the server wants them.

use serde::Serialize;

use crate::webwx::sync::SyncKey;

/// `BaseRequest`, in every body.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BaseRequest<'a> {
    /// The account; a number in every sample but one.
    pub uin: u64,
    /// A key.
    pub sid: &'a str,
    /// A key.
    pub skey: &'a str,
    /// `e` and 15 digits, new for each request as the official client does.
    #[serde(rename = "DeviceID")]
    pub device_id: String,
}

/// webwxinit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Init<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
}

/// webwxstatusnotify codes that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyCode {
    /// 1: the chat was read here.
    Read,
    /// 3: the client is up.
    Inited,
}

/// webwxstatusnotify.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatusNotify<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// See [`NotifyCode`].
    pub code: u8,
    /// Ourselves.
    pub from_user_name: &'a str,
    /// The chat, or ourselves for code 3.
    pub to_user_name: &'a str,
    /// Milliseconds since 1970, a number here.
    pub client_msg_id: i64,
}

impl NotifyCode {
    /// As on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Inited => 3,
        }
    }
}

/// webwxbatchgetcontact; at most 50 entries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchGetContact<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// Length of the list.
    pub count: usize,
    /// Who is asked for.
    pub list: Vec<BatchEntry<'a>>,
}

/// One entry: rooms are asked with `ChatRoomId`, people with `EncryChatRoomId`.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum BatchEntry<'a> {
    /// A room.
    Room {
        /// Which.
        #[serde(rename = "UserName")]
        user_name: &'a str,
        /// Always empty.
        #[serde(rename = "ChatRoomId")]
        chat_room_id: &'a str,
    },
    /// Anybody else.
    Peer {
        /// Who.
        #[serde(rename = "UserName")]
        user_name: &'a str,
        /// The room through which we know the person; empty for none.
        #[serde(rename = "EncryChatRoomId")]
        encry_chat_room_id: &'a str,
    },
}

impl<'a> BatchEntry<'a> {
    /// The entry for this UserName.
    pub fn of(user_name: &'a str) -> Self {
        if crate::said::username::is_room(user_name) {
            Self::Room { user_name, chat_room_id: "" }
        } else {
            Self::Peer { user_name, encry_chat_room_id: "" }
        }
    }
}

/// webwxsync.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sync<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// The whole object last received.
    pub sync_key: &'a SyncKey,
    /// The inverted clock.
    #[serde(rename = "rr")]
    pub rr: i32,
}

/// webwxstatreport.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatReport<'a> {
    /// Keys, without Skey here.
    pub base_request: StatBase<'a>,
    /// Length of the list.
    pub count: usize,
    /// What happened.
    pub list: Vec<StatEntry>,
}

/// `BaseRequest` of webwxstatreport.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatBase<'a> {
    /// The account.
    pub uin: u64,
    /// A key.
    pub sid: &'a str,
    /// As in [`BaseRequest`].
    #[serde(rename = "DeviceID")]
    pub device_id: String,
}

/// One line of statistics.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatEntry {
    /// 1 normal, 2 error.
    #[serde(rename = "Type")]
    pub kind: u8,
    /// JSON in a text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testdata::{base, fixture_json, same};
    use super::*;

    const SKEY: &str = "@crypt_14ae1b12_f59314a579c67b15f838d09feb79c17f";
    const SKEY2: &str = "@crypt_14ae1b12_1bb5e370393b8cd502919825fe9dbfc0";
    const ME: &str = "@595d9f44c64e2f480baa0d6430ca58ef053a768daa6d7b3fcc4bece244bcbce3";
    const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";
    const ROOM2: &str = "@@e2da072e5beda58413f788fd2978b6f9fbde2ba337a71f02e1458958fcdb8371";

    // cov: 14
    #[test]
    fn init_is_asked_with_base_request() {
        let body = Init {
            base_request: base(
                "jSsRlGGPyY7U8det",
                "@crypt_14ae1b12_b73ba2673448154847d7007a2de3c53b",
                "e119795675188164",
            ),
        };
        let mut want = fixture_json("webwxinit.req.json");
        // The one sample with Uin in quotes; the service takes the number that all others have.
        want["BaseRequest"]["Uin"] = json!(566_148_615);
        assert_eq!(serde_json::to_value(&body).unwrap(), want);
    }

    // cov: 16
    #[test]
    fn statusnotify_3_after_init() {
        same(
            "webwxstatusnotify.req.json",
            &StatusNotify {
                base_request: base("EKjoZCMRIvrY7NIP", SKEY, "e098855372553243"),
                code: NotifyCode::Inited.number(),
                from_user_name: ME,
                to_user_name: ME,
                client_msg_id: 1_476_608_979_549,
            },
        );
    }

    // cov: 17
    #[test]
    fn statusnotify_1_marks_read() {
        same(
            "x-webwxstatusnotify-read.req.json",
            &StatusNotify {
                base_request: base("EKjoZCMRIvrY7NIP", SKEY, "e098855372553243"),
                code: NotifyCode::Read.number(),
                from_user_name: ME,
                to_user_name: PEER,
                client_msg_id: 1_476_608_979_549,
            },
        );
    }

    // cov: 20
    #[test]
    fn batch_with_encry_chat_room_id() {
        same(
            "webwxbatchgetcontact-encry.req.json",
            &BatchGetContact {
                base_request: base("EKjoZCMRIvrY7NIP", SKEY, "e316575061818116"),
                count: 1,
                list: vec![BatchEntry::Peer { user_name: ROOM2, encry_chat_room_id: "" }],
            },
        );
        assert!(matches!(BatchEntry::of(PEER), BatchEntry::Peer { .. }));
    }

    // cov: 21
    #[test]
    fn batch_with_chat_room_id_for_rooms() {
        same(
            "webwxbatchgetcontact.req.json",
            &BatchGetContact {
                base_request: base("EKjoZCMRIvrY7NIP", SKEY, "e316575061818116"),
                count: 1,
                list: vec![BatchEntry::of(ROOM2)],
            },
        );
    }

    #[test]
    fn members_are_asked_for_by_the_id_of_their_room() {
        let niu = "@2cbb226c459cc5203aa991942f41e19820f5ef3ccceb2dece598412f36406d1f";
        let entry = |user_name| BatchEntry::Peer { user_name, encry_chat_room_id: "@4f120905f9814dc8f5438f905b019bb6" };
        same(
            "x-webwxbatchgetcontact-members.req.json",
            &BatchGetContact {
                base_request: base("2qui+CC4YTiiI2zk", SKEY2, "e316575061818116"),
                count: 2,
                list: vec![entry(PEER), entry(niu)],
            },
        );
    }

    // cov: 22
    #[test]
    fn statreport() {
        same("x-webwxstatreport.req.json", &StatReport {
            base_request: StatBase { uin: 566_148_615, sid: "2qui+CC4YTiiI2zk", device_id: "e784205590563506".into() },
            count: 1,
            list: vec![StatEntry {
                kind: 1,
                text: r#"{"type":"[action-record]","data":{"actions":[{"type":"click","action":"发送框","time":1476614675634}]}}"#.into(),
            }],
        });
    }

    // cov: 35
    #[test]
    fn sync_sends_the_whole_key() {
        let want = fixture_json("webwxsync.req.json");
        let key: SyncKey = serde_json::from_value(want["SyncKey"].clone()).unwrap();
        same(
            "webwxsync.req.json",
            &Sync {
                base_request: base("2qui+CC4YTiiI2zk", SKEY2, "e151332185497293"),
                sync_key: &key,
                rr: crate::webwx::endpoint::not_timestamp_i32(1_476_612_268_499),
            },
        );
    }

    #[test]
    fn bodies_are_raw_utf8() {
        let text = serde_json::to_string(&json!({ "Content": "你好 <&> 😀" })).unwrap();
        assert_eq!(text, r#"{"Content":"你好 <&> 😀"}"#);
    }
}
