//! Does a library of another compiler work? A nightly one, where there is one.

use std::process::Command;

use wxbot_test_probe::Order;

use crate::host::{LONG, instance, order, status};
use crate::making::{Build, rust};
use crate::skip;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_of_another_compiler_answers() {
    let mut nightly = Command::new("cargo");
    nightly.args(["+nightly", "--version"]).env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    if !nightly.output().is_ok_and(|output| output.status.success()) {
        return skip::note("a_library_of_another_compiler_answers", "there is no `cargo +nightly`").unwrap();
    }
    let path = rust("wxbot-test-probe", Build { toolchain: Some("nightly"), ..Build::default() });
    let (instance, _host) = instance(&path).await;
    assert_eq!(order(&instance, Order::Echo { text: "hi".into() }, LONG).await.unwrap(), "hi");
    assert_eq!(order(&instance, Order::Ask { op: 4, text: "anna".into() }, LONG).await.unwrap(), "found anna");
    let panicked = order(&instance, Order::PanicLate, LONG).await;
    assert_eq!(status(panicked), wxbot_plugin::abi::Status::PANIC);
}
