//! `wxbot run`: the main job. Opens the place, builds the accounts, shows the start, waits for a signal, stops.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal as unix_signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use wxbot_core::http::HttpTransport;
use wxbot_core::protocol::Protocol;
use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_model::AccountName;
use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::account::Account;
use wxbot_runtime::alerts::{self, AlertSettings, Watched};
use wxbot_runtime::archive::Archiver;
use wxbot_runtime::config::{AccountConfig, Endpoint, MediaSettings, Registry};
use wxbot_runtime::plan::{Change, Plan};
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::session::cure::Cure;
use wxbot_runtime::session::phase::Phase;
use wxbot_runtime::store::seal::KeySource;
use wxbot_runtime::store::sqlite::SqliteArchive;
use wxbot_runtime::store::{Store, StoreError};

use crate::alerts::Courier;
use crate::args::{Args, RunOptions};
use crate::control::{self, Served};
use crate::demo::Demo;
use crate::handover;
use crate::inherited;
use crate::key;
use crate::login::show_qr;
use crate::place::{Place, data_dir, read_config};
use crate::registry;
use crate::reload::Reloader;
use crate::report::{Failure, OrExit, chain, say};
use crate::server::{self, Around};
use crate::spooled;
use crate::watch::{self as changes, ASKS, Ask, Watcher, hang_ups, print_of};
use crate::words::Lang;

/// Threads for what blocks: the store's writer and readers, name look-ups, standard input. Each costs memory of its
/// own, and more than a handful never have work at the same time.
const BLOCKING_THREADS: usize = 8;

/// The runtime all commands use: a thread per core.
pub(crate) fn tokio_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .or_exit("cannot start the async runtime")
}

/// Which signal told us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

/// Ctrl-C and SIGTERM, listened to from the moment this is made: before that they end the process at once.
struct Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind, name: &str| unix_signal(kind).or_exit(&format!("cannot listen for {name}"));
        Ok(Self(listen(SignalKind::interrupt(), "SIGINT")?, listen(SignalKind::terminate(), "SIGTERM")?))
    }

    /// The next one, also when it came before this was asked.
    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.0.recv() => Signal::Interrupt,
            _ = self.1.recv() => Signal::Terminate,
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn signal() -> Signal {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (unix_signal(SignalKind::interrupt()), unix_signal(SignalKind::terminate()))
    else {
        // Without handlers the default action ends the process, which is as safe as kill -9.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Signal::Interrupt,
        _ = terminate.recv() => Signal::Terminate,
    }
}

/// How long the tasks around the runtime may take to end.
const TASKS_END_WITHIN: Duration = Duration::from_millis(500);

/// A runtime with the simulator its accounts may need, and the tasks around it.
pub(crate) struct Built {
    pub(crate) runtime: Runtime,
    ways: Ways,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// Ends what was spawned for an account's session.
    attendants: HashMap<AccountName, CancellationToken>,
    /// Whether somebody is there to read states and talk.
    shown: Option<Lang>,
    /// Who is told when something is wrong.
    alerts: watch::Sender<Option<AlertSettings>>,
}

/// How accounts reach their services.
struct Ways {
    source: Source,
    /// Accounts with the same proxy share a carrier, and so its connections.
    carriers: HashMap<Option<Url>, Arc<dyn Transport>>,
    demo: Option<Demo>,
    /// What accounts that are pushed to need to know.
    around: Around,
    /// Accounts that the simulator does not know from before, and whose saved sessions are of an earlier one.
    fresh: HashSet<AccountName>,
}

impl Ways {
    fn protocol(&mut self, account: &AccountConfig) -> Result<Arc<dyn Protocol>, wxbot_core::Error> {
        let transport = match self.carriers.get(&account.proxy) {
            Some(transport) => Arc::clone(transport),
            None => {
                let made: Arc<dyn Transport> = Arc::new(HttpTransport::new(account.proxy.as_ref())?);
                self.carriers.insert(account.proxy.clone(), Arc::clone(&made));
                made
            }
        };
        let endpoint = match &account.endpoint {
            Some(Endpoint::Sim) => self.demo.as_ref().map(|demo| demo.url(&account.protocol)),
            Some(Endpoint::Url(url)) => Some(url.clone()),
            None => None,
        };
        registry::protocol(account, endpoint, transport, &self.source, &self.around)
    }

