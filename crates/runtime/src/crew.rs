//! Who works for one account? Its session task, its dispatcher and its outbox: started, renewed and sent home together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::dispatch::{self, Gate, Handler};
use crate::failpoint::fail_point;
use crate::outbox;
use crate::runtime::Patience;
use crate::session;
use crate::session::phase::Phase;

/// How long a session may take to end: it only drops what it waits for.
const SESSION_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// The tasks of one account.
pub(crate) struct Crew {
    pub(crate) account: Arc<Account>,
    sessions: JoinSet<()>,
    workers: JoinSet<()>,
    /// Of the session that runs now.
    intake: CancellationToken,
    /// That this session has ended.
    ended: CancellationToken,
    work: CancellationToken,
    sends: CancellationToken,
}

impl Crew {
    /// Starts the session, and with `works` what handles and sends.
    pub(crate) fn start(account: Arc<Account>, works: Option<&Gate>) -> Self {
        let nobody = CancellationToken::new();
        nobody.cancel();
        let mut crew = Self {
            account,
            sessions: JoinSet::new(),
            workers: JoinSet::new(),
            intake: CancellationToken::new(),
            ended: nobody,
            work: CancellationToken::new(),
            sends: CancellationToken::new(),
        };
        crew.renew_session();
        if let Some(gate) = works {
            let handler = Arc::new(Handler::new(Arc::clone(&crew.account)));
            let (account, gate) = (Arc::clone(&crew.account), gate.clone());
            let (work, sends) = (crew.work.clone(), crew.sends.clone());
            // Until the sends end: whoever is at work is until then.
            crew.workers.spawn(dispatch::typing::run(Arc::clone(&account), sends.clone()));
            crew.workers.spawn(outbox::run(Arc::clone(&account), sends, Patience::SERVICE.sends));
            crew.workers.spawn(dispatch::run(account, handler, gate, work, Patience::SERVICE.handlers));
        }
        crew
    }

    /// Ends the session that runs and begins another with the settings now in force. The new one waits for the end of
    /// the old one, so this returns at once.
    pub(crate) fn renew_session(&mut self) {
        while let Some(ended) = self.sessions.try_join_next() {
            report(&self.account, ended);
        }
        self.intake.cancel();
        // Whoever looks now must not take the state of the old one for that of the new.
        self.account.show(Phase::Starting, String::new());
        self.intake = CancellationToken::new();
        let before = std::mem::take(&mut self.ended);
        let over = self.ended.clone().drop_guard();
        let (account, stop) = (Arc::clone(&self.account), self.intake.clone());
        self.sessions.spawn(async move {
            let _over = over;
            before.cancelled().await;
            session::run::run(account, stop).await;
        });
    }

    /// Takes no more events, lets handlers and then sends end. What does not end within `patience` is as safe as after
    /// kill -9. `why` is what the account's state says from then on.
    pub(crate) async fn leave(mut self, patience: Patience, why: &str) {
        self.intake.cancel();
        drain(&self.account, &mut self.sessions, SESSION_ENDS_WITHIN).await;
        fail_point!("stop: intake ended");
        self.account.show(Phase::Stopped, why.to_owned());
        self.work.cancel();
        // Handlers and sends share the workers; the outbox goes on until the handlers had their time.
        let idle = async {
            while !self.account.feed.is_quiet() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(patience.handlers, idle).await.ok();
        fail_point!("stop: handlers ended");
        self.sends.cancel();
        drain(&self.account, &mut self.workers, patience.sends).await;
        // Whoever still looks at the account must not keep its plugins from ending.
        self.account.let_go();
    }
}

async fn drain(account: &Account, tasks: &mut JoinSet<()>, patience: Duration) {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            report(account, ended);
        }
    };
    if tokio::time::timeout(patience, all).await.is_err() {
        tasks.shutdown().await;
    }
}

fn report(account: &Account, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(account = %account.name, %error, "A task of the account ended badly; please report it.");
    }
}
