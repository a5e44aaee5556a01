//! How is an address asked that somebody else chose: the one of a picture in a message? By one client, which goes nowhere
//! but to public places and to those that the owner wrote into `bot.toml` (security R14).
//!
//! Each host is looked up once, its addresses are judged, and the connection goes to one that was: what the name says
//! a moment later changes nothing. Each redirect is judged like the first address. Nothing of ours goes along: no cookie, no
//! key, no name of where it was found. Where the account has a proxy it carries this too, and is given the address that
//! was judged.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::address::{self, Forbidden, Target};
use super::connect::{Connector, Origin, Wire};
use super::pool::{Lost, Ready};
use super::written;
use crate::error::{Error, FetchError};
use crate::protocol::Fetched;
use crate::transport::HttpRequest;

/// What one address may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the first look-up to the last byte, redirects and the wait for a free place included.
    pub time: Duration,
    /// Of the body, in bytes. What is longer is refused, at once where its length is stated.
    pub bytes: u64,
    /// Redirects that are followed.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), bytes: 20 * 1024 * 1024, redirects: 3 }
    }
}

/// Bodies that are read at a time for one account. More wait; a body is held open by whoever reads it.
const AT_ONCE: usize = 8;
/// Addresses of one host that are tried.
const TRIED: usize = 3;
/// What browsers begin with: picture hosts refuse whoever says nothing.
const AGENT: &str = "Mozilla/5.0 (compatible; wxbot)";

/// How hosts are looked up and connected to. Tests play it.
pub(super) trait Net: Send + Sync {
    /// All addresses of a name.
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
    /// A connection to this very address.
    fn dial(&self, at: SocketAddr) -> BoxFuture<'_, Result<Wire, String>>;
    /// TLS over it, for this name.
    fn secure<'a>(&'a self, host: &'a str, wire: Wire) -> BoxFuture<'a, Result<Wire, String>>;
}

/// The client for addresses out of messages. One for each account.
pub struct Outward {
    net: Box<dyn Net>,
    owners: Vec<Url>,
    limits: Limits,
    places: Arc<Semaphore>,
}

/// The system's names, and the account's proxy where it has one.
struct System(Connector);

impl Net for System {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn dial(&self, at: SocketAddr) -> BoxFuture<'_, Result<Wire, String>> {
        Box::pin(self.0.connect_to(at))
    }

    fn secure<'a>(&'a self, host: &'a str, wire: Wire) -> BoxFuture<'a, Result<Wire, String>> {
        Box::pin(self.0.secured(host, wire))
    }
}

fn refused(why: impl fmt::Display) -> FetchError {
    FetchError::Refused { why: why.to_string() }
}

fn not_now(why: impl Into<String>) -> FetchError {
    FetchError::NotNow { why: why.into() }
}

impl Outward {
    /// A client that also goes to `owners`: places as the owner wrote them, each with all that lies below its path.
    ///
    /// # Errors
    /// When the proxy address cannot be used.
    pub fn new(proxy: Option<&Url>, owners: Vec<Url>) -> Result<Self, Error> {
        Ok(Self::over(Box::new(System(Connector::new(proxy)?)), owners, Limits::default()))
    }

