//! What of a wait for a person outlives the process? Why and since when, so that a restart neither tries by itself what
//! risk control stopped nor forgets the reason.

use super::phase::{Input, Order, Phase, Step};
use crate::account::Account;
use crate::store::halt::Halt;

/// How an account begins: stopped, where a former run left it to a person.
pub(super) async fn beginning(account: &Account, saved: bool) -> (Input, Option<Halt>) {
    match account.store.halt(&account.name).await {
        // A session that nothing was said against may be tried; one that was stopped or logged out may not.
        Ok(Some(halt)) if !saved || halt.risk.is_some() || halt.token || halt.logged_out => {
            let Halt { logged_out, why, risk, token, .. } = halt.clone();
            (Input::BeginStopped { why, logged_out, risk, token, saved }, Some(halt))
        }
        Ok(_) => (Input::Begin { saved }, None),
        Err(error) => {
            tracing::error!(account = %account.name, %error, "It cannot be read why the account waited.");
            (Input::Begin { saved }, None)
        }
    }
}

/// Notes that the account waits for a person from now on. Told in the log where it cannot be noted: the state holds all
/// the same, until the process ends.
pub(super) async fn note(account: &Account, step: &Step) {
    let (Order::WaitForLogin, Some((phase, why))) = (&step.order, &step.phase) else { return };
    let since_ms = account.status().borrow().since_ms;
    let logged_out = *phase == Phase::LoggedOut;
    let halt = Halt { logged_out, why: why.clone(), risk: step.risk, token: step.token, since_ms };
    if let Err(error) = account.store.note_halt(&account.name, halt).await {
        tracing::error!(account = %account.name, %error, "It cannot be noted why the account waits.");
    }
}
