//! How do bytes get to the service? Hashed, announced when large, and in chunks that are each checked.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use md5::{Digest, Md5};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;
use wxbot_model::PeerId;

use super::client::Client;
use super::endpoint::media;
use super::outcome::before_act;
use super::uploaded::{Given, Key};
use super::wire::form::{self, Form};
use super::wire::upload::{CheckAnswer, CheckUpload, UploadAnswer, UploadRequest};
use super::wire::{json, percent_decoded};
use crate::error::{Advice, Error, SendError};
use crate::protocol::MediaFile;

/// Every client cuts files into pieces of this size.
const CHUNK: u64 = 512 * 1024;
const MIB: u64 = 1024 * 1024;
/// Above this a file has to be announced.
const LARGE: u64 = 25 * MIB;
/// How often a chunk is sent that surely did not leave.
const TRIES: u32 = 3;
/// Uploads that are longer in bytes or time are told at INFO.
const WORTH_TELLING: u64 = MIB;
const WORTH_TELLING_TIME: Duration = Duration::from_secs(2);

/// Files read at once, of all accounts: each takes a blocking thread, and the process has few, which the store needs too.
static READS: Semaphore = Semaphore::const_new(2);

/// What the bytes are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Video,
    File,
    Sticker,
}

impl Kind {
    /// `mediatype`. Stickers go up as files: as pictures they would stand still.
    fn media_type(self) -> &'static str {
        match self {
            Self::Image => "pic",
            Self::Video => "video",
            Self::File | Self::Sticker => "doc",
        }
    }

    /// Why the service would not take so many bytes; the official client refuses films and pictures itself.
    fn refuses(self, len: u64) -> Option<&'static str> {
        match self {
            _ if len == 0 => Some("the file is empty"),
            Self::Image if len > 20 * MIB => Some("pictures may have 20 MiB at most"),
            Self::Sticker if len > 20 * MIB => Some("stickers may have 20 MiB at most"),
            Self::Video if len >= 20 * MIB => Some("films must be shorter than 20 MiB"),
            Self::File if len > 100 * MIB => Some("files may have 100 MiB at most"),
            Self::Image | Self::Sticker | Self::Video | Self::File => None,
        }
    }
}

/// Bytes that the service has.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) key: Key,
    pub(super) given: Given,
    /// They went up for this message; else an earlier one brought them.
    pub(super) fresh: bool,
}

/// One upload on its way.
struct Job<'a> {
    me: &'a PeerId,
    to: &'a PeerId,
    file: &'a MediaFile,
    md5: &'a str,
    media_type: &'static str,
    modified_ms: i64,
}

/// Why an upload to one host came to nothing.
enum Cut {
    /// A request failed.
    Request(Error),
    /// The service answers yes, and means nothing by it.
    Nonsense(String),
    /// It is not for the service to say.
    Ours(SendError),
}

impl From<Error> for Cut {
    fn from(error: Error) -> Self {
        Self::Request(error)
    }
}

impl From<Cut> for SendError {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Request(error) => before_act(error),
            Cut::Nonsense(why) => Self::NotTaken { why, after: Duration::from_secs(5) },
            Cut::Ours(error) => error,
        }
    }
}

impl Client {
    /// Sees to it that the service has these bytes. Not cancel safe in cost only: what was uploaded is uploaded again.
    pub(super) async fn ready(
        &self,
        me: &PeerId,
        to: &PeerId,
        file: &MediaFile,
        kind: Kind,
    ) -> Result<Ready, SendError> {
        if let Some(why) = kind.refuses(file.len) {
            return Err(SendError::Failed { why: why.to_owned() });
        }
        let (path, len) = (file.path.clone(), file.len);
        let (md5, modified_ms) = blocking(move || hash(&path, len)).await?;
        let key = Key { md5, media_type: kind.media_type() };
        let slot = self.uploaded.slot(&key);
        let mut slot = slot.lock().await;
        if let Some(given) = &*slot {
            file.progress.set(file.len);
            return Ok(Ready { given: given.clone(), key, fresh: false });
        }
        let job = Job { me, to, file, md5: &key.md5, media_type: key.media_type, modified_ms };
        let given = self.upload(&job).await?;
        *slot = Some(given.clone());
        Ok(Ready { given, key, fresh: true })
    }

