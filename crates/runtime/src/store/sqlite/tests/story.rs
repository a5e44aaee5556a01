//! Does looking back show what happened, and change nothing?

use super::*;
use crate::store::{EventState, SendState, StoryStore};

#[tokio::test]
async fn a_story_has_the_event_and_its_sends_in_their_states() {
    let rig = rig();
    rig.queue((0..8).map(|n| send("a", n, "p2", &format!("1{n}"))).collect()).await;
    rig.sql()
        .execute_batch(
            "UPDATE outbox SET cause_seq = 1, state = min(id - 1, 6), held = 0;
             UPDATE outbox SET state = 2, held = 1, error = 'who?' WHERE id = 8;
             UPDATE outbox SET server_id = '99', tried_at = 5 WHERE id = 4;",
        )
        .unwrap();
    let story = rig.store.story(1).await.unwrap().unwrap();
    assert_eq!((story.seq, &story.account, story.key.as_str(), &*story.kind), (1, &shop(), "q0-0", "text"));
    assert_eq!((story.conv, story.state, story.recv_ms, story.note), (conv("p1"), EventState::Done, NOW, None));
    use SendState::{Dropped, Expired, Failed, Held, Queued, Sending, Sent, Uncertain};
    assert_eq!(
        story.sends.iter().map(|send| send.state).collect::<Vec<_>>(),
        [Queued, Sending, Uncertain, Sent, Failed, Expired, Dropped, Held]
    );
    let sent = &story.sends[3];
    assert_eq!((sent.id, &*sent.plugin, sent.ord, &sent.conv), (4, "a", 3, &conv("p2")));
    assert_eq!((sent.server_id.as_deref(), sent.created_ms, sent.tried_ms), (Some("99"), NOW, Some(5)));
    assert_eq!((story.sends[7].error.as_deref(), story.sends[7].tried_ms), (Some("who?"), None));
    assert!(rig.store.story(2).await.unwrap().unwrap().sends.is_empty());
    assert_eq!(rig.store.story(99).await.unwrap(), None);
}

#[tokio::test]
async fn an_event_says_how_far_it_is() {
    let rig = rig();
    rig.store.accept(batch((1..=5).map(|n| event(&format!("k{n}"), "p1")).collect())).await.unwrap();
    rig.store.claim(2).await.unwrap();
    let partial = Failure { done: vec!["a".into(), "b".into()], ..failed(3, Some(NOW + 7), true) };
    rig.store.claim(3).await.unwrap();
    rig.store.fail(partial).await.unwrap();
    rig.store.finish(Finish { note: Some("filter: blocked".into()), ..end(4, Vec::new()) }).await.unwrap();
    rig.store.fail(failed(5, None, true)).await.unwrap();
    for (seq, state) in [
        (1, EventState::New),
        (2, EventState::Running),
        (3, EventState::Parked { until_ms: NOW + 7 }),
        (4, EventState::Done),
        (5, EventState::Dead),
    ] {
        assert_eq!(rig.store.story(seq).await.unwrap().unwrap().state, state);
    }
    let story = rig.store.story(3).await.unwrap().unwrap();
    assert_eq!(
        (story.attempts, story.errors, story.note.as_deref(), story.done),
        (1, 1, Some("no"), vec!["a".into(), "b".into()])
    );
    assert_eq!(rig.store.story(4).await.unwrap().unwrap().note.as_deref(), Some("filter: blocked"));
}

#[tokio::test]
async fn an_event_is_found_by_its_key_or_as_the_last_of_its_chat() {
    let rig = rig();
    let rows = [("a", "p1"), ("b", "p2"), ("c", "p1"), ("d", "p2")];
    rig.store.accept(batch(rows.map(|(key, chat)| event(key, chat)).into())).await.unwrap();
    let other = Accept { account: "other".parse().unwrap(), ..batch(vec![event("a", "p1")]) };
    rig.store.accept(other).await.unwrap();
    for (key, want) in [("a", Some(1)), ("d", Some(4)), ("e", None)] {
        assert_eq!(rig.store.find_event(&shop(), &key.parse().unwrap()).await.unwrap(), want, "{key}");
    }
    for (chat, before, want) in
        [("p1", u64::MAX, Some(3)), ("p1", 3, Some(1)), ("p1", 1, None), ("p2", 100, Some(4)), ("p9", u64::MAX, None)]
    {
        assert_eq!(rig.store.last_event(&shop(), &conv(chat), before).await.unwrap(), want, "{chat} before {before}");
    }
}
