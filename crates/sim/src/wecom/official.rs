//! Which calls does the official API take for an application?
//!
//! What is marked † in the notes is played as it stands there and is to be checked with the official documentation:
//! the codes 40058, 45009, 60011, 81013 and 93000.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::service::book::HeardMedia;
use crate::service::proto::hex;
use crate::service::strict::{Key, form};
use crate::wecom::call::Call;
use crate::wecom::{Account, WecomSim, session};

/// The account by which the journal calls the application.
pub(super) const APP: &str = "app";
/// Bytes of a text that reach a member; the rest is cut.
const TEXT_BYTES: usize = 2_048;
const RECALL_MS: u64 = 24 * 3_600 * 1_000;
const MIN_FILE: usize = 6;
/// Uploads, messages and tokens that are remembered.
const MAX_KEPT: usize = 10_000;

/// What the application has, and whom it reaches.
pub(super) struct Office {
    /// userid and name.
    pub(super) members: Vec<(String, String)>,
    /// Robots by key, with the room each belongs to.
    pub(super) robots: Vec<(String, String)>,
    pub(super) sends: HashMap<String, VecDeque<Instant>>,
    tokens: HashMap<String, Instant>,
    count: u64,
    seed: u64,
    /// Messages by id: when they were sent, and whether they were taken back.
    messages: HashMap<String, u64>,
    pub(super) media: HashMap<String, HeardMedia>,
    pub(super) chats: HashMap<String, AppChat>,
    /// Where the callback goes, if an order said so.
    pub(super) callback: Option<String>,
}

/// A room that the application made.
#[derive(Debug, Clone, Default)]
pub(super) struct AppChat {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) users: Vec<String>,
}

impl Office {
    /// Members are the friends of all accounts; each room has a robot.
    pub(super) fn new(accounts: &[Account], seed: u64) -> Self {
        let (mut members, mut robots) = (Vec::new(), Vec::new());
        for account in accounts {
            let state = account.state();
            for one in state.town.people.iter().filter(|one| one.friend && !one.official) {
                let plain = !one.alias.is_empty() && one.alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                let id = if plain { one.alias.clone() } else { format!("u{}", one.id) };
                if !members.iter().any(|(known, _)| *known == id) {
                    members.push((id, one.nick.clone()));
                }
            }
            for room in &state.town.rooms {
                let key = session(seed, &room.id, 0);
                if !robots.iter().any(|(known, _)| *known == key) {
                    robots.push((key, room.topic.clone()));
                }
            }
        }
        let (sends, tokens, messages) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (media, chats, callback) = (HashMap::new(), HashMap::new(), None);
        Self { members, robots, sends, tokens, count: 0, seed, messages, media, chats, callback }
    }

    pub(super) fn next(&mut self, what: &str) -> String {
        self.count += 1;
        session(self.seed, what, self.count)
    }

    pub(super) fn name_of(&self, user: &str) -> Option<&str> {
        self.members.iter().find(|(id, _)| id == user).map(|(_, name)| name.as_str())
    }

    /// Keeps an upload; answers its media_id.
    pub(super) fn keep(&mut self, kind: &str, file_name: &str, bytes: &Bytes) -> String {
        let id = format!("3{}", self.next(kind));
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let media = HeardMedia { md5: hex(&Md5::digest(bytes)), len, file_name: file_name.to_owned() };
        if self.media.len() >= MAX_KEPT {
            // Nothing lives longer than three days; here, than so many.
            self.media.clear();
        }
        self.media.insert(id.clone(), media);
        id
    }
}

impl WecomSim {
    /// The key of the robot of a room.
    pub fn robot_key(&self, room: &str) -> Option<String> {
        self.office().robots.iter().find(|(_, topic)| topic == room).map(|(key, _)| key.clone())
    }

    /// The userid of a member of the company.
    pub fn user_id(&self, name: &str) -> Option<String> {
        self.office().members.iter().find(|(_, known)| known == name).map(|(id, _)| id.clone())
    }

    /// From now on every access token that was given counts as expired: 42001.
    pub fn expire_tokens(&self) {
        let now = Instant::now();
        self.office().tokens.values_mut().for_each(|until| *until = now);
    }

    /// From now on every access token that was given counts as never given: 40014.
    pub fn forget_tokens(&self) {
        self.office().tokens.clear();
    }
}

pub(super) fn fail(code: i64, text: &str) -> Value {
    json!({"errcode": code, "errmsg": text})
}

pub(super) fn fine(more: Value) -> Value {
    let mut answer = Map::from_iter([("errcode".to_owned(), json!(0)), ("errmsg".to_owned(), json!("ok"))]);
    if let Value::Object(more) = more {
        answer.extend(more);
    }
    Value::Object(answer)
}