    async fn upload(&self, job: &Job<'_>) -> Result<Given, SendError> {
        let (len, kind, started) = (job.file.len, job.media_type, Instant::now());
        if len > WORTH_TELLING {
            tracing::info!(len, kind, "Upload begins.");
        }
        let pass = if len > LARGE { Some(self.check_upload(job).await.map_err(before_act)?) } else { None };
        let media_id = match &pass {
            Some(pass) if !pass.media_id.is_empty() => {
                job.file.progress.set(len);
                pass.media_id.clone()
            }
            Some(_) | None => self.upload_somewhere(job, pass.as_ref()).await?,
        };
        let took = started.elapsed();
        if len > WORTH_TELLING || took > WORTH_TELLING_TIME {
            tracing::info!(len, kind, took_ms = took.as_millis(), "Upload done.");
        }
        Ok(Given { media_id, signature: pass.map(|pass| pass.signature.into()) })
    }

    async fn check_upload(&self, job: &Job<'_>) -> Result<CheckAnswer, Error> {
        let keys = self.keys();
        let body = CheckUpload {
            base_request: self.base(&keys),
            file_md5: job.md5,
            file_name: &job.file.name,
            file_size: job.file.len,
            file_type: CheckUpload::ATTACHMENT,
            from_user_name: job.me.as_str(),
            to_user_name: job.to.as_str(),
        };
        let url = media::checkupload(&self.hosts, keys.pass_ticket.expose());
        let answer: CheckAnswer = self.post("webwxcheckupload", url, &body).await?;
        answer.base_response.check("webwxcheckupload")?;
        Ok(answer)
    }

    /// To the file host, or, when that refuses, once to the second one. The second knows no chunks of the first.
    async fn upload_somewhere(&self, job: &Job<'_>, pass: Option<&CheckAnswer>) -> Result<String, SendError> {
        let refused = match self.upload_to(&self.hosts.file, job, pass).await {
            Err(Cut::Request(Error::Refused { endpoint, refusal })) => (endpoint, refusal),
            other => return other.map_err(SendError::from),
        };
        let (endpoint, refusal) = refused;
        let second = match refusal.advice {
            Advice::TryLater | Advice::GiveUp => self.hosts.second_file(),
            Advice::Stop(_) => None,
        };
        let Some(second) = second else { return Err(before_act(Error::Refused { endpoint, refusal })) };
        tracing::debug!(ret = refusal.ret, "The file host refuses; trying the second one.");
        self.upload_to(&second, job, pass).await.map_err(SendError::from)
    }

    async fn upload_to(&self, host: &Url, job: &Job<'_>, pass: Option<&CheckAnswer>) -> Result<String, Cut> {
        let (file, keys) = (job.file, self.keys());
        let given = |text: &'_ str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (aes_key, signature) =
            (pass.and_then(|pass| given(&pass.aes_key)), pass.and_then(|pass| given(&pass.signature)));
        let request = UploadRequest {
            upload_type: UploadRequest::UPLOAD_TYPE,
            base_request: self.base(&keys),
            client_media_id: self.uploaded.draw_id(self.source.now_ms()),
            total_len: file.len,
            start_pos: 0,
            data_len: file.len,
            media_type: UploadRequest::ATTACHMENT,
            from_user_name: job.me.as_str(),
            to_user_name: job.to.as_str(),
            file_md5: job.md5,
            aes_key: aes_key.as_deref(),
            signature: signature.as_deref(),
        };
        let request = serde_json::to_string(&request)
            .map_err(|error| Error::Settings(format!("cannot write an upload request: {error}")))?;
        let data_ticket = self.data_ticket(host).map_err(|why| Cut::Ours(SendError::Failed { why }))?;
        let pass_ticket = percent_decoded(keys.pass_ticket.expose());
        let id = format!("WU_FILE_{}", self.uploaded.count());
        let mut fields = Form {
            id: &id,
            name: &file.name,
            mime: form::mime(&file.name),
            modified_ms: job.modified_ms,
            size: file.len,
            chunks: file.len.div_ceil(CHUNK),
            chunk: 0,
            media_type: job.media_type,
            request: &request,
            data_ticket: &data_ticket,
            pass_ticket: &pass_ticket,
        };
        file.progress.set(0);
        while fields.chunk < fields.chunks {
            let from = fields.chunk * CHUNK;
            let there = file.len.min(from + CHUNK);
            let answer = self.send_chunk(host, file, &fields, from, there - from).await?;
            answer.base_response.check("webwxuploadmedia")?;
            fields.chunk += 1;
            let (chunk, chunks) = (fields.chunk, fields.chunks);
            if chunk == chunks {
                if answer.media_id.is_empty() {
                    return Err(Cut::Nonsense(
                        "the upload is complete, and the service gives no MediaId for it".into(),
                    ));
                }
                file.progress.set(there);
                return Ok(answer.media_id);
            }
            if let Some(position) = answer.start_pos.filter(|position| *position != there) {
                let why = format!("{there} bytes are uploaded, and the service says it has {position}");
                return Err(Cut::Nonsense(why));
            }
            file.progress.set(there);
            tracing::debug!(chunk, chunks, there, len = file.len, "A chunk is there.");
        }
        Err(Cut::Nonsense("there was nothing to upload".into()))
    }

