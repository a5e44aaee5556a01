//! How do bytes get to the CDN? Hashed, then sealed while they are sent, to the address that the service gives for them.
//!
//! Neither the file nor what is made of it is ever held whole. Until the item is sent nobody sees anything of it, so an
//! upload may be tried again.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use md5::{Digest, Md5};
use tokio::sync::Semaphore;
use url::Url;
use wxbot_model::{PeerId, Secret};

use super::client::Client;
use super::crypt::{BLOCK, MediaKey, Sealer, sealed_len};
use super::endpoint;
use super::sender::before_act;
use super::wire::send::{GetUploadUrl, UploadPlace};
use crate::error::SendError;
use crate::lenient::hex;
use crate::protocol::{MediaFile, Progress};
use crate::transport::{HttpRequest, HttpResponse, Pieces};

/// The longest file, as the official client has it; the service says nothing.
pub(super) const MOST: u64 = 100 * 1024 * 1024;
/// What is read and sealed at once.
const PIECE: u64 = 128 * 1024;
/// How often an upload is tried that came to nothing, each time at a new address.
const TRIES: u32 = 3;
/// A connection that takes no piece for so long is dead, and so is one that gives no answer to the last.
const STALLED: Duration = Duration::from_secs(120);
/// Uploads that are longer are told at INFO.
const WORTH_TELLING: u64 = 1024 * 1024;

/// Files read at once, of all accounts: each piece takes a blocking thread, and the process has few, which the store needs.
static READS: Semaphore = Semaphore::const_new(2);

/// What the bytes are to the service: `media_type`, which are not the types of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image = 1,
    Video = 2,
    File = 3,
    Voice = 4,
}

/// Bytes that the CDN has.
#[derive(Debug)]
pub(super) struct Uploaded {
    /// Where: `encrypt_query_param`.
    pub(super) param: Secret<String>,
    /// What opens them, in the form for others.
    pub(super) key: Secret<String>,
    /// How many they are when they are sealed.
    pub(super) sealed: u64,
}

/// One upload on its way.
struct Job<'a> {
    to: &'a PeerId,
    file: &'a MediaFile,
    kind: Kind,
    md5: String,
    key: MediaKey,
}

/// Why a try came to nothing.
enum Cut {
    /// Another one may not.
    Again(String),
    /// Any other would too.
    Final(SendError),
}

impl Client {
    /// Gives the CDN these bytes for somebody. Not cancel safe in cost only: what was uploaded is uploaded again.
    ///
    /// # Errors
    /// [`SendError::Failed`] for what no try would change, else [`SendError::NotTaken`] or what the service said.
    pub(super) async fn upload(&self, to: &PeerId, file: &MediaFile, kind: Kind) -> Result<Uploaded, SendError> {
        let len = file.len;
        if len > MOST {
            let why = format!("the file has {len} bytes, and iLink takes {} MiB at most", MOST / 1024 / 1024);
            return Err(SendError::Failed { why });
        }
        let (told, started) = (len > WORTH_TELLING, tokio::time::Instant::now());
        if told {
            tracing::info!(len, ?kind, "Upload begins.");
        }
        let path = file.path.clone();
        let md5 = blocking(move || hash(File::open(path)?, len)).await.map_err(|error| unreadable(&error))?;
        let job = Job { to, file, kind, md5, key: MediaKey::new(self.random_block()) };
        let mut tries = 1;
        let param = loop {
            file.progress.set(0);
            match self.try_upload(&job).await {
                Ok(param) => break param,
                Err(Cut::Final(error)) => return Err(error),
                Err(Cut::Again(why)) if tries < TRIES => {
                    tracing::debug!(why, tries, "An upload came to nothing; trying it again at a new address.");
                    tokio::time::sleep(Duration::from_secs(tries.into())).await;
                    tries += 1;
                }
                Err(Cut::Again(why)) => {
                    let why = format!("{why}; the upload was tried {TRIES} times");
                    return Err(SendError::NotTaken { why, after: Duration::from_secs(30) });
                }
            }
        };
        file.progress.set(len);
        if told {
            tracing::info!(len, ?kind, took_ms = started.elapsed().as_millis(), "Upload done.");
        }
        Ok(Uploaded { param, key: job.key.outbound(), sealed: sealed_len(len) })
    }

    fn random_block(&self) -> [u8; BLOCK] {
        let both = u128::from(self.line.source.random_u64()) << 64 | u128::from(self.line.source.random_u64());
        both.to_be_bytes()
    }

