//! What do accounts with `endpoint = "sim"` live in? A simulated WeChat inside this process, whose friends talk.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use wxbot_runtime::account::Account;
use wxbot_runtime::session::phase::Phase;
use wxbot_sim::{AccountSpec, IlinkOutcome, IlinkSetup, IlinkSim, Sim, SimError, World};

use crate::report::{Failure, OrExit, print};

/// MsgType of what people write, and of what the service tells.
const TEXT: i64 = 1;
const SYSTEM_TEXT: i64 = 10_000;

const WORLD: &str = include_str!("demo.toml");

/// The demo's world.
pub(crate) fn world() -> Result<World, Failure> {
    World::from_toml(WORLD).or_exit("the demo's world cannot be read")
}

/// The simulators of this process and where they listen.
pub(crate) struct Demo {
    sim: Sim,
    ilink: IlinkSim,
    /// Of both, until they serve.
    listeners: Option<(TcpListener, TcpListener)>,
    web_url: Url,
    ilink_url: Url,
    /// The demo's own accounts that are not in the simulation.
    known: Vec<AccountSpec>,
    /// By name, and whether they are bots of iLink.
    there: HashSet<(String, bool)>,
}

/// Which of the simulators plays the service of this protocol.
fn is_ilink(protocol: &str) -> bool {
    protocol == "ilink"
}

/// A port of the kernel's choice, on loopback only.
async fn listen() -> Result<(TcpListener, Url), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.or_exit("cannot listen for the simulator")?;
    let address = listener.local_addr().or_exit("cannot tell the simulator's address")?;
    let url = Url::parse(&format!("http://{address}")).or_exit("cannot write the simulator's address")?;
    Ok((listener, url))
}

impl Demo {
    /// A simulator without accounts.
    pub(crate) async fn start(seed: u64) -> Result<Self, Failure> {
        let mut world = world()?;
        // Another seed each time: with the same one the same MsgIds would come again, and be absorbed as repeats.
        world.seed = seed;
        let known = std::mem::take(&mut world.accounts);
        let ((web, web_url), (ilink, ilink_url)) = (listen().await?, listen().await?);
        Ok(Self {
            ilink: IlinkSim::new(&world, IlinkSetup::default()),
            sim: Sim::new(world),
            listeners: Some((web, ilink)),
            web_url,
            ilink_url,
            known,
            there: HashSet::new(),
        })
    }

    /// Where the service of this protocol is.
    pub(crate) fn url(&self, protocol: &str) -> Url {
        if is_ilink(protocol) { self.ilink_url.clone() } else { self.web_url.clone() }
    }

    /// Whether this account is in the simulation.
    pub(crate) fn has(&self, name: &str, protocol: &str) -> bool {
        self.there.contains(&(name.to_owned(), is_ilink(protocol)))
    }

    /// Adds an account: one of the demo by name, another with a few friends. It stays, whoever operates it.
    pub(crate) fn add(&mut self, name: &str, protocol: &str) -> Result<(), Failure> {
        if !self.there.insert((name.to_owned(), is_ilink(protocol))) {
            return Ok(());
        }
        let known = self.known.iter().find(|spec| spec.name == name).cloned();
        if is_ilink(protocol) {
            let spec = known.unwrap_or_else(|| AccountSpec::new(name));
            return self.ilink.add_account(spec).or_exit("cannot add an account to the simulator");
        }
        let spec = known
            .unwrap_or_else(|| AccountSpec::new(name).friend("小明").friend("小红").room("测试群", &["小明", "小红"]));
        self.sim.add_account(spec).or_exit("cannot add an account to the simulator")
    }

