//! `wxbot run`: the main job. Opens the place, builds the accounts, shows the start, waits for a signal, stops.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal as unix_signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use wxbot_core::http::HttpTransport;
use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_runtime::account::Account;
use wxbot_runtime::config::{AccountConfig, Endpoint, MediaSettings, Registry};
use wxbot_runtime::runtime::{Ingredients, Patience, Runtime};
use wxbot_runtime::session::phase::Phase;

use crate::args::Args;
use crate::control::{self, Served};
use crate::demo::Demo;
use crate::login::show_qr;
use crate::place::{Place, data_dir, read_config};
use crate::registry;
use crate::report::{Failure, OrExit, chain, say};
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

/// A runtime with the simulator its accounts may need.
pub(crate) struct Built {
    pub(crate) runtime: Runtime,
    demo: Option<Demo>,
    demo_accounts: Vec<Arc<Account>>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Built {
    pub(crate) fn play_demo(&mut self, show: bool) {
        if let Some(demo) = self.demo.take() {
            demo.play(&mut self.tasks, std::mem::take(&mut self.demo_accounts), show, &self.stop);
        }
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
    registry: Registry,
    accounts: Vec<AccountConfig>,
    place: &Place,
    media: MediaSettings,
    works: bool,
) -> Result<Built, Failure> {
    let source = Source::system();
    let media = place.media(media, source.clone()).await?;
    let simulated: Vec<String> =
        accounts.iter().filter(|a| a.endpoint == Some(Endpoint::Sim)).map(|a| a.name.to_string()).collect();
    let demo = if simulated.is_empty() { None } else { Some(Demo::start(&simulated, source.random_u64()).await?) };
    // The simulator's world is new at each start, so what was saved of the last one is no session of this one.
    for account in accounts.iter().filter(|a| a.endpoint == Some(Endpoint::Sim)) {
        place.store.set_session_aside(&account.name).await.or_exit("cannot prepare the simulated accounts")?;
    }
    // Accounts with the same proxy share a carrier, and so its connections.
    let mut carriers: HashMap<Option<Url>, Arc<dyn Transport>> = HashMap::new();
    let mut built = Vec::new();
    for account in accounts {
        let transport = match carriers.get(&account.proxy) {
            Some(transport) => Arc::clone(transport),
            None => {
                let made: Arc<dyn Transport> = Arc::new(
                    HttpTransport::new(account.proxy.as_ref())
                        .map_err(|e| Failure::new(format!("account `{}`: {}", account.name, chain(&e))))?,
                );
                carriers.insert(account.proxy.clone(), Arc::clone(&made));
                made
            }
        };
        let endpoint = match &account.endpoint {
            Some(Endpoint::Sim) => demo.as_ref().map(|d| d.url.clone()),
            Some(Endpoint::Url(url)) => Some(url.clone()),
            None => None,
        };
        let protocol = registry::protocol(&account, endpoint, transport, &source);
        built.push((account, protocol));
    }
    let parts = Ingredients {
        accounts: built,
        registry: Arc::new(registry),
        store: Arc::clone(&place.store),
        vault: Arc::clone(&place.vault),
        media,
        source,
        works,
    };
    let runtime = Runtime::start(parts).await.map_err(|e| Failure::new(chain(&e)))?;
    let demo_accounts =
        runtime.accounts().iter().filter(|a| simulated.contains(&a.name.to_string())).cloned().collect();
    Ok(Built { runtime, demo, demo_accounts, tasks: JoinSet::new(), stop: CancellationToken::new() })
}

pub(crate) fn run(registry: Registry, args: &Args) -> Result<(), Failure> {
    let config = read_config(&registry, args)?;
    let dir = data_dir(&config, args);
    let accounts: Vec<AccountConfig> = config.accounts.into_iter().filter(|a| a.enabled).collect();
    if accounts.is_empty() {
        return Err(Failure::new(format!("every account in {} is disabled", args.config.display())));
    }
    let lang = Lang::of_environment();
    let tokio = tokio_runtime()?;
    let done = tokio.block_on(async {
        let place = Place::open_patiently(&dir).await?;
        say(&welcome(lang, args, &registry, &accounts, &dir));
        let mut built = build(registry, accounts, &place, config.media, true).await?;
        let served = Served {
            accounts: Arc::new(built.runtime.accounts().to_vec()),
            store: Arc::clone(&place.store),
            media: Arc::clone(built.runtime.media()),
        };
        let (stop, socket_dir) = (built.stop.clone(), place.dir.path().to_owned());
        built.tasks.spawn(async move {
            if let Err(error) = control::serve(&socket_dir, served, stop).await {
                tracing::error!(%error, "The control socket is not served; `wxbot login` and `accounts` cannot reach this wxbot.");
            }
        });
        let terminal = std::io::stderr().is_terminal();
        let simulated: Vec<String> = built.demo_accounts.iter().map(|a| a.name.to_string()).collect();
        built.play_demo(true);
        for account in built.runtime.accounts().to_vec() {
            if terminal {
                let scripted = simulated.contains(&account.name.to_string());
                let (stop, shown) = (built.stop.clone(), show_states(lang, Arc::clone(&account), scripted));
                built.tasks.spawn(async move { stop.run_until_cancelled(shown).await.unwrap_or_default() });
            }
        }
        if terminal {
            let waiting = built.runtime.accounts().iter().filter(|a| !simulated.contains(&a.name.to_string())).cloned().collect();
            let stop = built.stop.clone();
            built.tasks.spawn(async move { stop.run_until_cancelled(offer_logins(waiting)).await.unwrap_or_default() });
        }
        let first = signal().await;
        say(lang.pick("stopping; once more to stop at once", "正在停止;再按一次立即退出"));
        let (patience, code) = match first {
            Signal::Interrupt => (Patience::TERMINAL, 130),
            Signal::Terminate => (Patience::SERVICE, 143),
        };
        tokio::select! {
            () = built.stop(patience) => Ok(()),
            // As safe as kill -9: everything accepted is on disk.
            _ = signal() => std::process::exit(code),
        }
    });
    // Standard input is read on a blocking thread that only Enter would end.
    tokio.shutdown_background();
    done
}

/// The first screen, under fifteen lines whatever the number of accounts.
fn welcome(lang: Lang, args: &Args, registry: &Registry, accounts: &[AccountConfig], dir: &std::path::Path) -> String {
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
    let plugins: Vec<String> =
        registry.plugins.iter().map(|p| format!("{} {}", p.manifest.id, p.manifest.version)).collect();
    lines.push(format!("{}  {}", lang.pick("plugins", "插件"), plugins.join(", ")));
    lines.push(format!(
        "{}  {} {}",
        lang.pick("data", "数据"),
        dir.display(),
        lang.pick(
            "(sessions sealed with a key file there: that protects backups only)",
            "(会话用其中的密钥文件加密:只保护备份)"
        )
    ));
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
        let parts = [now.why.as_str(), now.todo.as_str()];
        let details = parts.iter().filter(|t| !t.is_empty()).copied().collect::<Vec<_>>().join("; ");
        let line = format!("● {} {} {details}", account.name, lang.state(now.phase.word()));
        let login = matches!(now.phase, Phase::NeedsLogin | Phase::AwaitingScan { .. } | Phase::AwaitingConfirm);
        if line != last && now.phase != Phase::Starting && !(scripted && login) {
            say(line.trim_end());
            last = line;
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// A person sits at the terminal: accounts without a session show their code, one after another.
async fn offer_logins(accounts: Vec<Arc<Account>>) {
    for account in accounts {
        let mut status = account.status();
        let settled = status.wait_for(|s| s.phase != Phase::Starting).await.map(|s| s.phase.clone());
        if !matches!(settled, Ok(Phase::NeedsLogin | Phase::LoggedOut)) {
            continue;
        }
        control::follow_login(&account, &|line| {
            let text = |key: &str| line.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            if text("event") == "qr" {
                show_qr(&text("account"), &text("url"), &text("image_url"));
            }
        })
        .await;
    }
}
