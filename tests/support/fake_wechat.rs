//! What does wxbot do with a Web WeChat that misbehaves? A small one, with canary keys and answers that can be spoilt.
//!
//! Unlike `wxbot sim` it hands out keys that a test knows, and it lives in the test: one account, one friend. It
//! confirms each login by itself and keeps all texts, so that a webwxsync repeated with an old key gives them again.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::wait;

/// Part of every key that is handed out but [`UIN`].
pub(crate) const CANARY: &str = "CANARY";
pub(crate) const UIN: u64 = 4_815_162_342;
const SKEY: &str = "@crypt_CANARYskey_0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SID: &str = "CANARYsid/7+Vq";
const PASS_TICKET: &str = "CANARYticket%2Bq3F%2FzX";
/// Set by newloginpage beside wxuin and wxsid.
const COOKIES: [(&str, &str); 3] = [
    ("webwx_data_ticket", "CANARYdataTicket1"),
    ("webwx_auth_ticket", "CANARYauthTicket2"),
    ("webwxuvid", "CANARYuvid3"),
];

/// A login poll of the real service is held for about so long.
const SCANNED_WITHIN: Duration = Duration::from_secs(25);

const ME: &str = "@me0000000000000000000000000000000000000000000000000000000000000000";
const FRIEND: &str = "@friend00000000000000000000000000000000000000000000000000000000000";
/// Where the stream of messages begins; the key after the first message is one more.
const FIRST_KEY: usize = 700_000_001;
/// The real service holds a quiet poll for 25 s. A stopping wxbot need not wait for it, but a healed one does.
const HOLD: Duration = Duration::from_millis(400);

/// How the answers of one endpoint are spoilt.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This instead, with status 200.
    Body(String),
    /// The first half of the true answer.
    Cut,
    /// A page of a gateway with this status.
    Status(u16),
    /// None: the connection is closed before the request was read to its end.
    Reset,
    /// None while it lasts, though the request is taken; then the connection is closed.
    Silence,
}

impl Fault {
    /// What a captive portal answers.
    pub(crate) fn html() -> Self {
        Self::Body("<!DOCTYPE html><html><body>Please log in to the hotel network.</body></html>".to_owned())
    }

    /// A JSON answer with this code.
    pub(crate) fn ret(code: i64) -> Self {
        Self::Body(json!({ "BaseResponse": { "Ret": code, "ErrMsg": "" } }).to_string())
    }
}

#[derive(Debug, Default)]
struct State {
    faults: HashMap<&'static str, Fault>,
    asked: HashMap<String, usize>,
    /// What the friend wrote, ever.
    texts: Vec<String>,
    /// What wxbot sent, ever.
    sends: Vec<String>,
    /// The code that ends the session until the next login.
    ended: Option<i64>,
    /// Nobody scans before this file is there.
    code: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

/// A running fake. Its threads end with the test's process.
#[derive(Debug)]
pub(crate) struct Fake {
    base: String,
    shared: Arc<Shared>,
}

impl Fake {
    /// Serves on a port of the kernel's choice.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let base = format!("http://{}", listener.local_addr()?);
        let (shared, to) = (Arc::new(Shared::default()), base.clone());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, base) = (Arc::clone(&serving), to.clone());
                // A client that goes away is no failure of the fake.
                thread::spawn(move || serve(&stream, &shared, &base).ok());
            }
        });
        Ok(Self { base, shared })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A `bot.toml` with the one account `bot` here, which repeats each text as fast as it can.
    pub(crate) fn bot_toml(&self) -> String {
        format!(
            r#"data_dir = "data"
middleware = []

[pacing]
per_account = "1000/s"
per_chat = "1000/s"

[[plugins.auto-reply.rules]]
any = true
reply = "re {{{{ text }}}}"

[[accounts]]
name = "bot"
protocol = "web"
endpoint = "{}"
on_uncertain = "hold"
"#,
            self.base
        )
    }

    /// Spoils an endpoint until it is healed.
    pub(crate) fn spoil(&self, endpoint: &'static str, fault: Fault) {
        self.change(|state| drop(state.faults.insert(endpoint, fault)));
    }

    pub(crate) fn heal(&self) {
        self.change(|state| state.faults.clear());
    }

    /// The friend writes.
    pub(crate) fn deliver(&self, text: &str) {
        self.change(|state| state.texts.push(text.to_owned()));
    }

    /// Nobody scans a code before it lies in this file.
    pub(crate) fn scan_from(&self, code: &Path) {
        self.change(|state| state.code = Some(code.to_owned()));
    }

    /// synccheck says this code (1100, 1101, 1102) until the next login.
    pub(crate) fn end_session(&self, code: i64) {
        self.change(|state| state.ended = Some(code));
    }

    /// The texts that wxbot sent, in order.
    pub(crate) fn sends(&self) -> Vec<String> {
        lock(&self.shared).sends.clone()
    }

    /// How often an endpoint was asked.
    pub(crate) fn asked(&self, endpoint: &str) -> usize {
        lock(&self.shared).asked.get(endpoint).copied().unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.shared));
        self.shared.news.notify_all();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request as far as the fake looks at it.
