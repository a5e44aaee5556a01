//! Do keys of any protocol reach anything that wxbot writes or answers (security R20)?
//!
//! One run of all families, everything logged, with keys that the test knows: Web WeChat, a PC hook that wants a header, a
//! WeCom gateway, and an application whose callbacks are sealed. Messages and answers, forged and misdirected pushes, web
//! pages, figures, every command that shows something, SIGKILL, another start. Then all output, all answers and all files
//! are searched.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use support::fake_wechat::{CANARY, Fake};
use support::wait;
use support::wxbot::{self, Running};
use wxbot_sim::{AccountSpec, HookSay, HookSetup, HookSim, Notice, WecomSay, WecomSetup, WecomSim, World};

const WITHIN: Duration = Duration::from_secs(30);
const HOOK_KEY: &str = "CANARYhookKey0123456789";
const CORP_SECRET: &str = "CANARYcorpSecret0123456789";
const TOKEN: &str = "CANARYcallbackToken";
/// 43 characters of Base64.
const AES_KEY: &str = "CANARYaesKey0123456789abcdefghijklmnopqrstu";
/// In every text that somebody writes.
const TEXT: &str = "PRIVATEtext";

fn world(name: &str) -> World {
    World { accounts: vec![AccountSpec::new(name).friend("小红").room("读书会", &["小红"])], ..World::default() }
}

/// All that was written, each with the name of what wrote it.
#[derive(Default)]
struct Written(Vec<(String, String)>);

impl Written {
    fn call(&mut self, folder: &Path, args: &[&str]) -> String {
        let said = wxbot::call(folder, args).unwrap();
        self.0.push((format!("{args:?}, output"), said.out.clone()));
        self.0.push((format!("{args:?}, errors"), said.err));
        said.out
    }

    /// One request as it stands here, and all that is answered.
    fn ask(&mut self, base: &str, head: &str, body: &str) -> String {
        let address = base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        let length = body.len();
        write!(stream, "{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        self.0.push((format!("the answer to {:?}", head.lines().next().unwrap()), answer.clone()));
        answer
    }

    /// All files below a folder, but for those that are keys.
    fn files(&mut self, folder: &Path, when: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "push") {
                    self.files(&path, when);
                }
            } else if path.is_file() {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                self.0.push((format!("{when}: {}", path.display()), text));
            }
        }
    }

    fn must_not_hold(&self, secret: &str, what: &str, except: impl Fn(&str) -> bool) {
        assert!(secret.len() >= 6, "{what} is too short to be searched for: {secret}");
        let mut found = Vec::new();
        for (name, text) in self.0.iter().filter(|(name, _)| !except(name)) {
            if let Some(at) = text.find(secret) {
                let before: String = text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
                found.push(format!("{name}: …{before}{secret}"));
            }
        }
        assert!(found.is_empty(), "{what} in\n{}", found.join("\n"));
    }
}

