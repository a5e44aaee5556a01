//! Is the same said again and again? By one member, or by several, in whatever spelling; in a table of fixed size per room.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use wxbot_plugin::prelude::*;
use wxbot_plugin::text::fold;

use super::offence::Offence;
use super::state::MemberKey;
use crate::ladder::Rung;

/// Different messages that a room's table holds; the one that was heard of longest ago goes first.
const KEPT: usize = 64;
/// Members that are told apart for one message. Crowds are larger than `by_several` may ask for.
const SPEAKERS: usize = 10;

/// The same message again and again.
#[derive(Debug, PluginConfig)]
pub struct Repeats {
    /// How often one member may say the same; the next time is one too many. Stickers count too.
    #[config(default = 3, range = 1..=50)]
    pub times: u8,
    /// How many members may say the same; then the room is asked to stop, once a minute, and nobody gets a strike. 0:
    /// any number.
    #[config(default = 0, range = 0..=9)]
    pub by_several: u8,
    /// How long after the last time it is a repetition.
    #[config(default = "60s", range = "1s"..="1h")]
    pub within: Duration,
    /// Shorter texts may be repeated: 好, +1.
    #[config(default = 4, range = 1..=100)]
    pub min_chars: usize,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// What was said in a room lately, as hashes.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    hash: u64,
    last_ms: i64,
    by: Speakers,
}

/// Members and how often each said it; the first few, the others are not counted.
type Speakers = [(MemberKey, u8); SPEAKERS];

impl Repeats {
    /// What stands for a message, if it is one that can be repeated: spelling and signs make no difference.
    pub(crate) fn hash(&self, hashes: &RandomState, content: &Content) -> Option<u64> {
        let text = match content {
            Content::Text { text } => text,
            Content::Quote(quote) => &quote.text,
            Content::Link(link) => return Some(hashes.hash_one(("link", &link.url))),
            Content::Sticker { md5, gesture: None, .. } if !md5.is_empty() => {
                return Some(hashes.hash_one(("sticker", md5)));
            }
            Content::File(file) => return Some(hashes.hash_one(("file", &file.name, file.len))),
            Content::Image { .. }
            | Content::Voice { .. }
            | Content::Video { .. }
            | Content::Sticker { .. }
            | Content::Location(_)
            | Content::Card(_)
            | Content::Music(_)
            | Content::MiniProgram(_)
            | Content::ChatRecord(_)
            | Content::RedPacket { .. }
            | Content::Transfer(_)
            | Content::RoomInvitation(_)
            | Content::App(_)
            | Content::Call(_)
            | Content::Notice { .. }
            | Content::System { .. }
            | Content::Unknown { .. }
            | _ => return None,
        };
        let plain: String = fold(text).chars().filter(|c| c.is_alphanumeric()).collect();
        (plain.chars().count() >= self.min_chars).then(|| hashes.hash_one(("text", plain)))
    }

    /// Counts one message; the offence if it is one repetition too many.
    pub(crate) fn count(&self, recent: &mut Recent, hash: u64, member: MemberKey, now_ms: i64) -> Option<Offence> {
        let within_ms = i64::try_from(self.within.as_millis()).unwrap_or(i64::MAX);
        let by = recent.heard(hash, now_ms, within_ms);
        let slot = match by.iter().position(|(known, n)| *n > 0 && *known == member) {
            Some(at) => by.get_mut(at),
            None => by.iter_mut().find(|(_, n)| *n == 0),
        };
        let own = match slot {
            Some(slot) => {
                *slot = (member, slot.1.saturating_add(1));
                slot.1
            }
            None => 1,
        };
        let members = by.iter().filter(|(_, n)| *n > 0).count();
        if own > self.times {
            return Some(Offence::new("repeats", "重复发言", self.rung).in_detail(format!("(第 {own} 次)")));
        }
        let crowd = self.by_several > 0 && members > usize::from(self.by_several);
        crowd.then(|| Offence::new("repeats", "多人重复同一内容", Rung::Warn).of_nobody())
    }
}

