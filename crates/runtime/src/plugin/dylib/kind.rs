//! How does a library stand beside the plugins that are linked? As another kind, opened from a shelf of files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use wxbot_plugin::abi::asks::Checked;
use wxbot_plugin::abi::{Fault, HostOp, LogLevel, LogRecord, PluginOp, Status, decode, encode};
use wxbot_plugin::host::{Host, Making, PluginFactory, PluginKind};
use wxbot_plugin::{ConfigProblem, InitCtx, Manifest, Plan, PluginError};

use super::aside::{aside_waiting, begin};
use super::bridge::Bridge;
use super::host::HostCalls;
use super::image::{NotASha256, Sha256};
use super::instance::{CallError, Instance, Patience};
use super::load::{LoadOptions, LoadedLibrary, load_waiting};
use super::refusal::{LoadError, Refusal};
use super::remote::Remote;
use crate::config::{Libraries, Refusal as NotTaken};

/// How long making an instance may take: it only keeps its settings.
const CREATE: Duration = Duration::from_secs(3);
/// Behind the deadline of whoever starts a plugin.
const START: Duration = Duration::from_secs(20);
/// Looking at settings is reading; nothing should wait there.
const CHECK: Duration = Duration::from_secs(3);
const SOON: Patience = {
    let half = Duration::from_millis(500);
    Patience { drain: half, stop: half, destroy: half }
};

/// A plugin in a loaded library.
#[derive(Debug)]
pub struct Dylib {
    library: Arc<LoadedLibrary>,
    manifest: Manifest,
    build: String,
}

impl Dylib {
    /// The plugin of this library.
    ///
    /// # Errors
    /// When its manifest is none.
    pub fn new(library: Arc<LoadedLibrary>) -> Result<Self, Refusal> {
        let manifest = serde_json::from_value(library.manifest().clone());
        let manifest = manifest.map_err(|e| Refusal::BadManifest { why: e.to_string() })?;
        let build = library.sha256().to_string();
        Ok(Self { library, manifest, build })
    }

    /// Its library.
    pub fn library(&self) -> &Arc<LoadedLibrary> {
        &self.library
    }
}

impl PluginKind for Dylib {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Asks the library, which judges without starting anything. One that does not know the question finds no fault.
    fn plan(&self, settings: &Value, init: &InitCtx) -> Result<Plan, Vec<ConfigProblem>> {
        let (library, settings, init) = (Arc::clone(&self.library), settings.to_string(), init.clone());
        let checked = aside_waiting("wxbot-check", CHECK + SOON.stop * 4, move || {
            on_this_thread(check(&library, settings.into_bytes(), &init))
                .unwrap_or_else(|e| Err(Fault::new(Status::INTERNAL, e.to_string())))
        });
        let wrong = |message: String| Err(vec![ConfigProblem::at("", message)]);
        match checked {
            Ok(Ok(Checked { problems, plan })) if problems.is_empty() => Ok(plan),
            Ok(Ok(Checked { problems, .. })) => Err(problems),
            Ok(Err(fault)) => wrong(format!("the plugin cannot read its settings: {fault}")),
            Err(_hangs) => wrong("the plugin hangs while it reads its settings".to_owned()),
        }
    }

    fn schema(&self) -> Value {
        self.library.manifest().get("schema").cloned().unwrap_or_else(|| json!({ "type": "object" }))
    }

    fn make(&self, settings: Value, init: InitCtx, host: Arc<dyn Host>) -> Making {
        let (library, bridge) = (Arc::clone(&self.library), Bridge::new(host, &self.manifest.id));
        Box::pin(async move {
            if !library.is_fit() {
                return Err(PluginError::msg("its library hangs; a reload opens it anew"));
            }
            let instance = library.create(settings.to_string().into_bytes(), Arc::new(bridge), CREATE).await?;
            let mut unadopted = Unadopted(Some(instance));
            if let Some(instance) = &unadopted.0 {
                start(instance, &init).await?;
            }
            let adopted = unadopted.0.take().ok_or_else(|| PluginError::msg("it is gone"))?;
            Ok(Arc::new(Remote::new(adopted)) as Arc<_>)
        })
    }

