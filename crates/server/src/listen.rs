//! How are connections taken, and how many? One loop for each place, and a limit for all and for each address.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use crate::Accounts;
use crate::figures::Figures;
use crate::push::{self, Hall, Peer};
use crate::settings::{Limits, Settings};

/// Pause after a failed accept: out of file descriptors, mostly, which does not change within microseconds.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take to end their request at a stop.
const GRACE: Duration = Duration::from_secs(5);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    main: TcpListener,
    second: Option<TcpListener>,
    settings: Arc<Settings>,
    figures: Arc<Figures>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Others could read what is pushed.
    #[error(
        "the server would listen on {0} in plain HTTP, where others can reach it: listen on 127.0.0.1 behind a reverse proxy \
         with TLS, or say `i_know_this_is_plain = true`"
    )]
    Exposed(SocketAddr),
    /// The address cannot be had.
    #[error("the server cannot listen on {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Server {
    /// Takes its places. Nothing is answered before [`serve`](Self::serve).
    ///
    /// # Errors
    /// When a place cannot be had, or must not be.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        settings.exposed().map_err(StartError::Exposed)?;
        let bind = async |address: SocketAddr| {
            TcpListener::bind(address).await.map_err(|source| StartError::Bind { address, source })
        };
        let main = bind(settings.listen).await?;
        let second = match settings.default_path {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { main, second, settings: Arc::new(settings), figures: Arc::default() })
    }

    /// Where it listens: the kernel's choice where port 0 was asked for.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.main.local_addr()
    }

    /// Where the path without a secret is served besides.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn default_path_address(&self) -> Option<io::Result<SocketAddr>> {
        self.second.as_ref().map(TcpListener::local_addr)
    }

    /// What it counts.
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Answers until `stop`; then requests that are under way have 5 s.
    pub async fn serve(self, accounts: Arc<dyn Accounts>, stop: CancellationToken) {
        let hall = Hall { accounts, settings: Arc::clone(&self.settings), figures: self.figures };
        let crowd = Arc::new(Crowd::new(self.settings.limits));
        let main = accept(self.main, push::everything(hall.clone()), Arc::clone(&crowd), stop.clone());
        match self.second {
            Some(second) => {
                let second = accept(second, push::default_path_alone(hall), crowd, stop);
                tokio::join!(main, second);
            }
            None => main.await,
        }
    }
}

async fn accept(listener: TcpListener, routes: Router, crowd: Arc<Crowd>, stop: CancellationToken) {
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
                    let entered = tokio::time::timeout(crowd.limits.arrival, crowd.enter(peer.ip())).await;
                    match entered {
                        Ok(_one_of_its_address) => converse(stream, peer, routes, crowd.limits, stop).await,
                        Err(_elapsed) => {
                            tracing::warn!(from = %peer.ip(), "Too many connections from one address; one was closed.");
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

async fn converse(stream: TcpStream, peer: SocketAddr, routes: Router, limits: Limits, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Cannot set TCP_NODELAY.");
    }
    talk(stream, peer.ip(), routes, limits, stop).await;
}

/// One connection over anything that carries bytes: what the fuzz targets talk to. No part of the API.
pub async fn converse_over<S>(
    stream: S,
    peer: IpAddr,
    settings: Settings,
    accounts: Arc<dyn Accounts>,
    figures: Arc<Figures>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = settings.limits;
    let hall = Hall { accounts, settings: Arc::new(settings), figures };
    talk(stream, peer, push::everything(hall), limits, CancellationToken::new()).await;
}

async fn talk<S>(stream: S, peer: IpAddr, routes: Router, limits: Limits, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
