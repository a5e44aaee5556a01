//! How do clients in other processes reach the simulator?

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::Sim;
use crate::request::{Answer, Delivery, Outcome, Request};

/// The longest request body that is read. A chunk of a file is far smaller; an order may hold a file as base64.
const MAX_REQUEST: usize = 64 * 1024 * 1024;
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
        let (scripts, sim) = (self.run_scripts(stop.clone()), self.clone());
        let served = serve(listener, &stop, move |request| {
            let sim = sim.clone();
            async move {
                match request.path.strip_prefix("/__sim/") {
                    Some(order) => Outcome::Answer(sim.control(order, &request).await),
                    None => sim.handle(&request).await,
                }
            }
        });
        tokio::join!(scripts, served);
        Ok(())
    }
}

/// Answers whatever comes to `listener` by `handle`, until `stop`; open connections are closed where they stand.
pub(crate) async fn serve<H, F>(listener: TcpListener, stop: &CancellationToken, handle: H)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send,
{
    let mut tasks = JoinSet::new();
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
                    let handle = handle.clone();
                    tasks.spawn(async move { connection(stream, handle).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "Cannot accept a connection.");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    tasks.shutdown().await;
}

async fn connection<H, F>(stream: TcpStream, handle: H)
where
    H: Fn(Request) -> F,
    F: Future<Output = Outcome>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Cannot set TCP_NODELAY.");
    }
    let service = service_fn(|request| exchange(request, &handle));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "Connection ended.");
    }
}

async fn exchange<H, F>(request: hyper::Request<Incoming>, handle: &H) -> Result<hyper::Response<Outgoing>, HangUp>
where
    H: Fn(Request) -> F,
    F: Future<Output = Outcome>,
{
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
    match handle(request).await {
        Outcome::Answer(answer) => Ok(response(answer)),
        Outcome::Broken | Outcome::Refused => Err(HangUp),
    }
}

fn response(answer: Answer) -> hyper::Response<Outgoing> {
    let mut response = hyper::Response::new(Outgoing::of(answer.body, answer.delivery));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    if let Delivery::Claims(told) = answer.delivery {
        response.headers_mut().insert(http::header::CONTENT_LENGTH, told.into());
    }
    response
}

/// A body on its way to a socket.
#[derive(Debug)]
enum Outgoing {
    Whole(Full<Bytes>),
    /// Comes in pieces, before each of which there may be a pause. Its length is not known to hyper, so that a wrong
    /// Content-Length stands.
    Pieces(VecDeque<Piece>),
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Pause(Duration),
    Waiting(Pin<Box<Sleep>>),
}

impl Outgoing {
    fn of(mut body: Bytes, delivery: Delivery) -> Self {
        match delivery {
            Delivery::Whole => Self::Whole(Full::new(body)),
            Delivery::Claims(_) => Self::Pieces(VecDeque::from([Piece::Bytes(body)])),
            Delivery::Stalls { after, pause } => {
                let begin = body.split_to(after.min(body.len()));
                Self::Pieces(VecDeque::from([Piece::Bytes(begin), Piece::Pause(pause), Piece::Bytes(body)]))
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let pieces = match &mut *self {
            Self::Whole(body) => return Pin::new(body).poll_frame(cx),
            Self::Pieces(pieces) => pieces,
        };
        loop {
            match pieces.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Bytes(bytes)) if bytes.is_empty() => {}
                Some(Piece::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Piece::Pause(pause)) => {
                    pieces.push_front(Piece::Waiting(Box::pin(tokio::time::sleep(pause))));
                }
                Some(Piece::Waiting(mut sleep)) => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        pieces.push_front(Piece::Waiting(sleep));
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Pieces(pieces) => pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
