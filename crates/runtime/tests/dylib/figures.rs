//! How fast is the boundary? Measured, not asserted: `cargo nextest run --release -p wxbot-runtime --test dylib
//! --run-ignored only --no-capture`.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use wxbot_plugin::abi::PluginOp;

use crate::host::{LONG, instance};
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

    let mut each: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        instance.call(PluginOp::COMMAND, &EVENT, LONG).await.unwrap();
        each.push(begun.elapsed());
    }
    each.sort_unstable();
    println!("one by one: median {:?}, 99% {:?}", each[each.len() / 2], each[each.len() * 99 / 100]);

    let begun = Instant::now();
    let instance = &instance;
    stream::iter(0..ROUNDS * 20)
        .map(|_| async { instance.call(PluginOp::COMMAND, &EVENT, LONG).await.unwrap() })
        .buffer_unordered(64)
        .for_each(|_| std::future::ready(()))
        .await;
    println!("64 in flight: {:.0} events/s", f64::from(ROUNDS * 20) / begun.elapsed().as_secs_f64());
}
