//! How does the wxbot of `wxbot dev` run? As a process of its own at the same terminal, so that nothing in a plugin can
//! end the watching.

use std::io::IsTerminal;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use tokio::process::{Child, Command};

use super::home::Home;
use crate::args::Args;
use crate::report::{Failure, OrExit};
use crate::run::Signal;

/// A Ctrl-C at the terminal has reached the bot as well; a second one would cut its end short, so it is waited for.
const KNOWS_BY_ITSELF: Duration = Duration::from_secs(6);
/// A bot that stops sends what is on its way first.
const ENDS_WITHIN: Duration = Duration::from_secs(35);

/// A wxbot that runs. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Bot(Child);

impl Bot {
    /// Starts it in its home.
    pub(super) fn start(home: &Home, args: &Args) -> Result<Self, Failure> {
        let program = std::env::current_exe().or_exit("cannot tell where wxbot itself is")?;
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(home.bot_toml()).arg("--data-dir").arg(home.data());
        command.args(args.log.iter().flat_map(|filter| ["--log", filter.as_str()]));
        command.args(args.log_format.iter().flat_map(|format| ["--log-format", format.word()]));
        let child = command.kill_on_drop(true).spawn().or_exit("cannot start wxbot")?;
        Ok(Self(child))
    }

    /// Waits until it ends by itself.
    ///
    /// Cancel safe.
    pub(super) async fn ended(&mut self) -> String {
        match self.0.wait().await {
            Ok(status) => in_words(status),
            Err(error) => format!("cannot be waited for: {error}"),
        }
    }

    /// Ends it, in peace as far as it lets us.
    pub(super) async fn end(mut self, signal: Signal) {
        let at_terminal = std::io::stdin().is_terminal();
        if signal == Signal::Interrupt && at_terminal && within(&mut self.0, KNOWS_BY_ITSELF).await {
            return;
        }
        let pid = self.0.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        if !within(&mut self.0, ENDS_WITHIN).await {
            self.0.kill().await.ok();
        }
    }
}

async fn within(child: &mut Child, limit: Duration) -> bool {
    tokio::time::timeout(limit, child.wait()).await.is_ok()
}

fn in_words(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => "has ended".to_owned(),
        Some(_) => format!("has ended ({status})"),
        None => format!("was ended ({status})"),
    }
}
