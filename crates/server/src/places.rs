//! At which sockets does the server listen? At those that somebody holds for it, and else at those that it takes itself.
//!
//! Whoever holds a socket (systemd, the keeper) keeps it open while wxbot is away: connections wait in its queue then, and
//! nobody is refused. Such a socket has to be one that `[server]` asks for, and as little exposed as one of our own
//! (security R01).

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::net::listen;

use crate::settings::Settings;

/// Connections that may wait in the kernel's queue of a socket of our own: ten seconds of 400 pushes a second.
const BACKLOG: i32 = 4_096;
/// What a socket is called that is for the path without a secret (`FileDescriptorName=` of systemd).
const DEFAULT_PATH_NAME: &str = "default-path";

/// A listening socket that was handed to this process.
#[derive(Debug)]
pub struct Inherited {
    /// What whoever handed it over calls it; may be empty.
    pub name: String,
    /// The socket.
    pub socket: Socket,
}

/// A listening socket.
#[derive(Debug)]
pub enum Socket {
    /// Of TCP.
    Tcp(TcpListener),
    /// Of this machine's file system; mode 0600.
    Unix(UnixListener),
}

/// The sockets of a server.
#[derive(Debug)]
pub struct Places {
    /// Where everything is served.
    pub main: Vec<Socket>,
    /// Where the path without a secret is served alone.
    pub default_path: Vec<Socket>,
}

/// Why a place cannot be had, or must not be.
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
    /// A socket was handed over that nobody asked for.
    #[error(
        "a listening socket on {found} was handed to wxbot, and `[server]` of bot.toml asks for {wanted}: make `ListenStream=` \
         of the socket unit and `listen` say the same"
    )]
    Unasked {
        /// Where it is.
        found: SocketAddr,
        /// What the file says.
        wanted: String,
    },
    /// A socket file that others may connect to.
    #[error("the socket {} was handed to wxbot, and other users may connect to it: say `SocketMode=0600` in the socket unit", path.display())]
    SocketMode {
        /// Which.
        path: PathBuf,
    },
    /// What was handed over cannot be used.
    #[error("the listening socket {name:?} that was handed to wxbot cannot be used")]
    Unusable {
        /// What it is called.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Places {
    /// The sockets for these settings: those that were handed over, and new ones for places that none of them is for.
    ///
    /// A socket called `default-path`, or on the port of [`Settings::default_path`], is for the path without a secret;
    /// every other one is for everything. Its port must be the configured one, unless that is 0.
    ///
    /// # Errors
    /// When a place cannot be had, or must not be.
    pub fn take(settings: &Settings, inherited: Vec<Inherited>) -> Result<Self, StartError> {
        let mut places = Self { main: Vec::new(), default_path: Vec::new() };
        for Inherited { name, socket } in inherited {
            let unusable = |source| StartError::Unusable { name: name.clone(), source };
            let mut second = settings.default_path.is_some() && name == DEFAULT_PATH_NAME;
            match &socket {
                Socket::Tcp(listener) => {
                    let found = listener.local_addr().map_err(unusable)?;
                    let of = |wanted: SocketAddr| wanted.port() != 0 && wanted.port() == found.port();
                    second = second || (settings.default_path.is_some_and(of) && !of(settings.listen));
                    judge(settings, found, second)?;
                }
                Socket::Unix(listener) => judge_unix(listener).map_err(unusable)?.map_or(Ok(()), Err)?,
            }
            if second { &mut places.default_path } else { &mut places.main }.push(socket);
        }
        // What is taken here must not be exposed either.
        settings.exposed().or_else(|address| {
            let replaced = if Some(address) == settings.default_path { &places.default_path } else { &places.main };
            if replaced.is_empty() { Err(StartError::Exposed(address)) } else { Ok(()) }
        })?;
        if places.main.is_empty() {
            places.main.push(own(settings.listen)?);
        }
        if let Some(address) = settings.default_path.filter(|_| places.default_path.is_empty()) {
            places.default_path.push(own(address)?);
        }
        Ok(places)
    }

    /// Where everything is served, the first of several; `None` for sockets of the file system alone.
    pub fn address(&self) -> Option<SocketAddr> {
        self.main.iter().find_map(Socket::address)
    }
}

impl Socket {
    /// Its address, where it has one that can be written so.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("a TCP socket"),
            },
            Self::Unix(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address:?}"),
                Err(_) => f.write_str("a Unix socket"),
            },
        }
    }
}

/// Whether a socket that was handed over is one that was asked for, and exposes nothing that is not meant.
fn judge(settings: &Settings, found: SocketAddr, second: bool) -> Result<(), StartError> {
    let wanted = if second { settings.default_path.unwrap_or(settings.listen) } else { settings.listen };
    if wanted.port() != 0 && wanted.port() != found.port() {
        let both = settings.default_path.map(|shared| format!(" (`default_path_listen`: {shared})"));
        return Err(StartError::Unasked { found, wanted: format!("{wanted}{}", both.unwrap_or_default()) });
    }
    let alone = if second {
        Settings { default_path: Some(found), ..Settings::default() }
    } else {
        Settings { plain_is_known: settings.plain_is_known, ..Settings::on(found) }
    };
    alone.exposed().map_err(StartError::Exposed)
}

