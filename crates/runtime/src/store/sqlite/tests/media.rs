//! Does the store remember where bytes came from, and which of them sends still need?

use wxbot_model::{FileType, MediaDigest};

use super::super::media::NEEDED;
use super::*;
use crate::store::{MediaRow, MediaSourceKey, MediaStore};

fn digest(letter: char) -> MediaDigest {
    letter.to_string().repeat(64).parse().unwrap()
}

fn row(letter: char, used_ms: i64) -> MediaRow {
    MediaRow {
        digest: digest(letter),
        len: 10,
        file_type: FileType::Png,
        name: format!("{letter}.png"),
        account: "shop".into(),
        added_ms: NOW,
        used_ms,
        waiting: 0,
    }
}

fn from(key: &str) -> MediaSourceKey {
    MediaSourceKey { account: shop(), key: key.into() }
}

async fn digests(rig: &Rig) -> Vec<MediaDigest> {
    rig.store.media_rows(100).await.unwrap().into_iter().map(|row| row.digest).collect()
}

#[tokio::test]
async fn a_file_is_found_by_its_source_until_it_is_struck_off() {
    let rig = rig();
    let store = &rig.store;
    store.media_put(row('a', NOW), Some(from("image:1"))).await.unwrap();
    // The same bytes by another way, later and under another name: one row, the first name.
    let again = MediaRow { name: "other.png".into(), account: "club".into(), ..row('a', NOW + 5) };
    store.media_put(again, Some(from("image:2"))).await.unwrap();
    let (found, age) = store.media_from(&from("image:2"), NOW + 1_005).await.unwrap().unwrap();
    assert_eq!((found, age), (row('a', NOW + 5), Duration::from_secs(1)));
    let other = MediaSourceKey { account: "club".parse().unwrap(), key: "image:1".into() };
    assert_eq!(store.media_from(&other, NOW).await.unwrap(), None, "another account's handle");
    store.media_forget(vec![digest('a')]).await.unwrap();
    assert_eq!(store.media_from(&from("image:1"), NOW).await.unwrap(), None);
    assert_eq!(store.media_row(&digest('a')).await.unwrap(), None);
    assert_eq!(rig.number("SELECT count(*) FROM media_from"), 0);
}

#[tokio::test]
async fn the_longest_unused_comes_first() {
    let rig = rig();
    for (letter, at) in [('a', 3), ('b', 1), ('c', 2)] {
        rig.store.media_put(row(letter, NOW + at), None).await.unwrap();
    }
    assert_eq!(digests(&rig).await, [digest('b'), digest('c'), digest('a')]);
    rig.store.media_touch(&digest('b'), NOW + 9).await.unwrap();
    rig.store.media_touch(&digest('b'), NOW).await.unwrap();
    assert_eq!(digests(&rig).await, [digest('c'), digest('a'), digest('b')], "a clock set back changes nothing");
}

#[tokio::test]
async fn a_file_is_needed_until_its_send_has_ended() {
    for (name, end, needed) in [
        ("queued", None, true),
        ("again", Some(again(NOW, true)), true),
        ("uncertain", Some(unsure()), true),
        ("sent", Some(Settlement::Sent { server_id: None }), false),
        ("failed", Some(Settlement::Failed { error: "no".into() }), false),
        ("dropped", Some(Settlement::Dropped { error: "no".into() }), false),
    ] {
        let rig = rig();
        rig.store.media_put(row('a', NOW), None).await.unwrap();
        rig.queue(vec![NewSend { media: Some(digest('a')), ..send("a", 0, "p1", "10") }]).await;
        if let Some(end) = end {
            assert_eq!(rig.claim(ask()).await, [1], "{name}");
            assert!(rig.store.media_needed().await.unwrap().contains(&digest('a')), "{name}: under way");
            rig.store.settle(1, end).await.unwrap();
        }
        assert_eq!(rig.store.media_needed().await.unwrap().contains(&digest('a')), needed, "{name}");
        assert_eq!(rig.store.media_idle(9).await.unwrap().is_empty(), needed, "{name}");
        assert_eq!(rig.store.media_row(&digest('a')).await.unwrap().unwrap().waiting, u64::from(needed), "{name}");
    }
}

