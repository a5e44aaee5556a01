//! What do the commands that mend and send share? One question to the running wxbot, whose memory, queues and lanes then
//! see the change; or to the store as long as none runs.
//!
//! [`args`] what can be typed → this file: the question and its answer → `dead`, `outbox`, `replay`, `send`, `schedule`,
//! a file a command.

pub(crate) mod args;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, Capabilities};
use wxbot_runtime::archive::Archiver;
use wxbot_runtime::clock::Missed;
use wxbot_runtime::config::{Config, Registry};
use wxbot_runtime::errand::{Errand, Sender};
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::roster::Roster;
use wxbot_runtime::store::archive::Archive;
use wxbot_runtime::store::sqlite::{ARCHIVE_FILE, QUEUE_FILE, SqliteArchive};
use wxbot_runtime::store::{
    DeadFilter, Decided, Decision, MOST_PLANNED, MOST_REPLAYED, NewPlanned, ReplayAsk, SendFilter, SendRow, SendState,
    Store, StoreError,
};

use crate::args::Args;
use crate::control::{self, Request, Served, now_ms};
use crate::place::{Place, data_dir, read_config};
use crate::registry::text_limit;
use crate::report::{Failure, OrExit, say};
use crate::words::Lang;

/// Dead events in one step, whether told or ended.
const PAGE: usize = 500;
/// How often somebody who waits for a send looks.
const LOOK: Duration = Duration::from_millis(100);

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum MendAsk {
    /// A line per dead event.
    Dead { filter: DeadFilter },
    /// One line: the dead event and its body.
    DeadBody { seq: u64 },
    /// One line: those that were ended, and those that are not dead.
    EndDead {
        which: Which,
        /// Why they end; `None`: they are handled again.
        why: Option<String>,
    },
    /// A line per send.
    Sends { filter: SendFilter, limit: usize },
    /// A line per send: its number and what became of the decision.
    Decide { ids: Vec<u64>, decision: Decision },
    /// A line per step, then one with `done`.
    Replay(ReplayAsk),
    /// A line when it is stored, and with `wait_ms` one with how it ended.
    Errand { account: AccountName, errand: Errand, wait_ms: Option<u64> },
    /// One line: the number of the planned message.
    Plan { account: AccountName, errand: Errand, cron: Option<String>, tz: Option<String>, missed: Missed, due_ms: i64 },
    /// A line per planned message.
    Planned { account: Option<AccountName> },
    /// One line: those that were taken back, and those that are not there.
    Unplan { ids: Vec<u64> },
    /// One line: the name of a copy of the database in the data directory, which is the asker's to remove.
    Snapshot { sessions: bool },
    /// One line: how much was deleted.
    Forget { account: AccountName },
}

/// How a copy of the database begins that is on its way into a backup.
const SNAPSHOT: &str = "backup-";
/// What is older was left by somebody who was killed.
const SNAPSHOT_LASTS: Duration = Duration::from_secs(86_400);

fn sweep_snapshots(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
        if name.starts_with(SNAPSHOT) && name.ends_with(".part") && age.is_some_and(|age| age > SNAPSHOT_LASTS) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

/// Which dead events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// These.
    These(Vec<u64>),
    /// All that fit.
    All(DeadFilter),
}

/// Where the answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The running wxbot.
    Running,
    /// The store, which nobody else has.
    Store,
    /// wxbot has never run here.
    Nowhere,
}

/// What a question needs to be answered.
pub(crate) struct Bench {
    dir: PathBuf,
    store: Arc<dyn Store>,
    media: Arc<MediaFolder>,
    /// The history, where there is one.
    archiver: Option<Arc<Archiver>>,
    source: Source,
    /// The accounts that run; `None` where none does.
    running: Option<Roster>,
    /// Those of the file where none runs, what their protocols can do, and how wide a text may be.
    known: Vec<(AccountName, Capabilities, Option<usize>)>,
}

impl Bench {
    pub(crate) fn of(served: &Served) -> Self {
        Self {
            dir: served.dir.clone(),
            store: Arc::clone(&served.store),
            media: Arc::clone(&served.media),
            archiver: Some(Arc::clone(&served.archiver)),
            source: Source::system(),
            running: Some(served.accounts.clone()),
            known: Vec::new(),
        }
    }

    /// The queues of all accounts look at the store again.
    fn look_again(&self) {
        for account in self.running.iter().flat_map(|roster| roster.now().to_vec()) {
            account.look_again();
        }
    }

