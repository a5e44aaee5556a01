//! What did a client ask, and what is it answered: one exchange, whichever way it came?

use std::borrow::Cow;
use std::time::Duration;

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
    pub(crate) delivery: Delivery,
}

/// How the body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// At once and whole.
    Whole,
    /// With a pause behind so many bytes.
    Stalls { after: usize, pause: Duration },
    /// Under a Content-Length that is not its own.
    Claims(u64),
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = vec![(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { status, headers, body: body.into(), delivery: Delivery::Whole }
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
    SendEmoticon,
    SendMsgImg,
    SendVideoMsg,
    SendAppMsg,
    UploadMedia,
    CheckUpload,
    GetMsgImg,
    GetVoice,
    GetVideo,
    GetMedia,
    GetIcon,
    GetHeadImg,
    GetPublicLinkImg,
    VerifyUser,
    CreateChatRoom,
    UpdateChatRoom,
    OpLog,
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
            "webwxsendemoticon" => Self::SendEmoticon,
            "webwxsendmsgimg" => Self::SendMsgImg,
            "webwxsendvideomsg" => Self::SendVideoMsg,
            "webwxsendappmsg" => Self::SendAppMsg,
            "webwxuploadmedia" => Self::UploadMedia,
            "webwxcheckupload" => Self::CheckUpload,
            "webwxgetmsgimg" => Self::GetMsgImg,
            "webwxgetvoice" => Self::GetVoice,
            "webwxgetvideo" => Self::GetVideo,
            "webwxgetmedia" => Self::GetMedia,
            "webwxgeticon" => Self::GetIcon,
            "webwxgetheadimg" => Self::GetHeadImg,
            "webwxgetpubliclinkimg" => Self::GetPublicLinkImg,
            "webwxverifyuser" => Self::VerifyUser,
            "webwxcreatechatroom" => Self::CreateChatRoom,
            "webwxupdatechatroom" => Self::UpdateChatRoom,
            "webwxoplog" => Self::OpLog,
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
            Self::SendEmoticon => "webwxsendemoticon",
            Self::SendMsgImg => "webwxsendmsgimg",
            Self::SendVideoMsg => "webwxsendvideomsg",
            Self::SendAppMsg => "webwxsendappmsg",
            Self::UploadMedia => "webwxuploadmedia",
            Self::CheckUpload => "webwxcheckupload",
            Self::GetMsgImg => "webwxgetmsgimg",
            Self::GetVoice => "webwxgetvoice",
            Self::GetVideo => "webwxgetvideo",
            Self::GetMedia => "webwxgetmedia",
            Self::GetIcon => "webwxgeticon",
            Self::GetHeadImg => "webwxgetheadimg",
            Self::GetPublicLinkImg => "webwxgetpubliclinkimg",
            Self::VerifyUser => "webwxverifyuser",
            Self::CreateChatRoom => "webwxcreatechatroom",
            Self::UpdateChatRoom => "webwxupdatechatroom",
            Self::OpLog => "webwxoplog",
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
            | Self::StatReport
            | Self::SendEmoticon
            | Self::SendMsgImg
            | Self::SendVideoMsg
            | Self::SendAppMsg
            | Self::CheckUpload
            | Self::VerifyUser
            | Self::CreateChatRoom
            | Self::UpdateChatRoom
            | Self::OpLog => method == Method::POST,
            // A browser asks first whether the page of another host may upload.
            Self::UploadMedia => method == Method::POST || method == Method::OPTIONS,
            Self::Root
            | Self::Login
            | Self::QrCode
            | Self::QrLink
            | Self::NewLoginPage
            | Self::PushLoginUrl
            | Self::SyncCheck
            | Self::GetMsgImg
            | Self::GetVoice
            | Self::GetVideo
            | Self::GetMedia
            | Self::GetIcon
            | Self::GetHeadImg
            | Self::GetPublicLinkImg => method == Method::GET,
            Self::Unknown => true,
        }
    }
}
