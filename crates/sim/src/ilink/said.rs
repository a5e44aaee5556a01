//! What can people write, and how does it look on the wire?

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::SimError;
use crate::ilink::IlinkSim;
use crate::ilink::bot::{Bot, Person, State};
use crate::ilink::crypt::{Key, cipher_len};
use crate::ilink::journal::IlinkTold;
use crate::{made, media, names};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// The largest file that is made up.
const MAX_MADE: usize = 64 * 1024 * 1024;

/// Something that a person writes to a bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IlinkMessage {
    /// Nick of a friend of the account; empty: its owner.
    #[serde(default)]
    pub from: String,
    /// What.
    pub say: IlinkSay,
    /// More items in the same message.
    #[serde(default)]
    pub and: Vec<IlinkSay>,
    /// Fields of the message that are not as usual; null takes one out. `{"message_type": 2}` is one of the bot's own,
    /// `{"message_id": null, "seq": null}` one without ids.
    #[serde(default)]
    pub fields: Map<String, Value>,
}

impl IlinkMessage {
    /// A text of the owner.
    pub fn text(text: &str) -> Self {
        Self::say(IlinkSay::Text(text.to_owned()))
    }

    /// Anything, by the owner.
    pub fn say(say: IlinkSay) -> Self {
        Self { from: String::new(), say, and: Vec::new(), fields: Map::new() }
    }

    /// The same by somebody else.
    #[must_use]
    pub fn by(mut self, nick: &str) -> Self {
        nick.clone_into(&mut self.from);
        self
    }
}

/// One item. In JSON: `{"text": "…"}`, `{"image": {}}`, `{"quote": {"text": "…", "of": "<id>", "form": "svr_id"}}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum IlinkSay {
    /// Item 1.
    Text(String),
    /// Item 2.
    Image(IlinkFile),
    /// Item 3.
    Voice {
        /// SILK, unless the bytes are others.
        #[serde(default)]
        file: IlinkFile,
        /// How long it sounds.
        #[serde(default = "voice_ms")]
        ms: u64,
        /// `encode_type`.
        #[serde(default = "silk")]
        encode_type: u64,
        /// What the service understood; absent: it has no transcript.
        #[serde(default)]
        text: Option<String>,
    },
    /// Item 4.
    File(IlinkFile),
    /// Item 5.
    Video {
        /// MP4.
        #[serde(default)]
        file: IlinkFile,
        /// How long it plays.
        #[serde(default)]
        seconds: u64,
    },
    /// A text that quotes a message.
    Quote(IlinkQuote),
    /// An item as it stands.
    Raw(Value),
}

fn voice_ms() -> u64 {
    2_380
}

fn silk() -> u64 {
    6
}

/// A file that a person sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IlinkFile {
    /// The bytes, in JSON as base64; absent: made up.
    #[serde(with = "crate::said::base64_bytes")]
    pub data: Option<Bytes>,
    /// Length of what is made up.
    pub len: Option<usize>,
    /// `file_name`; any name at all, hostile ones too.
    pub name: String,
    /// How `media.aes_key` is written; absent: as the service does for this kind.
    pub key: Option<IlinkKey>,
    /// Overrides [`IlinkSetup::full_urls`](crate::IlinkSetup::full_urls).
    pub full_url: Option<bool>,
    /// The CDN does not have it any more.
    pub gone: bool,
}

/// Ways to write the key of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IlinkKey {
    /// Base64 of the 16 bytes; an image has the hex form in `aeskey` too.
    Raw,
    /// Base64 of 32 hex digits.
    Hex,
    /// No key at all: the bytes are plain.
    None,
    /// A key that does not fit.
    Wrong,
    /// Base64 of 5 bytes.
    Short,
}

/// A text that quotes a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IlinkQuote {
    /// What is written.
    pub text: String,
    /// Id of the quoted message, of either side.
    #[serde(default)]
    pub of: String,
    /// What was quoted; absent: looked up by the id.
    #[serde(default)]
    pub quoted: Option<String>,
    /// Which form.
    pub form: IlinkQuoteForm,
    /// The part that was selected; for `partial`.
    #[serde(default)]
    pub part: String,
    /// Count `endindex` from behind `start` instead of over the whole text.
    #[serde(default)]
    pub relative: bool,
}

