//! Which listening sockets were handed to this process by whoever started it? `LISTEN_FDS`, as systemd does it.

use std::io;

use listenfd::ListenFd;
use wxbot_server::{Inherited, Socket};

use crate::report::Failure;

/// Takes them, and takes their variables out of the environment, so that no child thinks that they are for it.
///
/// Called before there are threads: others could read the environment meanwhile.
///
/// # Errors
/// When one of them is no listening socket of a stream.
pub(crate) fn take() -> Result<Vec<Inherited>, Failure> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut given = ListenFd::from_env();
    let mut names = names.split(':');
    let mut taken = Vec::new();
    for index in 0..given.len() {
        let name = names.next().unwrap_or_default().to_owned();
        let socket = socket(&mut given, index).map_err(|error| {
            Failure::new(format!(
                "descriptor {} that was handed to wxbot is no listening TCP or Unix socket: {error}; the socket unit needs \
                 `ListenStream=`",
                index + 3
            ))
        })?;
        taken.extend(socket.map(|socket| Inherited { name, socket }));
    }
    Ok(taken)
}

fn socket(given: &mut ListenFd, index: usize) -> io::Result<Option<Socket>> {
    match given.take_tcp_listener(index) {
        Ok(listener) => Ok(listener.map(Socket::Tcp)),
        // One that is of another kind stays where it is.
        Err(_not_tcp) => given.take_unix_listener(index).map(|listener| listener.map(Socket::Unix)),
    }
}
