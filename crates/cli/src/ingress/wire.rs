//! In which words do ingress and core talk? Lines of JSON over a Unix socket in the data directory; behind a line that
//! announces a body come its bytes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The socket's name.
const SOCKET: &str = "ingress.sock";
/// Bytes of a line: the states of some thousand accounts, or as many numbers.
const MOST_LINE: usize = 1 << 20;
/// Bytes of a body: more than the server takes.
const MOST_BODY: usize = 64 << 20;
/// Bodies of one account that are under way to the core at once, and their bytes: what one batch of its session takes.
pub(crate) const WINDOW: (usize, usize) = (256, 4 << 20);

/// From the ingress: a body follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Its number.
    pub(crate) id: u64,
    /// Whose.
    pub(crate) account: String,
    /// When it came, milliseconds since 1970.
    pub(crate) recv_ms: i64,
    /// Its bytes.
    pub(crate) len: usize,
}

/// From the core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// These are kept, or never will be.
    Done(Vec<u64>),
    /// Each account, the word of its state, and whether it works.
    States(Vec<(String, String, bool)>),
    /// Other accounts run than before: the file is to be looked at.
    Changed,
}

/// The socket's address through an open directory: paths of sockets are limited to 108 bytes, directories are not.
pub(crate) fn address(dir: &Path) -> io::Result<(File, PathBuf)> {
    let open = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd()));
    Ok((open, path))
}

/// A line as it goes over the socket.
pub(crate) fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads lines and what follows them.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    read: BytesMut,
    /// A line whose body is not whole yet.
    head: Option<Head>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, read: BytesMut::new(), head: None }
    }

    /// The next line of the core; `None` at the end.
    ///
    /// Cancel safe: what was read stays.
    pub(crate) async fn told(&mut self) -> io::Result<Option<Told>> {
        loop {
            if let Some(line) = self.line()? {
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next body of the ingress; `None` at the end.
    ///
    /// Cancel safe: what was read stays.
    pub(crate) async fn body(&mut self) -> io::Result<Option<(Head, Bytes)>> {
        loop {
            if self.head.is_none()
                && let Some(line) = self.line()?
            {
                let head: Head = serde_json::from_slice(&line)?;
                if head.len > MOST_BODY {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a body of the spool is too large"));
                }
                self.head = Some(head);
            }
            if let Some(head) = self.head.take_if(|head| head.len <= self.read.len()) {
                let body = self.read.split_to(head.len).freeze();
                return Ok(Some((head, body)));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    fn line(&mut self) -> io::Result<Option<BytesMut>> {
        match self.read.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let line = self.read.split_to(at);
                self.read.advance(1);
                Ok(Some(line))
            }
            None if self.read.len() > MOST_LINE => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a line between ingress and core is too long"))
            }
            None => Ok(None),
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.read.reserve(64 * 1024);
        self.from.read_buf(&mut self.read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(id: u64, len: usize) -> Head {
        Head { id, account: "shop".to_owned(), recv_ms: 1, len }
    }

    #[tokio::test]
    async fn bodies_and_lines_come_out_as_they_went_in_however_they_are_cut() {
        let mut all = line(&head(1, 3)).unwrap();
        all.extend(b"a\nb");
        all.extend(line(&head(2, 0)).unwrap());
        for cut in 0..all.len() {
            let (one, two) = all.split_at(cut);
            let mut lines = Lines::new(tokio::io::AsyncReadExt::chain(one, two));
            assert_eq!(lines.body().await.unwrap(), Some((head(1, 3), Bytes::from_static(b"a\nb"))), "{cut}");
            assert_eq!(lines.body().await.unwrap(), Some((head(2, 0), Bytes::new())), "{cut}");
            assert_eq!(lines.body().await.unwrap(), None, "{cut}");
        }
        let told = Told::States(vec![("shop".into(), "online".into(), true)]);
        let mut lines = line(&told).unwrap();
        lines.extend(line(&Told::Changed).unwrap());
        let mut lines = Lines::new(&lines[..]);
        assert_eq!(lines.told().await.unwrap(), Some(told));
        assert_eq!((lines.told().await.unwrap(), lines.told().await.unwrap()), (Some(Told::Changed), None));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_before_it_is_held() {
        let huge = line(&head(1, MOST_BODY + 1)).unwrap();
        assert!(Lines::new(&huge[..]).body().await.is_err());
        let endless = vec![b'x'; MOST_LINE + 2];
        assert!(Lines::new(&endless[..]).told().await.is_err());
    }
}
