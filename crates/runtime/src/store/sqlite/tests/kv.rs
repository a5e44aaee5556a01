//! Is what a plugin remembers its own, and is no change of it lost under another?

use serde_json::json;

use super::*;

async fn three_events() -> Rig {
    let rig = rig();
    rig.store.accept(batch((0..3).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    rig
}

fn swapping(seq: u64, swaps: Vec<KvSwap>) -> Finish {
    Finish { swaps, ..end(seq, vec![send("a", 0, "p1", &format!("1{seq}"))]) }
}

fn conflict(key: &str) -> Finished {
    Finished::Conflict { plugin: Arc::from("a"), key: key.to_owned() }
}

async fn value(rig: &Rig, key: &str) -> Option<Value> {
    rig.store.kv_get("a", &shop(), key).await.unwrap()
}

#[tokio::test]
async fn kv_is_of_one_plugin_and_account() {
    let rig = rig();
    rig.store.accept(batch((0..3).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    for (seq, value) in [(1, Some(json!({"a": 1}))), (2, Some(json!("two"))), (3, None)] {
        let kv = vec![(Arc::from("a"), "k".to_owned(), value.clone())];
        rig.store.finish(Finish { kv, ..end(seq, Vec::new()) }).await.unwrap();
        assert_eq!(rig.store.kv_get("a", &shop(), "k").await.unwrap(), value);
        assert_eq!(rig.store.kv_get("b", &shop(), "k").await.unwrap(), None);
        assert_eq!(rig.store.kv_get("a", &"other".parse().unwrap(), "k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn of_two_that_count_on_the_same_value_the_second_learns_it() {
    let rig = three_events().await;
    // One batch: the second is judged by what the first has done in it, and the third has nothing to do with either.
    let (first, second, third) = tokio::join!(
        rig.store.finish(swapping(1, vec![swap("a", "n", None, Some(1))])),
        rig.store.finish(swapping(2, vec![swap("a", "other", None, Some(7)), swap("a", "n", None, Some(1))])),
        rig.store.finish(swapping(3, vec![swap("b", "n", None, Some(5))])),
    );
    assert_eq!((first.unwrap(), second.unwrap()), (Finished::Done(vec![]), conflict("n")));
    assert_eq!(third.unwrap(), Finished::Done(vec![]));
    assert_eq!((value(&rig, "n").await, value(&rig, "other").await), (Some(json!(1)), None), "all of it or nothing");
    assert_eq!(rig.number("SELECT count(*) FROM outbox WHERE cause_seq = 2"), 0);
    assert_eq!(rig.number("SELECT state FROM inbox WHERE seq = 2"), 0, "it has not ended");
    // Asked again, it has read what is there.
    let again = swapping(2, vec![swap("a", "n", Some(1), Some(2))]);
    assert_eq!(rig.store.finish(again.clone()).await.unwrap(), Finished::Done(vec![]));
    assert_eq!(value(&rig, "n").await, Some(json!(2)));
    assert_eq!(rig.store.finish(again).await.unwrap(), Finished::Done(vec![]), "what has ended is in no conflict");
    assert_eq!(rig.number("SELECT count(*) FROM outbox"), 3);
}

#[tokio::test]
async fn swaps_of_one_event_build_on_each_other_and_come_before_its_changes() {
    let rig = three_events().await;
    let chain = vec![swap("a", "n", None, Some(1)), swap("a", "n", Some(1), Some(2)), swap("a", "gone", None, None)];
    let kv = vec![(Arc::from("a"), "gone".to_owned(), Some(json!("here")))];
    rig.store.finish(Finish { kv, ..swapping(1, chain) }).await.unwrap();
    assert_eq!((value(&rig, "n").await, value(&rig, "gone").await), (Some(json!(2)), Some(json!("here"))));
    let wrong = vec![swap("a", "n", Some(2), None), swap("a", "n", Some(2), Some(3))];
    assert_eq!(rig.store.finish(swapping(2, wrong)).await.unwrap(), conflict("n"));
    assert_eq!(value(&rig, "n").await, Some(json!(2)));
    rig.store.finish(swapping(2, vec![swap("a", "n", Some(2), None)])).await.unwrap();
    assert_eq!(value(&rig, "n").await, None);
}

#[tokio::test]
async fn a_failed_try_whose_good_part_is_in_conflict_is_not_noted() {
    let rig = three_events().await;
    rig.store.finish(swapping(1, vec![swap("a", "n", None, Some(1))])).await.unwrap();
    rig.store.claim(2).await.unwrap();
    let try_of = |was| Failure {
        partial: Some(swapping(2, vec![swap("a", "n", was, Some(9))])),
        done: vec!["a".into()],
        ..failed(2, Some(NOW), true)
    };
    assert_eq!(rig.store.fail(try_of(None)).await.unwrap(), conflict("n"));
    assert_eq!(rig.number("SELECT state * 10 + errors FROM inbox WHERE seq = 2"), 10);
    assert_eq!(rig.store.fail(try_of(Some(1))).await.unwrap(), Finished::Done(vec![]));
    assert_eq!(rig.number("SELECT state * 10 + errors FROM inbox WHERE seq = 2"), 21);
    assert_eq!(value(&rig, "n").await, Some(json!(9)));
}

#[tokio::test]
async fn a_scan_finds_what_begins_so_in_all_accounts() {
    let rig = three_events().await;
    let keys = ["u:甲", "u:%", "u", "v:1", "U:2"];
    let kv = keys.map(|key| (Arc::from("a"), key.to_owned(), Some(json!(key)))).to_vec();
    rig.store.finish(Finish { kv: kv.clone(), ..end(1, Vec::new()) }).await.unwrap();
    let other: AccountName = "other".parse().unwrap();
    rig.store.finish(Finish { account: other.clone(), kv, ..end(2, Vec::new()) }).await.unwrap();
    rig.sql().execute_batch("INSERT INTO kv VALUES ('a', 'shop', 'u:spoiled', 'no json')").unwrap();
    let found = async |prefix: &str| {
        let rows = rig.store.kv_scan("a", prefix).await.unwrap();
        let of =
            |name: &AccountName| rows.iter().filter(|row| row.0 == *name).map(|row| row.1.clone()).collect::<Vec<_>>();
        (of(&shop()), of(&other))
    };
    let both = |keys: &[&str]| {
        (
            keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>(),
            keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(found("u:").await, both(&["u:%", "u:甲"]));
    assert_eq!(found("%").await, both(&[]));
    assert_eq!(found("").await, both(&["U:2", "u", "u:%", "u:甲", "v:1"]));
    assert!(rig.store.kv_scan("b", "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_is_a_page_of_what_begins_so_in_one_account() {
    let rig = three_events().await;
    let top = format!("{}x", char::MAX);
    let keys = ["u:1", "u:2", "u:%", "u:\u{D7FF}", "u:\u{E000}", "u", "v", "u;", &top];
    let kv = keys.map(|key| (Arc::from("a"), key.to_owned(), Some(json!(key)))).to_vec();
    rig.store.finish(Finish { kv: kv.clone(), ..end(1, Vec::new()) }).await.unwrap();
    let other: AccountName = "other".parse().unwrap();
    rig.store.finish(Finish { account: other, kv, ..end(2, Vec::new()) }).await.unwrap();
    rig.sql().execute_batch("INSERT INTO kv VALUES ('a', 'shop', 'u:10', 'no json')").unwrap();
    for (name, prefix, after, limit, want) in [
        ("all of them", "u:", None, 9, &["u:%", "u:1", "u:2", "u:\u{D7FF}", "u:\u{E000}"][..]),
        ("a page", "u:", None, 2, &["u:%", "u:1"]),
        ("the next one", "u:", Some("u:1"), 9, &["u:2", "u:\u{D7FF}", "u:\u{E000}"]),
        ("behind one that is gone", "u:", Some("u:15"), 1, &["u:2"]),
        ("behind one before them", "u:", Some("a"), 1, &["u:%"]),
        ("behind one after them", "u:", Some("z"), 9, &[]),
        ("before a gap in the characters", "u:\u{D7FF}", None, 9, &["u:\u{D7FF}"]),
        ("everything", "", Some("u;"), 9, &["v", &top]),
        ("at the end of all characters", &top[..4], None, 9, &[&top]),
    ] {
        let rows = rig.store.kv_list("a", &shop(), prefix, after, limit).await.unwrap();
        assert_eq!(rows.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), want, "{name}");
        assert!(rows.iter().all(|(key, value)| value == key), "{name}");
    }
}
