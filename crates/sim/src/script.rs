//! What do friends say by themselves, and what happens to rooms?

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Sim;
use crate::account::Account;
use crate::phone::Deliver;
use crate::world::ScriptSpec;

impl Sim {
    /// Plays the scripts of all accounts, also of those that are added later, until `stop`. [`Sim::serve`] does so by
    /// itself. A script begins anew at every login.
    pub async fn run_scripts(&self, stop: CancellationToken) {
        let mut actors = JoinSet::new();
        let mut playing = HashSet::new();
        loop {
            // Not `changed`, which rings with every request: this task would wake up for each of them.
            let changed = self.accounts_changed().notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            // Accounts are never removed: their number tells whether there is a new one.
            if self.directory().list.len() > playing.len() {
                for account in self.accounts() {
                    if playing.insert(account.name.clone()) && !account.spec.script.is_empty() {
                        let sim = self.clone();
                        actors.spawn(async move { sim.play(&account).await });
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = changed => {}
            }
        }
        actors.shutdown().await;
    }

    async fn play(&self, account: &Arc<Account>) {
        let mut online = account.online.subscribe();
        loop {
            // The sender lives in the account, which is held here: waiting cannot fail.
            let Ok(login) = online.wait_for(|login| *login != 0).await.map(|login| *login) else { return };
            let lines = join_all(account.spec.script.iter().map(|line| self.speak(&account.name, line)));
            tokio::select! {
                _ = online.wait_for(|now| *now != login) => continue,
                _ = lines => {}
            }
            if online.wait_for(|now| *now != login).await.is_err() {
                return;
            }
        }
    }

    async fn speak(&self, account: &str, line: &ScriptSpec) {
        tokio::time::sleep(line.after).await;
        let mut times = line.times;
        loop {
            let done = match (&line.change, &line.room) {
                (Some(change), Some(room)) => self.change_room(account, room, change.clone()),
                _ => {
                    let message = Deliver { room: line.room.clone(), ..Deliver::text(&line.friend, &line.text) };
                    self.deliver(account, message).map(drop)
                }
            };
            if let Err(error) = done {
                tracing::warn!(account, %error, "A script cannot go on.");
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
