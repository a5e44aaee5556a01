//! What comes back from a library? Answers, faults, and what it logs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wxbot_plugin::abi::{LogLevel, PluginOp, Status};
use wxbot_runtime::plugin::dylib::{CallError, Patience, Retired};
use wxbot_test_probe::Order;

use crate::host::{LONG, TestHost, instance, instance_with, library, order, quiet, status};
use crate::making::{c, probe};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_come_back() {
    let (instance, _host) = instance_with(&probe(), b"{\"a\":1}").await;
    assert_eq!(instance.call(PluginOp::INIT, b"", LONG).await.unwrap(), b"{\"a\":1}", "the settings");
    for text in ["", "hi", &"很长".repeat(100_000)] {
        assert_eq!(order(&instance, Order::Echo { text: text.into() }, LONG).await.unwrap(), text);
    }
    let manifest = instance.library().manifest();
    assert_eq!((&manifest["id"], &manifest["build"]["panic"]), (&"probe".into(), &"unwind".into()));
    assert_eq!(instance.retire(Patience::default()).await, Retired::Clean);
    assert_eq!(instance.call(PluginOp::COMMAND, b"", LONG).await, Err(CallError::Retiring));
    let tally = instance.tally();
    assert_eq!(tally.submitted, tally.ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_come_back() {
    let (instance, host) = instance(&probe()).await;
    for (name, ended, want) in [
        ("fails", order(&instance, Order::Fail, LONG).await, Status::DENIED),
        ("panics early", order(&instance, Order::PanicEarly, LONG).await, Status::PANIC),
        ("panics late", order(&instance, Order::PanicLate, LONG).await, Status::PANIC),
    ] {
        assert_eq!(status(ended), want, "{name}");
    }
    assert_eq!(status(instance.call(PluginOp::EVENT, b"\xc1 no", LONG).await), Status::DECODE);
    assert_eq!(status(instance.call(PluginOp(4711), b"", LONG).await), Status::UNSUPPORTED);
    // A task of its own panics, and a destructor while it is cancelled.
    assert_eq!(order(&instance, Order::PanicElsewhere, LONG).await.unwrap(), "true");
    let short = Duration::from_millis(20);
    assert_eq!(order(&instance, Order::PanicDropping, short).await, Err(CallError::Timeout { after: short }));
    quiet(&instance).await;
    assert_eq!(order(&instance, Order::Echo { text: "alive".into() }, LONG).await.unwrap(), "alive");
    let said = host.said().join("\n");
    for panic in ["early", "late", "elsewhere", "dropped"] {
        assert!(said.contains(&format!("{panic} on purpose")), "{panic}: {said}");
    }
    assert!(said.contains("src/lib.rs:"), "the place of a panic: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creation_can_fail() {
    let library = library(&probe()).await;
    for (settings, want) in [("refuse", "not with these"), ("panic", "it panicked")] {
        let made = library.create(settings.into(), Arc::new(TestHost::default()), LONG).await;
        assert_eq!(made.unwrap_err().to_string(), want);
    }
    let short = Duration::from_millis(50);
    let made = library.create(b"hang".to_vec(), Arc::new(TestHost::default()), short).await;
    assert_eq!(made.unwrap_err().to_string(), "it did not come back within 50ms");
    assert!(library.is_zombie());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_come_through() {
    let (instance, host) = instance(&probe()).await;
    order(&instance, Order::Log, LONG).await.unwrap();
    let records = host.records.lock().unwrap().clone();
    let told: Vec<_> = records.iter().map(|r| (r.level, r.message.as_str())).collect();
    let want = [(LogLevel::ERROR, "an error"), (LogLevel::INFO, "an info"), (LogLevel::WARN, "a warning of log")];
    assert_eq!(told, want, "nothing below the level that is wanted");
    assert_eq!((&*records[0].target, &*records[0].fields), ("wxbot_test_probe", &[("len".into(), "3".into())][..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_answers_and_its_panics_are_contained() {
    let (instance, host) = instance(&probe()).await;
    let ask = |op: u32| order(&instance, Order::Ask { op, text: "anna".into() }, LONG);
    assert_eq!(ask(4).await.unwrap(), "found anna");
    assert_eq!(status(ask(2).await), Status::DENIED);
    assert_eq!(status(ask(1).await), Status::PANIC, "its call panics");
    assert_eq!(status(ask(5).await), Status::PANIC, "its future panics");
    host.panics.store(true, Ordering::SeqCst);
    order(&instance, Order::Log, LONG).await.unwrap();
    assert_eq!(host.said().len(), 3, "its log panics");
    assert_eq!(ask(4).await.unwrap(), "found anna");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_instance_finds_no_host() {
    let (first, _host) = instance(&probe()).await;
    order(&first, Order::AskLater { ms: 100 }, LONG).await.unwrap();
    assert_eq!(first.retire(Patience::default()).await, Retired::Clean);
    let (second, _host) = instance(&probe()).await;
    let mut answer = String::new();
    while answer.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer = order(&second, Order::Later, LONG).await.unwrap();
    }
    assert_eq!(answer, "Err(HOST_GONE)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_in_c_answers() {
    let (instance, _host) = instance(&c(&[])).await;
    assert_eq!(instance.call(PluginOp::EVENT, b"hello", LONG).await.unwrap(), b"hello");
    assert_eq!(instance.call(PluginOp::EVENT, b"", LONG).await.unwrap(), b"");
    assert_eq!(status(instance.call(PluginOp(77), b"", LONG).await), Status::UNSUPPORTED);
    assert_eq!(status(instance.call(PluginOp::COMMAND, b"", LONG).await), Status::ERROR, "a status from the future");
    assert_eq!(instance.call(PluginOp::RESUME, b"anna", LONG).await.unwrap(), b"found anna");
    instance.call(PluginOp::HEALTH, b"", LONG).await.expect("the second end of a call finds nothing");
    let tally = instance.tally();
    assert_eq!(tally.submitted, tally.ended, "and is not counted");
    assert_eq!(instance.retire(Patience::default()).await, Retired::Clean);
    assert!(instance.library().shutdown(LONG).await);
}
