//! What does a push of the hook look like? Field names are the hook's; all but three may be absent.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::lenient::scalar::text;

/// Entries of one push (security R05).
pub const MAX_ENTRIES: usize = 1000;

/// The local client made it: a message about to be sent, something on the screen.
pub const LOCAL: &str = "1";
/// The service delivered it.
pub const SERVER: &str = "2";

/// The outer object. Numbers come as numbers or as texts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the hook's own names; see docs/protocol, PC hook")]
pub struct Push {
    #[serde(rename = "ServerPort", deserialize_with = "text")]
    pub server_port: String,
    #[serde(deserialize_with = "text")]
    pub selfwxid: String,
    #[serde(deserialize_with = "text")]
    pub sendorrecv: String,
    /// What `msgnumber` counts, but that is wrong now and then.
    pub msglist: Option<Box<RawValue>>,
    /// Mode 2: the whole message.
    #[serde(deserialize_with = "text")]
    pub pb_data: String,
    /// Another name for the same.
    #[serde(deserialize_with = "text")]
    pub businessdata: String,
    #[serde(deserialize_with = "text")]
    pub time: String,
}

impl Push {
    /// The hexadecimal digits of mode 2.
    pub fn undecoded(&self) -> Option<&str> {
        [&*self.pb_data, &self.businessdata].into_iter().find(|digits| !digits.is_empty())
    }
}

/// Entries, each still as it came, so that a bad one costs only itself.
#[derive(Debug, Default)]
pub struct Entries(pub Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_ENTRIES}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    if entries.len() >= MAX_ENTRIES {
                        return Err(A::Error::custom("too many"));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_seq(Bounded)
    }
}

macro_rules! entry {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// One entry of `msglist`, or the flattened form, which has the same fields in the outer object. Waiting entries
        /// are kept in the cursor.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        #[expect(missing_docs, reason = "the hook's own names; see docs/protocol, PC hook")]
        pub struct Entry {
            $($(#[$doc])* #[serde(deserialize_with = "text", skip_serializing_if = "String::is_empty")] pub $field: String,)*
        }

        impl Entry {
            /// Bytes of its texts.
            pub fn len(&self) -> usize {
                0 $(+ self.$field.len())*
            }
        }
    };
}

entry! {
    index,
    /// On the clock of the Windows machine.
    time,
    msgtype,
    /// The service's id; empty before the service has the message.
    msgsvrid,
    /// A text, XML, an MD5, a file name, or words of the hook's own.
    msg,
    fromwxid,
    toid,
    fromtype,
    fromgid,
    fromid,
    fromgname,
    img_path,
    gif_path,
    gif_url,
    file_path,
    video_path,
    /// Speech as hexadecimal digits.
    voip_data,
    revoke_msg,
    current_wxid,
    name,
    nickname,
    gid,
    /// `1` when it was written on the phone.
    device,
    appletcode,
}

impl Entry {
    /// `msgtype` as a number.
    pub fn code(&self) -> Option<i64> {
        self.msgtype.trim().parse().ok()
    }

    /// True when it has nothing in it that we know.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The service's id, if it gave one.
    pub fn server_id(&self) -> Option<&str> {
        Some(self.msgsvrid.trim()).filter(|id| !id.is_empty() && *id != "0")
    }

    /// What the flattened form must be, which has no `msgtype`: by the file it names, else by its XML.
    pub fn inferred_code(&self) -> Option<i64> {
        let has = |tag: &str| self.msg.contains(tag);
        Some(match () {
            () if !self.img_path.is_empty() => 3,
            () if !self.gif_url.is_empty() || !self.gif_path.is_empty() => 47,
            () if !self.voip_data.is_empty() => 34,
            () if !self.video_path.is_empty() => 43,
            () if !self.file_path.is_empty() => 49,
            () if has("<img") => 3,
            () if has("<emoji") => 47,
            () if has("<voicemsg") => 34,
            () if has("<videomsg") => 43,
            () if has("<appmsg") => 49,
            () => return None,
        })
    }

    /// The words that acknowledge a message of our own. They come in place of its content.
    pub fn is_acknowledgement(&self) -> bool {
        let words = self.msg.trim();
        // A person may type a sentence of this form on the phone; of texts only the one known sentence counts.
        let known = ["PC发文本消息成功", "PC发图片消息成功", "PC发app/文件消息成功", "PC发视频文件成功"];
        let sibling =
            self.code() != Some(1) && words.starts_with("PC发") && words.ends_with("成功") && words.len() < 100;
        known.contains(&words) || sibling
    }
}

/// What kind of own message an entry is, before (`msgtype` 1, 3, 4, 49) and after (1, 3, 36, 99).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// 1.
    Text,
    /// 3.
    Image,
    /// 49, then 99.
    File,
    /// 4, then 36.
    Video,
    /// The same number before and after, as far as is known.
    Other(i64),
}

impl Sent {
    /// By `msgtype`.
    pub fn of(code: i64) -> Self {
        match code {
            1 => Self::Text,
            3 => Self::Image,
            49 | 99 | 6 => Self::File,
            4 | 36 | 43 | 62 => Self::Video,
            other => Self::Other(other),
        }
    }
}
