//! How does a [`Plugin`] answer through the shim? As one that is linked statically: both go through the same instance.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::asks::{Checked, Forget, Handle};
use super::link::HostLink;
use super::over::OverLink;
use super::shim::Library;
use super::wire::{decode, encode};
use super::words::{Fault, PluginOp, Status};
use crate::config::PluginConfig;
use crate::ctx::InitCtx;
use crate::host::Instance;
use crate::instance::Local;
use crate::plugin::{Plugin, PluginError};

/// An instance of an exported plugin: made, and after INIT running.
pub struct Exported<P> {
    settings: Value,
    host: HostLink,
    running: OnceLock<Local<P>>,
}

impl<P: Plugin> Library for P {
    type Instance = Exported<P>;

    /// The manifest, with the settings' `schema`.
    fn manifest() -> Vec<u8> {
        let manifest = serde_json::to_value(P::manifest()).unwrap_or_default();
        let mut object = if let Value::Object(object) = manifest { object } else { Map::new() };
        object.insert("schema".into(), P::Config::schema());
        Value::Object(object).to_string().into_bytes()
    }

    fn create(settings: Vec<u8>, host: HostLink) -> Result<Exported<P>, Fault> {
        let settings = serde_json::from_slice(&settings)
            .map_err(|e| Fault::new(Status::DECODE, format!("the settings are no JSON: {e}")))?;
        Ok(Exported { settings, host, running: OnceLock::new() })
    }

    async fn call(instance: &Exported<P>, op: PluginOp, payload: Vec<u8>) -> Result<Vec<u8>, Fault> {
        match op {
            PluginOp::INIT => instance.init(&payload).await,
            PluginOp::START | PluginOp::HEALTH => instance.running().map(|_| Vec::new()),
            PluginOp::EVENT | PluginOp::RESUME => {
                let call: Handle = decode(&payload)?;
                let answer = instance.running()?.call(call.into()).await.map_err(failed)?;
                encode(&answer)
            }
            PluginOp::GUARD => {
                let Handle { event, meta, dialog: _ } = decode(&payload)?;
                let verdict = instance.running()?.guard(event, meta).await.map_err(failed)?;
                encode(&verdict)
            }
            PluginOp::CHECK => {
                let init = init_of(&payload)?;
                let read = P::Config::read(&instance.settings, &init.place).map(|config| P::plan(&config));
                encode(&match read {
                    Ok(plan) => Checked { plan, ..Checked::default() },
                    Err(problems) => Checked { problems, ..Checked::default() },
                })
            }
            PluginOp::FORGET => {
                let Forget { dialog } = decode(&payload)?;
                instance.running()?.forget(dialog);
                Ok(Vec::new())
            }
            PluginOp::STOP => {
                if let Some(running) = instance.running.get() {
                    running.stop().await;
                }
                Ok(Vec::new())
            }
            _ => Err(Fault::of(Status::UNSUPPORTED)),
        }
    }
}

impl<P: Plugin> Exported<P> {
    async fn init(&self, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let host = Arc::new(OverLink(self.host));
        let running = Local::start(&self.settings, init_of(payload)?, host).await.map_err(failed)?;
        self.running.set(running).map_err(|_second| Fault::new(Status::BUSY, "it runs already"))?;
        Ok(Vec::new())
    }

    fn running(&self) -> Result<&Local<P>, Fault> {
        self.running.get().ok_or_else(|| Fault::new(Status::INTERNAL, "it was not started"))
    }
}

/// What the host says at the start; nothing said is the usual.
fn init_of(payload: &[u8]) -> Result<InitCtx, Fault> {
    if payload.is_empty() { Ok(InitCtx::new()) } else { decode(payload) }
}

fn failed(error: PluginError) -> Fault {
    Fault { retryable: true, ..Fault::new(Status::ERROR, error.to_string()) }
}

impl<P> fmt::Debug for Exported<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exported").field("running", &self.running.get().is_some()).finish_non_exhaustive()
    }
}
