//! Do all four protocols run together in one `wxbot run`, each with the bundled plugins that it can have?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::rig::Sim;
use support::wait;
use support::wxbot::{self, Running};
use tokio::net::TcpListener;
use wxbot_sim::{
    AccountSpec, HookProfile, HookSay, HookSetup, HookSim, IlinkMessage, IlinkSetup, IlinkSim, Notice, WecomSay,
    WecomSetup, WecomSim, World,
};

const WITHIN: Duration = Duration::from_secs(30);
const ROOM: &str = "读书会";
const ALL: &[&str] = &["web", "desk", "work", "office", "home"];

/// Web WeChat in a process of its own, a PC hook, a WeCom and an iLink in this one; and the folder of one wxbot for all of them.
struct Town {
    folder: tempfile::TempDir,
    tokio: tokio::runtime::Runtime,
    web: Sim,
    hook: wxbot_sim::Running<HookSim>,
    wecom: wxbot_sim::Running<WecomSim>,
    ilink: wxbot_sim::Running<IlinkSim>,
}

const PLUGINS: &str = r#"
[pacing]
per_account = "1000000/s"
per_chat = "1000000/s"
burst = 10000

[[plugins.auto-reply.rules]]
regex = '^q(?P<n>\d+)$'
reply = "a{{ named.n }}"

[[plugins.keyword.rules]]
name = "价格"
any = ["多少钱"]
reply = "价目表在公告里。"

[plugins.group-admin.flood]
messages = 4
within = "60s"

[plugins.group-admin.links]
allow = ["example.com"]

[plugins.group-admin.ladder]
remove = 3
"#;

const WEB_WORLD: &str = "auto_confirm = true\n[[accounts]]\nname = \"web\"\nnick = \"网页\"\n\
    friends = [{ nick = \"小红\" }, { nick = \"小明\" }]\n\
    rooms = [{ topic = \"读书会\", members = [\"小红\", \"小明\"], saved = true }]\n";

fn world(name: &str) -> World {
    let account = AccountSpec::new(name).friend("小红").friend("小明").room(ROOM, &["小红", "小明"]);
    World { accounts: vec![account], ..World::default() }
}

