//! What does the runtime see of Web WeChat? [`WebWx`] logs in by code or by push, or goes on with a saved session.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use url::Url;
use wxbot_model::{Capabilities, Capability, ClientMsgId};

use super::client::{Client, SessionKeys};
use super::endpoint::{Hosts, Mode};
use super::login::{Entered, Login, Step};
use super::saved::{Credentials, Cursor};
use super::session::WebSession;
use crate::error::Error;
use crate::http::CookieClient;
use crate::protocol::{LoginWatcher, Protocol, SavedSession, Session};
use crate::source::Source;
use crate::transport::Transport;

/// How one account speaks Web WeChat.
#[derive(Debug, Clone)]
pub struct Settings {
    /// One address for all four host roles; `None`: the real service.
    pub endpoint: Option<Url>,
    /// Plain web page or desktop variant.
    pub mode: Mode,
    /// Mark a chat read on the phone before answering in it.
    pub mark_read: bool,
}

/// What accounts of Web WeChat can do.
pub fn capabilities() -> Capabilities {
    Capability::ALL.into_iter().collect()
}

/// One account's way to Web WeChat.
#[derive(Debug)]
pub struct WebWx {
    settings: Settings,
    transport: Arc<dyn Transport>,
    source: Source,
    ids: Mutex<Drawn>,
}

/// Ids drawn in the present millisecond.
#[derive(Debug, Default)]
struct Drawn {
    ms: i64,
    taken: HashSet<u64>,
}

impl WebWx {
    /// An account over this carrier.
    pub fn new(settings: Settings, transport: Arc<dyn Transport>, source: Source) -> Self {
        Self { settings, transport, source, ids: Mutex::default() }
    }

    fn hosts(&self) -> Hosts {
        self.settings.endpoint.as_ref().map_or_else(Hosts::before_login, Hosts::fixed)
    }

    fn http(&self) -> CookieClient {
        CookieClient::new(Arc::clone(&self.transport), self.settings.endpoint.is_some())
    }

    /// The client of a saved session, if this account is still set to where the session was saved.
    fn client_of(&self, saved: &SavedSession) -> Result<Client, Error> {
        let Credentials { hosts, keys, cookies, .. } = Credentials::read(saved)?;
        if !hosts.may_resume_at(self.settings.endpoint.as_ref()) {
            let place =
                |url: Option<&Url>| url.map_or("the real service".to_owned(), |url| url.origin().ascii_serialization());
            return Err(Error::BadSavedSession(format!(
                "it belongs to {}, and the account is now set to {}; its keys stay away from there, log in anew",
                place(Some(&hosts.api).filter(|_| hosts.fixed)),
                place(self.settings.endpoint.as_ref()),
            )));
        }
        let http = self.http();
        http.load(cookies.expose())?;
        Ok(Client::new(http, hosts, self.settings.mode.clone(), self.source.clone(), keys))
    }

    async fn drive(
        &self,
        mut login: Login,
        http: CookieClient,
        watcher: &dyn LoginWatcher,
    ) -> Result<Box<dyn Session>, Error> {
        loop {
            match login.next(self.source.now_ms(), watcher.still_wanted()) {
                Step::Ask(request) => {
                    let answer = http.send(*request).await;
                    login.answer(answer);
                }
                Step::Tell(event) => watcher.tell(event),
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::Failed(error) => return Err(error),
                Step::Done(entered) => return self.enter(*entered, http).await,
            }
        }
    }

    /// From the keys of a login to a session: init, notify, contacts.
    async fn enter(&self, entered: Entered, http: CookieClient) -> Result<Box<dyn Session>, Error> {
        let Entered { hosts, page } = entered;
        // The desktop variant leaves keys out of the page; the cookies have them.
        let or_cookie = |value: String, name: &str| {
            if value.is_empty() { http.cookie(&hosts.api, name).unwrap_or_default() } else { value }
        };
        let (uin, sid) = (or_cookie(page.wxuin, "wxuin"), or_cookie(page.wxsid, "wxsid"));
        let uin = uin.parse().map_err(|_ignored| Error::Settings("the login gave no account number (wxuin)".into()))?;
        let keys = SessionKeys { uin, sid: sid.into(), skey: page.skey.into(), pass_ticket: page.pass_ticket.into() };
        let client = Client::new(http, hosts, self.settings.mode.clone(), self.source.clone(), keys);
        Ok(Box::new(WebSession::begin(client, self.settings.mark_read).await?))
    }
}

