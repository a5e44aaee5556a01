//! Does wxbot stay as it is for a day? Twenty-four simulated hours of ten accounts on Web WeChat, in memory and in paused
//! time: messages, sessions that end and are confirmed anew, a clock that is set forward and back, and old rows that are
//! swept. Nothing is lost or doubled, and after the first hour neither memory nor handles grow.
//!
//! It has a binary to itself, because it measures its own process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests fail like tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wxbot_core::source::Source;
use wxbot_core::webwx::endpoint::Mode;
use wxbot_core::webwx::{Settings, WebWx, capabilities};
use wxbot_model::span::Rate;
use wxbot_plugin::host::PluginFactory;
use wxbot_plugin::prelude::*;
use wxbot_runtime::config::{self, MediaSettings, Pacing, ProtocolSpec, Registry};
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::middleware;
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::store::seal::Vault;
use wxbot_runtime::store::sqlite::{DataDir, SqliteStore};
use wxbot_runtime::store::{Accept, Finish, NewRow, NewSend, Store};
use wxbot_sim::{Deliver, Sim, World};

/// As in the binary. The system's allocator keeps an arena for each thread that blocks, and how full those are is chance.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCOUNTS: usize = 10;
const FRIENDS: usize = 4;
const HOURS: usize = 24;
/// Each account hears something every so many minutes …
const EVERY: usize = 5;
/// … and in the first hour so many times in each minute, so that everything that has a size is full after it: the steps of
/// the last two thousand events, and what SQLite keeps of its file.
const AT_FIRST: usize = 9;
/// Rows of a month ago that lie in the store at the beginning.
const OLD: usize = 4_000;
/// Memory may grow so much after the first hour.
const GROWTH: f64 = 0.05;
const MINUTE: Duration = Duration::from_secs(60);

/// Says it again, and counts in the store how often.
struct Echo;

impl Plugin for Echo {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("echo", "Says it again.").needs(&[Capability::SendText])
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(text) = event.text() else { return Ok(Effects::none()) };
        let was: Option<u64> = cx.kv_get("count").await?;
        Ok(Effects::reply(text).swap("count", was.as_ref(), Some(&(was.unwrap_or_default() + 1)))?)
    }
}

/// Bytes of this process that are its own.
fn memory() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

fn handles() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn name(account: usize) -> String {
    format!("a{account}")
}

/// Memory is fast enough for a day; a disk would be waited for ten thousand times.
fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    let home = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("wxbot-day-").tempdir_in(home).unwrap()
}

fn world() -> World {
    let friends: Vec<String> = (0..FRIENDS).map(|n| format!("{{ nick = \"f{n}\", alias = \"friend{n}\" }}")).collect();
    let account = |n| format!("[[accounts]]\nname = \"{}\"\nfriends = [{}]\n", name(n), friends.join(", "));
    let accounts: String = (0..ACCOUNTS).map(account).collect();
    World::from_toml(&format!("push_auto_confirm = true\n{accounts}")).unwrap()
}

fn bot_toml() -> String {
    let account = |n| {
        let name = name(n);
        format!(
            "[[accounts]]\nname = \"{name}\"\nprotocol = \"web\"\nendpoint = \"http://sim.invalid\"\nuse = [\"echo\"]\n"
        )
    };
    let accounts: String = (0..ACCOUNTS).map(account).collect();
    format!("middleware = []\n[plugins.echo]\n{accounts}")
}

fn registry() -> Registry {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let pacing = Pacing::new(Rate::new(1, second), 5, Rate::new(20, minute), Duration::from_secs(86_400));
    let web = ProtocolSpec {
        name: "web",
        about: "Web WeChat",
        profiles: &[],
        capabilities: capabilities(),
        takes_endpoint: true,
        takes_proxy: true,
        only_one: false,
        judge: None,
        simulated: true,
        options: &[],
        supplies: None,
        direct_only: None,
        pacing,
    };
    Registry {
        protocols: vec![web],
        plugins: vec![PluginFactory::of::<Echo>()],
        middleware: middleware::NAMES.to_vec(),
        ..Registry::default()
    }
}

