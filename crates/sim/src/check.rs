//! What did clients do that the real server would not like?

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::request::{Endpoint, Query, Request};

/// Something a client did that it should not do. The same thing done again raises `times`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Hard: the real server refuses it or loses something. Soft: it is accepted, but no official client does it.
    pub hard: bool,
    /// Whose client, when that is known.
    pub account: Option<String>,
    /// Last path segment of the endpoint.
    pub endpoint: String,
    /// What was wrong, without values.
    pub what: String,
    /// When it was first seen, ms since 1970.
    pub first_at_ms: u64,
    /// How often it was seen.
    pub times: u64,
}

/// Kinds that are told apart: a client may put anything into what is said of it.
const MOST_KINDS: usize = 50_000;

/// Hard or soft, whose, where, what.
type Kind = (bool, Option<String>, String, String);

/// All violations of one service so far, one entry per kind.
#[derive(Debug, Default)]
pub(crate) struct Violations(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    list: Vec<Violation>,
    index: HashMap<Kind, usize>,
}

impl Violations {
    pub(crate) fn list(&self) -> Vec<Violation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).list.clone()
    }

    /// Counts one; true when there was none of its kind before.
    pub(crate) fn note(&self, hard: bool, account: Option<&str>, endpoint: &str, what: &str, now_ms: u64) -> bool {
        tracing::debug!(hard, account, endpoint, what, "Client violation.");
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (hard, account.map(str::to_owned), endpoint.to_owned(), what.to_owned());
        if let Some(&at) = found.index.get(&kind) {
            if let Some(known) = found.list.get_mut(at) {
                known.times += 1;
            }
            return false;
        }
        let at = found.list.len();
        if at >= MOST_KINDS {
            return false;
        }
        let (_, account, endpoint, what) = kind.clone();
        found.list.push(Violation { hard, account, endpoint, what, first_at_ms: now_ms, times: 1 });
        found.index.insert(kind, at);
        true
    }
}

/// Notes what is wrong with one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checker<'a> {
    pub(crate) book: &'a Violations,
    pub(crate) endpoint: Endpoint,
    pub(crate) account: Option<&'a str>,
    pub(crate) now_ms: u64,
}

impl<'a> Checker<'a> {
    pub(crate) fn of(self, account: &'a str) -> Self {
        Self { account: Some(account), ..self }
    }

    pub(crate) fn hard(&self, what: &'static str) {
        self.book.note(true, self.account, self.endpoint.name(), what, self.now_ms);
    }

    pub(crate) fn soft(&self, what: &'static str) {
        self.book.note(false, self.account, self.endpoint.name(), what, self.now_ms);
    }

    /// Query parameters and headers that every official request of this endpoint has.
    pub(crate) fn habits(&self, request: &Request, query: &Query<'_>, pass_ticket: &str) {
        let (r, lang, ticket) = match self.endpoint {
            Endpoint::Init | Endpoint::GetContact => (true, true, true),
            Endpoint::BatchGetContact => (true, false, true),
            Endpoint::StatusNotify
            | Endpoint::Sync
            | Endpoint::SendMsg
            | Endpoint::SendMsgImg
            | Endpoint::SendVideoMsg => (false, true, true),
            Endpoint::VerifyUser => (true, true, true),
            Endpoint::CreateChatRoom => (true, true, false),
            // The query of webwxsendemoticon has no pass_ticket in some captures, that of the others no lang.
            Endpoint::SendEmoticon => (false, true, false),
            Endpoint::SyncCheck => (true, false, false),
            Endpoint::Root
            | Endpoint::JsLogin
            | Endpoint::Login
            | Endpoint::QrCode
            | Endpoint::QrLink
            | Endpoint::NewLoginPage
            | Endpoint::PushLoginUrl
            | Endpoint::RevokeMsg
            | Endpoint::Logout
            | Endpoint::StatReport
            | Endpoint::SendAppMsg
            | Endpoint::UploadMedia
            | Endpoint::CheckUpload
            | Endpoint::UpdateChatRoom
            | Endpoint::OpLog
            | Endpoint::GetMsgImg
            | Endpoint::GetVoice
            | Endpoint::GetVideo
            | Endpoint::GetMedia
            | Endpoint::GetIcon
            | Endpoint::GetHeadImg
            | Endpoint::GetPublicLinkImg
            | Endpoint::Unknown => (false, false, false),
        };
        if r && query.get("r").is_none() {
            self.soft("query without r");
        }
        if lang && query.get("lang").is_none() {
            self.soft("query without lang");
        }
        match query.get("pass_ticket") {
            None | Some("") if ticket => self.soft("query without pass_ticket"),
            None => {}
            // Stored and sent verbatim the value is encoded twice; sent decoded, once. Both are accepted.
            Some(sent) if sent == pass_ticket || sent == percent_decoded(pass_ticket) => {}
            Some(_) => self.soft("pass_ticket is not the session's"),
        }
        if request.headers.contains_key("contenttype") {
            self.soft("header ContentType instead of Content-Type");
        }
    }

    /// `e` and 15 digits.
    pub(crate) fn device_id(&self, device_id: &str) {
        let digits = device_id.strip_prefix('e').unwrap_or_default();
        if digits.len() != 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.soft("DeviceID is not e and 15 digits");
        }
    }
}

pub(crate) fn percent_decoded(text: &str) -> String {
    // A query decoder turns `+` into a blank; a stored ticket holds none.
    url::form_urlencoded::parse(text.as_bytes()).next().map(|(key, _)| key.into_owned()).unwrap_or_default()
}