struct Request {
    endpoint: String,
    query: String,
    length: u64,
}

fn serve(stream: &TcpStream, shared: &Shared, base: &str) -> io::Result<()> {
    let mut from = BufReader::new(stream);
    while let Some(request) = read_head(&mut from)? {
        let fault = {
            let mut state = lock(shared);
            *state.asked.entry(request.endpoint.clone()).or_default() += 1;
            state.faults.get(request.endpoint.as_str()).cloned()
        };
        if matches!(fault, Some(Fault::Reset)) {
            return Ok(());
        }
        let mut body = Vec::new();
        from.by_ref().take(request.length).read_to_end(&mut body)?;
        let answer = answer(&request, &body, shared, base);
        let page = "<html><body>Bad gateway</body></html>";
        if matches!(fault, Some(Fault::Silence)) {
            let silent = |state: &mut State| state.faults.contains_key(request.endpoint.as_str());
            drop(shared.news.wait_while(lock(shared), silent));
            return Ok(());
        }
        let (status, answer) = match fault {
            None | Some(Fault::Reset | Fault::Silence) => (200, answer),
            Some(Fault::Body(body)) => (200, body),
            Some(Fault::Cut) => (200, answer.chars().take(answer.chars().count() / 2).collect()),
            Some(Fault::Status(status)) => (status, page.to_owned()),
        };
        write_answer(stream, status, &answer, request.endpoint == "webwxnewloginpage" && status == 200)?;
    }
    Ok(())
}

fn read_head(from: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let endpoint = path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut request = Request { endpoint, query: query.to_owned(), length: 0 };
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(Some(request));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            request.length = value.trim().parse().unwrap_or_default();
        }
    }
}

fn write_answer(mut stream: &TcpStream, status: u16, body: &str, cookies: bool) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", body.len());
    if cookies {
        let (uin, own) = (UIN.to_string(), [("wxsid", SID)]);
        for (name, value) in COOKIES.into_iter().chain(own).chain([("wxuin", uin.as_str())]) {
            head.push_str(&format!("Set-Cookie: {name}={value}; Domain=wx.qq.com; Path=/\r\n"));
        }
    }
    // One write: two would wait for each other (Nagle and delayed ACK, 40 ms).
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}