/// What a wxbot of last month has left: handled events and sent replies, each with a body of its time.
async fn last_month(store: &dyn Store, now_ms: i64) {
    let (account, then) = (name(0).parse::<wxbot_model::AccountName>().unwrap(), now_ms - 31 * 86_400_000);
    for part in 0..OLD / 100 {
        let row = |n: usize| NewRow {
            key: format!("old{part}-{n}").parse().unwrap(),
            conv: format!("p{}", 900 + n % 9).parse().unwrap(),
            kind: "text",
            body: "x".repeat(500).into(),
            echo: None,
        };
        let (rows, account) = ((0..100).map(row).collect(), account.clone());
        let batch = Accept {
            account,
            rows,
            cursor: None,
            sealed: None,
            contacts: Vec::new(),
            opens: Vec::new(),
            claim: 0,
            now_ms: then,
        };
        for seq in store.accept(batch).await.unwrap().seqs {
            let send = NewSend {
                plugin: Arc::from("echo"),
                ord: 0,
                conv: "p900".parse().unwrap(),
                client_id: seq.unwrap().to_string().parse().unwrap(),
                body: "y".repeat(300),
                echo: 0,
                media: None,
            };
            let finish = Finish {
                seq: seq.unwrap(),
                account: name(0).parse().unwrap(),
                note: None,
                sends: vec![send],
                swaps: Vec::new(),
                kv: Vec::new(),
                timers: Vec::new(),
                direct: None,
                now_ms: then,
            };
            store.finish(finish).await.unwrap();
        }
    }
}

struct Day {
    sim: Sim,
    source: Source,
    runtime: Runtime,
    file: PathBuf,
    /// How much each friend of each account has written.
    said: HashMap<(usize, usize), usize>,
    /// What came back, of what was forgotten by the simulator since.
    heard: HashMap<(String, String), usize>,
    relogins: usize,
    _lock: DataDir,
    _folder: tempfile::TempDir,
}

impl Day {
    async fn begin() -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        let lock = DataDir::open(&data).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&lock).unwrap());
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let source = Source::seeded(7, now_s);
        last_month(&*store, source.now_ms()).await;
        // Sent long ago, each of them.
        rusqlite::Connection::open(data.join("queue.db")).unwrap().execute("UPDATE outbox SET state = 3", []).unwrap();
        let sim = Sim::new(world());
        let registry = registry();
        let loaded = config::parse(&bot_toml(), Path::new("bot.toml"), &registry).unwrap_or_else(|e| panic!("{e}"));
        let mode =
            Mode { desktop: false, client_version: String::new(), extspam: String::new(), user_agent: String::new() };
        let settings = Settings { endpoint: Some("http://sim.invalid".parse().unwrap()), mode, mark_read: false };
        let way =
            || Arc::new(WebWx::new(settings.clone(), sim.transport(), source.clone())) as Arc<dyn wxbot_core::Protocol>;
        let accounts = loaded.config.accounts.into_iter().map(|account| (account, way())).collect();
        let media =
            MediaFolder::open(&data, Arc::clone(&store), source.clone(), MediaSettings::default()).await.unwrap();
        let vault = Arc::new(Vault::open(&data).unwrap());
        let parts = Ingredients { accounts, store, vault, media, source: source.clone(), works: true };
        let mut runtime = Runtime::start(parts).await.unwrap();
        runtime.keep_free(data.clone(), 1 << 20);
        let day = Self {
            sim,
            source,
            runtime,
            file: data.join("queue.db"),
            said: HashMap::new(),
            heard: HashMap::new(),
            relogins: 0,
            _lock: lock,
            _folder: folder,
        };
        let accounts = day.runtime.accounts();
        let asks: Vec<_> = accounts.iter().map(|account| account.ask_login()).collect();
        for (n, account) in accounts.iter().enumerate() {
            // Whose phone scans which code is the test's to say.
            let uuid = loop {
                let phase = account.status().borrow().phase.clone();
                if let wxbot_runtime::session::phase::Phase::AwaitingScan { uuid, .. } = phase {
                    break uuid;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            day.sim.scan(&uuid, &name(n)).unwrap();
            day.sim.confirm(&uuid).ok();
            day.online(n).await;
        }
        drop(asks);
        day
    }

    async fn online(&self, account: usize) {
        let mut status = self.runtime.accounts()[account].status();
        let online = status.wait_for(|status| status.phase.word() == "online");
        let came = tokio::time::timeout(Duration::from_secs(3_600), online).await.is_ok();
        assert!(came, "{}: {:?}", name(account), self.runtime.accounts()[account].status().borrow());
    }

    fn say(&mut self, account: usize, friend: usize) {
        let said = self.said.entry((account, friend)).or_default();
        *said += 1;
        self.sim.deliver(&name(account), Deliver::text(format!("f{friend}"), format!("f{friend} {said}"))).unwrap();
    }

    /// One hour: in each minute some of the accounts hear something.
    async fn hour(&mut self, hour: usize) {
        for minute in 0..60 {
            for account in 0..ACCOUNTS {
                let times = if hour == 0 { AT_FIRST } else { usize::from(account % EVERY == minute % EVERY) };
                for time in 0..times {
                    self.say(account, (hour + minute / EVERY + time) % FRIENDS);
                }
            }
            // Somebody else has taken the session over, and the phone is asked. Not while the account hears something:
            // what the service has not handed over by then it never does, and nobody can have lost it.
            let account = hour % ACCOUNTS;
            if minute == 30 + (account + 2) % EVERY && hour % 3 == 1 {
                self.sim.expire(&name(account), 1101).unwrap();
                self.relogins += 1;
            }
            // The owner, or a time server, corrects the clock.
            match (hour, minute) {
                (6, 10) => self.source.set_by(2 * 3_600_000),
                (12, 10) => self.source.set_by(-3_600_000),
                _ => {}
            }
            tokio::time::sleep(MINUTE).await;
        }
        self.take_stock();
    }

    /// Reads the simulator's journal, in the order of each chat, and lets it forget.
    fn take_stock(&mut self) {
        for sent in self.sim.journal().sends {
            let (friend, number) = sent.content.split_once(' ').unwrap();
            assert_eq!(friend, sent.to, "{sent:?}");
            let heard = self.heard.entry((sent.account.clone(), sent.to.clone())).or_default();
            *heard += 1;
            assert_eq!(number, heard.to_string(), "lost, twice or out of order: {sent:?}");
        }
        self.sim.forget();
    }

    fn rows(&self, query: &str) -> u64 {
        rusqlite::Connection::open(&self.file).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
    }
}

