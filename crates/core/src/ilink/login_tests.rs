//! Does the login go the right way from each state, and end in time?

use serde_json::{Value, json};

use super::*;
use crate::ilink::testdata::{fixture, text};
use crate::ilink::testing::TOKEN;

/// What the service or a person does next.
enum Next {
    Body(String),
    Status(u16),
    Fails(TransportError),
    Types(&'static str),
    CannotType,
    TypesTooLate,
}

fn told(name: &str) -> Next {
    Next::Body(text(name))
}

fn status(name: &str) -> Next {
    told(&format!("get_qrcode_status-{name}.resp"))
}

fn code() -> Next {
    told("get_bot_qrcode.resp")
}

/// A login against what is told, one thing after another: what it did, and when. Time goes on by its own pauses alone, and
/// by the whole of each time-out.
struct Played {
    seen: Vec<String>,
    asked: Vec<HttpRequest>,
    end: Option<Result<Box<Entered>, Error>>,
}

fn play_at(place: Place, tokens: &[&str], next: Vec<Next>) -> Played {
    let identity = Identity::new("2.4.9", "wxbot/0.1.0", None).unwrap();
    let tokens = tokens.iter().map(|token| Secret::new((*token).to_owned())).collect();
    let mut login = Login::new(place, identity, tokens);
    let (mut now_ms, mut next) = (0_i64, next.into_iter());
    let mut played = Played { seen: Vec::new(), asked: Vec::new(), end: None };
    loop {
        let at = |now_ms: i64| now_ms / 1000;
        match login.next(now_ms, 7, true) {
            Step::Ask(request) => {
                let last = request.url.path_segments().unwrap().next_back().unwrap().to_owned();
                let host = request.url.host_str().unwrap().split('.').nth(1).unwrap().to_owned();
                let digits = request.url.query_pairs().find(|(name, _)| name == "verify_code");
                let digits = digits.map(|(_, digits)| format!(" with {digits}")).unwrap_or_default();
                let short = if last == "get_bot_qrcode" { "code".to_owned() } else { format!("poll{digits}") };
                played.seen.push(format!("{} {short} {host}", at(now_ms)));
                let after = request.timeout;
                played.asked.push(*request);
                match next.next() {
                    Some(Next::Body(body)) => {
                        let answer = HttpResponse { status: 200, headers: http::HeaderMap::new(), body: body.into() };
                        login.answer(Ok(answer), now_ms);
                    }
                    Some(Next::Status(status)) => {
                        let body = Bytes::from_static(b"<html>");
                        login.answer(Ok(HttpResponse { status, headers: http::HeaderMap::new(), body }), now_ms);
                    }
                    Some(Next::Fails(error)) => {
                        if let TransportError::Timeout { .. } = error {
                            now_ms += i64::try_from(after.as_millis()).unwrap();
                        }
                        login.answer(Err(error), now_ms);
                    }
                    Some(Next::Types(_) | Next::CannotType | Next::TypesTooLate) => panic!("it asks nobody to type"),
                    None => return played,
                }
            }
            Step::Tell(event) => played.seen.push(match event {
                LoginEvent::Qr { number, .. } => format!("{} qr {number}", at(now_ms)),
                LoginEvent::Scanned => "scanned".into(),
                LoginEvent::CodeWanted { wrong } => if wrong { "wrong digits" } else { "digits" }.into(),
                LoginEvent::Confirmed => "confirmed".into(),
                LoginEvent::Pushed { .. } => "pushed".into(),
            }),
            Step::Code(within) => match next.next() {
                Some(Next::Types(digits)) => login.typed(Typed::Text(digits.into())),
                Some(Next::CannotType) => login.typed(Typed::Nobody),
                Some(Next::TypesTooLate) => {
                    now_ms += i64::try_from(within.as_millis()).unwrap();
                    login.typed(Typed::TooLate);
                }
                _ => return played,
            },
            Step::Pause(pause) => now_ms += i64::try_from(pause.as_millis()).unwrap(),
            Step::Done(entered) => {
                played.end = Some(Ok(entered));
                return played;
            }
            Step::Failed(error) => {
                played.end = Some(Err(error));
                return played;
            }
        }
    }
}

fn play(next: Vec<Next>) -> Played {
    play_at(Place::new(None, None), &[], next)
}

impl Played {
    fn bound(self) -> Binding {
        match self.end.map(|end| end.map(|entered| *entered)) {
            Some(Ok(Entered::Anew(binding))) => binding,
            other => panic!("{other:?} after {:?}", self.seen),
        }
    }

