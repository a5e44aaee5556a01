//! How do requests get to a server? The real carrier (hyper over TCP, TLS and proxies) and the cookies above the seam.
//!
//! [`connect`] opens connections → [`load`] what they carry → [`pool`] keeps those that can be used again → [`HttpTransport`] carries requests over
//! them → [`cookies`] is one account's jar. [`outward`] is another client over the same connections, for addresses that
//! messages hold; [`address`] says which of them may be asked.

mod address;
mod connect;
mod cookies;
mod load;
mod outward;
mod pool;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use tokio::time::timeout;
use url::Url;

use self::connect::{Connector, Origin};
use self::load::{Load, Moved};
use self::pool::{Lost, Pool, Ready};
use crate::error::Error;
use crate::transport::{HttpRequest, HttpResponse, HttpStream, MAX_BODY, Pieces, Transport, TransportError};

pub use self::address::Forbidden;
pub use self::cookies::CookieClient;
pub use self::outward::{Limits, Outward};

/// Carries requests over TCP and TLS. One serves all accounts with the same proxy, so that they share connections.
#[derive(Clone)]
pub struct HttpTransport {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    pool: Pool,
}

impl HttpTransport {
    /// A carrier; `proxy` is `socks5://` (names are looked up here), `socks5h://` (names are looked up by the proxy),
    /// `http://` or `https://` (both by CONNECT).
    ///
    /// # Errors
    /// When the proxy address cannot be used.
    pub fn new(proxy: Option<&Url>) -> Result<Self, Error> {
        let connector = Connector::new(proxy)?;
        Ok(Self { shared: Arc::new(Shared { connector, pool: Pool::default() }) })
    }

    /// The answer's head, and the connection that its body comes on.
    async fn head(
        &self,
        request: HttpRequest,
        load: Option<Load>,
    ) -> Result<(http::response::Parts, Ready), TransportError> {
        let host = request.host();
        let not_sent = |reason: String| TransportError::NotSent { host: host.clone(), reason };
        let origin = Origin::of(&request.url).map_err(|why| not_sent(why.into()))?;
        let mut message = written(request).map_err(not_sent)?;
        if let Some(load) = load {
            *message.body_mut() = load;
        }
        // A kept connection may have been closed by the server; that shows before anything is written, so going on with
        // the next one repeats nothing.
        while let Some(connection) = self.shared.pool.take(&origin) {
            match connection.exchange(message).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Unsent(back)) => message = *back,
                Err(Lost::Broken(reason)) => return Err(TransportError::Broken { host: host.clone(), reason }),
            }
        }
        let connection = self.shared.connector.connect(&origin).await.map_err(not_sent)?;
        match Ready::new(origin, connection).await.map_err(not_sent)?.exchange(message).await {
            Ok(answer) => Ok(answer),
            Err(Lost::Unsent(_)) => Err(not_sent("the server closed the new connection at once".into())),
            Err(Lost::Broken(reason)) => Err(TransportError::Broken { host: host.clone(), reason }),
        }
    }

    async fn exchange(&self, request: HttpRequest, load: Option<Load>) -> Result<HttpResponse, TransportError> {
        let host = request.host();
        let (head, mut connection) = self.head(request, load).await?;
        let broken = |reason| TransportError::Broken { host: host.clone(), reason };
        let Some(first) = connection.piece().await.transpose().map_err(broken)? else {
            self.shared.pool.give_back(connection);
            return Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers, body: Bytes::new() });
        };
        // Most answers come in one piece, which is then not copied.
        let (mut whole, mut rest) = (first, BytesMut::new());
        while let Some(piece) = connection.piece().await.transpose().map_err(broken)? {
            if rest.is_empty() {
                rest.extend_from_slice(&whole);
            }
            rest.extend_from_slice(&piece);
            if rest.len() > MAX_BODY {
                return Err(TransportError::TooLarge { host: host.clone(), limit: MAX_BODY });
            }
        }
        if !rest.is_empty() {
            whole = rest.freeze();
        }
        self.shared.pool.give_back(connection);
        Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers, body: whole })
    }
}

/// The request as it goes on the wire.
fn written(request: HttpRequest) -> Result<Request<Load>, String> {
    let host = match (request.url.host_str(), request.url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err("the address names no host".into()),
    };
    let target = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
    let uri: Uri = target.parse().map_err(|_invalid| "the address cannot be written as a request".to_owned())?;
    let mut message = Request::new(Load::whole(request.body));
    *message.method_mut() = request.method;
    *message.uri_mut() = uri;
    *message.headers_mut() = request.headers;
    let host = HeaderValue::try_from(host).map_err(|_invalid| "the host cannot be written as a header".to_owned())?;
    message.headers_mut().insert(HOST, host);
    Ok(message)
}

impl Transport for HttpTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let after = request.timeout;
            let host = request.url.clone();
            match timeout(after, self.exchange(request, None)).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(TransportError::Timeout { host: host_of(&host), after }),
            }
        })
    }

    fn put(&self, request: HttpRequest, body: Pieces) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let (after, host, moved) = (request.timeout, request.host(), Moved::default());
            let mut exchange = Box::pin(self.exchange(request, Some(Load::made(body, moved.clone()))));
            loop {
                let before = moved.get();
                match timeout(after, &mut exchange).await {
                    Ok(answer) => return answer,
                    // A slow way is no dead one.
                    Err(_elapsed) if moved.get() != before => {}
                    Err(_elapsed) => return Err(TransportError::Timeout { host, after }),
                }
            }
        })
    }

    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(async move {
            let (after, host) = (request.timeout, request.host());
            let head = timeout(after, self.head(request, None)).await;
            let (head, connection) =
                head.map_err(|_elapsed| TransportError::Timeout { host: host.clone(), after })??;
            let coming = Coming { carrier: self.clone(), connection, host, after };
            let body = stream::try_unfold(Some(coming), |coming| async {
                let Some(mut coming) = coming else { return Ok(None) };
                match coming.piece().await? {
                    Some(piece) => Ok(Some((piece, Some(coming)))),
                    None => {
                        coming.carrier.shared.pool.give_back(coming.connection);
                        Ok(None)
                    }
                }
            });
            Ok(HttpStream { status: head.status.as_u16(), headers: head.headers, body: Box::pin(body) })
        })
    }
}

/// A body on its way.
struct Coming {
    carrier: HttpTransport,
    connection: Ready,
    host: String,
    after: Duration,
}

impl Coming {
    async fn piece(&mut self) -> Result<Option<Bytes>, TransportError> {
        match timeout(self.after, self.connection.piece()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(reason))) => Err(TransportError::Broken { host: self.host.clone(), reason }),
            Err(_elapsed) => Err(TransportError::Timeout { host: self.host.clone(), after: self.after }),
        }
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTransport")
    }
}