#[test]
fn a_day_in_a_minute_leaves_memory_and_handles_as_they_were() {
    // By huge pages memory grows and shrinks by chance, and those that are there stay: so in a process that never has any.
    if !rustix::thread::transparent_huge_pages_are_disabled().unwrap() {
        rustix::thread::disable_transparent_huge_pages(true).unwrap();
        let again =
            std::process::Command::new(std::env::current_exe().unwrap()).args(std::env::args_os().skip(1)).status();
        assert!(again.unwrap().success(), "see above");
        return;
    }
    let begun = tokio::time::Instant::now();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .start_paused(true)
        .build()
        .unwrap();
    tokio.block_on(async {
        let mut day = Day::begin().await;
        assert_eq!(day.rows("SELECT count(*) FROM inbox WHERE src_key LIKE 'old%'"), OLD as u64);
        day.hour(0).await;
        let (after_one, open) = (memory(), handles());
        for hour in 1..HOURS {
            day.hour(hour).await;
            println!("hour {hour}: {:.2} MiB", memory() / 1_048_576.0);
        }
        let (after_all, still) = (memory(), handles());
        let grown = after_all / after_one - 1.0;
        println!(
            "{:.1} MiB after one hour, {:+.1} % after {HOURS}; {open} handles, then {still}; {} logins anew",
            after_one / 1_048_576.0,
            grown * 100.0,
            day.relogins
        );
        assert!(grown <= GROWTH, "memory grew by {:.1} %", grown * 100.0);
        assert!(still <= open, "{still} handles are open, {open} were");

        // The last answers may be on their way.
        tokio::time::sleep(5 * MINUTE).await;
        day.take_stock();
        let said: usize = day.said.values().sum();
        assert_eq!(day.heard.values().sum::<usize>(), said, "everything was answered, once");
        let states = day.rows("SELECT count(*) FROM inbox WHERE state < 3 OR state = 4")
            + day.rows("SELECT count(*) FROM outbox WHERE state <> 3");
        assert_eq!(states, 0, "nothing waits, nothing was given up, nothing is uncertain");
        assert_eq!(
            day.rows("SELECT count(*) FROM inbox WHERE src_key LIKE 'old%'"),
            0,
            "what is past its time is swept"
        );
        assert_eq!(day.rows("SELECT count(*) FROM outbox WHERE created_at < (SELECT min(recv_at) FROM inbox)"), 0);
        for account in 0..ACCOUNTS {
            day.online(account).await;
        }
        assert!(day.sim.violations().iter().all(|violation| !violation.hard), "{:?}", day.sim.violations());
        day.runtime.stop(Patience::TERMINAL).await;
    });
    println!("a day in {:.1?}", begun.elapsed());
}
