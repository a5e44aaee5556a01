//! How does an instance in a library answer? As one that is linked, with bytes in between.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_model::Event;
use wxbot_plugin::abi::asks::{Forget, Handle};
use wxbot_plugin::abi::{PluginOp, decode, encode};
use wxbot_plugin::host::{self, Answer, Call, CallMeta};
use wxbot_plugin::{PluginError, Verdict};

use super::instance::{Instance, Patience};

/// Behind the deadlines of those who call: they drop the future, which cancels the call.
const BACKSTOP: Duration = Duration::from_secs(60);

/// The steps of an end together take less than whoever waits for it.
const AT_THE_END: Patience =
    Patience { drain: Duration::from_secs(3), stop: Duration::from_secs(3), destroy: Duration::from_secs(1) };

/// One instance of a loaded plugin.
pub(super) struct Remote(Arc<Instance>);

impl Remote {
    pub(super) fn new(instance: Instance) -> Self {
        Self(Arc::new(instance))
    }
}

impl host::Instance for Remote {
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Answer, PluginError>> {
        let instance = Arc::clone(&self.0);
        Box::pin(async move {
            let op = if call.dialog.is_some() { PluginOp::RESUME } else { PluginOp::EVENT };
            let payload = encode(&Handle::from(call))?;
            Ok(decode(&instance.call(op, &payload, BACKSTOP).await?)?)
        })
    }

    fn forget(&self, dialog: u64) {
        if let Ok(payload) = encode(&Forget { dialog }) {
            self.0.tell(PluginOp::FORGET, &payload);
        }
    }

    fn guard(&self, event: Arc<Event>, meta: CallMeta) -> BoxFuture<'static, Result<Verdict, PluginError>> {
        let instance = Arc::clone(&self.0);
        Box::pin(async move {
            let payload = encode(&Handle { event, meta, dialog: None })?;
            Ok(decode(&instance.call(PluginOp::GUARD, &payload, BACKSTOP).await?)?)
        })
    }

    /// Frees it too. What hangs is left as it is, and the library is a zombie.
    fn stop(&self) -> BoxFuture<'static, ()> {
        let instance = Arc::clone(&self.0);
        Box::pin(async move {
            // The library notes and tells what hangs.
            _ = instance.retire(AT_THE_END).await;
        })
    }
}