#[tokio::test]
async fn what_is_needed_is_read_from_a_small_index() {
    let rig = rig();
    let plan: String = rig.sql().query_row(&format!("EXPLAIN QUERY PLAN {NEEDED}"), [], |row| row.get(3)).unwrap();
    assert!(plan.contains("INDEX outbox_media"), "{plan}");
}

#[tokio::test]
async fn a_send_under_way_can_take_hold_of_a_file() {
    let rig = rig();
    rig.queue(vec![send("a", 0, "p1", "10")]).await;
    assert_eq!(rig.claim(ask()).await, [1]);
    rig.store.hold_media(1, &digest('a')).await.unwrap();
    assert!(rig.store.media_needed().await.unwrap().contains(&digest('a')));
    rig.sent(1).await;
    rig.store.hold_media(1, &digest('a')).await.unwrap();
    assert!(rig.store.media_needed().await.unwrap().is_empty(), "what has ended holds nothing");
}

#[tokio::test]
async fn the_last_message_is_the_one_to_take_back() {
    let rig = rig();
    let text =
        |chat, id| NewSend { body: r#"{"do":"send_text","to":"p1","text":"x"}"#.into(), ..send("a", 0, chat, id) };
    let recall = |id| NewSend { body: r#"{"do":"recall","chat":"p1","msg":null}"#.into(), ..send("a", 0, "p1", id) };
    let pin = NewSend { body: r#"{"do":"pin","chat":"p1","on":true}"#.into(), ..send("a", 0, "p1", "19") };
    let last = async |since| {
        let last = rig.store.last_sent(&shop(), &conv("p1"), since).await.unwrap();
        last.map(|last| last.server_id.unwrap_or_else(|| "no id".into()))
    };
    assert_eq!(last(NOW).await, None);
    let sent = async |send: NewSend, server_id: Option<&str>| {
        rig.queue(vec![send]).await;
        let [id] = rig.claim(ask()).await[..] else { panic!("one send") };
        rig.store.settle(id, Settlement::Sent { server_id: server_id.map(str::to_owned) }).await.unwrap();
    };
    sent(text("p1", "10"), Some("m1")).await;
    sent(text("p1", "11"), Some("m2")).await;
    sent(text("p2", "12"), Some("m3")).await;
    sent(pin, Some("x")).await;
    assert_eq!(last(NOW).await.as_deref(), Some("m2"), "of this chat, with an id, and a message");
    assert_eq!(last(NOW + 1).await, None, "too long ago");
    sent(recall("14"), Some("m2")).await;
    assert_eq!(last(NOW).await.as_deref(), Some("m1"), "what was taken back is gone");
    sent(recall("15"), Some("m1")).await;
    assert_eq!(last(NOW).await, None);
    sent(text("p1", "16"), Some("m4")).await;
    sent(text("p1", "17"), None).await;
    assert_eq!(last(NOW).await.as_deref(), Some("no id"), "the one before it is not the last one");
    sent(text("p1", "18"), Some("m5")).await;
    let ended = async |id, settlement: Settlement| {
        rig.queue(vec![text("p1", id)]).await;
        let [id] = rig.claim(ask()).await[..] else { panic!("one send") };
        rig.store.settle(id, settlement).await.unwrap();
    };
    ended("20", Settlement::Failed { error: "no".into() }).await;
    ended("21", Settlement::Held { error: "who?".into() }).await;
    assert_eq!(last(NOW).await.as_deref(), Some("m5"), "these were never sent");
    ended("22", Settlement::Uncertain { error: "cut".into() }).await;
    assert_eq!(last(NOW).await.as_deref(), Some("no id"), "it may be there");
}