    fn build(&self) -> &str {
        &self.build
    }
}

/// An instance that nobody uses yet. When its start fails, or is given up, it is ended aside.
struct Unadopted(Option<Instance>);

impl Drop for Unadopted {
    fn drop(&mut self) {
        let Some(instance) = self.0.take() else { return };
        // Without a thread it is left as it is.
        _ = begin("wxbot-retire", move || on_this_thread(instance.retire(Patience::default())), drop);
    }
}

/// Runs a future to its end.
fn on_this_thread<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(work))
}

async fn start(instance: &Instance, init: &InitCtx) -> Result<(), CallError> {
    let init = encode(init).map_err(CallError::Fault)?;
    instance.call(PluginOp::INIT, &init, START).await?;
    instance.call(PluginOp::START, b"", START).await?;
    Ok(())
}

async fn check(library: &Arc<LoadedLibrary>, settings: Vec<u8>, init: &InitCtx) -> Result<Checked, Fault> {
    let instance = library.create(settings, Arc::new(Deaf), CHECK).await;
    let instance = instance.map_err(|e| Fault::new(Status::ERROR, e.to_string()))?;
    let checked = match encode(init) {
        Ok(init) => instance.call(PluginOp::CHECK, &init, CHECK).await,
        Err(fault) => Err(CallError::Fault(fault)),
    };
    if matches!(checked, Err(CallError::Timeout { .. })) {
        // Its one thread is busy with a handler, which is no fault of the library.
        _ = begin("wxbot-retire", move || on_this_thread(instance.retire(Patience::default())), drop);
    } else {
        _ = instance.retire(SOON).await;
    }
    match checked {
        Ok(checked) => decode(&checked),
        Err(CallError::Fault(fault)) if fault.status == Status::UNSUPPORTED => Ok(Checked::default()),
        Err(CallError::Fault(fault)) => Err(fault),
        Err(CallError::Timeout { .. } | CallError::Retiring) => {
            Err(Fault::new(Status::TIMEOUT, "it is busy with other things; try again"))
        }
    }
}

/// The host of an instance that only looks at settings.
struct Deaf;

impl HostCalls for Deaf {
    fn call(&self, _op: HostOp, _payload: Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Fault>> {
        Box::pin(std::future::ready(Err(Fault::of(Status::DENIED))))
    }

    fn log(&self, record: LogRecord) {
        tracing::debug!(at = record.target, "{}", record.message);
    }

    fn log_level(&self) -> LogLevel {
        LogLevel::ERROR
    }
}

/// Opens plugins from files, for `path` and `sha256` of `bot.toml`.
pub struct Shelf {
    private: PathBuf,
}

impl Shelf {
    /// Private copies go into this folder while they are opened.
    pub fn new(private: impl Into<PathBuf>) -> Self {
        Self { private: private.into() }
    }

    fn take(&self, path: &Path, pinned: Option<Sha256>) -> Result<Dylib, LoadError> {
        let options = LoadOptions { pinned, ..LoadOptions::new(&self.private) };
        let library = load_waiting(path, options)?;
        Dylib::new(library).map_err(|refusal| LoadError { path: path.to_owned(), refusal })
    }
}

impl Libraries for Shelf {
    fn open(&self, path: &Path, sha256: Option<&str>) -> Result<PluginFactory, NotTaken> {
        let pinned = sha256.map(str::parse).transpose().map_err(|error: NotASha256| NotTaken {
            message: error.to_string(),
            help: "write what `sha256sum` says of the file".into(),
            hash: true,
        })?;
        match self.take(path, pinned) {
            Ok(plugin) => Ok(PluginFactory::new(Arc::new(plugin))),
            Err(LoadError { path: _, refusal }) => Err(NotTaken {
                message: refusal.to_string(),
                help: refusal.cure().into(),
                hash: matches!(refusal, Refusal::WrongHash { .. }),
            }),
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({})", self.private.display())
    }
}
