//! How do the bytes of a message come into the folder? Once for all who ask, in a task that outlives them, within limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use ring::digest::{SHA256, digest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout};
use wxbot_core::error::FetchError;
use wxbot_core::protocol::{ActionSender, Fetch, Fetched};
use wxbot_model::{AccountName, ContactId, FileType, MediaHandle, MediaKind, PeerId};
use wxbot_plugin::MediaError;

use super::disk::{Finished, Part, TooMany};
use super::limits::AVATAR;
use super::pins::Pin;
use super::{Held, MediaFolder, blocking, io_error, limit, store_error};
use crate::store::MediaSourceKey;

/// Bytes that downloads under way may come to (security R12). Each counts with the limit of its kind, since what a
/// service states is not to be trusted.
const IN_FLIGHT: u64 = 512 << 20;
/// How many at once: the limit of a kind in MiB, places for kinds up to it, and how many of them one account may have.
/// Each kind has places of its own, so that no picture waits for a film, and no account can take all places of a kind
/// that has more than one.
const PLACES: [(u64, usize, usize); KINDS] = [(20, 5, 2), (100, 2, 1), (200, 1, 1)];
const KINDS: usize = 3;
const _: () = assert!((20 * 5 + 100 * 2 + 200) << 20 <= IN_FLIGHT, "the places keep to the bound");
/// Kept in memory of one download before it is written.
const BUFFER: usize = 256 * 1024;
/// Without a byte for this long a download has stalled.
const STALL: Duration = Duration::from_secs(30);
/// One download with all of its tries, without what it waits for a session or a place; slow drops of bytes end here.
const WHOLE: Duration = Duration::from_secs(600);
/// How long a download waits for the account's next session.
const SESSION_WAIT: Duration = Duration::from_secs(20);
/// Tries of one download, after pauses of 1, 2 and 4 seconds.
const TRIES: u32 = 4;
/// A picture of a person or room is asked for again after this.
const AVATAR_FRESH: Duration = Duration::from_secs(86_400);

/// The running session's sending half, when there is one.
pub(crate) type Way = watch::Receiver<Option<Arc<dyn ActionSender>>>;
type Outcome = Option<Result<Held, MediaError>>;

/// Downloads under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<MediaSourceKey, watch::Receiver<Outcome>>>);

/// The places of all downloads.
#[derive(Debug)]
pub(super) struct Bounds {
    all: [(u64, Semaphore); KINDS],
    /// Each account's own, in the order of `all`.
    own: Mutex<HashMap<AccountName, [Arc<Semaphore>; KINDS]>>,
}

/// A place, held for one try.
struct Place<'a> {
    _own: OwnedSemaphorePermit,
    _shared: SemaphorePermit<'a>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { all: PLACES.map(|(mib, places, _)| (mib << 20, Semaphore::new(places))), own: Mutex::default() }
    }
}

impl Bounds {
    /// A place for a download of at most so many bytes; `None` when there will be none. The account's own comes first:
    /// whoever waits for that must not keep a shared one from others.
    async fn enter(&self, account: &AccountName, bytes: u64) -> Option<Place<'_>> {
        let (own, (_, shared)) =
            self.own_of(account).into_iter().zip(&self.all).find(|(_, (limit, _))| bytes <= *limit)?;
        let own = own.acquire_owned().await.ok()?;
        Some(Place { _own: own, _shared: shared.acquire().await.ok()? })
    }

    fn own_of(&self, account: &AccountName) -> [Arc<Semaphore>; KINDS] {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.entry(account.clone()).or_insert_with(|| PLACES.map(|(_, _, most)| Arc::new(Semaphore::new(most)))).clone()
    }
}

/// Bytes to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    what: Fetch,
    from: MediaSourceKey,
    label: String,
    limit: u64,
    /// What it must not be: a service that shows a page instead of a picture has none.
    no_page: bool,
    fresh_for: Option<Duration>,
}

