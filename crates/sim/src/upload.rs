//! How do files come in: webwxuploadmedia in chunks, and webwxcheckupload before large ones?

use std::collections::HashMap;

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::Sim;
use crate::account::State;
use crate::check::{Checker, percent_decoded};
use crate::fault::FaultKind;
use crate::journal::UploadEntry;
use crate::media::{Claim, Named};
use crate::multipart::Form;
use crate::names;
use crate::request::{Answer, Endpoint, Request};
use crate::shape;
use crate::wire::{CheckUploadBody, UploadRequest};

/// Every client cuts files into chunks of this size.
pub(crate) const CHUNK: usize = 512 * 1024;
/// Above this a file needs webwxcheckupload and its signature.
pub(crate) const LARGE: u64 = 25 * 1024 * 1024;

const PARAMETER_ERROR: i64 = 1;
const SYSTEM_ERROR: i64 = -1;
/// Uploads that one login may have begun and not finished.
const MAX_BEGUN: usize = 64;
/// `FileType` of webwxcheckupload.
const ATTACHMENT: i64 = 7;

/// What one login has to do with uploads.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    /// By MediaId.
    given: HashMap<String, Named>,
    /// By ClientMediaId.
    begun: HashMap<String, Partial>,
    /// By ClientMediaId: complete ones, for a client that lost the last answer and sends the last chunk again.
    finished: HashMap<String, Named>,
    /// By md5: what webwxcheckupload gave for a large file.
    passes: HashMap<String, Pass>,
}

/// A large file that may come.
#[derive(Debug, Clone)]
struct Pass {
    aes_key: String,
    signature: String,
}

/// An upload of which some chunks are here.
#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    total: usize,
    chunks: usize,
    next: usize,
    md5: String,
    claim: Claim,
}

impl Uploads {
    pub(crate) fn given(&self, media_id: &str) -> Option<&Named> {
        self.given.get(media_id)
    }

    /// Whether this is the signature that the file of this md5 was given.
    pub(crate) fn is_signed(&self, md5: &str, signature: &str) -> bool {
        self.passes.get(md5).is_some_and(|pass| pass.signature == signature)
    }

    pub(crate) fn give(&mut self, media_id: String, item: Named) {
        self.given.insert(media_id, item);
    }
}

/// One chunk, its form checked.
struct Chunk<'a> {
    asked: UploadRequest<'a>,
    name: &'a str,
    total: usize,
    chunks: usize,
    at: usize,
    bytes: &'a Bytes,
}

