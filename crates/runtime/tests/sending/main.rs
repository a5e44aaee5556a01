//! Do actions and files reach the service: addressed, whole, in order, across restarts, and never without their bytes?

#[cfg(test)]
mod clock;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod token;
#[cfg(test)]
mod typing;
#[cfg(test)]
mod windows;

use std::time::Duration;

use plugin::PNG;
use rig::{Rig, peer};
use wxbot_core::error::FetchError;
use wxbot_core::protocol::Fetch;
use wxbot_model::{Action, Capability, Content, MediaHandle, MediaKind, MediaShape};
use wxbot_runtime::media::Going;

fn image() -> Content {
    Content::Image { media: MediaHandle::new(MediaKind::Image, "77", None) }
}

const ALL: Going = Going { unused_ms: 0, dry_run: false };

#[tokio::test(start_paused = true)]
async fn bytes_go_out_as_a_file_with_a_safe_name() {
    let mut rig = Rig::new().await;
    rig.say("bytes").await;
    let gone = rig.until_gone(1).await;
    assert_eq!((gone[0].name.as_str(), gone[0].bytes.as_slice()), ("menu.png", PNG));
    assert_eq!(gone[0].to, Some(peer("@alice")));
    assert!(matches!(gone[0].action, Action::SendMedia { shape: MediaShape::Image, .. }), "{:?}", gone[0].action);
    rig.until("sent", async |rig| rig.counts().await.outbox.sent == 1).await;
    assert!(rig.store().media_needed().await.unwrap().is_empty());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_outlives_its_source_a_restart_and_a_clear_until_it_is_sent() {
    let mut rig = Rig::new().await;
    let path = rig.dir.path().join("report.csv");
    std::fs::write(&path, b"day,count\n").unwrap();
    rig.service.away.send_replace(true);
    rig.say(&format!("path {}", path.display())).await;
    rig.until("queued", async |rig| rig.counts().await.outbox.queued == 1).await;
    std::fs::remove_file(&path).unwrap();
    let cleared = rig.runtime().media().clear(ALL).await.unwrap();
    assert_eq!((cleared.files, cleared.kept), (0, 1));
    rig.stop().await;
    rig.service.away.send_replace(false);
    rig.start().await;
    let gone = rig.until_gone(1).await;
    assert_eq!((gone[0].name.as_str(), gone[0].bytes.as_slice()), ("report.csv", b"day,count\n".as_slice()));
    rig.until("sent", async |rig| rig.counts().await.outbox.sent == 1).await;
    assert_eq!(rig.runtime().media().clear(ALL).await.unwrap().files, 1, "now nobody needs it");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_taken_fails_the_handler_and_nothing_goes_out() {
    let mut rig = Rig::new().await;
    rig.say("both /no/such/file").await;
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 1).await;
    assert!(rig.gone().is_empty(), "not even the text before it: {:?}", rig.gone());
    rig.say("still there").await;
    rig.until_gone(1).await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_account_cannot_do_fails_the_handler() {
    let mut rig = Rig::able([Capability::PrivateMessages, Capability::SendText].into_iter().collect()).await;
    for deed in ["bytes", "recall", "avatar"] {
        rig.say(deed).await;
    }
    rig.until("given up", async |rig| rig.counts().await.inbox.dead == 3).await;
    assert!(rig.gone().is_empty(), "{:?}", rig.gone());
    assert_eq!(rig.runtime().media().list().await.unwrap().total, 0, "nothing was taken for it");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_message_brought_is_fetched_when_it_is_passed_on() {
    let mut rig = Rig::new().await;
    rig.gives([Err(FetchError::NotNow { why: "busy".into() }), Ok(PNG.to_vec())]);
    rig.hear(image()).await;
    let gone = rig.until_gone(1).await;
    assert_eq!(gone[0].bytes, PNG);
    assert!(gone[0].name.ends_with(".png"), "{}", gone[0].name);
    rig.until("sent", async |rig| rig.counts().await.outbox.sent == 1).await;
    // Once more: from the folder.
    rig.hear(image()).await;
    rig.until_gone(2).await;
    assert_eq!(rig.service.asked.lock().unwrap().len(), 2, "one of them was refused");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_fails_and_what_is_not_now_waits() {
    let mut rig = Rig::new().await;
    rig.gives([Err(FetchError::Gone { why: "expired".into() })]);
    rig.hear(image()).await;
    rig.until("failed", async |rig| rig.counts().await.outbox.failed == 1).await;
    let not_now = || Err(FetchError::NotNow { why: "busy".into() });
    // A whole download with its tries fails, and a later one succeeds.
    rig.gives([not_now(), not_now(), not_now(), not_now(), Ok(PNG.to_vec())]);
    rig.hear(image()).await;
    assert_eq!(rig.until_gone(1).await[0].bytes, PNG);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_download_leaves_the_send_queued_and_not_uncertain() {
    let mut rig = Rig::new().await;
    rig.service.slow.send_replace(true);
    rig.gives([Ok(PNG.to_vec())]);
    rig.hear(image()).await;
    rig.until("asked", async |rig| !rig.service.asked.lock().unwrap().is_empty()).await;
    assert_eq!(rig.counts().await.outbox.sending, 1);
    rig.stop().await;
    rig.service.away.send_replace(true);
    rig.start().await;
    let counts = rig.counts().await.outbox;
    assert_eq!((counts.uncertain, counts.queued + counts.sending), (0, 1), "{counts:?}");
    rig.service.slow.send_replace(false);
    rig.service.away.send_replace(false);
    assert_eq!(rig.until_gone(1).await[0].bytes, PNG);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_reads_what_came_and_sends_it_back() {
    let mut rig = Rig::new().await;
    rig.gives([Ok(b"ID3 song".to_vec())]);
    rig.hear(Content::Voice {
        media: MediaHandle::new(MediaKind::Voice, "8", Some(8)),
        length_ms: 900,
        transcript: None,
    })
    .await;
    let gone = rig.until_gone(2).await;
    assert!(matches!(&gone[0].action, Action::SendText { text, .. } if text == "audio/mpeg 8 ID3 song"), "{gone:?}");
    assert_eq!(gone[1].bytes, b"ID3 song");
    assert!(gone[1].name.starts_with("audio-") && gone[1].name.ends_with(".mp3"), "{}", gone[1].name);
    rig.say("avatar").await;
    rig.gives([Ok(PNG.to_vec())]);
    let gone = rig.until_gone(3).await;
    assert!(matches!(&gone[2].action, Action::SendText { text, .. } if text == "image/png of 18"), "{gone:?}");
    let asked = rig.service.asked.lock().unwrap().clone();
    assert_eq!(asked.last(), Some(&Fetch::Avatar { of: peer("@alice"), room: None }));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_message_is_taken_back_and_then_the_one_before() {
    let mut rig = Rig::new().await;
    rig.say("one").await;
    rig.until_gone(1).await;
    rig.say("two").await;
    rig.until("both", async |rig| rig.counts().await.outbox.sent == 2).await;
    for (count, want) in [(3, "s1"), (4, "s0")] {
        rig.say("recall").await;
        let gone = rig.until_gone(count).await;
        let Action::Recall { msg: Some(msg), .. } = &gone[count - 1].action else { panic!("{gone:?}") };
        assert_eq!(msg.as_str(), want);
        rig.until("settled", async |rig| rig.counts().await.outbox.sent == count as u64).await;
    }
    rig.say("recall").await;
    rig.until("failed", async |rig| rig.counts().await.outbox.failed == 1).await;
    // A message is too old after two minutes.
    rig.say("three").await;
    rig.until("sent", async |rig| rig.counts().await.outbox.sent == 5).await;
    tokio::time::sleep(Duration::from_secs(121)).await;
    rig.say("recall").await;
    rig.until("failed", async |rig| rig.counts().await.outbox.failed == 2).await;
    assert_eq!(rig.gone().len(), 5);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_mention_of_a_stranger_is_left_out_and_a_member_is_waited_for() {
    let mut rig = Rig::new().await;
    let rows = rig.runtime().store().contacts(&"shop".parse().unwrap()).await.unwrap();
    let id = |name: &str| rows.iter().find(|row| row.peer == peer(name)).unwrap().id.to_string();
    let (alice, bob) = (id("@alice"), id("@bob"));
    rig.say(&format!("mention {bob} p999")).await;
    let gone = rig.until_gone(1).await;
    assert_eq!(gone[0].others, [peer("@bob")]);
    rig.say(&format!("room {alice} p999")).await;
    rig.until("waiting", async |rig| rig.counts().await.outbox.queued == 1).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((rig.gone().len(), rig.counts().await.outbox.queued), (1, 1), "a room without p999 is another room");
    rig.until("expired", async |rig| rig.counts().await.outbox.expired == 1).await;
    rig.say(&format!("room {alice} {bob}")).await;
    let gone = rig.until_gone(2).await;
    assert_eq!((gone[1].to.clone(), gone[1].others.clone()), (None, vec![peer("@alice"), peer("@bob")]));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_shown_while_it_runs() {
    let mut rig = Rig::new().await;
    rig.service.slow.send_replace(true);
    rig.say("bytes").await;
    rig.until("an upload", async |rig| !rig.account().uploads().is_empty()).await;
    let [upload] = &rig.account().uploads()[..] else { panic!("one upload") };
    assert_eq!((upload.name.as_str(), upload.done, upload.total), ("menu.png", 9, 18));
    rig.service.slow.send_replace(false);
    rig.until_gone(1).await;
    rig.until("over", async |rig| rig.account().uploads().is_empty()).await;
    rig.stop().await;
}