impl Protocol for WebWx {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn resume<'a>(&'a self, saved: &'a SavedSession) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move {
            let (client, cursor) = (self.client_of(saved)?, Cursor::read(saved)?);
            let session = WebSession::resume(client, cursor, self.settings.mark_read).await?;
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn push_login<'a>(
        &'a self,
        saved: &'a SavedSession,
        watcher: &'a dyn LoginWatcher,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(async move {
            let client = self.client_of(saved)?;
            let (api, uin) = (client.hosts.api.clone(), client.keys().uin.to_string());
            let load_time = client.http.cookie(&api, "wxloadtime").unwrap_or_default();
            if client.http.cookie(&api, "wxuin").is_none() {
                // It lives for twelve hours only, and without it the phone is not asked.
                client.http.set(&api, "wxuin", &uin);
            }
            // What the page's own script leaves behind at a logout; the service asks for it.
            for (name, value) in [
                ("last_wxuin", uin.as_str()),
                ("login_frequency", "2"),
                ("wxloadtime", &format!("{load_time}_expired")),
                ("wxpluginkey", &load_time),
                ("mm_lang", "zh_CN"),
                ("MM_WX_NOTIFY_STATE", "1"),
                ("MM_WX_SOUND_STATE", "1"),
            ] {
                client.http.set(&api, name, value);
            }
            let uuid = client.push_login().await?;
            let login = Login::pushed(client.hosts.clone(), self.settings.mode.clone(), uuid);
            self.drive(login, client.http, watcher).await
        })
    }

    fn login<'a>(&'a self, watcher: &'a dyn LoginWatcher) -> BoxFuture<'a, Result<Box<dyn Session>, Error>> {
        Box::pin(self.drive(Login::by_qr(self.hosts(), self.settings.mode.clone()), self.http(), watcher))
    }

    /// The official form: milliseconds, a zero, three random digits; 17 digits until the year 2286.
    fn draw_client_msg_id(&self) -> ClientMsgId {
        let mut drawn = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.source.now_ms();
        // A clock that jumps back must not draw from a millisecond that was used.
        if now > drawn.ms {
            *drawn = Drawn { ms: now, taken: HashSet::new() };
        } else if drawn.taken.len() >= 1_000 {
            *drawn = Drawn { ms: drawn.ms + 1, taken: HashSet::new() };
        }
        let mut digits = self.source.below(1_000);
        while !drawn.taken.insert(digits) {
            digits = (digits + 1) % 1_000;
        }
        #[expect(clippy::expect_used, reason = "digits only, far below 40")]
        format!("{}0{digits:03}", drawn.ms).parse().expect("digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{HttpRequest, HttpResponse, TransportError};

    // cov: 44
    #[tokio::test(start_paused = true)]
    async fn client_ids_are_unique_and_17_digits() {
        #[derive(Debug)]
        struct Nowhere;
        impl Transport for Nowhere {
            fn send(&self, r: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
                let host = r.host();
                Box::pin(async { Err(TransportError::NotSent { host, reason: String::new() }) })
            }
        }
        let mode =
            Mode { desktop: false, client_version: String::new(), extspam: String::new(), user_agent: String::new() };
        let settings = Settings { endpoint: None, mode, mark_read: false };
        let web = WebWx::new(settings, Arc::new(Nowhere), Source::seeded(1, 1_476_614_675));
        let ids: HashSet<_> = (0..5_000).map(|_| web.draw_client_msg_id()).collect();
        assert_eq!(ids.len(), 5_000);
        assert!(ids.iter().all(|id| id.as_str().len() == 17 && id.as_str().as_bytes()[13] == b'0'));
    }
}
