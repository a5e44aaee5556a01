//! What does the gateway of the seed push, key by key and in the order of the samples?

use serde::Serialize;
use serde_json::Value;

use crate::service::proto::Proto;

/// One push. Exactly one of `message` and `event` is there.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    pub(super) seq: String,
    pub(super) token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Event>,
}

/// A chat message. `to_id` is there in private, `room_id` in rooms.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    pub(super) id: u64,
    pub(super) remote_id: String,
    pub(super) text: String,
    pub(super) timestamp: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) from_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) event_type: &'static str,
    pub(super) payload: Payload,
}

/// Keys in the order of the samples; which of them are there depends on the event.
#[derive(Debug, Default, Serialize)]
pub(super) struct Payload {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invitee_id_list: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inviter_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) removee_id_list: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remover_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) extension: String,
}

/// What the `extension` of a room event says.
#[derive(Debug)]
pub(super) struct Extension<'a> {
    pub(super) local_id: u64,
    pub(super) seq: u64,
    pub(super) operator: u64,
    pub(super) room: u64,
    /// 1001 topic, 1002 join, 1003 leave.
    pub(super) operation: u64,
    pub(super) what: &'a [u8],
    pub(super) time_s: u64,
    pub(super) opaque: &'a str,
}

impl Extension<'_> {
    pub(super) fn hex(&self) -> String {
        Proto::new()
            .number(1, self.local_id)
            .number(2, self.seq)
            .number(3, 1)
            .number(4, self.operator)
            .number(5, 0)
            .number(6, self.room)
            .number(7, self.operation)
            .bytes(8, self.what)
            .bytes(9, b"wwwx")
            .number(11, 0)
            .number(12, self.time_s)
            .number(13, 16_777_216)
            .number(14, 0)
            .bytes(15, self.opaque.as_bytes())
            .bytes(20, b"")
            .number(21, 0)
            .hex()
    }
}

/// The `extension` of LOGOUT: own id, and the code.
pub(super) fn logout_extension(me: u64, code: u64) -> String {
    Proto::new().number(1, 1_008).number(2, me).message(1_008, &Proto::new().number(1, code)).hex()
}

/// Inner JSON of `text`, in the order of the samples.
pub(super) mod inner {
    use super::{Serialize, Value};

    #[derive(Serialize)]
    pub(in super::super) struct Image<'a> {
        pub(in super::super) file_id: &'a str,
        pub(in super::super) wechat_cdn_ld_size: u64,
        pub(in super::super) file_name: &'a str,
        pub(in super::super) size: String,
        pub(in super::super) width: String,
        pub(in super::super) height: String,
        pub(in super::super) aes_key: &'a str,
        pub(in super::super) md5: &'a str,
    }

    #[derive(Serialize)]
    pub(in super::super) struct Video<'a> {
        pub(in super::super) video_file_id: &'a str,
        pub(in super::super) video_size: usize,
        pub(in super::super) video_play_time: u64,
        pub(in super::super) video_aes_key: &'a str,
        pub(in super::super) video_md5: &'a str,
        pub(in super::super) width: u32,
        pub(in super::super) height: u32,
        pub(in super::super) preface_image_url: &'a str,
        pub(in super::super) url: &'a str,
        pub(in super::super) preface_image_size: u64,
        pub(in super::super) wechat_auth_key: &'a str,
    }

    #[derive(Serialize)]
    pub(in super::super) struct Location<'a> {
        pub(in super::super) zoom: f64,
        pub(in super::super) address: &'a str,
        pub(in super::super) latitude: &'a str,
        pub(in super::super) longitude: &'a str,
        pub(in super::super) title: &'a str,
    }

    #[derive(Serialize)]
    pub(in super::super) struct MiniProgram<'a> {
        pub(in super::super) parameter: Parameter<'a>,
        pub(in super::super) preface: Preface<'a>,
    }

    #[derive(Serialize)]
    pub(in super::super) struct Parameter<'a> {
        pub(in super::super) title: &'a str,
        pub(in super::super) id: &'a str,
        pub(in super::super) user_name: &'a str,
        pub(in super::super) display_name: &'a str,
        pub(in super::super) icon_url: &'a str,
        pub(in super::super) page_path: &'a str,
        pub(in super::super) room_todo_flag: u64,
    }

    #[derive(Serialize)]
    pub(in super::super) struct Preface<'a> {
        pub(in super::super) file_id: &'a str,
        pub(in super::super) raw_thumb_md5: &'a str,
        pub(in super::super) thumb_total_size: u64,
        pub(in super::super) aes_key: &'a str,
    }

    #[derive(Serialize)]
    pub(in super::super) struct Url<'a> {
        pub(in super::super) title: &'a str,
        pub(in super::super) desc: &'a str,
        pub(in super::super) url: &'a str,
        pub(in super::super) thumb_url: &'a str,
    }

    pub(in super::super) fn text(inner: &impl Serialize) -> String {
        serde_json::to_string(inner).unwrap_or_else(|_error| Value::Null.to_string())
    }
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
