//! How do files come and go, and are they what was announced?

use std::collections::{HashMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, Method};
use serde_json::{Map, Value, json};

use crate::ilink::bot::Bot;
use crate::ilink::call::Call;
use crate::ilink::crypt::{Key, Plain, cipher_len};
use crate::ilink::journal::{IlinkDownload, IlinkUpload};
use crate::ilink::{IlinkSim, UploadUrls};
use crate::request::Answer;
use crate::service::book::HeardMedia;

/// Uploads that were announced and may still come.
const MAX_SLOTS: usize = 10_000;
/// By `upload_param` larger files than this fail where the service gave a full URL too: the two differ.
const MAX_BY_PARAM: usize = 64 * 1024;

/// What the CDN holds.
#[derive(Default)]
pub(super) struct Cdn {
    slots: HashMap<String, Slot>,
    slots_by_age: VecDeque<String>,
    files: HashMap<String, File>,
    files_by_age: VecDeque<String>,
    bytes: usize,
}

/// An upload that was announced.
#[derive(Clone)]
struct Slot {
    account: String,
    to: String,
    filekey: String,
    kind: &'static str,
    plain: Plain,
    cipher_len: u64,
    key: Key,
    /// Reached by the full URL.
    full: bool,
    /// There is a full URL too.
    has_full: bool,
}

/// Something that can be fetched.
#[derive(Clone)]
struct File {
    account: String,
    cipher: Bytes,
    /// What it was announced as; nothing for what people send.
    slot: Option<Slot>,
    /// Why nobody can open it.
    flaw: String,
}

/// What is kept for people: where it is and how to ask for it.
pub(super) struct Kept {
    pub(super) param: String,
    pub(super) full_url: String,
}

impl Cdn {
    fn announce(&mut self, param: String, slot: Slot) {
        self.slots_by_age.push_back(param.clone());
        self.slots.insert(param, slot);
        if self.slots_by_age.len() > MAX_SLOTS
            && let Some(oldest) = self.slots_by_age.pop_front()
        {
            self.slots.remove(&oldest);
        }
    }

    /// Keeps a file; the oldest expire when there is no room.
    fn keep(&mut self, param: String, file: File, limit: usize) {
        self.bytes += file.cipher.len();
        self.files_by_age.push_back(param.clone());
        self.files.insert(param, file);
        while self.bytes > limit && self.files_by_age.len() > 1 {
            let oldest = self.files_by_age.pop_front().and_then(|oldest| self.files.remove(&oldest));
            self.bytes -= oldest.map_or(0, |oldest| oldest.cipher.len());
        }
    }
}

impl IlinkSim {
    /// `getuploadurl`.
    pub(super) fn get_upload_url(&self, call: &Call<'_>, bot: &Bot) -> Value {
        // As it was seen: HTTP 200, and no URL.
        let nothing = json!({"ret": 0});
        let filekey = call.text("filekey");
        if !is_hex(filekey, 32) {
            call.hard("`filekey` is not 32 hex digits");
            return nothing;
        }
        let thumb = match call.body.get("no_need_thumb").and_then(Value::as_bool) {
            Some(true) => false,
            Some(false) => true,
            None => {
                call.hard("`no_need_thumb` is missing");
                return nothing;
            }
        };
        let refused = json!({"ret": -2, "errmsg": "prepare failed"});
        let kind = match call.body.get("media_type").and_then(Value::as_u64) {
            Some(1) => "image",
            Some(2) => "video",
            Some(3) => "file",
            Some(4) => "voice",
            Some(_) | None => {
                call.hard("`media_type` is not 1 to 4");
                return refused;
            }
        };
        let to = call.text("to_user_id");
        if !bot.state().people.iter().any(|person| person.id == to) {
            call.hard("`to_user_id` is nobody that this bot knows");
            return refused;
        }
        let Some(key) = Key::from_hex(call.text("aeskey")) else {
            call.hard("`aeskey` is not 32 hex digits");
            return refused;
        };
        let slot = |prefix: &str| {
            let number = |name: &str| call.body.get(&format!("{prefix}{name}")).and_then(Value::as_u64);
            let md5 = call.text(&format!("{prefix}rawfilemd5"));
            let (Some(len), Some(size)) = (number("rawsize"), number("filesize")) else {
                call.hard(format!("`{prefix}rawsize` or `{prefix}filesize` is missing"));
                return None;
            };
            if !is_hex(md5, 32) || md5.bytes().any(|byte| byte.is_ascii_uppercase()) {
                call.hard(format!("`{prefix}rawfilemd5` is not 32 lower-case hex digits"));
                return None;
            }
            if size != cipher_len(len) {
                call.hard(format!("`{prefix}filesize` is not the size of the cipher text"));
                return None;
            }
            let plain = Plain { len, md5: md5.to_owned() };
            let (account, to, filekey) = (bot.name.clone(), to.to_owned(), filekey.to_owned());
            Some(Slot { account, to, filekey, kind, plain, cipher_len: size, key, full: false, has_full: false })
        };
        let Some(whole) = slot("") else { return refused };
        let small = match thumb && matches!(kind, "image" | "video") {
            true => match slot("thumb_") {
                Some(small) => Some(small),
                None => return nothing,
            },
            false => None,
        };
        let urls = self.setup().upload_urls;
        let mut answer = Map::new();
        let mut cdn = self.cdn();
        if urls != UploadUrls::Full {
            let param = self.opaque(40);
            answer.insert("upload_param".to_owned(), param.clone().into());
            cdn.announce(param, Slot { has_full: urls == UploadUrls::Both, ..whole.clone() });
            if let Some(small) = small {
                let param = self.opaque(40);
                answer.insert("thumb_upload_param".to_owned(), param.clone().into());
                cdn.announce(param, small);
            }
        }
        if urls != UploadUrls::Param {
            let param = self.opaque(40);
            let url = format!(
                "{}/upload?{}&taskid={}",
                self.cdn_endpoint(),
                query(&[("encrypted_query_param", &param), ("filekey", filekey)]),
                self.hex(16)
            );
            answer.insert("upload_full_url".to_owned(), url.into());
            cdn.announce(param, Slot { full: true, has_full: true, ..whole });
        }
        Value::Object(answer)
    }

