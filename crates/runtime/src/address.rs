//! How does a stored action become one of the running login? Contacts get the login's ids, media become files, and a
//! recall of "the last message" gets the message.

use std::time::Duration;

use wxbot_core::protocol::{MediaFile, Outgoing, Progress};
use wxbot_core::split::width;
use wxbot_model::{Action, ContactId, Media, MediaShape, MsgId, PeerId};
use wxbot_plugin::MediaError;

use crate::account::Account;
use crate::media::{Held, Wanted, limit_of};
use crate::outbox::MAX_TRIES;
use crate::store::{ClaimedSend, LastSent, Settlement};

/// How long an action waits for a member that it names to be met in this login. Whom it goes to is waited for by the
/// contacts, which know who it could be.
const CONTACT_WAIT: Duration = Duration::from_secs(60);
/// How long it waits for a file that cannot be fetched now.
const FETCH_WAIT: Duration = Duration::from_secs(30);
/// How long one download may hold the lane up before it waits in the queue again; the download itself goes on.
const FETCH_PATIENCE: Duration = Duration::from_secs(120);
/// Services take a message back within two minutes; what is found later would only be refused.
const RECALL_WITHIN: Duration = Duration::from_secs(120);

/// An action that can go out, and the file that stays while it does.
#[derive(Debug)]
pub(crate) struct Addressed {
    pub(crate) outgoing: Outgoing,
    /// Keep it until the action has gone out.
    pub(crate) hold: Option<Held>,
}

/// The message that an action takes back.
pub(crate) fn recalled(action: &Action) -> Option<MsgId> {
    if let Action::Recall { msg, .. } = action { msg.clone() } else { None }
}

/// Translates a stored action; what it cannot say now becomes the settlement.
pub(crate) async fn address(account: &Account, send: &ClaimedSend) -> Result<Addressed, Settlement> {
    let mut action: Action = serde_json::from_str(&send.body)
        .map_err(|e| Settlement::Failed { error: format!("the stored action cannot be read: {e}") })?;
    if let (Action::SendText { text, .. }, Some(limit)) = (&action, account.settings().protocol.text_limit())
        && width(text) > limit
    {
        // Stored while the account did not run, or before its limit was lowered: what is in parts has an id for each.
        let error = format!("the text is longer than the {limit} characters that the service takes; send it in parts");
        return Err(Settlement::Failed { error });
    }
    let to = action.to().map(|to| met(account, to)).transpose()?;
    let others = others(account, &action)?;
    if let Action::Recall { chat, msg: msg @ None } = &mut action {
        *msg = Some(last_sent(account, chat).await?);
    }
    let hold = if let Action::SendMedia { shape, media, .. } = &action {
        Some(file(account, send, *shape, media).await?)
    } else {
        None
    };
    let media = hold.as_ref().map(|held| MediaFile {
        path: held.path.clone(),
        len: held.stored.len,
        name: held.stored.name.clone(),
        progress: Progress::default(),
    });
    Ok(Addressed { outgoing: Outgoing { action, to, others, media, client_id: send.client_id.clone() }, hold })
}

fn again(account: &Account, wait: Duration, error: String, counts: bool) -> Settlement {
    let not_before_ms = account.source.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(60_000);
    Settlement::Again { not_before_ms, error, counts, unsure: false }
}

fn met(account: &Account, id: &ContactId) -> Result<PeerId, Settlement> {
    account.read_contacts(|book| book.peer_of(id).cloned()).ok_or_else(|| Settlement::Held {
        error: account.read_contacts(|book| book.why_unmet(id)).unwrap_or_else(|| format!("{id} was not met yet")),
    })
}

/// A mention of somebody who is not there is left out; without a member the action would be another one, so it waits.
fn others(account: &Account, action: &Action) -> Result<Vec<PeerId>, Settlement> {
    let others = action.others().iter();
    if matches!(action, Action::SendText { .. }) {
        return Ok(account.read_contacts(|book| others.filter_map(|id| book.peer_of(id).cloned()).collect()));
    }
    let wait = |id: &ContactId| again(account, CONTACT_WAIT, format!("{id} was not met in this login yet"), false);
    let peer = |id: &ContactId| account.read_contacts(|book| book.peer_of(id).cloned());
    others.map(|id| peer(id).ok_or_else(|| wait(id))).collect()
}

