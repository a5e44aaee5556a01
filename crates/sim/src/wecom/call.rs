//! What becomes of a request, from its path to the journal?

use std::cell::RefCell;

use http::Method;
use serde_json::{Map, Value, json};

use crate::multipart::Form;
use crate::request::{Answer, Outcome, Request};
use crate::service::book::AskedEntry;
use crate::service::{orders, strict};
use crate::wecom::{Account, WecomSim, appchat, official, qwapi, robot, wxwork};

/// One request, and what is found to be wrong with it.
pub(super) struct Call<'a> {
    pub(super) wecom: &'a WecomSim,
    pub(super) request: &'a Request,
    pub(super) body: Map<String, Value>,
    /// The parts of an upload.
    pub(super) form: Option<Form>,
    flaws: RefCell<Vec<String>>,
    account: RefCell<String>,
}

impl<'a> Call<'a> {
    pub(super) fn text(&self, name: &str) -> &str {
        strict::text(&self.body, name)
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        strict::number(&self.body, name)
    }

    pub(super) fn query(&self, name: &str) -> String {
        self.request.query().get(name).unwrap_or_default().to_owned()
    }

    /// Notes something wrong.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.flaws.borrow_mut().push(what.into());
    }

    /// Checks the body; true when nothing is wrong with it.
    pub(super) fn fits(&self, form: &[strict::Key]) -> bool {
        let flaws = strict::flaws(&self.body, form);
        let good = flaws.is_empty();
        self.flaws.borrow_mut().extend(flaws);
        good
    }

    /// Whose request it is, for the journal.
    pub(super) fn belongs_to(&self, account: &str) {
        account.clone_into(&mut self.account.borrow_mut());
    }

    pub(super) fn account_with(&self, found: impl Fn(&Account) -> bool) -> Option<&'a Account> {
        let account = self.wecom.shared.accounts.iter().find(|account| found(account))?;
        self.belongs_to(&account.name);
        Some(account)
    }
}

impl WecomSim {
    pub(super) async fn handle(&self, request: &Request) -> Outcome {
        if let Some(order) = request.path.strip_prefix("/__sim/") {
            if orders::from_a_page(request) {
                return Outcome::Answer(orders::no_pages());
            }
            let result = self.order(order, request).await;
            return Outcome::Answer(orders::answered(request, result));
        }
        let name = request.path.trim_start_matches('/');
        let fault = self.shared.faults.take(name, &request.host, || None);
        let refusal = |ret: i64, message: &str| match name.starts_with("cgi-bin/") || name.starts_with("wxwork/") {
            true => json_answer(&json!({"errcode": ret, "errmsg": message})),
            false => json_answer(&json!({"code": ret, "msg": message})),
        };
        let mut call = Call {
            wecom: self,
            request,
            body: Map::new(),
            form: None,
            flaws: RefCell::default(),
            account: RefCell::default(),
        };
        if let Some(fault) = &fault
            && let Some(outcome) = fault.before(refusal).await
        {
            self.note(&call, name, 0, "(fault)");
            return outcome;
        }
        let answer = answer(&mut call, name);
        self.note(&call, name, answer.status, &String::from_utf8_lossy(&answer.body));
        match &fault {
            Some(fault) => fault.after(answer),
            None => Outcome::Answer(answer),
        }
    }

    fn note(&self, call: &Call<'_>, name: &str, status: u16, answer: &str) {
        let flaws = call.flaws.borrow().clone();
        let account = call.account.borrow().clone();
        for flaw in &flaws {
            self.shared.book.note(true, &account, name, flaw);
        }
        let body = match &call.form {
            Some(_) => json!({"multipart": call.request.body.len()}),
            None if call.body.is_empty() => Value::String(String::from_utf8_lossy(&call.request.body).into_owned()),
            None => Value::Object(call.body.clone()),
        };
        self.shared.book.asked(AskedEntry {
            account,
            at_ms: self.shared.book.now_ms(),
            method: call.request.method.to_string(),
            path: call.request.path.clone(),
            body,
            status,
            answer: answer.to_owned(),
            flaws,
        });
    }
}

/// Reads the body and finds who answers.
fn answer(call: &mut Call<'_>, name: &str) -> Answer {
    let (request, get) =
        (call.request, ["cgi-bin/gettoken", "cgi-bin/appchat/get", "cgi-bin/user/get"].contains(&name));
    let uploads =
        ["wxwork/CdnUploadImg", "wxwork/CdnUploadFile", "cgi-bin/webhook/upload_media", "cgi-bin/media/upload"];
    if request.method != if get { Method::GET } else { Method::POST } {
        call.wrong(if known(name) { "wrong method" } else { "unknown path" });
        return Answer::new(if known(name) { 405 } else { 404 }, "text/plain", "");
    }
    if uploads.contains(&name) {
        match Form::read(&request.headers, &request.body) {
            Ok(form) => call.form = Some(form),
            Err(flaw) => call.wrong(flaw),
        }
    } else if !get {
        match serde_json::from_slice(&request.body) {
            Ok(Value::Object(body)) => call.body = body,
            Ok(_) | Err(_) => call.wrong("the body is not a JSON object"),
        }
        let json_said = |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/json");
        if !request.headers.get(http::header::CONTENT_TYPE).is_some_and(json_said) {
            call.wrong("Content-Type is not application/json");
        }
    }
    let body = match name.split_once('/') {
        Some(("wxwork", action)) => wxwork::answer(call, action),
        Some(("cgi-bin", "webhook/send" | "webhook/upload_media")) => Some(robot::answer(call, name)),
        Some(("cgi-bin", path)) if path.starts_with("appchat/") => appchat::answer(call, path),
        Some(("cgi-bin", path)) => official::answer(call, path),
        _ => qwapi::answer(call, name),
    };
    match body {
        Some(body) => json_answer(&body),
        None => {
            call.wrong("unknown path");
            Answer::new(404, "text/plain", "")
        }
    }
}

fn known(name: &str) -> bool {
    name.starts_with("wxwork/") || name.starts_with("cgi-bin/") || qwapi::knows(name)
}

fn json_answer(body: &Value) -> Answer {
    Answer::new(200, "application/json; charset=UTF-8", body.to_string())
}

/// Whether nothing is wrong so far.
impl Call<'_> {
    pub(super) fn good(&self) -> bool {
        self.flaws.borrow().is_empty()
    }
}
