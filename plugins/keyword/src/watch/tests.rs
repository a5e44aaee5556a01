//! When is a file read anew, and what stays when it is broken?

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use serde_json::json;
use wxbot_plugin::{Place, PluginConfig};

use super::*;
use crate::engine::Scratches;

async fn watch(folder: &Path) -> Watch {
    let settings = json!({ "look_every": "5s", "rules": [{ "files": ["words.txt"], "reply": "x" }] });
    Watch::start(Arc::new(Settings::read(&settings, &Place::of(folder)).unwrap())).await.unwrap()
}

fn hits(watch: &Watch, text: &str) -> usize {
    Scratches::default().with(|scratch| watch.engine().look(text, scratch).len())
}

/// Until the task has found the change: its reading waits for the disk and not for the paused clock.
async fn until(watch: &Watch, what: impl Fn() -> bool) {
    // Rounds and not time: a busy machine may hold up the thread that reads for longer than any number of quick ones.
    for _ in 0..100_000 {
        if what() {
            return;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        // A look that has begun holds the files to its end.
        let shared = Arc::clone(&watch.shared);
        tokio::task::spawn_blocking(move || drop(shared.files.lock())).await.unwrap();
    }
    panic!("it was not found");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_found_by_itself_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let watch = watch(folder.path()).await;
    fs::write(&file, "新词\n").unwrap();
    assert_eq!((hits(&watch, "旧"), hits(&watch, "新词")), (1, 0), "not yet looked");
    until(&watch, || hits(&watch, "新词") == 1).await;
    assert_eq!(hits(&watch, "旧"), 0);
    // A broken one keeps the old, says so, and is forgotten when it is mended.
    fs::write(&file, "长".repeat(300)).unwrap();
    until(&watch, || watch.trouble().is_some()).await;
    assert_eq!(hits(&watch, "新词"), 1);
    let first = watch.trouble();
    assert!(first.as_ref().is_some_and(|trouble| trouble.text.contains("line 1")), "{first:?}");
    fs::write(&file, "长".repeat(301)).unwrap();
    until(&watch, || watch.trouble().is_some() && watch.trouble() != first).await;
    fs::write(&file, "又\n").unwrap();
    until(&watch, || watch.trouble().is_none()).await;
    assert_eq!(hits(&watch, "又"), 1);
}

/// One of the looks that come by themselves.
fn looks(watch: &Watch) -> Looked {
    watch.shared.look(Look::Usual)
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let watch = watch(folder.path()).await;
    for half in ["新", "新词", "新词\n更", "新词\n更多\n"] {
        fs::write(&file, half).unwrap();
        assert_eq!((looks(&watch).read, hits(&watch, "旧")), (0, 1), "{half}");
    }
    assert_eq!(looks(&watch).read, 1, "seen twice alike");
    assert_eq!((hits(&watch, "旧"), watch.engine().len()), (0, 2));
    assert_eq!(looks(&watch).read, 0);
    // A moment between two files is none either.
    fs::remove_file(&file).unwrap();
    assert_eq!(looks(&watch), Looked { read: 0, words: 2, trouble: None });
    fs::write(&file, "回来\n").unwrap();
    assert_eq!((looks(&watch).read, looks(&watch).read, hits(&watch, "回来")), (0, 1, 1));
}

#[tokio::test]
async fn an_emptied_file_is_used_only_when_somebody_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let watch = watch(folder.path()).await;
    fs::write(&file, "").unwrap();
    looks(&watch);
    let looked = looks(&watch);
    assert_eq!((looked.read, hits(&watch, "旧")), (1, 1));
    assert!(looked.trouble.as_ref().is_some_and(|trouble| trouble.text.contains("it is empty now")), "{looked:?}");
    assert_eq!(watch.trouble(), looked.trouble);
    assert_eq!(watch.look().await.unwrap(), Looked { read: 1, words: 0, trouble: None });
    assert_eq!((hits(&watch, "旧"), watch.trouble()), (0, None));
}

#[tokio::test]
async fn the_same_mistake_again_is_another_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let watch = watch(folder.path()).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        fs::remove_file(&file).unwrap();
        let id = watch.look().await.unwrap().trouble.unwrap().id;
        assert_eq!(watch.look().await.unwrap().trouble.map(|trouble| trouble.id), Some(id.clone()), "still the same");
        ids.push(id);
        fs::write(&file, "旧\n").unwrap();
        assert_eq!(watch.look().await.unwrap().trouble, None);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_list_of_the_same_time_and_length_is_read_anew_by_new_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let old = read_list(&file).unwrap();
    assert!(Arc::ptr_eq(&old, &read_list(&file).unwrap()), "the same bytes are read once");
    fs::write(&file, "新\n").unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    assert_eq!(read_list(&file).unwrap().entries[0].keyword, "新");
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_plugin() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("words.txt"), "a\n").unwrap();
    let stopped = watch(folder.path()).await;
    let shared = Arc::downgrade(&stopped.shared);
    assert_eq!(shared.strong_count(), 2, "the watch and its task");
    stopped.stop().await;
    assert_eq!(shared.strong_count(), 1, "stopped: the task is gone before `stop` returns");
    stopped.stop().await;
    drop(stopped);
    assert_eq!(shared.strong_count(), 0);

    let dropped = watch(folder.path()).await;
    let shared = Arc::downgrade(&dropped.shared);
    drop(dropped);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shared.strong_count(), 0, "dropped without a stop");
}

#[tokio::test(start_paused = true)]
async fn without_files_nothing_looks() {
    let settings = json!({ "rules": [{ "any": "a", "reply": "x" }] });
    let settings = Settings::read(&settings, &Place::default()).unwrap();
    let watch = Watch::start(Arc::new(settings)).await.unwrap();
    assert_eq!(Arc::strong_count(&watch.shared), 1);
    assert_eq!(watch.look().await.unwrap(), Looked { read: 0, words: 1, trouble: None });
}

#[tokio::test]
async fn a_large_list_is_put_together_while_events_are_handled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let watch = watch(folder.path()).await;
    let lines: Vec<String> = (0..20_000u32).map(|n| format!("词{n}新{}", n.wrapping_mul(2_654_435_761))).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let mut look = pin!(watch.look());
    // This thread is the only one of the runtime: were the work done on it, the first poll would do all of it.
    assert!(look.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!((hits(&watch, "旧"), watch.engine().len()), (1, 1), "handlers see the old list meanwhile");
    let looked = look.await.unwrap();
    assert_eq!((looked.read, looked.words, hits(&watch, &lines[19_999]) > 0), (1, 20_000, true));
}
