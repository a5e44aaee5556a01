//! What do many loads cost? Memory for each distinct build, and for nothing else.

use std::fs;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use wxbot_plugin::abi::PluginOp;
use wxbot_runtime::plugin::dylib::{CallError, LibraryStats, Patience, Retired, library_stats};
use wxbot_test_probe::Order;

use crate::host::{LONG, instance, library, order};
use crate::making::{c, probe, second_probe};

/// How often the code of a library is mapped into this process.
fn mapped(sha256: &str) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("r-xp") && line.contains(sha256)).count()
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_content_is_mapped_once() {
    // By huge pages memory grows by chance.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).unwrap();
    let path = probe();
    let bytes = fs::metadata(&path).unwrap().len();
    let mut begun = 0;
    for round in 0..1_000 {
        // Copied anew, as an installer does.
        let (instance, _host) = instance(&path).await;
        instance.call(PluginOp::COMMAND, b"", LONG).await.unwrap();
        assert_eq!(instance.retire(Patience::default()).await, Retired::Clean);
        if round == 100 {
            begun = resident_kib();
        }
    }
    let library = library(&path).await;
    assert_eq!(mapped(&library.sha256().to_string()), 1);
    assert_eq!(library_stats(), LibraryStats { loads: 1_001, opened: 1, bytes });
    let grown = resident_kib().saturating_sub(begun);
    // The allocator may keep one file that was read; an instance leaves its host's table behind, some hundred bytes.
    assert!(grown < 8 * 1024, "{grown} KiB more after 900 reloads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_builds_live_side_by_side() {
    let ((first, _h1), (second, _h2)) = (instance(&probe()).await, instance(&second_probe()).await);
    assert!(!Arc::ptr_eq(first.library(), second.library()));
    assert_eq!(order(&first, Order::Build, LONG).await.unwrap(), "first");
    assert_eq!(order(&second, Order::Build, LONG).await.unwrap(), "second");
    // A new file under the old name: the path says nothing, the content does.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugin.so");
    fs::copy(probe(), &path).unwrap();
    assert!(Arc::ptr_eq(first.library(), &library(&path).await));
    fs::copy(second_probe(), &path).unwrap();
    assert!(Arc::ptr_eq(second.library(), &library(&path).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_distinct_build_is_counted() {
    for copy in 0..5 {
        library(&c(&[&format!("COPY={copy}")])).await;
    }
    assert_eq!(library_stats().opened, 5);
}

const SWAPS: u32 = 20;
const PACED: u32 = 10_000;

/// Make before break: the new one runs before the pointer moves, the old one ends after its calls have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_across_swaps() {
    let builds = [probe(), second_probe()];
    let current = RwLock::new(instance(&builds[0]).await.0);
    let calls = stream::iter(0..PACED).map(|n| {
        let current = &current;
        async move {
            tokio::time::sleep(Duration::from_micros(u64::from(n) * 200)).await;
            let instance = Arc::clone(&current.read().unwrap());
            // Taken before the swap, it may be submitted after: the host asks the next one then.
            let answer = order(&instance, Order::Build, LONG).await;
            if answer != Err(CallError::Retiring) {
                return answer;
            }
            let next = Arc::clone(&current.read().unwrap());
            order(&next, Order::Build, LONG).await
        }
    });
    let swaps = async {
        for (_, build) in (0..SWAPS).zip(builds.iter().cycle().skip(1)) {
            tokio::time::sleep(Duration::from_millis(80)).await;
            let next = instance(build).await.0;
            let old = std::mem::replace(&mut *current.write().unwrap(), next);
            assert_eq!(old.retire(Patience::default()).await, Retired::Clean);
        }
    };
    let (answers, ()) = tokio::join!(calls.buffer_unordered(20_000).collect::<Vec<_>>(), swaps);
    let by = |build: &str| answers.iter().filter(|answer| answer.as_deref() == Ok(build)).count();
    let (first, second) = (by("first"), by("second"));
    assert_eq!(first + second, usize::try_from(PACED).unwrap(), "{:?}", answers.iter().find(|a| a.is_err()));
    assert!(first > 500 && second > 500, "{first} and {second}");
    assert_eq!(library_stats().opened, 2);
}