impl Recent {
    fn heard(&mut self, hash: u64, now_ms: i64, within_ms: i64) -> &mut Speakers {
        let at = match self.said.iter().position(|said| said.hash == hash) {
            Some(at) => at,
            None if self.said.len() < KEPT => {
                // Exactly as many as there may be: a vector that doubles would keep twice the memory.
                self.said.reserve_exact(if self.said.is_empty() { 4 } else { 1 });
                self.said.push(Said { hash, last_ms: now_ms, by: Speakers::default() });
                self.said.len() - 1
            }
            None => {
                let oldest = self.said.iter().enumerate().min_by_key(|(_, said)| said.last_ms).map_or(0, |(at, _)| at);
                if let Some(said) = self.said.get_mut(oldest) {
                    *said = Said { hash, last_ms: now_ms, by: Speakers::default() };
                }
                oldest
            }
        };
        #[expect(clippy::indexing_slicing, reason = "a place that was just found, or made")]
        let said = &mut self.said[at];
        let apart_ms = now_ms.saturating_sub(said.last_ms);
        if !(-within_ms..=within_ms).contains(&apart_ms) {
            said.by = Speakers::default();
            said.last_ms = now_ms;
        }
        // What came a little out of order sets nothing back.
        said.last_ms = said.last_ms.max(now_ms);
        &mut said.by
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Content {
        Content::Text { text: text.into() }
    }

    fn run(settings: serde_json::Value, said: &[(i64, u64, &str)]) -> Vec<(usize, String)> {
        let (rules, hashes) = (Repeats::read(&settings, &Place::default()).unwrap(), RandomState::new());
        let mut recent = Recent::default();
        let each = said.iter().enumerate().filter_map(|(n, (at_s, who, said))| {
            let hash = rules.hash(&hashes, &text(said))?;
            let found = rules.count(&mut recent, hash, MemberKey::of_number(*who), at_s * 1_000)?;
            Some((n, if found.strike { found.why } else { "room".to_owned() }))
        });
        each.collect()
    }

    #[test]
    fn again_and_again() {
        let own = json!({ "times": 2, "within": "60s" });
        let all = json!({ "times": 5, "by_several": 3 });
        let again = |n| vec![(n, "重复发言".to_owned())];
        for (name, settings, said, want) in [
            ("thrice", &own, &[(0, 1, "买一送一"), (1, 1, "买一送一"), (2, 1, "买一送一")][..], again(2)),
            (
                "in other spelling",
                &own,
                &[(0, 1, "BUY now"), (1, 1, "ｂｕｙ, now"), (2, 1, "buy\u{200B}NOW!")],
                again(2),
            ),
            (
                "with others between",
                &own,
                &[(0, 1, "买一送一"), (1, 2, "不用了谢谢"), (2, 1, "买一送一"), (3, 1, "买一送一")],
                again(3),
            ),
            ("slowly", &own, &[(0, 1, "买一送一"), (61, 1, "买一送一"), (122, 1, "买一送一")], vec![]),
            ("short", &own, &[(0, 1, "好"), (1, 1, "好"), (2, 1, "好")], vec![]),
            ("by three", &all, &[(0, 1, "抵制某某"), (1, 2, "抵制某某"), (2, 3, "抵制某某")], vec![]),
            (
                "by four",
                &all,
                &[(0, 1, "抵制某某"), (1, 2, "抵制某某"), (2, 3, "抵制某某"), (3, 4, "抵制某某")],
                vec![(3, "room".to_owned())],
            ),
        ] {
            assert_eq!(run(settings.clone(), said), want, "{name}");
        }
    }

    #[test]
    fn a_table_has_an_end() {
        let (rules, mut recent) = (Repeats::read(&json!({}), &Place::default()).unwrap(), Recent::default());
        for n in 0..10_000 {
            rules.count(&mut recent, n, MemberKey::of_number(n), n.cast_signed());
        }
        assert_eq!((recent.said.len(), recent.said.capacity()), (KEPT, KEPT));
    }
}