impl Sim {
    pub(crate) fn upload_media(
        &self,
        request: &Request,
        checker: &Checker<'_>,
        fault: Option<&FaultKind>,
    ) -> Result<Answer, i64> {
        if request.method == Method::OPTIONS {
            return Ok(preflight(request));
        }
        let form = Form::read(&request.headers, &request.body).map_err(|wrong| {
            checker.hard(wrong);
            PARAMETER_ERROR
        })?;
        let asked = form.text("uploadmediarequest").ok_or_else(|| {
            checker.hard("no uploadmediarequest");
            PARAMETER_ERROR
        })?;
        if crate::wire::has_needless_escape(asked.as_bytes()) {
            checker.hard("JSON body escapes what must be sent raw");
        }
        let asked: UploadRequest<'_> = serde_json::from_str(asked).map_err(|error| {
            tracing::debug!(%error, "An uploadmediarequest cannot be read.");
            checker.hard("uploadmediarequest is not the JSON that is expected");
            PARAMETER_ERROR
        })?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&asked.base_request), &checker)?;
        if request.query().get("f") != Some("json") {
            checker.soft("query without f=json");
        }
        let chunk = state.check_form(&form, asked, &checker)?;
        state.record.uploads.push(UploadEntry {
            account: account.name.clone(),
            at_ms: checker.now_ms,
            file_name: chunk.name.to_owned(),
            chunk: chunk.at,
            chunks: chunk.chunks,
            len: chunk.bytes.len(),
            media_type: form.text("mediatype").unwrap_or_default().to_owned(),
        });
        let (item, received) = match self.take_chunk(&mut state, &chunk, &checker)? {
            Taken::More { received } => (None, received),
            Taken::All(item) => (Some(item), chunk.total),
            Taken::NoRoom => {
                let why = "simulator: no room, media_limit is reached";
                return Ok(shape::refusal(Endpoint::UploadMedia, SYSTEM_ERROR, why));
            }
        };
        let State { session, rng, .. } = &mut *state;
        let (mut media_id, mut thumb) = (String::new(), (0, 0));
        if let (Some(item), Some(session)) = (item, session.as_mut())
            && fault != Some(&FaultKind::NoMediaId)
        {
            media_id = names::media_id(rng);
            thumb = item.blob.thumb_size();
            session.uploads.give(media_id.clone(), item);
        }
        let start_pos = match fault {
            Some(FaultKind::WrongStartPos) => received.saturating_sub(1),
            _ => received,
        };
        let mut answer = shape::answer(
            0,
            "",
            json!({
                "MediaId": media_id, "StartPos": start_pos, "CDNThumbImgHeight": thumb.1, "CDNThumbImgWidth": thumb.0,
                "EncryFileName": encry_file_name(chunk.name)
            }),
        );
        allow_page(&mut answer, request);
        Ok(answer)
    }

    fn take_chunk(&self, state: &mut State, chunk: &Chunk<'_>, checker: &Checker<'_>) -> Result<Taken, i64> {
        let id = &*chunk.asked.client_media_id.0;
        let uploads = &mut state.session.as_mut().ok_or(SYSTEM_ERROR)?.uploads;
        let full = || {
            tracing::warn!(account = checker.account, bytes = chunk.total, "No room for an upload: `media_limit`.");
            Ok(Taken::NoRoom)
        };
        if chunk.at == 0 {
            if uploads.begun.len() >= MAX_BEGUN && !uploads.begun.contains_key(id) {
                checker.hard("too many uploads begun and not finished");
                return Err(PARAMETER_ERROR);
            }
            // The first chunk sent again begins the upload anew: that is how clients try again.
            uploads.begun.remove(id);
            let Ok(claim) = self.shelf().claim(chunk.total) else { return full() };
            let fresh = Partial {
                bytes: Vec::with_capacity(chunk.total),
                total: chunk.total,
                chunks: chunk.chunks,
                next: 0,
                md5: chunk.asked.file_md5.to_ascii_lowercase(),
                claim,
            };
            uploads.begun.insert(id.to_owned(), fresh);
        }
        let Some(partial) = uploads.begun.get_mut(id) else {
            if let Some(item) = uploads.finished.get(id).filter(|_| chunk.at + 1 == chunk.chunks) {
                return Ok(Taken::All(item.clone()));
            }
            checker.hard("a chunk of an upload that never began: ClientMediaId must be the same in all of them");
            return Err(PARAMETER_ERROR);
        };
        let known = (partial.total, partial.chunks, partial.md5.as_str());
        if known != (chunk.total, chunk.chunks, chunk.asked.file_md5.to_ascii_lowercase().as_str()) {
            checker.hard("chunks of one upload disagree about its length or md5");
            return Err(PARAMETER_ERROR);
        }
        if chunk.at + 1 == partial.next {
            // The same chunk again, because its answer was lost: the service answers as before.
            return Ok(Taken::More { received: partial.bytes.len() });
        }
        if chunk.at != partial.next {
            checker.hard("chunks are not in order");
            return Err(PARAMETER_ERROR);
        }
        partial.bytes.extend_from_slice(chunk.bytes);
        partial.next += 1;
        let received = partial.bytes.len();
        if partial.next < partial.chunks && received < partial.total {
            return Ok(Taken::More { received });
        }
        let Some(done) = uploads.begun.remove(id) else { return Err(SYSTEM_ERROR) };
        if received != done.total {
            checker.hard("the chunks are not as long together as TotalLen says");
            return Err(PARAMETER_ERROR);
        }
        let Ok(blob) = self.shelf().keep(Bytes::from(done.bytes), Some(done.claim)) else { return full() };
        if !done.md5.is_empty() && blob.md5 != done.md5 {
            checker.hard("FileMd5 is not the md5 of what was uploaded");
            return Err(PARAMETER_ERROR);
        }
        let item = Named { blob, name: chunk.name.to_owned() };
        uploads.finished.insert(id.to_owned(), item.clone());
        Ok(Taken::All(item))
    }

    pub(crate) fn check_upload(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let body: CheckUploadBody<'_> = crate::server::body(request, checker)?;
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let mut state = account.lock();
        state.admit(account.uin, request, &request.query(), Some(&body.base_request), &checker)?;
        let md5 = body.file_md5.to_ascii_lowercase();
        if body.file_type != Some(ATTACHMENT) {
            checker.hard("webwxcheckupload without FileType 7");
            return Err(PARAMETER_ERROR);
        }
        if !is_md5(&md5) {
            checker.hard("FileMd5 is not 32 hex digits");
            return Err(PARAMETER_ERROR);
        }
        state.check_ends(&body.from_user_name, &body.to_user_name, &checker);
        if body.file_size <= LARGE {
            checker.soft("webwxcheckupload for a file of at most 25 MiB");
        }
        let known = self.shelf().find(&md5).filter(|blob| blob.len() == body.file_size);
        let State { session, rng, .. } = &mut *state;
        let uploads = &mut session.as_mut().ok_or(SYSTEM_ERROR)?.uploads;
        let pass = uploads
            .passes
            .entry(md5)
            .or_insert_with(|| Pass { aes_key: names::hex(rng, 32), signature: format!("v1_{}", names::hex(rng, 64)) })
            .clone();
        let name = body.file_name.as_ref();
        let (media_id, aes_key) = match known {
            None => (String::new(), pass.aes_key),
            Some(blob) => {
                let media_id = names::media_id(rng);
                uploads.give(media_id.clone(), Named { blob, name: name.to_owned() });
                (media_id, String::new())
            }
        };
        Ok(shape::answer(
            0,
            "",
            json!({
                "MediaId": media_id, "AESKey": aes_key, "Signature": pass.signature,
                "EncryFileName": encry_file_name(name)
            }),
        ))
    }
}

