//! How does an alert go out through an account? Like a reply: stored first, then sent by its outbox, at its pace.

use std::sync::Arc;

use wxbot_model::{Action, Capability, ContactId};

use crate::account::Account;
use crate::dispatch::collect::rows_of;
use crate::outbox;
use crate::session::phase::Phase;
use crate::store::LoneSend;

/// Who asks for it, in the outbox.
const WHO: &str = "wxbot-alerts";
/// Numbers from here on are of no event.
const NO_EVENT: u64 = 1 << 62;

/// Stores a text for this contact. It goes out when the account's pace lets it.
///
/// # Errors
/// In words: the account does not work just now, does not know this contact, or the store refuses.
pub async fn send(account: &Account, to: &ContactId, text: String) -> Result<(), String> {
    let name = &account.name;
    let state = account.status().borrow().phase.clone();
    if state != Phase::Online {
        return Err(format!("account `{name}` is {}", state.word()));
    }
    if account.read_contacts(|book| book.contact(to).is_none()) {
        return Err(format!("account `{name}` knows no `{to}`; `wxbot contacts {name}` shows whom it knows"));
    }
    let settings = account.settings();
    if !settings.protocol.capabilities().has(Capability::SendText) {
        return Err(format!("account `{name}` cannot send texts"));
    }
    let action = Action::SendText { to: to.clone(), text, mention: Vec::new() };
    let protocol = &settings.protocol;
    let draw = || protocol.draw_client_msg_id();
    let sends = rows_of(protocol.text_limit(), draw, &Arc::from(WHO), to, &action, 0)?;
    let count = sends.len();
    let stored = LoneSend {
        account: name.clone(),
        sends,
        cause: NO_EVENT | account.source.random_u64() >> 2,
        direct: outbox::may_claim(account),
        now_ms: account.source.now_ms(),
    };
    let claimed = account.store.send(stored).await.map_err(|error| error.to_string())?;
    account.outbox.stored(count, claimed);
    Ok(())
}
