//! Whose cookies go along? One account's, kept above the carrier, so that they can be seen and saved.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cookie_store::CookieStore;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use tokio::time::Instant;
use url::{Position, Url};

use crate::error::Error;
use crate::transport::{HttpRequest, HttpResponse, HttpStream, Transport, TransportError};

/// One account's cookies over a shared carrier.
///
/// Cookies sit above the [`Transport`] seam, so that the in-memory simulator sees them and they can be saved with the
/// cursor.
#[derive(Debug)]
pub struct CookieClient {
    transport: Arc<dyn Transport>,
    jar: Mutex<Jar>,
    /// The endpoint is not the real service: its cookies are taken whatever domain they claim.
    any_domain: bool,
}

struct Jar {
    store: CookieStore,
    /// Rises when a cookie is new or has another value: tells when credentials must be saved again.
    generation: u64,
    /// Headers as last put together; emptied whenever a cookie comes.
    headers: Vec<Ready>,
}

/// The header for one address without its query.
struct Ready {
    address: String,
    value: Option<HeaderValue>,
    until: Instant,
}

/// Addresses of one account that headers are kept for: it asks about ten.
const READY: usize = 16;
/// A cookie that expires is sent for so long at most after it did.
const READY_FOR: Duration = Duration::from_secs(60);

impl Jar {
    fn new(store: CookieStore) -> Self {
        Self { store, generation: 0, headers: Vec::new() }
    }

    fn header(&mut self, url: &Url) -> Option<HeaderValue> {
        let (address, now) = (&url[..Position::AfterPath], Instant::now());
        if let Some(ready) = self.headers.iter().find(|ready| ready.address == address && ready.until > now) {
            return ready.value.clone();
        }
        let pairs = self.store.get_request_values(url).map(|(name, value)| format!("{name}={value}"));
        let text = pairs.collect::<Vec<_>>().join("; ");
        let value = if text.is_empty() { None } else { HeaderValue::from_str(&text).ok() };
        self.headers.retain(|ready| ready.address != address && ready.until > now);
        if self.headers.len() < READY {
            let address = address.to_owned();
            self.headers.push(Ready { address, value: value.clone(), until: now + READY_FOR });
        }
        value
    }

    fn parse(&mut self, text: &str, url: &Url) {
        self.headers.clear();
        // A cookie for a foreign domain is refused by the store, which is what a browser does too.
        self.store.parse(text, url).ok();
    }
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jar(generation {})", self.generation)
    }
}

impl CookieClient {
    /// An empty jar over `transport`. `any_domain` for endpoints that stand in for the real service.
    pub fn new(transport: Arc<dyn Transport>, any_domain: bool) -> Self {
        Self { transport, jar: Mutex::new(Jar::new(CookieStore::default())), any_domain }
    }

    /// Sends with the cookies of the address, and keeps those of the answer.
    ///
    /// # Errors
    /// As the carrier says.
    pub async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let url = request.url.clone();
        if let Some(cookies) = self.header_for(&url) {
            request.headers.insert(COOKIE, cookies);
        }
        let answer = self.transport.send(request).await?;
        self.keep(&answer.headers, &url);
        Ok(answer)
    }

    /// Like [`send`](Self::send), with a body that is still coming.
    ///
    /// # Errors
    /// As the carrier says.
    pub async fn open(&self, mut request: HttpRequest) -> Result<HttpStream, TransportError> {
        let url = request.url.clone();
        if let Some(cookies) = self.header_for(&url) {
            request.headers.insert(COOKIE, cookies);
        }
        let answer = self.transport.open(request).await?;
        self.keep(&answer.headers, &url);
        Ok(answer)
    }

    fn header_for(&self, url: &Url) -> Option<HeaderValue> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner).header(url)
    }

    fn keep(&self, headers: &HeaderMap, url: &Url) {
        if !headers.contains_key(SET_COOKIE) {
            return;
        }
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        let before = values(&jar.store);
        for header in headers.get_all(SET_COOKIE) {
            let Ok(text) = header.to_str() else { continue };
            let text = if self.any_domain { host_only(text) } else { text.to_owned() };
            jar.parse(&text, url);
        }
        if values(&jar.store) != before {
            jar.generation += 1;
        }
    }

    /// Rises whenever a cookie changed.
    pub fn generation(&self) -> u64 {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// The value of a cookie that would be sent to `url`.
    pub fn cookie(&self, url: &Url, name: &str) -> Option<String> {
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        jar.store.get_request_values(url).find(|(k, _)| *k == name).map(|(_, v)| v.to_owned())
    }

    /// Sets a cookie as a page script would.
    pub fn set(&self, url: &Url, name: &str, value: &str) {
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        jar.parse(&format!("{name}={value}; Path=/"), url);
        jar.generation += 1;
    }

    /// All cookies as JSON, session cookies included. A secret.
    ///
    /// # Errors
    /// When they cannot be written, which no known cookie causes.
    pub fn save(&self) -> Result<String, Error> {
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        cookie_store::serde::json::save_incl_expired_and_nonpersistent(&jar.store, &mut out)
            .map_err(|e| Error::BadSavedSession(e.to_string()))?;
        String::from_utf8(out).map_err(|e| Error::BadSavedSession(e.to_string()))
    }

    /// Takes saved cookies instead of the present ones.
    ///
    /// # Errors
    /// When the text is not what [`save`](Self::save) wrote.
    pub fn load(&self, text: &str) -> Result<(), Error> {
        let store =
            cookie_store::serde::json::load_all(text.as_bytes()).map_err(|e| Error::BadSavedSession(e.to_string()))?;
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        *jar = Jar { generation: jar.generation, ..Jar::new(store) };
        Ok(())
    }
}