    /// Does something in the name of an account.
    async fn with_sender<T>(
        &self,
        name: &AccountName,
        act: impl AsyncFnOnce(Sender<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        match &self.running {
            Some(roster) => {
                let account = roster.now().iter().find(|account| account.name == *name).cloned();
                let account = account.ok_or_else(|| format!("this wxbot runs no account `{name}`"))?;
                act(account.errands()).await
            }
            None => {
                let known = self.known.iter().find(|(known, ..)| known == name);
                let (name, capabilities, text_limit) =
                    known.ok_or_else(|| format!("bot.toml has no account `{name}` that runs"))?;
                let (store, media, source) = (&*self.store, &*self.media, &self.source);
                let (capabilities, text_limit) = (*capabilities, *text_limit);
                act(Sender { name, capabilities, text_limit, store, media, source, account: None }).await
            }
        }
    }

    async fn dead(&self, filter: DeadFilter, tell: &mpsc::Sender<Value>) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let page = self.store.dead(filter.clone(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for event in page {
                tell.send(json!(event)).await.ok();
            }
        }
    }

    async fn end_dead(&self, which: Which, why: Option<String>) -> Result<Value, StoreError> {
        let (mut ended, mut unknown, mut count) = (Vec::new(), Vec::new(), 0);
        let step = async |seqs: Vec<u64>| match why.clone() {
            Some(why) => self.store.bury(seqs, why).await,
            None => self.store.revive(seqs).await,
        };
        match which {
            Which::These(seqs) => {
                ended = step(seqs.clone()).await?;
                unknown = seqs.into_iter().filter(|seq| !ended.contains(seq)).collect();
                count = ended.len();
            }
            Which::All(filter) => {
                let mut after = 0;
                loop {
                    let page = self.store.dead(filter.clone(), after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = last.seq;
                    let done = step(page.iter().map(|event| event.seq).collect()).await?;
                    count += done.len();
                    // The list is for people; of tens of thousands the number tells enough.
                    ended.extend(done.into_iter().take(1_000_usize.saturating_sub(ended.len())));
                }
            }
        }
        self.look_again();
        Ok(json!({ "count": count, "ended": ended, "unknown": unknown }))
    }

    async fn decide(&self, ids: Vec<u64>, decision: Decision, tell: &mpsc::Sender<Value>) -> Result<(), StoreError> {
        let decided = self.store.decide(ids.clone(), decision, now_ms()).await?;
        self.look_again();
        for (id, decided) in ids.into_iter().zip(decided) {
            let known = matches!(decided, Decided::Done { .. });
            tell.send(json!({ "id": id, "done": known, "outcome": decided })).await.ok();
        }
        Ok(())
    }

    async fn replay(&self, ask: ReplayAsk, tell: &mpsc::Sender<Value>) -> Result<(), StoreError> {
        let (now, mut events) = (now_ms(), 0);
        // Counted first: a range that was meant otherwise makes nothing.
        let counting = ReplayAsk { dry: true, ..ask.clone() };
        let mut next = Some(0);
        while let Some(after) = next {
            let step = self.store.replay(counting.clone(), after, now).await?;
            (events, next) = (events + step.events, step.next);
        }
        if events > MOST_REPLAYED {
            let why =
                format!("{events} events; at most {MOST_REPLAYED} are handled again at once, so take a shorter time");
            tell.send(json!({ "error": why })).await.ok();
            return Ok(());
        }
        let (all, mut made, mut next) = (events, 0, Some(0).filter(|_| !ask.dry));
        while let Some(after) = next {
            let step = self.store.replay(ask.clone(), after, now).await?;
            (made, next) = (made + step.events, step.next);
            if step.events > 0 {
                self.look_again();
                tell.send(json!({ "made": made, "of": all })).await.ok();
            }
        }
        tell.send(json!({ "done": true, "events": all, "made": made })).await.ok();
        Ok(())
    }

    /// Waits until a send is settled; how it is then, or at the end of `patience`.
    async fn settled(&self, id: u64, patience: Duration) -> Result<Option<SendRow>, StoreError> {
        let until = Instant::now() + patience;
        loop {
            let row = self.store.send_row(id).await?;
            let open = row.as_ref().is_some_and(|row| matches!(row.state, SendState::Queued | SendState::Sending));
            if !open || Instant::now() >= until {
                return Ok(row);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn errand(&self, account: &AccountName, errand: &Errand, wait_ms: Option<u64>, tell: &mpsc::Sender<Value>) {
        let stored = match self.with_sender(account, async |sender| sender.send(errand).await).await {
            Ok(stored) => stored,
            Err(why) => return drop(tell.send(json!({ "error": why })).await),
        };
        let id = stored.id;
        tell.send(json!({ "stored": stored, "account": account })).await.ok();
        let Some(wait_ms) = wait_ms.filter(|_| self.running.is_some()) else { return };
        let settled = match self.settled(id, Duration::from_millis(wait_ms)).await {
            Ok(row) => json!({ "settled": row }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        tell.send(settled).await.ok();
    }

    async fn plan(&self, account: AccountName, errand: &Errand, mut new: NewPlanned) -> Result<Value, String> {
        let (to, name, body) = self.with_sender(&account, async |sender| sender.later(errand).await).await?;
        (new.conv, new.body) = (to.clone(), body);
        let due_ms = new.due_ms;
        let id = self.store.plan(new).await.map_err(|error| error.to_string())?;
        let id = id.ok_or_else(|| {
            format!("account `{account}` has {MOST_PLANNED} planned messages, and no more are kept; `wxbot schedule remove` takes some back")
        })?;
        Ok(json!({ "id": id, "account": account, "to": to, "name": name, "due_ms": due_ms }))
    }

    /// An account in the queue, its keys first, and then in the archive, which reads what the queue has.
    async fn forget(&self, account: &AccountName) -> Result<Value, StoreError> {
        let mut forgotten = self.store.forget(account).await?;
        let said = match &self.archiver {
            Some(archiver) => archiver.forget_account(account).await?,
            None => 0,
        };
        forgotten.rows += u64::try_from(said).unwrap_or(u64::MAX);
        Ok(json!(forgotten))
    }

    async fn unplan(&self, ids: Vec<u64>) -> Result<Value, StoreError> {
        let (mut removed, mut unknown) = (Vec::new(), Vec::new());
        for id in ids {
            if self.store.unplan(id).await? { removed.push(id) } else { unknown.push(id) }
        }
        Ok(json!({ "removed": removed, "unknown": unknown }))
    }

    async fn lines(&self, ask: MendAsk, tell: &mpsc::Sender<Value>) -> Result<(), StoreError> {
        match ask {
            MendAsk::Dead { filter } => self.dead(filter, tell).await?,
            MendAsk::DeadBody { seq } => {
                let found = self.store.dead(DeadFilter::default(), seq.saturating_sub(1), 1).await?;
                let event = found.into_iter().find(|event| event.seq == seq);
                let body = self.store.event_body(seq).await?;
                tell.send(json!({ "dead": event, "body": body })).await.ok();
            }
            MendAsk::EndDead { which, why } => drop(tell.send(self.end_dead(which, why).await?).await),
            MendAsk::Sends { filter, limit } => {
                for send in self.store.sends(filter, u64::MAX, limit).await? {
                    tell.send(json!(send)).await.ok();
                }
            }
            MendAsk::Decide { ids, decision } => self.decide(ids, decision, tell).await?,
            MendAsk::Replay(ask) => self.replay(ask, tell).await?,
            MendAsk::Errand { account, errand, wait_ms } => self.errand(&account, &errand, wait_ms, tell).await,
            MendAsk::Plan { account, errand, cron, tz, missed, due_ms } => {
                #[expect(clippy::expect_used, reason = "a letter and a digit")]
                let nobody = "m0".parse().expect("a contact id");
                let new = NewPlanned {
                    account: account.clone(),
                    conv: nobody,
                    body: String::new(),
                    cron,
                    tz,
                    missed,
                    due_ms,
                    now_ms: now_ms(),
                };
                let line = self.plan(account, &errand, new).await.unwrap_or_else(|why| json!({ "error": why }));
                tell.send(line).await.ok();
            }
            MendAsk::Planned { account } => {
                for planned in self.store.planned(account.as_ref()).await? {
                    tell.send(json!(planned)).await.ok();
                }
            }
            MendAsk::Unplan { ids } => drop(tell.send(self.unplan(ids).await?).await),
            MendAsk::Snapshot { sessions } => {
                let name = format!("{SNAPSHOT}{:016x}.part", self.source.random_u64());
                sweep_snapshots(&self.dir);
                self.store.snapshot(self.dir.join(&name), sessions).await?;
                tell.send(json!({ "snapshot": name })).await.ok();
            }
            MendAsk::Forget { account } => {
                let runs = self.running.iter().any(|roster| roster.now().iter().any(|one| one.name == account));
                let line = match runs {
                    true => {
                        json!({ "error": format!("account `{account}` runs; `wxbot reload` ends it when bot.toml no longer has it") })
                    }
                    false => self.forget(&account).await?,
                };
                tell.send(line).await.ok();
            }
        }
        Ok(())
    }
}

/// Answers a line after another; the last one says `error` when it failed.
pub(crate) async fn answer(bench: &Bench, ask: MendAsk, tell: &mpsc::Sender<Value>) {
    if let Err(error) = bench.lines(ask, tell).await {
        tell.send(json!({ "error": error.to_string() })).await.ok();
    }
}

/// Where a question goes.
pub(crate) struct Counter<'a> {
    registry: &'a Registry,
    pub(crate) config: Config,
    pub(crate) dir: PathBuf,
    pub(crate) lang: Lang,
}

impl<'a> Counter<'a> {
    pub(crate) fn open(registry: &'a Registry, args: &Args) -> Result<Self, Failure> {
        let config = read_config(registry, args)?;
        let dir = data_dir(&config, args);
        Ok(Self { registry, config, dir, lang: Lang::of_environment() })
    }

    /// Asks, and hands over each line as it comes.
    pub(crate) fn ask(&self, ask: MendAsk, mut each: impl FnMut(Value)) -> Result<From, Failure> {
        let mut failed = None;
        let mut heard = |line: Value| match line.get("error").and_then(Value::as_str) {
            Some(error) if line.get("id").is_none() => failed = Some(error.to_owned()),
            Some(_) | None => each(line),
        };
        let from = match control::ask_patiently(&self.dir, &Request::Mend(ask.clone()))? {
            Some(lines) => {
                lines.for_each(&mut heard);
                From::Running
            }
            None if !self.dir.join(QUEUE_FILE).exists() => From::Nowhere,
            None => {
                self.directly(ask, &mut heard)?;
                From::Store
            }
        };
        match failed {
            Some(error) => Err(Failure::new(error)),
            None => Ok(from),
        }
    }

    /// As [`ask`](Self::ask), for all lines at once; says so where wxbot has never run.
    pub(crate) fn lines(&self, ask: MendAsk) -> Result<Vec<Value>, Failure> {
        let mut lines = Vec::new();
        if self.ask(ask, |line| lines.push(line))? == From::Nowhere {
            say(self.lang.pick("wxbot has not run here yet", "wxbot 尚未在此运行过"));
        }
        Ok(lines)
    }

    /// The single line of an answer.
    pub(crate) fn line(&self, ask: MendAsk) -> Result<Value, Failure> {
        let never = || Failure::new(self.lang.pick("wxbot has not run here yet", "wxbot 尚未在此运行过"));
        let mut line = None;
        match self.ask(ask, |told| line = Some(told))? {
            From::Nowhere => Err(never()),
            From::Running | From::Store => line.ok_or_else(|| Failure::new("wxbot ended before it answered")),
        }
    }

    fn directly(&self, ask: MendAsk, heard: &mut dyn FnMut(Value)) -> Result<(), Failure> {
        crate::run::tokio_runtime()?.block_on(async {
            let place = Place::open_patiently(&self.dir).await?;
            let media = place.media(self.config.media, Source::system()).await?;
            let able = |protocol: &str| self.registry.protocols.iter().find(|spec| spec.name == protocol);
            let known = self.config.accounts.iter().filter(|account| account.enabled);
            let known =
                known.filter_map(|one| Some((one.name.clone(), able(&one.protocol)?.capabilities, text_limit(one))));
            let archive = match self.dir.join(ARCHIVE_FILE).exists() {
                true => Some(Arc::new(SqliteArchive::open(&place.dir).or_exit("cannot open the archive")?)),
                false => None,
            };
            let archiver = archive.clone().map(|archive| {
                let (store, roster) = (Arc::clone(&place.store), Roster::default());
                Arc::new(Archiver::new(archive, store, roster, Source::system(), self.config.archive))
            });
            let bench = Bench {
                dir: self.dir.clone(),
                store: Arc::clone(&place.store),
                media,
                archiver,
                source: Source::system(),
                running: None,
                known: known.collect(),
            };
            let (tell, mut told) = mpsc::channel(64);
            let asked = async {
                answer(&bench, ask, &tell).await;
                drop(tell);
            };
            let listened = async {
                while let Some(line) = told.recv().await {
                    heard(line);
                }
            };
            tokio::join!(asked, listened);
            if let Some(archive) = archive {
                archive.close().await.ok();
            }
            place.store.close().await.ok();
            Ok(())
        })
    }

    /// An account of the file.
    pub(crate) fn account(&self, name: &str) -> Result<AccountName, Failure> {
        let names = || self.config.accounts.iter().map(|account| &account.name);
        names().find(|known| known.as_str() == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = names().map(AccountName::as_str).collect();
            let there = self.lang.pick("there are:", "已有:");
            let no = self.lang.pick("no account", "没有账号");
            Failure::new(format!("{no} `{name}`; {there} {}", names.join(", ")))
        })
    }
}

/// Whatever a service or a plugin said, without what could move the cursor of a terminal, and no longer than a line or two.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 300;
    let plain: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() { format!("{plain}…") } else { plain }
}

/// A name of an account that may be gone from the file.
pub(crate) fn any_account(name: Option<&str>) -> Result<Option<AccountName>, Failure> {
    name.map(|name| name.parse().map_err(|error| Failure::new(format!("--account {name}: {error}")))).transpose()
}

/// Numbers that named nothing: the command fails for them, after it did the others.
pub(crate) fn unknown(lang: Lang, en: &str, zh: &str, ids: &[Value]) -> Result<(), Failure> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Err(Failure::new(format!("{}: {}", lang.pick(en, zh), ids.join(", "))))
}