    fn failed(&self) -> String {
        match &self.end {
            Some(Err(error)) => error.to_string(),
            other => panic!("{other:?} after {:?}", self.seen),
        }
    }
}

fn timeout() -> Next {
    Next::Fails(TransportError::Timeout { host: "h".into(), after: Duration::from_secs(35) })
}

// cov: get_bot_qrcode.req get_bot_qrcode-known.req get_bot_qrcode.resp
#[test]
fn a_code_is_asked_for_with_the_tokens_that_are_known() {
    let body = |tokens: &[&str]| -> (Value, Url) {
        let played = play_at(Place::new(None, None), tokens, vec![code()]);
        assert_eq!(played.seen[..2], ["0 code weixin", "0 qr 1"]);
        let request = &played.asked[0];
        assert_eq!(request.headers.len(), 5, "{:?}", request.headers);
        assert!(request.timeout >= Duration::from_secs(30), "10 s were too short");
        (serde_json::from_slice(&request.body).unwrap(), request.url.clone())
    };
    let (none, url) = body(&[]);
    assert_eq!(none, fixture("get_bot_qrcode.req"));
    assert_eq!(url.as_str(), "https://ilinkai.weixin.qq.com/ilink/bot/get_bot_qrcode?bot_type=3");
    assert_eq!(body(&[TOKEN]).0, fixture("get_bot_qrcode-known.req"));
    assert_eq!(body(&["t"; 12]).0["local_token_list"].as_array().unwrap().len(), 10);

    let identity = Identity::new("2.4.9", "wxbot/0.1.0", None).unwrap();
    let mut login = Login::new(Place::new(None, None), identity, Vec::new());
    let Step::Ask(_) = login.next(0, 7, true) else { panic!() };
    let answer =
        HttpResponse { status: 200, headers: http::HeaderMap::new(), body: text("get_bot_qrcode.resp").into() };
    login.answer(Ok(answer), 0);
    let Step::Tell(LoginEvent::Qr { payload, uuid, number: 1, .. }) = login.next(0, 7, true) else { panic!() };
    assert!(payload.starts_with("https://liteapp.weixin.qq.com/q/7AbCdEf?qrcode="), "{payload}");
    assert!(!uuid.contains("5f4dcc3b"), "the service's id opens the login");
    let Step::Ask(poll) = login.next(0, 7, true) else { panic!() };
    assert_eq!(poll.url.query(), Some("qrcode=5f4dcc3b5aa765d61d8327deb882cf99"));
    assert_eq!(poll.headers.len(), 2, "{:?}", poll.headers);
}

// cov: get_bot_qrcode-bad-type.resp
#[test]
fn a_refused_code_is_not_asked_for_again() {
    let played = play(vec![told("get_bot_qrcode-bad-type.resp")]);
    assert_eq!(played.seen, ["0 code weixin"]);
    assert!(played.failed().contains("code 2"), "{}", played.failed());
    // What may pass is asked for again, and not for ever.
    let played = play(vec![Next::Status(502), Next::Body("{}".into()), Next::Body("{\"ret\":0,".into())]);
    assert_eq!(played.seen, ["0 code weixin", "2 code weixin", "4 code weixin"]);
    assert!(played.failed().contains("cut off"), "{}", played.failed());
}

// cov: get_qrcode_status-wait.resp get_qrcode_status-scaned.resp get_qrcode_status-confirmed.resp
#[test]
fn scanned_and_confirmed() {
    let played = play(vec![code(), status("wait"), timeout(), status("scaned"), status("scaned"), status("confirmed")]);
    assert_eq!(
        played.seen,
        [
            "0 code weixin",
            "0 qr 1",
            "0 poll weixin",
            "1 poll weixin",
            "37 poll weixin",
            "scanned",
            "38 poll weixin",
            "39 poll weixin",
            "confirmed"
        ]
    );
    let binding = played.bound();
    assert_eq!(binding.bot_id.as_str(), "0a1b2c3d4e5f@im.bot");
    assert_eq!(binding.user_id.unwrap().as_str(), "o9cq80Zq1aExampleUser0000001@im.wechat");
    assert_eq!(binding.token.expose(), TOKEN);
    assert_eq!(binding.base.as_str(), "https://ilinkai.weixin.qq.com/");
}

// cov: get_qrcode_status-confirmed-abroad.resp get_qrcode_status-confirmed-no-baseurl.resp get_qrcode_status-confirmed-no-bot-id.resp
#[test]
fn what_confirmed_says() {
    assert_eq!(play(vec![code(), status("confirmed-abroad")]).bound().base.as_str(), "https://ilinkai.wechat.com/");
    assert_eq!(
        play(vec![code(), status("confirmed-no-baseurl")]).bound().base.as_str(),
        "https://ilinkai.weixin.qq.com/"
    );
    assert!(play(vec![code(), status("confirmed-no-bot-id")]).failed().contains("ilink_bot_id"));
    let but = |name: &str, value: &str| {
        let mut said = fixture("get_qrcode_status-confirmed.resp");
        said[name] = json!(value);
        play(vec![code(), Next::Body(said.to_string())]).failed()
    };
    assert!(but("bot_token", "").contains("bot_token"));
    let elsewhere = but("baseurl", "https://evil.example");
    assert!(elsewhere.contains("evil.example") && !elsewhere.contains("0600"), "{elsewhere}");
}

// cov: get_qrcode_status-need_verifycode.resp
#[test]
fn digits_of_the_phone() {
    let need = || status("need_verifycode");
    let played = play(vec![
        code(),
        status("scaned"),
        need(),
        Next::Types(" 12 "),
        need(),
        Next::Types(""),
        Next::Types("3&4"),
        status("scaned"),
        status("confirmed"),
    ]);
    assert_eq!(
        played.seen,
        [
            "0 code weixin",
            "0 qr 1",
            "0 poll weixin",
            "scanned",
            "1 poll weixin",
            "digits",
            // At once, with what was typed.
            "1 poll with 12 weixin",
            "wrong digits",
            "wrong digits",
            "1 poll with 3&4 weixin",
            // They were right: they are not sent again.
            "2 poll weixin",
            "confirmed",
        ]
    );
    assert!(play(vec![code(), need(), Next::CannotType]).failed().contains("digits"));
    let late = play(vec![code(), need(), Next::TypesTooLate, code(), status("confirmed")]);
    assert_eq!(
        late.seen,
        [
            "0 code weixin",
            "0 qr 1",
            "0 poll weixin",
            "digits",
            "300 code weixin",
            "300 qr 2",
            "300 poll weixin",
            "confirmed"
        ]
    );
}

// cov: get_qrcode_status-verify_code_blocked.resp get_qrcode_status-expired.resp
#[test]
fn a_code_that_is_of_no_use_any_more_is_replaced() {
    let played = play(vec![
        code(),
        status("need_verifycode"),
        Next::Types("1"),
        status("verify_code_blocked"),
        code(),
        status("expired"),
        code(),
    ]);
    assert_eq!(
        played.seen,
        [
            "0 code weixin",
            "0 qr 1",
            "0 poll weixin",
            "digits",
            "0 poll with 1 weixin",
            "0 code weixin",
            "0 qr 2",
            "0 poll weixin",
            "0 code weixin",
            "0 qr 3",
            "0 poll weixin"
        ]
    );
    let all = (0..CODES).flat_map(|_| [code(), status("expired")]).collect();
    let played = play(all);
    assert_eq!(played.seen.iter().filter(|seen| seen.contains("qr")).count(), 5);
    assert!(played.failed().contains("expired"), "{}", played.failed());
}

// cov: get_qrcode_status-scaned_but_redirect.resp get_qrcode_status-scaned_but_redirect-no-host.resp
#[test]
fn the_same_code_is_asked_after_where_the_account_lives() {
    let played = play(vec![
        code(),
        status("scaned_but_redirect-no-host"),
        status("scaned_but_redirect"),
        status("scaned_but_redirect"),
        status("confirmed-abroad"),
    ]);
    assert_eq!(
        played.seen,
        [
            "0 code weixin",
            "0 qr 1",
            "0 poll weixin",
            "scanned",
            "1 poll weixin",
            "2 poll wechat",
            "3 poll wechat",
            "confirmed"
        ]
    );
    assert!(played.asked[1..].iter().all(|request| request.url.query() == played.asked[1].url.query()));
    let to =
        |host: &str| Next::Body(json!({"ret": 0, "status": "scaned_but_redirect", "redirect_host": host}).to_string());
    assert!(play(vec![code(), to("evil.example")]).failed().contains("evil.example"));
    let round = (0..10).map(|nth| to(if nth % 2 == 0 { "a.wechat.com" } else { "b.wechat.com" }));
    assert!(play(std::iter::once(code()).chain(round).collect()).failed().contains("circles"));
    // A new code is asked for at the fixed host again.
    let played = play(vec![code(), status("scaned_but_redirect"), status("expired"), code(), status("wait")]);
    assert_eq!(played.seen[5..8], ["1 code weixin", "1 qr 2", "1 poll weixin"], "{:?}", played.seen);
}

// cov: get_qrcode_status-binded_redirect.resp
#[test]
fn what_is_bound_already_is_not_bound_again() {
    let played = play_at(Place::new(None, None), &[TOKEN], vec![code(), status("binded_redirect")]);
    assert!(matches!(played.end, Some(Ok(entered)) if matches!(*entered, Entered::Already)));
    let failed = play(vec![code(), status("binded_redirect")]).failed();
    assert!(failed.contains("nothing of it is saved"), "{failed}");
}

// cov: get_qrcode_status-unknown.resp
#[test]
fn what_is_not_an_answer_counts_as_waiting() {
    let broken = Next::Fails(TransportError::Broken { host: "h".into(), reason: "reset".into() });
    let odd = [
        status("unknown"),
        Next::Status(524),
        Next::Status(500),
        Next::Body("<html>".into()),
        Next::Body("{\"status\":".into()),
        broken,
        Next::Body(json!({"ret": -1}).to_string()),
    ];
    let polls = odd.len();
    let played = play(std::iter::once(code()).chain(odd).chain([status("confirmed")]).collect());
    assert_eq!(played.seen.iter().filter(|seen| seen.contains("poll")).count(), polls + 1);
    played.bound();
}

#[test]
fn another_code_is_shown_before_the_service_forgets_one() {
    let mut next = vec![code(), timeout(), timeout(), timeout(), timeout(), code()];
    let played = play(std::mem::take(&mut next));
    // The last poll of a code is cut short, so that nobody scans one that is dead.
    assert_eq!(
        played.seen[..8],
        [
            "0 code weixin",
            "0 qr 1",
            "0 poll weixin",
            "36 poll weixin",
            "72 poll weixin",
            "108 poll weixin",
            "111 code weixin",
            "111 qr 2"
        ],
        "{:?}",
        played.seen
    );
    assert_eq!(played.asked[4].timeout, Duration::from_secs(2));
    // But not under the hands of whoever scanned: five minutes are theirs.
    let scanned =
        play([code(), status("scaned")].into_iter().chain((0..9).map(|_| timeout())).chain([code()]).collect());
    assert!(
        scanned.seen.contains(&"301 code weixin".to_owned()) || scanned.seen.contains(&"300 code weixin".to_owned()),
        "{:?}",
        scanned.seen
    );
}

#[test]
fn nobody_watches() {
    let identity = Identity::new("2.4.9", "wxbot/0.1.0", None).unwrap();
    let mut login = Login::new(Place::new(None, None), identity, vec!["t-1".to_owned().into()]);
    assert!(matches!(login.next(0, 7, false), Step::Failed(Error::LoginNotCompleted(_))));
    assert!(!format!("{login:?}").contains("t-1"));
}
