//! The seam between protocols and the network: whole HTTP requests and answers as bytes.
//!
//! A protocol builds an [`HttpRequest`], a [`Transport`] carries it. The real one is
//! [`HttpTransport`](crate::http::HttpTransport); the simulator offers another that stays in memory, so that session
//! tests run on a paused clock. Cookies and headers are part of the bytes: both sides see what a socket would show.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

/// One request, complete with cookies and body.
#[derive(Clone)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// Absolute address, query included.
    pub url: Url,
    /// All headers but `Host` and `Content-Length`, which the carrier writes.
    pub headers: HeaderMap,
    /// Empty for GET.
    pub body: Bytes,
    /// How long the whole exchange may take, the body of the answer included.
    pub timeout: Duration,
}

/// One answer, body read to its end.
#[derive(Clone)]
pub struct HttpResponse {
    /// HTTP status code, 100–599.
    pub status: u16,
    /// Headers as sent; `Set-Cookie` may repeat.
    pub headers: HeaderMap,
    /// The body after content decoding.
    pub body: Bytes,
}

/// Carries requests. Redirects are never followed, cookies never added: both belong to the protocol.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` and reads the answer to its end, at most [`MAX_BODY`] bytes.
    ///
    /// Not cancel safe in meaning: a dropped future may or may not have reached the server.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>>;

    /// Sends `request` with a body that is made while it is sent, however long that is; the request's own is empty. The
    /// request's timeout holds again for each piece that is taken, and for the answer.
    ///
    /// A carrier that has whole requests only puts the body together first.
    fn put(&self, request: HttpRequest, body: Pieces) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let host = request.host();
            let mut whole = Vec::with_capacity(usize::try_from(body.len).unwrap_or(0).min(MAX_BODY));
            let mut pieces = body.stream;
            while let Some(piece) = pieces.next().await {
                let piece =
                    piece.map_err(|error| TransportError::NotSent { host: host.clone(), reason: error.to_string() })?;
                whole.extend_from_slice(&piece);
            }
            self.send(HttpRequest { body: whole.into(), ..request }).await
        })
    }

    /// Sends `request` and gives the body as it comes, however long it is. The request's timeout holds for the headers,
    /// and again for each piece of the body.
    ///
    /// A carrier that has whole answers only gives them in one piece.
    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        let answer = self.send(request);
        Box::pin(async move {
            let HttpResponse { status, headers, body } = answer.await?;
            Ok(HttpStream { status, headers, body: stream::once(async { Ok(body) }).boxed() })
        })
    }
}

/// The body of a request, made while it is sent.
pub struct Pieces {
    /// How long it is, in bytes: what the server is told before the first of them.
    pub len: u64,
    /// The bytes; as many as that, or an error, which ends the connection. What comes behind them is not asked for.
    pub stream: BoxStream<'static, io::Result<Bytes>>,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({} bytes)", self.len)
    }
}

/// One answer whose body is still coming.
pub struct HttpStream {
    /// HTTP status code, 100–599.
    pub status: u16,
    /// Headers as sent.
    pub headers: HeaderMap,
    /// The body in pieces. An error is its end.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl fmt::Debug for HttpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpStream({})", self.status)
    }
}

/// The longest answer that is read: an address book of 5,000 friends takes about 5 MB, and ten times the
/// memory of a body is needed to decode it.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// Why no answer came. What differs for a caller is whether the server may have acted on the request.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The request was not written: the server cannot have seen it.
    #[error("cannot connect to {host}: {reason}")]
    NotSent {
        /// Host and port asked.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// No complete answer within the request's timeout; the server may have acted.
    #[error("{host} did not answer within {after:?}")]
    Timeout {
        /// Host and port asked.
        host: String,
        /// The timeout of the request.
        after: Duration,
    },
    /// The connection broke after the request was (or may have been) written; the server may have acted.
    #[error("connection to {host} broke: {reason}")]
    Broken {
        /// Host and port asked.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// The answer is longer than [`MAX_BODY`]; the server has acted.
    #[error("answer of {host} is longer than {limit} bytes")]
    TooLarge {
        /// Host and port asked.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
}

impl TransportError {
    /// True when the server cannot have seen the request, so that sending it again repeats nothing.
    pub fn surely_not_sent(&self) -> bool {
        matches!(self, Self::NotSent { .. })
    }
}

impl HttpRequest {
    /// A GET of this address and nothing else.
    pub fn get(url: Url, timeout: Duration) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), timeout }
    }

    /// A POST of JSON to this address.
    pub fn post_json(url: Url, body: impl Into<Bytes>, timeout: Duration) -> Self {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))]);
        Self { method: Method::POST, url, headers, body: body.into(), timeout }
    }

    /// Host and port of the address, for errors. Never the query: it holds keys.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or("?");
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

impl HttpResponse {
    /// A header as text; `None` where it is not there, or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Query, headers and body hold skey, sid and cookies: only the place is shown.
        write!(f, "HttpRequest({} {}{}, {} bytes)", self.method, self.host(), self.url.path(), self.body.len())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.len())
    }
}
