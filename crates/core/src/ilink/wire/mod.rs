//! What the service says and what we send, in the service's spelling.
//!
//! [`answer`] what each call is answered → [`message`] one message that came → [`request`] bodies → [`send`] those that send.

pub mod answer;
pub mod message;
pub mod request;
pub mod send;

use std::fmt;

use serde::de::DeserializeOwned;

use super::endpoint::Call;
use super::ret::Outcome;
use crate::error::{DecodeError, Error};
use crate::transport::HttpResponse;

/// Reads an answer: first whether it is a yes, then what it says. An empty body is `{}`.
///
/// # Errors
/// [`Error::Status`] for anything but 200, [`Error::Decode`] for anything but JSON of this shape, else what
/// [`Outcome::check`] says.
pub fn read<T: DeserializeOwned>(call: &Call, answer: &HttpResponse) -> Result<T, Error> {
    let endpoint = call.name;
    if answer.status != 200 {
        return Err(Error::Status { endpoint, status: answer.status });
    }
    let len = answer.body.len();
    if len > call.limit {
        let source = DecodeError(format!("longer than {} bytes", call.limit));
        return Err(Error::Decode { endpoint, len, looks: "too long", source });
    }
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let json = if text.is_empty() { "{}" } else { text };
    let unreadable = |e: serde_json::Error| Error::Decode {
        endpoint,
        len,
        looks: looks_like(json, &e),
        source: DecodeError(describe(&e)),
    };
    serde_json::from_str::<Outcome>(json).map_err(unreadable)?.check(endpoint)?;
    serde_json::from_str(json).map_err(unreadable)
}

/// What serde says, without quoting the input: it may be a key.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "JSON of another shape",
        serde_json::error::Category::Io => "not readable",
    };
    format!("{what}, line {} column {}", error.line(), error.column())
}

fn looks_like(text: &str, error: &serde_json::Error) -> &'static str {
    match text.get(..1).unwrap_or_default() {
        "<" => "an HTML or XML page instead of JSON",
        _ if error.is_eof() => "cut off",
        "{" | "[" => "JSON",
        _ => "text",
    }
}

/// A yes or a no and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Nothing {}

/// Shows of a text that is a secret only whether there is one.
fn hidden(name: &str, text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{name}: {} ", if text.is_empty() { "none" } else { "[secret]" })
}
