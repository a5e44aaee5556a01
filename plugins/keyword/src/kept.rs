//! What does a value of the KV store say? It may be of another version of wxbot, or spoiled: what is not understood counts
//! as not there, and a swap compares with what stands there, whatever it is.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wxbot_plugin::prelude::*;

/// One value. `None` when it is of another shape, which the log says.
pub(crate) fn understood<T: DeserializeOwned>(key: &str, value: &Value) -> Option<T> {
    T::deserialize(value).inspect_err(|why| tracing::warn!(key, %why, "A value is of another shape.")).ok()
}

/// The entries of a map that are understood.
pub(crate) fn entries<T: DeserializeOwned>(key: &str, value: Option<&Value>) -> BTreeMap<String, T> {
    let map = value.and_then(Value::as_object);
    if value.is_some() && map.is_none() {
        tracing::warn!(key, "A value is of another shape.");
    }
    let entry = |(name, value): (&String, &Value)| Some((name.clone(), understood(key, value)?));
    map.into_iter().flatten().filter_map(entry).collect()
}

/// The entries of the map that stands under a key, and what stands there.
pub(crate) async fn map<T: DeserializeOwned>(
    cx: &Ctx,
    key: &str,
) -> Result<(Option<Value>, BTreeMap<String, T>), PluginError> {
    let was: Option<Value> = cx.kv_get(key).await?;
    let map = entries(key, was.as_ref());
    Ok((was, map))
}
