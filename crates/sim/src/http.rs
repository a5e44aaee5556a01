//! How do clients in other processes reach the simulator?

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Sim;
use crate::request::{Answer, Outcome, Request};

/// The longest request body that is read. Nothing of the protocol that this server knows comes near.
const MAX_REQUEST: usize = 16 * 1024 * 1024;
/// Pause after a failed accept: out of file descriptors, mostly, which does not change within microseconds.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Ends a connection without an answer. hyper closes the socket when a service fails.
#[derive(Debug)]
struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for HangUp {}

impl Sim {
    /// Serves the protocol and, under `/__sim/`, the control API; plays the scripts meanwhile. Ends when `stop` does:
    /// open connections are closed where they stand.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        let scripts = (self.clone(), stop.clone());
        tasks.spawn(async move { scripts.0.run_scripts(scripts.1).await });
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "A connection's task failed.");
                    }
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let sim = self.clone();
                        tasks.spawn(async move { sim.connection(stream).await });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "Cannot accept a connection.");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        tasks.shutdown().await;
        Ok(())
    }

    async fn connection(&self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "Cannot set TCP_NODELAY.");
        }
        let service = service_fn(|request| self.exchange(request));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::trace!(%error, "Connection ended.");
        }
    }

    async fn exchange(&self, request: hyper::Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, HangUp> {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, MAX_REQUEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                tracing::debug!(%error, "A request's body cannot be read.");
                return Err(HangUp);
            }
        };
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let request = Request {
            method: parts.method,
            scheme: "http",
            host: host.unwrap_or("localhost").to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        };
        let outcome = match request.path.strip_prefix("/__sim/") {
            Some(order) => Outcome::Answer(self.control(order, &request).await),
            None => self.handle(&request).await,
        };
        match outcome {
            Outcome::Answer(answer) => Ok(response(answer)),
            Outcome::Broken | Outcome::Refused => Err(HangUp),
        }
    }
}

fn response(answer: Answer) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(answer.body));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    response
}
