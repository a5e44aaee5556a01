//! The real carrier (reqwest) and the cookie jar that sits above the seam.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Once, PoisonError};

use bytes::BytesMut;
use cookie_store::CookieStore;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use url::Url;

use crate::error::Error;
use crate::stream;
use crate::transport::{HttpRequest, HttpResponse, HttpStream, MAX_BODY, Transport, TransportError};

/// Carries requests over TCP and TLS. One serves all accounts with the same proxy, so that they share connections.
#[derive(Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A carrier; `proxy` is `socks5://`, `socks5h://`, `http://` or `https://`.
    ///
    /// # Errors
    /// When the proxy address or the system's certificates cannot be used.
    pub fn new(proxy: Option<&Url>) -> Result<Self, Error> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error means that the embedding program chose a provider first, which is as good.
            rustls::crypto::ring::default_provider().install_default().ok();
        });
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(std::time::Duration::from_secs(10))
            .pool_idle_timeout(std::time::Duration::from_secs(30));
        if let Some(proxy) = proxy {
            let proxy = reqwest::Proxy::all(proxy.as_str())
                .map_err(|e| Error::Settings(format!("the proxy address cannot be used: {}", without_url(e))))?;
            builder = builder.proxy(proxy);
        }
        let client =
            builder.build().map_err(|e| Error::Settings(format!("cannot set up HTTPS: {}", without_url(e))))?;
        Ok(Self { client })
    }
}

/// A reqwest error without the address: queries hold keys.
pub(crate) fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Transport for HttpTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let (host, after) = (request.host(), request.timeout);
            let failed = |error: reqwest::Error| {
                if error.is_connect() || error.is_builder() {
                    TransportError::NotSent { host: host.clone(), reason: without_url(error) }
                } else if error.is_timeout() {
                    TransportError::Timeout { host: host.clone(), after }
                } else {
                    TransportError::Broken { host: host.clone(), reason: without_url(error) }
                }
            };
            let mut answer = self
                .client
                .request(request.method, request.url)
                .headers(request.headers)
                .body(request.body)
                .timeout(after)
                .send()
                .await
                .map_err(failed)?;
            let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > MAX_BODY {
                    return Err(TransportError::TooLarge { host: host.clone(), limit: MAX_BODY });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(HttpResponse { status, headers, body: body.freeze() })
        })
    }

    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpStream, TransportError>> {
        Box::pin(stream::open(&self.client, request))
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTransport")
    }
}

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
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jar(generation {})", self.generation)
    }
}

impl CookieClient {
    /// An empty jar over `transport`. `any_domain` for endpoints that stand in for the real service.
    pub fn new(transport: Arc<dyn Transport>, any_domain: bool) -> Self {
        Self { transport, jar: Mutex::new(Jar { store: CookieStore::default(), generation: 0 }), any_domain }
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

    /// Opens with the cookies of the address, and keeps those of the answer. The body is still coming.
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
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        let text = jar.store.get_request_values(url).map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; ");
        if text.is_empty() { None } else { HeaderValue::from_str(&text).ok() }
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
            // A cookie for a foreign domain is refused by the store, which is what a browser does too.
            jar.store.parse(&text, url).ok();
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
        jar.store.parse(&format!("{name}={value}; Path=/"), url).ok();
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
        jar.store = store;
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
