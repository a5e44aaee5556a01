//! Do accounts that are pushed to work through the binary, over real sockets? A PC hook beside Web WeChat's guarantees.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

#[path = "support/library.rs"]
mod library;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::http::Client;
use support::wait;
use support::wxbot::{self, Running};
use wxbot_sim::{AccountSpec, HookSay, HookSetup, HookSim, Said, World};

const WITHIN: Duration = Duration::from_secs(20);

/// A hook with one account, and the folder of the wxbot that it pushes to.
struct Town {
    folder: tempfile::TempDir,
    tokio: tokio::runtime::Runtime,
    hook: wxbot_sim::Running<HookSim>,
}

impl Town {
    fn open(plugins: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let account = AccountSpec::new("shop").friend("小红").friend("小明").room("买菜群", &["小红", "小明"]);
        let world = World { accounts: vec![account], ..World::default() };
        let setup = HookSetup::new(folder.path().join("windows"));
        let hook = tokio.block_on(HookSim::start(&world, setup)).unwrap();
        let (port, wxid) = (hook.port("shop").unwrap(), hook.wxid("shop").unwrap());
        // Whoever is answered so fast and often would be taken for another bot (`loop-guard`).
        let config = format!(
            "middleware = []\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n{plugins}\n[[accounts]]\nname = \"shop\"\nprotocol = \"pc-hook\"\n\
             profile = \"v3\"\nendpoint = \"http://127.0.0.1:{port}\"\nserver_port = {port}\nself_wxid = \"{wxid}\"\n"
        );
        fs::write(folder.path().join("bot.toml"), config).unwrap();
        Self { folder, tokio, hook }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self) -> Running {
        let before = self.hook.journal().asked_at("/ConfigureMsgRecive").count();
        let running = Running::start(self.path(), &["run"]).unwrap();
        wait::until("the hook is told where to push to", WITHIN, || {
            let asked = self.hook.journal().asked_at("/ConfigureMsgRecive").count();
            Ok((asked > before).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
        running
    }

    /// Pushes what no client of WeChat says, to where the hook was told last; answers the status.
    fn post(&self, body: &Value) -> u16 {
        let journal = self.hook.journal();
        let last = journal.asked_at("/ConfigureMsgRecive").last().unwrap();
        let told = last.body.get("url").and_then(Value::as_str).unwrap().to_owned();
        let at = told.find("/push/").unwrap();
        match Client::new(&told[..at]).unwrap().post(&told[at..], body) {
            Ok(_) => 200,
            Err(error) => {
                let error = error.to_string();
                let status = error.split_once(" answered ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
                status.unwrap_or_else(|| panic!("{error}"))
            }
        }
    }

    fn texts_to(&self, name: &str) -> Vec<String> {
        self.hook.journal().texts_to(name).map(str::to_owned).collect()
    }

    fn until_texts(&self, name: &str, count: usize, running: &Running) -> Vec<String> {
        wait::until("the answers", WITHIN, || Ok(Some(self.texts_to(name)).filter(|texts| texts.len() >= count)))
            .unwrap_or_else(|error| panic!("{error}: {:#?}\n{}", self.hook.journal(), running.err().unwrap()))
    }

    fn say(&self, say: HookSay) {
        let _entered = self.tokio.enter();
        self.hook.say("shop", say).unwrap();
    }
}

const ECHO: &str = "[pacing]\nper_account = \"100/s\"\nburst = 100\nper_chat = \"1000/min\"\n\n\
    [[plugins.auto-reply.rules]]\nregex = '^q(?P<n>\\d+)$'\nreply = \"a{{ named.n }}\"\n";

#[test]
fn a_hook_is_told_where_to_push_to_and_gets_answers() {
    let town = Town::open(ECHO);
    let running = town.run();
    town.say(HookSay::text("小红", "q1"));
    assert_eq!(town.until_texts("小红", 1, &running), ["a1"]);
    town.say(HookSay::in_room("买菜群", "小明", "q2"));
    assert_eq!(town.until_texts("买菜群", 1, &running), ["a2"]);
    // What we sent comes back in two pushes, and answers nothing.
    town.tokio.block_on(town.hook.settled());
    town.say(HookSay::text("小明", "q3"));
    assert_eq!(town.until_texts("小明", 1, &running), ["a3"]);
    assert_eq!((town.texts_to("小红").len(), town.texts_to("买菜群").len()), (1, 1));
    assert_eq!(town.hook.violations(), []);
    let listed = wxbot::call(town.path(), &["accounts", "--json"]).unwrap();
    assert!(listed.out.contains("\"online\""), "{}{}", listed.out, listed.err);
}

#[test]
fn kill_9_loses_no_push_that_was_answered_and_doubles_no_reply() {
    let town = Town::open(ECHO);
    let (mut number, mut uncertain) = (0, 0);
    for round in 0..6 {
        let running = town.run();
        for _ in 0..5 {
            number += 1;
            town.say(HookSay::text("小红", &format!("q{number}")));
        }
        // Every one was answered with 200: what was not yet replied to is replied to after the restart.
        town.tokio.block_on(town.hook.settled());
        if round < 5 {
            running.kill().unwrap();
        } else {
            // A send that was cut off in the middle is held, and counted: nobody knows whether it arrived.
            let all = wait::until("every message to be answered or held", WITHIN, || {
                let texts = town.texts_to("小红").len();
                let account = wxbot::account(town.path(), "shop")?;
                let held = account["outbox"]["uncertain"].as_u64().unwrap_or(0);
                Ok((texts as u64 + held >= number as u64).then_some(held))
            });
            uncertain =
                all.unwrap_or_else(|error| panic!("{error}: {:?}\n{}", town.texts_to("小红"), running.err().unwrap()));
        }
    }
    let texts = town.texts_to("小红");
    let mut each: Vec<&String> = texts.iter().collect();
    each.sort();
    each.dedup();
    assert_eq!(each.len(), texts.len(), "none twice: {texts:?}");
    assert!(texts.len() as u64 + uncertain >= number as u64, "none lost: {texts:?}");
    assert!(uncertain <= 5, "at most one for each kill: {uncertain}");
}

#[test]
fn a_hook_that_is_away_is_named_and_told_again_when_it_is_back() {
    let town = Town::open(ECHO);
    let port = town.hook.port("shop").unwrap();
    let config = fs::read_to_string(town.path().join("bot.toml")).unwrap();
    // Nobody listens at a port that was just given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = config.replace(
        &format!("endpoint = \"http://127.0.0.1:{port}\""),
        &format!("endpoint = \"http://127.0.0.1:{free}\""),
    );
    fs::write(town.path().join("bot.toml"), &away).unwrap();
    let running = Running::start(town.path(), &["run"]).unwrap();
    let told = wait::until("it is said", WITHIN, || {
        let listed = wxbot::call(town.path(), &["accounts", "--json"])?;
        Ok(Some(listed.out).filter(|out| out.contains("refused") || out.contains("connect")))
    });
    assert!(told.is_ok(), "{told:?} {}", running.err().unwrap());
    fs::write(town.path().join("bot.toml"), &config).unwrap();
    let asked = wait::until("the hook is told", WITHIN, || {
        Ok((town.hook.journal().asked_at("/ConfigureMsgRecive").count() > 0).then_some(()))
    });
    assert!(asked.is_ok(), "{asked:?} {}", running.err().unwrap());
    town.say(HookSay::text("小红", "q1"));
    assert_eq!(town.until_texts("小红", 1, &running), ["a1"]);
}

/// The exit code of `wxbot check --json`, and each mistake and warning: its line, message and help.
fn checked(config: &str) -> (Option<i32>, Vec<(u64, String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    fs::write(folder.path().join("a.txt"), "a text").unwrap();
    let said = wxbot::call(folder.path(), &["check", "--json"]).unwrap();
    let told: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err));
    let lists = ["mistakes", "warnings"].into_iter().filter_map(|key| told.get(key)?.as_array());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |told: &Value| (told["line"].as_u64().unwrap(), text(&told["message"]), text(&told["help"]));
    (said.code, lists.flatten().map(one).collect())
}

/// The exit code for a `bot.toml` that is not good.
const BAD_CONFIG: Option<i32> = Some(78);

#[test]
fn check_names_the_action_that_a_profile_lacks_who_needs_it_and_what_to_write() {
    let rule = |reply: &str| format!("[[plugins.auto-reply.rules]]\ncontains = [\"q\"]\n{reply}\n\n");
    let account = |profile: &str| {
        format!("[[accounts]]\nname = \"shop\"\nprotocol = \"pc-hook\"\nserver_port = 30001\nprofile = \"{profile}\"\n")
    };
    // Nothing is left of the plugin: a mistake, with the names and the cure.
    let bare = rule("reply = \"a\"") + &account("none");
    let (code, told) = checked(&bare);
    let lacks = "plugin `auto-reply` needs `send-text` (action `send_text`), which protocol `pc-hook` (profile `none`) of account \
        `shop` cannot do";
    let cure = "write `[accounts.actions.send_text]` for it, or give the account a `use` list without `auto-reply`";
    assert_eq!(code, BAD_CONFIG);
    assert!(told.iter().any(|(_, message, help)| message == lacks && help == cure), "{told:#?}");
    // The cure cures.
    let action = "\n[accounts.actions.send_text]\npath = \"/Send\"\nbody = { to = \"{{to}}\", text = \"{{text}}\" }\n";
    assert_eq!(checked(&(bare + action)), (Some(0), Vec::new()));

    // One of several things: a warning, and the account is good.
    let file = rule("reply = { file = \"a.txt\" }");
    let (code, told) = checked(&(rule("reply = \"a\"") + &file + &account("v4")));
    let named = |(_, message, help): &(u64, String, String)| {
        message.contains("of plugin `auto-reply` needs `send-file` (action `send_file`), which protocol `pc-hook` (profile `v4`) of account `shop`")
            && help == "write `[accounts.actions.send_file]` for it"
    };
    assert!(told.iter().any(named), "{code:?} {told:#?}");

    // The service's own accounts have no tables of one's own: nothing is promised there.
    let robot = "[[accounts]]\nname = \"ops\"\nprotocol = \"wecom\"\nprofile = \"aibot\"\n\
        callback_token = { env = \"T\" }\ncallback_aes_key = { env = \"K\" }\n";
    let (_, told) = checked(&(file + robot));
    assert!(told.iter().any(|(_, message, _)| message.contains("needs `send-file`")), "{told:#?}");
    assert!(told.iter().all(|(_, message, help)| !format!("{message}{help}").contains("action")), "{told:#?}");
}

#[test]
fn names_of_rooms_and_ids_are_judged_at_their_place_before_anything_starts() {
    let long = "r".repeat(600);
    let app = "corp_id = \"ww1\"\nagent_id = 1\ncorp_secret = { env = \"S\" }\n";
    for (profile, lines, line, what) in [
        ("robot", "rooms = { ops = { env = \"A\" }, \"\" = { env = \"B\" } }\n".to_owned(), 5, "`rooms`"),
        ("robot", format!("[accounts.rooms]\nops = {{ env = \"A\" }}\n{long} = {{ env = \"B\" }}\n"), 7, "`rooms`"),
        ("app", format!("{app}app_rooms = [\"good\", \"a\\tb\"]\n"), 8, "`app_rooms`"),
        ("none", "endpoint = \"http://127.0.0.1:1\"\nself_id = \"a\\nb\"\n".to_owned(), 6, "`self_id`"),
    ] {
        let account = "[[accounts]]\nname = \"ops\"\nprotocol = \"wecom\"\n";
        let (code, told) = checked(&format!("{account}profile = \"{profile}\"\n{lines}"));
        assert_eq!(code, BAD_CONFIG, "{profile}: {told:#?}");
        let [(at, message, help)] = told.as_slice() else { panic!("{profile}: {told:#?}") };
        assert!(*at == line && message.starts_with(what) && !help.is_empty(), "{profile}: {told:#?}");
    }
}

#[test]
fn sec_r03_a_login_that_was_learnt_keeps_others_out_with_403() {
    let town = Town::open(ECHO);
    let config = fs::read_to_string(town.path().join("bot.toml")).unwrap();
    let unsaid: String =
        config.lines().filter(|line| !line.starts_with("self_wxid")).map(|line| format!("{line}\n")).collect();
    fs::write(town.path().join("bot.toml"), unsaid).unwrap();
    let running = town.run();
    town.say(HookSay::text("小红", "q1"));
    assert_eq!(town.until_texts("小红", 1, &running), ["a1"]);
    let port = town.hook.port("shop").unwrap();
    let post = |wxid: &str| {
        let port = port.to_string();
        town.post(&json!({ "ServerPort": port, "selfwxid": wxid, "sendorrecv": "2", "msglist": [] }))
    };
    assert_eq!((post(&town.hook.wxid("shop").unwrap()), post("wxid_another")), (200, 403));
    // It is remembered.
    drop(running);
    let _running = town.run();
    assert_eq!((post("wxid_another"), post(&town.hook.wxid("shop").unwrap())), (403, 200));
}

/// The bytes in wxbot's media folder.
fn kept(town: &Town) -> Vec<Vec<u8>> {
    let listed = wxbot::call(town.path(), &["media", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    let read = |file: &Value| {
        let digest = file["digest"].as_str().unwrap();
        fs::read(town.path().join("data/media").join(&digest[..2]).join(&digest[2..])).unwrap()
    };
    listed.get("files").and_then(Value::as_array).unwrap().iter().map(read).collect()
}

#[test]
fn sec_r07_a_pushed_path_is_opened_below_the_roots_alone_and_its_bytes_reach_the_media_folder() {
    let town = Town::open(&format!("[plugins.assistant]\npath = {:?}\n", library::library("assistant-plugin")));
    let (windows, file) = (town.path().join("windows"), town.path().join("bot.toml"));
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{config}media_roots = [{{ remote = {windows:?} }}]\n")).unwrap();
    let running = town.run();
    let picture = |bytes: &'static [u8]| HookSay::said("小红", Said::Image { data: Some(bytes.into()) });
    // The hook lays the picture on its disk and says where; the plugin asks for it, tells its size and sends it back.
    town.say(picture(b"\x89PNG\r\n\x1a\nfirst"));
    let texts = town.until_texts("小红", 1, &running);
    assert!(texts[0].contains("13 字节"), "{texts:?}");
    let first = kept(&town);
    let stem = windows.join("WeChat Files").join(town.hook.wxid("shop").unwrap()).join("FileStorage/MsgAttach/Image");
    let laid = fs::read_dir(stem).unwrap().next().unwrap().unwrap().path();
    assert_eq!(first, [fs::read(laid).unwrap()], "byte by byte as it lies there");

    // Below the root by its name, and elsewhere by a link.
    let outside = tempfile::tempdir().unwrap();
    let real = outside.path().join("moved");
    fs::rename(windows.join("WeChat Files"), &real).unwrap();
    std::os::unix::fs::symlink(&real, windows.join("WeChat Files")).unwrap();
    let refused = |what: &str| {
        wait::until(what, WITHIN, || Ok(running.err()?.contains(what).then_some(())))
            .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
    };
    town.say(picture(b"\x89PNG\r\n\x1a\nsecond"));
    refused("the file leads out of the account's `media_roots`");
    // By its name already.
    let (port, wxid) = (town.hook.port("shop").unwrap().to_string(), town.hook.wxid("shop").unwrap());
    let entry = json!({
        "index": "1", "time": "2023-03-05 13:07:54", "msgtype": "3", "msgsvrid": "77", "msg": "<msg><img length=\"9\"/></msg>",
        "img_path": "/etc/passwd", "fromwxid": "wxid_stranger", "toid": wxid,
    });
    let push = json!({ "ServerPort": port, "selfwxid": wxid, "sendorrecv": "2", "msglist": [entry] });
    assert_eq!(town.post(&push), 200);
    refused("the file lies in none of the account's `media_roots`");
    assert_eq!(kept(&town), first, "nothing else came in");
}

/// What the repository says about accounts that are pushed to.
fn shown(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn each_bot_toml_of_the_guide_to_pushed_accounts_passes_the_check() {
    for page in ["pc-hook", "wecom", "zh-CN/pc-hook", "zh-CN/wecom"] {
        let text = shown(&format!("docs/guide/{page}.md"));
        // A block in a list is indented, its end too.
        let block = |rest: &str| rest.lines().take_while(|line| line.trim() != "```").collect::<Vec<_>>().join("\n");
        let blocks = text.split("```toml\n").skip(1).map(block);
        let whole: Vec<String> = blocks.filter(|block| block.contains("[[accounts]]")).collect();
        assert!(!whole.is_empty(), "{page} shows one");
        for block in whole {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("bot.toml"), &block).unwrap();
            let said = wxbot::call(folder.path(), &["check"]).unwrap();
            assert_eq!(said.code, Some(0), "{page}\n{block}\n{}{}", said.out, said.err);
        }
    }
}

#[test]
fn the_example_with_two_accounts_runs_as_it_is() {
    let town = Town::open("");
    let example = shown("examples/pushed.toml");
    fs::write(town.path().join("bot.toml"), &example).unwrap();
    let said = wxbot::call(town.path(), &["check"]).unwrap();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    // The hook of this test listens elsewhere.
    let port = town.hook.port("shop").unwrap();
    let here = example.replace("127.0.0.1:8460", "127.0.0.1:0").replace("30001", &port.to_string());
    fs::write(town.path().join("bot.toml"), here).unwrap();
    let mut command = wxbot::command(town.path(), &["run"]);
    for (name, value) in [
        ("HOOK_KEY", "key"),
        ("WECOM_SECRET", "secret"),
        ("WECOM_TOKEN", "token"),
        ("WECOM_AES_KEY", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
        ("HELPDESK_PUSH", "0123456789abcdef0123456789abcdef"),
    ] {
        command.env(name, value);
    }
    let running = Running::spawn(town.path(), command).unwrap();
    let asked = wait::until("the hook is told where to push to", WITHIN, || {
        Ok((town.hook.journal().asked_at("/ConfigureMsgRecive").count() > 0).then_some(()))
    });
    assert!(asked.is_ok(), "{asked:?}\n{}", running.err().unwrap());
    town.say(HookSay::text("小红", "你好"));
    assert_eq!(town.until_texts("小红", 1, &running), ["你好,小红!我是 shop。"]);
    wxbot::until_state(town.path(), "helpdesk", &["online"], WITHIN).unwrap();
}
