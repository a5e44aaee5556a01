//! Does the archive keep what its policy says, find it again, and forget what it is told to?

use serde_json::json;
use wxbot_model::{Chat, ChatKind, EventKind, Mentions, Message, Person};

use super::*;
use crate::store::archive::{Found, Search};
use crate::store::sqlite::{DataDir, SqliteArchive, SqliteStore};
use crate::store::{Accept, Finish, NewRow, NewSend, Settlement};

const NOW_S: i64 = 1_780_000_000;
const DAY_MS: i64 = 86_400_000;

struct Rig {
    archiver: Archiver,
    _lock: DataDir,
    dir: tempfile::TempDir,
}

/// `shop` keeps all, `bare` no texts, everybody else nothing.
fn policies() -> Policies {
    let kept = [("shop", ArchivePolicy::Full), ("bare", ArchivePolicy::Metadata)];
    Box::new(move || kept.iter().map(|(name, policy)| (name.parse().unwrap(), *policy)).collect())
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    open(dir)
}

fn open(dir: tempfile::TempDir) -> Rig {
    let lock = DataDir::open(dir.path()).unwrap();
    let archiver = Archiver {
        archive: Arc::new(SqliteArchive::open(&lock).unwrap()),
        store: Arc::new(SqliteStore::open(&lock).unwrap()),
        policies: policies(),
        source: Source::seeded(7, u64::try_from(NOW_S).unwrap()),
        settings: ArchiveSettings::default(),
        step: Mutex::default(),
    };
    Rig { archiver, _lock: lock, dir }
}

fn text(account: &str, chat: &str, sender: &str, text: &str, at_s: i64) -> Event {
    let kind = if chat.starts_with('r') { ChatKind::Group } else { ChatKind::Private };
    Event {
        account: account.parse().unwrap(),
        key: format!("{account}-{at_s}-{}", text.len()).parse().unwrap(),
        chat: Chat { id: chat.parse().unwrap(), kind, name: format!("chat {chat}") },
        sender: Some(Person { id: sender.parse().unwrap(), name: format!("name {sender}") }),
        at_s,
        late: false,
        kind: EventKind::Message(Message {
            id: "1".parse().unwrap(),
            from_self: false,
            content: wxbot_model::Content::Text { text: text.to_owned() },
            mentions: Mentions::default(),
        }),
    }
}

impl Rig {
    async fn accept(&self, event: &Event) -> u64 {
        let body = serde_json::to_string(event).unwrap();
        let (key, conv) = (event.key.clone(), event.chat.id.clone());
        let row = NewRow { key, conv, kind: "message", body: body.into(), echo: None };
        let (account, rows) = (event.account.clone(), vec![row]);
        let now_ms = event.at_s * 1000;
        let batch = Accept {
            account,
            rows,
            cursor: None,
            sealed: None,
            contacts: Vec::new(),
            opens: Vec::new(),
            claim: 1,
            now_ms,
        };
        self.archiver.store.accept(batch).await.unwrap().seqs[0].unwrap()
    }

    /// Handled, and answered where `reply` says with what.
    async fn finish(&self, seq: u64, event: &Event, reply: Option<&str>) {
        let send = |text: &str| NewSend {
            plugin: "a".into(),
            ord: 0,
            conv: event.chat.id.clone(),
            client_id: format!("1000{seq}").parse().unwrap(),
            body: json!({ "do": "send_text", "to": event.chat.id, "text": text }).to_string(),
            echo: 0,
            media: None,
        };
        let sends = reply.into_iter().map(send).collect();
        let (account, now_ms) = (event.account.clone(), event.at_s * 1000);
        let (swaps, kv, timers) = (Vec::new(), Vec::new(), Vec::new());
        let end = Finish { seq, account, note: None, sends, swaps, kv, timers, direct: None, now_ms };
        self.archiver.store.finish(end).await.unwrap();
    }

    async fn catch_up(&self) {
        while self.archiver.step().await.unwrap() {}
    }

    async fn search(&self, search: Search) -> Vec<Found> {
        self.archiver.archive.search(Search { limit: 50, ..search }).await.unwrap()
    }

    /// The texts that are found, the newest first.
    async fn find(&self, words: &str) -> Vec<String> {
        let found = self.search(Search { words: Some(words.to_owned()), ..Search::default() }).await;
        found.into_iter().map(|found| found.record.said.unwrap().text).collect()
    }

    async fn all(&self) -> Vec<Found> {
        self.search(Search::default()).await
    }
}

