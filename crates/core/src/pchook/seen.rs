//! Which message do these bytes belong to? The hook tells a picture before it has it, and tells again when it has.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use wxbot_model::{MsgId, PeerId};

/// A download takes seconds; the hook gives up long before.
const MEMORY_MS: i64 = 600_000;
/// In the cursor, so few.
const MOST: usize = 64;

/// Media messages of late.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Seen(VecDeque<Original>);

/// A message whose bytes may come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Original {
    pub(super) id: MsgId,
    /// Of its content; empty when not stated.
    pub(super) md5: String,
    pub(super) chat: PeerId,
    pub(super) at_ms: i64,
}

impl Seen {
    /// Remembers a message.
    pub(super) fn remember(&mut self, original: Original) {
        self.0.retain(|known| known.id != original.id && original.at_ms.saturating_sub(known.at_ms) <= MEMORY_MS);
        self.0.push_back(original);
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// The message of that id; else the oldest of that content. The samples have another id in the second push than in
    /// the first, so the content must do. Each is found by its content once: the next push is of the next message.
    pub(super) fn find(&mut self, id: &str, md5: &str, now_ms: i64) -> Option<Original> {
        if let Some(known) = self.0.iter().find(|known| known.id.as_str() == id) {
            return Some(known.clone());
        }
        let same = |known: &Original| known.md5 == md5 && now_ms.saturating_sub(known.at_ms) <= MEMORY_MS;
        let at = self.0.iter().position(same).filter(|_| !md5.is_empty())?;
        self.0.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(id: &str, md5: &str, at_ms: i64) -> Original {
        Original { id: id.parse().unwrap(), md5: md5.into(), chat: "a".parse().unwrap(), at_ms }
    }

    #[test]
    fn by_id_then_by_content() {
        let mut seen = Seen::default();
        for one in [original("1", "x", 0), original("2", "x", 1), original("3", "", 2)] {
            seen.remember(one);
        }
        let mut found = |id: &str, md5: &str, now_ms| seen.find(id, md5, now_ms).map(|known| known.id.to_string());
        for (id, md5, now_ms, want) in [
            ("2", "x", 3, Some("2")),
            ("9", "", 3, None),
            ("9", "y", 3, None),
            ("9", "x", MEMORY_MS + 1, Some("2")),
            ("9", "x", 3, Some("1")),
            ("9", "x", 3, None),
        ] {
            assert_eq!(found(id, md5, now_ms).as_deref(), want, "{id} {md5} {now_ms}");
        }
    }

    #[test]
    fn few_are_kept() {
        let mut seen = Seen::default();
        for n in 0..1000 {
            seen.remember(original(&n.to_string(), "", 0));
        }
        assert_eq!(seen.0.len(), MOST);
        seen.remember(original("new", "", MEMORY_MS + 1));
        assert_eq!(seen.0.len(), 1);
    }
}