enum Taken {
    More { received: usize },
    All(Named),
    NoRoom,
}

impl State {
    /// Everything that one part says about another.
    fn check_form<'a>(
        &self,
        form: &'a Form,
        asked: UploadRequest<'a>,
        checker: &Checker<'_>,
    ) -> Result<Chunk<'a>, i64> {
        let refuse = |what| {
            checker.hard(what);
            PARAMETER_ERROR
        };
        let session = self.session.as_ref().ok_or(SYSTEM_ERROR)?;
        if form.text("webwx_data_ticket") != Some(session.data_ticket.as_str()) {
            return Err(refuse("webwx_data_ticket is missing or not the session's"));
        }
        // Some clients make their own ticket up, so it cannot matter much.
        match form.text("pass_ticket") {
            None | Some("") => checker.soft("no pass_ticket in the form"),
            Some(sent) if sent == percent_decoded(&session.pass_ticket) => {}
            Some(sent) if sent == session.pass_ticket => checker.soft("pass_ticket in the form is not decoded"),
            Some(_) => checker.soft("pass_ticket in the form is not the session's"),
        }
        let file = form.part("filename").ok_or_else(|| refuse("no part filename"))?;
        let name = form.text("name").filter(|name| !name.is_empty()).ok_or_else(|| refuse("no part name"))?;
        if file.file_name.as_deref() != Some(name) {
            checker.soft("name is not the filename of the file's part");
        }
        if !form.text("id").is_some_and(|id| id.starts_with("WU_FILE_")) {
            checker.soft("id is not WU_FILE_ and a number");
        }
        if form.part("type").is_none() || form.part("lastModifiedDate").is_none() {
            checker.soft("no part type or lastModifiedDate");
        }
        let size = form.text("size").and_then(|size| size.parse::<u64>().ok());
        let total = usize::try_from(asked.total_len).map_err(|_too_long| PARAMETER_ERROR)?;
        if size != Some(asked.total_len) || asked.data_len != asked.total_len {
            return Err(refuse("size, TotalLen and DataLen are not the same"));
        }
        if total == 0 {
            return Err(refuse("an empty file"));
        }
        if file.body.len() > CHUNK {
            return Err(refuse("a chunk is longer than 512 KiB"));
        }
        let (chunks, at) = match (form.part("chunks"), form.part("chunk")) {
            (None, None) => (1, 0),
            _ => {
                let number = |name| form.text(name).and_then(|text| text.parse::<usize>().ok());
                let (Some(chunks), Some(at)) = (number("chunks"), number("chunk")) else {
                    return Err(refuse("chunks and chunk are not two numbers"));
                };
                if chunks == 1 {
                    checker.soft("chunks and chunk of a file of one chunk");
                }
                (chunks, at)
            }
        };
        if at >= chunks || chunks != total.div_ceil(CHUNK) {
            return Err(refuse("chunks or chunk do not fit the length"));
        }
        let last = at + 1 == chunks;
        if (last && file.body.len() != total - at * CHUNK) || (!last && file.body.len() != CHUNK) {
            return Err(refuse("the chunks are not as long together as TotalLen says"));
        }
        self.check_asked(&asked, checker)?;
        check_media_type(name, form.text("mediatype"), checker);
        Ok(Chunk { asked, name, total, chunks, at, bytes: &file.body })
    }

    fn check_asked(&self, asked: &UploadRequest<'_>, checker: &Checker<'_>) -> Result<(), i64> {
        if asked.upload_type != 2 || asked.start_pos != 0 || asked.media_type != 4 {
            checker.soft("UploadType, StartPos and MediaType are not 2, 0 and 4");
        }
        if asked.client_media_id.0.is_empty() {
            checker.hard("no ClientMediaId");
            return Err(PARAMETER_ERROR);
        }
        self.check_ends(&asked.from_user_name, &asked.to_user_name, checker);
        if asked.file_md5.is_empty() {
            checker.soft("no FileMd5");
        } else if !is_md5(&asked.file_md5.to_ascii_lowercase()) {
            checker.hard("FileMd5 is not 32 hex digits");
            return Err(PARAMETER_ERROR);
        }
        if asked.total_len > LARGE {
            let pass = self.session.as_ref().and_then(|session| session.uploads.passes.get(&*asked.file_md5));
            if !pass.is_some_and(|pass| pass.aes_key == asked.aes_key && pass.signature == asked.signature) {
                checker.hard("a file over 25 MiB without AESKey and Signature of webwxcheckupload");
                return Err(PARAMETER_ERROR);
            }
        }
        Ok(())
    }

    fn check_ends(&self, from: &str, to: &str, checker: &Checker<'_>) {
        if from != self.names.me {
            checker.hard("FromUserName is not the account's");
        }
        if self.names.find(to).is_none() {
            checker.hard("ToUserName is unknown");
        }
    }
}