/// `None`: no such path.
pub(super) fn answer(call: &Call<'_>, path: &str) -> Option<Value> {
    call.belongs_to(APP);
    if path == "gettoken" {
        return Some(get_token(call));
    }
    let run: fn(&Call<'_>) -> Value = match path {
        "message/send" => send,
        "message/recall" => recall,
        "media/upload" => upload,
        "user/get" => user,
        _ => return None,
    };
    Some(with_token(call, run))
}

fn get_token(call: &Call<'_>) -> Value {
    let app = &call.wecom.shared.setup.app;
    if call.query("corpid") != app.corp_id {
        call.wrong("corpid is not the company's");
        return fail(40_013, "invalid corpid");
    }
    if call.query("corpsecret") != app.corp_secret {
        call.wrong("corpsecret is not the application's");
        return fail(40_001, "invalid credential");
    }
    let life = call.wecom.shared.setup.token_life;
    let mut office = call.wecom.office();
    let now = Instant::now();
    // Asking again while the last one lives is what the official documentation warns of.
    let fresh = office.tokens.values().filter(|until| **until > now + life / 2).count();
    if fresh > 0 {
        call.wecom.shared.book.note(false, APP, "cgi-bin/gettoken", "asked for a token while the last one is young");
    }
    let token = office.next("token");
    if office.tokens.len() >= MAX_KEPT {
        office.tokens.clear();
    }
    office.tokens.insert(token.clone(), now + life);
    fine(json!({"access_token": token, "expires_in": life.as_secs()}))
}

/// Checks the access token, then answers.
pub(super) fn with_token(call: &Call<'_>, run: impl FnOnce(&Call<'_>) -> Value) -> Value {
    let token = call.query("access_token");
    if token.is_empty() {
        call.wrong("no access_token in the query");
        return fail(41_001, "access_token missing");
    }
    let until = call.wecom.office().tokens.get(&token).copied();
    match until {
        // Neither is a violation: a token ends without its client knowing.
        None => fail(40_014, "invalid access_token"),
        Some(until) if until <= Instant::now() => fail(42_001, "access_token expired"),
        Some(_) if !call.good() => fail(47_001, "data format error"),
        Some(_) => run(call),
    }
}

#[rustfmt::skip]
const COMMON: &[Key] = form![may "touser" Text, may "toparty" Text, may "totag" Text, need "msgtype" Full, need "agentid" Int, may "safe" Int, may "enable_id_trans" Int, may "enable_duplicate_check" Int, may "duplicate_check_interval" Int];

/// Kinds of message, and the keys of the object under the same name.
#[rustfmt::skip]
static KINDS: [(&str, &[Key]); 9] = [
    ("text", form![need "content" Full]),
    ("image", form![need "media_id" Full]),
    ("voice", form![need "media_id" Full]),
    ("file", form![need "media_id" Full]),
    ("video", form![need "media_id" Full, may "title" Text, may "description" Text]),
    ("textcard", form![need "title" Full, need "description" Full, need "url" Full, may "btntxt" Text]),
    ("news", form![need "articles" Objects]),
    ("mpnews", form![need "articles" Objects]),
    ("markdown", form![need "content" Full]),
];

/// Checks what is said; answers its kind, its text and its media, or the refusal.
pub(super) fn said(call: &Call<'_>, common: &[Key]) -> Result<(&'static str, String, Option<HeardMedia>), Value> {
    let wanted = call.text("msgtype");
    let Some((kind, keys)) = KINDS.iter().find(|(kind, _)| *kind == wanted) else {
        call.wrong("`msgtype` is none that is known");
        return Err(fail(40_008, "invalid message type"));
    };
    let mut form = common.to_vec();
    form.push(Key { name: kind, need: true, kind: crate::service::strict::Kind::Object });
    if !call.fits(&form) {
        return Err(fail(40_058, "invalid Request Parameter"));
    }
    let empty = Map::new();
    let inner = call.body.get(*kind).and_then(Value::as_object).unwrap_or(&empty);
    let flaws = crate::service::strict::flaws(inner, keys);
    if !flaws.is_empty() {
        flaws.iter().for_each(|flaw| call.wrong(format!("{kind}: {flaw}")));
        return Err(fail(40_058, "invalid Request Parameter"));
    }
    let of = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let media = match inner.get("media_id").and_then(Value::as_str) {
        None => None,
        Some(id) => match call.wecom.office().media.get(id) {
            Some(media) => Some(media.clone()),
            None => {
                call.wrong("`media_id` is of nothing that was uploaded");
                return Err(fail(40_007, "invalid media_id"));
            }
        },
    };
    let text = match *kind {
        "text" | "markdown" => {
            let mut text = of("content");
            if text.len() > TEXT_BYTES {
                call.wrong("the content is longer than 2048 bytes, and what is beyond is cut");
                text.truncate(text.floor_char_boundary(TEXT_BYTES));
            }
            text
        }
        "textcard" => format!("{} {}", of("title"), of("url")),
        "news" | "mpnews" => {
            let articles = inner.get("articles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            if articles.len() > 8 {
                call.wrong("more than 8 articles");
                return Err(fail(45_008, "article size out of limit"));
            }
            let title = |article: &Value| article.get("title").and_then(Value::as_str).map(str::to_owned);
            articles.iter().filter_map(title).collect::<Vec<_>>().join("\n")
        }
        _ => media.as_ref().map(|media| media.file_name.clone()).unwrap_or_default(),
    };
    Ok((kind, text, media))
}