    pub(super) fn over(net: Box<dyn Net>, owners: Vec<Url>, limits: Limits) -> Self {
        Self { net, owners, limits, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Fetches what is at an address. Cancel safe, and so is reading it; one that is not read on loses its connection when
    /// its time is over.
    ///
    /// # Errors
    /// [`FetchError::Refused`] for an address that may not be asked, too many redirects, and what is too long;
    /// [`FetchError::Gone`] where the host does not have it; [`FetchError::NotNow`] when it did not answer in time, or
    /// broke. The body ends with the same.
    pub async fn fetch(&self, address: &str) -> Result<Fetched, FetchError> {
        let until = Instant::now() + self.limits.time;
        let late = |_elapsed| self.late();
        let place = timeout_at(until, Arc::clone(&self.places).acquire_owned()).await.map_err(late)?;
        let place = place.map_err(|_closed| not_now("the client is closed"))?;
        let (head, connection) = timeout_at(until, self.answer(address)).await.map_err(late)??;
        let stated_len = number(&head, &CONTENT_LENGTH);
        if stated_len.is_some_and(|len| len > self.limits.bytes) {
            return Err(self.too_long());
        }
        let coming = Coming { connection, left: self.limits.bytes, until, limits: self.limits, _place: place };
        let body =
            stream::try_unfold(
                coming,
                |mut coming| async move { Ok(coming.piece().await?.map(|piece| (piece, coming))) },
            );
        let content_type = text(&head, &CONTENT_TYPE).map(str::to_owned);
        Ok(Fetched { stated_len, content_type, body: Box::pin(body) })
    }

    fn late(&self) -> FetchError {
        not_now(format!("its host did not give it within {:?}", self.limits.time))
    }

    fn too_long(&self) -> FetchError {
        too_long(&self.limits)
    }

    /// The head of the answer that is no redirect, and the connection its body comes on.
    async fn answer(&self, address: &str) -> Result<(response::Parts, Ready), FetchError> {
        let mut url = address::read(address).map_err(refused)?;
        for _ in 0..=self.limits.redirects {
            let target = address::judge(url, &self.owners).map_err(refused)?;
            let (head, connection) = self.ask(&target).await?;
            let status = head.status.as_u16();
            match status {
                200 => return Ok((head, connection)),
                301 | 302 | 303 | 307 | 308 => {
                    let to = text(&head, &LOCATION).ok_or_else(|| refused("its host sends on to nowhere"))?;
                    url = target.url.join(to).map_err(|_unreadable| refused(Forbidden::Unreadable))?;
                }
                404 | 410 => return Err(FetchError::Gone { why: format!("its host answered {status}") }),
                408 | 425 | 429 | 500..=599 => return Err(not_now(format!("its host answered {status}"))),
                _ => return Err(refused(format!("its host answered {status}"))),
            }
        }
        Err(refused(format!("its host sends on more than {} times", self.limits.redirects)))
    }

    /// One exchange: look up, judge, connect to what was judged.
    async fn ask(&self, target: &Target) -> Result<(response::Parts, Ready), FetchError> {
        let url = &target.url;
        let origin = Origin::of(url).map_err(refused)?;
        let mut why = "it has no address".to_owned();
        for at in self.addresses(target).await?.into_iter().take(TRIED) {
            match self.connect(&origin, url, at).await {
                Ok(ready) => return exchange(ready, url).await,
                Err(reason) => why = reason,
            }
        }
        Err(not_now(format!("its host cannot be reached: {why}")))
    }

    /// The addresses of a host that may be connected to. It is looked up once.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, FetchError> {
        let port = target.url.port_or_known_default().unwrap_or_default();
        let host = match target.url.host() {
            Some(Host::Ipv4(ip)) => return Ok(vec![SocketAddr::new(IpAddr::V4(ip), port)]),
            Some(Host::Ipv6(ip)) => return Ok(vec![SocketAddr::new(IpAddr::V6(ip), port)]),
            Some(Host::Domain(host)) => host,
            None => return Err(refused(Forbidden::Unreadable)),
        };
        let found = self.net.look_up(host, port).await;
        let found = found.map_err(|error| not_now(format!("`{host}` cannot be looked up: {error}")))?;
        let may = |at: &SocketAddr| target.owners || address::is_public(at.ip());
        let good: Vec<_> = found.into_iter().filter(may).collect();
        if good.is_empty() { Err(refused(Forbidden::LeadsInside(host.to_owned()))) } else { Ok(good) }
    }

    async fn connect(&self, origin: &Origin, url: &Url, at: SocketAddr) -> Result<Ready, String> {
        let wire = self.net.dial(at).await?;
        let wire = match url.scheme() {
            "https" => self.net.secure(url.host_str().unwrap_or_default(), wire).await?,
            _ => wire,
        };
        Ready::new(origin.clone(), wire).await
    }
}

/// Asks for it, with nothing of ours.
async fn exchange(ready: Ready, url: &Url) -> Result<(response::Parts, Ready), FetchError> {
    let headers = [(ACCEPT, "*/*"), (USER_AGENT, AGENT)].map(|(name, value)| (name, HeaderValue::from_static(value)));
    let request = HttpRequest {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::from_iter(headers),
        body: Bytes::new(),
        timeout: Duration::MAX,
    };
    let broke = |reason: &str| not_now(format!("the connection to its host broke: {reason}"));
    ready.exchange(written(request).map_err(refused)?).await.map_err(|lost| match lost {
        Lost::Unsent(_) => broke("it was closed at once"),
        Lost::Broken(reason) => broke(&reason),
    })
}

fn text<'a>(head: &'a response::Parts, name: &HeaderName) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

fn number(head: &response::Parts, name: &HeaderName) -> Option<u64> {
    text(head, name)?.parse().ok()
}

fn too_long(limits: &Limits) -> FetchError {
    refused(format!("it is longer than {} bytes", limits.bytes))
}

/// A body on its way.
struct Coming {
    connection: Ready,
    left: u64,
    until: Instant,
    limits: Limits,
    _place: OwnedSemaphorePermit,
}

impl Coming {
    async fn piece(&mut self) -> Result<Option<Bytes>, FetchError> {
        let late = |_elapsed| not_now(format!("its host did not give it within {:?}", self.limits.time));
        match timeout_at(self.until, self.connection.piece()).await.map_err(late)? {
            None => Ok(None),
            Some(Err(reason)) => Err(not_now(format!("the connection to its host broke: {reason}"))),
            Some(Ok(piece)) => {
                let left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| too_long(&self.limits))?;
                self.left = left;
                Ok(Some(piece))
            }
        }
    }
}

impl fmt::Debug for Outward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outward")
            .field("owners", &self.owners.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "outward_tests.rs"]
mod tests;