    /// Upload to the CDN.
    pub(super) fn upload(&self, call: &Call<'_>) -> Answer {
        if call.request.method != Method::POST {
            call.hard("an upload that is no POST");
            return Answer::new(404, "text/plain", "");
        }
        let slot = self.cdn().slots.get(&call.query("encrypted_query_param")).cloned();
        let Some(slot) = slot else {
            call.hard("an upload that was not announced");
            return refused(400, "invalid encrypted_query_param");
        };
        if call.query("filekey") != slot.filekey {
            call.hard("`filekey` is not the announced one");
            return refused(400, "filekey mismatch");
        }
        if !slot.full && slot.has_full && call.request.body.len() > MAX_BY_PARAM {
            call.hard("a large upload that ignores the full URL");
            return Answer::new(500, "text/plain", "");
        }
        if call.header("content-type") != Some("application/octet-stream") {
            call.soft("Content-Type is not application/octet-stream");
        }
        let cipher = call.request.body.clone();
        if u64::try_from(cipher.len()) != Ok(slot.cipher_len) {
            call.hard("an upload of another size than announced");
            return refused(400, "filesize mismatch");
        }
        let flaw = match slot.key.look_into(&cipher) {
            Err(why) => why,
            Ok(plain) if plain.len != slot.plain.len => "`rawsize` is not the size of what was encrypted",
            Ok(plain) if plain.md5 != slot.plain.md5 => "`rawfilemd5` is not that of what was encrypted",
            Ok(_) => "",
        };
        if !flaw.is_empty() {
            // The real one cannot look inside: it takes the file, and the phone cannot open it.
            call.hard(flaw);
        }
        let entry = IlinkUpload {
            account: slot.account.clone(),
            at_ms: self.now_ms(),
            kind: slot.kind.to_owned(),
            len: cipher.len(),
            full_url: slot.full,
            flaw: flaw.to_owned(),
        };
        self.shared.book.add(|journal| &mut journal.uploads, entry);
        let param = self.opaque(48);
        let file = File { account: slot.account.clone(), cipher, slot: Some(slot), flaw: flaw.to_owned() };
        let limit = self.setup().media_limit;
        self.cdn().keep(param.clone(), file, limit);
        let mut answer = Answer::new(200, "text/plain", "");
        answer.header(HeaderName::from_static("x-encrypted-param"), &param);
        answer
    }

    /// Download from the CDN.
    pub(super) fn download(&self, call: &Call<'_>) -> Answer {
        if call.request.method != Method::GET {
            call.hard("a download that is no GET");
            return Answer::new(404, "text/plain", "");
        }
        let file = self.cdn().files.get(&call.query("encrypted_query_param")).cloned();
        let Some(file) = file else { return refused(404, "file expired") };
        let full_url = call.request.query().get("taskid").is_some();
        let entry = IlinkDownload { account: file.account, at_ms: self.now_ms(), len: file.cipher.len(), full_url };
        self.shared.book.add(|journal| &mut journal.downloads, entry);
        Answer::new(200, "application/octet-stream", file.cipher)
    }

