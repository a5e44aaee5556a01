//! How do pushes that the ingress took come to the accounts? As if they had been pushed here: into the mailbox of each
//! account, in order, and the ingress learns which are kept.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wxbot_core::push::{Door, NotKept};
use wxbot_runtime::roster::Roster;
use wxbot_server::Accounts as _;

use crate::ingress::wire::{self, Lines, Told, WINDOW};

/// How long to wait for an ingress that is not there.
const AGAIN: Duration = Duration::from_millis(50);
/// How often the ingress is told of changed states and accounts.
const NEWS_EVERY: Duration = Duration::from_millis(250);
/// How long a body waits that was not kept, or whose account is not there.
const LATER: Duration = Duration::from_secs(1);
/// Answers that wait to be told to the ingress.
const ANSWERS: usize = 1_024;

/// A body and its number.
type Numbered = (u64, Bytes);

/// Takes what the ingress has, one ingress after another, until `stop`.
pub(crate) async fn follow(roster: Roster, dir: PathBuf, stop: CancellationToken) {
    let following = async {
        while !stop.is_cancelled() {
            match connect(&dir).await {
                Ok(stream) => {
                    if let Err(error) = take(stream, &roster).await {
                        tracing::warn!(%error, "The line to the ingress ended.");
                    }
                }
                Err(error) => tracing::debug!(%error, "The ingress is not there yet."),
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = following => {}
    }
}

async fn connect(dir: &std::path::Path) -> io::Result<UnixStream> {
    let (_open, path) = wire::address(dir)?;
    UnixStream::connect(&path).await
}

/// Talks to one ingress until it is gone.
async fn take(stream: UnixStream, roster: &Roster) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = Lines::new(read);
    let (answer, mut answers) = mpsc::channel(ANSWERS);
    // Reading never waits for writing: the ingress may have much to say before it listens again.
    let reading = async {
        let mut accounts = HashMap::<String, mpsc::Sender<Numbered>>::new();
        // They end with this, and what they had not answered comes again.
        let mut tasks = JoinSet::new();
        while let Some((head, body)) = lines.body().await? {
            let to = accounts.entry(head.account).or_insert_with_key(|account| {
                let (to, bodies) = mpsc::channel(WINDOW.0);
                tasks.spawn(hand_in(account.clone(), roster.clone(), bodies, answer.clone()));
                to
            });
            // There is room: the ingress sends no more than a window.
            if to.send((head.id, body)).await.is_err() {
                return Err(io::Error::other("what hands bodies in has ended"));
            }
        }
        Ok(())
    };
    let writing = async {
        let mut news = tokio::time::interval(NEWS_EVERY);
        let (mut told, mut running) = (None, roster.now());
        let mut done = Vec::new();
        loop {
            tokio::select! {
                _ = answers.recv_many(&mut done, ANSWERS) => {
                    write.write_all(&wire::line(&Told::Done(std::mem::take(&mut done)))?).await?;
                }
                _ = news.tick() => {
                    let now = roster.now();
                    if !Arc::ptr_eq(&now, &running) {
                        running = now;
                        write.write_all(&wire::line(&Told::Changed)?).await?;
                    }
                    let states = roster.states().into_iter().map(|(name, word, works)| (name, word.to_owned(), works));
                    let states: Vec<_> = states.collect();
                    if told.as_ref() != Some(&states) {
                        write.write_all(&wire::line(&Told::States(states.clone()))?).await?;
                        told = Some(states);
                    }
                }
            }
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}

/// Hands the bodies of one account in, in order. One that was not kept, and all behind it, are handed in again: what of them
/// was kept all the same is known by what it says.
async fn hand_in(account: String, roster: Roster, mut bodies: mpsc::Receiver<Numbered>, answer: mpsc::Sender<u64>) {
    let mut waiting = VecDeque::<Numbered>::new();
    let mut warned = false;
    loop {
        let Some(door) = roster.door(&account) else {
            if !warned && !waiting.is_empty() {
                tracing::warn!(account, "Pushes wait in the spool for an account that does not run.");
                warned = true;
            }
            tokio::select! {
                body = bodies.recv() => match body {
                    Some(body) => waiting.push_back(body),
                    None => return,
                },
                () = tokio::time::sleep(LATER) => {}
            }
            continue;
        };
        warned = false;
        let mut puts = FuturesOrdered::new();
        for (_, body) in &waiting {
            puts.push_back(put(Arc::clone(&door), body.clone()));
        }
        loop {
            tokio::select! {
                body = bodies.recv() => {
                    let Some((id, body)) = body else { return };
                    waiting.push_back((id, body.clone()));
                    puts.push_back(put(Arc::clone(&door), body));
                }
                Some(outcome) = puts.next() => match outcome {
                    Ok(()) | Err(NotKept::NotOurs) => {
                        if outcome.is_err() {
                            tracing::warn!(account, "A push that had been answered is not for this account; it is dropped.");
                        }
                        if let Some((id, _)) = waiting.pop_front()
                            && answer.send(id).await.is_err()
                        {
                            return;
                        }
                    }
                    Err(NotKept::NotStored | _) => {
                        tokio::time::sleep(LATER).await;
                        break;
                    }
                },
                // Other settings make another door; in the mailbox of this one nobody looks any more.
                () = tokio::time::sleep(LATER) => {
                    let same = roster.door(&account).is_some_and(|now| Arc::ptr_eq(&now, &door));
                    if !same {
                        break;
                    }
                }
            }
        }
    }
}

async fn put(door: Arc<dyn Door>, body: Bytes) -> Result<(), NotKept> {
    door.mailbox().put(body).await
}
