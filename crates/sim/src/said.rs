//! What else than text can somebody say?

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A message that is more than text. Bytes that are absent are made up.
///
/// In JSON: `{"image": {"data": "<base64>"}}`, `{"link": {"title": "…", "url": "…"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Said {
    /// MsgType 3.
    Image {
        /// The picture; its thumbnail is made from it.
        #[serde(default, with = "base64_bytes")]
        data: Option<Bytes>,
    },
    /// MsgType 34.
    Voice {
        /// MP3, as webwxgetvoice answers it.
        #[serde(default, with = "base64_bytes")]
        data: Option<Bytes>,
        /// How long it sounds.
        #[serde(default = "voice_ms")]
        ms: u64,
    },
    /// MsgType 43, or 62 when it is short.
    Video {
        /// MP4.
        #[serde(default, with = "base64_bytes")]
        data: Option<Bytes>,
        /// How long it plays.
        #[serde(default = "video_seconds")]
        seconds: u64,
        /// Taken within the chat: MsgType 62.
        #[serde(default)]
        short: bool,
    },
    /// MsgType 47.
    Sticker {
        /// GIF.
        #[serde(default, with = "base64_bytes")]
        data: Option<Bytes>,
        /// From the sticker shop: `HasProductId`, and nothing to download.
        #[serde(default)]
        shop: bool,
    },
    /// MsgType 1 with SubMsgType 48.
    Location {
        /// Degrees, as text.
        lat: String,
        /// Degrees, as text.
        lng: String,
        /// Address.
        label: String,
    },
    /// MsgType 42.
    Card {
        /// Nick of the recommended; a friend of the account, or anybody.
        nick: String,
        /// Alias.
        #[serde(default)]
        alias: String,
        /// VerifyFlag of an official account.
        #[serde(default)]
        official: u32,
    },
    /// AppMsgType 5.
    Link {
        /// Title.
        title: String,
        /// Where it goes.
        url: String,
        /// Text below the title.
        #[serde(default)]
        des: String,
    },
    /// AppMsgType 3.
    Music {
        /// Title.
        title: String,
        /// Page.
        url: String,
        /// Sound.
        #[serde(default)]
        data_url: String,
        /// Who sings.
        #[serde(default)]
        des: String,
    },
    /// AppMsgType 6.
    File {
        /// Any name at all, hostile ones too.
        name: String,
        /// The file.
        #[serde(default, with = "base64_bytes")]
        data: Option<Bytes>,
    },
    /// AppMsgType 33.
    MiniProgram {
        /// Title of the shared page.
        title: String,
        /// Name of the program.
        name: String,
        /// Its id.
        #[serde(default)]
        appid: String,
        /// The page.
        #[serde(default)]
        page: String,
    },
    /// AppMsgType 57: an answer that quotes.
    Quote {
        /// The answer.
        title: String,
        /// MsgId of what is quoted.
        msg_id: String,
        /// Who said it.
        who: String,
        /// What it was.
        text: String,
    },
    /// Envelope AppMsgType 0, inner type 19.
    ChatRecord {
        /// Title.
        title: String,
        /// Who said what.
        lines: Vec<(String, String)>,
    },
    /// MsgType 10000: the web shows no more of it.
    RedPacket {},
    /// AppMsgType 2000.
    Transfer {
        /// As shown: `￥0.10`.
        amount: String,
        /// 1 sent, 3 accepted, 4 returned.
        #[serde(default = "transfer_step")]
        step: u8,
    },
    /// AppMsgType 17.
    LocationSharing {},
    /// MsgType 50, 52 or 53.
    Voip {
        /// Which of them.
        #[serde(default)]
        phase: VoipPhase,
    },
}

/// What a message about a call says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoipPhase {
    /// MsgType 53.
    #[default]
    Invite,
    /// MsgType 50.
    Message,
    /// MsgType 52: it ended.
    Notify,
}

fn voice_ms() -> u64 {
    1_580
}

fn video_seconds() -> u64 {
    5
}

fn transfer_step() -> u8 {
    1
}

/// Bytes for what nobody gave any, and the name they go by.
pub(crate) fn bytes_of(said: &Said, seed: u64) -> Option<(Bytes, String)> {
    let given = |data: &Option<Bytes>, made: fn(u64) -> Bytes| data.clone().unwrap_or_else(|| made(seed));
    Some(match said {
        Said::Image { data } => (given(data, |seed| crate::made::picture(seed, 160, 120)), "image.png".to_owned()),
        Said::Voice { data, ms } => {
            (data.clone().unwrap_or_else(|| crate::made::voice(seed, *ms)), "voice.mp3".to_owned())
        }
        Said::Video { data, .. } => (given(data, crate::made::film), "video.mp4".to_owned()),
        Said::Sticker { data, .. } => (given(data, crate::made::sticker), "sticker.gif".to_owned()),
        Said::File { name, data } => (given(data, crate::made::file), name.clone()),
        Said::Location { .. }
        | Said::Card { .. }
        | Said::Link { .. }
        | Said::Music { .. }
        | Said::MiniProgram { .. }
        | Said::Quote { .. }
        | Said::ChatRecord { .. }
        | Said::RedPacket {}
        | Said::Transfer { .. }
        | Said::LocationSharing {}
        | Said::Voip { .. } => return None,
    })
}

/// Names of files that a careless receiver would write where it should not.
pub fn hostile_file_names() -> Vec<String> {
    vec![
        "../../../../tmp/x".to_owned(),
        "/etc/passwd".to_owned(),
        "C:\\Windows\\x.dll".to_owned(),
        "..\\..\\x".to_owned(),
        "a\u{0}.txt".to_owned(),
        "a\nb.txt".to_owned(),
        "CON".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        String::new(),
        "invoice\u{202e}fdp.exe".to_owned(),
        format!("{}.txt", "长".repeat(1_365)),
        "</title><type>5</type><url>http://example.invalid</url>".to_owned(),
        "%2e%2e%2fx".to_owned(),
    ]
}

/// Bytes as base64 text.
pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(data: &Option<Bytes>, to: S) -> Result<S::Ok, S::Error> {
        match data {
            Some(data) => to.serialize_str(&STANDARD.encode(data)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| STANDARD.decode(text).map(Bytes::from).map_err(de::Error::custom)).transpose()
    }
}
