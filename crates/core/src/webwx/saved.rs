//! What of a session is kept to go on with it later? Credentials, which are secret, and the cursor, which is not.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wxbot_model::Secret;

use super::client::{Client, SessionKeys};
use super::endpoint::Hosts;
use super::sync::Keys;
use crate::error::Error;
use crate::protocol::SavedSession;

const VERSION: u32 = 1;

/// The credentials of a saved session, as JSON under a seal. New fields need a default; another shape another version.
#[derive(Serialize, Deserialize)]
pub(super) struct Credentials {
    version: u32,
    pub(super) hosts: Hosts,
    pub(super) keys: SessionKeys,
    pub(super) cookies: Secret<String>,
}

impl Credentials {
    pub(super) fn of(client: &Client) -> Result<Secret<Vec<u8>>, Error> {
        let credentials = Self {
            version: VERSION,
            hosts: client.hosts.clone(),
            keys: (*client.keys()).clone(),
            cookies: client.http.save()?.into(),
        };
        serde_json::to_vec(&credentials).map(Secret::new).map_err(|e| Error::BadSavedSession(e.to_string()))
    }

    pub(super) fn read(saved: &SavedSession) -> Result<Self, Error> {
        let bad = Error::BadSavedSession;
        // The reader's own words may quote a key.
        let credentials: Self = serde_json::from_slice(saved.credentials.expose())
            .map_err(|e| bad(format!("credentials, line {}", e.line())))?;
        if credentials.version != VERSION {
            let version = credentials.version;
            return Err(bad(format!("credentials of version {version}, this wxbot reads {VERSION}")));
        }
        Ok(credentials)
    }
}

/// What the runtime commits as the cursor.
#[derive(Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) keys: Keys,
    /// When it was moved, seconds: everything before is known to be complete.
    pub(super) at_s: i64,
}

impl Cursor {
    pub(super) fn to_bytes(&self) -> Result<Bytes, Error> {
        serde_json::to_vec(self).map(Into::into).map_err(|e| Error::BadSavedSession(e.to_string()))
    }

    pub(super) fn read(saved: &SavedSession) -> Result<Self, Error> {
        serde_json::from_slice(&saved.cursor).map_err(|e| Error::BadSavedSession(format!("the cursor: {e}")))
    }
}
