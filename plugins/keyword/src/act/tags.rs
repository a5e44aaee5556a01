//! What is remembered of a person? Words, each with when it was last earned and how often, under `tag:<person>`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wxbot_plugin::prelude::*;

use crate::kept;

/// Tags of one person; those that were not earned for the longest time are forgotten first.
const MOST: usize = 32;

/// How a tag was earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) count: u64,
}

/// Adds tags to those of a person. The same person may speak in two chats at once: then one of the events is handled anew.
pub(super) async fn remember(
    cx: &Ctx,
    person: &ContactId,
    tags: &[String],
    now_ms: i64,
) -> Result<Effects, PluginError> {
    if tags.is_empty() {
        return Ok(Effects::none());
    }
    let key = format!("tag:{person}");
    let (was, mut now): (_, BTreeMap<String, Tag>) = kept::map(cx, &key).await?;
    for tag in tags {
        let count = now.get(tag).map_or(0, |tag| tag.count).saturating_add(1);
        now.insert(tag.clone(), Tag { at_ms: now_ms, count });
    }
    while now.len() > MOST {
        let oldest = now.iter().min_by_key(|(_, tag)| tag.at_ms).map(|(tag, _)| tag.clone());
        oldest.and_then(|oldest| now.remove(&oldest));
    }
    Ok(Effects::none().swap(key, was.as_ref(), Some(&now))?)
}
