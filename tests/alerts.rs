//! Is somebody told when an account needs a login, by an address and by a program, with a code that only they can read?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use support::rig::{self, Sim};
use support::wait;
use support::wxbot::{self, Running};

const WITHIN: Duration = Duration::from_secs(40);
const KEY: &str = "key-of-the-group-robot";

/// Takes what is posted; the first is refused with HTTP 500.
fn listener() -> (u16, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (posted, taken) = channel();
    std::thread::spawn(move || {
        for (nth, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let status = if nth == 0 { "500 Oh" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            posted.send((head, serde_json::from_slice(&body).unwrap())).ok();
        }
    });
    (port, taken)
}

#[test]
fn sec_r24_who_must_know_is_told_with_a_code_and_nobody_else_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let world = path("world.toml");
    fs::write(&world, rig::world_toml(1, 1)).unwrap();
    let sim = Sim::start(&wxbot::binary(), &world, folder.path()).unwrap();
    let (port, posted) = listener();
    fs::write(path("hook"), format!("http://127.0.0.1:{port}/robot?key={KEY}\n")).unwrap();
    // Whatever is written goes into a file of its own, so that nobody reads half of it.
    let script = "#!/bin/sh\ncat > stdin.part\nstat -c %a \"$WXBOT_ALERT_QR\" > mode\nmv stdin.part stdin.json\n";
    fs::write(path("notify.sh"), script).unwrap();
    fs::set_permissions(path("notify.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    let alerts = "\n[alerts]\nqr = true\nwebhook = { file = \"hook\" }\ncommand = [\"./notify.sh\"]\n";
    fs::write(path("bot.toml"), rig::bot_toml(sim.base(), 1) + alerts).unwrap();
    let running = Running::start(folder.path(), &["run"]).unwrap();

    // An account that was never logged in: told at once, in one message after the ten seconds in which more may come.
    let told = wait::until("the program to be told", WITHIN, || {
        Ok(fs::read(path("stdin.json")).ok().map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap()))
    });
    let told = told.unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
    assert_eq!(told["opened"][0]["account"], "a1");
    assert_eq!(told["opened"][0]["state"], "needs_login");
    assert!(told["text"].as_str().unwrap().contains("run `wxbot login a1`"), "{told}");
    let picture = PathBuf::from(told["qr"][0]["file"].as_str().unwrap());
    assert_eq!(fs::read_to_string(path("mode")).unwrap(), "600\n");
    let kept = fs::metadata(picture.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(kept & 0o777, 0o700);

    // The address refused once, and gets it with the second try; the address itself stands in no log.
    let (head, first) = posted.recv_timeout(WITHIN).unwrap();
    assert!(head.starts_with(&format!("POST /robot?key={KEY} HTTP/1.1\r\n")), "{head}");
    let (_, second) = posted.recv_timeout(WITHIN).unwrap();
    assert_eq!(first["opened"], second["opened"]);
    let url = second["qr"][0]["url"].as_str().unwrap().to_owned();
    let uuid = url.rsplit('/').next().unwrap();

    // Scanned: the picture goes at once.
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    sim.api().post("/__sim/approve", &json!({ "uuid": uuid, "account": "a1" })).unwrap();
    wxbot::until_state(folder.path(), "a1", &["online"], WITHIN).unwrap();
    wait::until("the picture to go", WITHIN, || Ok((!picture.exists()).then_some(()))).unwrap();
    let log = running.err().unwrap();
    for secret in [KEY, url.as_str()] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(log.contains("An alert was not delivered."), "{log}");
    let state = fs::read_to_string(path("data/alerts.json")).unwrap();
    assert!(!state.contains(KEY) && !state.contains(uuid), "{state}");
    running.stop("TERM", WITHIN).unwrap();
    assert_eq!(posted.try_iter().count(), 0, "once");
}

#[test]
fn sec_r24_the_file_of_a_login_goes_with_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("world.toml"), rig::world_toml(1, 1)).unwrap();
    let sim = Sim::start(&wxbot::binary(), &path("world.toml"), folder.path()).unwrap();
    fs::write(path("bot.toml"), rig::bot_toml(sim.base(), 1)).unwrap();
    let code = path("code.png");
    // Somebody put a file there that everybody reads.
    fs::write(&code, "").unwrap();
    fs::set_permissions(&code, fs::Permissions::from_mode(0o644)).unwrap();
    let shown = || {
        let good = fs::read(&code).is_ok_and(|bytes| bytes.starts_with(b"\x89PNG"));
        Ok(good.then(|| fs::metadata(&code).unwrap().permissions().mode() & 0o777))
    };
    let args = ["login", "a1", "--json", "--qr-file", "code.png"];
    let login = Running::start(folder.path(), &args).unwrap();
    assert_eq!(wait::until("the code", WITHIN, shown).unwrap(), 0o600);
    // Interrupted: the code is good for minutes yet, and its file must not be.
    assert_eq!(login.stop("INT", WITHIN).unwrap().code(), Some(130));
    assert!(!code.exists());

    fs::write(path("run.out"), "").unwrap();
    let mut login = Running::start(folder.path(), &args).unwrap();
    assert_eq!(wait::until("the code", WITHIN, shown).unwrap(), 0o600);
    let out = login.until_out("its line", WITHIN, |out| out.contains("\"event\":\"qr\"")).unwrap();
    let line: Value = serde_json::from_str(out.lines().rfind(|line| line.contains("\"qr\"")).unwrap()).unwrap();
    sim.api().post("/__sim/approve", &json!({ "uuid": line["uuid"], "account": "a1" })).unwrap();
    assert!(login.ended(WITHIN).unwrap().success());
    assert!(!code.exists(), "scanned");
}