/// Names the bytes of a handle within its account; what changes with a login is left out.
pub(super) fn key_of(media: &MediaHandle) -> String {
    let id = media.params.get(MediaHandle::MEDIA_ID).map(String::as_str).unwrap_or_default();
    let text = format!("{:?}\0{}\0{id}", media.kind, media.reference);
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Wanted {
    /// The bytes of a message.
    pub(crate) fn media(account: &AccountName, media: &MediaHandle, label: &str) -> Self {
        Self {
            what: Fetch::Media(media.clone()),
            from: MediaSourceKey { account: account.clone(), key: key_of(media) },
            label: label.to_owned(),
            limit: limit(media.kind),
            no_page: !matches!(media.kind, MediaKind::File),
            fresh_for: None,
        }
    }

    /// The picture of a contact.
    pub(crate) fn avatar(account: &AccountName, id: &ContactId, of: PeerId, room: Option<PeerId>) -> Self {
        Self {
            what: Fetch::Avatar { of, room },
            from: MediaSourceKey { account: account.clone(), key: format!("avatar {id}") },
            label: String::new(),
            limit: AVATAR,
            no_page: true,
            fresh_for: Some(AVATAR_FRESH),
        }
    }

    fn stated_len(&self) -> Option<u64> {
        if let Fetch::Media(media) = &self.what { media.stated_len } else { None }
    }
}

/// A try that gave nothing.
enum Miss {
    /// The next one may.
    Again(String),
    Never(MediaError),
}

impl From<FetchError> for Miss {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::NotNow { why } => Self::Again(why),
            FetchError::Ended(reason) => Self::Again(format!("the session ended: {reason}")),
            // It is the account that was stopped, not this file: asked again by the next session.
            FetchError::Stopped { why, .. } => Self::Again(why),
            FetchError::Gone { why } => Self::Never(MediaError::Gone { why }),
            FetchError::Refused { why } => Self::Never(MediaError::Refused { why }),
            other => Self::Never(MediaError::Refused { why: other.to_string() }),
        }
    }
}

impl MediaFolder {
    /// What came from there before, if it is still there and not older than `fresh_for`.
    pub(super) async fn known(
        &self,
        from: &MediaSourceKey,
        label: &str,
        fresh_for: Option<Duration>,
    ) -> Result<Option<Held>, MediaError> {
        let found = self.store.media_from(from, self.source.now_ms()).await.map_err(|e| store_error(&e))?;
        let Some((row, age)) = found else { return Ok(None) };
        if fresh_for.is_some_and(|fresh| age > fresh) {
            return Ok(None);
        }
        let pin = Pin::new(&self.pins, &row.digest);
        self.hold_row(row, label, pin).await
    }