    /// The key that file hosts want.
    pub(super) fn data_ticket(&self, host: &Url) -> Result<String, String> {
        let cookie = |url| self.http.cookie(url, "webwx_data_ticket");
        cookie(host).or_else(|| cookie(&self.hosts.api)).ok_or_else(|| {
            "this login has no webwx_data_ticket, without which no file host answers; a new login may bring one".into()
        })
    }

    /// One chunk. What surely did not leave is sent again; anything else would perhaps be there twice.
    async fn send_chunk(
        &self,
        host: &Url,
        file: &MediaFile,
        fields: &Form<'_>,
        from: u64,
        len: u64,
    ) -> Result<UploadAnswer, Cut> {
        const ENDPOINT: &str = "webwxuploadmedia";
        let boundary = format!("----WebKitFormBoundary{:016x}", self.source.random_u64());
        let (head, tail) = fields.around(&boundary);
        let path = file.path.clone();
        let form = blocking(move || framed(&path, from, len, head, &tail)).await.map_err(Cut::Ours)?;
        let content_type = form::content_type(&boundary);
        let mut tries = 1;
        loop {
            let request = media::uploadmedia(&self.hosts, host, &self.mode, &content_type, form.clone());
            match self.http.send(request).await {
                Err(error) if error.surely_not_sent() && tries < TRIES => {
                    tracing::debug!(%error, tries, "A chunk did not leave; sending it again.");
                    tokio::time::sleep(Duration::from_secs(tries.into())).await;
                    tries += 1;
                }
                Err(source) => return Err(Error::Transport { endpoint: ENDPOINT, source }.into()),
                Ok(answer) => return Ok(json(ENDPOINT, &answer)?),
            }
        }
    }
}

/// Work on files, off the threads that must not wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, SendError> {
    let later = |why| SendError::NotTaken { why, after: Duration::from_secs(5) };
    let read = READS.acquire().await;
    let work = move || {
        // Until the work ends, also when nobody waits for it any more.
        let _read = read;
        work()
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(if error.kind() == io::ErrorKind::NotFound {
            SendError::Failed { why: "the file to send is not there any more".into() }
        } else if [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData].contains(&error.kind()) {
            SendError::Failed { why: "the file to send is not as long as it was".into() }
        } else {
            later(format!("the file to send cannot be read: {error}"))
        }),
        Err(_) => Err(later("reading the file to send was broken off".into())),
    }
}

/// The md5 of a file of this length, and when it was changed.
fn hash(path: &PathBuf, len: u64) -> io::Result<(String, i64)> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    let since = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let (mut md5, mut seen) = (Md5::new(), 0_u64);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let got = file.read(&mut piece)?;
        let Some(bytes) = piece.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        md5.update(bytes);
        seen = seen.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
    }
    if seen != len {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let hex = md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hex, i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// `len` bytes of the file from there on, with the form around them, in one buffer.
fn framed(path: &PathBuf, from: u64, len: u64, mut form: Vec<u8>, tail: &[u8]) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    form.reserve_exact(usize::try_from(len).unwrap_or(0).saturating_add(tail.len()));
    let got = file.take(len).read_to_end(&mut form)?;
    if u64::try_from(got).ok() != Some(len) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    form.extend_from_slice(tail);
    Ok(form.into())
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
