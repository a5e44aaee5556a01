//! Is a handle fetched once, within limits, and does a service that lies leave nothing behind?

use std::time::Duration;

use wxbot_model::{Media, MediaShape};
use wxbot_plugin::MediaSource;

use super::*;

const PATIENCE: Duration = Duration::from_secs(25);
/// Longer than any download may take.
const LONG: Duration = Duration::from_secs(3_600);

impl Rig {
    async fn fetch(&self, handle: &MediaHandle, from: &Arc<Script>) -> Result<Held, MediaError> {
        self.folder.fetch(Wanted::media(&shop(), handle, ""), from.online(), LONG).await
    }
}

#[tokio::test(start_paused = true)]
async fn two_askers_share_one_download_and_the_third_finds_the_file() {
    let rig = rig().await;
    let script = Script::of([give(PNG)]);
    let handle = image("7");
    let (one, two) = tokio::join!(rig.fetch(&handle, &script), rig.fetch(&handle, &script));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.stored, two.stored);
    assert_eq!((one.file_type, one.stored.len), (FileType::Png, PNG.len() as u64));
    assert!(one.stored.name.starts_with("image-") && one.stored.name.ends_with(".png"), "{}", one.stored.name);
    assert_eq!(std::fs::read(&one.path).unwrap(), PNG);
    let file = rig.fetch(&handle, &script).await.unwrap().for_plugin();
    assert_eq!(file.read(100).await.unwrap(), PNG);
    let limit = MediaError::TooLarge { len: PNG.len() as u64, limit: 3 };
    assert_eq!(file.read(3).await.unwrap_err(), limit);
    assert_eq!(script.asked(), 1);
    // The next start, too.
    let folder = rig.reopened().await;
    folder.fetch(Wanted::media(&shop(), &handle, ""), script.online(), PATIENCE).await.unwrap();
    assert_eq!(script.asked(), 1);
    let other = Wanted::media(&"club".parse().unwrap(), &handle, "");
    folder.fetch(other, script.online(), PATIENCE).await.unwrap();
    assert_eq!(script.asked(), 2, "another account's handle may be another picture");
}

#[tokio::test(start_paused = true)]
async fn sec_r12_a_lying_or_stalling_service_leaves_no_file() {
    let not_now = || FetchError::NotNow { why: "busy".into() };
    let gone = || FetchError::Gone { why: "expired".into() };
    let bytes = |n: usize| Ok(Bytes::from(vec![b'x'; n]));
    let many = || (0..21).map(|_| bytes(1 << 20)).collect::<Vec<_>>();
    for (name, act, want, asked) in [
        ("more than the limit, stated", Act::Give(Some((20 << 20) + 1), vec![bytes(1)]), "TooLarge", 1),
        ("more than the limit, not stated", Act::Give(None, many()), "TooLarge", 1),
        ("more than the limit, stated as little", Act::Give(Some(5), many()), "TooLarge", 1),
        ("less than stated", Act::Give(Some(5), vec![bytes(4)]), "NotNow", 4),
        ("more than stated", Act::Give(Some(5), vec![bytes(6)]), "NotNow", 4),
        ("broken off", Act::Give(Some(50), vec![bytes(4), Err(not_now())]), "NotNow", 4),
        ("stalled", Act::Stall(vec![Bytes::from_static(b"half")]), "NotNow", 4),
        ("never begun", Act::Stall(Vec::new()), "NotNow", 4),
        ("a page", Act::Give(None, vec![Ok(Bytes::from_static(b"<html>log in</html>"))]), "NotNow", 4),
        ("nothing", Act::Give(None, Vec::new()), "Gone", 1),
        ("gone", Act::Fail(gone()), "Gone", 1),
        ("gone on the way", Act::Give(None, vec![bytes(4), Err(gone())]), "Gone", 1),
        ("refused", Act::Fail(FetchError::Refused { why: "no".into() }), "Refused", 1),
        ("not now", Act::Fail(not_now()), "NotNow", 4),
    ] {
        let rig = rig().await;
        let script = Script::of([act]);
        let error = rig.fetch(&image("7"), &script).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(want), "{name}: {error:?}");
        assert_eq!(script.asked(), asked, "{name}");
        assert!(rig.files().is_empty() && rig.rows().await.is_empty(), "{name}: {:?}", rig.files());
    }
}

