//! What becomes of a request, from its path to the journal?

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value, json};

use crate::hook::login::Login;
use crate::hook::table::{self, Action};
use crate::hook::{HookProfile, HookSim, HookYes, Instance, State};
use crate::request::{Answer, Outcome, Request};
use crate::service::book::AskedEntry;
use crate::service::{orders, strict};

/// How long the service waits for a picture that is sent by its address.
const FETCH_LIMIT: Duration = Duration::from_secs(30);
/// The keys that name a file to be sent: a path on the hook's machine, or an address.
const FILE_KEYS: [&str; 6] = ["picpath", "filepath", "videopath", "gifpath", "voice_file", "path"];

/// One request that is good as far as its form goes.
pub(super) struct Call<'a> {
    pub(super) hook: &'a HookSim,
    pub(super) instance: &'a Instance,
    pub(super) action: &'static Action,
    /// Which form of the action it has.
    pub(super) form: usize,
    pub(super) body: &'a Map<String, Value>,
    /// The file that it names.
    pub(super) file: Option<LoadedFile>,
    flaws: RefCell<Vec<String>>,
}

/// A file that is sent.
#[derive(Debug, Clone)]
pub(super) struct LoadedFile {
    pub(super) bytes: Bytes,
    pub(super) name: String,
    /// How the hook's machine calls it.
    pub(super) path: String,
}

/// A request that is not answered yet.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Call<'_> {
    pub(super) fn text(&self, name: &str) -> &str {
        strict::text(self.body, name)
    }

    /// The first of these keys that is there.
    pub(super) fn first(&self, names: &[&str]) -> &str {
        names.iter().map(|name| self.text(name)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The request is wrong although its form is right.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.flaws.borrow_mut().push(what.into());
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.instance.state()
    }

    /// The action was taken.
    pub(super) fn yes(&self) -> Value {
        yes(self.hook, self.action.name)
    }

    /// It was not.
    pub(super) fn no(&self) -> Value {
        no(self.hook, self.action.name)
    }

    /// Yes or no.
    pub(super) fn taken(&self, taken: bool) -> Value {
        if taken { self.yes() } else { self.no() }
    }
}

fn yes(hook: &HookSim, name: &str) -> Value {
    match (hook.shared.setup.profile, hook.shared.setup.yes) {
        (HookProfile::V4, _) => json!({"ret": 0, "retmsg": "success"}),
        // The vendor's, in two sources: it answers under another name than it has.
        (HookProfile::V3, HookYes::Named) if name == "SendAtMsg" => json!({"SendAtAllMsg": "1"}),
        (HookProfile::V3, HookYes::Named) => json!({name: "1"}),
        (HookProfile::V3, HookYes::Success) => json!({"success": "1"}),
    }
}

fn no(hook: &HookSim, name: &str) -> Value {
    // These two of the newer service say yes whatever happens.
    if hook.shared.setup.profile == HookProfile::V4 && ["SendTextMsg", "Decode_Pic"].contains(&name) {
        return yes(hook, name);
    }
    match (hook.shared.setup.profile, hook.shared.setup.yes) {
        (HookProfile::V4, _) => json!({"ret": 1, "retmsg": "fail"}),
        (HookProfile::V3, HookYes::Named) => json!({name: "0"}),
        (HookProfile::V3, HookYes::Success) => json!({"success": "0"}),
    }
}

impl HookSim {
    pub(super) async fn handle(&self, instance: &Instance, request: &Request) -> Outcome {
        if let Some(order) = request.path.strip_prefix("/__sim/") {
            return Outcome::Answer(self.control(order, request).await);
        }
        let name = request.path.trim_start_matches('/');
        if name.ends_with("stodownload") {
            // The sticker's address: a picture server's, not the hook's.
            return Outcome::Answer(self.sticker(instance, request));
        }
        let _open = self.begin(instance, name);
        let fault = self.shared.faults.take(name, &request.host, || Some(instance.name.clone()));
        if let Some(fault) = &fault
            && let Some(outcome) = fault.before(|ret, message| refusal(self, name, ret, message)).await
        {
            self.noted(instance, request, 0, "(fault)".to_owned(), Vec::new());
            return outcome;
        }
        let (answer, flaws) = self.answer(instance, name, request).await;
        for flaw in &flaws {
            self.shared.book.note(true, &instance.name, name, flaw);
        }
        self.noted(instance, request, answer.status, String::from_utf8_lossy(&answer.body).into_owned(), flaws);
        match &fault {
            Some(fault) => fault.after(answer),
            None => Outcome::Answer(answer),
        }
    }