    /// Has a simulator with these accounts, where there are any on it. Those that it did not have yet are fresh.
    async fn simulate(&mut self, accounts: &[AccountConfig]) -> Result<(), Failure> {
        for account in accounts.iter().filter(|account| is_simulated(account)) {
            let demo = match &mut self.demo {
                Some(demo) => demo,
                None => self.demo.insert(Demo::start(self.source.random_u64()).await?),
            };
            if !demo.has(account.name.as_str(), &account.protocol) {
                demo.add(account.name.as_str(), &account.protocol)?;
                self.fresh.insert(account.name.clone());
            }
        }
        Ok(())
    }

    /// Sets the saved sessions of fresh accounts aside, which nothing has been asked with: the simulator's world is new
    /// at each start. Those that `running` names have sessions of now.
    async fn set_aside(
        &mut self,
        accounts: &[AccountConfig],
        running: impl Fn(&AccountName) -> bool,
        store: &Arc<dyn Store>,
    ) -> Result<(), StoreError> {
        for account in accounts.iter().filter(|account| is_simulated(account)) {
            if self.fresh.contains(&account.name) && !running(&account.name) {
                store.set_session_aside(&account.name).await?;
            }
            self.fresh.remove(&account.name);
        }
        Ok(())
    }
}

fn is_simulated(account: &AccountConfig) -> bool {
    account.enabled && account.endpoint == Some(Endpoint::Sim)
}

impl Built {
    /// Begins what goes on around the accounts: the simulator with its phones, and with `show` what people see.
    pub(crate) fn attend(&mut self, show: bool) {
        self.shown = show.then(Lang::of_environment);
        let accounts = self.runtime.accounts();
        for account in accounts.iter() {
            self.attend_one(account);
        }
        if self.shown.is_some() && std::io::stderr().is_terminal() {
            self.offer(accounts.iter().cloned().collect());
        }
    }

    /// Once for each session of an account that begins with other settings.
    fn attend_one(&mut self, account: &Arc<Account>) {
        let stop = self.stop.child_token();
        if let Some(before) = self.attendants.insert(account.name.clone(), stop.clone()) {
            before.cancel();
        }
        let simulated = account.is_simulated();
        if let Some(demo) = self.ways.demo.as_mut().filter(|_| simulated) {
            demo.serve(&mut self.tasks, self.shown.is_some(), &self.stop);
            demo.attend(&mut self.tasks, account, stop.clone());
        }
        if let Some(lang) = self.shown.filter(|_| std::io::stderr().is_terminal()) {
            let states = show_states(lang, Arc::clone(account), simulated);
            self.tasks.spawn(async move { stop.run_until_cancelled(states).await.unwrap_or_default() });
        }
    }

