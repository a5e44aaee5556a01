//! What comes into the folder, under which name, and what goes first?

use std::time::Duration;

use wxbot_model::{Media, MediaShape};
use wxbot_plugin::MediaSource;

use super::*;

const KIB: u64 = 1 << 10;

fn small(max_size: u64) -> MediaSettings {
    MediaSettings { max_size, keep: Duration::from_secs(86_400) }
}

/// A file of a kibibyte that no other number gives.
fn kib(number: u8) -> Vec<u8> {
    vec![number; 1 << 10]
}

impl Rig {
    async fn take(&self, number: u8) -> Result<Held, String> {
        let source = MediaSource::bytes(format!("{number}.bin"), kib(number));
        let taken = self.folder.take(&shop(), MediaShape::File, source).await?;
        tokio::time::advance(Duration::from_secs(1)).await;
        Ok(taken.hold.unwrap())
    }

    /// The first byte of each file that is there, as the store knows them.
    async fn there(&self) -> Vec<u8> {
        let mut found = Vec::new();
        for row in self.rows().await {
            found.push(std::fs::read(self.folder.path_of(&row.digest)).unwrap()[0]);
        }
        assert_eq!(self.files().len(), found.len(), "{:?}", self.files());
        found.sort_unstable();
        found
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_are_there_once_whatever_they_are_called() {
    let rig = rig().await;
    let path = rig.dir.path().join("mine.png");
    std::fs::write(&path, PNG).unwrap();
    let bytes = MediaSource::bytes("../../other.png", PNG);
    let mut names = Vec::new();
    for source in [MediaSource::path(&path), bytes, MediaSource::path(&path).named("\u{202e}gnp.exe/")] {
        let taken = rig.folder.take(&shop(), MediaShape::Image, source).await.unwrap();
        let Media::Stored(stored) = taken.media else { panic!("it is stored") };
        assert_eq!(stored.len, PNG.len() as u64);
        names.push(stored.name);
    }
    assert_eq!(names, ["mine.png", "other.png", "gnp.exe"]);
    assert_eq!((rig.files().len(), rig.rows().await.len()), (1, 1));
    assert_eq!(*rig.folder.total.lock().await, PNG.len() as u64);
    assert_eq!(rig.rows().await[0].file_type, FileType::Png);
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_in_plain_words() {
    let rig = rig().await;
    let place = |name: &str| rig.dir.path().join(name);
    std::fs::write(place("empty"), b"").unwrap();
    std::fs::create_dir(place("folder")).unwrap();
    std::fs::File::create(place("huge")).unwrap().set_len(limit_of(MediaShape::Image) + 1).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, place("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let gone = StoredMedia { digest: "a".repeat(64).parse().unwrap(), len: 3, name: "x".into() };
    let large = MediaHandle { stated_len: Some(limit_of(MediaShape::Image) + 1), ..image("1") };
    for (name, source, want) in [
        ("missing", MediaSource::path(place("missing")), "there is no such file"),
        ("folder", MediaSource::path(place("folder")), "it is a folder"),
        ("pipe", MediaSource::path(place("pipe")), "it is no regular file"),
        ("device", MediaSource::path("/dev/zero"), "it is no regular file"),
        ("empty", MediaSource::path(place("empty")), "it is empty"),
        ("no bytes", MediaSource::bytes("x", b""), "it is empty"),
        ("huge", MediaSource::path(place("huge")), "at most 20971520 are taken"),
        ("many bytes", MediaSource::bytes("x", vec![0; (20 << 20) + 1]), "at most 20971520 are taken"),
        ("stated", MediaSource::Received { media: large, name: String::new() }, "at most 20971520 are taken"),
        ("cleaned away", MediaSource::Stored(gone), "has no file aaaa"),
    ] {
        let error = rig.folder.take(&shop(), MediaShape::Image, source).await.unwrap_err();
        assert!(error.contains(want), "{name}: {error}");
    }
    assert!(rig.files().is_empty(), "{:?}", rig.files());
}

#[tokio::test(start_paused = true)]
async fn sec_r12_a_full_folder_gives_up_what_was_not_used_for_longest() {
    let rig = rig_of(small(3 * KIB)).await;
    for number in 1..=3 {
        drop(rig.take(number).await.unwrap());
    }
    drop(rig.take(1).await.unwrap());
    drop(rig.take(4).await.unwrap());
    assert_eq!(rig.there().await, [1, 3, 4], "2 was the longest unused: 1 came once more");
    rig.folder.set_limits(small(2 * KIB));
    rig.folder.sweep().await;
    assert_eq!(rig.there().await, [1, 4], "a lower cap holds from the next sweep on");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_needed_outlives_the_cap_and_clear() {
    let rig = rig_of(small(3 * KIB)).await;
    // A committed send, a handler that still holds one, and nobody.
    let sent = rig.take(1).await.unwrap().stored.digest.clone();
    rig.commit_send(&sent).await;
    let held = rig.take(2).await.unwrap();
    drop(rig.take(3).await.unwrap());
    drop(rig.take(4).await.unwrap());
    assert_eq!(rig.there().await, [1, 2, 4]);
    let going = Going { unused_ms: 0, dry_run: true };
    let want = Cleared { files: 1, bytes: KIB, kept: 2 };
    assert_eq!(rig.folder.clear(going).await.unwrap(), want);
    assert_eq!(rig.there().await, [1, 2, 4], "a dry run takes nothing");
    assert_eq!(rig.folder.clear(Going { dry_run: false, ..going }).await.unwrap(), want);
    assert_eq!(rig.there().await, [1, 2]);
    let error = rig.folder.take(&shop(), MediaShape::File, MediaSource::bytes("x", vec![9; 2048])).await.unwrap_err();
    assert!(error.contains("no room") && error.contains("max_size = 3 KiB"), "{error}");
    assert_eq!(rig.there().await, [1, 2]);
    let longer = rig.folder.take(&shop(), MediaShape::File, MediaSource::bytes("x", vec![9; 3073])).await.unwrap_err();
    assert!(longer.contains("at most 3072 are taken"), "room never makes it fit: {longer}");
    drop(held);
    rig.folder.take(&shop(), MediaShape::File, MediaSource::bytes("x", vec![9; 2048])).await.unwrap();
    assert_eq!(rig.there().await, [1, 9]);
    // The next start knows of no handler, but of the send.
    let folder = rig.reopened().await;
    assert_eq!(folder.clear(going).await.unwrap().kept, 1);
}

#[tokio::test(start_paused = true)]
async fn a_commit_between_looking_and_removing_saves_the_file() {
    let rig = rig().await;
    let held = rig.take(1).await.unwrap();
    let digest = held.stored.digest.clone();
    drop(held);
    // Remove has condemned it; a plugin takes the same bytes, commits, and lets go; then remove goes on.
    assert!(rig.folder.pins.condemn(&digest));
    let again = rig.take(1).await.unwrap();
    rig.commit_send(&digest).await;
    drop(again);
    assert!(!rig.folder.pins.execute(&digest, || panic!("it is needed")).unwrap());
    assert_eq!(rig.there().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn files_go_when_their_time_is_over() {
    let rig = rig_of(small(1 << 30)).await;
    let digest = rig.take(1).await.unwrap().stored.digest.clone();
    drop(rig.take(2).await.unwrap());
    tokio::time::advance(Duration::from_secs(80_000)).await;
    drop(rig.folder.hold(&digest, "").await.unwrap().unwrap());
    tokio::time::advance(Duration::from_secs(10_000)).await;
    rig.folder.sweep().await;
    assert_eq!(rig.there().await, [1], "1 was used meanwhile");
    assert!(rig.folder.hold(&"b".repeat(64).parse().unwrap(), "").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_start_brings_folder_and_store_into_line() {
    let rig = rig().await;
    for number in 1..=3 {
        drop(rig.take(number).await.unwrap());
    }
    let [one, two, three] = &rig.rows().await[..] else { panic!("three files") };
    // Killed after a rename and before its row; a file deleted by hand; another one cut short; a film half written.
    rig.store.media_forget(vec![one.digest.clone()]).await.unwrap();
    std::fs::remove_file(rig.folder.path_of(&two.digest)).unwrap();
    std::fs::write(rig.folder.path_of(&three.digest), b"cut").unwrap();
    std::fs::write(rig.dir.path().join("media/part/5"), b"half of a film").unwrap();
    assert!(rig.folder.hold(&three.digest, "").await.unwrap().is_none(), "not whole, so not there");
    let folder = rig.reopened().await;
    let listing = folder.list().await.unwrap();
    let found: Vec<_> = listing.files.iter().map(|row| (&row.digest, row.len)).collect();
    assert_eq!((found, listing.total), (vec![(&one.digest, KIB)], KIB));
    assert_eq!(rig.files().len(), 1, "nothing is being written: {:?}", rig.files());
}
