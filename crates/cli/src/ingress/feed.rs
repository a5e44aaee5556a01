//! How do spooled bodies reach the core? In order for each account, some at a time, until it says that they are kept.
//!
//! A core that comes anew is told everything from the beginning: what it had kept before it ended is absorbed there by the
//! keys of its events.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use wxbot_runtime::store::StoreError;

use super::doors::Doors;
use super::wire::{self, Head, Lines, Told, WINDOW};

/// Bodies that are read from the disk in one step.
const STEP: usize = 64;

/// What is under way to the core of one account.
#[derive(Debug, Default)]
struct UnderWay {
    /// The last one that was sent.
    after: u64,
    /// Sizes of those that it has not answered.
    open: BTreeMap<u64, usize>,
}

impl UnderWay {
    fn bytes(&self) -> usize {
        self.open.values().sum()
    }
}

/// Serves one core after another; never ends.
pub(crate) async fn serve(dir: PathBuf, doors: Arc<Doors>) {
    let listener = match listen(&dir) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "The core cannot be reached; pushes are spooled until the ingress starts again.");
            return;
        }
    };
    let mut next = listener.accept().await;
    loop {
        let Ok((stream, _)) = next else {
            tracing::warn!("A core could not connect to the ingress.");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            next = listener.accept().await;
            continue;
        };
        // A new one means that the old one is gone, whatever its socket says.
        tokio::select! {
            ended = feed(stream, &doors) => {
                doors.heard(None);
                match ended {
                    Ok(()) => tracing::info!("The core is gone; pushes are spooled."),
                    Err(error) => tracing::warn!(%error, "The line to the core ended; pushes are spooled."),
                }
                next = listener.accept().await;
            }
            newer = listener.accept() => next = newer,
        }
    }
}

fn listen(dir: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    let (_open, path) = wire::address(dir)?;
    // The spool is locked by us, so a socket here is a dead one's.
    std::fs::remove_file(&path).ok();
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Talks to one core until it is gone.
async fn feed(stream: UnixStream, doors: &Doors) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = Lines::new(read);
    let mut under_way = BTreeMap::<String, UnderWay>::new();
    loop {
        let sent = send(&mut write, doors, &mut under_way).await?;
        let told = if sent {
            // There may be more to send: only what was said already is listened to.
            tokio::select! {
                biased;
                told = lines.told() => told?.map(Some),
                () = std::future::ready(()) => Some(None),
            }
        } else {
            tokio::select! {
                told = lines.told() => told?.map(Some),
                () = doors.something_put() => Some(None),
            }
        };
        match told {
            None => return Ok(()),
            Some(Some(told)) => hear(told, doors, &mut under_way).await?,
            Some(None) => {}
        }
    }
}

async fn hear(told: Told, doors: &Doors, under_way: &mut BTreeMap<String, UnderWay>) -> io::Result<()> {
    match told {
        Told::Done(ids) => {
            for one in under_way.values_mut() {
                ids.iter().for_each(|id| _ = one.open.remove(id));
            }
            doors.spooled().trim(ids).await.map_err(broken)?;
            under_way.retain(|account, one| {
                // Where nothing is left, nothing is to be remembered.
                !one.open.is_empty() || doors.spooled().depth().iter().any(|(name, _)| name == account)
            });
        }
        Told::States(states) => {
            doors.heard(Some(states.into_iter().map(|(name, word, works)| (name, known(&word), works)).collect()));
        }
        Told::Changed => doors.look(),
    }
    Ok(())
}

/// Sends what there is room for on the way; true when there was something.
async fn send(
    write: &mut (impl AsyncWrite + Unpin),
    doors: &Doors,
    under_way: &mut BTreeMap<String, UnderWay>,
) -> io::Result<bool> {
    let mut sent = false;
    for (account, depth) in doors.spooled().depth() {
        let one = under_way.entry(account.clone()).or_default();
        let (room, bytes) = (WINDOW.0.saturating_sub(one.open.len()), WINDOW.1.saturating_sub(one.bytes()));
        if room == 0 || bytes == 0 || depth.bodies <= one.open.len() as u64 {
            continue;
        }
        let bodies = doors.spooled().next(&account, one.after, room.min(STEP), bytes).await.map_err(broken)?;
        for spooled in bodies {
            let len = spooled.body.len();
            let head = Head { id: spooled.id, account: account.clone(), recv_ms: spooled.recv_ms, len };
            write.write_all(&wire::line(&head)?).await?;
            write.write_all(&spooled.body).await?;
            one.after = spooled.id;
            one.open.insert(spooled.id, len);
            sent = true;
        }
    }
    Ok(sent)
}

fn broken(error: StoreError) -> io::Error {
    io::Error::other(error)
}

/// The word of a state, as one that lives for ever.
fn known(word: &str) -> &'static str {
    const WORDS: [&str; 10] = [
        "starting",
        "awaiting_scan",
        "awaiting_confirm",
        "awaiting_code",
        "online",
        "reconnecting",
        "degraded",
        "needs_login",
        "logged_out",
        "stopped",
    ];
    WORDS.into_iter().find(|known| *known == word).unwrap_or("other")
}
