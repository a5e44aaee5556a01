//! Does `wxbot doctor` find what was broken on purpose, tell the cure, and find nothing where nothing is wrong?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::rig::{self, Bot, Sim};
use support::wxbot::{self, Said};
use tempfile::TempDir;

const SECRET: &str = "hunter2-is-not-for-anybody-to-read";

fn doctor(folder: &Path, more: &[&str]) -> Said {
    wxbot::call(folder, &[&["doctor"], more].concat()).unwrap()
}

/// All findings, and the exit code.
fn findings(folder: &Path) -> (Vec<Value>, Option<i32>) {
    let said = doctor(folder, &["--json"]);
    let all: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let list = all.get("findings").and_then(Value::as_array).unwrap().clone();
    let bad = list.iter().any(|one| one["level"] == "problem");
    assert_eq!((all.get("good").and_then(Value::as_bool), said.code), (Some(!bad), Some(i32::from(bad))), "{said:?}");
    assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET), "{said:?}");
    (list, said.code)
}

/// The findings of one check, with level, words and cure.
fn of(list: &[Value], check: &str) -> Vec<(String, String, String)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let those = list.iter().filter(|one| one["check"] == check);
    those
        .map(|one| (text(one, "level"), format!("{} {}", text(one, "subject"), text(one, "says")), text(one, "cure")))
        .collect()
}

/// A folder with a configuration, in which a wxbot has run.
fn lived_in(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    // Opens everything, and leaves it in order.
    let said = wxbot::call(folder.path(), &["accounts"]).unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    if !folder.path().join("data").exists() {
        let mut running = wxbot::Running::start(folder.path(), &["run"]).unwrap();
        running
            .until_out("its socket", Duration::from_secs(20), |_| folder.path().join("data/wxbot.sock").exists())
            .unwrap();
        assert!(running.stop("TERM", Duration::from_secs(20)).unwrap().success());
    }
    folder
}

fn console(above: &str) -> String {
    format!("{above}\n[[accounts]]\nname = \"me\"\nprotocol = \"console\"\n")
}

fn web(endpoint: &str, more: &str) -> String {
    format!("[[accounts]]\nname = \"shop\"\nprotocol = \"web\"\nendpoint = \"{endpoint}\"\n{more}\n")
}

/// A port that nobody listens at: it was ours a moment ago.
fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Answers each connection with these bytes after its first request; `None`: never.
fn answering(answer: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            match answer {
                Some(answer) => {
                    _ = stream.read(&mut [0; 4_096]);
                    _ = stream.write_all(answer.as_bytes());
                }
                None => open.push(stream),
            }
        }
    });
    port
}

fn check_one(name: &str, folder: &Path, check: &str, level: &str, words: &str, cure: &str) {
    let (list, code) = findings(folder);
    let found = of(&list, check);
    let hit = found.iter().find(|(is, says, _)| is == level && says.contains(words));
    let hit = hit.unwrap_or_else(|| panic!("{name}: no {level} of {check} with `{words}`: {list:#?}"));
    assert!(hit.2.contains(cure), "{name}: the cure is `{}`", hit.2);
    assert_eq!(code, Some(i32::from(level == "problem")), "{name}: {list:#?}");
}

#[test]
fn where_nothing_ran_nothing_is_wrong_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), console("")).unwrap();
    let said = doctor(folder.path(), &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("✓ config bot.toml: it is good") && said.out.ends_with("nothing is wrong\n"),
        "{}",
        said.out
    );
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["bot.toml"], "it looks, and makes nothing");
    let mut chinese = wxbot::command(folder.path(), &["doctor"]);
    chinese.env("LC_ALL", "zh_CN.UTF-8");
    let said = wxbot::finish(chinese).unwrap();
    assert!(said.out.contains("✓ 配置 bot.toml: 配置正确") && said.out.ends_with("一切正常\n"), "{}", said.out);
}

