//! Does the model's side talk to a server that other people wrote? To the LiteLLM proxy, as a process, without weights.
//!
//! `cargo xtask test` installs it (`tests/clients/litellm.txt`) and names its Python in `WXBOT_LITELLM`; without, the test
//! is skipped and says so. The proxy's `mock_response` streams as a model would.
#![cfg(all(feature = "llm", unix))]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

#[path = "../src/llm/tests/log.rs"]
mod log;
#[allow(dead_code, reason = "one of its two items is for xtask")]
#[path = "../../../tests/support/skip.rs"]
mod skip;
#[path = "../../../tests/support/wait.rs"]
mod wait;

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use wxbot_auto_reply::llm::{Asked, Llm, LlmSettings};
use wxbot_plugin::config::Place;
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::Kit;

use crate::log::Log;

/// It takes 5 to 8 s on two idle cores, most of it for imports; three times that the first time, when they are compiled.
const STARTS_WITHIN: Duration = Duration::from_secs(90);
const KEY: &str = "sk-test-1234";

/// A plugin that lets the model answer everything.
struct Talk(Llm);

impl Plugin for Talk {
    type Config = LlmSettings;

    fn manifest() -> Manifest {
        Manifest::new("talk", "Lets a model answer.")
    }

    async fn init(config: LlmSettings, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self(Llm::new(config)?))
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        Ok(self.0.answer(Asked::new(event.text().unwrap_or_default(), "2026-01-01"), cx).await?.effects)
    }
}

/// The proxy as a process; it ends with this value.
struct Proxy {
    child: Child,
    url: String,
    log_file: PathBuf,
}

impl Proxy {
    fn start(python: &Path, folder: &Path, locked: &str) -> io::Result<Self> {
        // Nobody else takes it in the moment until the proxy does: the kernel gives other ports first.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/litellm.yaml");
        let log = folder.join("litellm.log");
        let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
        let mut command = Command::new(python.with_file_name("litellm"));
        command.arg("--config").arg(config).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        // It asks nobody: no prices from the network, no telemetry, no proxy.
        for (name, value) in [
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
            ("LITELLM_TELEMETRY", "False"),
            ("HF_HUB_OFFLINE", "1"),
            ("NO_PROXY", "*"),
            ("LOCKED_SERVICE", locked),
        ] {
            command.env(name, value);
        }
        let child = command.current_dir(folder).stdin(Stdio::null()).stdout(out).stderr(err).spawn()?;
        let mut proxy = Self { child, url: format!("http://127.0.0.1:{port}/v1"), log_file: log };
        // It listens when it is ready.
        wait::until("the LiteLLM proxy to listen", STARTS_WITHIN, || match proxy.child.try_wait()? {
            Some(status) => panic!("the proxy has ended ({status}): {}", proxy.log()),
            None => TcpStream::connect(("127.0.0.1", port)).map(Some),
        })
        .map_err(|error| io::Error::other(format!("{error}\n{}", proxy.log())))?;
        Ok(proxy)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log_file).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A bot over the proxy, whose own port and environment are real.
async fn bot(proxy: &Proxy, more: Value) -> Kit<Talk> {
    let mut settings = json!({ "endpoint": proxy.url, "model": "mock", "key": { "env": "KEY" }, "fallback": "F",
                               "retries": 0, "tokens_per_day": 1_000_000 });
    for (key, value) in more.as_object().unwrap() {
        _ = settings.as_object_mut().unwrap().insert(key.clone(), value.clone());
    }
    settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let mut init = InitCtx::new();
    init.place = Place::default().with_env([("KEY", KEY), ("WRONG", "sk-wrong")]);
    Kit::start_at(settings, init).await.unwrap()
}

/// A service that takes no key; its base URL.
async fn locked(tasks: &mut JoinSet<()>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let body = r#"{"error":{"message":"no","type":"invalid_request_error","code":"invalid_api_key"}}"#;
    let head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16 * 1024];
            _ = stream.read(&mut request).await;
            _ = stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_litellm_proxy_answers() {
    let Some(python) = std::env::var_os("WXBOT_LITELLM").map(PathBuf::from) else {
        let why = std::env::var("WXBOT_NO_LITELLM");
        let why =
            why.unwrap_or_else(|_| "WXBOT_LITELLM names no Python with it; `cargo xtask test` makes one".to_owned());
        eprintln!("skipped: {why}");
        return skip::note("real server LiteLLM proxy", &why).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let locked = locked(&mut tasks).await;
    let proxy = Proxy::start(&python, folder.path(), &locked).unwrap();

    let good = bot(&proxy, json!({})).await;
    for question in ["在吗?", "你是谁?"] {
        let heard = good.user("alice").say(question).await;
        assert_eq!(heard.replies(), ["你好,我是模型。"], "{}", proxy.log());
    }
    // By its own count, which its last chunk brings: 16 of an answer without history.
    let used: Value = good.kv("llm:day").unwrap().unwrap();
    assert_eq!(used["answers"], 2);
    assert!((16..200).contains(&used["tokens"].as_u64().unwrap()), "{used}");

    let (log, _guard) = Log::collect();
    for (name, more, want) in [
        // Without a database it cannot look keys up, and says 400 to a wrong one.
        ("a wrong key", json!({ "key": { "env": "WRONG" } }), "HTTP 400: 400, no_db_connection"),
        ("no key", json!({ "key": null }), "HTTP 500"),
        ("a service that does not take the proxy's key", json!({ "model": "locked" }), "refuses the request (HTTP 401"),
        ("an unknown model", json!({ "model": "none" }), "HTTP 400: 400, invalid_request_error"),
        ("a wrong address", json!({ "endpoint": format!("{}/x", proxy.url) }), "HTTP 404"),
        ("a rate limit", json!({ "model": "busy" }), "busy (HTTP 429: 429, throttling_error"),
        ("an overloaded model", json!({ "model": "breaks" }), "busy (HTTP 529: 529"),
    ] {
        let bot = bot(&proxy, more).await;
        assert_eq!(bot.user("alice").say("在吗?").await.replies(), ["F"], "{name}: {}", proxy.log());
        let told = log.told();
        assert!(told.len() == 1 && told[0].contains(want), "{name}: {told:?}");
    }
}