async fn last_sent(account: &Account, chat: &ContactId) -> Result<MsgId, Settlement> {
    let since_ms = account.source.now_ms() - i64::try_from(RECALL_WITHIN.as_millis()).unwrap_or(120_000);
    let found = account.store.last_sent(&account.name, chat, since_ms).await;
    let found = found.map_err(|e| again(account, Duration::from_secs(1), e.to_string(), false))?;
    recallable(found, chat).map_err(|error| Settlement::Failed { error })
}

/// The message to take back is the last one and no other: an older one is not what was asked for.
fn recallable(last: Option<LastSent>, chat: &ContactId) -> Result<MsgId, String> {
    let Some(last) = last else {
        return Err(format!("wxbot sent nothing to {chat} within the last two minutes that could be taken back"));
    };
    last.server_id.and_then(|id| id.parse().ok()).ok_or_else(|| {
        format!(
            "the last message to {chat} cannot be taken back: the service gave no id for it; nothing was taken back"
        )
    })
}

async fn file(account: &Account, send: &ClaimedSend, shape: MediaShape, media: &Media) -> Result<Held, Settlement> {
    let failed = |error: String| Settlement::Failed { error };
    let held = match media {
        Media::Stored(stored) => match account.media.hold(&stored.digest, &stored.name).await {
            Ok(held) => held.ok_or_else(|| failed("its file is no longer in the media folder".into()))?,
            Err(error) => return Err(not_fetched(account, send, &error)),
        },
        Media::Received { media, name } => {
            let wanted = Wanted::media(&account.name, media, name);
            let fetched = account.media.fetch(wanted, account.sender.subscribe(), FETCH_PATIENCE).await;
            let held = fetched.map_err(|error| not_fetched(account, send, &error))?;
            // From here on the row keeps the file, over every further try.
            let noted = account.store.hold_media(send.id, &held.stored.digest).await;
            noted.map_err(|e| again(account, Duration::from_secs(1), e.to_string(), false))?;
            held
        }
        _ => return Err(failed("this wxbot does not know where its bytes are".into())),
    };
    let limit = limit_of(shape);
    if held.stored.len > limit {
        return Err(failed(MediaError::TooLarge { len: held.stored.len, limit }.to_string()));
    }
    Ok(held)
}

fn not_fetched(account: &Account, send: &ClaimedSend, error: &MediaError) -> Settlement {
    match in_vain(send.attempts, error) {
        Some(error) => Settlement::Failed { error },
        None => again(account, FETCH_WAIT, unfetched(error), true),
    }
}

fn unfetched(error: &MediaError) -> String {
    format!("its file cannot be fetched: {error}")
}

/// Why a file is not to be fetched once more, after so many tries; `None` when it is.
fn in_vain(attempts: u32, error: &MediaError) -> Option<String> {
    match error {
        // Without room each further try brings the same bytes in vain.
        MediaError::NoRoom { .. } if attempts >= MAX_TRIES => {
            Some(format!("{}; given up after {MAX_TRIES} tries", unfetched(error)))
        }
        MediaError::NotNow { .. } | MediaError::NoRoom { .. } => None,
        MediaError::Gone { .. } | MediaError::Refused { .. } | MediaError::TooLarge { .. } | _ => {
            Some(unfetched(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_message_is_taken_back() {
        let chat = "p1".parse().unwrap();
        let of = |server_id: Option<&str>| LastSent { server_id: server_id.map(str::to_owned) };
        assert_eq!(recallable(Some(of(Some("7"))), &chat), Ok("7".parse().unwrap()));
        assert!(recallable(None, &chat).unwrap_err().contains("sent nothing to p1"));
        assert!(recallable(Some(of(None)), &chat).unwrap_err().contains("nothing was taken back"));
    }

    #[test]
    fn a_folder_that_stays_full_is_given_up() {
        let (full, later) = (MediaError::NoRoom { why: "full".into() }, MediaError::NotNow { why: "busy".into() });
        let large = MediaError::TooLarge { len: 2, limit: 1 };
        for (error, attempts, given_up) in
            [(&full, MAX_TRIES - 1, false), (&full, MAX_TRIES, true), (&later, MAX_TRIES, false), (&large, 1, true)]
        {
            assert_eq!(in_vain(attempts, error).is_some(), given_up, "{error} after {attempts}");
        }
    }
}
