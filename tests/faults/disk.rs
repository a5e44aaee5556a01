//! What if the disk is full, takes nothing any more, or somebody else holds the store?

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::books::{Books, Scene, limit};
use crate::support::skip;
use crate::support::wait;

/// A small disk of its own, gone with this value.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) const MIB: u64 = 64;

    /// `None` where nothing may be mounted.
    pub(crate) fn mount(at: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(at)?;
        let size = format!("size={}m,mode=0700", Self::MIB);
        let told = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "wxbot-test"]).arg(at).output();
        match told {
            Ok(output) if output.status.success() => Ok(Some(Self(at.to_owned()))),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn free_mib(&self) -> u64 {
        let said = Command::new("df").args(["--block-size=1M", "--output=avail"]).arg(&self.0).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        text.lines().last().unwrap().trim().parse().unwrap()
    }

    /// Leaves so many MiB free, or a little less.
    pub(crate) fn leave(&self, mib: u64) {
        self.clear();
        let fill = self.free_mib() - mib;
        let mut file = File::create(self.filler()).unwrap();
        let block = vec![7; 1 << 20];
        for _ in 0..fill {
            file.write_all(&block).unwrap();
        }
    }

    /// Leaves nothing at all.
    pub(crate) fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    pub(crate) fn clear(&self) {
        fs::remove_file(self.filler()).ok();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a wxbot that still has files open there is about to be ended.
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

fn number(account: &Value, path: &str) -> u64 {
    account.pointer(path).and_then(Value::as_u64).unwrap()
}

fn text<'a>(account: &'a Value, key: &str) -> &'a str {
    account[key].as_str().unwrap()
}

/// The reserve of these tests: handling stops below 16 MiB, taking below 2.
fn with_reserve(config: String) -> String {
    config.replace("[pacing]", "[store]\nreserve = \"16MiB\"\n\n[pacing]")
}

#[test]
fn a_disk_below_its_reserve_stops_handling_first_and_taking_last() {
    let mut disk = None;
    let mut scene = Scene::open(1, 3, with_reserve, |folder| disk = SmallDisk::mount(&folder.join("data")).unwrap());
    let Some(disk) = disk else {
        return skip::note("faults: a full disk", "nothing may be mounted here").unwrap();
    };
    scene.talk(5);
    scene.until(1, "the first answers", |one| number(one, "/outbox/sent") == 15);

    disk.leave(10);
    let low = scene.until(1, "the reserve to be noticed", |one| text(one, "why").contains("16 MiB"));
    assert!(low["state"] == "online" && text(&low, "why").contains("handled and answered later"), "{low}");
    assert!(text(&low, "todo").contains("free some space") && text(&low, "todo").contains("data"), "{low}");
    scene.talk(5);
    scene.until(1, "what comes to be taken and to wait", |one| number(one, "/inbox/waiting") == 15);
    assert_eq!(scene.count().answered, 15, "nothing is handled or sent");

    disk.leave(1);
    let spent = scene.until(1, "taking to stop", |one| text(one, "why").contains("nothing is taken"));
    assert!(spent["state"] == "reconnecting" && text(&spent, "todo").contains("free some space"), "{spent}");
    // A poll that was open may still have brought something; the next one is not begun.
    wait::pause(Duration::from_millis(300));
    scene.talk(5);
    let waiting = number(&scene.account(1), "/inbox/waiting");
    wait::pause(Duration::from_millis(700));
    assert_eq!(number(&scene.account(1), "/inbox/waiting"), waiting, "polls pause");
    assert!(waiting < 30, "{waiting}: what comes now stays with the service");
    assert_eq!(scene.count().answered, 15);

    disk.clear();
    let well =
        scene.until(1, "it to go on by itself", |one| one["state"] == "online" && number(one, "/outbox/sent") == 45);
    assert_eq!((text(&well, "why"), text(&well, "todo")), ("", ""));
    assert_eq!(scene.settle(), Books::all_sent(45));
}

#[test]
fn a_disk_without_a_byte_left_loses_nothing() {
    // Nobody looks at the reserve here: the store itself meets the end of the disk.
    let unwatched = |config: String| config.replace("[pacing]", "[store]\nreserve = \"0B\"\n\n[pacing]");
    let mut disk = None;
    let mut scene = Scene::open(2, 4, unwatched, |folder| disk = SmallDisk::mount(&folder.join("data")).unwrap());
    let Some(disk) = disk else {
        return skip::note("faults: a disk without a byte left", "nothing may be mounted here").unwrap();
    };
    scene.talk(5);
    disk.fill();
    scene.talk(20);
    // At first the session alone says what its commit met; then it is known what the disk lacks.
    let lacks = |one: &Value| text(one, "why").contains("full") && text(one, "todo").contains("free some space");
    let full = scene.until(1, "the store to be full", lacks);
    assert_eq!(full["state"], "reconnecting", "{full}");
    disk.clear();
    scene.talk(5);
    assert_eq!(scene.settle(), Books::all_sent(30 * 8));
}

/// Whether limits of running processes can be changed here.
fn can_limit() -> bool {
    Command::new("prlimit").arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_store_that_cannot_be_written_for_a_while_loses_nothing() {
    if !can_limit() {
        return skip::note("faults: a store that cannot be written", "there is no prlimit").unwrap();
    }
    let mut scene = Scene::open(2, 4, |config| config, |_| {});
    scene.talk(5);
    for round in 0..3 {
        // From this moment on no write of wxbot succeeds, as on a disk that was mounted anew to be read only.
        limit(scene.pid, "--fsize=0:");
        scene.talk(10);
        let stuck = scene.until(1, "the store to refuse", |one| text(one, "why").contains("nothing that was taken"));
        assert!(stuck["state"] == "reconnecting" && !text(&stuck, "todo").is_empty(), "round {round}: {stuck}");
        limit(scene.pid, "--fsize=unlimited:");
        scene.until(1, "it to go on by itself", |one| one["state"] == "online" && text(one, "why").is_empty());
    }
    scene.talk(5);
    let books = scene.settle();
    assert_eq!(books, Books::all_sent(40 * 8), "nothing lost, nothing twice, nothing uncertain");
}

#[test]
fn a_store_that_another_program_holds_only_delays() {
    let mut scene = Scene::open(2, 4, |config| config, |_| {});
    scene.talk(5);
    let file = scene.folder().join("data/queue.db");
    let held = hold(&file, Duration::from_secs(3));
    scene.talk(10);
    held.join().unwrap();
    // Less than the five seconds for which the store waits: nobody notices but by the delay.
    assert_eq!(scene.account(1)["state"], "online");
    assert!(!scene.log().contains("database is locked"), "{}", scene.log());

    let held = hold(&file, Duration::from_secs(8));
    scene.talk(10);
    let stuck = scene.until(1, "the store to be held", |one| text(one, "why").contains("another program"));
    assert!(text(&stuck, "todo").contains("end whatever else"), "{stuck}");
    held.join().unwrap();
    scene.until(1, "it to go on by itself", |one| one["state"] == "online" && text(one, "why").is_empty());
    scene.talk(5);
    assert_eq!(scene.settle(), Books::all_sent(30 * 8));
}

/// Holds the store as another program would that writes to it for so long.
fn hold(file: &Path, time: Duration) -> std::thread::JoinHandle<()> {
    let other = rusqlite::Connection::open(file).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::spawn(move || {
        wait::pause(time);
        other.execute_batch("ROLLBACK").unwrap();
    })
}
