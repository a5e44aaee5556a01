//! How is a connection opened? TCP, through a proxy where one is set, and TLS where the address says so.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use url::Url;

use crate::error::Error;

/// From the name look-up to the end of the TLS handshake: a route that takes longer is down.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a connection leads to. Connections to one origin stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    tls: bool,
    host: Arc<str>,
    port: u16,
}

impl Origin {
    pub(super) fn of(url: &Url) -> Result<Self, &'static str> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("only http and https can be asked"),
        };
        let host = url.host_str().ok_or("the address names no host")?;
        let port = url.port_or_known_default().ok_or("the address names no port")?;
        Ok(Self { tls, host: Arc::from(host), port })
    }

    fn uri(&self) -> Result<Uri, String> {
        format!("http://{}:{}", self.host, self.port).parse().map_err(|_invalid| "the host cannot be used".to_owned())
    }
}

/// Opens connections.
pub(super) struct Connector {
    tcp: HttpConnector,
    proxy: Option<Proxy>,
    /// Made at the first use: it loads the system's certificates, which accounts on a stand-in never need.
    tls: OnceLock<TlsConnector>,
}

struct Proxy {
    kind: ProxyKind,
    uri: Uri,
    host: Arc<str>,
    user: Option<(String, String)>,
}

enum ProxyKind {
    /// CONNECT, over TLS or not.
    Tunnel { tls: bool },
    /// SOCKS 5; who looks names up.
    Socks { names_here: bool },
}

impl Connector {
    pub(super) fn new(proxy: Option<&Url>) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let proxy = proxy.map(Proxy::new).transpose().map_err(|why| {
            // Never the address itself: it may hold a password.
            Error::Settings(format!("the proxy address cannot be used: {why}"))
        })?;
        Ok(Self { tcp, proxy, tls: OnceLock::new() })
    }

    /// A connection, ready for HTTP.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Wire, String> {
        match timeout(CONNECT, self.open(origin)).await {
            Ok(wire) => wire,
            Err(_elapsed) => Err(format!("no connection within {CONNECT:?}")),
        }
    }

    async fn open(&self, origin: &Origin) -> Result<Wire, String> {
        let uri = origin.uri()?;
        let wire = match &self.proxy {
            None => Wire::Plain(self.tcp.clone().call(uri).await.map_err(|e| chain(&e))?.into_inner()),
            Some(proxy) => {
                Box::pin(proxy.open(self, origin, uri)).await.map_err(|why| format!("through the proxy: {why}"))?
            }
        };
        if !origin.tls {
            return Ok(wire);
        }
        self.secured(&origin.host, wire).await
    }

    /// A connection to this address and no other. A proxy is given the address too, and looks nothing up.
    pub(super) async fn connect_to(&self, at: SocketAddr) -> Result<Wire, String> {
        let host = match at.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        self.connect(&Origin { tls: false, host: Arc::from(host), port: at.port() }).await
    }

    pub(super) async fn secured(&self, host: &str, wire: Wire) -> Result<Wire, String> {
        let stream = self.tls()?.connect(server_name(host)?, wire).await.map_err(|e| format!("TLS: {e}"))?;
        Ok(Wire::Tls(Box::new(stream)))
    }

    fn tls(&self) -> Result<TlsConnector, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        // What failed once, for lack of files to open say, may work the next time: only the good is kept.
        let tls = tls_connector()?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }
}

fn tls_connector() -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|e| format!("cannot set up TLS: {e}"))?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Proxy {
    fn new(url: &Url) -> Result<Self, &'static str> {
        let (kind, port) = match url.scheme() {
            "http" => (ProxyKind::Tunnel { tls: false }, 80),
            "https" => (ProxyKind::Tunnel { tls: true }, 443),
            "socks5" => (ProxyKind::Socks { names_here: true }, 1080),
            "socks5h" => (ProxyKind::Socks { names_here: false }, 1080),
            _ => return Err("its scheme is none of http, https, socks5, socks5h"),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let uri = format!("http://{host}:{}", url.port().unwrap_or(port));
        let uri = uri.parse().map_err(|_invalid| "its host cannot be used")?;
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = (!url.username().is_empty() || url.password().is_some())
            .then(|| (plain(url.username()), plain(url.password().unwrap_or_default())));
        Ok(Self { kind, uri, host: Arc::from(host), user })
    }

    async fn open(&self, connector: &Connector, origin: &Origin, uri: Uri) -> Result<Wire, String> {
        match self.kind {
            ProxyKind::Tunnel { tls } => {
                let tls = if tls { Some((connector.tls()?, server_name(&self.host)?)) } else { None };
                let mut tunnel = Tunnel::new(self.uri.clone(), ToProxy { tcp: connector.tcp.clone(), tls });
                if let Some((user, password)) = &self.user {
                    tunnel = tunnel.with_auth(basic(user, password)?);
                }
                Ok(tunnel.call(uri).await.map_err(|e| chain(&e))?.into_inner())
            }
            ProxyKind::Socks { names_here } => {
                let uri = if names_here { looked_up(origin).await? } else { uri };
                let mut socks = SocksV5::new(self.uri.clone(), connector.tcp.clone());
                if let Some((user, password)) = &self.user {
                    socks = socks.with_auth(user.clone(), password.clone());
                }
                Ok(Wire::Plain(socks.call(uri).await.map_err(|e| chain(&e))?.into_inner()))
            }
        }
    }
}

/// `Proxy-Authorization` of the kind that all proxies know.
fn basic(user: &str, password: &str) -> Result<HeaderValue, String> {
    let word = BASE64_STANDARD.encode(format!("{user}:{password}"));
    HeaderValue::try_from(format!("Basic {word}")).map_err(|_invalid| "its user name cannot be sent".to_owned())
}

/// The first address of the origin's host, as a target.
async fn looked_up(origin: &Origin) -> Result<Uri, String> {
    let mut found = tokio::net::lookup_host((origin.host.trim_matches(['[', ']']), origin.port))
        .await
        .map_err(|e| e.to_string())?;
    let address = found.next().ok_or("the host has no address")?;
    format!("http://{address}").parse().map_err(|_invalid| "the address cannot be used".to_owned())
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host).map_err(|_invalid| "the host is no name for TLS".to_owned())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Connects to the proxy itself, for [`Tunnel`].
#[derive(Clone)]
struct ToProxy {
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Service<Uri> for ToProxy {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Wire>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(cx).map_err(|e| io::Error::other(chain(&e)))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (connecting, tls) = (self.tcp.call(to), self.tls.clone());
        Box::pin(async move {
            let plain = Wire::Plain(connecting.await.map_err(|e| io::Error::other(chain(&e)))?.into_inner());
            let wire = match tls {
                Some((tls, name)) => Wire::Tls(Box::new(tls.connect(name, plain).await?)),
                None => plain,
            };
            Ok(TokioIo::new(wire))
        })
    }
}

/// An open connection.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<Self>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector(proxy: {})", self.proxy.is_some())
    }
}
