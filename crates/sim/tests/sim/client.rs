//! What is the smallest client that does everything right?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;
use wxbot_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use wxbot_sim::{AccountSpec, FriendSpec, Sim, World};

pub(crate) const BASE: &str = "https://wx.sim.test";

/// An account with a friend, a stranger in a room and an official account.
pub(crate) fn xiaoli() -> AccountSpec {
    let mut account = AccountSpec::new("xiaoli").friend("老王").friend("Anna").room("测试群", &["老王", "路人"]);
    account.friends.push(FriendSpec { nick: "订阅号".to_owned(), official: 24, ..FriendSpec::default() });
    account
}

pub(crate) fn world() -> World {
    World::default().with(xiaoli())
}

pub(crate) struct Client {
    transport: Arc<dyn Transport>,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) skey: String,
    pub(crate) sid: String,
    pub(crate) uin: u64,
    pub(crate) pass_ticket: String,
    pub(crate) me: String,
    pub(crate) sync_key: Value,
    pub(crate) check_key: Value,
    pub(crate) ids: u64,
}

impl Client {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self {
            transport: sim.transport(),
            cookies: BTreeMap::new(),
            skey: String::new(),
            sid: String::new(),
            uin: 0,
            pass_ticket: String::new(),
            me: String::new(),
            sync_key: Value::Null,
            check_key: Value::Null,
            ids: 14_766_146_756_340_000,
        }
    }

    /// A client that is online, its type 51 message read.
    pub(crate) async fn online(sim: &Sim, account: &str) -> Self {
        let mut client = Self::new(sim);
        client.log_in(sim, account).await;
        client.start().await;
        client
    }

    pub(crate) async fn uuid(&mut self) -> String {
        let text = self.text("/jslogin?appid=wx782c26e4c19acffb&fun=new&lang=zh_CN&_=1").await;
        between(&text, "uuid = \"", "\"")
    }

    pub(crate) async fn poll(&mut self, uuid: &str, tip: u8) -> String {
        self.text(&format!("/cgi-bin/mmwebwx-bin/login?loginicon=true&uuid={uuid}&tip={tip}&_=1")).await
    }

    pub(crate) async fn log_in(&mut self, sim: &Sim, account: &str) {
        let uuid = self.uuid().await;
        sim.scan(&uuid, account).unwrap();
        assert!(self.poll(&uuid, 0).await.contains("window.code=201"));
        sim.confirm(&uuid).unwrap();
        let redirect = between(&self.poll(&uuid, 0).await, "redirect_uri=\"", "\"");
        let page = self.page(&redirect, HeaderMap::new()).await;
        assert!(page.contains("<ret>0</ret>"), "{page}");
    }

    /// Asks newloginpage and keeps the keys.
    pub(crate) async fn page(&mut self, redirect: &str, headers: HeaderMap) -> String {
        let url = format!("{redirect}&fun=new&version=v2");
        let answer = self.exchange(Method::GET, &url, headers, "").await.unwrap();
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        if page.contains("<skey>") && page.contains("</error>") {
            assert_eq!(answer.status, 301);
            self.skey = between(&page, "<skey>", "<");
            self.sid = between(&page, "<wxsid>", "<");
            self.uin = between(&page, "<wxuin>", "<").parse().unwrap();
            self.pass_ticket = between(&page, "<pass_ticket>", "<");
        }
        page
    }

    pub(crate) async fn init(&mut self) -> Value {
        let answer = self.post("webwxinit?r=1", json!({})).await;
        if answer["BaseResponse"]["Ret"] == 0 {
            self.me = answer["User"]["UserName"].as_str().unwrap().to_owned();
            self.sync_key = answer["SyncKey"].clone();
            self.check_key = answer["SyncKey"].clone();
        }
        answer
    }

    /// webwxinit, webwxstatusnotify and the first webwxsync. Answers webwxinit's answer.
    pub(crate) async fn start(&mut self) -> Value {
        let init = self.init().await;
        let me = self.me.clone();
        let notify = json!({"Code": 3, "FromUserName": me, "ToUserName": me, "ClientMsgId": 1});
        assert_eq!(self.post("webwxstatusnotify?x=1", notify).await["BaseResponse"]["Ret"], 0);
        let first = self.sync().await;
        assert_eq!(first["AddMsgList"][0]["StatusNotifyCode"], 4);
        init
    }

    pub(crate) fn base_request(&self) -> Value {
        json!({"Uin": self.uin, "Sid": self.sid, "Skey": self.skey, "DeviceID": "e784205590563506"})
    }

    /// Posts to an endpoint with what every official request has.
    pub(crate) async fn post(&mut self, endpoint: &str, mut body: Value) -> Value {
        if body["BaseRequest"].is_null() {
            body["BaseRequest"] = self.base_request();
        }
        let ticket: String = url::form_urlencoded::byte_serialize(self.pass_ticket.as_bytes()).collect();
        let url = format!("{BASE}/cgi-bin/mmwebwx-bin/{endpoint}&lang=zh_CN&pass_ticket={ticket}");
        let answer = self.exchange(Method::POST, &url, HeaderMap::new(), &body.to_string()).await.unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) async fn get(&mut self, endpoint: &str) -> Value {
        let ticket: String = url::form_urlencoded::byte_serialize(self.pass_ticket.as_bytes()).collect();
        let path = format!("/cgi-bin/mmwebwx-bin/{endpoint}&lang=zh_CN&pass_ticket={ticket}");
        serde_json::from_str(&self.text(&path).await).unwrap()
    }

    /// webwxsync without advancing the key.
    pub(crate) async fn peek(&mut self) -> Value {
        let sync_key = self.sync_key.clone();
        self.post("webwxsync?sid=x", json!({"SyncKey": sync_key, "rr": 1})).await
    }

    pub(crate) async fn sync(&mut self) -> Value {
        let answer = self.peek().await;
        if answer["SyncKey"]["Count"].as_u64() > Some(0) {
            self.sync_key = answer["SyncKey"].clone();
            self.check_key = answer.get("SyncCheckKey").unwrap_or(&answer["SyncKey"]).clone();
        }
        if let Some(skey) = answer["SKey"].as_str().filter(|skey| !skey.is_empty()) {
            self.skey = skey.to_owned();
        }
        answer
    }

    pub(crate) fn check_path(&self) -> String {
        let keys: Vec<String> = self.check_key["List"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| format!("{}_{}", pair["Key"], pair["Val"]))
            .collect();
        let uin = self.uin.to_string();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("r", "1"),
                ("skey", &self.skey),
                ("sid", &self.sid),
                ("uin", &uin),
                ("deviceid", "e784205590563506"),
                ("synckey", &keys.join("|")),
                ("_", "1"),
            ])
            .finish();
        format!("/cgi-bin/mmwebwx-bin/synccheck?{query}")
    }

    /// retcode and selector.
    pub(crate) async fn check(&mut self) -> (String, String) {
        let text = self.text(&self.check_path()).await;
        (between(&text, "retcode:\"", "\""), between(&text, "selector:\"", "\""))
    }

    pub(crate) fn next_id(&mut self) -> String {
        self.ids += 1;
        self.ids.to_string()
    }

    pub(crate) async fn send(&mut self, to: &str, text: &str) -> Value {
        let id = self.next_id();
        self.send_as(to, text, &id).await
    }

    pub(crate) async fn send_as(&mut self, to: &str, text: &str, id: &str) -> Value {
        let msg = json!({
            "Type": 1, "Content": text, "FromUserName": self.me, "ToUserName": to, "LocalID": id, "ClientMsgId": id
        });
        self.post("webwxsendmsg?x=1", json!({"Msg": msg, "Scene": 0})).await
    }

    pub(crate) async fn text(&mut self, path: &str) -> String {
        let answer = self.exchange(Method::GET, &format!("{BASE}{path}"), HeaderMap::new(), "").await.unwrap();
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    pub(crate) async fn exchange(
        &mut self,
        method: Method,
        url: &str,
        mut headers: HeaderMap,
        body: &str,
    ) -> Result<HttpResponse, TransportError> {
        if !self.cookies.is_empty() {
            headers.insert(http::header::COOKIE, HeaderValue::from_str(&self.cookie_line()).unwrap());
        }
        if method == Method::POST && !headers.contains_key(http::header::CONTENT_TYPE) {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
        }
        let request = HttpRequest {
            method,
            url: Url::parse(url).unwrap(),
            headers,
            body: Bytes::from(body.to_owned()),
            timeout: Duration::from_secs(35),
        };
        self.carry(request).await
    }

    /// Sends a request as it is, and keeps the cookies of its answer.
    async fn carry(&mut self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let answer = self.transport.send(request).await?;
        for cookie in answer.headers.get_all(http::header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }
}

/// What goes into an upload, to be spoiled by tests.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) host: &'static str,
    pub(crate) name: String,
    pub(crate) parts: Vec<(&'static str, String)>,
    pub(crate) request: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Upload {
    pub(crate) fn set(mut self, part: &'static str, value: impl Into<String>) -> Self {
        self.parts.retain(|(name, _)| *name != part);
        self.parts.push((part, value.into()));
        self
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.parts {
            body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        let asked = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"uploadmediarequest\"\r\n\r\n{}\r\n--XX\r\n\
             Content-Disposition: form-data; name=\"filename\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.request, self.name
        );
        body.extend(asked.bytes());
        body.extend(&self.bytes);
        body.extend(b"\r\n--XX--\r\n");
        body
    }
}

impl Client {
    /// The chunks of a file as the official client sends them.
    pub(crate) fn chunks(&mut self, name: &str, bytes: &[u8], md5: &str) -> Vec<Upload> {
        let ticket: String =
            url::form_urlencoded::parse(self.pass_ticket.as_bytes()).map(|(key, _)| key.into_owned()).collect();
        let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("png" | "jpg" | "jpeg" | "bmp") => "pic",
            Some("mp4") => "video",
            _ => "doc",
        };
        let id: u64 = self.next_id().parse().unwrap();
        let request = json!({
            "UploadType": 2, "BaseRequest": self.base_request(), "ClientMediaId": id, "TotalLen": bytes.len(),
            "StartPos": 0, "DataLen": bytes.len(), "MediaType": 4, "FromUserName": self.me,
            "ToUserName": "filehelper", "FileMd5": md5
        });
        let chunks: Vec<&[u8]> = bytes.chunks(512 * 1024).collect();
        let count = chunks.len();
        let upload = |(at, chunk): (usize, &&[u8])| {
            let upload = Upload {
                host: "file.sim.test",
                name: name.to_owned(),
                parts: vec![
                    ("id", "WU_FILE_0".to_owned()),
                    ("name", name.to_owned()),
                    ("type", "application/octet-stream".to_owned()),
                    ("lastModifiedDate", "Mon Jan 02 2006 15:04:05 GMT+0800".to_owned()),
                    ("size", bytes.len().to_string()),
                    ("mediatype", kind.to_owned()),
                    ("webwx_data_ticket", self.cookies["webwx_data_ticket"].clone()),
                    ("pass_ticket", ticket.clone()),
                ],
                request: request.clone(),
                bytes: chunk.to_vec(),
            };
            if count == 1 { upload } else { upload.set("chunks", count.to_string()).set("chunk", at.to_string()) }
        };
        chunks.iter().enumerate().map(upload).collect()
    }

    pub(crate) async fn upload(&mut self, upload: &Upload) -> Result<HttpResponse, TransportError> {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::COOKIE, HeaderValue::from_str(&self.cookie_line()).unwrap());
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=XX"));
        let url = format!("https://{}/cgi-bin/mmwebwx-bin/webwxuploadmedia?f=json", upload.host);
        let request = HttpRequest {
            method: Method::POST,
            url: Url::parse(&url).unwrap(),
            headers,
            body: Bytes::from(upload.body()),
            timeout: Duration::from_secs(35),
        };
        self.carry(request).await
    }

    /// Uploads and answers the JSON of the answer.
    pub(crate) async fn put(&mut self, upload: &Upload) -> Value {
        serde_json::from_slice(&self.upload(upload).await.unwrap().body).unwrap()
    }

    /// Uploads all chunks and answers the MediaId.
    pub(crate) async fn media(&mut self, name: &str, bytes: &[u8]) -> String {
        let md5 = md5(bytes);
        let mut answer = Value::Null;
        for chunk in self.chunks(name, bytes, &md5) {
            answer = self.put(&chunk).await;
            assert_eq!(answer["BaseResponse"]["Ret"], 0, "{answer}");
        }
        answer["MediaId"].as_str().unwrap().to_owned()
    }

    /// Sends a message of any kind.
    pub(crate) async fn say(&mut self, endpoint: &str, to: &str, mut msg: Value) -> Value {
        let id = self.next_id();
        for (field, value) in [("FromUserName", self.me.clone()), ("ToUserName", to.to_owned())] {
            msg[field] = json!(value);
        }
        (msg["LocalID"], msg["ClientMsgId"]) = (json!(id), json!(id));
        let scene = msg.as_object_mut().unwrap().remove("Scene").unwrap_or(json!(0));
        self.post(endpoint, json!({"Msg": msg, "Scene": scene})).await
    }

    fn cookie_line(&self) -> String {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    /// Downloads with the session's cookies and a Referer.
    pub(crate) async fn download(&mut self, path: &str, range: Option<&'static str>) -> HttpResponse {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::REFERER, HeaderValue::from_static("https://wx.sim.test/"));
        if let Some(range) = range {
            headers.insert(http::header::RANGE, HeaderValue::from_static(range));
        }
        let url = format!("{BASE}/cgi-bin/mmwebwx-bin/{path}");
        self.exchange(Method::GET, &url, headers, "").await.unwrap()
    }
}

pub(crate) fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    md5::Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// UserName of the contact with this NickName.
pub(crate) fn named(contacts: &Value, nick: &str) -> String {
    let found = contacts.as_array().unwrap().iter().find(|contact| contact["NickName"] == nick);
    found.unwrap_or_else(|| panic!("no {nick}"))["UserName"].as_str().unwrap().to_owned()
}

pub(crate) fn between(text: &str, from: &str, to: &str) -> String {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}")).1;
    rest.split_once(to).unwrap().0.to_owned()
}

/// No hard violation and no soft one.
pub(crate) fn assert_clean(sim: &Sim) {
    assert_eq!(sim.violations(), []);
}

pub(crate) fn contents(sync: &Value) -> Vec<&str> {
    sync["AddMsgList"].as_array().unwrap().iter().map(|message| message["Content"].as_str().unwrap()).collect()
}
