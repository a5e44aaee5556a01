//! Does the ingress judge as the core would, and keep what it lets in, with nobody there to ask?

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use clap::Parser as _;
use wxbot_core::push::{NotKept, Refused};
use wxbot_core::wecom::Keys;
use wxbot_runtime::store::sqlite::SqliteSpool;

use super::*;
use crate::registry;

const AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OLD: &str = "fedcba9876543210fedcba9876543210";
const NEW: &str = "0123456789abcdef0123456789abcdef";
const CONFIG: &str = r#"
[[plugins.auto-reply.rules]]
regex = '(this does not even close'

[[accounts]]
name = "robot"
protocol = "wecom"
profile = "aibot"
callback_token = { file = "token" }
callback_aes_key = { file = "aes" }
push_secret = { file = "new" }
old_push_secret = { file = "old" }

[[accounts]]
name = "hook"
protocol = "pc-hook"
profile = "v3"
server_port = 30001
default_path = true
push_secret = { file = "new" }

[[accounts]]
name = "web"
protocol = "web"
"#;

struct Scene {
    folder: tempfile::TempDir,
    doors: Doors,
    spool: Arc<dyn SpoolStore>,
}

impl Scene {
    fn open(reserve: u64, most: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("token", "QDG6eK"), ("aes", AES_KEY), ("new", NEW), ("old", OLD), ("bot.toml", CONFIG)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let config = folder.path().join("bot.toml");
        let args = Args::parse_from(["wxbot", "--config", config.to_str().unwrap(), "ingress"]);
        let spool: Arc<dyn SpoolStore> = Arc::new(SqliteSpool::open(folder.path()).unwrap());
        let room = Arc::new(Room::new(folder.path(), reserve, most, Arc::clone(&spool)));
        let data = folder.path().join("data");
        let doors = Doors::new(registry::bundled(), &args, data, Arc::clone(&spool), room);
        doors.look();
        Self { folder, doors, spool }
    }

    fn door(&self, account: &str) -> Arc<dyn Door> {
        self.doors.door(account).unwrap()
    }

    fn rewrite(&self, change: impl FnOnce(String) -> String) {
        let path = self.folder.path().join("bot.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, change(text)).unwrap();
    }
}

fn knock<'a>(method: &'a str, query: &'a str, body: &'a Bytes) -> Knock<'a> {
    Knock { method, query, body, from: IpAddr::V4(Ipv4Addr::LOCALHOST), now_ms: now_ms(), unproved: false }
}

#[tokio::test]
async fn a_sealed_callback_is_verified_answered_and_kept_opened_while_the_core_is_down() {
    let scene = Scene::open(0, u64::MAX);
    let door = scene.door("robot");
    let keys = Keys::new(Secret::new("QDG6eK".to_owned()), &Secret::new(AES_KEY.to_owned()), String::new()).unwrap();
    let now_s = now_ms() / 1000;
    // The test of the address: only whoever has the key can answer it.
    let echo = keys.seal("4711", [7; 16], now_s, "n1");
    let coded = echo.encrypt.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let query = format!("msg_signature={}&timestamp={now_s}&nonce=n1&echostr={coded}", echo.signature);
    let none = Bytes::new();
    let answer = door.knock(&knock("GET", &query, &none));
    assert!(matches!(&answer, Knocked::Answer(reply) if reply.body == "4711"), "{answer:?}");
    // A body: a forged one is refused at once, a true one is kept as it was before it was sealed, and a repeat is known.
    let sealed = keys.seal("{\"msgid\":\"1\"}", [8; 16], now_s, "n2");
    let query = format!("msg_signature={}&timestamp={now_s}&nonce=n2", sealed.signature);
    let body = Bytes::from(sealed.json());
    let forged = query.replace("nonce=n2", "nonce=n3");
    assert_eq!(door.knock(&knock("POST", &forged, &body)), Knocked::Refuse(Refused::BadSignature));
    let Knocked::Keep { body: inner, mark, .. } = door.knock(&knock("POST", &query, &body)) else { panic!() };
    door.mailbox().put(inner).await.unwrap();
    door.kept(&mark, now_ms());
    assert!(matches!(door.knock(&knock("POST", &query, &body)), Knocked::Answer(_)), "a repeat");
    let kept = scene.spool.next("robot", 0, 9, 1_000).await.unwrap();
    assert_eq!(kept.iter().map(|one| &one.body[..]).collect::<Vec<_>>(), [b"{\"msgid\":\"1\"}"]);
    assert!((now_ms() - kept[0].recv_ms).abs() < 60_000);
}

#[tokio::test]
async fn doors_follow_the_file_and_a_broken_one_changes_nothing() {
    let scene = Scene::open(0, u64::MAX);
    let secrets = |account: &str| -> Vec<String> {
        scene.door(account).secrets().iter().map(|secret| secret.expose().clone()).collect()
    };
    assert_eq!((secrets("robot"), secrets("hook")), (vec![NEW.to_owned(), OLD.to_owned()], vec![NEW.to_owned()]));
    assert!(scene.doors.door("web").is_none(), "nothing is pushed to it");
    let shared: Vec<String> = scene.doors.shared().into_iter().map(|(name, _)| name).collect();
    assert_eq!(shared, ["hook"]);
    let before = scene.door("hook");
    scene.rewrite(|text| text.replace("old_push_secret = { file = \"old\" }\n", ""));
    scene.doors.look();
    assert_eq!(secrets("robot"), [NEW]);
    assert!(Arc::ptr_eq(&before, &scene.door("hook")), "what was not changed stays, with what waits in it");
    scene.rewrite(|text| text + "\n[[[");
    scene.doors.look();
    assert_eq!(secrets("robot"), [NEW]);
    scene.rewrite(|text| text.replace("\n[[[", "").replace("name = \"hook\"", "name = \"other\""));
    // An account that is asked for and not known is looked for in the file.
    assert!(scene.doors.door("other").is_some() && scene.doors.door("hook").is_none());
    // A push that came through a door which is closed meanwhile is still kept.
    before.mailbox().put(Bytes::from_static(b"late")).await.unwrap();
    assert_eq!(scene.spool.next("hook", 0, 9, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_taken_beyond_the_reserve_of_the_disk_or_the_limit_of_the_file() {
    for (reserve, most, first) in [(u64::MAX, u64::MAX, Err(NotKept::NotStored)), (0, 4, Ok(()))] {
        let scene = Scene::open(reserve, most);
        let door = scene.door("hook");
        assert_eq!(door.mailbox().put(Bytes::from_static(b"12345")).await, first, "{reserve} {most}");
        scene.doors.room().look();
        assert_eq!(door.mailbox().put(Bytes::from_static(b"6")).await, Err(NotKept::NotStored), "{reserve} {most}");
        let told = scene.doors.spool().unwrap();
        assert!(!told.full.is_empty() && !told.core_up, "{told:?}");
        if first.is_ok() {
            let ids = scene.spool.next("hook", 0, 9, 9).await.unwrap().iter().map(|one| one.id).collect();
            scene.spool.trim(ids).await.unwrap();
            scene.doors.room().look();
            assert_eq!(door.mailbox().put(Bytes::from_static(b"7")).await, Ok(()), "there is room again");
        }
    }
}