#[test]
fn what_is_broken_in_the_house_is_found_with_its_cure() {
    let folder = lived_in(&console(""));
    let at = |name: &str| folder.path().join("data").join(name);
    assert_eq!(findings(folder.path()).1, Some(0), "in order before");
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();

    mode(&at(""), 0o755);
    check_one("wide folder", folder.path(), "directory", "problem", "others may look into it", "chmod 700");
    mode(&at(""), 0o700);
    fs::write(at("copy.db"), "x").unwrap();
    mode(&at("copy.db"), 0o644);
    check_one("wide file", folder.path(), "directory", "problem", "copy.db others may read it", "chmod 600");
    fs::remove_file(at("copy.db")).unwrap();

    let key = fs::read(at("seal.key")).unwrap();
    fs::remove_file(at("seal.key")).unwrap();
    check_one("no key", folder.path(), "key", "problem", "no key for its sessions", "backup");
    assert!(!at("seal.key").exists(), "it must not make one: the old one may come back");
    fs::write(at("seal.key"), "short").unwrap();
    mode(&at("seal.key"), 0o600);
    check_one("cut key", folder.path(), "key", "problem", "key", "put the file back");
    fs::write(at("seal.key"), key).unwrap();

    let whole = fs::read(at("queue.db")).unwrap();
    fs::write(at("queue.db"), "this is no database, and it is long enough to be looked at").unwrap();
    check_one("no database", folder.path(), "store", "problem", "queue.db", "backup");
    fs::write(at("queue.db"), whole).unwrap();

    fs::remove_dir_all(at("media")).ok();
    fs::write(at("media"), "a file").unwrap();
    mode(&at("media"), 0o600);
    check_one("media", folder.path(), "media", "problem", "nothing can be written there", "right to write");
    fs::remove_file(at("media")).unwrap();

    mode(&folder.path().join("bot.toml"), 0o666);
    check_one("open file", folder.path(), "config", "warning", "others may write it", "chmod go-w");
    mode(&folder.path().join("bot.toml"), 0o600);
    assert_eq!(findings(folder.path()).1, Some(0), "in order again");

    // Somebody holds the directory and answers nobody.
    let lock = fs::OpenOptions::new().write(true).open(at("wxbot.lock")).unwrap();
    lock.lock().unwrap();
    check_one("held", folder.path(), "socket", "problem", "does not open its socket", "log");
}

#[test]
fn a_bad_configuration_is_told_and_the_rest_is_looked_at_all_the_same() {
    let folder = lived_in(&console(""));
    fs::write(folder.path().join("bot.toml"), console("colour = 3")).unwrap();
    check_one("unknown key", folder.path(), "config", "problem", "bot.toml:1:1 `colour` is not a key", "");
    let (list, _) = findings(folder.path());
    assert_eq!(of(&list, "store")[0].0, "ok", "{list:#?}");
    fs::write(folder.path().join("bot.toml"), console("[plugins.mine]\npath = \"mine.so\"")).unwrap();
    check_one("library", folder.path(), "plugin", "problem", "bot.toml:", "");
    fs::remove_file(folder.path().join("bot.toml")).unwrap();
    check_one("no file", folder.path(), "config", "problem", "bot.toml", "wxbot init");
}

#[test]
fn where_the_way_to_a_service_ends_is_told() {
    let gone = nobody();
    let garbage = answering(Some("220 mail.example ESMTP\r\n"));
    let late = answering(Some("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok"));
    let down = answering(Some("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"));
    let proxy = format!("proxy = \"http://user:{SECRET}@127.0.0.1:{gone}\"");
    for (name, endpoint, more, check, level, words, cure) in [
        ("name", "http://no-such-host.invalid:81".to_owned(), "", "endpoint", "problem", "DNS:", "resolver"),
        ("connection", format!("http://127.0.0.1:{gone}"), "", "endpoint", "problem", "TCP:", "listen there"),
        ("tls", format!("https://127.0.0.1:{garbage}"), "", "endpoint", "problem", "TLS:", "certificates"),
        ("http", format!("http://127.0.0.1:{garbage}"), "", "endpoint", "problem", "HTTP:", "speaks no HTTP"),
        ("down", format!("http://127.0.0.1:{down}"), "", "endpoint", "warning", "HTTP 502", "its own log"),
        ("clock", format!("http://127.0.0.1:{late}"), "", "clock", "warning", "ahead of the services'", "set-ntp"),
        ("proxy", format!("http://127.0.0.1:{late}"), proxy.as_str(), "proxy", "problem", "TCP:", "listen there"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bot.toml"), web(&endpoint, more)).unwrap();
        check_one(name, folder.path(), check, level, words, cure);
    }
}

#[test]
fn a_service_that_never_answers_is_told_and_so_is_the_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let silent = answering(None);
    fs::write(folder.path().join("bot.toml"), web(&format!("http://127.0.0.1:{silent}"), "")).unwrap();
    let said = doctor(folder.path(), &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("HTTP: ") && said.out.contains("did not answer within 5s"), "{}", said.out);
    assert!(said.err.contains(&format!("still looking at: shop: http://127.0.0.1:{silent}")), "{}", said.err);
}

