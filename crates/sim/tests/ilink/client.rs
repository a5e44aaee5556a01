//! A client that can be made to do everything right, or one thing wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;
use wxbot_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use wxbot_sim::{AccountSpec, IlinkSetup, IlinkSim, World};

/// One person with a friend, and another one.
pub(crate) fn sim() -> IlinkSim {
    sim_with(IlinkSetup::default())
}

pub(crate) fn sim_with(setup: IlinkSetup) -> IlinkSim {
    let world = World { seed: 7, ..World::default() };
    let world = world.with(AccountSpec::new("claw").friend("老王")).with(AccountSpec::new("second"));
    IlinkSim::new(&world, setup)
}

/// A client of one bot.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) token: String,
    /// Headers that are sent otherwise; an empty value leaves one out.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Leaves `base_info` out.
    pub(crate) nameless: bool,
}

static UIN: AtomicU32 = AtomicU32::new(1);

impl Client {
    /// Without a token.
    pub(crate) fn new(sim: &IlinkSim) -> Self {
        Self { transport: sim.transport(), token: String::new(), headers: Vec::new(), nameless: false }
    }

    /// Bound to the account's owner.
    pub(crate) async fn bound(sim: &IlinkSim, account: &str) -> Self {
        let client = Self::new(sim);
        let qrcode = client.qr(&json!([])).await;
        sim.scan(&qrcode, account).unwrap();
        sim.confirm(&qrcode).unwrap();
        let confirmed = client.status(&qrcode, "").await;
        assert_eq!(confirmed["status"], "confirmed", "{confirmed}");
        Self { token: confirmed["bot_token"].as_str().unwrap().to_owned(), ..client }
    }

    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.transport.send(request).await
    }

    fn request(&self, method: Method, url: &str, headers: &[(&'static str, &str)], body: Vec<u8>) -> HttpRequest {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        for (name, value) in &self.headers {
            match value.as_str() {
                "" => drop(all.remove(*name)),
                value => drop(all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())),
            }
        }
        let timeout = Duration::from_secs(100);
        HttpRequest { method, url: Url::parse(url).unwrap(), headers: all, body: body.into(), timeout }
    }

    /// A POST to the API; the answer as it came.
    pub(crate) async fn post_raw(&self, name: &str, body: &Value) -> Result<HttpResponse, TransportError> {
        let uin = STANDARD.encode(UIN.fetch_add(1, Ordering::Relaxed).to_string());
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("authorizationtype", "ilink_bot_token"),
            ("x-wechat-uin", uin.as_str()),
            ("ilink-app-id", "bot"),
            ("ilink-app-clientversion", "132105"),
        ];
        if !self.token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        let url = format!("https://ilinkai.weixin.qq.com/ilink/bot/{name}");
        self.send(self.request(Method::POST, &url, &headers, body.to_string().into_bytes())).await
    }

    /// A bot call; the answer's JSON.
    pub(crate) async fn post(&self, name: &str, body: Value) -> Value {
        let mut body = body;
        if !self.nameless {
            body["base_info"] = json!({"channel_version": "2.4.9", "bot_agent": "wxbot-test/1"});
        }
        let answer = self.post_raw(name, &body).await.unwrap();
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{name}: {} {error}", answer.status))
    }

    /// A new QR code.
    pub(crate) async fn qr(&self, tokens: &Value) -> String {
        let none = Self { token: String::new(), ..self.clone() };
        let body = json!({"local_token_list": tokens});
        let answer = none.post_raw("get_bot_qrcode?bot_type=3", &body).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        answer["qrcode"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub(crate) async fn status_at(&self, host: &str, qrcode: &str, digits: &str) -> Value {
        let mut url = Url::parse(&format!("https://{host}/ilink/bot/get_qrcode_status")).unwrap();
        url.query_pairs_mut().append_pair("qrcode", qrcode);
        if !digits.is_empty() {
            url.query_pairs_mut().append_pair("verify_code", digits);
        }
        let headers = [("ilink-app-id", "bot"), ("ilink-app-clientversion", "132105")];
        let answer = self.send(self.request(Method::GET, url.as_str(), &headers, Vec::new())).await.unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) async fn status(&self, qrcode: &str, digits: &str) -> Value {
        self.status_at("ilinkai.weixin.qq.com", qrcode, digits).await
    }

    pub(crate) async fn poll(&self, cursor: &str) -> Value {
        self.post("getupdates", json!({"get_updates_buf": cursor})).await
    }

    /// Messages since then, and the next cursor.
    pub(crate) async fn updates(&self, cursor: &str) -> (Vec<Value>, String) {
        let answer = self.poll(cursor).await;
        assert_eq!(answer["ret"], 0, "{answer}");
        (answer["msgs"].as_array().unwrap().clone(), answer["get_updates_buf"].as_str().unwrap().to_owned())
    }

    /// `sendmessage` of one item.
    pub(crate) async fn item(&self, to: &Value, token: &Value, client_id: &str, item: Value) -> Value {
        let msg = json!({
            "from_user_id": "", "to_user_id": to, "client_id": client_id, "message_type": 2, "message_state": 2,
            "item_list": [item], "context_token": token,
        });
        self.post("sendmessage", json!({"msg": msg})).await
    }

    pub(crate) async fn text(&self, to: &Value, token: &Value, client_id: &str, text: &str) -> Value {
        self.item(to, token, client_id, json!({"type": 1, "text_item": {"text": text}})).await
    }

    /// To or from the CDN, as it stands.
    pub(crate) async fn cdn(&self, method: Method, url: &str, body: Vec<u8>) -> HttpResponse {
        let headers: &[_] = if method == Method::GET { &[] } else { &[("content-type", "application/octet-stream")] };
        self.send(self.request(method, url, headers, body)).await.unwrap()
    }
}

/// Hard violations, as lines.
pub(crate) fn hard(sim: &IlinkSim) -> Vec<String> {
    let all = sim.violations().into_iter().filter(|violation| violation.hard);
    all.map(|violation| format!("{}: {}", violation.endpoint, violation.what)).collect()
}

/// The owner writes, and the client fetches it: whom to answer, and with which token.
pub(crate) async fn greeted(sim: &IlinkSim, client: &Client, account: &str) -> (Value, Value) {
    sim.say(account, &wxbot_sim::IlinkMessage::text("你好")).unwrap();
    let (messages, _) = client.updates("").await;
    let last = messages.last().unwrap();
    (last["from_user_id"].clone(), last["context_token"].clone())
}