/// What is wrong with a socket of the file system. One without a name can only be reached by whoever was given it.
fn judge_unix(listener: &UnixListener) -> io::Result<Option<StartError>> {
    let address = listener.local_addr()?;
    let Some(path) = address.as_pathname() else {
        // An abstract name has no rights: every user of this machine may connect.
        let unnamed = address.is_unnamed();
        let open = StartError::SocketMode { path: PathBuf::from(format!("{address:?}")) };
        return Ok(Some(open).filter(|_| !unnamed));
    };
    let mode = std::fs::metadata(path)?.permissions().mode();
    Ok((mode & 0o077 != 0).then(|| StartError::SocketMode { path: path.to_owned() }))
}

fn own(address: SocketAddr) -> Result<Socket, StartError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        // Whoever binds through `std` gets a short queue, and what does not fit in it is dropped.
        listen(&listener, BACKLOG)?;
        Ok(Socket::Tcp(listener))
    };
    bind().map_err(|source| StartError::Bind { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(address: &str, name: &str) -> (Inherited, u16) {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        (Inherited { name: name.to_owned(), socket: Socket::Tcp(listener) }, port)
    }

    fn settings(listen: String) -> Settings {
        Settings::on(listen.parse().unwrap())
    }

    #[test]
    fn a_socket_that_was_handed_over_is_used_and_no_other_is_taken() {
        let (socket, port) = held("127.0.0.1:0", "wxbot");
        let places = Places::take(&settings(format!("127.0.0.1:{port}")), vec![socket]).unwrap();
        assert_eq!((places.main.len(), places.address().unwrap().port()), (1, port));
        // Any port will do where none is named.
        let (socket, port) = held("127.0.0.1:0", "");
        let places = Places::take(&settings("127.0.0.1:0".to_owned()), vec![socket]).unwrap();
        assert_eq!(places.address().unwrap().port(), port);
    }

    #[test]
    fn a_socket_of_another_port_is_refused_and_both_are_named() {
        let (socket, port) = held("127.0.0.1:0", "");
        let error = Places::take(&settings("127.0.0.1:8460".to_owned()), vec![socket]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains("127.0.0.1:8460"), "{text}");
    }

    #[test]
    fn sec_r01_a_socket_that_was_handed_over_is_not_more_exposed_than_one_of_our_own() {
        for (address, known, fine) in
            [("127.0.0.1:0", false, true), ("0.0.0.0:0", false, false), ("0.0.0.0:0", true, true)]
        {
            let (socket, port) = held(address, "");
            // The file says loopback: what counts is where the socket really is.
            let mut settings = settings(format!("127.0.0.1:{port}"));
            settings.plain_is_known = known;
            let taken = Places::take(&settings, vec![socket]);
            assert_eq!(taken.is_ok(), fine, "{address} {known}: {taken:?}");
            assert!(fine || matches!(taken, Err(StartError::Exposed(_))));
        }
        // The path without a secret is for this machine, whatever is meant.
        let (socket, port) = held("0.0.0.0:0", "default-path");
        let mut settings = settings("127.0.0.1:0".to_owned());
        settings.default_path = Some(format!("127.0.0.1:{port}").parse().unwrap());
        settings.plain_is_known = true;
        assert!(matches!(Places::take(&settings, vec![socket]), Err(StartError::Exposed(_))));
    }

    #[test]
    fn sockets_go_where_their_name_or_port_says_and_what_is_missing_is_taken() {
        let (first, main) = held("127.0.0.1:0", "");
        let (second, shared) = held("127.0.0.1:0", "");
        let mut both = settings(format!("127.0.0.1:{main}"));
        both.default_path = Some(format!("127.0.0.1:{shared}").parse().unwrap());
        let places = Places::take(&both, vec![second, first]).unwrap();
        assert_eq!(places.address().unwrap().port(), main, "by port");
        assert_eq!(places.default_path.first().unwrap().address().unwrap().port(), shared);
        let (named, port) = held("127.0.0.1:0", "default-path");
        let mut named_only = settings("127.0.0.1:0".to_owned());
        named_only.default_path = Some("127.0.0.1:0".parse().unwrap());
        let places = Places::take(&named_only, vec![named]).unwrap();
        assert_eq!(places.default_path.first().unwrap().address().unwrap().port(), port, "by name");
        assert_ne!(places.address().unwrap().port(), 0, "taken here");
    }

    #[test]
    fn sec_r01_a_socket_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, fine) in [(0o600, true), (0o660, false), (0o666, false)] {
            let path = folder.path().join(format!("{mode:o}.sock"));
            let listener = UnixListener::bind(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let socket = Inherited { name: String::new(), socket: Socket::Unix(listener) };
            let taken = Places::take(&settings("127.0.0.1:0".to_owned()), vec![socket]);
            assert_eq!(taken.is_ok(), fine, "{mode:o}: {taken:?}");
            assert!(fine || matches!(taken, Err(StartError::SocketMode { .. })));
        }
    }
}
