//! `wxbot sim`: a simulated WeChat over HTTP, and the services that push.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wxbot_sim::{HookSetup, HookSim, IlinkSetup, IlinkSim, Running, Sim, WecomSetup, WecomSim, World};

use crate::args::SimOptions;
use crate::demo;
use crate::report::{Failure, OrExit, print, say};

pub(crate) fn run(options: &SimOptions) -> Result<(), Failure> {
    if !options.listen.ip().is_loopback() {
        // Its control API has no password: whoever reaches it runs the world.
        return Err(Failure::new(format!(
            "{} is not a loopback address; the simulator serves this machine only",
            options.listen
        )));
    }
    let world = match &options.world {
        Some(path) => World::load(path).or_exit(&format!("cannot use {}", path.display()))?,
        None => demo::world()?,
    };
    let runtime = crate::run::tokio_runtime()?;
    runtime.block_on(async {
        let listener =
            TcpListener::bind(options.listen).await.or_exit(&format!("cannot listen on {}", options.listen))?;
        let address = listener.local_addr().or_exit("cannot tell the address")?;
        print(&format!("listening on http://{address}"));
        say(&format!(
            "accounts: endpoint = \"http://{address}\" in bot.toml; control: http://{address}/__sim/world; Ctrl-C stops"
        ));
        // Each of them ends when it is dropped.
        let _hook = match options.hook {
            Some(port) => Some(hook(&world, port, options).await?),
            None => None,
        };
        let _wecom = match options.wecom {
            Some(port) => Some(wecom(&world, port).await?),
            None => None,
        };
        let _ilink = match options.ilink {
            Some(port) => Some(ilink(&world, port).await?),
            None => None,
        };
        let stop = CancellationToken::new();
        let sim = Sim::new(world);
        let serving = sim.serve(listener, stop.clone());
        tokio::select! {
            done = serving => done.or_exit("the simulator stopped"),
            _ = crate::run::signal() => { stop.cancel(); Ok(()) }
        }
    })
}

/// Starts a PC hook with the ports of the real one: one for each account, in order.
async fn hook(world: &World, first: u16, options: &SimOptions) -> Result<Running<HookSim>, Failure> {
    let mut listeners = Vec::new();
    for (at, account) in (0..).zip(&world.accounts) {
        // 0 lets the system choose, for each of them.
        let port = if first == 0 { 0 } else { first.saturating_add(at) };
        let listener =
            TcpListener::bind(("127.0.0.1", port)).await.or_exit(&format!("cannot listen on 127.0.0.1:{port}"))?;
        let address = listener.local_addr().or_exit("cannot tell the address")?;
        say(&format!("PC hook of {}: http://{address}; control: http://{address}/__sim/world", account.name));
        listeners.push(listener);
    }
    let setup = HookSetup::new(&options.hook_files);
    HookSim::start_on(world, setup, listeners).or_exit("cannot start the PC hook")
}

async fn wecom(world: &World, port: u16) -> Result<Running<WecomSim>, Failure> {
    let listener =
        TcpListener::bind(("127.0.0.1", port)).await.or_exit(&format!("cannot listen on 127.0.0.1:{port}"))?;
    let address = listener.local_addr().or_exit("cannot tell the address")?;
    say(&format!("WeCom: http://{address}; control: http://{address}/__sim/world"));
    WecomSim::start_on(world, WecomSetup::default(), listener).or_exit("cannot start WeCom")
}

async fn ilink(world: &World, port: u16) -> Result<Running<IlinkSim>, Failure> {
    let listener =
        TcpListener::bind(("127.0.0.1", port)).await.or_exit(&format!("cannot listen on 127.0.0.1:{port}"))?;
    let address = listener.local_addr().or_exit("cannot tell the address")?;
    say(&format!("iLink: http://{address}; CDN: http://{address}/c2c; control: http://{address}/__sim/world"));
    IlinkSim::start_on(world, IlinkSetup::default(), listener).or_exit("cannot start iLink")
}
