//! How do other commands talk to a running wxbot? Over a Unix socket in the data directory, one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_model::Secret;
use wxbot_plugin::ContactQuery;
use wxbot_runtime::account::Account;
use wxbot_runtime::archive::Archiver;
use wxbot_runtime::contacts::find_stored;
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::roster::Roster;
use wxbot_runtime::session::phase::Phase;
use wxbot_runtime::store::sqlite::DataDir;
use wxbot_runtime::store::{Counts, Store, StoreError};

use crate::digits;
use crate::explain;
use crate::media::{self, MediaAsk};
use crate::mend::{self, Bench, MendAsk};
use crate::messages;
use crate::report::{Failure, OrExit};
use crate::watch::Ask;
use crate::words::Lang;

const SOCKET: &str = "wxbot.sock";
/// A request is one short line.
const MAX_REQUEST: u64 = 64 * 1024;

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub(crate) enum Request {
    /// One line per account.
    Accounts,
    /// What runs here; one line.
    About,
    /// One line per contact that fits.
    Contacts {
        /// Whose.
        account: String,
        /// Which.
        query: ContactQuery,
    },
    /// Log these in; lines as it goes, until each is online or has failed.
    Login {
        /// Names; empty: all that need it.
        accounts: Vec<String>,
    },
    /// The digits that the phone shows, for a login that waits for them; one line, whether it did.
    Code {
        /// Whose login.
        account: String,
        /// A part of a login.
        digits: Secret<String>,
    },
    /// Read `bot.toml` again; one line, what came of it.
    Reload,
    /// Why an event was answered, or why not; one line.
    Explain {
        /// Names.
        accounts: Vec<String>,
        /// Its number, or the id of a message.
        event: String,
        /// What the person reads.
        lang: Lang,
    },
    /// What lies in the media folder, or clear it.
    Media(MediaAsk),
    /// What went wrong, and what to do about it; and what a person sends.
    Mend(MendAsk),
    /// Delete what was said with a contact; one line, how many messages.
    Forget {
        /// Whose.
        account: String,
        /// With whom.
        contact: String,
    },
}

/// The socket's address through an open directory: paths of sockets are limited to 108 bytes, directories are not.
fn address(dir: &Path) -> std::io::Result<(File, PathBuf)> {
    let open = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd()));
    Ok((open, path))
}

/// A request to the wxbot that runs in this data directory; `None` when none does.
pub(crate) fn ask(dir: &Path, request: &Request) -> Result<Option<impl Iterator<Item = Value>>, Failure> {
    let Ok((_dir, path)) = address(dir) else { return Ok(None) };
    let Ok(mut stream) = UnixStream::connect(&path) else { return Ok(None) };
    let line = serde_json::to_string(request).or_exit("cannot write a request")?;
    writeln!(stream, "{line}").or_exit("cannot ask the running wxbot")?;
    let lines = BufReader::new(stream).lines().map_while(Result::ok).filter_map(|l| serde_json::from_str(&l).ok());
    Ok(Some(lines))
}

/// As [`ask`], and when the directory is taken but its socket not yet there: a wxbot that starts opens it in a moment.
pub(crate) fn ask_patiently(dir: &Path, request: &Request) -> Result<Option<impl Iterator<Item = Value>>, Failure> {
    let runtime = crate::run::tokio_runtime()?;
    for _ in 0..60 {
        if let Some(lines) = ask(dir, request)? {
            return Ok(Some(lines));
        }
        if !dir.exists() || !matches!(DataDir::open(dir), Err(StoreError::Locked { .. })) {
            return Ok(None);
        }
        runtime.block_on(tokio::time::sleep(Duration::from_millis(50)));
    }
    Ok(None)
}

/// What the socket serves.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) accounts: Roster,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) media: Arc<MediaFolder>,
    /// The data directory.
    pub(crate) dir: PathBuf,
    pub(crate) archiver: Arc<Archiver>,
    /// Where the server for pushes is, as reached from this machine.
    pub(crate) server: Option<String>,
}

