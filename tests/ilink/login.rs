//! Does `wxbot login` walk a person through it: scan, digits, another region, a code that ran out, a binding that is known?

use std::fs;

use crate::support::wait;
use crate::town::{LIFTED, Login, RULES, Town, WITHIN, code, tap};

fn town() -> Town {
    Town::open(&format!("{LIFTED}{RULES}"), "")
}

/// Nothing of a login is in what was written down.
fn kept_secret(town: &Town, words: &[&str]) {
    for file in ["run.err", "run.out"] {
        let text = fs::read_to_string(town.path().join(file)).unwrap_or_default();
        for word in words {
            assert!(!text.contains(word), "{file} has {word}: {text}");
        }
    }
}

#[test]
fn digits_are_asked_for_until_they_are_right() {
    let town = town();
    let running = town.run();
    town.state(&running, &["needs_login"]);
    let mut login = Login::start(&town, &[], &[]);
    let code = code(&town);
    login.until("scan this with WeChat on the phone (valid for about 2 min)", 1);
    login.until("https://liteapp.weixin.qq.com/q/", 1);
    town.sim.scan(&code, "home").unwrap();
    login.until("home: scanned; confirm on the phone", 1);
    town.sim.ask_digits(&code, "471193").unwrap();
    login.until("home: the phone shows digits; type them here and press Enter", 1);
    let waits = town.account();
    assert_eq!((waits["state"].as_str(), waits["cure"].as_str()), (Some("awaiting_code"), Some("code")), "{waits}");
    login.types("000000");
    login.until("these digits were wrong", 1);
    login.types("");
    login.types("not digits");
    login.until("these are no digits as a phone shows them", 1);
    // Wrong a second time: it is asked a third time.
    login.types("111111");
    login.until("these digits were wrong", 2);
    login.types("471193");
    tap(&town, &code);
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("home: logged in\n") && told.contains("it answers, and cannot begin"), "{told}");
    assert!(!told.contains("picture:"), "the link is a page: {told}");
    town.state(&running, &["online"]);
    town.writes("q1");
    town.sees(&running, "a1");
    kept_secret(&town, &["471193", "111111", "000000", &code]);
    town.ends_well(running);
}

#[test]
fn digits_are_given_from_another_shell_where_nobody_types() {
    let town = town();
    let running = town.run();
    town.state(&running, &["needs_login"]);
    let early = town.call(&["login", "home", "--code", "1234"]);
    assert_eq!(early.code, Some(1), "{}", early.out);
    assert!(early.err.contains("no login of this account waits for digits"), "{}", early.err);
    let mut login = Login::start(&town, &[], &[("LC_ALL", "zh_CN.UTF-8")]);
    login.leave();
    let code = code(&town);
    login.until("请用手机微信扫描(约 2 分钟内有效)", 1);
    town.sim.scan(&code, "home").unwrap();
    town.sim.ask_digits(&code, "1234").unwrap();
    login.until("手机上显示了一串数字", 1);
    login.until("`wxbot login home --code 数字`", 1);
    let wrong = town.call(&["login", "home", "--code", "12ab"]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.out);
    assert!(wrong.err.contains("no digits as a phone shows them"), "{}", wrong.err);
    let given = town.call(&["login", "home", "--code", "1234", "--json"]);
    assert_eq!(
        (given.code, given.out.trim()),
        (Some(0), r#"{"account":"home","event":"code_given"}"#),
        "{}",
        given.err
    );
    tap(&town, &code);
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("home: 登录成功"), "{told}");
    town.ends_well(running);
}