#[tokio::test(start_paused = true)]
async fn sec_r12_a_stated_length_above_the_limit_is_not_even_asked_for() {
    let rig = rig().await;
    let script = Script::of([give(PNG)]);
    for (kind, limit) in [(MediaKind::Image, 20u64), (MediaKind::Video, 200), (MediaKind::File, 100)] {
        let len = (limit << 20) + 1;
        let error = rig.fetch(&MediaHandle::new(kind, "7", Some(len)), &script).await.unwrap_err();
        assert_eq!(error, MediaError::TooLarge { len, limit: limit << 20 });
    }
    assert_eq!(script.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_drip_of_bytes_comes_to_an_end() {
    let rig = rig().await;
    let begun = tokio::time::Instant::now();
    // One piece takes 10 ms here, so it is the number that is slow.
    let script = Script::of([Act::Give(None, vec![Ok(Bytes::from_static(b"x")); 70_000])]);
    let error = rig.fetch(&image("7"), &script).await.unwrap_err();
    assert!(error.to_string().contains("longer than 600 s"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(700));
    rig.folder.stop().await;
    assert!(rig.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_fails_at_first_is_tried_again() {
    let rig = rig().await;
    let not_now = || Act::Fail(FetchError::NotNow { why: "busy".into() });
    let script = Script::of([not_now(), Act::Stall(vec![Bytes::from_static(b"half")]), give(PNG)]);
    rig.fetch(&image("7"), &script).await.unwrap();
    assert_eq!((script.asked(), rig.files().len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_download_outlives_the_handler_that_asked() {
    let rig = rig().await;
    let slow = Act::Give(None, (0..4_000).map(|_| Ok(Bytes::from_static(b"0123456789"))).collect());
    let script = Script::of([slow]);
    let wanted = || Wanted::media(&shop(), &image("7"), "");
    let error = rig.folder.fetch(wanted(), script.online(), PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("goes on"), "{error}");
    let held = rig.folder.fetch(wanted(), script.online(), PATIENCE).await.unwrap();
    assert_eq!((held.stored.len, script.asked()), (40_000, 1));
}

#[tokio::test(start_paused = true)]
async fn between_sessions_a_download_waits_for_a_while() {
    let rig = rig().await;
    let script = Script::of([give(PNG)]);
    let (online, way) = watch::channel(None);
    let wanted = || Wanted::media(&shop(), &image("7"), "");
    let error = rig.folder.fetch(wanted(), way.clone(), LONG).await.unwrap_err();
    assert_eq!(error, MediaError::NotNow { why: "the account has no session".into() });
    let log_in = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        online.send_replace(Some(Arc::clone(&script) as Arc<dyn ActionSender>));
    };
    let (held, ()) = tokio::join!(rig.folder.fetch(wanted(), way, LONG), log_in);
    held.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sec_r12_downloads_are_bounded_in_number_and_in_bytes() {
    let accounts = ["a", "b", "c"];
    for (kind, accounts, most) in [
        (MediaKind::Image, &accounts[..1], 2),
        (MediaKind::Image, &accounts, 5),
        (MediaKind::File, &accounts[..1], 1),
        (MediaKind::File, &accounts, 2),
        (MediaKind::Video, &accounts, 1),
    ] {
        let rig = rig().await;
        let script = Script::of([give(PNG)]);
        let handles: Vec<_> = (0..30).map(|n| MediaHandle::new(kind, n.to_string(), None)).collect();
        let wanted = handles.iter().zip(accounts.iter().cycle());
        let all = wanted.map(|(handle, account)| {
            rig.folder.fetch(Wanted::media(&account.parse().unwrap(), handle, ""), script.online(), LONG)
        });
        for held in futures_util::future::join_all(all).await {
            held.unwrap();
        }
        let found = (script.asked(), script.most.load(Ordering::SeqCst));
        assert_eq!(found, (30, most), "{kind:?} of {}", accounts.len());
        assert_eq!(rig.files().len(), 1, "the same bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_picture_does_not_wait_for_films() {
    let rig = rig().await;
    let films = Script::of([Act::Stall(vec![Bytes::from_static(b"half")])]);
    let film = |n: u32| MediaHandle::new(MediaKind::Video, n.to_string(), None);
    let stuck = async {
        let all: Vec<_> = (0..9).map(film).collect();
        futures_util::future::join_all(all.iter().map(|film| rig.fetch(film, &films))).await
    };
    let script = Script::of([give(PNG)]);
    let handle = image("7");
    let begun = tokio::time::Instant::now();
    tokio::select! {
        _ = stuck => panic!("a film was there first"),
        held = rig.fetch(&handle, &script) => drop(held.unwrap()),
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_account_in_trouble_does_not_hold_up_others() {
    let (_logged_out, nowhere) = watch::channel(None);
    let stalls = Script::of([Act::Stall(vec![Bytes::from_static(b"half")])]);
    for (name, way, kind, within) in [
        ("no session", nowhere, MediaKind::Image, 1),
        ("stalled pictures", stalls.online(), MediaKind::Image, 1),
        ("stalled files", stalls.online(), MediaKind::File, 1),
        // There is one place for films: no longer than one try takes to stall.
        ("a stalled film", stalls.online(), MediaKind::Video, 31),
    ] {
        let rig = rig().await;
        let bad = async {
            let wanted = |n: u32| {
                let handle = MediaHandle::new(kind, n.to_string(), None);
                Wanted::media(&"bad".parse().unwrap(), &handle, "")
            };
            futures_util::future::join_all((0..9).map(|n| rig.folder.fetch(wanted(n), way.clone(), LONG))).await
        };
        let script = Script::of([give(PNG)]);
        let handle = MediaHandle::new(kind, "7", None);
        let begun = tokio::time::Instant::now();
        let good = async {
            // The others are all on their way.
            tokio::task::yield_now().await;
            rig.fetch(&handle, &script).await
        };
        tokio::select! {
            biased;
            _ = bad => panic!("{name}: the others were first"),
            held = good => drop(held.unwrap()),
        }
        assert!(begun.elapsed() < Duration::from_secs(within), "{name}: {:?}", begun.elapsed());
        rig.folder.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_longer_than_the_folder_is_not_even_fetched() {
    let cap = MediaSettings { max_size: 1 << 10, ..MediaSettings::default() };
    let bytes = |n: usize| Ok(Bytes::from(vec![b'x'; n]));
    for (name, act, stated, len, asked) in [
        ("the message says so", give(PNG), Some(1_025), 1_025, 0),
        ("the header says so", Act::Give(Some(1_026), vec![bytes(1)]), None, 1_026, 1),
        ("nobody says so", Act::Give(None, vec![bytes(1_000), bytes(1_000)]), None, 2_000, 1),
    ] {
        let rig = rig_of(cap).await;
        let script = Script::of([act]);
        let handle = MediaHandle::new(MediaKind::Image, "7", stated);
        let error = rig.fetch(&handle, &script).await.unwrap_err();
        assert_eq!(error, MediaError::TooLarge { len, limit: 1 << 10 }, "{name}");
        assert_eq!((script.asked(), rig.files().len()), (asked, 0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_is_sent_from_the_folder() {
    let rig = rig().await;
    let script = Script::of([give(PNG)]);
    let source = || MediaSource::Received { media: image("7"), name: "a.png".into() };
    let before = rig.folder.take(&shop(), MediaShape::Image, source()).await.unwrap();
    assert!(matches!(before.media, Media::Received { .. }), "not fetched: it is when it is sent");
    let held = rig.fetch(&image("7"), &script).await.unwrap();
    let after = rig.folder.take(&shop(), MediaShape::Image, source()).await.unwrap();
    let want = StoredMedia { name: "a.png".into(), ..held.stored };
    assert_eq!(after.media, Media::Stored(want));
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_the_same_after_another_login() {
    let with = |key: &str, value: &str| {
        let mut handle = image("7");
        handle.params.insert(key.into(), value.into());
        fetch::key_of(&handle)
    };
    assert_eq!(with(MediaHandle::FROM_USER_NAME, "@a"), with(MediaHandle::FROM_USER_NAME, "@b"));
    assert_ne!(with(MediaHandle::MEDIA_ID, "1"), with(MediaHandle::MEDIA_ID, "2"));
    let still = MediaHandle::new(MediaKind::Thumbnail, "7", None);
    assert_ne!(fetch::key_of(&image("7")), fetch::key_of(&still), "a film and its still have one reference");
}

#[tokio::test(start_paused = true)]
async fn a_picture_of_a_person_is_asked_for_once_a_day() {
    let rig = rig().await;
    let busy = || Act::Fail(FetchError::NotNow { why: "busy".into() });
    let script = Script::of([give(PNG), busy(), busy(), busy(), busy(), give(b"\xff\xd8\xff another")]);
    let wanted = || Wanted::avatar(&shop(), &"p1".parse().unwrap(), "@a".parse().unwrap(), None);
    let first = rig.folder.fetch(wanted(), script.online(), LONG).await.unwrap();
    tokio::time::advance(Duration::from_secs(80_000)).await;
    assert_eq!(rig.folder.fetch(wanted(), script.online(), LONG).await.unwrap().stored, first.stored);
    tokio::time::advance(Duration::from_secs(10_000)).await;
    let old = rig.folder.fetch(wanted(), script.online(), LONG).await.unwrap();
    assert_eq!(old.stored, first.stored, "the old one is better than none");
    let second = rig.folder.fetch(wanted(), script.online(), LONG).await.unwrap();
    assert_eq!((script.asked(), second.file_type), (6, FileType::Jpeg));
}

#[tokio::test(start_paused = true)]
async fn a_stop_breaks_downloads_off_and_leaves_nothing() {
    let rig = rig().await;
    let script = Script::of([Act::Stall(vec![Bytes::from_static(b"half")])]);
    let handle = image("7");
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(rig.files().len(), 1, "a part is there");
        rig.folder.stop().await;
    };
    let (held, ()) = tokio::join!(rig.fetch(&handle, &script), stop);
    assert_eq!(held.unwrap_err(), MediaError::NotNow { why: "wxbot stops".into() });
    assert!(rig.files().is_empty());
}