fn send(call: &Call<'_>) -> Value {
    let (kind, text, media) = match said(call, COMMON) {
        Ok(said) => said,
        Err(refusal) => return refusal,
    };
    if call.number("agentid") != call.wecom.shared.setup.app.agent_id {
        call.wrong("`agentid` is not the application's");
        return fail(40_056, "invalid agentid");
    }
    let to = call.text("touser");
    if [to, call.text("toparty"), call.text("totag")].iter().all(|to| to.is_empty()) {
        call.wrong("none of touser, toparty, totag");
        return fail(40_003, "invalid UserID");
    }
    let mut office = call.wecom.office();
    let names: Vec<String> = match to {
        "@all" => office.members.iter().map(|(_, name)| name.clone()).collect(),
        _ => to.split('|').filter_map(|id| office.name_of(id)).map(str::to_owned).collect(),
    };
    let unknown = to.split('|').filter(|id| !id.is_empty() && *id != "@all" && office.name_of(id).is_none());
    let invalid = unknown.collect::<Vec<_>>().join("|");
    if names.is_empty() && !to.is_empty() {
        return json!({"errcode": 81_013, "errmsg": "user & party & tag all invalid", "invaliduser": invalid});
    }
    let id = office.next("message");
    let now = call.wecom.shared.book.now_ms();
    if office.messages.len() >= MAX_KEPT {
        office.messages.clear();
    }
    office.messages.insert(id.clone(), now);
    drop(office);
    for name in names {
        call.wecom.heard(APP, &name, false, kind, &text).media(media.clone()).with_id(&id);
    }
    let mut answer = fine(json!({"msgid": id}));
    if let (false, Value::Object(answer)) = (invalid.is_empty(), &mut answer) {
        answer.insert("invaliduser".to_owned(), json!(invalid));
    }
    answer
}

fn recall(call: &Call<'_>) -> Value {
    if !call.fits(form![need "msgid" Full]) {
        return fail(40_058, "invalid Request Parameter");
    }
    let id = call.text("msgid");
    let sent = call.wecom.office().messages.remove(id);
    match sent {
        None => {
            call.wrong("`msgid` is of no message that the application sent");
            fail(40_058, "invalid msgid")
        }
        Some(at) if at + RECALL_MS < call.wecom.shared.book.now_ms() => fail(41_093, "over 24 hours"),
        Some(_) => {
            call.wecom.shared.book.revoked(APP, id);
            fine(json!({}))
        }
    }
}

fn upload(call: &Call<'_>) -> Value {
    take_upload(call, &["image", "voice", "video", "file"])
}

/// Takes the part `media` of a form.
pub(super) fn take_upload(call: &Call<'_>, kinds: &[&str]) -> Value {
    let kind = call.query("type");
    if !kinds.contains(&kind.as_str()) {
        call.wrong("`type` of the query is none that is known");
        return fail(40_004, "invalid media type");
    }
    let part = call.form.as_ref().and_then(|form| form.part("media"));
    let Some((part, file_name)) = part.and_then(|part| Some((part, part.file_name.as_deref()?))) else {
        call.wrong("the part `media` with a filename is missing");
        return fail(44_001, "empty media data");
    };
    if part.body.len() < MIN_FILE {
        call.wrong("a file has more than 5 bytes");
        return fail(40_006, "invalid media size");
    }
    let id = call.wecom.office().keep(&kind, file_name, &part.body);
    let now_s = call.wecom.shared.book.now_ms() / 1_000;
    fine(json!({"type": kind, "media_id": id, "created_at": now_s.to_string()}))
}

fn user(call: &Call<'_>) -> Value {
    let id = call.query("userid");
    match call.wecom.office().name_of(&id) {
        Some(name) => fine(json!({"userid": id, "name": name})),
        None => fail(60_111, "userid not found"),
    }
}
