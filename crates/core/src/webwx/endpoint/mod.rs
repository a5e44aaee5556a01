//! Where is each thing asked? Hosts, paths, queries and time-outs of Web WeChat; no other folder here has an address.
//!
//! Here the hosts and the calls of a running session → [`login`] how it comes about → [`send`] what sends messages and
//! changes friends and rooms → [`media`] where bytes go and come from.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Error;
use crate::transport::HttpRequest;

pub mod login;
pub mod media;
pub mod send;

pub use login::{JsLogin, jslogin, login_poll, logout, newloginpage, pushloginurl, qr_image, qr_payload};

/// The official client waits 35 s for polls that the server holds for about 25 s.
pub const POLL_TIMEOUT: Duration = Duration::from_secs(35);
/// jslogin and newloginpage.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// One chunk of an upload: half a megabyte over a bad line.
pub const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);
/// The beginning of a download, and again each piece of it.
pub const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// Everything else.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The address book of a large account takes its time.
pub const CONTACT_TIMEOUT: Duration = Duration::from_secs(60);

const CGI: &str = "/cgi-bin/mmwebwx-bin/";
const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";
const UOS_BROWSER: &str = "Mozilla/5.0 (Linux; U; UOS x86_64; zh-cn) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/91.0.4472.124 Safari/537.36 UOSBrowser/6.0.1.1001";

/// The four host roles of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// jslogin, login poll, QR codes.
    pub login: Url,
    /// Most calls.
    pub api: Url,
    /// Uploads and file downloads.
    pub file: Url,
    /// synccheck.
    pub push: Url,
    /// True when one stand-in address replaces all four; redirects keep it.
    pub fixed: bool,
}

fn origin(host: &str) -> Url {
    // The hosts below are constants or came out of a parsed Url: they parse again.
    Url::parse(&format!("https://{host}/")).unwrap_or_else(|_| default_origin())
}

fn default_origin() -> Url {
    #[expect(clippy::expect_used, reason = "a constant address")]
    Url::parse("https://wx.qq.com/").expect("constant")
}

impl Hosts {
    /// Before a redirect has told the family.
    pub fn before_login() -> Self {
        Self::family("wx.qq.com")
    }

    /// One address for all four roles. Only scheme, host and port of it count: the paths are the protocol's own.
    pub fn fixed(endpoint: &Url) -> Self {
        let mut endpoint = join(endpoint, "/");
        endpoint.set_fragment(None);
        Self { login: endpoint.clone(), api: endpoint.clone(), file: endpoint.clone(), push: endpoint, fixed: true }
    }

    /// The family that a redirect host belongs to; the first rule that fits, in the official client's order.
    pub fn family(host: &str) -> Self {
        let all = |api: &str, family: &str| Self {
            login: origin(&format!("login.{family}")),
            api: origin(api),
            file: origin(&format!("file.{family}")),
            push: origin(&format!("webpush.{family}")),
            fixed: false,
        };
        if host.contains("wx2.qq.com") {
            all("wx2.qq.com", "wx2.qq.com")
        } else if host.contains("wx8.qq.com") {
            all("wx8.qq.com", "wx8.qq.com")
        } else if host.contains("qq.com") {
            all(host, "wx.qq.com")
        } else if host.contains("web2.wechat.com") {
            all("web2.wechat.com", "web2.wechat.com")
        } else if host.contains("wechat.com") {
            all(host, "web.wechat.com")
        } else {
            all(host, host)
        }
    }

    /// Where a redirect of the service leads: the hosts of its family, and the address itself.
    ///
    /// Cookies will go there, so only https inside the known families is followed (security R15); a stand-in endpoint
    /// keeps its own origin whatever the redirect says.
    ///
    /// # Errors
    /// [`Error::Settings`] when the redirect leads elsewhere.
    pub fn redirected(&self, redirect: &Url) -> Result<(Self, Url), Error> {
        if self.fixed {
            let mut url = self.api.clone();
            url.set_path(redirect.path());
            url.set_query(redirect.query());
            return Ok((self.clone(), url));
        }
        let host = redirect.host_str().unwrap_or_default();
        let inside = ["qq.com", "wechat.com"].iter().any(|f| host == *f || host.ends_with(&format!(".{f}")));
        if redirect.scheme() != "https" || !inside || redirect.port().is_some() {
            return Err(Error::Settings(format!(
                "the service redirects the login to `{host}`, which is not a WeChat host"
            )));
        }
        Ok((Self::family(host), redirect.clone()))
    }

