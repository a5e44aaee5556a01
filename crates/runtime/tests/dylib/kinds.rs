//! Do the two kinds of plugin behave alike? One suite over a linked and a loaded plugin.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wxbot_model::{
    AccountName, Action, Capabilities, Capability, Chat, ChatKind, Contact, ContactId, ContactKind, Content, Event,
    EventKind, FileType, MediaHandle, Mentions, Message, Person, StoredMedia,
};
use wxbot_plugin::host::{Answer, Call, CallMeta, Host, PluginFactory, ReadMedia, Receipt};
use wxbot_plugin::{
    ContactQuery, Effect, Effects, FoundContact, InitCtx, KvPage, MediaError, MediaFile, PluginError, Role, RoomMember,
    Verdict,
};
use wxbot_runtime::config::{Libraries, PluginUse};
use wxbot_runtime::plugin::dylib::Shelf;
use wxbot_runtime::plugin::{ActivePlugin, Trouble};

use crate::host::options;
use crate::making::{Build, rust};

/// A host that knows Anna and one picture.
#[derive(Default)]
pub(crate) struct Town {
    kv: Mutex<HashMap<String, Value>>,
    sent: Mutex<Vec<Action>>,
    /// Pictures that somebody holds.
    held: Arc<AtomicUsize>,
}

struct Picture(Arc<AtomicUsize>);

impl Drop for Picture {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ReadMedia for Picture {
    fn read(&self) -> BoxFuture<'static, Result<Vec<u8>, MediaError>> {
        Box::pin(async { Ok(b"pixels".to_vec()) })
    }
}

impl Town {
    fn picture(&self, name: &str) -> MediaFile {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("picture.png");
        std::fs::write(&path, "pixels").unwrap();
        self.held.fetch_add(1, Ordering::SeqCst);
        let digest = "0".repeat(64).parse().unwrap();
        let stored = StoredMedia { digest, len: 6, name: name.into() };
        MediaFile::new(stored, FileType::Png, path, Arc::new(Picture(Arc::clone(&self.held))))
    }
}

fn anna() -> Contact {
    Contact { nick_name: "Anna".into(), ..Contact::nameless("@a".parse().unwrap(), ContactKind::Person) }
}

impl Host for Town {
    fn now_ms(&self) -> i64 {
        1_800_000_000_000
    }
    fn random_u64(&self) -> u64 {
        7
    }
    fn kv_get<'a>(
        &'a self,
        plugin: &'a str,
        _account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(self.kv.lock().unwrap().get(&format!("{plugin}/{key}")).cloned())
        })
    }
    fn kv_list<'a>(
        &'a self,
        plugin: &'a str,
        account: &'a AccountName,
        prefix: &'a str,
        page: KvPage,
    ) -> BoxFuture<'a, Result<Vec<(String, Value)>, PluginError>> {
        assert_eq!((plugin, account.as_str(), page.after.as_deref()), ("asker", "xiaoli", Some("k1")));
        let rows = (2..9).map(|n| (format!("{prefix}{n}"), json!(n))).take(page.limit).collect();
        Box::pin(async { Ok(rows) })
    }
    fn capabilities(&self, _account: &AccountName) -> Capabilities {
        Capabilities::none().with(Capability::SendText)
    }
    fn people(&self, account: &AccountName, role: &Role, room: Option<&ContactId>) -> Vec<ContactId> {
        assert_eq!((account.as_str(), room), ("xiaoli", None));
        if *role == Role::Owner { vec!["p1".parse().unwrap(), "p2".parse().unwrap()] } else { Vec::new() }
    }
    fn find_contacts(&self, _account: &AccountName, query: &ContactQuery) -> Vec<FoundContact> {
        let (id, contact) = ("p1".parse().unwrap(), anna());
        query.pick([(&id, &contact)].into_iter())
    }
    fn members<'a>(
        &'a self,
        account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        Box::pin(async move { Err(PluginError::msg(format!("`{account}` is not in {room}"))) })
    }
    fn send_now<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        action: Action,
    ) -> BoxFuture<'a, Result<Receipt, PluginError>> {
        self.sent.lock().unwrap().push(action);
        Box::pin(async { Ok(Receipt::of(Some("77".parse().unwrap()))) })
    }
    fn contact(&self, _account: &AccountName, id: &ContactId) -> Option<Contact> {
        (id.as_str() == "p1").then(anna)
    }
    fn media<'a>(
        &'a self,
        _account: &'a AccountName,
        media: &'a MediaHandle,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        Box::pin(async move {
            if media.reference == "7" {
                Ok(self.picture("a.png"))
            } else {
                Err(MediaError::Gone { why: "too old".into() })
            }
        })
    }
    fn avatar<'a>(
        &'a self,
        _account: &'a AccountName,
        of: &'a ContactId,
        room: Option<&'a ContactId>,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        Box::pin(async move { Ok(self.picture(&format!("{of} of {}", room.unwrap()))) })
    }
}