#[test]
fn sec_r20_a_run_of_all_protocols_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str, text: &str| {
        let path = keys.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let fake = Fake::start().unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut setup = WecomSetup::default();
    setup.app.corp_secret = CORP_SECRET.into();
    setup.app.token = TOKEN.into();
    setup.app.aes_key = AES_KEY.into();
    let app = setup.app.clone();
    let (hook, wecom) = tokio.block_on(async {
        let hook = HookSim::start(&world("desk"), HookSetup::new(folder.join("windows"))).await.unwrap();
        (hook, WecomSim::start(&world("work"), setup).await.unwrap())
    });
    let (port, wxid) = (hook.port("desk").unwrap(), hook.wxid("desk").unwrap());
    let instance = wecom.uuid("work").unwrap();
    let config = format!(
        "{}\n[server]\nlisten = \"127.0.0.1:0\"\n\n\
         [[accounts]]\nname = \"desk\"\nprotocol = \"pc-hook\"\nprofile = \"v3\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
         server_port = {port}\nself_wxid = \"{wxid}\"\n\
         [accounts.secrets]\nHOOK_KEY = {{ file = \"{}\" }}\n[accounts.headers]\nX-Api-Key = \"{{{{secret.HOOK_KEY}}}}\"\n\n\
         [[accounts]]\nname = \"work\"\nprotocol = \"wecom\"\nprofile = \"wxwork\"\nendpoint = \"{}\"\n\
         instance = {{ file = \"{}\" }}\nself_id = \"{}\"\n\n\
         [[accounts]]\nname = \"office\"\nprotocol = \"wecom\"\nprofile = \"app\"\nendpoint = \"{}\"\ncorp_id = \"{}\"\n\
         agent_id = {}\ncorp_secret = {{ file = \"{}\" }}\ncallback_token = {{ file = \"{}\" }}\n\
         callback_aes_key = {{ file = \"{}\" }}\n",
        fake.bot_toml(),
        key("hook", HOOK_KEY),
        wecom.endpoint(),
        key("instance", &instance),
        wecom.id_of("work", "work").unwrap(),
        wecom.endpoint(),
        app.corp_id,
        app.agent_id,
        key("corp-secret", CORP_SECRET),
        key("token", TOKEN),
        key("aes-key", AES_KEY),
    );
    fs::write(folder.join("bot.toml"), config).unwrap();
    let mut written = Written::default();
    let run = ["run", "--log", "trace", "--log-format", "json"];
    let running = Running::start(folder, &run).unwrap();
    let base = || {
        let journal = hook.journal();
        let url = journal.asked_at("/ConfigureMsgRecive").last().map(|asked| asked.body.to_string());
        let base = url.as_deref().and_then(|body| body.split_once("http://")?.1.split_once('/'));
        Ok(base.map(|(base, _)| format!("http://{base}")))
    };
    let base = wait::until("the hook is told where to push to", WITHIN, base)
        .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
    let secret_of =
        |account: &str| fs::read_to_string(folder.join("data/push").join(account)).unwrap().trim().to_owned();
    wecom.set_callback("work", &format!("{base}/push/work/{}", secret_of("work"))).unwrap();
    wecom.set_app_callback(&format!("{base}/push/office/{}", secret_of("office")));
    written.call(folder, &["login", "bot", "--json", "--log", "trace"]);
    for account in ["bot", "desk", "work", "office"] {
        wxbot::until_state(folder, account, &["online"], WITHIN)
            .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
    }

    // Texts and answers of each.
    fake.deliver(&format!("{TEXT} web"));
    {
        let _entered = tokio.enter();
        hook.say("desk", HookSay::text("小红", &format!("{TEXT} desk"))).unwrap();
        wecom.say("work", &WecomSay::text("小红", &format!("{TEXT} work"))).unwrap();
        wecom.notify(&Notice::text("小红", &format!("{TEXT} office"))).unwrap();
        wecom.notify(&Notice { forged: true, ..Notice::text("小红", "forged") }).unwrap();
    }
    let answered = || {
        let wecom = wecom.journal();
        let of = |account: &str| wecom.heard.iter().any(|one| one.account == account);
        let all = !fake.sends().is_empty() && hook.journal().texts_to("小红").count() > 0 && of("work") && of("app");
        let refused = wecom.pushes.iter().any(|push| push.status == Some(403));
        Ok((all && refused).then_some(()))
    };
    wait::until("an answer of each, and the forged one refused", WITHIN, answered)
        .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));

    // Whoever asks what he must not.
    let host = "Host: 127.0.0.1\r\n";
    let right = secret_of("desk");
    for (head, body, status) in [
        (format!("GET /metrics HTTP/1.1\r\n{host}"), "", "200"),
        (format!("GET /healthz HTTP/1.1\r\n{host}"), "", "200"),
        (format!("POST /push/desk/wrong HTTP/1.1\r\n{host}"), "{}", "404"),
        (format!("POST /push/nobody/{right} HTTP/1.1\r\n{host}"), "{}", "404"),
        (format!("GET /push/desk/{right} HTTP/1.1\r\n{host}"), "", "405"),
        (format!("POST /push/desk/{right} HTTP/1.1\r\n{host}"), r#"{"selfwxid":"wxid_other","msglist":[]}"#, "403"),
        (format!("POST /push/desk/{right} HTTP/1.1\r\n{host}Origin: http://evil.example.net\r\n"), "{}", "403"),
        (format!("POST /push/office/{} HTTP/1.1\r\n{host}", secret_of("office")), "<xml/>", "400"),
    ] {
        let answer = written.ask(&base, &head, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
    }

    // Every command that shows something; those that this wxbot does not have say so.
    for args in [
        &["accounts", "--json"][..],
        &["accounts"],
        &["contacts", "desk"],
        &["contacts", "work", "--json"],
        &["explain", "1", "--json"],
        &["explain", "2"],
        &["check"],
        &["check", "--json"],
        &["media", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["dead", "list", "--json"],
        &["outbox", "list", "--json"],
        &["backup", "copy"],
        &["login", "office"],
    ] {
        written.call(folder, args);
    }
    running.kill().unwrap();
    written.files(&folder.join("data"), "after SIGKILL");
    let running = Running::start(folder, &run).unwrap();
    wxbot::until_state(folder, "bot", &["online"], WITHIN)
        .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
    assert!(running.stop("TERM", WITHIN).unwrap().success());
    written.files(folder, "at the end");

    let (_, log) = written.0.iter().find(|(name, _)| name.ends_with("run.err")).unwrap();
    assert!(log.contains("TRACE"), "nothing is proved when little is logged");
    written.must_not_hold(CANARY, "a key", |_| false);
    let tokens: Vec<String> = wecom
        .journal()
        .asked
        .iter()
        .filter(|asked| asked.path.contains("gettoken"))
        .filter_map(|asked| {
            let answer: serde_json::Value = serde_json::from_str(&asked.answer).ok()?;
            Some(answer.get("access_token")?.as_str()?.to_owned())
        })
        .collect();
    assert!(!tokens.is_empty(), "no access token was asked for");
    for token in tokens {
        written.must_not_hold(&token, "an access token", |_| false);
    }
    // What is stored is stored in the queue, and in a backup of it; keys are in neither.
    let stored = |name: &str| name.contains("queue.db") || name.ends_with("/copy");
    written.must_not_hold(&instance, "the instance of the gateway", stored);
    // An address is shown once, when it is made, to whoever may have to enter it somewhere (R02).
    for (_, text) in &mut written.0 {
        let kept = text.lines().filter(|line| !line.contains(": pushes go to "));
        let shown = text.lines().count() - kept.clone().count();
        assert!(shown <= 3, "addresses are shown again at the second start");
        *text = kept.collect::<Vec<_>>().join("\n");
    }
    for account in ["desk", "work", "office"] {
        written.must_not_hold(&secret_of(account), "the secret of an address", |_| false);
    }
    written.must_not_hold(TEXT, "what people write", stored);
}
