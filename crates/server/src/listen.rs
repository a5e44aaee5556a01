//! How are connections taken, and how many? One loop for each place, and a limit for all and for each address.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use crate::Accounts;
use crate::figures::Figures;
use crate::places::{Places, Socket, StartError};
use crate::push::{self, Hall, Peer};
use crate::settings::{Limits, Settings};

/// Pause after a failed accept: out of file descriptors, mostly, which does not change within microseconds.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take to end their request at a stop.
const GRACE: Duration = Duration::from_secs(5);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    main: Vec<Listener>,
    second: Vec<Listener>,
    settings: Arc<Settings>,
    figures: Arc<Figures>,
}

/// A socket that this runtime waits at.
#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection that was taken.
enum Taken {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    fn of(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Self::Tcp)
            }
            Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener).map(Self::Unix)
            }
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Cancel safe.
    async fn accept(&self) -> io::Result<(Taken, IpAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Taken::Tcp(stream), peer.ip()))
            }
            // Only a process of this user on this machine can connect.
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Taken::Unix(stream), IpAddr::V4(Ipv4Addr::LOCALHOST)))
            }
        }
    }
}

impl Server {
    /// Takes its places. Nothing is answered before [`serve`](Self::serve).
    ///
    /// # Errors
    /// When a place cannot be had, or must not be.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        let places = Places::take(&settings, Vec::new())?;
        Self::at(places, settings)
    }

    /// The server at these places. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a socket cannot be waited at.
    pub fn at(places: Places, settings: Settings) -> Result<Self, StartError> {
        let all = |sockets: Vec<Socket>| {
            let one = |socket: Socket| {
                let name = socket.to_string();
                Listener::of(socket).map_err(|source| StartError::Unusable { name, source })
            };
            sockets.into_iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        let (main, second) = (all(places.main)?, all(places.default_path)?);
        Ok(Self { main, second, settings: Arc::new(settings), figures: Arc::default() })
    }

    /// Where it listens: the kernel's choice where port 0 was asked for. The first of several places.
    ///
    /// # Errors
    /// When it only listens at sockets of the file system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let none =
            || io::Error::new(io::ErrorKind::AddrNotAvailable, "the server listens at no address of the network");
        self.main.iter().find_map(Listener::address).ok_or_else(none)
    }

    /// Where the path without a secret is served besides.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn default_path_address(&self) -> Option<io::Result<SocketAddr>> {
        self.second.iter().find_map(Listener::address).map(Ok)
    }

    /// What it counts.
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Answers until `stop`; then requests that are under way have 5 s.
    pub async fn serve(self, accounts: Arc<dyn Accounts>, stop: CancellationToken) {
        let hall = Hall { accounts, settings: Arc::clone(&self.settings), figures: self.figures };
        let crowd = Arc::new(Crowd::new(self.settings.limits));
        let (everything, shared) = (push::everything(hall.clone()), push::default_path_alone(hall));
        let main = self.main.into_iter().map(|listener| (listener, everything.clone()));
        let all = main.chain(self.second.into_iter().map(|listener| (listener, shared.clone())));
        let mut serving = JoinSet::new();
        for (listener, routes) in all {
            serving.spawn(accept(listener, routes, Arc::clone(&crowd), stop.clone()));
        }
        while serving.join_next().await.is_some() {}
    }
}

async fn accept(listener: Listener, routes: Router, crowd: Arc<Crowd>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Beyond the limit they wait in the kernel's queue: whoever pushes once must not be sent away.
        let Some(Ok(place)) = stop.run_until_cancelled(Arc::clone(&crowd.all).acquire_owned()).await else { break };
        match stop.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok((stream, peer))) => {
                let (routes, crowd, stop) = (routes.clone(), Arc::clone(&crowd), stop.clone());
                connections.spawn(async move {
                    let entered = tokio::time::timeout(crowd.limits.arrival, crowd.enter(peer)).await;
                    match (entered, stream) {
                        (Ok(_one_of_its_address), Taken::Tcp(stream)) => {
                            if let Err(error) = stream.set_nodelay(true) {
                                tracing::debug!(%error, "Cannot set TCP_NODELAY.");
                            }
                            converse(stream, peer, routes, crowd.limits, stop).await;
                        }
                        (Ok(_one_of_its_address), Taken::Unix(stream)) => {
                            converse(stream, peer, routes, crowd.limits, stop).await;
                        }
                        (Err(_elapsed), _) => {
                            tracing::warn!(from = %peer, "Too many connections from one address; one was closed.");
                        }
                    }
                    drop(place);
                });
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "Cannot accept a connection.");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
}

/// One connection over anything that carries bytes: what the fuzz targets talk to. No part of the API.
pub async fn converse_over<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    peer: IpAddr,
    settings: Settings,
    accounts: Arc<dyn Accounts>,
    figures: Arc<Figures>,
) {
    let limits = settings.limits;
    let hall = Hall { accounts, settings: Arc::new(settings), figures };
    converse(stream, peer, push::everything(hall), limits, CancellationToken::new()).await;
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    peer: IpAddr,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        // A router is always ready.
        routes.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.arrival)
        .max_buf_size(limits.headers)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(from = %peer, %error, "A connection ended badly.");
    }
}

/// Who is there.
#[derive(Debug)]
struct Crowd {
    limits: Limits,
    all: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// A place for one more connection of its address.
struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
    held: Option<OwnedSemaphorePermit>,
}

impl Crowd {
    fn new(limits: Limits) -> Self {
        Self { limits, all: Arc::new(Semaphore::new(limits.connections)), by_address: Mutex::default() }
    }

    /// Waits until its address has a place.
    async fn enter(self: &Arc<Self>, address: IpAddr) -> Place {
        let places = {
            let mut there = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(there.entry(address).or_insert_with(|| Arc::new(Semaphore::new(self.limits.per_address))))
        };
        // From here on, so that whoever gives up waiting is forgotten too.
        let mut place = Place { crowd: Arc::clone(self), address, held: None };
        place.held = places.acquire_owned().await.ok();
        place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut there = self.crowd.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody of this address is there, or waits to be: only the list itself holds it.
        if there.get(&self.address).is_some_and(|places| Arc::strong_count(places) == 1) {
            there.remove(&self.address);
        }
    }
}
