//! What do people write by themselves?

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::SimError;
use crate::ilink::bot::Bot;
use crate::ilink::{IlinkMessage, IlinkSim};
use crate::world::ScriptSpec;

impl IlinkSim {
    /// Plays the scripts of all accounts until `stop`; [`IlinkSim::serve`] does so by itself. A script begins when a
    /// client of the account polls first, and anew with each binding. Lines in rooms are left out: there are none here.
    pub async fn run_scripts(&self, stop: CancellationToken) {
        let (mut actors, mut playing) = (JoinSet::new(), HashSet::new());
        loop {
            let added = self.shared.added.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            for bot in self.bots() {
                let speaks = bot.spec.script.iter().any(|line| line.room.is_none());
                if speaks && playing.insert(bot.name.clone()) {
                    let sim = self.clone();
                    actors.spawn(async move { sim.play(&bot).await });
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = added => {}
            }
        }
        actors.shutdown().await;
    }

    async fn play(&self, bot: &Arc<Bot>) {
        let mut polled = bot.polled.subscribe();
        loop {
            // The sender lives in the bot, which is held here: waiting cannot fail.
            let Ok(binding) = polled.wait_for(|binding| *binding != 0).await.map(|binding| *binding) else { return };
            let lines = bot.spec.script.iter().filter(|line| line.room.is_none());
            let lines = join_all(lines.map(|line| self.speak(&bot.name, line)));
            tokio::select! {
                _ = polled.wait_for(|now| *now != binding) => continue,
                _ = lines => {}
            }
            if polled.wait_for(|now| *now != binding).await.is_err() {
                return;
            }
        }
    }

    async fn speak(&self, account: &str, line: &ScriptSpec) {
        tokio::time::sleep(line.after).await;
        let mut times = line.times;
        loop {
            match self.say(account, &IlinkMessage::text(&line.text).by(&line.friend)) {
                // The token died: the person goes on when there is another binding.
                Err(SimError::NoSession(_)) => return,
                Err(error) => tracing::warn!(account, %error, "A script cannot go on."),
                Ok(_) => {}
            }
            if let Some(left) = &mut times {
                *left = left.saturating_sub(1);
            }
            match line.every {
                Some(every) if times != Some(0) => tokio::time::sleep(every).await,
                _ => return,
            }
        }
    }
}
