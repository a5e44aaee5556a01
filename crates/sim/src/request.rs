//! What did a client ask, and what is it answered: one exchange, whichever way it came?

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};

/// One request as HTTP and the in-memory transport both show it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) scheme: &'static str,
    /// Host and port by which the client knows this server.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn query(&self) -> Query<'_> {
        Query(url::form_urlencoded::parse(self.query.as_bytes()).collect())
    }

    /// The value of one cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
    }
}

/// Decoded query parameters in order.
#[derive(Debug)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Query<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }
}

/// What the server says when it says something.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = vec![(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { status, headers, body: body.into() }
    }

    /// JSON as the real server labels it.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self::new(200, "text/plain", body)
    }

    pub(crate) fn value(body: &serde_json::Value) -> Self {
        Self::json(body.to_string())
    }

    pub(crate) fn script(body: impl Into<Bytes>) -> Self {
        Self::new(200, "text/javascript", body)
    }

    pub(crate) fn header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
    }
}

/// How an exchange ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Answer),
    /// The connection breaks without an answer.
    Broken,
    /// As if nobody listened.
    Refused,
}

/// The places of the protocol that this server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    Root,
    JsLogin,
    Login,
    QrCode,
    QrLink,
    NewLoginPage,
    PushLoginUrl,
    Init,
    StatusNotify,
    GetContact,
    BatchGetContact,
    SyncCheck,
    Sync,
    SendMsg,
    RevokeMsg,
    Logout,
    StatReport,
    Picture(&'static str),
    Unknown,
}

impl Endpoint {
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/" => return Self::Root,
            "/jslogin" => return Self::JsLogin,
            "/synccheck" => return Self::SyncCheck,
            _ => {}
        }
        if path.starts_with("/qrcode/") {
            return Self::QrCode;
        }
        if path.starts_with("/l/") {
            return Self::QrLink;
        }
        match path.strip_prefix("/cgi-bin/mmwebwx-bin/").unwrap_or_default() {
            "login" => Self::Login,
            "webwxnewloginpage" => Self::NewLoginPage,
            "webwxpushloginurl" => Self::PushLoginUrl,
            "webwxinit" => Self::Init,
            "webwxstatusnotify" => Self::StatusNotify,
            "webwxgetcontact" => Self::GetContact,
            "webwxbatchgetcontact" => Self::BatchGetContact,
            "synccheck" => Self::SyncCheck,
            "webwxsync" => Self::Sync,
            "webwxsendmsg" => Self::SendMsg,
            "webwxrevokemsg" => Self::RevokeMsg,
            "webwxlogout" => Self::Logout,
            "webwxstatreport" => Self::StatReport,
            "webwxgeticon" => Self::Picture("webwxgeticon"),
            "webwxgetheadimg" => Self::Picture("webwxgetheadimg"),
            "webwxgetmsgimg" => Self::Picture("webwxgetmsgimg"),
            _ => Self::Unknown,
        }
    }

    /// The name by which faults and violations call it: the last path segment, where there is one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::JsLogin => "jslogin",
            Self::Login => "login",
            Self::QrCode => "qrcode",
            Self::QrLink => "l",
            Self::NewLoginPage => "webwxnewloginpage",
            Self::PushLoginUrl => "webwxpushloginurl",
            Self::Init => "webwxinit",
            Self::StatusNotify => "webwxstatusnotify",
            Self::GetContact => "webwxgetcontact",
            Self::BatchGetContact => "webwxbatchgetcontact",
            Self::SyncCheck => "synccheck",
            Self::Sync => "webwxsync",
            Self::SendMsg => "webwxsendmsg",
            Self::RevokeMsg => "webwxrevokemsg",
            Self::Logout => "webwxlogout",
            Self::StatReport => "webwxstatreport",
            Self::Picture(name) => name,
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn allows(self, method: &Method) -> bool {
        match self {
            Self::JsLogin | Self::GetContact | Self::Logout => method == Method::GET || method == Method::POST,
            Self::Init
            | Self::StatusNotify
            | Self::BatchGetContact
            | Self::Sync
            | Self::SendMsg
            | Self::RevokeMsg
            | Self::StatReport => method == Method::POST,
            Self::Root
            | Self::Login
            | Self::QrCode
            | Self::QrLink
            | Self::NewLoginPage
            | Self::PushLoginUrl
            | Self::SyncCheck
            | Self::Picture(_) => method == Method::GET,
            Self::Unknown => true,
        }
    }
}
