//! How does a handler keep a value? It takes a [`Stored`], changes it, and the change is committed with its answer.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ctx::Ctx;
use crate::effects::Effects;
use crate::extract::{Asked, Extract, Miss};
use crate::plugin::PluginError;

/// A value of the plugin's KV store for this account, under the argument's name; [`Default`] until it is set.
///
/// When the handler has changed it, it is written with the handler's effects, as a [swap](Effects::swap): if another
/// handler changed the value meanwhile, nothing of this answer is done and the event is handled anew, so that no change
/// is lost. In a handler that [asks](Ctx::ask) it is the value of before the question; the longer people take to answer,
/// the more often that is too old, so keep such a value with [`Ctx::kv_get`] after the last question instead.
///
/// ```
/// # use wxbot_plugin::prelude::*;
/// #[derive(Default)]
/// struct Counter;
///
/// #[plugin(id = "counter")]
/// impl Counter {
///     /// 数一数
///     #[command("数")]
///     fn count(&self, mut seen: Stored<u64>) -> String {
///         *seen += 1;
///         format!("第 {} 次", *seen)
///     }
/// }
/// ```
pub struct Stored<T: Serialize> {
    value: T,
    key: &'static str,
    was: Option<Value>,
    /// The value as it was read, written anew: defaults and new fields alone are no change.
    read: Value,
    touched: bool,
    kept: Arc<Kept>,
}

impl<'a, P, T: Serialize + DeserializeOwned + Default + Send> Extract<'a, P> for Stored<T> {
    async fn extract(asked: &'a Asked<'a>, name: &'static str) -> Result<Self, Miss> {
        let was = asked.kept.read(asked.cx, name).await?;
        let value = was.as_ref().map(T::deserialize).transpose()?.unwrap_or_default();
        let read = serde_json::to_value(&value)?;
        Ok(Self { value, key: name, was, read, touched: false, kept: Arc::clone(&asked.kept) })
    }
}

impl<T: Serialize> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.touched = true;
        &mut self.value
    }
}

impl<T: Serialize> Drop for Stored<T> {
    fn drop(&mut self) {
        if !self.touched {
            return;
        }
        match serde_json::to_value(&self.value) {
            Ok(now) if now == self.read => {}
            Ok(now) => self.kept.change(self.key.to_owned(), self.was.take(), Some(now)),
            Err(error) => self.kept.fail(error.into()),
        }
    }
}

impl<T: Serialize + fmt::Debug> fmt::Debug for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stored").field(&self.value).finish()
    }
}

/// Values that the handlers of one event changed: what a later one reads, and what is committed.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// As handlers that ended well left them.
    left: HashMap<String, Option<Value>>,
    /// Of the handler that runs: key, what it was, what it becomes.
    changes: Vec<(String, Option<Value>, Option<Value>)>,
    failed: Option<PluginError>,
}

impl Kept {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A value as the handlers before left it, else as committed.
    pub(crate) async fn read(&self, cx: &Ctx, key: &str) -> Result<Option<Value>, PluginError> {
        match self.with(|state| state.left.get(key).cloned()) {
            Some(left) => Ok(left),
            None => cx.kv_get(key).await,
        }
    }

    pub(crate) fn change(&self, key: String, was: Option<Value>, now: Option<Value>) {
        self.with(|state| state.changes.push((key, was, now)));
    }

    pub(crate) fn fail(&self, error: PluginError) {
        self.with(|state| state.failed = Some(error));
    }

    /// The handler ended well: what it changed.
    pub(crate) fn commit(&self) -> Result<Effects, PluginError> {
        self.with(|state| {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            let mut effects = Effects::none();
            for (key, was, now) in state.changes.drain(..) {
                effects = effects.swap(key.clone(), was.as_ref(), now.as_ref())?;
                state.left.insert(key, now);
            }
            Ok(effects)
        })
    }

    /// The handler did not end well: what it changed never was.
    pub(crate) fn discard(&self) {
        self.with(|state| {
            state.changes.clear();
            state.failed = None;
        });
    }

    /// Everything was committed, and others may have changed it since.
    pub(crate) fn forget(&self) {
        self.with(|state| state.left.clear());
    }
}
