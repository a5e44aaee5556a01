//! Which connection carries a request? One that was used before and is still good; it is driven by whoever uses it.
//!
//! No task stands behind a connection: the request that uses it polls it along. That saves two wake-ups across threads
//! for each request and some memory for each of the many long polls. A connection at rest is polled by nobody, so what
//! the server did to it meanwhile is looked at before it is used again.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::connect::{Origin, Wire};
use super::load::Load;

/// Connections at rest are closed after this: servers keep theirs for 60 s and more, so ours ends first, and each takes
/// 25 KiB.
const IDLE: Duration = Duration::from_secs(15);
/// Connections at rest to one origin. More than so many requests at a moment are rare, and a new connection is no loss.
const REST: usize = 256;

/// Bytes read at once. A quiet poll holds a buffer of this size, and thousands of them are open; most answers are smaller.
const READ: usize = 8 * 1024;

/// Connections at rest.
#[derive(Default)]
pub(super) struct Pool {
    resting: Mutex<HashMap<Origin, Vec<(Instant, Ready)>>>,
}

impl Pool {
    /// The connection that rested shortest.
    pub(super) fn take(&self, origin: &Origin) -> Option<Ready> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let list = resting.get_mut(origin)?;
        let (since, ready) = list.pop()?;
        if since.elapsed() < IDLE {
            return Some(ready);
        }
        // The others rested longer.
        list.clear();
        None
    }

    /// Takes back a connection whose answer was read to its end; closes it when it cannot be used again.
    pub(super) fn give_back(&self, ready: Ready) {
        if !ready.open {
            return;
        }
        let now = Instant::now();
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = ready.origin.clone();
        let list = resting.entry(origin).or_default();
        if list.len() < REST {
            list.push((now, ready));
        }
        // The one that rests longest is the first of its list.
        let old = |list: &Vec<(Instant, Ready)>| list.first().is_some_and(|(since, _)| now - *since >= IDLE);
        resting.retain(|_, list| {
            if old(list) {
                list.retain(|(since, _)| now - *since < IDLE);
            }
            !list.is_empty()
        });
    }
}

/// Why no answer came.
pub(super) enum Lost {
    /// Nothing of the request was written; here it is.
    Unsent(Box<Request<Load>>),
    /// It may have been.
    Broken(String),
}

/// hyper's half of a connection, which is polled by whoever uses it.
type Driven = Pin<Box<Connection<TokioIo<Wire>, Load>>>;

/// A connection, and the body of the answer that is coming on it.
pub(super) struct Ready {
    origin: Origin,
    sender: SendRequest<Load>,
    /// `None` once it has ended. Only its end tells a request that waits in it that it will not be written.
    connection: Option<Driven>,
    body: Option<Incoming>,
    /// It can carry one more request.
    open: bool,
}

impl Ready {
    /// Begins to speak HTTP on a new connection.
    pub(super) async fn new(origin: Origin, wire: Wire) -> Result<Self, String> {
        let begun = http1::Builder::new().read_buf_exact_size(Some(READ)).handshake(TokioIo::new(wire)).await;
        let (sender, connection) = begun.map_err(|e| words(&e))?;
        Ok(Self { origin, sender, connection: Some(Box::pin(connection)), body: None, open: true })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(mut self, message: Request<Load>) -> Result<(response::Parts, Self), Lost> {
        // Whatever the server did while it rested shows here.
        poll_fn(|cx| {
            drive(&mut self.connection, cx);
            Poll::Ready(())
        })
        .await;
        if self.connection.is_none() || !self.sender.is_ready() {
            return Err(Lost::Unsent(Box::new(message)));
        }
        let mut answer = Box::pin(self.sender.try_send_request(message));
        let answered = poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            drive(&mut self.connection, cx);
            answer.as_mut().poll(cx)
        })
        .await;
        drop(answer);
        match answered {
            Ok(answer) => {
                let (head, body) = Response::into_parts(answer);
                self.body = Some(body);
                Ok((head, self))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(message) => Lost::Unsent(Box::new(message)),
                None => Lost::Broken(words(error.error())),
            }),
        }
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn piece(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            let frame = poll_fn(|cx| {
                let Some(body) = &mut self.body else { return Poll::Ready(None) };
                if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
                    return Poll::Ready(frame);
                }
                drive(&mut self.connection, cx);
                Pin::new(body).poll_frame(cx)
            })
            .await;
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Some(Err(error)) => {
                    self.open = false;
                    return Some(Err(words(&error)));
                }
                None => {
                    self.body = None;
                    self.settle().await;
                    return None;
                }
            }
        }
    }

    /// Lets the connection see that its answer was read, and whether it stays open.
    async fn settle(&mut self) {
        poll_fn(|cx| {
            drive(&mut self.connection, cx);
            Poll::Ready(())
        })
        .await;
        self.open = self.connection.is_some() && self.sender.is_ready();
    }
}

fn drive<C: Future + ?Sized>(connection: &mut Option<Pin<Box<C>>>, cx: &mut Context<'_>) {
    if connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
        *connection = None;
    }
}

/// What hyper says, with its causes. It knows no address, so there is nothing secret in it.
fn words(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
