//! The HTTP face of wxbot: what services push comes in here, and whoever watches over it asks here.
//!
//! | Address | Who |
//! |---|---|
//! | `POST /push/ACCOUNT/SECRET` | the service of an account that is pushed to; `GET` where it tests the address so |
//! | `POST /api/user/recive_msg` | hooks whose address cannot be set; on loopback alone, and only for accounts that ask for it |
//! | `GET /healthz` | a supervisor: 200 while every account works, 503 otherwise, a line for each |
//! | `GET /metrics` | Prometheus |
//!
//! A pushed body is answered when it is committed, and not before: 200 means that a crash does not lose it, 503 that it was
//! not kept. TLS is the reverse proxy's.
//!
//! Reading order: [`settings`] → [`places`] at which sockets → `listen` connections and their limits → `gate` who may ask at
//! all → `push` → `health` and `figures`.

mod figures;
mod gate;
mod health;
mod listen;
pub mod places;
mod push;
pub mod settings;

use std::sync::Arc;

use wxbot_core::push::Door;
use wxbot_runtime::account::Account;
use wxbot_runtime::roster::Roster;

pub use figures::Figures;
pub use listen::Server;
pub use places::{Inherited, Places, Socket, StartError};
pub use settings::Settings;

/// Whom the server knows: asked anew for each request, because a reload changes it.
pub trait Accounts: Send + Sync {
    /// How what is pushed to this account comes in; `None` when there is no such account, or nothing is pushed to it.
    fn door(&self, account: &str) -> Option<Arc<dyn Door>>;
    /// Those that take what comes to the shared address, by name.
    fn shared(&self) -> Vec<(String, Arc<dyn Door>)>;
    /// Each account with the word of its state, and whether it works.
    fn states(&self) -> Vec<(String, &'static str, bool)>;
    /// The same in lines for people: state, since when, why, and what to do.
    fn told(&self) -> Vec<String> {
        self.states().iter().map(|(account, state, _)| format!("{account} {state}")).collect()
    }

    /// What lies between the answer and the accounts; `None` where pushes go straight to them.
    fn spool(&self) -> Option<Spool> {
        None
    }
}

/// What was answered and no account has yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spool {
    /// Whether those are there who take from it.
    pub core_up: bool,
    /// Why nothing more is taken in; empty while it is.
    pub full: String,
    /// Bodies and bytes by account; those that nothing waits for may be left out.
    pub waiting: Vec<(String, u64, u64)>,
}

impl Spool {
    /// Bodies of all accounts.
    pub fn bodies(&self) -> u64 {
        self.waiting.iter().map(|(_, bodies, _)| bodies).sum()
    }
}

impl Accounts for Roster {
    fn door(&self, account: &str) -> Option<Arc<dyn Door>> {
        self.now().iter().find(|one| one.name.as_str() == account)?.door()
    }

    fn shared(&self) -> Vec<(String, Arc<dyn Door>)> {
        let doors = self.now();
        let doors = doors.iter().filter_map(|one| Some((one.name.to_string(), one.door()?)));
        doors.filter(|(_, door)| door.takes_default_path()).collect()
    }

    fn states(&self) -> Vec<(String, &'static str, bool)> {
        let of = |one: &Arc<Account>| {
            let status = one.status();
            let status = status.borrow();
            (one.name.to_string(), status.phase.word(), status.phase.works())
        };
        self.now().iter().map(of).collect()
    }

    fn told(&self) -> Vec<String> {
        self.now().iter().map(|one| one.status().borrow().line(one.name.as_str())).collect()
    }
}
