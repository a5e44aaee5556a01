//! What stands in the bodies that clients post, read as loosely as the real server reads them?

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A string that some clients send as a number.
#[derive(Debug, Default)]
pub(crate) struct Loose<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Loose<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Loose(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Loose(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Loose(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Loose(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Loose(Cow::Owned(format!("{number:.0}"))))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Loose::default())
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Who asks, in every posted body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BaseRequest<'a> {
    #[serde(borrow)]
    pub(crate) uin: Loose<'a>,
    #[serde(borrow)]
    pub(crate) sid: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) skey: Loose<'a>,
    #[serde(borrow, rename = "DeviceID")]
    pub(crate) device_id: Cow<'a, str>,
}

/// Bodies of which only the asker matters: webwxinit, webwxstatreport.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BareBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NotifyBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    pub(crate) code: i64,
    #[serde(borrow, default)]
    pub(crate) from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) to_user_name: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(default)]
    pub(crate) count: usize,
    #[serde(borrow, default)]
    pub(crate) list: Vec<BatchItem<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchItem<'a> {
    #[serde(borrow)]
    pub(crate) user_name: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SyncBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(default)]
    pub(crate) sync_key: SyncKey,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SyncKey {
    #[serde(default)]
    pub(crate) count: usize,
    #[serde(default)]
    pub(crate) list: Vec<KeyPair>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyPair {
    pub(crate) key: u32,
    pub(crate) val: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(borrow)]
    pub(crate) msg: OutMsg<'a>,
    #[serde(default)]
    pub(crate) scene: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OutMsg<'a> {
    #[serde(default, rename = "Type")]
    pub(crate) msg_type: i64,
    #[serde(borrow, default)]
    pub(crate) content: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) to_user_name: Cow<'a, str>,
    #[serde(borrow, default, rename = "LocalID")]
    pub(crate) local_id: Loose<'a>,
    #[serde(borrow, default)]
    pub(crate) client_msg_id: Loose<'a>,
    #[serde(borrow, default)]
    pub(crate) media_id: Cow<'a, str>,
    #[serde(default)]
    pub(crate) emoji_flag: i64,
    #[serde(borrow, default, rename = "EMoticonMd5")]
    pub(crate) emoticon_md5: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) signature: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RevokeBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(borrow, default)]
    pub(crate) svr_msg_id: Loose<'a>,
    #[serde(borrow, default)]
    pub(crate) to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) client_msg_id: Loose<'a>,
}

/// The JSON inside the part `uploadmediarequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UploadRequest<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(default)]
    pub(crate) upload_type: i64,
    #[serde(borrow, default)]
    pub(crate) client_media_id: Loose<'a>,
    #[serde(default)]
    pub(crate) total_len: u64,
    #[serde(default)]
    pub(crate) start_pos: u64,
    #[serde(default)]
    pub(crate) data_len: u64,
    #[serde(default)]
    pub(crate) media_type: i64,
    #[serde(borrow, default)]
    pub(crate) from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) to_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) file_md5: Cow<'a, str>,
    #[serde(borrow, default, rename = "AESKey")]
    pub(crate) aes_key: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) signature: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckUploadBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(borrow, default)]
    pub(crate) file_md5: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) file_name: Cow<'a, str>,
    #[serde(default)]
    pub(crate) file_size: u64,
    #[serde(default)]
    pub(crate) file_type: Option<i64>,
    #[serde(borrow, default)]
    pub(crate) from_user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) to_user_name: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VerifyBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(default)]
    pub(crate) opcode: i64,
    #[serde(default)]
    pub(crate) verify_user_list_size: usize,
    #[serde(borrow, default)]
    pub(crate) verify_user_list: Vec<VerifyUser<'a>>,
    #[serde(borrow, default)]
    pub(crate) verify_content: Cow<'a, str>,
    #[serde(default)]
    pub(crate) scene_list_count: usize,
    #[serde(default)]
    pub(crate) scene_list: Vec<i64>,
    #[serde(borrow, default, rename = "skey")]
    pub(crate) skey: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VerifyUser<'a> {
    #[serde(borrow, default)]
    pub(crate) value: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) verify_user_ticket: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateRoomBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(default)]
    pub(crate) member_count: usize,
    #[serde(borrow, default)]
    pub(crate) member_list: Vec<BatchItem<'a>>,
    #[serde(borrow, default)]
    pub(crate) topic: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateRoomBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(borrow, default)]
    pub(crate) chat_room_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) add_member_list: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) invite_member_list: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) del_member_list: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) new_topic: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OpLogBody<'a> {
    #[serde(borrow, default)]
    pub(crate) base_request: BaseRequest<'a>,
    #[serde(borrow, default)]
    pub(crate) user_name: Cow<'a, str>,
    #[serde(default)]
    pub(crate) cmd_id: i64,
    #[serde(default, rename = "OP")]
    pub(crate) op: Option<i64>,
    #[serde(borrow, default)]
    pub(crate) remark_name: Option<Cow<'a, str>>,
}

/// Whether a JSON text holds `\uXXXX` for something that must be sent raw. The real server keeps such escapes
/// literally. Control characters have no other spelling and are allowed.
pub(crate) fn has_needless_escape(body: &[u8]) -> bool {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let escape = rest.get(at + 1..).unwrap_or_default();
        if escape.first() == Some(&b'u') {
            let code = escape.get(1..5).and_then(|hex| std::str::from_utf8(hex).ok());
            let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
            if code.is_some_and(|code| code >= 0x20 && code != 0x7f) {
                return true;
            }
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_needless_escapes() {
        for (name, body, want) in [
            ("raw", r#"{"a":"你<b>"}"#, false),
            ("non-ASCII", r#"{"a":"\u4f60"}"#, true),
            ("angle", r#"{"a":"\u003cb"}"#, true),
            ("control", r#"{"a":"\u0001\n"}"#, false),
            ("escaped backslash before u", r#"{"a":"C:\\u4f60"}"#, false),
            ("cut", r#"{"a":"\u4"#, false),
        ] {
            assert_eq!(has_needless_escape(body.as_bytes()), want, "{name}");
        }
    }

    #[test]
    fn numbers_are_read_as_text() {
        let body: SendBody<'_> = serde_json::from_str(
            r#"{"BaseRequest":{"Uin":5,"Sid":"a\/b","Skey":"","DeviceID":"e1"},
                "Msg":{"Type":1,"Content":"x","LocalID":14766146756340,"ClientMsgId":"14766146756340"}}"#,
        )
        .unwrap();
        assert_eq!(body.base_request.uin.0, "5");
        assert_eq!(body.base_request.sid, "a/b");
        assert_eq!(body.msg.local_id.0, body.msg.client_msg_id.0);
    }
}
