//! What does a request carry? Bytes that are there, or pieces that are made when the connection has room for them.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use crate::transport::Pieces;

/// How many bytes a connection has taken. Clones show the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of a request.
pub(super) enum Load {
    Whole(Full<Bytes>),
    Made {
        /// What is still to come.
        left: u64,
        stream: BoxStream<'static, io::Result<Bytes>>,
        moved: Moved,
    },
}

impl Load {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }

    pub(super) fn made(pieces: Pieces, moved: Moved) -> Self {
        Self::Made { left: pieces.len, stream: pieces.stream, moved }
    }
}

impl Body for Load {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(whole) => {
                let frame = ready!(Pin::new(whole).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|never: Infallible| match never {})))
            }
            Self::Made { left: 0, .. } => Poll::Ready(None),
            Self::Made { left, stream, moved } => {
                let piece = match ready!(stream.as_mut().poll_next(cx)) {
                    Some(piece) => piece?,
                    None => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                };
                let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                *left = left.checked_sub(len).ok_or_else(|| io::Error::other("more bytes than were announced"))?;
                moved.0.fetch_add(len, Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Made { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Made { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
