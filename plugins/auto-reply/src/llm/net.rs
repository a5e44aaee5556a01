//! How is the endpoint connected to? TCP to what its owner wrote, and TLS where the address says so.
//!
//! **Which client.** hyper with tokio-rustls, as the rest of wxbot uses them: nothing new is compiled, and what a large
//! client brings along (redirects, proxies from the environment, cookies, compression) is not there to be switched off.
//! One connection for each question: a handshake is little beside the seconds that a model takes, and a connection that
//! rested cannot be found dead with a question half sent.
//!
//! Nothing here is global: a plugin in a library of its own has its own tokio and its own TLS settings, and the crypto
//! provider is handed over rather than installed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::trouble::Trouble;

/// A host that does not answer for so long is down; then there is time for another try.
const CONNECT: Duration = Duration::from_secs(5);

/// An open connection.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection that is being opened.
pub(crate) type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Wire>, Trouble>> + Send + 'a>>;

/// Opens connections. The seam where tests put a server in memory, so that hours pass in no time.
pub(crate) trait Dial: fmt::Debug + Send + Sync {
    /// Connects to the endpoint.
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a>;
}

/// The network.
#[derive(Default)]
pub(crate) struct Net {
    /// Made at the first use: it loads the system's certificates, which a local server never needs.
    pub(super) tls: OnceLock<TlsConnector>,
}

impl Dial for Net {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> Dialling<'a> {
        Box::pin(async move {
            match timeout(CONNECT, self.open(endpoint)).await {
                Ok(wire) => wire,
                Err(_elapsed) => Err(Trouble::Unreachable { why: format!("no connection within {CONNECT:?}") }),
            }
        })
    }
}

impl Net {
    async fn open(&self, endpoint: &Endpoint) -> Result<Box<dyn Wire>, Trouble> {
        let unreachable = |error: std::io::Error| Trouble::Unreachable { why: error.to_string() };
        let tcp = TcpStream::connect((&*endpoint.host, endpoint.port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        if !endpoint.tls {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|_invalid| Trouble::Insecure { why: "the host is no name for TLS".to_owned() })?;
        let insecure = |error: std::io::Error| Trouble::Insecure { why: error.to_string() };
        Ok(Box::new(self.tls()?.connect(name, tcp).await.map_err(insecure)?))
    }

    fn tls(&self) -> Result<TlsConnector, Trouble> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        // Only the good is kept: what failed for lack of files to open may work the next time.
        let tls = connector(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| Trouble::Insecure { why: format!("TLS cannot be set up: {error}") })?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }
}

type Unverified = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;
type Verified = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

/// A connector that trusts whom `verified` says: certificates are always looked at.
pub(super) fn connector(
    verified: impl FnOnce(Unverified) -> Result<Verified, rustls::Error>,
) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = verified(builder)?.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}