/// The same plugin, linked and loaded.
fn both<P: wxbot_plugin::Plugin>(package: &str) -> [(&'static str, PluginFactory); 2] {
    let shelf = Shelf::new(options().private);
    let loaded = shelf.open(&rust(package, Build::default()), None).unwrap();
    [("linked", PluginFactory::of::<P>()), ("loaded", loaded)]
}

async fn started(plugin: &PluginFactory, settings: Value, town: &Arc<Town>) -> Result<Arc<ActivePlugin>, String> {
    let (id, init) = (plugin.id().to_owned(), InitCtx::new());
    let wanted = PluginUse { id, settings, init, plugin: plugin.clone() };
    let town: Arc<dyn Host> = town.clone();
    ActivePlugin::start(&wanted, town).await.map_err(|error| error.why)
}

fn event(text: &str) -> Arc<Event> {
    let content = Content::Text { text: text.into() };
    let message = Message { id: "1".parse().unwrap(), from_self: false, content, mentions: Mentions::default() };
    Arc::new(Event {
        account: "xiaoli".parse().unwrap(),
        key: "m1".parse().unwrap(),
        chat: Chat { id: "p1".parse().unwrap(), kind: ChatKind::Private, name: "Anna".into() },
        sender: Some(Person { id: "p1".parse().unwrap(), name: "Anna".into() }),
        at_s: 7,
        late: false,
        kind: EventKind::Message(message),
    })
}

pub(crate) fn call(text: &str) -> Call {
    Call { event: event(text), meta: CallMeta::first(), dialog: None }
}

/// What was replied, and what the log says where nothing was.
fn said(answer: Result<Answer, Trouble>) -> String {
    match answer {
        Ok(answer) => texts(&answer.effects),
        Err(Trouble::Failed(why)) => format!("FAILED {why}"),
        Err(Trouble::Open(_)) => "OPEN".into(),
    }
}

fn texts(effects: &Effects) -> String {
    let text = |effect: &Effect| if let Effect::Reply { text, .. } = effect { text.clone() } else { "…".into() };
    effects.iter().map(text).collect::<Vec<_>>().join("|")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_kinds_do_the_same() {
    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ask_web = format!("http {}", web.local_addr().unwrap());
    let _web = watched(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            // Read first: closing with something unread is a reset.
            _ = stream.read(&mut [0; 1024]).await;
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await;
        }
    });
    for (kind, plugin) in both::<stress_plugin::Stress>("stress-plugin") {
        let town = Arc::new(Town::default());
        let stress = started(&plugin, json!({ "word": "moon" }), &town).await.unwrap();
        town.kv.lock().unwrap().insert("stress/count".into(), json!(41));
        for (text, want) in [
            ("echo 你好", "你好"),
            ("twice a b", "a|b"),
            ("build", "1 moon"),
            ("count", "42|…"),
            ("sleep 20", "slept"),
            ("block 20", "blocked"),
            (&*ask_web, "HTTP/1.1 200 OK"),
            ("now hi", "sent"),
            ("remind 1000 tea", "later|…"),
            ("fail", "FAILED asked to fail"),
            ("fail late", "FAILED asked to fail"),
            ("nothing", ""),
            ("panic", "FAILED it panicked"),
            ("panic late", "FAILED it panicked"),
            ("big 5000", "FAILED a text of 5000 bytes; at most 4096 are allowed"),
            ("echo again", "again"),
        ] {
            assert_eq!(said(stress.run(call(text)).await), want, "{kind}: {text}");
        }
        assert_eq!(town.sent.lock().unwrap().len(), 1, "{kind}");
        let hang = tokio::time::timeout(Duration::from_millis(50), stress.run(call("hang"))).await;
        assert!(hang.is_err(), "{kind}");
        assert_eq!(said(stress.run(call("echo after")).await), "after", "{kind}");
        stress.stop().await;
    }
}