    /// Counts a request as open. The service takes one at a time, and a query of its database beside another request can
    /// crash the client.
    fn begin<'a>(&self, instance: &'a Instance, name: &str) -> Open<'a> {
        if instance.open.fetch_add(1, Ordering::AcqRel) > 0 {
            let query = name.starts_with("QueryDB");
            self.shared.book.note(query, &instance.name, name, "a second request while one is in flight");
        }
        Open(&instance.open)
    }

    async fn answer(&self, instance: &Instance, name: &str, request: &Request) -> (Answer, Vec<String>) {
        let setup = &self.shared.setup;
        let wrong = |answer: Answer, flaw: &str| (answer, vec![flaw.to_owned()]);
        if name == "RefreshLoginQRCode" && setup.profile == HookProfile::V3 {
            return self.qr_picture(instance);
        }
        let Some(action) = table::find(setup.profile, name) else {
            return wrong(Answer::new(404, "text/plain", ""), "unknown path");
        };
        let method = if name == "QueryDB/status" { Method::GET } else { Method::POST };
        if request.method != method {
            return wrong(Answer::new(405, "text/plain", ""), "wrong method");
        }
        let no_body = method == Method::GET || (request.body.is_empty() && action.forms.iter().any(|f| f.is_empty()));
        let parsed = if no_body { Ok(Value::Object(Map::new())) } else { serde_json::from_slice(&request.body) };
        let Ok(Value::Object(body)) = parsed else {
            let answer = match setup.profile {
                HookProfile::V4 => json!({"ret": -1, "msg": "invalid json"}),
                HookProfile::V3 => no(self, name),
            };
            return wrong(self.json(instance, &answer), "the body is not a JSON object");
        };
        let (form, mut flaws) = strict::best(&body, action.forms);
        let json_said = |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/json");
        if method == Method::POST && !request.headers.get(http::header::CONTENT_TYPE).is_some_and(json_said) {
            flaws.push("Content-Type is not application/json".to_owned());
        }
        if !flaws.is_empty() {
            return (self.json(instance, &no(self, name)), flaws);
        }
        let asks_login = ["IsLoginStatus", "GetLoginQRCode"].contains(&name) || name.starts_with("ConfigureMsgRecive");
        if instance.state().login != Login::In && !asks_login {
            return (self.json(instance, &no(self, name)), flaws);
        }
        let file = match self.file(&body).await {
            Ok(file) => file,
            Err(flaw) => return (self.json(instance, &no(self, name)), vec![flaw]),
        };
        let call = Call { hook: self, instance, action, form, body: &body, file, flaws: RefCell::default() };
        let answer = (action.run)(&call);
        (self.json(instance, &answer), call.flaws.into_inner())
    }

    /// The file that a body names. What the hook's machine does not have cannot be sent.
    async fn file(&self, body: &Map<String, Value>) -> Result<Option<LoadedFile>, String> {
        let Some(key) = FILE_KEYS.into_iter().find(|key| body.contains_key(*key)) else { return Ok(None) };
        let given = strict::text(body, key);
        let wanted_name = strict::text(body, "diyfilename");
        let named = |name: &str| if wanted_name.is_empty() { name.to_owned() } else { wanted_name.to_owned() };
        if given.starts_with("http://") || given.starts_with("https://") {
            return match self.shared.poster.get(given, FETCH_LIMIT).await {
                Ok((200, bytes)) => {
                    let name =
                        given.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
                    Ok(Some(LoadedFile { bytes, name: named(name), path: given.to_owned() }))
                }
                Ok((status, _)) => Err(format!("`{key}` is an address that answers {status}")),
                Err(error) => Err(format!("`{key}` is an address that cannot be read: {}", error.name())),
            };
        }
        let Some(path) = self.local(given) else {
            return Err(format!("`{key}` is outside of the folder of the hook's machine"));
        };
        let bytes = std::fs::read(&path).map_err(|_error| format!("`{key}` is no file of the hook's machine"))?;
        let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
        Ok(Some(LoadedFile { bytes: Bytes::from(bytes), name: named(name), path: given.to_owned() }))
    }

    /// Where a path of the hook's machine is on this one.
    pub(super) fn local(&self, path: &str) -> Option<PathBuf> {
        let setup = &self.shared.setup;
        let inner = match &setup.named_as {
            Some(root) => path.strip_prefix(root.as_str())?.replace('\\', "/"),
            None => path.strip_prefix(setup.folder.to_str()?)?.to_owned(),
        };
        let inner = inner.trim_start_matches('/');
        let safe = inner.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        safe.then(|| setup.folder.join(inner))
    }

    /// How the hook's machine calls a file of its folder.
    pub(super) fn named(&self, inner: &str) -> String {
        let setup = &self.shared.setup;
        match &setup.named_as {
            Some(root) => format!("{root}\\{}", inner.replace('/', "\\")),
            None => setup.folder.join(inner).to_string_lossy().into_owned(),
        }
    }

    fn json(&self, instance: &Instance, value: &Value) -> Answer {
        let mut text = value.to_string();
        if instance.state().sloppy.commas && text.len() > 2 && text.ends_with('}') {
            text.insert(text.len() - 1, ',');
        }
        Answer::new(200, "application/json", text)
    }

    fn noted(&self, instance: &Instance, request: &Request, status: u16, answer: String, flaws: Vec<String>) {
        let text = || Value::String(String::from_utf8_lossy(&request.body).into_owned());
        self.shared.book.asked(AskedEntry {
            account: instance.name.clone(),
            at_ms: self.shared.book.now_ms(),
            method: request.method.to_string(),
            path: request.path.clone(),
            body: serde_json::from_slice(&request.body).unwrap_or_else(|_no_json| text()),
            status,
            answer,
            flaws,
        });
    }

    async fn control(&self, order: &str, request: &Request) -> Answer {
        if orders::from_a_page(request) {
            return orders::no_pages();
        }
        orders::answered(request, self.order(order, request).await)
    }
}

fn refusal(hook: &HookSim, name: &str, ret: i64, message: &str) -> Answer {
    let body = match hook.shared.setup.profile {
        HookProfile::V4 => json!({"ret": ret, "retmsg": message}),
        HookProfile::V3 => json!({name: ret.to_string(), "retstr": message}),
    };
    Answer::new(200, "application/json", body.to_string())
}
