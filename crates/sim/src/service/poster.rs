//! How do requests leave the simulator?
//!
//! Plain HTTP/1.1 only, connections kept for the next request: a burst must not use up the ports of the machine.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use url::Url;

/// The longest answer that is read: a picture that the account sends by its address.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Idle connections kept for one receiver.
const MAX_IDLE: usize = 64;

/// Sends requests of the simulator to others.
#[derive(Debug, Default)]
pub(crate) struct Poster {
    idle: Mutex<HashMap<String, Vec<SendRequest<Full<Bytes>>>>>,
    drivers: Mutex<JoinSet<()>>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nobody listens, or the address is none.
    Refused,
    TimedOut,
    /// The connection ended before the answer did.
    Broken,
}

impl NoAnswer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TimedOut => "timed out",
            Self::Broken => "broken",
        }
    }
}

impl Poster {
    pub(crate) async fn get(&self, url: &str, limit: Duration) -> Result<(u16, Bytes), NoAnswer> {
        self.send(Method::GET, url, "", Bytes::new(), limit).await
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        kind: &'static str,
        body: Bytes,
        limit: Duration,
    ) -> Result<(u16, Bytes), NoAnswer> {
        self.send(Method::POST, url, kind, body, limit).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        kind: &'static str,
        body: Bytes,
        limit: Duration,
    ) -> Result<(u16, Bytes), NoAnswer> {
        let exchange = self.exchange(method, url, kind, body);
        tokio::time::timeout(limit, exchange).await.unwrap_or(Err(NoAnswer::TimedOut))
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<(u16, Bytes), NoAnswer> {
        let url = Url::parse(url).map_err(|_no_url| NoAnswer::Refused)?;
        let (Some(host), "http") = (url.host_str(), url.scheme()) else { return Err(NoAnswer::Refused) };
        let authority = format!("{host}:{}", url.port_or_known_default().unwrap_or(80));
        let mut target = url.path().to_owned();
        if let Some(query) = url.query() {
            target.push('?');
            target.push_str(query);
        }
        let request = || {
            let request = hyper::Request::builder().method(method.clone()).uri(&target).header(HOST, &authority);
            let request = if kind.is_empty() { request } else { request.header(CONTENT_TYPE, kind) };
            request.body(Full::new(body.clone())).map_err(|_no_request| NoAnswer::Refused)
        };
        // A kept connection may have been closed meanwhile, which is found out by using it. Nothing was processed then.
        while let Some(mut kept) = self.take(&authority) {
            if kept.ready().await.is_err() {
                continue;
            }
            match kept.try_send_request(request()?).await {
                Ok(answer) => return self.read(answer, kept, &authority).await,
                Err(error) if error.message().is_some() => {}
                Err(_) => return Err(NoAnswer::Broken),
            }
        }
        let stream = TcpStream::connect(&authority).await.map_err(|_refused| NoAnswer::Refused)?;
        let _ = stream.set_nodelay(true);
        let (mut fresh, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|_broken| NoAnswer::Broken)?;
        {
            let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
            while drivers.try_join_next().is_some() {}
            drivers.spawn(async move {
                if let Err(error) = driver.await {
                    tracing::trace!(%error, "A connection of the simulator ended.");
                }
            });
        }
        let answer = fresh.send_request(request()?).await.map_err(|_broken| NoAnswer::Broken)?;
        self.read(answer, fresh, &authority).await
    }

    async fn read(
        &self,
        answer: hyper::Response<hyper::body::Incoming>,
        connection: SendRequest<Full<Bytes>>,
        authority: &str,
    ) -> Result<(u16, Bytes), NoAnswer> {
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|_broken| NoAnswer::Broken)?.to_bytes();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(authority.to_owned()).or_default();
        if kept.len() < MAX_IDLE && !connection.is_closed() {
            kept.push(connection);
        }
        Ok((status, body))
    }

    fn take(&self, authority: &str) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(authority)?.pop()
    }
}