fn check_media_type(name: &str, sent: Option<&str>, checker: &Checker<'_>) {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let fits = match (extension.as_str(), sent) {
        ("bmp" | "png" | "jpeg" | "jpg", Some("pic")) | ("mp4", Some("video")) => true,
        // Stickers are sent as both.
        ("gif", Some("pic" | "doc")) => true,
        // A picture or a film may be sent as a file.
        (_, Some("doc")) => true,
        _ => false,
    };
    if !fits {
        checker.soft("mediatype does not fit the name");
    }
}

pub(crate) fn is_md5(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name as webwxgetmedia takes it: everything but letters and digits percent-encoded.
pub(crate) fn encry_file_name(name: &str) -> String {
    name.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() {
            all.push(char::from(byte));
        } else {
            all.push_str(&format!("%{byte:02X}"));
        }
        all
    })
}

fn preflight(request: &Request) -> Answer {
    let mut answer = Answer::new(200, "text/plain", "");
    allow_page(&mut answer, request);
    answer.header(http::header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS");
    let wanted = request.headers.get(http::header::ACCESS_CONTROL_REQUEST_HEADERS);
    let wanted = wanted.and_then(|wanted| wanted.to_str().ok()).unwrap_or("Content-Type");
    answer.header(http::header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    answer
}

/// Lets the page of another host read the answer; programs do not ask.
fn allow_page(answer: &mut Answer, request: &Request) {
    if let Some(origin) = request.headers.get(http::header::ORIGIN).and_then(|origin| origin.to_str().ok()) {
        answer.header(http::header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.header(http::header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_like_the_real_ones() {
        assert_eq!(encry_file_name("25.6Mb文件.zip"), "25%2E6Mb%E6%96%87%E4%BB%B6%2Ezip");
    }

    #[test]
    fn md5s() {
        assert!(is_md5("44682e637b75a3f5d6747d61dbd23a15"));
        assert!(!is_md5("44682E637b75a3f5d6747d61dbd23a15"));
        assert!(!is_md5("44682e"));
    }
}
