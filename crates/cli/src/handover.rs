//! What does the keeper give to its children, and how do they notice that it is gone? A socket as their standard input:
//! one message goes through it, with the listening sockets, and its end is the keeper's end.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use wxbot_server::{Places, Socket};

use crate::report::Failure;

/// Sockets that can be handed over at once.
const MOST_SOCKETS: usize = 16;
/// Bytes of the message: some words for each socket.
const MOST_BYTES: usize = 16 * 1024;

/// What is said beside the sockets.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Message {
    /// How the server is reached from this machine; absent where there is none.
    base: Option<String>,
    /// In the order of the descriptors.
    sockets: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Kind {
    unix: bool,
    default_path: bool,
}

/// What a child was given.
#[derive(Debug)]
pub(crate) struct Handed {
    /// How the server is reached from this machine; absent where there is none.
    pub(crate) base: Option<String>,
    /// Where the server listens; none for whom it is not.
    pub(crate) places: Places,
    /// Ends when the keeper does.
    pub(crate) keeper: Keeper,
}

/// The other end of it.
#[derive(Debug)]
pub(crate) struct Keeper(UnixStream);

/// Two ends: the keeper's, and a child's standard input, with everything in it that the child is to get.
///
/// # Errors
/// When the system gives no sockets.
pub(crate) fn give(base: Option<&str>, places: Option<&Places>) -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    let all = places.into_iter().flat_map(|places| {
        let main = places.main.iter().map(|socket| (socket, false));
        main.chain(places.default_path.iter().map(|socket| (socket, true)))
    });
    let (mut sockets, mut descriptors): (Vec<Kind>, Vec<BorrowedFd<'_>>) = (Vec::new(), Vec::new());
    for (socket, default_path) in all {
        let (unix, descriptor) = match socket {
            Socket::Tcp(listener) => (false, listener.as_fd()),
            Socket::Unix(listener) => (true, listener.as_fd()),
        };
        sockets.push(Kind { unix, default_path });
        descriptors.push(descriptor);
    }
    if descriptors.len() > MOST_SOCKETS {
        return Err(io::Error::other(format!("at most {MOST_SOCKETS} listening sockets can be kept")));
    }
    let message = serde_json::to_vec(&Message { base: base.map(str::to_owned), sockets })?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    sendmsg(&ours, &[IoSlice::new(&message)], &mut control, SendFlags::empty())?;
    Ok((ours, theirs.into()))
}

/// Takes what the keeper gave. Standard input is empty afterwards.
///
/// # Errors
/// When there is no keeper.
pub(crate) fn take() -> Result<Handed, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!(
            "only `wxbot run --keeper` starts this, and says on standard input what it needs: {error}"
        ))
    };
    let line = io::stdin().as_fd().try_clone_to_owned().map_err(|error| failed(&error))?;
    let (message, sockets) = receive(&line).map_err(|error| failed(&error))?;
    let mut places = Places { main: Vec::new(), default_path: Vec::new() };
    for (kind, socket) in message.sockets.iter().zip(sockets) {
        let socket = if kind.unix { Socket::Unix(UnixListener::from(socket)) } else { Socket::Tcp(socket.into()) };
        if kind.default_path { &mut places.default_path } else { &mut places.main }.push(socket);
    }
    // Whoever reads standard input, as the console does, must not read this.
    let empty = File::open("/dev/null").map_err(|error| failed(&error))?;
    rustix::stdio::dup2_stdin(&empty).map_err(|error| failed(&error))?;
    Ok(Handed { base: message.base, places, keeper: Keeper(UnixStream::from(line)) })
}

fn receive(line: &OwnedFd) -> io::Result<(Message, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; MOST_BYTES];
    let got = recvmsg(line, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let message = serde_json::from_slice(bytes.get(..got.bytes).unwrap_or_default())?;
    let rights = control.drain().filter_map(|message| {
        if let RecvAncillaryMessage::ScmRights(sockets) = message { Some(sockets) } else { None }
    });
    Ok((message, rights.flatten().collect()))
}

impl Keeper {
    /// Waits until it is gone. Nothing is ever said on the line again, so that its end is all there is to read.
    pub(crate) async fn gone(self) {
        use tokio::io::AsyncReadExt as _;
        let Self(line) = self;
        let line = line.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(line));
        match line {
            Ok(mut line) => _ = line.read(&mut [0]).await,
            Err(error) => {
                tracing::error!(%error, "The keeper cannot be watched; this process runs on without it.");
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn sockets_and_words_arrive_as_they_were_given() {
        let folder = tempfile::tempdir().unwrap();
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(folder.path().join("a.sock")).unwrap();
        let places =
            Places { main: vec![Socket::Tcp(tcp()), Socket::Unix(unix)], default_path: vec![Socket::Tcp(tcp())] };
        let (_ours, theirs) = give(Some("http://127.0.0.1:1"), Some(&places)).unwrap();
        let (message, sockets) = receive(&theirs).unwrap();
        assert_eq!(message.base.as_deref(), Some("http://127.0.0.1:1"));
        let kinds: Vec<_> = message.sockets.iter().map(|kind| (kind.unix, kind.default_path)).collect();
        assert_eq!(kinds, [(false, false), (true, false), (false, true)]);
        assert_eq!(sockets.len(), 3);
        let first = TcpListener::from(sockets.into_iter().next().unwrap());
        assert_eq!(Some(first.local_addr().unwrap()), places.address(), "the same socket");
    }

    #[tokio::test]
    async fn the_end_of_the_keeper_is_noticed() {
        let (ours, theirs) = give(None, None).unwrap();
        let (message, sockets) = receive(&theirs).unwrap();
        assert!(message.base.is_none() && sockets.is_empty());
        let mut gone = std::pin::pin!(Keeper(UnixStream::from(theirs)).gone());
        let wait = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, gone.as_mut()).await.is_err(), "it is there");
        drop(ours);
        tokio::time::timeout(std::time::Duration::from_secs(5), gone).await.unwrap();
    }
}