#[tokio::test]
async fn words_of_one_and_two_characters_are_found() {
    let rig = rig();
    for (n, said) in
        ["我的订单在哪里", "单子还没到", "ＡＢＣ-12 订购单", "hello world", "明天见"].into_iter().enumerate()
    {
        rig.accept(&text("shop", "p1", "p1", said, NOW_S + i64::try_from(n).unwrap())).await;
    }
    rig.catch_up().await;
    for (words, want) in [
        ("订单", &["我的订单在哪里"][..]),
        ("单", &["ＡＢＣ-12 订购单", "单子还没到", "我的订单在哪里"]),
        ("订 单", &["ＡＢＣ-12 订购单", "我的订单在哪里"]),
        ("abc", &["ＡＢＣ-12 订购单"]),
        ("wor", &["hello world"]),
        ("world hello", &["hello world"]),
        ("\"hello world\"", &["hello world"]),
        ("天见明", &[]),
        ("!", &[]),
        ("NOT", &[]),
    ] {
        assert_eq!(rig.find(words).await, want, "{words}");
    }
}

#[tokio::test]
async fn each_account_is_kept_as_its_policy_says() {
    let rig = rig();
    for account in ["shop", "bare", "none"] {
        let event = text(account, "p1", "p1", "秘密 secret", NOW_S);
        let seq = rig.accept(&event).await;
        rig.finish(seq, &event, Some("回答 answer")).await;
        let id = rig.archiver.store.sends_after(0, 10).await.unwrap().last().unwrap().id;
        rig.archiver.store.claim_sends(claim(account)).await.unwrap();
        rig.archiver.store.settle(id, Settlement::Sent { server_id: None }).await.unwrap();
    }
    rig.catch_up().await;
    let kept: Vec<_> = rig
        .all()
        .await
        .into_iter()
        .map(|found| (found.record.account.to_string(), found.record.ours, found.record.said.is_some()))
        .collect();
    let row = |account: &str, ours, said| (account.to_owned(), ours, said);
    for want in [row("shop", false, true), row("shop", true, true), row("bare", false, false), row("bare", true, false)]
    {
        assert_eq!(kept.iter().filter(|row| **row == want).count(), 1, "{want:?} in {kept:?}");
    }
    assert_eq!(kept.len(), 4);
    assert_eq!(rig.find("回答").await, ["回答 answer"]);
    let file = std::fs::read(rig.dir.path().join("archive.db-wal")).unwrap();
    let texts = file.windows(6).filter(|bytes| *bytes == b"secret").count();
    rig.archiver.archive.close().await.unwrap();
    assert!(texts > 0, "the one full account's text is there");
}

fn claim(account: &str) -> crate::store::ClaimSends {
    let lifted = (wxbot_model::span::Rate::new(1_000_000, Duration::from_secs(1)), 1);
    crate::store::ClaimSends {
        account: account.parse().unwrap(),
        limit: 16,
        now_ms: NOW_S * 1000,
        max_age_ms: DAY_MS,
        per_account: lifted,
        per_chat: lifted,
        rules: crate::pacing::Rules::default(),
    }
}

#[tokio::test]
async fn a_send_is_kept_when_it_has_gone_out_and_only_then() {
    let rig = rig();
    let event = text("shop", "p1", "p1", "hi", NOW_S);
    let seq = rig.accept(&event).await;
    rig.finish(seq, &event, Some("later")).await;
    rig.catch_up().await;
    assert!(rig.find("later").await.is_empty());
    // Another one, behind the open one, changes nothing about it.
    let second = text("shop", "p2", "p2", "hi there", NOW_S + 1);
    let seq = rig.accept(&second).await;
    rig.finish(seq, &second, Some("never")).await;
    rig.catch_up().await;
    let claimed = rig.archiver.store.claim_sends(claim("shop")).await.unwrap().0;
    let [later, never] = claimed.as_slice() else { panic!("{claimed:?}") };
    rig.archiver.store.settle(never.id, Settlement::Failed { error: "no".into() }).await.unwrap();
    rig.archiver.store.settle(later.id, Settlement::Sent { server_id: None }).await.unwrap();
    rig.catch_up().await;
    assert_eq!(rig.find("later").await, ["later"]);
    assert!(rig.find("never").await.is_empty());
}

#[tokio::test]
async fn what_was_taken_is_not_taken_twice_and_a_lost_archive_begins_again() {
    let rig = rig();
    for n in 0..250 {
        rig.accept(&text("shop", "p1", "p1", "again", NOW_S + n)).await;
    }
    rig.catch_up().await;
    let count = |rig: &Rig| {
        let sql = rusqlite::Connection::open(rig.dir.path().join("archive.db")).unwrap();
        sql.query_row("SELECT count(*) FROM msg", [], |r| r.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&rig), 250);
    // As after a power failure that took the last batches: what was noted is older, and known ones are absorbed.
    rig.archiver.archive.take(Vec::new(), Progress { seq: 17, ..Progress::default() }).await.unwrap();
    rig.catch_up().await;
    assert_eq!(count(&rig), 250);
    rig.archiver.archive.close().await.unwrap();
    rig.archiver.store.close().await.unwrap();
    let Rig { archiver, _lock, dir } = rig;
    drop((archiver, _lock));
    std::fs::remove_file(dir.path().join("archive.db")).unwrap();
    let rig = open(dir);
    rig.catch_up().await;
    assert_eq!(count(&rig), 250);
}

