//! What can both be ordered to do in the same way: read a body, refuse, answer?

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::SimError;
use crate::request::{Answer, Request};

/// Why an order was refused, with its HTTP status.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) String);

impl From<SimError> for Refusal {
    fn from(error: SimError) -> Self {
        let status = match &error {
            SimError::UnknownAccount(_)
            | SimError::UnknownUuid(_)
            | SimError::UnknownPerson { .. }
            | SimError::UnknownRoom { .. }
            | SimError::UnknownMessage { .. } => 404,
            SimError::DuplicateAccount { .. } | SimError::LoginState { .. } | SimError::NoSession(_) => 409,
            SimError::MediaFull { .. } => 507,
            SimError::NotAMember { .. } | SimError::Invalid(_) => 400,
        };
        Self(status, error.to_string())
    }
}

pub(crate) fn read<'a, T: Deserialize<'a>>(request: &'a Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| Refusal(400, format!("body: {error}")))
}

pub(crate) fn done(result: Result<(), SimError>) -> Result<Value, Refusal> {
    result?;
    Ok(json!({}))
}

pub(crate) fn shown<T: Serialize>(value: &T) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| Refusal(500, error.to_string()))
}

/// The answer of an order; pages of other hosts get none.
pub(crate) fn answered(request: &Request, result: Result<Value, Refusal>) -> Answer {
    let (status, body) = match result {
        Ok(done) => (200, done),
        Err(Refusal(status, error)) => (status, json!({"error": error})),
    };
    debug_assert!(!from_a_page(request), "asked before anything is done");
    Answer::new(status, "application/json", body.to_string())
}

/// A browser sends Origin with what a page asks for: no page on this machine may drive the simulator.
pub(crate) fn from_a_page(request: &Request) -> bool {
    request.headers.contains_key(http::header::ORIGIN)
}

pub(crate) fn no_pages() -> Answer {
    Answer::new(403, "application/json", json!({"error": "requests of web pages are refused"}).to_string())
}

pub(crate) fn unknown(order: &str, method: &Method) -> Refusal {
    Refusal(404, format!("no order `{method} /__sim/{order}`"))
}