    /// Serves, and shows the talk; the first time it is called.
    pub(crate) fn serve(&mut self, tasks: &mut JoinSet<()>, show: bool, stop: &CancellationToken) {
        let Some((web, ilink)) = self.listeners.take() else { return };
        let (sim, bots, stops) = (self.sim.clone(), self.ilink.clone(), (stop.clone(), stop.clone()));
        tasks.spawn(async move {
            if let Err(error) = sim.serve(web, stops.0).await {
                tracing::error!(%error, "The simulator stopped.");
            }
        });
        tasks.spawn(async move {
            if let Err(error) = bots.serve(ilink, stops.1).await {
                tracing::error!(%error, "The simulator of iLink stopped.");
            }
        });
        if show {
            let (sim, stops) = (self.sim.clone(), (stop.clone(), stop.clone()));
            tasks.spawn(async move { stops.0.run_until_cancelled(show_talk(&sim)).await.unwrap_or_default() });
            let bots = self.ilink.clone();
            tasks.spawn(async move { stops.1.run_until_cancelled(show_bots(&bots)).await.unwrap_or_default() });
        }
    }

    /// Logs an account in as its owner would, whenever it needs that, until it stops.
    pub(crate) fn attend(&self, tasks: &mut JoinSet<()>, account: &Arc<Account>, stop: CancellationToken) {
        let account = Arc::clone(account);
        let name = account.name.to_string();
        if is_ilink(&account.protocol_name()) {
            let sim = self.ilink.clone();
            // Its own id of a login is a secret: the phone goes by the link that the code shows.
            let tap = move |_uuid: &str, link: &str| sim.scan(link, &name).and_then(|()| sim.confirm(link));
            tasks.spawn(async move { stop.run_until_cancelled(scan_for(tap, &account)).await.unwrap_or_default() });
        } else {
            let sim = self.sim.clone();
            let tap = move |uuid: &str, _link: &str| sim.scan(uuid, &name).and_then(|()| sim.confirm(uuid));
            tasks.spawn(async move { stop.run_until_cancelled(scan_for(tap, &account)).await.unwrap_or_default() });
        }
    }
}

/// Does on the simulated phone what a person does on theirs.
async fn scan_for(tap: impl Fn(&str, &str) -> Result<(), SimError>, account: &Arc<Account>) {
    let mut status = account.status();
    let _interest = account.ask_login();
    let mut scanned = String::new();
    loop {
        let phase = status.borrow_and_update().phase.clone();
        if let Phase::AwaitingScan { uuid, payload, .. } = phase
            && uuid != scanned
        {
            if let Err(error) = tap(&uuid, &payload) {
                tracing::warn!(account = %account.name, %error, "The demo could not scan.");
            }
            scanned = uuid;
        }
        // An account that was stopped starts as another one.
        let stopped = status.borrow().phase == Phase::Stopped;
        if stopped || status.changed().await.is_err() {
            return;
        }
    }
}

/// Prints what is said in the simulation, both ways, as it happens.
async fn show_talk(sim: &Sim) {
    let (mut heard, mut said) = (0, 0);
    loop {
        sim.wait_for(|j| j.delivered.len() > heard || j.sends.len() > said).await;
        let journal = sim.journal();
        for one in journal.delivered.iter().skip(heard) {
            let place = one.room.as_ref().map(|r| format!("({r}) ")).unwrap_or_default();
            match one.msg_type {
                TEXT => print(&format!("[{}] {place}{}: {}", one.account, one.from, one.content)),
                SYSTEM_TEXT => print(&format!("[{}] {place}{}", one.account, one.content)),
                _ => {}
            }
        }
        for one in journal.sends.iter().skip(said) {
            print(&format!("[{}] → {}: {}", one.account, one.to, one.content));
        }
        (heard, said) = (journal.delivered.len(), journal.sends.len());
        // Talk is for people; a flood is not worth a copy of the journal per message.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The same of bots.
async fn show_bots(sim: &IlinkSim) {
    let (mut heard, mut said) = (0, 0);
    loop {
        sim.wait_for(|j| j.told.len() > heard || j.sends.len() > said).await;
        let journal = sim.journal();
        for one in journal.told.iter().skip(heard) {
            print(&format!("[{}] {}: {}", one.account, one.from, one.text));
        }
        for one in journal.sends.iter().skip(said).filter(|one| one.outcome == IlinkOutcome::Shown) {
            print(&format!("[{}] → {}: {}", one.account, one.to, one.text));
        }
        (heard, said) = (journal.told.len(), journal.sends.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