/// Forms of a quote that were seen over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IlinkQuoteForm {
    /// The quoted text.
    Full,
    /// An item with times only.
    Empty,
    /// An item of type 8.
    Type8,
    /// An item of type 0 with `msg_id`.
    ItemId,
    /// `svr_id`.
    SvrId,
    /// `svr_id` and `partial_text`.
    Partial,
}

impl IlinkSim {
    /// Somebody writes to the bot of an account. Answers the `message_id`.
    pub fn say(&self, account: &str, message: &IlinkMessage) -> Result<String, SimError> {
        let ids = self.say_all(account, std::slice::from_ref(message))?;
        ids.into_iter().next().ok_or_else(|| SimError::Invalid("no message".to_owned()))
    }

    /// Several at once: one `getupdates` answer holds them, as far as it takes so many.
    pub fn say_all(&self, account: &str, messages: &[IlinkMessage]) -> Result<Vec<String>, SimError> {
        let bot = self.bot(account)?;
        let mut ids = Vec::with_capacity(messages.len());
        let mut prepared = Vec::with_capacity(messages.len());
        for message in messages {
            let (kind, text) = described(&message.say);
            let items = std::iter::once(&message.say).chain(&message.and);
            let items: Result<Vec<Value>, SimError> = items.map(|say| self.item(account, say)).collect();
            prepared.push((message, items?, kind, text));
        }
        let mut state = bot.state();
        let live = state.binding.as_ref().filter(|binding| binding.death.is_none());
        let bot_id =
            live.map(|binding| binding.bot_id.clone()).ok_or_else(|| SimError::NoSession(account.to_owned()))?;
        for (message, _, _, _) in &prepared {
            state.person(account, &message.from)?;
        }
        for (message, items, kind, text) in prepared {
            let at = state.person(account, &message.from)?;
            let (id, now_ms) = (self.next_id(), self.now_ms());
            let token = self.context_token();
            let person = state.people.get_mut(at).map(|person| wrote(person, &token, now_ms));
            let (nick, from) = person.unwrap_or_default();
            let written = if self.setup().ids_as_text { Value::from(id.to_string()) } else { Value::from(id) };
            let whole = json!({
                "message_id": written, "from_user_id": from, "to_user_id": bot_id, "client_id": "",
                "create_time_ms": now_ms, "update_time_ms": now_ms, "delete_time_ms": 0, "session_id": "",
                "group_id": "", "message_type": 1, "message_state": 2, "item_list": items, "context_token": token,
            });
            let told = Told { nick, id, kind, text, now_ms };
            self.tell(&bot, &mut state, told, whole, &message.fields);
            ids.push(id.to_string());
        }
        drop(state);
        bot.changed.notify_waiters();
        Ok(ids)
    }