    /// What the phone makes of a media item: the file, and why it cannot be opened.
    pub(super) fn opened(
        &self,
        account: &str,
        to: &str,
        kind: &str,
        body: &Map<String, Value>,
    ) -> (Option<HeardMedia>, Vec<String>) {
        let Some(media) = body.get("media").and_then(Value::as_object) else {
            return (None, vec!["an item without `media`".to_owned()]);
        };
        let text = |name: &str| media.get(name).and_then(Value::as_str).unwrap_or_default();
        let file = self.cdn().files.get(text("encrypt_query_param")).cloned();
        let Some((slot, flaw)) = file.and_then(|file| Some((file.slot?, file.flaw))) else {
            return (None, vec!["`encrypt_query_param` is not one that an upload was answered".to_owned()]);
        };
        let mut grey = Vec::new();
        let mut wrong = |what: &str| grey.push(what.to_owned());
        if !flaw.is_empty() {
            wrong(&flaw);
        }
        if slot.account != account || slot.to != to {
            wrong("the file was uploaded for somebody else");
        }
        if slot.kind != kind {
            wrong("`media_type` of the upload is not that of the item");
        }
        if media.get("encrypt_type").and_then(Value::as_u64) != Some(1) {
            wrong("`encrypt_type` is not 1");
        }
        if let Some(flaw) = key_flaw(text("aes_key"), &slot.key) {
            wrong(flaw);
        }
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        match kind {
            "image" if number("mid_size") != Some(slot.cipher_len) => wrong("`mid_size` is not the cipher size"),
            "video" if number("video_size") != Some(slot.cipher_len) => wrong("`video_size` is not the cipher size"),
            "file" => {
                if body.get("len").and_then(Value::as_str) != Some(slot.plain.len.to_string().as_str()) {
                    wrong("`len` is not the plain size as a text");
                }
                if body.get("file_name").and_then(Value::as_str).is_none_or(str::is_empty) {
                    wrong("`file_name` is missing");
                }
            }
            _ => {}
        }
        let file_name = body.get("file_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        (Some(HeardMedia { md5: slot.plain.md5, len: slot.plain.len, file_name }), grey)
    }

    /// Keeps what a person sends.
    pub(super) fn keep_for(&self, account: &str, cipher: Bytes) -> Kept {
        let param = self.opaque(48);
        let file = File { account: account.to_owned(), cipher, slot: None, flaw: String::new() };
        let limit = self.setup().media_limit;
        self.cdn().keep(param.clone(), file, limit);
        Kept { full_url: self.download_url(&param), param }
    }

    /// The full URL of a file that is kept, or is not.
    pub(super) fn download_url(&self, param: &str) -> String {
        let query = query(&[("encrypted_query_param", param)]);
        format!("{}/download?{query}&taskid={}", self.cdn_endpoint(), self.hex(16))
    }

    fn cdn(&self) -> MutexGuard<'_, Cdn> {
        self.shared.cdn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the phone cannot use this `media.aes_key`.
fn key_flaw(text: &str, key: &Key) -> Option<&'static str> {
    let Ok(bytes) = STANDARD.decode(text) else { return Some("`aes_key` is not base64") };
    if bytes == key.bytes() {
        return Some("`aes_key` is base64 of the raw key, not of its 32 hex digits");
    }
    match String::from_utf8(bytes).ok().as_deref().map(Key::from_hex) {
        Some(Some(given)) if given == *key => None,
        Some(Some(_)) => Some("`aes_key` is another key than the announced one"),
        Some(None) | None => Some("`aes_key` is not base64 of 32 hex digits"),
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn refused(status: u16, why: &str) -> Answer {
    let mut answer = Answer::new(status, "text/plain", "");
    answer.header(HeaderName::from_static("x-error-message"), why);
    answer
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hex_form_of_a_key_opens_a_picture() {
        let key = Key::from_hex("000102030405060708090a0b0c0d0e0f").unwrap();
        for (text, want) in [
            (STANDARD.encode(key.hex()), None),
            (STANDARD.encode(key.bytes()), Some("`aes_key` is base64 of the raw key, not of its 32 hex digits")),
            (key.hex(), Some("`aes_key` is not base64 of 32 hex digits")),
            ("%".to_owned(), Some("`aes_key` is not base64")),
            (String::new(), Some("`aes_key` is not base64 of 32 hex digits")),
            (
                STANDARD.encode("ff0102030405060708090a0b0c0d0e0f"),
                Some("`aes_key` is another key than the announced one"),
            ),
        ] {
            assert_eq!(key_flaw(&text, &key), want, "{text}");
        }
    }

    #[test]
    fn the_oldest_files_expire() {
        let mut cdn = Cdn::default();
        let file =
            |len| File { account: String::new(), cipher: Bytes::from(vec![0; len]), slot: None, flaw: String::new() };
        for name in ["a", "b", "c"] {
            cdn.keep(name.to_owned(), file(40), 100);
        }
        assert_eq!((cdn.files.contains_key("a"), cdn.files.len(), cdn.bytes), (false, 2, 80));
        cdn.keep("huge".to_owned(), file(500), 100);
        assert_eq!((cdn.files.len(), cdn.bytes), (1, 500), "the newest is kept in any case");
    }
}
