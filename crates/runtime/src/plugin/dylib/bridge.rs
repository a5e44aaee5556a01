//! What does the host answer when a library asks? What it answers to plugins that are linked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tracing::level_filters::LevelFilter;
use wxbot_model::Capability;
use wxbot_plugin::abi::asks::{Act, Fetch, Fetched, KvGet, KvList, Lookup, Release};
use wxbot_plugin::abi::{Fault, HostOp, LogLevel, LogRecord, Status, decode, encode};
use wxbot_plugin::host::Host;
use wxbot_plugin::{MediaError, MediaFile, PluginError};

use super::host::HostCalls;

/// Files that one instance may hold at once. A plugin that never lets go would fill the media folder.
const MOST_HELD: usize = 10_000;

/// One instance's questions, answered by the runtime's host.
pub(super) struct Bridge {
    host: Arc<dyn Host>,
    plugin: Arc<str>,
    held: Arc<Held>,
}

/// Files that stay in their place because the plugin has them.
#[derive(Default)]
struct Held(Mutex<(u64, HashMap<u64, MediaFile>)>);

impl Bridge {
    pub(super) fn new(host: Arc<dyn Host>, plugin: &str) -> Self {
        Self { host, plugin: plugin.into(), held: Arc::default() }
    }
}

impl HostCalls for Bridge {
    fn call(&self, op: HostOp, payload: Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Fault>> {
        let (host, plugin, held) = (Arc::clone(&self.host), Arc::clone(&self.plugin), Arc::clone(&self.held));
        Box::pin(async move {
            match op {
                HostOp::ACTION => {
                    let Act { account, action } = decode(&payload)?;
                    encode(&host.send_now(&plugin, &account, action).await.map_err(failed)?)
                }
                HostOp::KV_GET => {
                    let KvGet { account, key } = decode(&payload)?;
                    encode(&host.kv_get(&plugin, &account, &key).await.map_err(failed)?)
                }
                HostOp::KV_LIST => {
                    let KvList { account, prefix, page } = decode(&payload)?;
                    encode(&host.kv_list(&plugin, &account, &prefix, page).await.map_err(failed)?)
                }
                HostOp::LOOKUP => match decode(&payload)? {
                    Lookup::Contacts { account, query } => encode(&host.find_contacts(&account, &query)),
                    Lookup::Contact { account, id } => encode(&host.contact(&account, &id)),
                    Lookup::Members { account, room } => encode(&host.members(&account, &room).await.map_err(failed)?),
                    Lookup::Capabilities { account } => {
                        let can = host.capabilities(&account);
                        let words = Capability::ALL.into_iter().filter(|one| can.has(*one)).map(Capability::word);
                        encode(&words.collect::<Vec<_>>())
                    }
                    Lookup::People { account, role, room } => encode(&host.people(&account, &role, room.as_ref())),
                    Lookup::Budget { account, chat } => encode(&host.budget(&account, &chat).await.map_err(failed)?),
                    Lookup::Unknown | _ => Err(Fault::of(Status::UNSUPPORTED)),
                },
                HostOp::MEDIA => {
                    let fetched = match decode(&payload)? {
                        Fetch::Media { account, media, name } => host.media(&account, &media, &name).await,
                        Fetch::Avatar { account, of, room } => host.avatar(&account, &of, room.as_ref()).await,
                        Fetch::Unknown | _ => return Err(Fault::of(Status::UNSUPPORTED)),
                    };
                    encode(&fetched.and_then(|file| held.keep(file)))
                }
                HostOp::RELEASE => {
                    let Release { hold } = decode(&payload)?;
                    drop(held.let_go(hold));
                    Ok(Vec::new())
                }
                _ => Err(Fault::of(Status::UNSUPPORTED)),
            }
        })
    }

    fn log(&self, LogRecord { level, target, message, fields }: LogRecord) {
        let plugin = &*self.plugin;
        let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        match level {
            LogLevel::ERROR => tracing::error!(plugin, at = target, "{message}{fields}"),
            LogLevel::WARN => tracing::warn!(plugin, at = target, "{message}{fields}"),
            LogLevel::DEBUG => tracing::debug!(plugin, at = target, "{message}{fields}"),
            LogLevel::TRACE => tracing::trace!(plugin, at = target, "{message}{fields}"),
            _ => tracing::info!(plugin, at = target, "{message}{fields}"),
        }
    }

    fn log_level(&self) -> LogLevel {
        match LevelFilter::current() {
            LevelFilter::OFF => LogLevel::OFF,
            LevelFilter::ERROR => LogLevel::ERROR,
            LevelFilter::WARN => LogLevel::WARN,
            LevelFilter::INFO => LogLevel::INFO,
            LevelFilter::DEBUG => LogLevel::DEBUG,
            LevelFilter::TRACE => LogLevel::TRACE,
        }
    }
}

impl Held {
    fn keep(&self, file: MediaFile) -> Result<Fetched, MediaError> {
        let (stored, file_type, path) = (file.stored().clone(), file.file_type(), file.path().to_owned());
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, files) = &mut *guard;
        if files.len() >= MOST_HELD {
            return Err(MediaError::NoRoom { why: format!("the plugin holds {MOST_HELD} files") });
        }
        *last += 1;
        files.insert(*last, file);
        Ok(Fetched { stored, file_type, path, hold: *last })
    }

    fn let_go(&self, hold: u64) -> Option<MediaFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&hold)
    }
}

fn failed(error: PluginError) -> Fault {
    Fault { retryable: true, ..Fault::new(Status::ERROR, error.to_string()) }
}
