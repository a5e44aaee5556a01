//! Which host do the libraries of tests talk to? One that answers, remembers, and panics when it is told to.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_plugin::abi::{Fault, HostOp, LogLevel, LogRecord, PluginOp, Status, encode};
use wxbot_runtime::plugin::dylib::{CallError, HostCalls, Instance, LoadOptions, LoadedLibrary, load};
use wxbot_test_probe::Order;

/// Long enough on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(crate) struct TestHost {
    pub(crate) records: Mutex<Vec<LogRecord>>,
    pub(crate) panics: AtomicBool,
}

impl HostCalls for TestHost {
    fn call(&self, op: HostOp, payload: Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Fault>> {
        match op {
            HostOp::LOOKUP => Box::pin(async move { Ok([b"found ", &*payload].concat()) }),
            HostOp::ACTION => panic!("the host, on purpose"),
            HostOp::MEDIA => Box::pin(async {
                tokio::task::yield_now().await;
                panic!("the host's future, on purpose")
            }),
            _ => Box::pin(std::future::ready(Err(Fault::of(Status::DENIED)))),
        }
    }

    fn log(&self, record: LogRecord) {
        self.records.lock().unwrap().push(record);
        assert!(!self.panics.load(Ordering::SeqCst), "the host's log, on purpose");
    }

    fn log_level(&self) -> LogLevel {
        LogLevel::INFO
    }
}

impl TestHost {
    pub(crate) fn said(&self) -> Vec<String> {
        self.records.lock().unwrap().iter().map(|record| record.message.clone()).collect()
    }
}

/// A folder for private copies.
pub(crate) fn options() -> LoadOptions {
    LoadOptions::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("private-{}", std::process::id())))
}

pub(crate) async fn library(path: &Path) -> Arc<LoadedLibrary> {
    load(path, options()).await.unwrap()
}

/// An instance of the library, started.
pub(crate) async fn instance(path: &Path) -> (Arc<Instance>, Arc<TestHost>) {
    instance_with(path, b"{}").await
}

pub(crate) async fn instance_with(path: &Path, settings: &[u8]) -> (Arc<Instance>, Arc<TestHost>) {
    let host = Arc::new(TestHost::default());
    let instance = library(path).await.create(settings.to_vec(), host.clone(), LONG).await.unwrap();
    instance.call(PluginOp::INIT, b"", LONG).await.unwrap();
    (Arc::new(instance), host)
}

pub(crate) async fn order(instance: &Instance, order: Order, deadline: Duration) -> Result<String, CallError> {
    let reply = instance.call(PluginOp::EVENT, &encode(&order).unwrap(), deadline).await;
    reply.map(|bytes| String::from_utf8(bytes).unwrap())
}

/// The status that a call ended with.
pub(crate) fn status<T: std::fmt::Debug>(result: Result<T, CallError>) -> Status {
    match result.unwrap_err() {
        CallError::Fault(fault) => fault.status,
        other @ (CallError::Timeout { .. } | CallError::Retiring) => panic!("{other}"),
    }
}

/// Waits until nothing is in flight.
pub(crate) async fn quiet(instance: &Instance) {
    let all_ended = async {
        while instance.in_flight() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LONG, all_ended).await.expect("every call ends");
}