fn values(store: &CookieStore) -> HashMap<(String, String), String> {
    store
        .iter_any()
        .map(|c| ((c.domain().unwrap_or_default().to_owned(), c.name().to_owned()), c.value().to_owned()))
        .collect()
}

/// A `Set-Cookie` text without `Domain` and `Secure`: a stand-in may claim the real domain, and is often asked over http.
fn host_only(text: &str) -> String {
    let mut parts = text.split(';');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.split('=').next().unwrap_or_default().trim();
        if !name.eq_ignore_ascii_case("domain") && !name.eq_ignore_ascii_case("secure") {
            out.push(';');
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|l| (SET_COOKIE, l.parse().unwrap())).collect()
    }

    #[derive(Debug)]
    struct Nowhere;
    impl Transport for Nowhere {
        fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
            let host = request.host();
            Box::pin(async { Err(TransportError::NotSent { host, reason: "nowhere".into() }) })
        }
    }

    // cov: 9
    #[test]
    fn cookies_of_the_api_host_go_to_its_file_and_push_hosts_and_survive_saving() {
        let api: Url = "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage".parse().unwrap();
        let client = CookieClient::new(Arc::new(Nowhere), false);
        client.keep(
            &headers(&[
                "wxsid=a+b/c; Domain=wx.qq.com; Path=/; Secure",
                "wxuin=566148615; Domain=wx.qq.com; Path=/",
                "evil=1; Domain=example.com; Path=/",
            ]),
            &api,
        );
        let saved = client.save().unwrap();
        let again = CookieClient::new(Arc::new(Nowhere), false);
        again.load(&saved).unwrap();
        for host in ["wx.qq.com", "file.wx.qq.com", "webpush.wx.qq.com"] {
            let url = format!("https://{host}/cgi-bin/x").parse().unwrap();
            assert_eq!(again.cookie(&url, "wxsid").as_deref(), Some("a+b/c"), "{host}");
            assert_eq!(again.cookie(&url, "evil"), None);
        }
        assert_eq!(again.cookie(&"https://example.com/".parse().unwrap(), "wxsid"), None);
    }

    #[test]
    fn sec_r15_cookies_go_to_the_login_host_family_alone() {
        let client = CookieClient::new(Arc::new(Nowhere), false);
        let at = "https://wx.qq.com/cgi-bin/x".parse().unwrap();
        client.keep(&headers(&["wxsid=s; Domain=wx.qq.com; Path=/; Secure", "own=1; Path=/; Secure"]), &at);
        for (url, wxsid, own) in [
            ("https://wx.qq.com/", true, true),
            ("https://file.wx.qq.com/", true, false),
            ("https://webpush.wx.qq.com/", true, false),
            ("http://wx.qq.com/", false, false),
            ("https://qq.com/", false, false),
            ("https://wx2.qq.com/", false, false),
            ("https://evilwx.qq.com/", false, false),
            ("https://wx.qq.com.evil.example/", false, false),
            ("https://web.wechat.com/", false, false),
            ("https://vweixinf.tc.qq.com/", false, false),
            ("https://127.0.0.1/", false, false),
        ] {
            let url = url.parse().unwrap();
            assert_eq!(client.cookie(&url, "wxsid").is_some(), wxsid, "{url}");
            assert_eq!(client.cookie(&url, "own").is_some(), own, "{url}");
            assert_eq!(client.header_for(&url).is_some(), wxsid || own, "{url}");
        }
    }

    #[tokio::test]
    async fn a_new_cookie_is_in_the_next_header() {
        let client = CookieClient::new(Arc::new(Nowhere), false);
        let url: Url = "https://wx.qq.com/cgi-bin/x?a=b".parse().unwrap();
        let shown = || client.header_for(&url).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(shown(), None);
        client.keep(&headers(&["wxsid=1; Path=/", "deep=1; Path=/cgi-bin/y"]), &url);
        assert_eq!(shown().as_deref(), Some("wxsid=1"));
        assert_eq!(shown().as_deref(), Some("wxsid=1"), "kept");
        client.keep(&headers(&["wxsid=2; Path=/"]), &url);
        assert_eq!(shown().as_deref(), Some("wxsid=2"));
        client.set(&url, "own", "3");
        assert!(shown().unwrap().contains("own=3"));
        client.load(&CookieClient::new(Arc::new(Nowhere), false).save().unwrap()).unwrap();
        assert_eq!(shown(), None);
    }

    #[test]
    fn a_stand_in_server_may_claim_the_real_domain() {
        let url: Url = "http://127.0.0.1:8080/cgi-bin/x".parse().unwrap();
        let client = CookieClient::new(Arc::new(Nowhere), true);
        client.keep(&headers(&["wxsid=s; Domain=wx.qq.com; Path=/; Secure; HttpOnly"]), &url);
        assert_eq!(client.cookie(&url, "wxsid").as_deref(), Some("s"));
        client.keep(&headers(&["secure=1; Path=/", "domain=2; domain=wx.qq.com"]), &url);
        assert_eq!(
            (client.cookie(&url, "secure"), client.cookie(&url, "domain")),
            (Some("1".into()), Some("2".into()))
        );
        let generation = client.generation();
        client.keep(&headers(&["wxsid=s; Path=/"]), &url);
        assert_eq!(client.generation(), generation, "the same value again changes nothing");
    }
}