#[test]
fn secrets_alerts_and_the_place_to_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[server]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let folder = lived_in(&console(""));
    let put = |config: &str| fs::write(folder.path().join("bot.toml"), config).unwrap();
    put(&console(&listen));
    check_one("port", folder.path(), "server", "problem", "could not listen", "listen");
    drop(taken);
    check_one("free port", folder.path(), "server", "ok", "is free", "");

    put(&console("[alerts]\nwebhook = { env = \"WXBOT_TEST_NO_SUCH_VARIABLE\" }"));
    check_one("variable", folder.path(), "alerts", "problem", "webhook not set in this environment", "Environment");
    put(&console("[alerts]\nwebhook = { file = \"hook\" }"));
    check_one("file", folder.path(), "alerts", "problem", "hook", "mode 600");
    fs::write(folder.path().join("hook"), SECRET).unwrap();
    fs::set_permissions(folder.path().join("hook"), fs::Permissions::from_mode(0o600)).unwrap();
    check_one("no address", folder.path(), "alerts", "problem", "is no address", "whole address");
    put(&console("[alerts]\ncommand = [\"./notify.sh\"]"));
    check_one("program", folder.path(), "alerts", "problem", "no such program", "chmod +x");
    put(&console("[alerts]\ncommand = [\"sh\"]"));
    check_one("good", folder.path(), "alerts", "ok", "somebody is told", "");
    let lost = r#"{"ways":{"webhook":{"failed_ms":5,"why":"no answer","lost":3}}}"#;
    fs::write(folder.path().join("data/alerts.json"), lost).unwrap();
    fs::set_permissions(folder.path().join("data/alerts.json"), fs::Permissions::from_mode(0o600)).unwrap();
    check_one("lost", folder.path(), "alerts", "problem", "3 could not be delivered", "cure the reason");
}

#[test]
fn a_running_wxbot_is_looked_at_without_disturbing_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world.toml");
    fs::write(&world, rig::world_toml(1, 1)).unwrap();
    let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
    let config = format!("{}\n[server]\nlisten = \"127.0.0.1:0\"\n", rig::bot_toml(sim.base(), 1));
    let mut bot = Bot::new(&wxbot::binary(), folder.path(), &config).unwrap();
    bot.start().unwrap();
    let (list, code) = findings_once_up(folder.path());
    assert_eq!(code, Some(1), "it needs a login: {list:#?}");
    let (level, says, cure) = &of(&list, "account")[0];
    assert_eq!(level, "problem");
    assert!(says.contains("needs_login") && cure.contains("wxbot login a1"), "{says} {cure}");
    bot.log_in_all(&sim, Duration::from_secs(30)).unwrap();
    let (list, code) = findings(folder.path());
    assert_eq!(code, Some(0), "{list:#?}");
    for check in ["config", "directory", "store", "key", "media", "socket", "account", "endpoint", "clock"] {
        assert!(of(&list, check).iter().any(|(level, ..)| level == "ok"), "{check}: {list:#?}");
    }
    let server = of(&list, "server");
    assert!(server.iter().any(|(_, says, _)| says.contains("turned away (404)")), "{server:?}");
    assert_eq!(sim.sends().unwrap().len(), 0, "it sends no message");
    assert_eq!(sim.hard_violations().unwrap(), Vec::<String>::new());
    // It goes on as if nobody had looked.
    sim.deliver(&rig::account(1), &rig::friend(1), "hello").unwrap();
    support::wait::until("the answer", Duration::from_secs(20), || Ok((sim.sends()?.len() == 1).then_some(())))
        .unwrap();
    bot.stop().unwrap();
}

/// The findings as soon as the socket is there.
fn findings_once_up(folder: &Path) -> (Vec<Value>, Option<i32>) {
    let socket = folder.join("data/wxbot.sock");
    support::wait::until("the socket", Duration::from_secs(20), || Ok(socket.exists().then_some(()))).unwrap();
    wxbot::until_state(folder, "a1", &["needs_login"], Duration::from_secs(20)).unwrap();
    findings(folder)
}
