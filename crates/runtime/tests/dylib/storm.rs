//! Does every call end exactly once, whatever its deadline?

use std::time::Duration;

use futures_util::{StreamExt, stream};
use wxbot_plugin::abi::{PluginOp, encode};
use wxbot_runtime::plugin::dylib::CallError;
use wxbot_test_probe::Order;

use crate::host::{LONG, instance, quiet};
use crate::making::probe;

const CALLS: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_calls_ends_once() {
    let (instance, _host) = instance(&probe()).await;
    let before = instance.tally();
    let sleeps: Vec<_> = (0..4).map(|ms| encode(&Order::Sleep { ms }).unwrap()).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let plan = (0..CALLS).map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % 4, Duration::from_micros(random >> 8 & 0xfff), random >> 60 == 0)
    });
    let (instance, sleeps) = (&instance, &sleeps);
    let ends: Vec<_> = stream::iter(plan)
        .map(|(ms, deadline, dropped)| async move {
            let call = instance.call(PluginOp::EVENT, &sleeps[usize::try_from(ms).unwrap()], deadline);
            if dropped {
                // Taken back by whoever waited, not by its deadline.
                return tokio::time::timeout(deadline / 2, call).await.unwrap_or(Err(CallError::Retiring)).is_ok();
            }
            call.await.is_ok()
        })
        .buffer_unordered(200)
        .collect()
        .await;
    quiet(instance).await;
    let after = instance.tally();
    assert_eq!((after.submitted - before.submitted, after.ended - before.ended), (CALLS, CALLS));
    let answered = ends.iter().filter(|answered| **answered).count();
    assert!(answered > 1_000 && answered < ends.len() - 1_000, "both sorts of end happen: {answered} were answered");
    assert_eq!(instance.call(PluginOp::COMMAND, b"after", LONG).await.unwrap(), b"after");
}