    /// True when a session saved with these hosts may go on with an account that is now set to this `endpoint`.
    ///
    /// Its keys are the account: they go back to the service or to the very stand-in that gave them, and nowhere else
    /// (security R15).
    pub fn may_resume_at(&self, endpoint: Option<&Url>) -> bool {
        match endpoint {
            Some(endpoint) => self.fixed && self.api.origin() == endpoint.origin(),
            None => !self.fixed,
        }
    }

    /// The file host to try when the first refuses or fails. A stand-in has only one.
    pub fn second_file(&self) -> Option<Url> {
        let first = self.file.host_str().filter(|_| !self.fixed)?;
        first.strip_prefix("file.").map(|family| origin(&format!("file2.{family}")))
    }

    /// Push hosts to try in turn when the first synccheck of a session is refused; the family's own comes first.
    pub fn push_candidates(&self) -> Vec<Url> {
        if self.fixed {
            return vec![self.push.clone()];
        }
        let api = self.api.host_str().unwrap_or_default().to_owned();
        let mut list = vec![self.push.clone()];
        for host in [
            format!("webpush.{api}"),
            format!("webpush2.{api}"),
            "webpush.weixin.qq.com".to_owned(),
            "webpush.wechat.com".to_owned(),
            "webpush1.wechat.com".to_owned(),
            "webpush2.wechat.com".to_owned(),
        ] {
            let url = origin(&host);
            if !list.contains(&url) {
                list.push(url);
            }
        }
        list
    }
}

/// How the account presents itself: the plain web page, or the desktop (UOS) variant that many accounts need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// `mod=desktop` and its headers.
    pub desktop: bool,
    /// `client-version` header of the desktop variant.
    pub client_version: String,
    /// `extspam` header of the desktop variant, an opaque constant of that client.
    pub extspam: String,
    /// `User-Agent`; empty: the usual one of the mode.
    pub user_agent: String,
}

impl Mode {
    fn user_agent(&self) -> &str {
        match (self.user_agent.as_str(), self.desktop) {
            ("", true) => UOS_BROWSER,
            ("", false) => BROWSER,
            (own, _) => own,
        }
    }
}

fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(None);
    url
}