    /// The service delivers a message once more: the same `message_id`, another `seq`, and another `context_token` if
    /// wanted. The person wrote only once, so the quota stays.
    pub fn repeat(&self, account: &str, id: &str, fresh_token: bool) -> Result<(), SimError> {
        let bot = self.bot(account)?;
        let mut state = bot.state();
        let unknown = || SimError::UnknownMessage { account: account.to_owned(), msg_id: id.to_owned() };
        let id: u64 = id.parse().map_err(|_error| unknown())?;
        let mut message = state.find(id).map(|waiting| waiting.message.clone()).ok_or_else(unknown)?;
        let from = message.get("from_user_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let person = state.people.iter_mut().find(|person| person.id == from).ok_or_else(unknown)?;
        let nick = person.nick.clone();
        if fresh_token {
            let token = self.context_token();
            person.give(token.clone());
            if let Some(fields) = message.as_object_mut() {
                fields.insert("context_token".to_owned(), token.into());
            }
        }
        let told = Told { nick, id, kind: "again", text: String::new(), now_ms: self.now_ms() };
        self.tell(&bot, &mut state, told, message, &Map::new());
        drop(state);
        bot.changed.notify_waiters();
        Ok(())
    }

    fn tell(&self, bot: &Bot, state: &mut State, told: Told, mut whole: Value, fields: &Map<String, Value>) {
        let (seq, lost) = state.push(told.id, |seq| {
            if let Some(message) = whole.as_object_mut() {
                message.insert("seq".to_owned(), seq.into());
                for (name, value) in fields {
                    match value {
                        Value::Null => drop(message.remove(name)),
                        value => drop(message.insert(name.clone(), value.clone())),
                    }
                }
            }
            whole
        });
        let entry = IlinkTold {
            account: bot.name.clone(),
            at_ms: told.now_ms,
            from: told.nick,
            id: told.id.to_string(),
            kind: told.kind.to_owned(),
            text: told.text,
            handed: 0,
            lost: false,
            seq,
        };
        self.shared.book.add(|journal| &mut journal.told, entry);
        if let Some(lost) = lost {
            tracing::warn!(account = bot.name, "A message that no client fetched is lost: too many wait.");
            self.shared.book.lost(&bot.name, lost);
        }
    }

    fn item(&self, account: &str, say: &IlinkSay) -> Result<Value, SimError> {
        let now_ms = self.now_ms();
        let times =
            |kind: u64| json!({"type": kind, "create_time_ms": now_ms, "update_time_ms": now_ms, "is_completed": true});
        let with = |mut item: Value, name: &str, body: Value| {
            if let Some(fields) = item.as_object_mut() {
                fields.insert(name.to_owned(), body);
            }
            item
        };
        Ok(match say {
            IlinkSay::Text(text) => with(times(1), "text_item", json!({"text": text})),
            IlinkSay::Image(file) => {
                let data = self.bytes(file, || crate::server::PICTURE.to_vec().into())?;
                let (media, key) = self.media(account, file, &data, IlinkKey::Raw);
                let plain = file.key == Some(IlinkKey::None);
                let mut body = json!({"media": media, "mid_size": sizes(&data, plain).0});
                if let (Some(fields), None | Some(IlinkKey::Raw)) = (body.as_object_mut(), file.key) {
                    fields.insert("aeskey".to_owned(), key.hex().into());
                }
                with(times(2), "image_item", body)
            }
            IlinkSay::Voice { file, ms, encode_type, text } => {
                let data = self.bytes(file, || Bytes::from_static(b"\x02#!SILK_V3\x0c\x00made up, silent"))?;
                let (media, _) = self.media(account, file, &data, IlinkKey::Hex);
                let mut body = json!({
                    "media": media, "encode_type": encode_type, "bits_per_sample": 16, "sample_rate": 24_000,
                    "playtime": ms,
                });
                if let (Some(fields), Some(text)) = (body.as_object_mut(), text) {
                    fields.insert("text".to_owned(), text.as_str().into());
                }
                with(times(3), "voice_item", body)
            }
            IlinkSay::File(file) => {
                let data = self.bytes(file, || Bytes::from_static("甲,乙\n1,2\n".as_bytes()))?;
                let (media, _) = self.media(account, file, &data, IlinkKey::Hex);
                let name = if file.name.is_empty() { "表.csv" } else { &file.name };
                let md5 = media::hex_md5(&data);
                let body = json!({"media": media, "file_name": name, "md5": md5, "len": data.len().to_string()});
                with(times(4), "file_item", body)
            }
            IlinkSay::Video { file, seconds } => {
                let data = self.bytes(file, || made::picture(7, 320, 240))?;
                let (media, _) = self.media(account, file, &data, IlinkKey::Hex);
                let small = IlinkFile::default();
                let thumb = made::picture(8, 120, 90);
                let (thumb_media, _) = self.media(account, &small, &thumb, IlinkKey::Hex);
                let body = json!({
                    "media": media, "video_size": sizes(&data, file.key == Some(IlinkKey::None)).0,
                    "play_length": seconds, "video_md5": media::hex_md5(&data), "thumb_media": thumb_media,
                    "thumb_size": sizes(&thumb, false).0, "thumb_width": 120, "thumb_height": 90,
                });
                with(times(5), "video_item", body)
            }
            IlinkSay::Quote(quote) => {
                let item = with(times(1), "text_item", json!({"text": quote.text}));
                let reference = self.reference(quote, &times)?;
                with(item, "ref_msg", reference)
            }
            IlinkSay::Raw(item) => item.clone(),
        })
    }

    fn reference(&self, quote: &IlinkQuote, times: &dyn Fn(u64) -> Value) -> Result<Value, SimError> {
        let quoted = || {
            let found = quote.quoted.clone().or_else(|| self.text_of(&quote.of));
            found.ok_or_else(|| SimError::Invalid(format!("no text of a message `{}` is known", quote.of)))
        };
        let id = || {
            let number: Result<u64, _> = quote.of.parse();
            number.map_err(|error| SimError::Invalid(format!("`of`: {error}")))
        };
        let nothing = |kind: Option<u64>| {
            let mut item = times(kind.unwrap_or_default());
            if let (None, Some(fields)) = (kind, item.as_object_mut()) {
                fields.remove("type");
            }
            item
        };
        Ok(match quote.form {
            IlinkQuoteForm::Full => {
                let mut item = times(1);
                item.as_object_mut().map(|fields| fields.insert("text_item".to_owned(), json!({"text": ""})));
                if let Some(text) = item.pointer_mut("/text_item/text") {
                    *text = quoted()?.into();
                }
                json!({"title": "", "message_item": item})
            }
            IlinkQuoteForm::Empty => json!({"message_item": nothing(None)}),
            IlinkQuoteForm::Type8 => json!({"message_item": nothing(Some(8))}),
            IlinkQuoteForm::ItemId => {
                let mut item = nothing(Some(0));
                item.as_object_mut().map(|fields| fields.insert("msg_id".to_owned(), quote.of.as_str().into()));
                json!({"message_item": item})
            }
            IlinkQuoteForm::SvrId => json!({"svr_id": id()?}),
            IlinkQuoteForm::Partial => {
                let partial = partial(&quoted()?, &quote.part, quote.relative)
                    .ok_or_else(|| SimError::Invalid(format!("`{}` is no part of the quoted text", quote.part)))?;
                json!({"svr_id": id()?, "partial_text": partial})
            }
        })
    }

    /// What stood in a message of either side.
    fn text_of(&self, id: &str) -> Option<String> {
        let journal = self.shared.book.journal();
        let told = journal.told.iter().find(|told| told.id == id && told.kind != "again").map(|told| told.text.clone());
        told.or_else(|| journal.sends.iter().find(|send| send.message_id == id).map(|send| send.text.clone()))
    }

    fn bytes(&self, file: &IlinkFile, made: impl FnOnce() -> Bytes) -> Result<Bytes, SimError> {
        match (&file.data, file.len) {
            (Some(_), Some(_)) => Err(SimError::Invalid("a file has either `data` or `len`".to_owned())),
            (Some(data), None) => Ok(data.clone()),
            (None, Some(len)) if len > MAX_MADE => Err(SimError::Invalid(format!("`len` is at most {MAX_MADE}"))),
            // Bytes that differ from place to place: a piece that is lost or swapped shows.
            (None, Some(len)) => {
                let mut rng = names::generator(self.shared.seed, "file");
                let piece = names::hex(&mut rng, 4_093).into_bytes();
                Ok(piece.into_iter().cycle().take(len).collect::<Vec<u8>>().into())
            }
            (None, None) => Ok(made()),
        }
    }

    fn media(&self, account: &str, file: &IlinkFile, data: &Bytes, usual: IlinkKey) -> (Value, Key) {
        let form = file.key.unwrap_or(usual);
        let key = Key::from_hex(&self.hex(32)).unwrap_or(Key::new([7; 16]));
        let cipher = if form == IlinkKey::None { data.clone() } else { key.encrypt(data).into() };
        let (param, full_url) = if file.gone {
            let param = self.opaque(48);
            (param.clone(), self.download_url(&param))
        } else {
            let kept = self.keep_for(account, cipher);
            (kept.param, kept.full_url)
        };
        let mut media = json!({"encrypt_type": 1, "encrypt_query_param": param});
        let written = match form {
            IlinkKey::Raw => Some(STANDARD.encode(key.bytes())),
            IlinkKey::Hex => Some(STANDARD.encode(key.hex())),
            IlinkKey::None => None,
            IlinkKey::Wrong => Some(STANDARD.encode(self.hex(32))),
            IlinkKey::Short => Some(STANDARD.encode("short")),
        };
        if let Some(fields) = media.as_object_mut() {
            if let Some(written) = written {
                fields.insert("aes_key".to_owned(), written.into());
            }
            if file.full_url.unwrap_or(self.setup().full_urls) {
                fields.insert("full_url".to_owned(), full_url.into());
            }
        }
        (media, key)
    }

    fn context_token(&self) -> String {
        format!("AARzJWAFAAABAAAAAAAL{}", self.opaque(120))
    }

    /// What this account's people are called by the service: the owner, or a friend by nick.
    pub fn id_of(&self, account: &str, who: &str) -> Result<String, SimError> {
        let bot: Arc<Bot> = self.bot(account)?;
        let state = bot.state();
        let at = state.person(account, who)?;
        Ok(state.people.get(at).map(|person| person.id.clone()).unwrap_or_default())
    }
}

/// What is told, for the journal.
struct Told {
    nick: String,
    id: u64,
    kind: &'static str,
    text: String,
    now_ms: u64,
}

fn wrote(person: &mut Person, token: &str, now_ms: u64) -> (String, String) {
    person.give(token.to_owned());
    person.meter.wrote(now_ms);
    (person.nick.clone(), person.id.clone())
}

fn described(say: &IlinkSay) -> (&'static str, String) {
    match say {
        IlinkSay::Text(text) => ("text", text.clone()),
        IlinkSay::Image(_) => ("image", String::new()),
        IlinkSay::Voice { text, .. } => ("voice", text.clone().unwrap_or_default()),
        IlinkSay::File(file) => ("file", file.name.clone()),
        IlinkSay::Video { .. } => ("video", String::new()),
        IlinkSay::Quote(quote) => ("quote", quote.text.clone()),
        IlinkSay::Raw(_) => ("raw", String::new()),
    }
}

/// Cipher size (or that of plain bytes) and plain size.
fn sizes(data: &[u8], plain: bool) -> (u64, u64) {
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    (if plain { len } else { cipher_len(len) }, len)
}

/// `partial_text` for a part of a text, as the phone counts: occurrences that do not overlap.
fn partial(whole: &str, part: &str, relative: bool) -> Option<Value> {
    let from = whole.find(part).filter(|_| !part.is_empty())?;
    let start: String = part.chars().take(2).collect();
    let skip = part.chars().count().saturating_sub(2);
    let end: String = part.chars().skip(skip).collect();
    let nth = |text: &str, needle: &str, at: usize| text.match_indices(needle).position(|(found, _)| found == at);
    let ends_at = from + part.len() - end.len();
    let startindex = nth(whole, &start, from)?;
    let endindex = if relative {
        let behind = from + start.len();
        nth(whole.get(behind..)?, &end, ends_at.checked_sub(behind)?)?
    } else {
        nth(whole, &end, ends_at)?
    };
    let quotemd5 = media::hex_md5(part.as_bytes());
    Some(json!({"start": start, "end": end, "startindex": startindex, "endindex": endindex, "quotemd5": quotemd5}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_as_in_the_sample() {
        let whole = "几点开会？三点可以吗";
        let got = partial(whole, "三点可以", false).unwrap();
        let sample = json!({
            "start": "三点", "end": "可以", "startindex": 0, "endindex": 0,
            "quotemd5": "9fb0701245f695852d7725047a08b276",
        });
        assert_eq!(got, sample);
        let whole = "ab cd ab cd ab cd";
        let got = partial(whole, "cd ab", false).unwrap();
        assert_eq!((got["startindex"].as_u64(), got["endindex"].as_u64()), (Some(0), Some(1)));
        let got = partial(whole, "cd ab", true).unwrap();
        assert_eq!((got["startindex"].as_u64(), got["endindex"].as_u64()), (Some(0), Some(0)));
        assert_eq!((partial(whole, "", false), partial(whole, "xy", false)), (None, None));
    }

    #[test]
    fn orders_are_read() {
        for text in [
            r#"{"say": {"text": "a"}}"#,
            r#"{"from": "老王", "say": {"image": {}}, "and": [{"text": "b"}]}"#,
            r#"{"say": {"voice": {"text": "c"}}, "fields": {"message_id": null}}"#,
            r#"{"say": {"file": {"name": "../x", "data": "YQ==", "key": "raw"}}}"#,
            r#"{"say": {"video": {"seconds": 5}}}"#,
            r#"{"say": {"quote": {"text": "d", "of": "1", "form": "svr_id"}}}"#,
            r#"{"say": {"raw": {"type": 99, "future_item": {}}}}"#,
        ] {
            serde_json::from_str::<IlinkMessage>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for text in [r#"{"say": {"txt": "a"}}"#, r#"{"say": {"file": {"nam": ""}}}"#, r#"{"from": "x"}"#] {
            assert!(serde_json::from_str::<IlinkMessage>(text).is_err(), "{text}");
        }
    }
}
