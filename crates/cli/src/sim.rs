//! `wxbot sim`: a simulated WeChat over HTTP.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wxbot_sim::{Sim, World};

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
        let stop = CancellationToken::new();
        let sim = Sim::new(world);
        let serving = sim.serve(listener, stop.clone());
        tokio::select! {
            done = serving => done.or_exit("the simulator stopped"),
            _ = crate::run::signal() => { stop.cancel(); Ok(()) }
        }
    })
}