    fn offer(&mut self, accounts: Vec<Arc<Account>>) {
        let waiting = accounts.into_iter().filter(|account| !account.is_simulated()).collect();
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(offer_logins(waiting)).await.unwrap_or_default() });
    }

    /// Watches whether somebody must be told that something is wrong, as `[alerts]` says, until the end.
    fn watch_over(&mut self, place: &Place, file: &std::path::Path) -> Result<(), Failure> {
        let (data, folder) =
            (place.dir.path().to_owned(), file.parent().unwrap_or(std::path::Path::new("")).to_owned());
        let courier = Courier::new(self.runtime.roster(), folder, data.clone()).map_err(|e| Failure::new(chain(&e)))?;
        let watched = Watched {
            roster: self.runtime.roster(),
            store: Arc::clone(&place.store),
            dir: data,
            source: self.ways.source.clone(),
            settings: self.alerts.subscribe(),
            memory: courier.memory(),
        };
        self.tasks.spawn(alerts::watch::run(watched, Arc::new(courier), self.stop.clone()));
        Ok(())
    }

    /// Has these alerts in force from now on; true when they are others than before.
    pub(crate) fn tell_by(&self, settings: Option<AlertSettings>) -> bool {
        self.alerts.send_if_modified(|old| {
            let differs = *old != settings;
            *old = settings;
            differs
        })
    }

    /// Makes these the accounts that run.
    ///
    /// Cancel safe: dropped before it is ready, nothing was changed.
    pub(crate) async fn reload(&mut self, accounts: &[AccountConfig], place: &Place) -> Result<Plan, String> {
        while self.tasks.try_join_next().is_some() {}
        self.ways.simulate(accounts).await.map_err(|failure| failure.to_string())?;
        let way = |account: &AccountConfig| self.ways.protocol(account).map_err(Into::into);
        let prepared = self.runtime.prepare(accounts, way).await.map_err(|error| chain(&error))?;
        // The last thing that can fail, and before any session begins.
        let running = self.runtime.accounts();
        let running = |name: &AccountName| running.iter().any(|account| account.name == *name);
        self.ways.set_aside(accounts, running, &place.store).await.map_err(|error| chain(&error))?;
        let plan = self.runtime.apply(prepared);
        self.ways.carriers.retain(|proxy, _| accounts.iter().any(|account| account.enabled && account.proxy == *proxy));
        self.attendants.retain(|name, _| plan.change(name) != Some(&Change::Removed));
        let mut begun = Vec::new();
        for account in self.runtime.accounts().iter() {
            if matches!(plan.change(&account.name), Some(Change::Added | Change::Session(_))) {
                self.attend_one(account);
                begun.push(Arc::clone(account));
            }
        }
        if !begun.is_empty() && self.shown.is_some() && std::io::stderr().is_terminal() {
            self.offer(begun);
        }
        Ok(plan)
    }

    pub(crate) async fn stop(mut self, patience: Patience) {
        self.runtime.stop(patience).await;
        self.stop.cancel();
        // They end by themselves, and the control socket takes its file along; what does not is cut off.
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(TASKS_END_WITHIN, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Builds the accounts and starts them.
///
/// With `works` false they only log in and take what comes.
pub(crate) async fn build(
    accounts: Vec<AccountConfig>,
    place: &Place,
    media: MediaSettings,
    works: bool,
    around: Around,
) -> Result<Built, Failure> {
    let source = Source::system();
    let media = place.media(media, source.clone()).await?;
    let mut ways = Ways { source: source.clone(), carriers: HashMap::new(), demo: None, around, fresh: HashSet::new() };
    ways.simulate(&accounts).await?;
    ways.set_aside(&accounts, |_| false, &place.store).await.or_exit("cannot prepare the simulated accounts")?;
    let mut built = Vec::new();
    for account in accounts {
        let protocol =
            ways.protocol(&account).map_err(|e| Failure::new(format!("account `{}`: {}", account.name, chain(&e))))?;
        built.push((account, protocol));
    }
    let parts = Ingredients {
        accounts: built,
        store: Arc::clone(&place.store),
        vault: Arc::clone(&place.vault),
        media,
        source,
        works,
    };
    let runtime = Runtime::start(parts).await.map_err(|e| Failure::new(chain(&e)))?;
    let (tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let alerts = watch::Sender::new(None);
    Ok(Built { runtime, ways, tasks, stop, attendants: HashMap::new(), shown: None, alerts })
}

pub(crate) fn run(registry: Registry, args: &Args, options: &RunOptions) -> Result<(), Failure> {
    // Before there are threads. Those of a keeper are its ingress's.
    let kept = if options.kept { Some(handover::take()?) } else { None };
    let inherited = if options.kept { Vec::new() } else { inherited::take()? };
    // Before it is read, so that a change in between is one.
    let before = print_of(&args.config, &[]);
    let config = read_config(&registry, args)?;
    let seen = before.and_then(|_| print_of(&args.config, &config.libraries));
    let dir = data_dir(&config, args);
    let accounts: Vec<AccountConfig> = config.accounts.iter().filter(|a| a.enabled).cloned().collect();
    if accounts.is_empty() {
        return Err(Failure::new(format!("every account in {} is disabled", args.config.display())));
    }
    let lang = Lang::of_environment();
    let tokio = tokio_runtime()?;
    let done = tokio.block_on(async {
        // A limit on the size of files is a full disk, which is borne, and no reason to be killed.
        let _handled = unix_signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
        // From here on a SIGHUP ends nothing, even before there is something to reload.
        let mut signals = Signals::listen()?;
        let hang_up = unix_signal(SignalKind::hangup()).or_exit("cannot listen for SIGHUP")?;
        let place = Place::open_patiently(&dir).await?;
        place.store.set_keep(config.keep);
        say(&welcome(lang, args, &registry, &accounts, (&dir, &place.key)));
        key::log(&place.key, &dir, place.vault.has_older_key());
        let server = match kept {
            Some(_) => None,
            None => server::bind(&config.server, &accounts, inherited).await?,
        };
        let mut around = Around::of(&config.file, place.dir.path());
        if let Some(server) = &server {
            (around.base, around.listens) = (server::base_of(server.address().ok()), true);
        }
        if let Some(base) = kept.as_ref().and_then(|kept| kept.base.clone()) {
            (around.base, around.listens) = (base, true);
        }
        // Only an address of the network can be tried out.
        let base = around.listens.then(|| around.base.clone()).filter(|base| base != server::UNKNOWN_BASE);
        let mut built = build(accounts, &place, config.media, true, around).await?;
        built.runtime.keep_free(place.dir.path().to_owned(), config.store.reserve);
        if let Some(server) = server {
            let (roster, stop) = (Arc::new(built.runtime.roster()), built.stop.clone());
            built.tasks.spawn(async move { server.serve(roster, stop).await });
        }
        let keeper_gone = CancellationToken::new();
        if let Some(kept) = kept {
            let gone = keeper_gone.clone();
            let watched = async move {
                kept.keeper.gone().await;
                tracing::warn!("The keeper is gone; wxbot stops.");
                gone.cancel();
            };
            let stop = built.stop.clone();
            built.tasks.spawn(async move { stop.run_until_cancelled(watched).await.unwrap_or_default() });
            if kept.base.is_some() {
                let (roster, dir, stop) = (built.runtime.roster(), place.dir.path().to_owned(), built.stop.clone());
                built.tasks.spawn(spooled::follow(roster, dir, stop));
            }
        }
        let archive = SqliteArchive::open(&place.dir).or_exit("cannot open the archive")?;
        let (store, roster) = (Arc::clone(&place.store), built.runtime.roster());
        let archiver = Arc::new(Archiver::new(Arc::new(archive), store, roster, Source::system(), config.archive));
        let archiving = built.stop.clone();
        built.tell_by(config.alerts.clone());
        built.watch_over(&place, &config.file)?;
        let (asks, mut asked) = mpsc::channel(ASKS);
        let served = Served {
            accounts: built.runtime.roster(),
            store: Arc::clone(&place.store),
            media: Arc::clone(built.runtime.media()),
            dir: place.dir.path().to_owned(),
            archiver: Arc::clone(&archiver),
            asks: asks.clone(),
            server: base,
        };
        let archiving = archiving.child_token();
        built.tasks.spawn(async move { archiver.run(archiving).await });
        let (stop, socket_dir) = (built.stop.clone(), place.dir.path().to_owned());
        built.tasks.spawn(async move {
            if let Err(error) = control::serve(&socket_dir, served, stop).await {
                tracing::error!(%error, "The control socket is not served; `wxbot login`, `accounts` and `reload` cannot reach this wxbot.");
            }
        });
        let (stop, gone) = (built.stop.clone(), CancellationToken::new());
        let hang_ups = hang_ups(hang_up, asks.clone(), gone.clone());
        built.tasks.spawn(async move { stop.run_until_cancelled(hang_ups).await.unwrap_or_default() });
        let mut watcher = changes::watch(&args.config, asks.clone())
            .inspect_err(|error| tracing::warn!(%error, "Changes of the configuration are not seen; `wxbot reload` and SIGHUP work."));
        // What was changed since it was read, and before it was watched.
        asks.try_send(Ask::File).ok();
        built.attend(true);
        let mut reloader = Reloader::new(&registry, args, &place, lang, config, seen);
        let first = {
            let ended = async {
                tokio::select! {
                    signal = signals.next() => signal,
                    () = gone.cancelled() => Signal::Terminate,
                    () = keeper_gone.cancelled() => Signal::Terminate,
                }
            };
            let mut ended = std::pin::pin!(ended);
            loop {
                let ask = tokio::select! {
                    first = &mut ended => break first,
                    Some(ask) = asked.recv() => ask,
                };
                tokio::select! {
                    first = &mut ended => break first,
                    () = reloader.answer(&mut built, ask) => {}
                }
                if let Ok(watcher) = &mut watcher {
                    watcher.follow(reloader.libraries());
                }
                if watcher.as_mut().is_ok_and(Watcher::renew) {
                    asks.try_send(Ask::File).ok();
                }
            }
        };
        drop(watcher);
        say(lang.pick("stopping; once more to stop at once", "正在停止;再按一次立即退出"));
        let (patience, code) = match first {
            Signal::Interrupt => (Patience::TERMINAL, 130),
            Signal::Terminate => (Patience::SERVICE, 143),
        };
        tokio::select! {
            () = built.stop(patience) => Ok(()),
            // As safe as kill -9: everything accepted is on disk.
            _ = signals.next() => std::process::exit(code),
        }
    });
    // Standard input is read on a blocking thread that only Enter would end.
    tokio.shutdown_background();
    done
}

/// The first screen, under fifteen lines whatever the number of accounts.
fn welcome(
    lang: Lang,
    args: &Args,
    registry: &Registry,
    accounts: &[AccountConfig],
    (dir, source): (&std::path::Path, &KeySource),
) -> String {
    let mut lines = vec![format!("wxbot {} · {}", env!("CARGO_PKG_VERSION"), args.config.display())];
    for account in accounts.iter().take(6) {
        let way = match &account.endpoint {
            Some(Endpoint::Sim) => lang.pick("built-in simulator", "内置模拟器").to_owned(),
            Some(Endpoint::Url(url)) => url.origin().ascii_serialization(),
            None if account.protocol == "console" && std::io::stdin().is_terminal() => {
                lang.pick("type here and press Enter", "在此输入并回车").to_owned()
            }
            None if account.protocol == "console" => lang.pick("no terminal: it idles", "没有终端,空闲").to_owned(),
            None => lang.pick("the real service", "真实服务").to_owned(),
        };
        let plugins: Vec<&str> = account.plugins.iter().map(|p| p.id.as_str()).collect();
        lines.push(format!("  {:<10} {:<8} {way} · {}", account.name.as_str(), account.protocol, plugins.join(", ")));
    }
    if accounts.len() > 6 {
        lines.push(format!("  … {} {}", accounts.len() - 6, lang.pick("more accounts", "个更多账号")));
    }
    // Those from files stand in no registry but the accounts' own, and go before built-in ones of their name.
    let used = accounts.iter().flat_map(|account| &account.plugins).map(|one| &one.plugin);
    let mut all: Vec<&PluginFactory> = registry.plugins.iter().collect();
    for plugin in used.filter(|plugin| !plugin.build().is_empty()) {
        match all.iter_mut().find(|known| known.id() == plugin.id()) {
            Some(known) => *known = plugin,
            None => all.push(plugin),
        }
    }
    let plugins: Vec<String> = all.iter().map(|p| format!("{} {}", p.id(), p.manifest().version)).collect();
    lines.push(format!("{}  {}", lang.pick("plugins", "插件"), plugins.join(", ")));
    let sealed = key::told(source, lang).map(|told| format!(" {told}")).unwrap_or_default();
    lines.push(format!("{}  {}{sealed}", lang.pick("data", "数据"), dir.display()));
    lines.push(
        lang.pick("next: `wxbot accounts` shows states; Ctrl-C stops", "下一步:`wxbot accounts` 查看状态;Ctrl-C 停止")
            .to_owned(),
    );
    lines.join("\n")
}

/// One line per change of state. Of a `scripted` account, whose phone is ours, the login itself is no news.
async fn show_states(lang: Lang, account: Arc<Account>, scripted: bool) {
    let mut status = account.status();
    let mut last = String::new();
    loop {
        let now = status.borrow_and_update().clone();
        let todo = now.cure.tell(account.name.as_str(), lang.into());
        let parts = [now.why.as_str(), todo.as_str()];
        let details = parts.iter().filter(|t| !t.is_empty()).copied().collect::<Vec<_>>().join("; ");
        let line = format!("● {} {} {details}", account.name, lang.state(now.phase.word()));
        let login = matches!(
            now.phase,
            Phase::NeedsLogin | Phase::AwaitingScan { .. } | Phase::AwaitingConfirm | Phase::AwaitingCode { .. }
        );
        if line != last && now.phase != Phase::Starting && !(scripted && login) {
            say(line.trim_end());
            last = line;
        }
        // An account that was stopped starts as another one.
        if now.phase == Phase::Stopped || status.changed().await.is_err() {
            return;
        }
    }
}

/// A person sits at the terminal: accounts without a session show their code, one after another.
async fn offer_logins(accounts: Vec<Arc<Account>>) {
    for account in accounts {
        let mut status = account.status();
        let settled = status.wait_for(|s| s.phase != Phase::Starting).await.map(|s| s.phase.clone());
        // Whom risk control stopped gets no code before somebody asks for it by name.
        let stopped = matches!(status.borrow().cure, Cure::Rest | Cure::Trust);
        if stopped || !matches!(settled, Ok(Phase::NeedsLogin | Phase::LoggedOut)) {
            continue;
        }
        let (tell, mut told) = mpsc::channel::<serde_json::Value>(1);
        let show = async {
            while let Some(line) = told.recv().await {
                let text = |key: &str| line.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
                let lang = Lang::of_environment();
                match (text("event"), text("account")) {
                    ("qr", _) => show_qr(&line, lang),
                    // Standard input is the console account's.
                    ("code", account) => say(&match lang {
                        Lang::En => format!(
                            "{account}: the phone shows digits; give them from another shell: `wxbot login {account} --code DIGITS`"
                        ),
                        Lang::Zh => format!(
                            "{account}: 手机上显示了一串数字,请在另一个终端执行 `wxbot login {account} --code 数字`"
                        ),
                    }),
                    _ => {}
                }
            }
        };
        let follow = async move { control::follow_login(&account, &tell).await };
        tokio::join!(follow, show);
    }
}

#[cfg(test)]
mod tests {
    use wxbot_runtime::config;

    use super::*;

    #[tokio::test]
    async fn a_reload_that_is_refused_leaves_saved_sessions_to_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::open_patiently(&dir.path().join("data")).await.unwrap();
        let text = "[[accounts]]\nname = \"a\"\nprotocol = \"web\"\nendpoint = \"sim\"\n";
        let read = config::parse(text, std::path::Path::new("bot.toml"), &registry::bundled());
        let accounts = read.unwrap_or_else(|mistakes| panic!("{mistakes}")).config.accounts;
        let around = Around::of(std::path::Path::new("bot.toml"), std::path::Path::new("data"));
        let mut ways =
            Ways { source: Source::system(), carriers: HashMap::new(), demo: None, around, fresh: HashSet::new() };
        // The first time a plugin did not start, and nothing was put into force.
        ways.simulate(&accounts).await.unwrap();
        ways.simulate(&accounts).await.unwrap();
        assert_eq!(ways.fresh.len(), 1, "its session is still the one of an earlier simulator");
        ways.set_aside(&accounts, |_| false, &place.store).await.unwrap();
        ways.simulate(&accounts).await.unwrap();
        assert!(ways.fresh.is_empty(), "this one has to last");
    }
}
