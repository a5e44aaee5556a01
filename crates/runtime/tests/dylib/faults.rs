//! What can a bad plugin do to others? Nothing but hold its own library.

use std::time::Duration;

use tokio::time::Instant;
use wxbot_plugin::abi::PluginOp;
use wxbot_runtime::plugin::dylib::{CallError, Patience, Retired};
use wxbot_test_probe::Order;

use crate::host::{LONG, instance, instance_with, library, order, quiet};
use crate::making::{c, probe};

const SHORT: Duration = Duration::from_millis(100);
const HURRY: Patience = Patience { drain: SHORT, stop: SHORT, destroy: SHORT };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_call_is_cancelled_and_ends_later() {
    let (instance, _host) = instance(&probe()).await;
    let before = instance.tally().ended;
    let late = order(&instance, Order::Sleep { ms: 60_000 }, SHORT).await;
    assert_eq!(late, Err(CallError::Timeout { after: SHORT }));
    quiet(&instance).await;
    assert_eq!(instance.tally().ended, before + 1, "cancelled, it ended at once");
    assert_eq!(instance.retire(HURRY).await, Retired::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_stalls_its_own_library_only() {
    let ((blocked, _h1), (other, _h2)) = (instance(&probe()).await, instance(&c(&[])).await);
    let begun = Instant::now();
    assert_eq!(order(&blocked, Order::Block { ms: 1_000 }, SHORT).await, Err(CallError::Timeout { after: SHORT }));
    assert!(begun.elapsed() < Duration::from_millis(900), "the deadline is kept: {:?}", begun.elapsed());
    assert_eq!(blocked.in_flight(), 1, "it cannot be cancelled, and it is still there");
    assert_eq!(other.call(PluginOp::EVENT, b"hi", LONG).await.unwrap(), b"hi");
    assert!(begun.elapsed() < Duration::from_millis(900), "the other one answers meanwhile");
    quiet(&blocked).await;
    assert!(begun.elapsed() >= Duration::from_millis(1_000), "it ended when it let go");
    assert_eq!(order(&blocked, Order::Echo { text: "again".into() }, LONG).await.unwrap(), "again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_is_left_alone() {
    for (name, settings, stuck) in
        [("a blocking handler", "{}", Some(Order::Block { ms: 60_000 })), ("a blocking stop", "block at stop", None)]
    {
        let (instance, _host) = instance_with(&probe(), settings.as_bytes()).await;
        if let Some(stuck) = stuck {
            assert!(order(&instance, stuck, SHORT).await.is_err(), "{name}");
        }
        assert!(matches!(instance.retire(HURRY).await, Retired::Zombie(_)), "{name}");
        assert!(instance.library().is_zombie(), "{name}");
        assert!(!instance.library().shutdown(SHORT).await, "{name}");
        let fresh = library(&probe()).await;
        assert!(!fresh.is_zombie(), "{name}: the same content is opened anew");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_waits_is_cancelled() {
    let (instance, _host) = instance_with(&probe(), b"hang at stop").await;
    assert_eq!(instance.retire(HURRY).await, Retired::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_flight_is_hurried_when_the_instance_ends() {
    let (instance, _host) = instance(&probe()).await;
    let waiting = async { order(&instance, Order::Sleep { ms: 60_000 }, LONG).await };
    let (waited, retired) = tokio::join!(waiting, instance.retire(HURRY));
    assert_eq!((waited, retired), (Err(CallError::Retiring), Retired::Clean));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_in_c_that_never_ends_a_call_is_a_zombie() {
    let (instance, _host) = instance(&c(&[])).await;
    assert_eq!(instance.call(PluginOp::GUARD, b"", SHORT).await, Err(CallError::Timeout { after: SHORT }));
    assert_eq!(instance.retire(HURRY).await, Retired::Zombie("a handler does not end"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_was_shut_down_is_opened_anew() {
    let (instance, _host) = instance(&probe()).await;
    assert_eq!(instance.retire(HURRY).await, Retired::Clean);
    let old = instance.library();
    assert!(old.shutdown(LONG).await);
    let new = library(&probe()).await;
    assert!(old.sha256() == new.sha256() && !std::sync::Arc::ptr_eq(old, &new));
}