    /// Asks for an address, and puts the bytes there.
    async fn try_upload(&self, job: &Job<'_>) -> Result<Secret<String>, Cut> {
        let (filekey, aeskey) = (hex::encode(&self.random_block()), job.key.hex());
        let ask = GetUploadUrl {
            filekey: &filekey,
            media_type: job.kind as u8,
            to_user_id: job.to.as_str(),
            rawsize: job.file.len,
            rawfilemd5: &job.md5,
            filesize: sealed_len(job.file.len),
            no_need_thumb: true,
            aeskey: aeskey.expose(),
            thumb: None,
        };
        let place: UploadPlace =
            self.call(&endpoint::GETUPLOADURL, &ask).await.map_err(|error| Cut::Final(before_act(error)))?;
        let url = self.address(&place, &filekey)?;
        let trouble = Trouble::default();
        let request = HttpRequest {
            method: Method::POST,
            url,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))]),
            body: Bytes::new(),
            timeout: STALLED,
        };
        let answer = self.line.transport.put(request, sealed(job.file, &job.key, trouble.clone())).await;
        if let Some(error) = trouble.taken() {
            return Err(Cut::Final(unreadable(&error)));
        }
        taken(&answer.map_err(|error| Cut::Again(format!("the bytes did not get to the CDN: {error}")))?)
    }

    /// Where the bytes go. The service's own address counts: without it larger files were refused.
    fn address(&self, place: &UploadPlace, filekey: &str) -> Result<Url, Cut> {
        let url = match (place.upload_full_url.as_str(), place.upload_param.as_str()) {
            ("", "") => return Err(Cut::Again("the service gives no address for the bytes".into())),
            ("", param) => self.line.place.upload(param, filekey),
            (full, _) => Url::parse(full).ok().filter(|url| self.line.place.may_carry_bytes(url)).ok_or_else(|| {
                let why = "the service wants the bytes at an address that is none of its own; they are not sent there";
                Cut::Final(SendError::Failed { why: why.to_owned() })
            })?,
        };
        Ok(url)
    }
}

/// What the CDN's answer means.
fn taken(answer: &HttpResponse) -> Result<Secret<String>, Cut> {
    let reason = reason(&answer.headers);
    match answer.status {
        200 => match answer.header("x-encrypted-param").map(str::trim).filter(|param| !param.is_empty()) {
            Some(param) => Ok(Secret::new(param.to_owned())),
            None => Err(Cut::Again("the CDN takes the bytes and does not say where they are".into())),
        },
        status @ 400..=499 => {
            Err(Cut::Final(SendError::Failed { why: format!("the CDN refuses the bytes (HTTP {status}){reason}") }))
        }
        status => Err(Cut::Again(format!("the CDN answered HTTP {status}{reason}"))),
    }
}

/// `x-error-message` as the end of a sentence.
pub(super) fn reason(headers: &HeaderMap) -> String {
    let Some(said) = headers.get("x-error-message") else { return String::new() };
    let said = String::from_utf8_lossy(said.as_bytes());
    let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
    if said.trim().is_empty() { String::new() } else { format!(": {}", said.trim()) }
}

/// What went wrong with the file while a connection asked for more of it.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<Option<io::Error>>>);

impl Trouble {
    fn note(&self, error: &io::Error) {
        let same = io::Error::new(error.kind(), error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(same);
    }

    fn taken(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A file that is sealed while it is read.
struct Reading {
    file: File,
    sealer: Sealer,
    /// What is still to be read.
    left: u64,
}

/// The sealed bytes of a file, each piece made when it is asked for.
fn sealed(file: &MediaFile, key: &MediaKey, trouble: Trouble) -> Pieces {
    let (path, len, progress) = (file.path.clone(), file.len, file.progress.clone());
    let sealer = Sealer::new(key);
    let open =
        stream::once(async move { blocking(move || Ok(Reading { file: File::open(path)?, sealer, left: len })).await });
    let pieces = open.flat_map(move |opened| {
        let progress = progress.clone();
        stream::try_unfold(Some(opened), move |reading| next_piece(reading, len, progress.clone()))
    });
    let pieces = pieces.inspect(move |piece| {
        if let Err(error) = piece {
            trouble.note(error);
        }
    });
    Pieces { len: sealed_len(len), stream: pieces.boxed() }
}

/// A piece, and what is behind it; the last has the padding.
async fn next_piece(
    reading: Option<io::Result<Reading>>,
    len: u64,
    progress: Progress,
) -> io::Result<Option<(Bytes, Option<io::Result<Reading>>)>> {
    let Some(reading) = reading else { return Ok(None) };
    let mut reading = reading?;
    // Those before it are with the connection.
    progress.set(len - reading.left);
    let (piece, rest) = blocking(move || {
        let want = reading.left.min(PIECE);
        let mut plain = vec![0; usize::try_from(want).unwrap_or(0)];
        reading.file.read_exact(&mut plain)?;
        reading.left -= want;
        let mut piece = reading.sealer.seal(&plain);
        if reading.left > 0 {
            return Ok((piece, Some(Ok(reading))));
        }
        piece.extend(reading.sealer.end());
        Ok((piece, None))
    })
    .await?;
    Ok(Some((piece.into(), rest)))
}

/// Work on files, off the threads that must not wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let read = READS.acquire().await;
    let work = move || {
        // Until the work ends, also when nobody waits for it any more.
        let _read = read;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The md5 of a file of this length.
fn hash(mut file: File, len: u64) -> io::Result<String> {
    let (mut md5, mut seen) = (Md5::new(), 0_u64);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let got = file.read(&mut piece)?;
        let Some(bytes) = piece.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        md5.update(bytes);
        seen = seen.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
    }
    if seen == len { Ok(hex::encode(&md5.finalize())) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// What became of a send whose file cannot be read.
fn unreadable(error: &io::Error) -> SendError {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        SendError::Failed { why: "the file to send is not there any more".into() }
    } else if [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData].contains(&kind) {
        SendError::Failed { why: "the file to send is not as long as it was".into() }
    } else {
        let why = format!("the file to send cannot be read: {error}");
        SendError::NotTaken { why, after: Duration::from_secs(5) }
    }
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