/// A task that ends with the test.
fn watched(work: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(work);
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_kinds_have_dialogs() {
    for (kind, plugin) in both::<stress_plugin::Stress>("stress-plugin") {
        let stress = started(&plugin, json!({}), &Arc::default()).await.unwrap();
        let asked = stress.run(call("ask")).await.unwrap();
        assert_eq!(texts(&asked.effects), "your name?", "{kind}");
        let dialog = asked.dialog.unwrap().id;
        let asked = stress.run(Call { dialog: Some(dialog), ..call("Anna") }).await.unwrap();
        assert_eq!(texts(&asked.effects), "your age?", "{kind}");
        let dialog = asked.dialog.unwrap().id;
        let ended = stress.run(Call { dialog: Some(dialog), ..call("33") }).await.unwrap();
        assert_eq!((texts(&ended.effects), ended.dialog), ("Anna, 33".into(), None), "{kind}");
        let lost = stress.run(Call { dialog: Some(dialog), ..call("33") }).await.unwrap();
        assert!(lost.is_lost_dialog(), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_kinds_ask_the_same() {
    for (kind, plugin) in both::<wxbot_test_asker::Asker>("wxbot-test-asker") {
        let town = Arc::new(Town::default());
        let asker = started(&plugin, json!({}), &town).await.unwrap();
        for (text, want) in [
            ("find ann", "Anna"),
            ("find bob", "nobody"),
            ("contact p1", "Anna"),
            ("contact p2", "nobody"),
            ("members r1", "FAILED `xiaoli` is not in r1"),
            ("media 7", "a.png Png pixels"),
            ("media 8", "gone: too old"),
            ("avatar p1 r1", "p1 of r1"),
            ("list k", "k2=2 k3=3 k4=4 k5=5 k6=6 k7=7 k8=8"),
            ("list k 2", "k2=2 k3=3"),
            ("can all", "true false"),
            ("people owner", "p1,p2"),
            ("now hi", "Some(\"77\")"),
        ] {
            assert_eq!(said(asker.run(call(text)).await), want, "{kind}: {text}");
        }
        let all_let_go = async {
            while town.held.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), all_let_go).await.expect("files are let go");
        let instance = plugin.make(json!({}), InitCtx::new(), town.clone()).await.unwrap();
        for (text, want) in [
            ("good", Verdict::Pass),
            ("bad", Verdict::stop("a bad word")),
            ("change", Verdict::Change(Box::new(Event { late: true, ..(*event("change")).clone() }))),
        ] {
            let verdict = instance.guard(event(text), CallMeta::first()).await.unwrap();
            assert_eq!(verdict, want, "{kind}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_kinds_judge_settings_alike() {
    let [(_, linked), (_, loaded)] = both::<stress_plugin::Stress>("stress-plugin");
    assert_eq!((linked.manifest(), linked.schema()), (loaded.manifest(), loaded.schema()));
    assert!(linked.build().is_empty() && loaded.build().len() == 64);
    for settings in [
        json!({}),
        json!({ "word": 3 }),
        json!({ "wrod": "x" }),
        json!([]),
        json!({ "init": "ok" }),
        json!({ "at": "0 0 9 * * *" }),
    ] {
        let init = InitCtx::new();
        assert_eq!(linked.plan(&settings, &init), loaded.plan(&settings, &init), "{settings}");
    }
    for (plugin, init, want) in [
        (&linked, "fail", "asked to fail at the start"),
        (&loaded, "fail", "asked to fail at the start"),
        (&linked, "panic", "it panicked"),
        (&loaded, "panic", "it panicked"),
    ] {
        let made = started(plugin, json!({ "init": init }), &Arc::default()).await;
        assert_eq!(made.unwrap_err(), want, "{init}");
    }
}