/// The true answer.
fn answer(request: &Request, body: &[u8], shared: &Shared, base: &str) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let good = json!({ "Ret": 0, "ErrMsg": "" });
    let me = json!({ "UserName": ME, "NickName": "Canary's bot", "Uin": UIN });
    let friend = json!({ "UserName": FRIEND, "NickName": "Friend", "Alias": "friend1", "AttrStatus": 4129 });
    let said = match request.endpoint.as_str() {
        "jslogin" => return r#"window.QRLogin.code = 200; window.QRLogin.uuid = "QRuuid5678==";"#.to_owned(),
        "login" => {
            let code = lock(shared).code.clone();
            if let Some(code) = code {
                // A time-out shows in the test that waits for the login.
                wait::until("the QR code", SCANNED_WITHIN, || Ok(code.exists().then_some(()))).ok();
            }
            let page = format!("{base}/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=CANARYlogin&uuid=x&scan=1");
            return format!("window.code=200;\nwindow.redirect_uri=\"{page}\";");
        }
        "webwxnewloginpage" => {
            lock(shared).ended = None;
            return format!(
                "<error><ret>0</ret><message></message><skey>{SKEY}</skey><wxsid>{SID}</wxsid><wxuin>{UIN}</wxuin>\
                 <pass_ticket>{PASS_TICKET}</pass_ticket><isgrayscale>1</isgrayscale></error>"
            );
        }
        "webwxpushloginurl" => json!({ "ret": "0", "msg": "all ok", "uuid": "PUSHuuid9==" }),
        // The key comes first: a cut answer still holds it.
        "webwxinit" => json!({
            "BaseResponse": good, "AAA": SKEY, "SKey": SKEY, "ContactList": [friend], "Count": 1, "ChatSet": "",
            "SyncKey": key(lock(shared).texts.len()), "User": me,
        }),
        "webwxgetcontact" => json!({ "BaseResponse": good, "MemberList": [friend], "MemberCount": 1, "Seq": 0 }),
        "webwxbatchgetcontact" => json!({ "BaseResponse": good, "ContactList": [friend], "Count": 1 }),
        "synccheck" => return synccheck(request, shared),
        "webwxsync" => sync(&body, shared),
        "webwxsendmsg" => {
            let text = body.pointer("/Msg/Content").and_then(Value::as_str).unwrap_or_default();
            let mut state = lock(shared);
            state.sends.push(text.to_owned());
            json!({ "BaseResponse": good, "MsgID": (7_000 + state.sends.len()).to_string(), "LocalID": "" })
        }
        _ => json!({ "BaseResponse": good, "MsgID": "1" }),
    };
    said.to_string()
}

fn key(taken: usize) -> Value {
    json!({ "Count": 1, "List": [{ "Key": 1, "Val": FIRST_KEY + taken }] })
}

/// Holds a quiet poll for a moment, as the service does.
fn synccheck(request: &Request, shared: &Shared) -> String {
    let at = request.query.split('&').find_map(|pair| pair.strip_prefix("synckey=1_")?.parse::<usize>().ok());
    let taken = at.unwrap_or_default().saturating_sub(FIRST_KEY);
    let quiet = |state: &mut State| {
        state.ended.is_none() && state.texts.len() <= taken && !state.faults.contains_key("synccheck")
    };
    let waited = shared.news.wait_timeout_while(lock(shared), HOLD, quiet);
    let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let selector = if state.texts.len() > taken { 2 } else { 0 };
    format!("window.synccheck={{retcode:\"{}\",selector:\"{selector}\"}}", state.ended.unwrap_or(0))
}

fn sync(body: &Value, shared: &Shared) -> Value {
    let at = body.pointer("/SyncKey/List/0/Val").and_then(Value::as_u64).unwrap_or_default();
    let taken = usize::try_from(at).unwrap_or_default().saturating_sub(FIRST_KEY);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let state = lock(shared);
    let messages = state.texts.iter().enumerate().skip(taken).map(|(number, text)| {
        let id = 9_000_000_000_000_000_000_u64 + number as u64;
        json!({
            "MsgId": id.to_string(), "NewMsgId": id, "FromUserName": FRIEND, "ToUserName": ME, "MsgType": 1,
            "Content": text, "CreateTime": now, "Status": 3,
        })
    });
    let messages: Vec<_> = messages.collect();
    json!({
        "BaseResponse": { "Ret": state.ended.unwrap_or(0), "ErrMsg": "" },
        "AddMsgCount": messages.len(), "AddMsgList": messages, "ContinueFlag": 0, "SKey": SKEY,
        "SyncKey": key(state.texts.len()), "SyncCheckKey": key(state.texts.len()),
    })
}