#[test]
fn without_a_running_wxbot_digits_are_typed_and_the_login_is_kept() {
    let town = town();
    let mut login = Login::start(&town, &["--json"], &[]);
    // What a program writes ahead waits for the question.
    login.types("1111");
    login.types("4711");
    let code = code(&town);
    town.sim.scan(&code, "home").unwrap();
    town.sim.ask_digits(&code, "4711").unwrap();
    tap(&town, &code);
    let out = login.out.clone();
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    let told = fs::read_to_string(out).unwrap();
    let events: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(words.first().copied(), Some("qr"), "{told}");
    assert_eq!(words.last().copied(), Some("online"), "{told}");
    assert!(events.iter().any(|event| event["event"] == "code" && event["wrong"] == true), "{told}");
    let running = town.run();
    town.state(&running, &["online"]);
    town.writes("q7");
    town.sees(&running, "a7");
    assert_eq!(town.sim.journal().logins.len(), 1);
    town.ends_well(running);
}

#[test]
fn a_login_follows_to_the_host_of_another_region() {
    let town = town();
    let running = town.run();
    town.state(&running, &["needs_login"]);
    let login = Login::start(&town, &[], &[]);
    let code = code(&town);
    town.sim.scan(&code, "home").unwrap();
    let port = town.sim.endpoint().rsplit(':').next().unwrap().to_owned();
    // The same service by another name: only there the login goes on.
    town.sim.redirect(&code, Some(&format!("localhost:{port}"))).unwrap();
    login.until("scanned; confirm on the phone", 1);
    tap(&town, &code);
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    town.state(&running, &["online"]);
    town.writes("q2");
    town.sees(&running, "a2");
    town.ends_well(running);
}

#[test]
fn a_code_that_ran_out_is_replaced() {
    let town = town();
    let running = town.run();
    town.state(&running, &["needs_login"]);
    let mut login = Login::start(&town, &[], &[]);
    let first = code(&town);
    town.sim.expire_code(&first).unwrap();
    login.until("the code before is over; this is a new one", 1);
    let second = code(&town);
    assert_ne!(first, second);
    town.sim.scan(&second, "home").unwrap();
    // No wrong ones are forgiven.
    town.sim.change(|setup| setup.digit_tries = 0);
    town.sim.ask_digits(&second, "1").unwrap();
    login.until("the phone shows digits", 1);
    login.types("2");
    login.until("the code before is over; this is a new one", 2);
    let third = code(&town);
    town.sim.scan(&third, "home").unwrap();
    tap(&town, &third);
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(told.matches("scan this with WeChat").count(), 3, "{told}");
    town.ends_well(running);
}

#[test]
fn a_binding_that_is_known_is_taken_up_again() {
    let town = town();
    let running = town.run_bound();
    town.writes("q1");
    town.sees(&running, "a1");
    town.sim.kill("home", wxbot_sim::IlinkDeath::Ret).unwrap();
    town.state(&running, &["needs_login"]);
    // Scanning at the first place brings it back.
    town.sim.revive("home").unwrap();
    let login = Login::start(&town, &[], &[]);
    let code = code(&town);
    town.sim.scan(&code, "home").unwrap();
    tap(&town, &code);
    let (status, told) = login.ends();
    assert_eq!(status, Some(0), "{told}");
    let logins = town.sim.journal().logins;
    assert_eq!(logins.iter().map(|login| login.known).collect::<Vec<_>>(), [false, true], "{logins:?}");
    town.state(&running, &["online"]);
    town.writes("q2");
    town.sees(&running, "a2");
    town.ends_well(running);
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let town = town();
    town.tokio.block_on(async {
        let _nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    });
    let config = fs::read_to_string(town.path().join("bot.toml")).unwrap();
    fs::write(town.path().join("bot.toml"), config.replace(&town.sim.endpoint(), "http://127.0.0.1:1")).unwrap();
    let running = town.run();
    town.state(&running, &["needs_login"]);
    let said = wait::until("the login to end", WITHIN, || {
        let said = town.call(&["login", "home"]);
        Ok((said.code == Some(1)).then_some(said))
    });
    let said = said.unwrap();
    assert!(said.err.contains("home: not logged in: get_bot_qrcode got no answer"), "{}", said.err);
    town.ends_well(running);
}
