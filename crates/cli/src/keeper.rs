//! `wxbot run --keeper`: who keeps the listening sockets open while others die? A parent that does nothing else.
//!
//! It binds the sockets, starts the ingress, which takes pushes, and the core, which is everything else, and starts again
//! what ends. Told to stop, it tells the core first, and the ingress when the core has ended.

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command as StdCommand, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal as Number, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal as unix_signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_runtime::config::{self, Config, Registry};
use wxbot_server::{Places, Settings, StartError};

use crate::args::Args;
use crate::handover;
use crate::inherited;
use crate::place::{self, data_dir};
use crate::report::{Failure, OrExit, chain, say};
use crate::server::{self, Around};
use crate::watch::{ASKS, hang_ups};
use crate::words::Lang;

/// Before the first restart, and after the last of a row.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// A child that lived so long begins its row anew.
const SOUND: Duration = Duration::from_secs(60);
/// How long the sockets may be another's: a child of a killed keeper lets go of them at once, but not in no time.
const BIND_PATIENCE: Duration = Duration::from_secs(5);
/// The exit codes by which a child says that it will end the same way each time: usage, configuration.
const HOPELESS: [i32; 2] = [2, 78];

/// Who is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Core,
    Ingress,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Ingress => "ingress",
        }
    }

    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Core => &["run", "--kept"],
            Self::Ingress => &["ingress"],
        }
    }
}

/// What children are made of.
#[derive(Debug)]
struct Nursery {
    program: PathBuf,
    args: Vec<std::ffi::OsString>,
    base: Option<String>,
    places: Option<Places>,
}

/// What may be said to us.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// How keeping one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// As it was told.
    Told(Option<i32>),
    /// Each start would end with this code.
    Hopeless(i32),
}

pub(crate) fn run(registry: &Registry, args: &Args) -> Result<(), Failure> {
    let inherited = inherited::take()?;
    let config = config::read_for_pushes(&args.config, registry).map_err(Failure::Config)?;
    let dir = data_dir(&config, args);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit("cannot start")?;
    let ended = tokio.block_on(async {
        let listen = |kind, name: &str| unix_signal(kind).or_exit(&format!("cannot listen for {name}"));
        let signals = Signals {
            interrupt: listen(SignalKind::interrupt(), "SIGINT")?,
            terminate: listen(SignalKind::terminate(), "SIGTERM")?,
            hang_up: listen(SignalKind::hangup(), "SIGHUP")?,
        };
        // Made, looked at and given back: it is the core's.
        drop(place::lock_patiently(&dir).await?);
        let places = if server::is_wanted(&config.server, &config.accounts) {
            Some(take_places(&server::settings(&config.server), inherited).await?)
        } else {
            say("nothing is pushed to these accounts: the keeper only starts wxbot again when it ends");
            None
        };
        let base = places.as_ref().map(|places| server::base_of(places.address()));
        make_addresses(&config, &dir, base.as_deref())?;
        let nursery = Nursery { program: program()?, args: passed_on(args), base, places };
        keep(&nursery, signals).await
    })?;
    match ended {
        Ended::Told(None | Some(0)) => Ok(()),
        Ended::Told(Some(code)) | Ended::Hopeless(code) => std::process::exit(code),
    }
}

/// What wxbot makes itself of addresses is made here, by one process.
fn make_addresses(config: &Config, dir: &std::path::Path, base: Option<&str>) -> Result<(), Failure> {
    let around = Around { base: base.unwrap_or_default().to_owned(), ..Around::of(&config.file, dir) };
    for account in config.accounts.iter().filter(|account| account.enabled && server::is_pushed(account)) {
        server::push_secrets(account, &around).map_err(Failure::new)?;
    }
    Ok(())
}