fn cgi(base: &Url, name: &str, query: &[(&str, &str)]) -> Url {
    let mut url = join(base, &format!("{CGI}{name}"));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn headers(mode: &Mode) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/plain, */*"));
    if let Ok(agent) = HeaderValue::from_str(mode.user_agent()) {
        headers.insert(USER_AGENT, agent);
    }
    headers
}

fn get(mode: &Mode, url: Url, timeout: Duration) -> HttpRequest {
    HttpRequest { method: Method::GET, url, headers: headers(mode), body: Bytes::new(), timeout }
}

/// A JSON call of the API host. `serde_json` writes raw UTF-8 and escapes neither `<` nor `&`, as the service wants.
///
/// # Errors
/// When the body cannot be written as JSON.
pub fn post_json(mode: &Mode, url: Url, body: &impl Serialize) -> Result<HttpRequest, Error> {
    let mut headers = headers(mode);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    let body = serde_json::to_vec(body).map_err(|e| Error::Settings(format!("cannot write a request: {e}")))?;
    Ok(HttpRequest { method: Method::POST, url, headers, body: body.into(), timeout: CALL_TIMEOUT })
}

/// webwxinit.
pub fn init(hosts: &Hosts, pass_ticket: &str, now_ms: i64) -> Url {
    cgi(&hosts.api, "webwxinit", &[("r", &not_timestamp(now_ms)), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// A call whose query is only `lang` and `pass_ticket`.
fn plain(hosts: &Hosts, name: &str, pass_ticket: &str) -> Url {
    cgi(&hosts.api, name, &[("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// webwxstatusnotify.
pub fn statusnotify(hosts: &Hosts, pass_ticket: &str) -> Url {
    plain(hosts, "webwxstatusnotify", pass_ticket)
}

/// webwxstatreport.
pub fn statreport(hosts: &Hosts, pass_ticket: &str) -> Url {
    cgi(&hosts.api, "webwxstatreport", &[("fun", "new"), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// One page of webwxgetcontact.
pub fn getcontact(hosts: &Hosts, mode: &Mode, pass_ticket: &str, skey: &str, seq: u64, now_ms: i64) -> HttpRequest {
    let (seq, r) = (seq.to_string(), now_ms.to_string());
    let query = [("lang", "zh_CN"), ("pass_ticket", pass_ticket), ("r", &r), ("seq", &seq), ("skey", skey)];
    get(mode, cgi(&hosts.api, "webwxgetcontact", &query), CONTACT_TIMEOUT)
}

/// webwxbatchgetcontact.
pub fn batchgetcontact(hosts: &Hosts, pass_ticket: &str, now_ms: i64) -> Url {
    let r = now_ms.to_string();
    cgi(
        &hosts.api,
        "webwxbatchgetcontact",
        &[("type", "ex"), ("r", &r), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)],
    )
}

/// What synccheck is asked with; all of it in the query.
#[derive(Debug)]
pub struct SyncCheck<'a> {
    /// Keys of the session.
    pub skey: &'a str,
    /// Keys of the session.
    pub sid: &'a str,
    /// The account.
    pub uin: u64,
    /// Varied: a constant one delays messages.
    pub device_id: &'a str,
    /// `Key_Val|…`.
    pub synckey: &'a str,
    /// For `r`.
    pub now_ms: i64,
    /// For `_`: page start plus the number of polls.
    pub counter_ms: i64,
}

/// One synccheck poll.
pub fn synccheck(push: &Url, mode: &Mode, ask: &SyncCheck<'_>) -> HttpRequest {
    let (r, uin, counter) = (ask.now_ms.to_string(), ask.uin.to_string(), ask.counter_ms.to_string());
    let query = [
        ("r", r.as_str()),
        ("skey", ask.skey),
        ("sid", ask.sid),
        ("uin", &uin),
        ("deviceid", ask.device_id),
        ("synckey", ask.synckey),
        ("_", &counter),
    ];
    get(mode, cgi(push, "synccheck", &query), POLL_TIMEOUT)
}

/// webwxsync.
pub fn sync(hosts: &Hosts, sid: &str, skey: &str, pass_ticket: &str) -> Url {
    cgi(&hosts.api, "webwxsync", &[("sid", sid), ("skey", skey), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// `r` of the login poll and webwxinit, `rr` of webwxsync: the bits of the millisecond clock, inverted, cut to 32.
#[expect(clippy::cast_possible_truncation, reason = "the official client cuts to signed 32 bits")]
pub fn not_timestamp_i32(now_ms: i64) -> i32 {
    !now_ms as i32
}

fn not_timestamp(now_ms: i64) -> String {
    not_timestamp_i32(now_ms).to_string()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The plain web page.
    pub(in crate::webwx) fn web() -> Mode {
        Mode { desktop: false, client_version: "2.0.0".into(), extspam: "token".into(), user_agent: String::new() }
    }

    /// A parameter, decoded.
    pub(in crate::webwx) fn query(url: &Url, name: &str) -> Option<String> {
        url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // cov: 12
    #[test]
    fn families_and_their_push_hosts() {
        for (redirect, api, login, file, push) in [
            ("wx.qq.com", "wx.qq.com", "login.wx.qq.com", "file.wx.qq.com", "webpush.wx.qq.com"),
            ("weixin.qq.com", "weixin.qq.com", "login.wx.qq.com", "file.wx.qq.com", "webpush.wx.qq.com"),
            ("wx2.qq.com", "wx2.qq.com", "login.wx2.qq.com", "file.wx2.qq.com", "webpush.wx2.qq.com"),
            ("wx8.qq.com", "wx8.qq.com", "login.wx8.qq.com", "file.wx8.qq.com", "webpush.wx8.qq.com"),
            (
                "web.wechat.com",
                "web.wechat.com",
                "login.web.wechat.com",
                "file.web.wechat.com",
                "webpush.web.wechat.com",
            ),
            (
                "web2.wechat.com",
                "web2.wechat.com",
                "login.web2.wechat.com",
                "file.web2.wechat.com",
                "webpush.web2.wechat.com",
            ),
        ] {
            let hosts = Hosts::family(redirect);
            let got = [&hosts.api, &hosts.login, &hosts.file, &hosts.push].map(|u| u.host_str().unwrap().to_owned());
            assert_eq!(got, [api, login, file, push], "{redirect}");
            assert_eq!(hosts.push_candidates().first(), Some(&hosts.push));
        }
        let candidates = Hosts::family("wx.qq.com").push_candidates();
        assert!(candidates.iter().any(|u| u.host_str() == Some("webpush.weixin.qq.com")));
    }

    #[test]
    fn sec_r15_redirects_stay_in_the_family() {
        let hosts = Hosts::before_login();
        for (to, good) in [
            ("https://wx2.qq.com/cgi-bin/x?ticket=1", true),
            ("https://web.wechat.com/x", true),
            ("http://wx.qq.com/x", false),
            ("https://wx.qq.com.evil.example/x", false),
            ("https://evilqq.com/x", false),
            ("https://wx.qq.com:8443/x", false),
        ] {
            assert_eq!(hosts.redirected(&to.parse().unwrap()).is_ok(), good, "{to}");
        }
        let fixed = Hosts::fixed(&"http://127.0.0.1:4000".parse().unwrap());
        let (hosts, url) =
            fixed.redirected(&"https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?t=1".parse().unwrap()).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:4000/cgi-bin/mmwebwx-bin/webwxnewloginpage?t=1");
        assert_eq!(hosts, fixed);
    }

    #[test]
    fn sec_r15_keys_go_back_to_where_they_came_from() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let stand_in = Hosts::fixed(&url("http://127.0.0.1:4000"));
        for (name, saved, now, may) in [
            ("the service again", Hosts::family("wx2.qq.com"), None, true),
            ("the same stand-in", stand_in.clone(), Some(url("http://127.0.0.1:4000/")), true),
            ("from the service to a stand-in", Hosts::before_login(), Some(url("http://127.0.0.1:4000")), false),
            ("from a stand-in to the service", stand_in.clone(), None, false),
            ("another port", stand_in.clone(), Some(url("http://127.0.0.1:4001")), false),
            ("another host", stand_in.clone(), Some(url("http://localhost:4000")), false),
            ("another scheme", stand_in, Some(url("https://127.0.0.1:4000")), false),
            // The address of the service given as an endpoint is a stand-in like any other.
            ("the service as a stand-in", Hosts::before_login(), Some(url("https://wx.qq.com")), false),
        ] {
            assert_eq!(saved.may_resume_at(now.as_ref()), may, "{name}");
        }
    }

    #[test]
    fn an_endpoint_is_an_origin_whatever_else_it_holds() {
        let hosts = Hosts::fixed(&"http://127.0.0.1:4000/wx/?a=b#c".parse().unwrap());
        assert_eq!(hosts, Hosts::fixed(&"http://127.0.0.1:4000".parse().unwrap()));
        let redirect = "http://127.0.0.1:4000/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=T".parse().unwrap();
        assert_eq!(hosts.redirected(&redirect).unwrap().1, redirect);
        assert_eq!(init(&hosts, "t", 0).path(), "/cgi-bin/mmwebwx-bin/webwxinit");
    }

    #[test]
    fn the_inverted_clock_matches_the_samples() {
        assert_eq!(not_timestamp_i32(1_476_612_268_499), 856_481_324);
        assert_eq!(not_timestamp_i32(1_476_606_189_368), 862_560_455);
    }

    #[test]
    fn a_stored_ticket_is_encoded_once_more() {
        let url = statusnotify(&Hosts::before_login(), "kUY4%2FwIB");
        assert!(url.as_str().ends_with("pass_ticket=kUY4%252FwIB"), "{url}");
    }

    // cov: 22
    #[test]
    fn statistics_have_their_own_query() {
        let url = statreport(&Hosts::before_login(), "t");
        assert_eq!(
            url.as_str(),
            "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxstatreport?fun=new&lang=zh_CN&pass_ticket=t"
        );
    }
}