impl Town {
    /// `first` stands before all tables of `bot.toml`.
    fn open(first: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file("world.toml", WEB_WORLD);
        let web = Sim::start(&wxbot::binary(), &folder.path().join("world.toml"), folder.path()).unwrap();
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let setup = WecomSetup::default();
        let app = setup.app.clone();
        let (hook, wecom, ilink) = tokio.block_on(async {
            let hook = HookSim::start(&world("desk"), HookSetup::new(folder.path().join("windows"))).await.unwrap();
            // Nobody's quota is the matter here.
            let rules = IlinkSetup { quota: 1_000, burst: 10_000, auto_confirm: true, ..IlinkSetup::default() };
            let ilink = IlinkSim::start(&world("home"), rules).await.unwrap();
            (hook, WecomSim::start(&world("work"), setup).await.unwrap(), ilink)
        });
        let (port, wxid) = (hook.port("desk").unwrap(), hook.wxid("desk").unwrap());
        file("instance", &wecom.uuid("work").unwrap());
        file("corp-secret", &app.corp_secret);
        file("token", &app.token);
        file("aes-key", &app.aes_key);
        let accounts = [
            format!("name = \"web\"\nprotocol = \"web\"\nendpoint = \"{}\"\n", web.base()),
            format!(
                "name = \"desk\"\nprotocol = \"pc-hook\"\nprofile = \"v3\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
                 server_port = {port}\nself_wxid = \"{wxid}\"\n"
            ),
            format!(
                "name = \"work\"\nprotocol = \"wecom\"\nprofile = \"wxwork\"\nendpoint = \"{}\"\n\
                 instance = {{ file = \"instance\" }}\nself_id = \"{}\"\n",
                wecom.endpoint(),
                wecom.id_of("work", "work").unwrap()
            ),
            format!(
                "name = \"office\"\nprotocol = \"wecom\"\nprofile = \"app\"\nendpoint = \"{}\"\ncorp_id = \"{}\"\n\
                 agent_id = {}\ncorp_secret = {{ file = \"corp-secret\" }}\ncallback_token = {{ file = \"token\" }}\n\
                 callback_aes_key = {{ file = \"aes-key\" }}\nuse = [\"auto-reply\", \"keyword\"]\n",
                wecom.endpoint(),
                app.corp_id,
                app.agent_id
            ),
            format!(
                "name = \"home\"\nprotocol = \"ilink\"\nendpoint = \"{}\"\nuse = [\"auto-reply\", \"keyword\"]\n\
                 window_sends = 100\n",
                ilink.endpoint()
            ),
        ];
        let accounts: String = accounts.iter().map(|account| format!("\n[[accounts]]\n{account}")).collect();
        file("bot.toml", &format!("{first}[server]\nlisten = \"127.0.0.1:0\"\n{PLUGINS}{accounts}"));
        Self { folder, tokio, web, hook, wecom, ilink }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and lets all services know where it listens this time.
    fn run(&self) -> Running {
        let told = |town: &Self| town.hook.journal().asked_at("/ConfigureMsgRecive").count();
        let before = told(self);
        let running = Running::start(self.path(), &["run"]).unwrap();
        let base = wait::until("the hook is told where to push to", WITHIN, || {
            let journal = self.hook.journal();
            let url = journal.asked_at("/ConfigureMsgRecive").last().map(|asked| asked.body.to_string());
            let base = url.as_deref().and_then(|body| body.split_once("http://")?.1.split_once('/'));
            Ok(base.filter(|_| told(self) > before).map(|(base, _)| format!("http://{base}")))
        });
        let base = base.unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
        let address = |account: &str| {
            let secret = fs::read_to_string(self.path().join("data/push").join(account)).unwrap();
            format!("{base}/push/{account}/{}", secret.trim())
        };
        self.wecom.set_callback("work", &address("work")).unwrap();
        self.wecom.set_app_callback(&address("office"));
        running
    }

    fn online(&self, running: &Running, names: &[&str]) {
        for name in names {
            wxbot::until_state(self.path(), name, &["online"], WITHIN)
                .unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
        }
    }

    fn web_writes(&self, room: Option<&str>, from: &str, text: &str) {
        let body = serde_json::json!({ "account": "web", "room": room, "from": from, "text": text });
        self.web.api().post("/__sim/messages", &body).unwrap();
    }

    fn hook_writes(&self, say: HookSay) {
        let _entered = self.tokio.enter();
        self.hook.say("desk", say).unwrap();
    }

    fn gateway_writes(&self, say: &WecomSay) {
        let _entered = self.tokio.enter();
        self.wecom.say("work", say).unwrap();
    }

    fn bot_is_told(&self, from: &str, text: &str) {
        let _entered = self.tokio.enter();
        self.ilink.say("home", &IlinkMessage::text(text).by(from)).unwrap();
    }

    /// Logs the accounts in that somebody has to scan for.
    fn log_in(&self) {
        for name in ["web", "home"] {
            wxbot::until_state(self.path(), name, &["needs_login"], WITHIN).unwrap();
            let said = wxbot::call(self.path(), &["login", name]).unwrap();
            assert_eq!(said.code, Some(0), "{}", said.err);
        }
    }

    fn member_writes(&self, from: &str, text: &str) {
        let _entered = self.tokio.enter();
        self.wecom.notify(&Notice::text(from, text)).unwrap();
    }

    /// What an account said to a person or room.
    fn heard(&self, account: &str, to: &str) -> Vec<String> {
        match account {
            "web" => {
                let sends = self.web.sends().unwrap().into_iter();
                sends.filter(|sent| sent.to == to).map(|sent| sent.content).collect()
            }
            "desk" => self.hook.journal().texts_to(to).map(str::to_owned).collect(),
            "home" => self.ilink.journal().texts_to("home", to).map(str::to_owned).collect(),
            account => {
                let account = if account == "office" { "app" } else { account };
                let heard = self.wecom.journal().heard.into_iter();
                heard.filter(|one| one.account == account && one.to == to).map(|one| one.text).collect()
            }
        }
    }

    fn hears(&self, running: &Running, account: &str, to: &str, part: &str) {
        wait::until(&format!("{account} to tell {to}: {part}"), WITHIN, || {
            let heard = self.heard(account, to);
            Ok(heard.iter().any(|text| text.contains(part)).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", self.heard(account, to), running.err().unwrap()));
    }

    fn nobody_broke_a_rule(&self) {
        assert_eq!(self.web.hard_violations().unwrap(), Vec::<String>::new());
        assert_eq!(self.hook.violations(), []);
        assert_eq!(self.wecom.violations(), []);
        let hard: Vec<_> = self.ilink.violations().into_iter().filter(|one| one.hard).collect();
        assert!(hard.is_empty(), "{hard:#?}");
    }
}

#[test]
fn four_protocols_and_the_bundled_plugins_in_one_run() {
    let town = Town::open("");
    let checked = wxbot::call(town.path(), &["check"]).unwrap();
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let running = town.run();
    town.log_in();
    town.online(&running, ALL);
    town.tokio.block_on(town.wecom.verify_callback()).unwrap();

    // auto-reply, to friends.
    town.web_writes(None, "小红", "q1");
    town.hook_writes(HookSay::text("小红", "q2"));
    town.gateway_writes(&WecomSay::text("小红", "q3"));
    town.member_writes("小明", "q4");
    town.bot_is_told("小红", "q5");
    for (account, to, text) in [
        ("web", "小红", "a1"),
        ("desk", "小红", "a2"),
        ("work", "小红", "a3"),
        ("office", "小明", "a4"),
        ("home", "小红", "a5"),
    ] {
        town.hears(&running, account, to, text);
    }

    // Whoever has no key is refused.
    let forged = Notice { forged: true, ..Notice::text("小红", "q6") };
    town.tokio.block_on(async { town.wecom.notify(&forged).unwrap() });
    wait::until("the forged message to be refused", WITHIN, || {
        Ok(town.wecom.journal().pushes.iter().any(|push| push.status == Some(403)).then_some(()))
    })
    .unwrap();

    // keyword, in rooms where there are any.
    town.web_writes(Some(ROOM), "小红", "多少钱一斤");
    town.hook_writes(HookSay::in_room(ROOM, "小红", "多少钱一斤"));
    town.gateway_writes(&WecomSay::in_room(ROOM, "小红", "多少钱一斤"));
    town.member_writes("小红", "多少钱一斤");
    town.bot_is_told("小明", "多少钱一斤");
    for (account, to) in [("web", ROOM), ("desk", ROOM), ("work", ROOM), ("office", "小红"), ("home", "小明")] {
        town.hears(&running, account, to, "价目表");
    }

    // group-admin: a warning, then the door.
    for text in ["http://spam.example.net/1", "http://spam.example.net/2", "http://spam.example.net/3"] {
        town.web_writes(Some(ROOM), "小明", text);
        town.hook_writes(HookSay::in_room(ROOM, "小明", text));
        town.gateway_writes(&WecomSay::in_room(ROOM, "小明", text));
    }
    for account in ["web", "desk", "work"] {
        town.hears(&running, account, ROOM, "第 1 次");
    }
    let removed = wait::until("小明 to be removed from three rooms", WITHIN, || {
        let web = town.web.api().get("/__sim/journal")?["room_calls"].as_array().cloned().unwrap_or_default();
        let desk = town.hook.journal().asked_at("/ChatRoomMemberBatchDelete").count();
        let work = town.wecom.journal().asked.iter().filter(|asked| asked.path.contains("Room")).count();
        Ok((!web.is_empty() && desk == 1 && work > 0).then_some(web))
    });
    let removed = removed.unwrap_or_else(|error| {
        let asked: Vec<_> = town.wecom.journal().asked.into_iter().map(|asked| (asked.path, asked.answer)).collect();
        panic!("{error} {asked:?}\n{}", running.err().unwrap())
    });
    assert_eq!((removed[0]["fun"].as_str(), removed[0]["who"][0].as_str()), (Some("delmember"), Some("小明")));

    // One answer each, and nothing went to the wrong account.
    for (account, to, count) in [
        ("web", "小红", 1),
        ("desk", "小红", 1),
        ("work", "小红", 1),
        ("office", "小明", 1),
        ("home", "小红", 1),
        ("home", "小明", 1),
    ] {
        assert_eq!(town.heard(account, to).len(), count, "{account}: {:?}", town.heard(account, to));
    }
    town.nobody_broke_a_rule();
    let log = running.err().unwrap();
    assert!(!log.contains("panic"), "{log}");
    assert!(running.stop("TERM", WITHIN).unwrap().success(), "{log}");
}

#[test]
fn kill_9_loses_nothing_of_any_protocol_that_was_answered() {
    // Whoever is answered so fast and often would be taken for another bot.
    let town = Town::open("middleware = []\n");
    let mut running = town.run();
    town.log_in();
    town.online(&running, ALL);
    let mut number = 0;
    for _ in 0..3 {
        for _ in 0..4 {
            number += 1;
            let text = format!("q{number}");
            town.web_writes(None, "小红", &text);
            town.hook_writes(HookSay::text("小红", &text));
            town.gateway_writes(&WecomSay::text("小红", &text));
            town.member_writes("小红", &text);
            town.bot_is_told("小红", &text);
        }
        // Every push was answered; what Web WeChat and iLink say is asked for again after the start.
        town.tokio.block_on(async {
            town.hook.settled().await;
            town.wecom.settled().await;
        });
        for pushes in [town.hook.journal().pushes, town.wecom.journal().pushes] {
            let lost: Vec<_> = pushes.iter().filter(|push| push.status != Some(200)).collect();
            assert!(lost.is_empty(), "{lost:#?}");
        }
        running.kill().unwrap();
        running = town.run();
    }
    town.online(&running, ALL);
    for account in ALL {
        // A send that was cut off in the middle is held, and counted: nobody knows whether it arrived.
        let seen = wait::until(&format!("{account} to have answered or held all"), WITHIN, || {
            let mut texts = town.heard(account, "小红");
            let held = wxbot::account(town.path(), account)?["outbox"]["uncertain"].as_u64().unwrap_or(0);
            let sent = texts.len();
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), sent, "{account} said something twice: {texts:?}");
            Ok((sent as u64 + held >= number).then_some(held))
        });
        let held = seen
            .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", town.heard(account, "小红"), running.err().unwrap()));
        assert!(held <= 3, "{account}: at most one for each kill, not {held}");
    }
}

// cov: 156
#[test]
fn two_instances_at_the_shared_address_find_their_accounts_by_port() {
    let folder = tempfile::tempdir().unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // A hook whose address cannot be set pushes where it always does: the instances are started last.
    let listeners = tokio.block_on(async {
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()]
    });
    let mut config = format!("[server]\nlisten = \"127.0.0.1:0\"\n{PLUGINS}");
    for (name, listener) in ["one", "two"].iter().zip(&listeners) {
        let port = listener.local_addr().unwrap().port();
        config += &format!(
            "\n[[accounts]]\nname = \"{name}\"\nprotocol = \"pc-hook\"\nprofile = \"v4\"\nuse = [\"auto-reply\"]\n\
             endpoint = \"http://127.0.0.1:{port}\"\nserver_port = {port}\ncallback = \"by-hand\"\ndefault_path = true\n"
        );
    }
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    let running = Running::start(folder.path(), &["run"]).unwrap();
    let base = wait::until("the address of its server", WITHIN, || {
        let err = running.err()?;
        let base = err.split_once("two: pushes go to http://").and_then(|(_, rest)| rest.split_once('/'));
        Ok(base.map(|(base, _)| format!("http://{base}")))
    });
    let base = base.unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()));
    let account = |name: &str| AccountSpec::new(name).friend("小红").friend("小明");
    let world = World { accounts: vec![account("one"), account("two")], ..World::default() };
    let setup = HookSetup {
        profile: HookProfile::V4,
        callback: Some(format!("{base}/api/user/recive_msg")),
        ..HookSetup::new(folder.path().join("windows"))
    };
    let hook = tokio.block_on(async { HookSim::start_on(&world, setup, listeners.into()).unwrap() });
    let say = |account: &str, from: &str, text: &str| {
        let _entered = tokio.enter();
        hook.say(account, HookSay::text(from, text)).unwrap();
    };
    say("one", "小红", "q1");
    say("two", "小明", "q2");
    tokio.block_on(hook.settled());
    let heard = wait::until("an answer of each", WITHIN, || {
        let heard = hook.journal().heard;
        Ok(Some(heard).filter(|heard| heard.len() >= 2))
    });
    let heard = heard.unwrap_or_else(|error| panic!("{error}: {:#?}\n{}", hook.journal(), running.err().unwrap()));
    let mut heard: Vec<_> =
        heard.iter().map(|one| (one.account.as_str(), one.to.as_str(), one.text.as_str())).collect();
    heard.sort_unstable();
    assert_eq!(heard, [("one", "小红", "a1"), ("two", "小明", "a2")]);
    assert!(running.stop("TERM", WITHIN).unwrap().success());
}

#[test]
fn check_names_what_a_profile_cannot_do_and_who_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let check = |profile: &str, plugins: &str| {
        let account = format!("[[accounts]]\nname = \"desk\"\nprotocol = \"pc-hook\"\nprofile = \"{profile}\"\n");
        fs::write(folder.path().join("bot.toml"), format!("{plugins}\n{account}")).unwrap();
        wxbot::call(folder.path(), &["check"]).unwrap()
    };
    let ladder = "[plugins.group-admin]\nlinks = {}\nladder = { remove = 3 }\n";
    let cannot = check("v4", ladder);
    for part in ["desk", "group-admin", "removal", "v4"] {
        assert!(cannot.err.contains(part), "{part} is not named: {}", cannot.err);
    }
    let can = check("v3", ladder);
    assert_eq!(can.code, Some(0), "{}", can.err);
    assert!(!can.err.contains("removal"), "{}", can.err);
}
