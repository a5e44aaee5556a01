//! How does a handler send at once and learn what became of it? Through the outbox, as everything else, and waits.
//!
//! Not past it: the pace and the order of the chat, the taking back of the last message, the policy for unknown outcomes
//! and the recognition of our own messages hold for it too. What it costs is that such a send waits its turn. Where that
//! does not come in time it is withdrawn, so that nothing goes out of which the handler was told that it did not; only a
//! handler that is ended while it waits leaves a send behind. At least once: a handler that runs again sends again.

use std::sync::Arc;
use std::time::Duration;

use wxbot_core::source::Source;
use wxbot_model::{Action, ContactId};
use wxbot_plugin::host::Receipt;
use wxbot_plugin::{Effects, PluginError};

use super::collect::Hands;
use crate::account::Account;
use crate::outbox::{self, Expected};
use crate::pacing::now as window;
use crate::plugin::limits;
use crate::store::{LoneSend, NO_EVENT, Settlement};

/// How long a send waits for its turn: a handler has 30 s in all, and wants some of it afterwards.
const TURN: Duration = Duration::from_secs(15);
/// How long one that is under way may take beyond that.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// Sends for this plugin and waits until it is known what became of it.
///
/// # Errors
/// In words: what the account cannot do, that it is not online, that the service refused it, or that nobody knows.
pub(super) async fn send_now(account: &Account, plugin: &str, action: Action) -> Result<Receipt, PluginError> {
    let (settings, plugin) = (account.settings(), Arc::from(plugin));
    if account.sender.borrow().is_none() {
        return Err(PluginError::msg(format!("account `{}` is not online; nothing was sent", account.name)));
    }
    if account.withheld.has(&plugin) {
        return Err(PluginError::msg("events are handled again without `--send` just now; nothing was sent"));
    }
    limits::check(&Effects::none().and_act(action.clone())).map_err(PluginError::msg)?;
    let hands = Hands { account, settings: &settings, plugin: &plugin };
    // Its file stays until the send is stored.
    let (action, _hold) = hands.at_hand(action).await.map_err(PluginError::msg)?;
    let lane = action.to().cloned().map_or_else(|| lane_of_nobody(account), Ok)?;
    if let Some(shut) = window::shut(account, &lane).await? {
        return Err(PluginError::msg(format!("nothing was sent: {}", shut.reason())));
    }
    let sends = hands.sends(&lane, &action, 0).map_err(PluginError::msg)?;
    let mut expected: Vec<_> = sends.iter().map(|send| account.outbox.expect(send.client_id.clone())).collect();
    let parts = sends.len();
    let cause = no_event(&account.source);
    let stored = LoneSend {
        account: account.name.clone(),
        sends,
        cause,
        direct: outbox::may_claim(account),
        now_ms: account.source.now_ms(),
    };
    let claimed = account.store.send(stored).await?;
    account.outbox.stored(parts, claimed);
    let mut receipt = None;
    for ((done, expected), part) in expected.iter_mut().enumerate().zip(0..) {
        let told = match wait(account, cause, part, expected).await {
            Ok(Some(settlement)) => told(settlement),
            Ok(None) => Err(unknown("it is still under way")),
            Err(error) => Err(error),
        };
        if told.is_err() && done + 1 < parts {
            // What is told as failed does not go on without its beginning.
            account.store.withdraw(cause, part).await?;
        }
        // A long text is several messages: whoever has the first may wait for the others.
        receipt = Some(told.map_err(|error| if done == 0 { error } else { in_part(done, parts, &error) })?);
    }
    receipt.ok_or_else(|| PluginError::msg("nothing was sent: the text is empty"))
}

fn in_part(done: usize, parts: usize, error: &PluginError) -> PluginError {
    PluginError::msg(format!("{done} of {parts} parts were sent; the next: {error}"))
}

/// A cause that is no event. It is drawn, so that a restart repeats none.
pub(crate) fn no_event(source: &Source) -> u64 {
    NO_EVENT | source.random_u64() >> 2
}

async fn wait(
    account: &Account,
    cause: u64,
    part: u32,
    expected: &mut Expected<'_>,
) -> Result<Option<Settlement>, PluginError> {
    let (held, late) = match expected.end(TURN).await {
        Some(Settlement::Held { error }) => (true, error),
        Some(settlement) => return Ok(Some(settlement)),
        None => (false, format!("its turn did not come within {} s", TURN.as_secs())),
    };
    if account.store.withdraw(cause, part).await? {
        return Err(PluginError::msg(format!("nothing was sent: {late}")));
    }
    // What was told as held is told once; that it was let go since is nobody's news.
    if held { Ok(None) } else { Ok(expected.end(UNDER_WAY).await) }
}

fn told(settlement: Settlement) -> Result<Receipt, PluginError> {
    match settlement {
        Settlement::Sent { server_id } => Ok(Receipt::of(server_id.and_then(|id| id.parse().ok()))),
        Settlement::Failed { error } => Err(PluginError::msg(format!("it was refused: {error}"))),
        Settlement::Uncertain { error }
        | Settlement::Dropped { error }
        | Settlement::Again { error, .. }
        | Settlement::Resent { error, .. }
        | Settlement::Shut { error, .. } => Err(unknown(&error)),
        Settlement::Held { error } => Err(PluginError::msg(format!("nothing was sent: {error}"))),
    }
}

fn unknown(why: &str) -> PluginError {
    PluginError::msg(format!("nobody knows whether it arrived: {why}"))
}

/// Where what goes to nobody in particular waits: the account's own chat.
fn lane_of_nobody(account: &Account) -> Result<ContactId, PluginError> {
    let myself = account.read_contacts(|book| book.myself().cloned());
    myself.ok_or_else(|| PluginError::msg("the account does not know yet who it is"))
}