#[tokio::test]
async fn a_queue_that_began_anew_is_read_from_its_start() {
    let rig = rig();
    rig.archiver.archive.take(Vec::new(), Progress { seq: 9_000, send: 9_000, open: vec![8_999] }).await.unwrap();
    rig.accept(&text("shop", "p1", "p1", "fresh", NOW_S)).await;
    rig.catch_up().await;
    assert_eq!(rig.find("fresh").await, ["fresh"]);
}

#[tokio::test]
async fn what_was_said_with_a_contact_is_forgotten_everywhere() {
    let rig = rig();
    let events = [
        text("shop", "p1", "p1", "zebra one", NOW_S),
        text("shop", "r3", "p1", "zebra two", NOW_S + 1),
        text("shop", "r3", "p2", "zebra kept", NOW_S + 2),
        text("shop", "p1", "p1", "zebra waits", NOW_S + 3),
    ];
    for (n, event) in events.iter().enumerate() {
        let seq = rig.accept(event).await;
        if n < 3 {
            rig.finish(seq, event, None).await;
        }
    }
    rig.catch_up().await;
    assert_eq!(rig.find("zebra").await.len(), 4);
    let gone = rig.archiver.forget(&"shop".parse().unwrap(), &"p1".parse().unwrap()).await.unwrap();
    assert_eq!(gone, 3);
    assert_eq!(rig.find("zebra").await, ["zebra kept"]);
    // Also where a lost archive would take them from; but what is not handled yet is not lost.
    let left = rig.archiver.store.events_after(0, 10).await.unwrap();
    assert_eq!(left.iter().map(|event| event.body.is_some()).collect::<Vec<_>>(), [false, false, true, true]);
    rig.archiver.archive.close().await.unwrap();
    let file = std::fs::read(rig.dir.path().join("archive.db")).unwrap();
    for (bytes, there) in [(&b"zebra kept"[..], true), (b"zebra one", false), (b"zebra two", false), (b"waits", false)]
    {
        assert_eq!(file.windows(bytes.len()).any(|window| window == bytes), there, "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn sec_r21_what_was_said_in_a_forgotten_account_is_gone() {
    let rig = rig();
    for (account, said) in [("shop", "zebra gone"), ("bare", "zebra kept")] {
        rig.accept(&text(account, "p1", "p1", said, NOW_S)).await;
    }
    rig.catch_up().await;
    assert_eq!(rig.all().await.len(), 2);
    assert_eq!(rig.archiver.forget_account(&"shop".parse().unwrap()).await.unwrap(), 1);
    assert_eq!(rig.all().await.len(), 1, "the other one is kept");
    rig.archiver.archive.close().await.unwrap();
    let file = std::fs::read(rig.dir.path().join("archive.db")).unwrap();
    assert!(!file.windows(10).any(|window| window == b"zebra gone"));
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_time_goes() {
    let rig = rig();
    for (said, age) in [("ancient", 400), ("recent", 300)] {
        rig.accept(&text("shop", "p1", "p1", said, NOW_S - age * DAY_MS / 1000)).await;
    }
    rig.catch_up().await;
    rig.archiver.sweep(NOW_S * 1000).await;
    assert_eq!(rig.all().await.len(), 1);
    assert_eq!(rig.find("recent").await, ["recent"]);
    assert!(rig.find("ancient").await.is_empty());
}

#[tokio::test]
async fn a_search_is_narrowed() {
    let rig = rig();
    for (chat, sender, at_s) in [("p1", "p1", 0), ("r3", "p1", 10), ("r3", "p2", 20)] {
        rig.accept(&text("shop", chat, sender, "same", NOW_S + at_s)).await;
    }
    rig.catch_up().await;
    let (conv, sender) = (Some("r3".parse().unwrap()), Some("p1".parse().unwrap()));
    let any = || Search { words: Some("same".to_owned()), ..Search::default() };
    for (search, want) in [
        (Search { conv: conv.clone(), ..any() }, 2),
        (Search { sender: sender.clone(), ..any() }, 2),
        (Search { conv, sender, ..any() }, 1),
        (Search { from_ms: Some((NOW_S + 10) * 1000), ..any() }, 2),
        (Search { to_ms: Some((NOW_S + 10) * 1000), ..any() }, 1),
        (Search { account: Some("other".parse().unwrap()), ..any() }, 0),
    ] {
        assert_eq!(rig.search(search.clone()).await.len(), want, "{search:?}");
    }
    let newest = rig.archiver.archive.search(Search { limit: 1, ..any() }).await.unwrap();
    assert_eq!(newest[0].record.sender, Some("p2".parse().unwrap()));
}