    /// Answers the bytes as a file, fetching them unless they are there. Waits for `patience` at most; the download goes
    /// on after that, and the next one who asks finds it.
    ///
    /// Cancel safe.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        wanted: Wanted,
        way: Way,
        patience: Duration,
    ) -> Result<Held, MediaError> {
        if let Some(held) = self.known(&wanted.from, &wanted.label, wanted.fresh_for).await? {
            return Ok(held);
        }
        let limit = self.most(&wanted);
        if let Some(len) = wanted.stated_len().filter(|len| *len > limit) {
            return Err(MediaError::TooLarge { len, limit });
        }
        let mut flight = self.join(wanted, way);
        let not_now = |why: &str| Err(MediaError::NotNow { why: why.into() });
        match timeout(patience, flight.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => (*outcome).clone().unwrap_or_else(|| not_now("the download ended without an outcome")),
            Ok(Err(_ended)) => not_now("the download was broken off"),
            Err(_elapsed) => not_now(&format!("the download goes on after {} s", patience.as_secs())),
        }
    }

    /// The running download of this, or a new one.
    fn join(self: &Arc<Self>, wanted: Wanted, way: Way) -> watch::Receiver<Outcome> {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&wanted.from) {
            return flight.clone();
        }
        let (tell, told) = watch::channel(None);
        flights.insert(wanted.from.clone(), told.clone());
        drop(flights);
        let folder = Arc::clone(self);
        self.tasks.spawn(async move {
            let flight = Flight { folder: &folder, from: wanted.from.clone() };
            let stops = || Err(MediaError::NotNow { why: "wxbot stops".into() });
            let outcome = folder.stop.run_until_cancelled(folder.get(&wanted, way)).await.unwrap_or_else(stops);
            if let Err(error) = &outcome {
                tracing::debug!(account = %wanted.from.account, what = wanted.what.word(), %error, "A download gave nothing.");
            }
            // Off the list first: whoever asks from now on finds the file, or tries anew.
            drop(flight);
            tell.send_replace(Some(outcome));
        });
        told
    }

    async fn get(&self, wanted: &Wanted, way: Way) -> Result<Held, MediaError> {
        // One that was under way when this was asked may have landed since.
        if let Some(held) = self.known(&wanted.from, &wanted.label, wanted.fresh_for).await? {
            return Ok(held);
        }
        let fetched = self.fetched(wanted, way).await;
        match (fetched, wanted.fresh_for) {
            // An older picture of a person is better than none.
            (Err(error @ MediaError::NotNow { .. }), Some(_)) => {
                self.known(&wanted.from, &wanted.label, None).await?.ok_or(error)
            }
            (fetched, _) => fetched,
        }
    }

    async fn fetched(&self, wanted: &Wanted, way: Way) -> Result<Held, MediaError> {
        let part = self.tries(wanted, way).await?;
        self.land(part, &wanted.from.account, &wanted.label, Some(wanted.from.clone())).await
    }

    /// The most bytes that it may have: what is longer than the folder never fits.
    fn most(&self, wanted: &Wanted) -> u64 {
        wanted.limit.min(self.settings().max_size)
    }

    async fn tries(&self, wanted: &Wanted, mut way: Way) -> Result<Finished, MediaError> {
        let not_now = |why: String| MediaError::NotNow { why };
        let (mut tried, mut left) = (0, WHOLE);
        loop {
            tried += 1;
            // An account that has no session must not keep a place from others, nor does one that pauses.
            let sender = session(&mut way).await?;
            let place = self.bounds.enter(&wanted.from.account, wanted.limit).await;
            let place = place.ok_or_else(|| not_now("there is no place for it".into()))?;
            // Its session may be another one since.
            let sender = way.borrow().clone().unwrap_or(sender);
            let begun = Instant::now();
            let why = match timeout(left, self.try_once(wanted, sender)).await {
                Ok(Ok(part)) => return Ok(part),
                Ok(Err(Miss::Never(error))) => return Err(error),
                Ok(Err(Miss::Again(why))) => why,
                Err(_elapsed) => return Err(not_now(format!("the download took longer than {} s", WHOLE.as_secs()))),
            };
            drop(place);
            left = left.saturating_sub(begun.elapsed());
            if tried >= TRIES {
                return Err(not_now(format!("{why}; given up after {TRIES} tries")));
            }
            tokio::time::sleep(self.source.jitter(Duration::from_secs(1 << (tried - 1)))).await;
        }
    }

    async fn try_once(&self, wanted: &Wanted, sender: Arc<dyn ActionSender>) -> Result<Finished, Miss> {
        let again = |why: String| Miss::Again(why);
        let stalled = |_elapsed| again(format!("nothing came for {} s", STALL.as_secs()));
        let Fetched { stated_len, mut body, .. } =
            timeout(STALL, sender.fetch(wanted.what.clone())).await.map_err(stalled)??;
        let most = self.most(wanted);
        let too_large = |len| Miss::Never(MediaError::TooLarge { len, limit: most });
        if let Some(len) = stated_len.filter(|len| *len > most) {
            return Err(too_large(len));
        }
        let failed = |error: &std::io::Error| match error.get_ref().and_then(|e| e.downcast_ref::<TooMany>()) {
            Some(TooMany(len)) => too_large(*len),
            None => Miss::Never(io_error(error)),
        };
        let disk = Arc::clone(&self.disk);
        let mut part = blocking(move || disk.begin(most)).await.map_err(|e| failed(&e))?;
        let mut buffer = Vec::new();
        let mut seen = 0u64;
        while let Some(chunk) = timeout(STALL, body.next()).await.map_err(stalled)? {
            let chunk = chunk?;
            seen += chunk.len() as u64;
            if seen > most {
                return Err(too_large(seen));
            }
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= BUFFER {
                part = write(part, std::mem::take(&mut buffer)).await.map_err(|e| failed(&e))?;
            }
        }
        let part = write(part, buffer).await.map_err(|e| failed(&e))?;
        if let Some(stated) = stated_len.filter(|stated| *stated != seen) {
            return Err(again(format!("{seen} bytes came of {stated}")));
        }
        if seen == 0 {
            return Err(Miss::Never(MediaError::Gone { why: "the service answered without a byte".into() }));
        }
        let done = blocking(move || part.finish()).await.map_err(|e| failed(&e))?;
        if wanted.no_page && matches!(done.whole().file_type, FileType::Html | FileType::Json | FileType::Xml) {
            return Err(again(format!("the service answered {} instead", done.whole().file_type.mime())));
        }
        Ok(done)
    }
}

/// The account's session, as soon as there is one.
async fn session(way: &mut Way) -> Result<Arc<dyn ActionSender>, MediaError> {
    let sender = match timeout(SESSION_WAIT, way.wait_for(Option::is_some)).await {
        Ok(Ok(sender)) => (*sender).clone(),
        Ok(Err(_closed)) => None,
        Err(_elapsed) => None,
    };
    sender.ok_or_else(|| MediaError::NotNow { why: "the account has no session".into() })
}

async fn write(mut part: Part, bytes: Vec<u8>) -> std::io::Result<Part> {
    blocking(move || part.write(&bytes).map(|()| part)).await
}

/// Takes a download off the list, also when its task panics.
struct Flight<'a> {
    folder: &'a MediaFolder,
    from: MediaSourceKey,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.folder.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.from);
    }
}
