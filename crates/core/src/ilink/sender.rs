//! How does an action go out, and what does its answer mean for doing it again?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use wxbot_model::{Action, PeerId};

use super::account::Settings;
use super::client::Client;
use super::endpoint;
use crate::error::{Error, SendError};
use crate::lenient::scalar;
use crate::protocol::{ActionSender, Outgoing, Receipt};

/// What a message was answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    #[serde(deserialize_with = "scalar::text")]
    message_id: String,
}

/// The sending half of a session.
pub(super) struct ILinkSender {
    client: Arc<Client>,
}

impl ILinkSender {
    /// Of this session.
    pub(super) fn new(client: Arc<Client>, _settings: &Settings) -> Self {
        Self { client }
    }

    async fn text(&self, outgoing: &Outgoing, to: &PeerId, text: &str) -> Result<Receipt, SendError> {
        let Some(token) = self.client.context_token(to) else {
            let why = "nobody has written in this conversation, and iLink lets bots answer only".to_owned();
            return Err(SendError::Closed { why, after: Duration::ZERO });
        };
        let body = json!({"msg": {
            "from_user_id": "", "to_user_id": to, "client_id": format!("wxbot:{}", outgoing.client_id),
            "message_type": 2, "message_state": 2, "context_token": token.expose(),
            "item_list": [{"type": 1, "text_item": {"text": text}}],
        }});
        let sent: Sent = self.client.call(&endpoint::SENDMESSAGE, &body).await.map_err(|error| self.failed(&error))?;
        let server_id = Some(sent.message_id).filter(|id| !id.is_empty());
        if let Some(id) = &server_id {
            self.client.note_sent(id, to, "text", text);
        }
        Ok(Receipt { server_id })
    }

    fn failed(&self, error: &Error) -> SendError {
        let why = error.to_string();
        match error {
            Error::Ended(_) => {
                self.client.doubt();
                SendError::NotTaken { why, after: Duration::from_secs(10) }
            }
            Error::Refused { .. } => SendError::Closed { why, after: Duration::from_secs(90) },
            Error::Transport { source, .. } if source.surely_not_sent() => {
                SendError::NotTaken { why, after: Duration::from_secs(1) }
            }
            Error::Transport { .. }
            | Error::Status { .. }
            | Error::Decode { .. }
            | Error::Silent { .. }
            | Error::Stopped { .. }
            | Error::LoginNotCompleted(_)
            | Error::BadSavedSession(_)
            | Error::Settings(_) => SendError::Uncertain { why },
        }
    }
}

impl ActionSender for ILinkSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            if let Some(reason) = self.client.ended() {
                return Err(SendError::Ended(reason));
            }
            match (&outgoing.action, &outgoing.to) {
                (Action::SendText { text, .. }, Some(to)) => self.text(&outgoing, to, text).await,
                (action, _) => Err(SendError::Failed { why: format!("iLink cannot do this: {:?}", action.kind()) }),
            }
        })
    }
}

impl fmt::Debug for ILinkSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ILinkSender")
    }
}
