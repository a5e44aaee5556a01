//! What can a plugin do to its host? All of it, as the tests order.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxbot_plugin::abi::shim::Library;
use wxbot_plugin::abi::{Fault, HostLink, HostOp, PluginOp, Status, decode};
use wxbot_plugin::export_plugin;

/// What it shall do with an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Give back what came.
    Echo {
        /// This.
        text: String,
    },
    /// Say which build it is.
    Build,
    /// Panic at the first poll.
    PanicEarly,
    /// Panic after some time.
    PanicLate,
    /// Panic in a destructor when the call is cancelled, or at its end.
    PanicDropping,
    /// Panic in a task of its own.
    PanicElsewhere,
    /// Answer after some time.
    Sleep {
        /// How long.
        ms: u64,
    },
    /// Hold the thread.
    Block {
        /// How long.
        ms: u64,
    },
    /// Fail with words.
    Fail,
    /// Ask the host, and answer what it says.
    Ask {
        /// What.
        op: u32,
        /// With this.
        text: String,
    },
    /// Ask the host after some time, in a task of its own.
    AskLater {
        /// How long.
        ms: u64,
    },
    /// What became of that.
    Later,
    /// Log at every level, with `tracing` and `log`.
    Log,
}

static LATER: Mutex<String> = Mutex::new(String::new());

/// The plugin.
#[derive(Debug)]
pub struct Probe;

/// An instance that knows its settings.
#[derive(Debug)]
pub struct Instance {
    settings: Vec<u8>,
    host: HostLink,
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped on purpose");
        }
    }
}

impl Library for Probe {
    type Instance = Instance;

    fn manifest() -> Vec<u8> {
        br#"{"id":"probe","about":"Does as it is told."}"#.to_vec()
    }

    fn create(settings: Vec<u8>, host: HostLink) -> Result<Instance, Fault> {
        match &*settings {
            b"refuse" => Err(Fault { code: "no_settings".into(), ..Fault::new(Status::ERROR, "not with these") }),
            b"panic" => panic!("created on purpose"),
            b"hang" => {
                block(60_000);
                Err(Fault::of(Status::ERROR))
            }
            _ => Ok(Instance { settings, host }),
        }
    }

    async fn call(instance: &Instance, op: PluginOp, payload: Vec<u8>) -> Result<Vec<u8>, Fault> {
        match op {
            PluginOp::INIT => Ok(instance.settings.clone()),
            PluginOp::EVENT => obey(decode(&payload)?, instance.host).await.map(String::into_bytes),
            PluginOp::COMMAND => Ok(payload),
            PluginOp::STOP if instance.settings == b"hang at stop" => std::future::pending().await,
            PluginOp::STOP if instance.settings == b"block at stop" => {
                block(60_000);
                Ok(Vec::new())
            }
            PluginOp::STOP => Ok(Vec::new()),
            _ => Err(Fault::of(Status::UNSUPPORTED)),
        }
    }
}

async fn obey(order: Order, host: HostLink) -> Result<String, Fault> {
    match order {
        Order::Echo { text } => Ok(text),
        Order::Build => Ok(if cfg!(feature = "second") { "second" } else { "first" }.into()),
        Order::PanicEarly => panic!("early on purpose"),
        Order::PanicLate => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            panic!("late on purpose")
        }
        Order::PanicDropping => {
            let _dropped = PanicsWhenDropped;
            std::future::pending().await
        }
        Order::PanicElsewhere => {
            // The task is watched to its end: that is the order.
            let task = tokio::runtime::Handle::current().spawn(async { panic!("elsewhere on purpose") });
            Ok(format!("{}", task.await.is_err_and(|error| error.is_panic())))
        }
        Order::Sleep { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok("slept".into())
        }
        Order::Block { ms } => {
            block(ms);
            Ok("blocked".into())
        }
        Order::Fail => Err(Fault { code: "sorry".into(), ..Fault::new(Status::DENIED, "on purpose") }),
        Order::Ask { op, text } => text_of(host.call(HostOp(op), text.as_bytes()).await?),
        Order::AskLater { ms } => {
            tokio::runtime::Handle::current().spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                let answer = host.call(HostOp::LOOKUP, b"").await;
                *LATER.lock().unwrap_or_else(PoisonError::into_inner) = format!("{:?}", answer.map_err(|f| f.status));
            });
            Ok(String::new())
        }
        Order::Later => Ok(LATER.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        Order::Log => {
            tracing::error!(len = 3, "an error");
            tracing::info!("an info");
            tracing::debug!("a detail");
            log::warn!("a warning of {}", "log");
            log::trace!("nothing");
            Ok(String::new())
        }
    }
}

fn text_of(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|e| Fault::new(Status::DECODE, e.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "holding the thread is the order")]
fn block(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

export_plugin!(Probe);