async fn take_places(settings: &Settings, inherited: Vec<wxbot_server::Inherited>) -> Result<Places, Failure> {
    let failed = |error: StartError| {
        Failure::new(format!("{}; is another wxbot running? `listen` in `[server]` says where", chain(&error)))
    };
    if !inherited.is_empty() {
        return Places::take(settings, inherited).map_err(failed);
    }
    let until = Instant::now() + BIND_PATIENCE;
    loop {
        match Places::take(settings, Vec::new()) {
            Err(StartError::Bind { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse && Instant::now() < until =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            taken => return taken.map_err(failed),
        }
    }
}

/// This program, also when another one has been put in its place since.
fn program() -> Result<PathBuf, Failure> {
    let ours = std::env::current_exe().or_exit("cannot tell where this program is")?;
    Ok(if ours.exists() { ours } else { PathBuf::from("/proc/self/exe") })
}

/// What was typed, for children.
fn passed_on(args: &Args) -> Vec<std::ffi::OsString> {
    let mut all = vec!["--config".into(), args.config.clone().into()];
    if let Some(dir) = &args.data_dir {
        all.extend(["--data-dir".into(), dir.clone().into()]);
    }
    if let Some(log) = &args.log {
        all.extend(["--log".into(), log.into()]);
    }
    if let Some(format) = args.log_format {
        all.extend(["--log-format".into(), format.word().into()]);
    }
    all
}

/// Keeps both until told to stop, or until the core cannot be started at all.
async fn keep(nursery: &Nursery, signals: Signals) -> Result<Ended, Failure> {
    let Signals { mut interrupt, mut terminate, hang_up } = signals;
    let (to_core, core_orders) = mpsc::channel(ASKS);
    let (to_ingress, ingress_orders) = mpsc::channel(ASKS);
    let core = tend(Role::Core, nursery, core_orders);
    let ingress = async {
        match nursery.places {
            Some(_) => tend(Role::Ingress, nursery, ingress_orders).await,
            None => Ok(Ended::Told(None)),
        }
    };
    let (asks, mut asked) = mpsc::channel(ASKS);
    let gone = CancellationToken::new();
    let orders = async {
        let hang_ups = hang_ups(hang_up, asks, gone.clone());
        tokio::pin!(hang_ups);
        let mut told = false;
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => Number::INT,
                _ = terminate.recv() => Number::TERM,
                () = gone.cancelled(), if !told => Number::TERM,
                Some(_) = asked.recv() => {
                    // Everybody reads the configuration again.
                    to_ingress.send(Number::HUP).await.ok();
                    Number::HUP
                }
                () = &mut hang_ups, if !gone.is_cancelled() => continue,
            };
            if number != Number::HUP && !told {
                told = true;
                say(Lang::of_environment().pick("stopping; once more to stop at once", "正在停止;再按一次立即退出"));
            }
            to_core.send(number).await.ok();
        }
    };
    let children = async {
        let core_ended = async {
            let ended = core.await;
            // It took pushes as long as there was somebody to drain.
            to_ingress.send(Number::TERM).await.ok();
            ended
        };
        let (core, ingress) = tokio::join!(core_ended, ingress);
        match (core?, ingress?) {
            (Ended::Told(_), Ended::Hopeless(code)) => Ok(Ended::Hopeless(code)),
            (core, _) => Ok(core),
        }
    };
    tokio::select! {
        ended = children => ended,
        () = orders => Ok(Ended::Told(None)),
    }
}

/// Starts it again whenever it ends, later each time, until it is told to end.
async fn tend(role: Role, nursery: &Nursery, mut orders: mpsc::Receiver<Number>) -> Result<Ended, Failure> {
    let child = role.word();
    let (mut wait, mut first) = (WAIT.0, true);
    loop {
        let began = Instant::now();
        let (mut process, _line) = nursery.start(role).or_exit(&format!("cannot start the {child}"))?;
        tracing::info!(child, pid = process.id(), "Started.");
        let mut told = false;
        let status = loop {
            tokio::select! {
                status = process.wait() => break status.or_exit(&format!("cannot wait for the {child}"))?,
                Some(number) = orders.recv() => {
                    told |= number != Number::HUP;
                    send(&process, number);
                }
            }
        };
        if told {
            tracing::info!(child, %status, "Ended, as it was told.");
            // One that was told before it could listen ended all the same, and nothing was lost.
            let early = [Number::TERM, Number::INT].map(Number::as_raw).map(Some).contains(&status.signal());
            return Ok(Ended::Told(code(status).filter(|_| !early)));
        }
        if let Some(code) = status.code().filter(|code| first && HOPELESS.contains(code)) {
            return Ok(Ended::Hopeless(code));
        }
        first = false;
        // Whoever is killed did nothing to deserve it: the next one may be well.
        if began.elapsed() >= SOUND || status.signal() == Some(Number::KILL.as_raw()) {
            wait = WAIT.0;
        }
        tracing::error!(child, %status, again_in = ?wait, "A child ended by itself; it is started again.");
        let until = Instant::now() + wait;
        wait = (wait * 2).min(WAIT.1);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => break,
                Some(number) = orders.recv() => if number != Number::HUP {
                    return Ok(Ended::Told(None));
                }
            }
        }
    }
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| status.signal().map(|number| 128 + number))
}

/// To a child that was not waited for, so that its number is nobody else's.
fn send(process: &Child, number: Number) {
    let pid = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, number)
    {
        tracing::warn!(%error, "A signal cannot be passed on.");
    }
}

impl Nursery {
    /// A new child, and the line whose end tells it that we are gone.
    fn start(&self, role: Role) -> io::Result<(Child, std::os::unix::net::UnixStream)> {
        let places = self.places.as_ref().filter(|_| role == Role::Ingress);
        let (ours, theirs) = handover::give(self.base.as_deref(), places)?;
        let mut command = StdCommand::new(&self.program);
        // Ctrl-C at a terminal goes to all processes of a group at once; children are told by us, one after the other.
        command.arg0("wxbot").args(&self.args).args(role.command()).stdin(theirs).process_group(0);
        Ok((Command::from(command).spawn()?, ours))
    }
}
