//! Every edge of the login machine, walked without a runtime.

use super::super::wire::testdata::{fixture, ok};
use super::*;

fn mode() -> Mode {
    Mode { desktop: false, client_version: String::new(), extspam: String::new(), user_agent: String::new() }
}

fn qr() -> Login {
    Login::by_qr(Hosts::before_login(), mode())
}

/// Feeds bodies in turn and lists what the machine does, one word a step.
fn walk(mut login: Login, answers: &[Result<String, TransportError>]) -> Vec<String> {
    let mut answers = answers.iter().cloned();
    let mut seen = Vec::new();
    loop {
        match login.next(1_476_606_189_368, true) {
            Step::Ask(request) => {
                let tip = request
                    .url
                    .query_pairs()
                    .find(|(k, _)| k == "tip")
                    .map(|(_, v)| format!("?tip={v}"))
                    .unwrap_or_default();
                let last = request.url.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
                seen.push(format!("{} {}/{last}{tip}", request.method, request.host()));
                match answers.next() {
                    Some(answer) => login.answer(answer.map(ok)),
                    None => return seen,
                }
            }
            Step::Tell(event) => seen.push(match event {
                LoginEvent::Qr { number, .. } => format!("qr {number}"),
                LoginEvent::Pushed { .. } => "pushed".into(),
                LoginEvent::Scanned => "scanned".into(),
                LoginEvent::CodeWanted { .. } => "code wanted".into(),
                LoginEvent::Confirmed => "confirmed".into(),
            }),
            Step::Pause(_) => seen.push("pause".into()),
            Step::Done(entered) => {
                seen.push(format!("done at {}", entered.hosts.api.host_str().unwrap()));
                return seen;
            }
            Step::Failed(error) => {
                seen.push(format!("failed: {error}"));
                return seen;
            }
        }
    }
}

fn body(name: &str) -> Result<String, TransportError> {
    Ok(fixture(name))
}

fn timeout() -> Result<String, TransportError> {
    Err(TransportError::Timeout { host: "login.wx.qq.com".into(), after: Duration::from_secs(35) })
}

// cov: 4, 5, 6, 7, 8
#[test]
fn the_usual_way() {
    let seen = walk(
        qr(),
        &[
            body("jslogin.resp.txt"),
            body("login-408.resp.txt"),
            timeout(),
            body("login-201.resp.txt"),
            body("login-201.resp.txt"),
            body("login-200.resp.txt"),
            body("webwxnewloginpage.resp.xml"),
        ],
    );
    assert_eq!(
        seen,
        [
            "GET login.wx.qq.com/jslogin",
            "qr 1",
            "GET login.wx.qq.com/login?tip=1",
            "GET login.wx.qq.com/login?tip=1",
            "GET login.wx.qq.com/login?tip=1",
            "scanned",
            "GET login.wx.qq.com/login?tip=0",
            "GET login.wx.qq.com/login?tip=0",
            "confirmed",
            "GET wx.qq.com/webwxnewloginpage",
            "done at wx.qq.com",
        ]
    );
}

// cov: 10
#[test]
fn refusals_are_told_in_the_words_of_the_service() {
    let seen =
        walk(qr(), &[body("jslogin.resp.txt"), body("login-200.resp.txt"), body("x-webwxnewloginpage-1203.resp.xml")]);
    assert!(
        seen.last().unwrap().starts_with("failed: webwxnewloginpage refused: code 1203 (为了你的帐号安全"),
        "{seen:?}"
    );
    let blocked = Ok("window.QRLogin.code = 400;".to_owned());
    let seen = walk(qr(), &[blocked.clone(), blocked]);
    assert_eq!(seen[..2], ["GET login.wx.qq.com/jslogin", "POST login.wx.qq.com/jslogin"]);
    assert!(seen[2].contains("code 400"), "{seen:?}");
}

// cov: 12
#[test]
fn another_family_takes_the_session_with_it() {
    let seen =
        walk(qr(), &[body("jslogin.resp.txt"), body("x-login-200-wx2.resp.txt"), body("webwxnewloginpage.resp.xml")]);
    assert_eq!(seen.last().unwrap(), "done at wx2.qq.com");
    let moved = walk(
        qr(),
        &[body("jslogin.resp.txt"), body("login-200.resp.txt"), body("x-webwxnewloginpage-redirect.resp.xml")],
    );
    assert_eq!(moved.last().unwrap(), "GET login.wx2.qq.com/jslogin");
}

#[test]
fn a_code_is_renewed_five_times_and_no_more() {
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.extend([body("jslogin.resp.txt"), body("x-login-400.resp.txt")]);
    }
    let seen = walk(qr(), &answers);
    assert_eq!(seen.iter().filter(|s| s.starts_with("qr")).count(), 6);
    assert!(seen.last().unwrap().contains("expired before it was scanned"), "{seen:?}");
    let cancelled = walk(qr(), &[body("jslogin.resp.txt"), body("x-login-202.resp.txt"), body("jslogin.resp.txt")]);
    assert!(cancelled.contains(&"qr 2".to_owned()));
}

#[test]
fn nobody_watching_means_no_new_code() {
    let mut login = qr();
    assert!(matches!(login.next(0, false), Step::Failed(Error::LoginNotCompleted(_))));
}

// cov: 11
#[test]
fn a_pushed_login_shows_no_code_and_ends_when_cancelled() {
    let login = || Login::pushed(Hosts::before_login(), mode(), "u".into());
    let seen =
        walk(login(), &[body("login-408.resp.txt"), body("login-200.resp.txt"), body("webwxnewloginpage.resp.xml")]);
    assert!(!seen.iter().any(|s| s.starts_with("qr")) && seen.last().unwrap().starts_with("done"), "{seen:?}");
    let seen = walk(login(), &[body("x-login-202.resp.txt")]);
    assert_eq!(seen.last().unwrap(), "failed: login not completed: cancelled on the phone");
}

#[test]
fn a_server_that_never_answers_ends_the_login() {
    let mut answers = vec![body("jslogin.resp.txt")];
    answers.extend(std::iter::repeat_n(timeout(), 20));
    let seen = walk(qr(), &answers);
    assert_eq!(seen.iter().filter(|s| s.contains("tip=1")).count(), 11, "ten times 35 s: longer than a code lives");
    assert!(seen.last().unwrap().starts_with("failed: login got no answer"), "{seen:?}");
}

#[test]
fn odd_answers_count_only_in_a_row() {
    let mut answers = vec![body("jslogin.resp.txt")];
    for _ in 0..20 {
        answers.extend([Ok("window.code=777;".to_owned()), body("login-408.resp.txt")]);
    }
    answers.extend([body("login-200.resp.txt"), body("webwxnewloginpage.resp.xml")]);
    assert!(walk(qr(), &answers).last().unwrap().starts_with("done"));
}

#[test]
fn odd_answers_are_borne_up_to_a_bound() {
    for odd in [
        Ok("<html>busy</html>".to_owned()),
        Ok("window.code=777;".to_owned()),
        Err(TransportError::Broken { host: "h".into(), reason: "reset".into() }),
    ] {
        let mut answers = vec![body("jslogin.resp.txt")];
        answers.extend(std::iter::repeat_n(odd, 20));
        let seen = walk(qr(), &answers);
        assert_eq!(seen.iter().filter(|s| *s == "pause").count(), 10);
        assert!(seen.last().unwrap().starts_with("failed"), "{seen:?}");
    }
}
