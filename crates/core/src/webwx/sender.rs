//! How does an action go out, and what does its answer mean for sending it again?

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_model::{Action, Contact, PeerId};

use super::book::Book;
use super::client::Client;
use super::convert;
use crate::error::{Advice, Error, FetchError, SendError};
use crate::protocol::{ActionSender, Outgoing, Receipt};

/// The sending half of a session.
pub(super) struct WebSender {
    pub(super) client: Arc<Client>,
    pub(super) book: Arc<RwLock<Book>>,
    pub(super) me: PeerId,
    pub(super) mark_read: bool,
}

impl ActionSender for WebSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            let Some(to) = &outgoing.to else {
                return Err(SendError::Failed { why: "it goes to nobody".into() });
            };
            match &outgoing.action {
                Action::SendText { text, .. } => {
                    if self.mark_read {
                        // A courtesy: what keeps it from happening will keep the send from it too, and is told there.
                        self.client.notify_read(&self.me, to).await.ok();
                    }
                    let (text, source) = {
                        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
                        convert::mention_text(text, to, &outgoing.others, &book)
                    };
                    let client_id = outgoing.client_id.as_str();
                    judge(self.client.send_text(&self.me, to, &text, client_id, source).await)
                }
                other => Err(SendError::Failed { why: format!("Web WeChat cannot do this yet: {}", other.needs()) }),
            }
        })
    }

    fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
        Box::pin(self.ask_who(peer))
    }
}

/// What happened, with its cause.
fn why(error: &Error) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text = format!("{text}: {cause}");
    }
    text
}

/// What an answer to a send means for sending it again.
fn judge(answer: Result<String, Error>) -> Result<Receipt, SendError> {
    match answer {
        Ok(id) => Ok(Receipt { server_id: Some(id).filter(|id| !id.is_empty()) }),
        Err(Error::Ended(reason)) => Err(SendError::Ended(reason)),
        Err(error) => Err(match &error {
            Error::Transport { source, .. } if source.surely_not_sent() => {
                SendError::NotTaken { why: why(&error), after: Duration::from_secs(1) }
            }
            Error::Status { status: 400..=499, .. } => {
                SendError::NotTaken { why: why(&error), after: Duration::from_secs(5) }
            }
            Error::Refused { refusal, .. } => match refusal.advice {
                Advice::TryLater => SendError::NotTaken { why: why(&error), after: Duration::from_secs(5) },
                Advice::CoolDown(after) => SendError::NotTaken { why: why(&error), after },
                Advice::GiveUp | Advice::Stop => SendError::Failed { why: why(&error) },
            },
            // A gateway's 5xx, a cut or foreign answer, a lost connection: the message may have gone out.
            Error::Transport { .. }
            | Error::Status { .. }
            | Error::Decode { .. }
            | Error::Ended(_)
            | Error::LoginNotCompleted(_)
            | Error::BadSavedSession(_)
            | Error::Settings(_) => SendError::Uncertain { why: why(&error) },
        }),
    }
}

impl WebSender {
    /// Asks who this is, and keeps the answer: what another asks next is known.
    async fn ask_who(&self, peer: &PeerId) -> Result<Arc<Contact>, FetchError> {
        let told = self.client.contacts_of(std::slice::from_ref(peer)).await.map_err(|error| {
            let refused = |advice| matches!(advice, Advice::GiveUp | Advice::Stop);
            if let Error::Ended(reason) = &error {
                FetchError::Ended(*reason)
            } else if matches!(&error, Error::Refused { refusal, .. } if refused(refusal.advice)) {
                FetchError::Refused { why: why(&error) }
            } else {
                FetchError::NotNow { why: why(&error) }
            }
        })?;
        let told = convert::contacts(told, &self.me).into_iter().find(|contact| contact.peer == *peer);
        let told = told.ok_or_else(|| FetchError::Gone { why: format!("it does not say who {peer} is") })?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.note_asked(std::slice::from_ref(peer), true, self.client.source.now_s());
        if let Some(merged) = book.merged(told) {
            book.put(merged);
        }
        book.get(peer).cloned().ok_or_else(|| FetchError::Gone { why: format!("nobody is known as {peer}") })
    }
}

impl fmt::Debug for WebSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSender({})", self.me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EndReason;
    use crate::transport::TransportError;
    use crate::webwx::ret::Ret;

    #[test]
    fn what_may_be_sent_again() {
        let transport = |source| Err(Error::Transport { endpoint: "webwxsendmsg", source });
        let host = || "h".to_owned();
        let refused = |ret| Err(Error::Refused { endpoint: "webwxsendmsg", refusal: Ret(ret).refusal("") });
        let word = |answer| match judge(answer) {
            Ok(receipt) if receipt.server_id.is_some() => "sent",
            Ok(_) => "unconfirmed",
            Err(SendError::NotTaken { .. }) => "not taken",
            Err(SendError::Uncertain { .. }) => "uncertain",
            Err(SendError::Failed { .. }) => "failed",
            Err(SendError::Ended(_)) => "ended",
        };
        for (name, answer, want) in [
            ("ok", Ok("1".to_owned()), "sent"),
            ("ok without id", Ok(String::new()), "unconfirmed"),
            (
                "refused connection",
                transport(TransportError::NotSent { host: host(), reason: String::new() }),
                "not taken",
            ),
            ("time-out", transport(TransportError::Timeout { host: host(), after: Duration::ZERO }), "uncertain"),
            ("reset", transport(TransportError::Broken { host: host(), reason: String::new() }), "uncertain"),
            ("502", Err(Error::Status { endpoint: "webwxsendmsg", status: 502 }), "uncertain"),
            ("404", Err(Error::Status { endpoint: "webwxsendmsg", status: 404 }), "not taken"),
            ("-1", refused(-1), "not taken"),
            ("1205", refused(1205), "not taken"),
            ("1204", refused(1204), "failed"),
            ("1101", Err(Error::Ended(EndReason::Replaced)), "ended"),
        ] {
            assert_eq!(word(answer), want, "{name}");
        }
    }
}
