//! How fast is the boundary? Measured, not asserted: `cargo nextest run --release -p wxbot-runtime --test dylib
//! --run-ignored only --no-capture`.

#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "figures are printed, and there are some")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::time::Instant;
use wxbot_plugin::InitCtx;
use wxbot_plugin::abi::PluginOp;
use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::config::Libraries;
use wxbot_runtime::plugin::dylib::Shelf;

use crate::host::{LONG, instance, options};
use crate::kinds::{Town, call};
use crate::making::{Build, rust};

/// About an event of a short text.
const EVENT: [u8; 640] = [b'x'; 640];
const ROUNDS: u32 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn figures() {
    let path = rust("wxbot-test-probe", Build { release: true, ..Build::default() });
    let begun = Instant::now();
    let (instance, _host) = instance(&path).await;
    println!("load, create, INIT: {:?} ({} bytes)", begun.elapsed(), instance.library().bytes());

    one_by_one("bytes", async || drop(instance.call(PluginOp::COMMAND, &EVENT, LONG).await.unwrap())).await;
    flood("bytes", async || drop(instance.call(PluginOp::COMMAND, &EVENT, LONG).await.unwrap())).await;

    let library = rust("stress-plugin", Build { release: true, ..Build::default() });
    let loaded = Shelf::new(options().private).open(&library, None).unwrap();
    for (kind, plugin) in [("loaded", loaded), ("linked", PluginFactory::of::<stress_plugin::Stress>())] {
        let instance = plugin.make(json!({}), InitCtx::new(), Arc::new(Town::default())).await.unwrap();
        one_by_one(kind, async || drop(instance.call(call("echo hi")).await.unwrap())).await;
        flood(kind, async || drop(instance.call(call("echo hi")).await.unwrap())).await;
    }
}

async fn one_by_one(what: &str, ask: impl AsyncFn()) {
    let mut each: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        ask().await;
        each.push(begun.elapsed());
    }
    each.sort_unstable();
    println!("{what}, one by one: median {:?}, 99% {:?}", each[each.len() / 2], each[each.len() * 99 / 100]);
}

async fn flood(what: &str, ask: impl AsyncFn()) {
    let begun = Instant::now();
    let all = stream::iter(0..ROUNDS * 10).map(|_| ask()).buffer_unordered(64);
    all.for_each(|()| std::future::ready(())).await;
    println!("{what}, 64 in flight: {:.0} events/s", f64::from(ROUNDS * 10) / begun.elapsed().as_secs_f64());
}