/// Serves the socket until `stop`.
pub(crate) async fn serve(dir: &Path, served: Served, stop: CancellationToken) -> std::io::Result<()> {
    let (_open, path) = address(dir)?;
    // The data directory is locked by us, so a socket in it is a dead one's.
    std::fs::remove_file(&path).ok();
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next() => continue,
        };
        if let Ok((stream, _)) = accepted {
            clients.spawn(client(stream, served.clone()));
        }
    }
    clients.shutdown().await;
    std::fs::remove_file(&path)
}

async fn client(stream: tokio::net::UnixStream, served: Served) {
    let (read, mut write) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(tokio::io::AsyncReadExt::take(read, MAX_REQUEST)).lines();
    let Ok(Some(line)) = lines.next_line().await else { return };
    let (tell, mut told) = mpsc::channel::<Value>(64);
    let work = async {
        match serde_json::from_str(&line) {
            Ok(Request::Accounts) => {
                for account in served.accounts.now().iter() {
                    tell.send(account_line(account, &*served.store).await).await.ok();
                }
            }
            Ok(Request::About) => {
                let about = json!({ "pid": std::process::id(), "server": served.server });
                tell.send(about).await.ok();
            }
            Ok(Request::Contacts { account, query }) => contacts(&served, &account, &query, &tell).await,
            Ok(Request::Login { accounts }) => log_in(&served, &accounts, &tell).await,
            Ok(Request::Code { account, digits }) => {
                tell.send(digits::answer(&served.accounts, &account, digits.expose())).await.ok();
            }
            Ok(Request::Reload) => drop(tell.send(reload(&served).await).await),
            Ok(Request::Explain { accounts, event, lang }) => {
                explain::answer(&served, &accounts, &event, lang, &tell).await;
            }
            Ok(Request::Forget { account, contact }) => {
                messages::answer_forget(&served.archiver, &account, &contact, &tell).await;
            }
            Ok(Request::Media(ask)) => media::answer(&served.media, ask, &tell).await,
            Ok(Request::Mend(ask)) => mend::answer(&Bench::of(&served), ask, &tell).await,
            Err(error) => drop(tell.send(json!({ "error": format!("not understood: {error}") })).await),
        }
        drop(tell);
    };
    let answer = async {
        while let Some(value) = told.recv().await {
            let mut line = value.to_string();
            line.push('\n');
            if write.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    // A client that goes away ends its request, and with it the interest in QR codes.
    let gone = async { while let Ok(Some(_)) = lines.next_line().await {} };
    tokio::select! {
        _ = async { tokio::join!(work, answer) } => {}
        () = gone => {}
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// One account as JSON.
pub(crate) async fn account_line(account: &Account, store: &dyn Store) -> Value {
    let status = account.status().borrow().clone();
    let (counts, error) = match store.counts(&account.name).await {
        Ok(counts) => (counts, None),
        Err(error) => (Counts::default(), Some(error.to_string())),
    };
    // Where the store cannot be read, that is the error above.
    let slowed = account.slowed().await.unwrap_or_default();
    let windows = account.open_windows().await.unwrap_or_default();
    json!({
        "name": account.name,
        "protocol": account.protocol_name(),
        "state": status.phase.word(),
        "since_s": status.since_ms / 1000,
        "why": status.why,
        "todo": status.todo,
        "cure": status.cure,
        "duplicates": account.duplicates(),
        "inbox": counts.inbox,
        "outbox": counts.outbox,
        "slowed": slowed,
        "windows": windows,
        "uploads": media::uploads(account, now_ms()),
        "error": error,
    })
}

async fn reload(served: &Served) -> Value {
    let (reply, outcome) = oneshot::channel();
    served.asks.send(Ask::Command(reply)).await.ok();
    match outcome.await {
        Ok(outcome) => json!(outcome),
        Err(_) => json!({ "error": "wxbot stops, so nothing is reloaded" }),
    }
}

/// The contacts of an account that fit, and whether they are those of a running login.
async fn contacts(served: &Served, name: &str, query: &ContactQuery, tell: &mpsc::Sender<Value>) {
    let Some(account) = served.accounts.now().iter().find(|account| account.name.as_str() == name).cloned() else {
        tell.send(json!({ "error": format!("this wxbot runs no account `{name}`") })).await.ok();
        return;
    };
    let mut found = account.find_contacts(query);
    let online = account.status().borrow().phase == Phase::Online;
    if found.is_empty() && !online {
        // Not logged in since the start: nobody was met yet, but they are known from before.
        found = match served.store.contacts(&account.name).await {
            Ok(rows) => find_stored(&rows, query),
            Err(error) => {
                tell.send(json!({ "error": error.to_string() })).await.ok();
                return;
            }
        };
    }
    tell.send(json!({ "online": online })).await.ok();
    for contact in found {
        tell.send(json!(contact)).await.ok();
    }
}

async fn log_in(served: &Served, names: &[String], tell: &mpsc::Sender<Value>) {
    let accounts = served.accounts.now();
    for name in names {
        if !accounts.iter().any(|a| a.name.as_str() == name) {
            let why = "this wxbot runs no account of that name";
            tell.send(json!({ "account": name, "event": "failed", "why": why })).await.ok();
        }
    }
    let wanted = accounts.iter().filter(|a| names.is_empty() || names.iter().any(|n| a.name.as_str() == n));
    let mut all = JoinSet::new();
    for account in wanted {
        let (account, tell) = (Arc::clone(account), tell.clone());
        all.spawn(async move { follow_login(&account, &tell).await });
    }
    while all.join_next().await.is_some() {}
}

/// Asks for a login and tells what happens; true when the account is online.
///
/// Waits where `tell` is full: of a thousand accounts each shows its code, however slowly they are read. Ends when
/// nobody listens any more.
pub(crate) async fn follow_login(account: &Arc<Account>, tell: &mpsc::Sender<Value>) -> bool {
    let name = account.name.as_str();
    let mut status = account.status();
    let before = status.borrow().clone();
    if before.phase == Phase::Online {
        tell.send(json!({ "account": name, "event": "online", "protocol": account.protocol_name() })).await.ok();
        return true;
    }
    let _interest = account.ask_login();
    let mut last = None;
    loop {
        let now = status.borrow_and_update().clone();
        let event = match &now.phase {
            Phase::AwaitingScan { payload, image_url, uuid, number } if !payload.is_empty() => Some(json!({
                "account": name, "event": "qr", "protocol": account.protocol_name(), "uuid": uuid, "url": payload,
                "image_url": image_url, "number": number,
            })),
            Phase::AwaitingScan { .. } => Some(json!({ "account": name, "event": "pushed" })),
            Phase::AwaitingConfirm => Some(json!({ "account": name, "event": "scanned" })),
            Phase::AwaitingCode { wrong, number } => {
                Some(json!({ "account": name, "event": "code", "wrong": wrong, "number": number }))
            }
            Phase::Online => {
                tell.send(json!({ "account": name, "event": "online", "protocol": account.protocol_name() }))
                    .await
                    .ok();
                return true;
            }
            Phase::Stopped => {
                tell.send(json!({ "account": name, "event": "failed", "why": now.why })).await.ok();
                return false;
            }
            // The state from before the request is not its answer.
            Phase::NeedsLogin | Phase::LoggedOut | Phase::Degraded if now.round > before.round => {
                tell.send(json!({ "account": name, "event": "failed", "why": now.why })).await.ok();
                return false;
            }
            Phase::NeedsLogin | Phase::LoggedOut | Phase::Degraded | Phase::Starting | Phase::Reconnecting { .. } => {
                None
            }
        };
        if event != last
            && let Some(event) = &event
            && tell.send(event.clone()).await.is_err()
        {
            return false;
        }
        last = event.or(last);
        if status.changed().await.is_err() {
            return false;
        }
    }
}
