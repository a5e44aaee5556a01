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
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::trouble::Trouble;

/// A host that does not answer for so long is down; then there is time for another try.
const CONNECT: Duration = Duration::from_secs(5);
/// One address may take so long, of which many are black holes: IPv6 that a router promises and does not carry.
const ADDRESS: Duration = Duration::from_secs(2);
/// When the next address is tried beside it (RFC 8305).
const NEXT: Duration = Duration::from_millis(250);
/// More addresses of one name are not looked at.
const MOST_ADDRESSES: usize = 8;

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
        let unreachable = |error: io::Error| Trouble::Unreachable { why: error.to_string() };
        let addresses = lookup_host((&*endpoint.host, endpoint.port)).await.map_err(unreachable)?;
        let tcp = first(by_turns(addresses.collect()), TcpStream::connect).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        if !endpoint.tls {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|_invalid| Trouble::Insecure { why: "the host is no name for TLS".to_owned() })?;
        let insecure = |error: io::Error| Trouble::Insecure { why: error.to_string() };
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

/// One address of each family by turns, as the system sorts them: behind a dead IPv6 comes an IPv4.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (these, those): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|one| one.is_ipv4() == first_is_v4);
    let (mut these, mut those) = (these.into_iter(), those.into_iter());
    let mut turns = Vec::new();
    while turns.len() < MOST_ADDRESSES {
        let pair = [these.next(), those.next()];
        if pair == [None, None] {
            break;
        }
        turns.extend(pair.into_iter().flatten());
    }
    turns
}

/// The first connection that comes about; else why the last address had none.
async fn first<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut why = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut tries = JoinSet::new();
    let mut addresses = addresses.into_iter().peekable();
    loop {
        if let Some(address) = addresses.next() {
            let connecting = timeout(ADDRESS, connect(address));
            tries.spawn(async move {
                let late = || Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {ADDRESS:?}")));
                connecting.await.unwrap_or_else(|_elapsed| late())
            });
        }
        let next = if addresses.peek().is_some() { NEXT } else { CONNECT };
        match timeout(next, tries.join_next()).await {
            Ok(Some(Ok(Ok(connected)))) => return Ok(connected),
            Ok(Some(Ok(Err(error)))) => why = error,
            // A panic of `connect`, and nothing is left to wait for.
            Ok(Some(Err(_))) => {}
            Ok(None) => return Err(why),
            // The next one, beside those that have not answered.
            Err(_elapsed) => {}
        }
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let mixed = addresses(&["[::1]:1", "[::2]:1", "127.0.0.1:1", "127.0.0.2:1"]);
        assert_eq!(by_turns(mixed), addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1"]));
        assert_eq!(by_turns(Vec::new()), []);
        let many = addresses(&["127.0.0.1:1"; 20]);
        assert_eq!(by_turns(many).len(), MOST_ADDRESSES);
    }

    /// IPv6 is a black hole, port 2 refuses, port 3 takes 300 ms.
    async fn connect(address: SocketAddr) -> io::Result<SocketAddr> {
        if address.is_ipv6() {
            return std::future::pending().await;
        }
        match address.port() {
            2 => return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "refused")),
            3 => tokio::time::sleep(Duration::from_millis(300)).await,
            _ => {}
        }
        Ok(address)
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_costs_a_quarter_of_a_second() {
        for (list, want, ms) in [
            (vec!["[::1]:1", "127.0.0.1:1"], Some("127.0.0.1:1"), 250),
            (vec!["[::1]:1", "127.0.0.1:2", "127.0.0.2:1"], Some("127.0.0.2:1"), 250),
            (vec!["[::1]:1", "127.0.0.1:3", "127.0.0.2:2"], Some("127.0.0.1:3"), 550),
            (vec!["127.0.0.1:2"], None, 0),
            (vec!["[::1]:1"], None, 2000),
            (vec!["[::1]:1", "[::2]:1"], None, 2250),
            (vec![], None, 0),
        ] {
            let begin = Instant::now();
            let connected = first(addresses(&list), connect).await.ok().map(|address| address.to_string());
            assert_eq!(connected.as_deref(), want, "{list:?}");
            assert_eq!(begin.elapsed().as_millis(), ms, "{list:?}");
        }
    }
}
