//! What the server says and what we send, in the server's spelling.
//!
//! [`script`] the JavaScript texts of login and synccheck → [`page`] the XML of newloginpage → [`contact`] address book →
//! [`answer`] JSON answers of the calls → [`addmsg`] one received message → [`request`] JSON bodies → [`send`] messages
//! that we send → [`upload`] bytes that we send, [`form`] as a form → [`circle`] friends and rooms that we change.

pub mod addmsg;
pub mod answer;
pub mod circle;
pub mod contact;
pub mod form;
pub mod page;
pub mod request;
pub mod script;
pub mod send;
pub mod upload;

use crate::error::{DecodeError, Error};
use crate::transport::HttpResponse;

/// Reads a JSON answer. Charset labels of the service are wrong or missing, so the bytes are taken as UTF-8.
///
/// # Errors
/// [`Error::Status`] for anything but 200, [`Error::Decode`] for anything but the expected JSON.
pub fn json<T: serde::de::DeserializeOwned>(endpoint: &'static str, answer: &HttpResponse) -> Result<T, Error> {
    if answer.status != 200 {
        return Err(Error::Status { endpoint, status: answer.status });
    }
    let text = String::from_utf8_lossy(&answer.body);
    serde_json::from_str(&text).map_err(|e| Error::Decode {
        endpoint,
        len: answer.body.len(),
        looks: looks_like(&text, &e),
        source: DecodeError(describe(&e)),
    })
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
    let start = text.trim_start().get(..1).unwrap_or_default();
    match start {
        "" => "empty",
        "<" => "an HTML or XML page instead of JSON",
        _ if error.is_eof() => "cut off",
        "{" | "[" => "JSON",
        _ => "text",
    }
}

/// An answer that should be a script text.
///
/// # Errors
/// [`Error::Status`] for anything but 200.
pub fn text(endpoint: &'static str, answer: &HttpResponse) -> Result<String, Error> {
    if answer.status != 200 {
        return Err(Error::Status { endpoint, status: answer.status });
    }
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// Percent-encoding undone. A form decoder would turn `+` into a blank; uuids and tickets are base64 and keep theirs.
pub fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// An answer that is not what the endpoint says.
pub fn unreadable(endpoint: &'static str, len: usize, text: &str, why: &str) -> Error {
    let looks = if text.trim_start().starts_with('<') { "an HTML or XML page" } else { "text" };
    Error::Decode { endpoint, len, looks, source: DecodeError(why.to_owned()) }
}

#[cfg(test)]
pub(crate) mod testdata {
    use bytes::Bytes;
    use http::HeaderMap;
    use serde::Serialize;

    use super::request::BaseRequest;
    use crate::transport::HttpResponse;

    /// A fixture of `tests/fixtures/webwx`.
    pub(crate) fn fixture(name: &str) -> String {
        let path = format!("{}/../../tests/fixtures/webwx/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// A fixture as JSON.
    pub(crate) fn fixture_json(name: &str) -> serde_json::Value {
        serde_json::from_str(&fixture(name)).unwrap()
    }

    /// Keys as the fixtures have them.
    pub(crate) fn base<'a>(sid: &'a str, skey: &'a str, device_id: &str) -> BaseRequest<'a> {
        BaseRequest { uin: 566_148_615, sid, skey, device_id: device_id.into() }
    }

    /// What we send is what the fixture has, as JSON.
    pub(crate) fn same(name: &str, body: &impl Serialize) {
        assert_eq!(serde_json::to_value(body).unwrap(), fixture_json(name), "{name}");
    }

    /// An answer with this body.
    pub(crate) fn ok(body: impl Into<Bytes>) -> HttpResponse {
        HttpResponse { status: 200, headers: HeaderMap::new(), body: body.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::answer::{Base, SyncAnswer};
    use super::testdata::ok;
    use super::*;

    #[test]
    fn bad_answers_say_what_they_look_like() {
        for (name, answer, want) in [
            (
                "html",
                ok("<html><body>blocked</body></html>"),
                "cannot read the answer of webwxsync (33 bytes, an HTML or XML page instead of JSON)",
            ),
            ("cut", ok(r#"{"BaseResponse":{"Ret":0"#), "cannot read the answer of webwxsync (24 bytes, cut off)"),
            ("empty", ok(""), "cannot read the answer of webwxsync (0 bytes, empty)"),
            ("list", ok("[]"), "cannot read the answer of webwxsync (2 bytes, JSON)"),
            ("502", HttpResponse { status: 502, ..ok("") }, "webwxsync answered HTTP 502"),
        ] {
            let error = json::<SyncAnswer>("webwxsync", &answer).unwrap_err();
            assert_eq!(error.to_string(), want, "{name}");
            assert!(error.is_transient(), "{name}");
        }
    }

    #[test]
    fn tickets_are_decoded_but_for_their_plus() {
        for (text, want) in
            [("kUY4%2FwIB%3D", "kUY4/wIB="), ("a+b&c=d", "a+b&c=d"), ("gf5Gk61zEA%3d%3d", "gf5Gk61zEA=="), ("", "")]
        {
            assert_eq!(percent_decoded(text), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_parse_or_fail(bytes: Vec<u8>) {
            let answer = ok(bytes);
            drop(json::<SyncAnswer>("x", &answer));
            drop(json::<Base>("x", &answer));
            let text = String::from_utf8_lossy(&answer.body);
            drop(script::Poll::parse(&text));
            script::SyncCheck::parse(&text);
            drop(script::QrLogin::parse(&text));
            drop(page::LoginPage::parse(&text));
        }
    }
}
