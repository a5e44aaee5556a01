//! Which words were added by chat, and for which room? One KV value each, and one that says that they changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_plugin::model::AccountName;
use wxbot_plugin::prelude::*;

use crate::engine::{Found, Hit, most_telling};
use crate::fold::{Folder, Folding};
use crate::kept;
use crate::matcher::{self, Kind, Matcher, Pattern, Scratch};

/// How many an account may have.
pub(crate) const MOST: usize = 2_000;
/// How many a room may have: its admins add them, and there are other rooms.
pub(crate) const MOST_IN_ROOM: usize = 300;
/// The shortest word, in characters, of whoever is no admin of the bot: one character is in every other message.
const SHORTEST: usize = 2;
/// The longest word, in characters: its folded form is a part of a key.
pub(crate) const WORD_CHARS: usize = 64;
/// The longest reply, in characters.
pub(crate) const REPLY_CHARS: usize = 500;
/// The value that says that they changed.
const HEAD: &str = "words";
/// What the key of a word begins with.
const PREFIX: &str = "word:";
/// Accounts whose words are kept put together; with more of them some are put together anew.
const ACCOUNTS: usize = 1_000;

/// A word that somebody added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Where it acts; `None`: everywhere.
    pub(crate) room: Option<ContactId>,
    /// What it answers; `None`: what the rule says.
    pub(crate) reply: Option<String>,
    /// Who added it, and when.
    pub(crate) by: ContactId,
    pub(crate) at_ms: i64,
}

/// What changes with every change. It is swapped, so that two changes at once do not lose one of them. Only whether it is
/// another one is ever looked at: how many words there are is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// By chance: another one after each change.
    version: u64,
    count: u64,
}

/// The words of all accounts of this instance, put together.
#[derive(Debug)]
pub(crate) struct Added {
    folding: Folding,
    by_account: Mutex<HashMap<AccountName, Arc<Words>>>,
}

/// The words of one account.
#[derive(Debug)]
pub(crate) struct Words {
    /// The head as it stands in the store, which another version of wxbot may have written.
    head: Option<Value>,
    matcher: Matcher,
    /// By their keys; the matcher's ids are their places.
    list: Vec<(String, Word)>,
    /// The places of those that cannot be looked for: they stay, so that they can be removed.
    unfit: BTreeSet<usize>,
}

impl Added {
    pub(crate) fn new(folding: Folding) -> Self {
        Self { folding, by_account: Mutex::default() }
    }

    /// The words as last committed. Where nothing changed since the last event that costs one look at a small value.
    pub(crate) async fn words(&self, cx: &Ctx) -> Result<Arc<Words>, PluginError> {
        let head: Option<Value> = cx.kv_get(HEAD).await?;
        let known = self.by_account.lock().unwrap_or_else(PoisonError::into_inner).get(cx.account()).cloned();
        if let Some(known) = known.filter(|known| known.head == head) {
            return Ok(known);
        }
        let mut list: Vec<(String, Word)> = Vec::new();
        if head.is_some() {
            let mut page = KvPage::of(KvPage::MOST);
            loop {
                let rows: Vec<(String, Value)> = cx.kv_list(PREFIX, page).await?;
                let last = rows.last().map(|(key, _)| key.clone()).filter(|_| rows.len() >= KvPage::MOST);
                list.extend(rows.into_iter().map(|(key, value)| {
                    let word = Word::of(&key, &value);
                    (key, word)
                }));
                match last.filter(|_| list.len() < MOST) {
                    Some(last) => page = KvPage::of(KvPage::MOST).after(last),
                    None => break,
                }
            }
        }
        let words = Arc::new(Words::of(head, list, self.folding));
        let mut all = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ACCOUNTS {
            all.clear();
        }
        all.insert(cx.account().clone(), Arc::clone(&words));
        Ok(words)
    }

    /// Why a word cannot be added, for whoever wants to: an admin of the bot, or only of a room.
    pub(crate) fn refused(&self, word: &str, reply: Option<&str>, admin: bool) -> Option<String> {
        let chars = word.chars().count();
        if chars > WORD_CHARS {
            return Some(format!("词最多 {WORD_CHARS} 个字,这个有 {chars} 个 (too long)"));
        }
        if reply.is_some_and(|reply| reply.chars().count() > REPLY_CHARS) {
            return Some(format!("回复最多 {REPLY_CHARS} 个字 (the reply is too long)"));
        }
        let pattern = Pattern { id: 0, kind: Kind::Text(word), word: false };
        if Matcher::build(&[pattern], self.folding).is_err() {
            return Some("这个词看不见 (nothing to look for)".to_owned());
        }
        let chars = Folder::new(self.folding).fold(word).chars().filter(|c| !c.is_whitespace()).count();
        (!admin && chars < SHORTEST).then(|| format!("词至少 {SHORTEST} 个字,不然句句都命中 (too short)"))
    }

    fn key(&self, room: Option<&ContactId>, word: &str) -> String {
        format!("{PREFIX}{}:{}", room.map_or("*", ContactId::as_str), Folder::new(self.folding).fold(word))
    }

    /// Adds words, or changes what they answer. Answers how many are new as well.
    pub(crate) fn add(&self, now: &Words, words: Vec<Word>, version: u64) -> Result<(Effects, usize), PluginError> {
        let folder = Folder::new(self.folding);
        // By the words themselves: under other settings the same word got another key.
        let mut keys: HashMap<(Option<ContactId>, String), String> = HashMap::new();
        let mut in_room: HashMap<ContactId, usize> = HashMap::new();
        for (key, word) in &now.list {
            keys.entry((word.room.clone(), folder.fold(&word.text))).or_insert_with(|| key.clone());
            if let Some(room) = &word.room {
                *in_room.entry(room.clone()).or_default() += 1;
            }
        }
        let (mut puts, mut new) = (BTreeMap::new(), 0);
        for word in words {
            let key = keys.entry((word.room.clone(), folder.fold(&word.text))).or_insert_with(|| {
                new += 1;
                if let Some(room) = &word.room {
                    *in_room.entry(room.clone()).or_default() += 1;
                }
                self.key(word.room.as_ref(), &word.text)
            });
            puts.insert(key.clone(), word);
        }
        let count = now.list.len() + new;
        if new > 0 && count > MOST {
            let left = MOST.saturating_sub(now.list.len());
            return Err(PluginError::told(format!("最多 {MOST} 个词,还能加 {left} 个 (too many words)")));
        }
        let fullest = puts.values().filter_map(|word| in_room.get(word.room.as_ref()?)).max().copied().unwrap_or(0);
        if new > 0 && fullest > MOST_IN_ROOM {
            let left = (MOST_IN_ROOM + new).saturating_sub(fullest);
            return Err(PluginError::told(format!("一个群最多 {MOST_IN_ROOM} 个词,还能加 {left} 个 (too many words)")));
        }
        let mut effects = now.changed(count, version)?;
        for (key, word) in puts {
            effects = effects.put(key, &word)?;
        }
        Ok((effects, new))
    }

    /// Removes a word of a room, or of everywhere. `None`: it is not there.
    pub(crate) fn remove(
        &self,
        now: &Words,
        room: Option<&ContactId>,
        word: &str,
        version: u64,
    ) -> Result<Option<Effects>, PluginError> {
        let folder = Folder::new(self.folding);
        let wanted = folder.fold(word);
        // By the words themselves: with other settings the same word had another key.
        let same = |entry: &&(String, Word)| entry.1.room.as_ref() == room && folder.fold(&entry.1.text) == wanted;
        let mut keys: Vec<String> = now.list.iter().filter(same).map(|(key, _)| key.clone()).collect();
        if keys.is_empty()
            && let Some(number) = word.strip_prefix('#').and_then(|number| number.parse::<usize>().ok())
        {
            // As the list shows it: what nobody can see nobody can write.
            let nth = number.checked_sub(1).and_then(|n| now.shown(room).into_iter().nth(n));
            keys.extend(nth.filter(|(_, word)| word.room.as_ref() == room).map(|(key, _)| key.clone()));
        }
        if keys.is_empty() {
            return Ok(None);
        }
        let effects = now.changed(now.list.len().saturating_sub(keys.len()), version)?;
        Ok(Some(keys.into_iter().fold(effects, |effects, key| effects.delete(key))))
    }
}

/// A person that is not there.
fn nobody() -> ContactId {
    #[expect(clippy::expect_used, reason = "a letter and a digit")]
    "p0".parse().expect("an id")
}

impl Word {
    /// What a row says. Of one that another version of wxbot wrote, or that is spoiled, that much as can be read; its key
    /// says the rest.
    fn of(key: &str, value: &Value) -> Self {
        if let Some(word) = kept::understood(key, value) {
            return word;
        }
        let (place, text) = key.strip_prefix(PREFIX).and_then(|key| key.split_once(':')).unwrap_or(("*", key));
        let written = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        // Nobody is called so: a place that is none keeps the word from acting everywhere.
        let room = (place != "*").then(|| place.parse().unwrap_or_else(|_no_id| nobody()));
        Self {
            text: written("text").unwrap_or_else(|| text.to_owned()),
            room,
            reply: written("reply"),
            by: written("by").and_then(|id| id.parse().ok()).unwrap_or_else(nobody),
            at_ms: value.get("at_ms").and_then(Value::as_i64).unwrap_or(0),
        }
    }
}

impl Words {
    fn of(head: Option<Value>, list: Vec<(String, Word)>, folding: Folding) -> Self {
        let mut unfit = BTreeSet::new();
        let matcher = loop {
            let fit: Vec<usize> = (0..list.len()).filter(|n| !unfit.contains(n)).collect();
            let pattern = |n: &usize| {
                let (_, word) = list.get(*n)?;
                Some(Pattern { id: u32::try_from(*n).ok()?, kind: Kind::Text(&word.text), word: false })
            };
            match Matcher::build(&fit.iter().filter_map(pattern).collect::<Vec<_>>(), folding) {
                Ok(matcher) => break matcher,
                // What was added under other settings may be nothing under these.
                Err(mistakes) => unfit.extend(mistakes.into_iter().filter_map(|(n, _)| fit.get(n).copied())),
            }
        };
        Self { head, matcher, list, unfit }
    }

    fn changed(&self, count: usize, version: u64) -> Result<Effects, PluginError> {
        let now = Head { version, count: count as u64 };
        Ok(Effects::none().swap(HEAD, self.head.as_ref(), Some(&now))?)
    }

    /// Those that a list shows, in its order: of a room first its own, then those of everywhere; else all.
    pub(crate) fn shown(&self, room: Option<&ContactId>) -> Vec<&(String, Word)> {
        let Some(room) = room else { return self.list.iter().collect() };
        let own = self.list.iter().filter(|(_, word)| word.room.as_ref() == Some(room));
        own.chain(self.list.iter().filter(|(_, word)| word.room.is_none())).collect()
    }

    /// Whether this one is looked for.
    pub(crate) fn is_fit(&self, key: &str) -> bool {
        self.list.binary_search_by(|(known, _)| known.as_str().cmp(key)).is_ok_and(|at| !self.unfit.contains(&at))
    }

    /// What a text holds of those that act in this chat.
    pub(crate) fn look(&self, text: &str, chat: &ContactId, scratch: &mut Scratch) -> Found {
        let mut found = Found::default();
        if self.list.is_empty() {
            return found;
        }
        let mut hits = Vec::new();
        for hit in self.matcher.hits(text, scratch) {
            let word = usize::try_from(hit.id).ok().and_then(|id| self.list.get(id)).map(|(_, word)| word);
            if let Some(word) = word.filter(|word| word.room.as_ref().is_none_or(|room| room == chat)) {
                hits.push((hit, word));
            }
        }
        // What a room says of a word goes before what is said of it everywhere.
        let priority = |word: &Word| i32::from(word.room.is_some());
        let hits = most_telling(hits, |(_, word)| (priority(word), word.reply.is_some()));
        let hit = |(at, word): (matcher::Hit, &Word)| Hit {
            reply: word.reply.clone(),
            priority: priority(word),
            ..Hit::new(&word.text, text, at.start, at.end)
        };
        found.hits = hits.into_iter().map(hit).collect();
        found
    }
}

#[cfg(test)]
mod tests {
    use wxbot_plugin::Effect;

    use super::*;

    fn word(text: &str, room: Option<&str>) -> Word {
        let id = |id: &str| id.parse::<ContactId>().unwrap();
        Word { text: text.into(), room: room.map(id), reply: Some("x".into()), by: id("p1"), at_ms: 0 }
    }

    /// The keys that effects change, in order.
    fn keys(effects: &Effects) -> Vec<&str> {
        let mut keys = Vec::new();
        for effect in effects.iter() {
            if let Effect::Put { key, .. } | Effect::Swap { key, .. } | Effect::Delete { key } = effect {
                keys.push(key.as_str());
            }
        }
        keys
    }

    #[test]
    fn each_change_swaps_what_it_was_made_from() {
        let folding = Folding { simplified: true, ..Folding::default() };
        let added = Added::new(folding);
        let none = Words::of(None, Vec::new(), folding);
        let (effects, new) =
            added.add(&none, vec![word("發票", None), word("发票", None), word("发票", Some("r1"))], 7).unwrap();
        assert_eq!((keys(&effects), new), (vec!["words", "word:*:发票", "word:r1:发票"], 2), "the same words are one");
        let swap =
            |was: Option<&Head>, now: Head| Effects::none().swap("words", was, Some(&now)).unwrap().into_iter().next();
        let first = Head { version: 7, count: 2 };
        assert_eq!(effects.into_iter().next(), swap(None, first));
        let some = Words::of(
            head(first),
            vec![("word:*:发票".into(), word("發票", None)), ("word:*:收据".into(), word("收据", None))],
            folding,
        );
        assert!(some.is_fit("word:*:发票"));
        let (effects, new) = added.add(&some, vec![word("发票", None)], 8).unwrap();
        assert_eq!((effects.into_iter().next(), new), (swap(Some(&first), Head { version: 8, count: 2 }), 0));
        let effects = added.remove(&some, None, "发票", 9).unwrap().unwrap();
        assert_eq!(keys(&effects), ["words", "word:*:发票"]);
        assert_eq!(effects.into_iter().next(), swap(Some(&first), Head { version: 9, count: 1 }));
        assert!(added.remove(&some, Some(&"r1".parse().unwrap()), "发票", 9).unwrap().is_none());
    }

    fn head(head: Head) -> Option<Value> {
        Some(serde_json::to_value(head).unwrap())
    }

    #[test]
    fn words_of_other_settings_that_cannot_be_looked_for_stay_and_can_be_removed() {
        let list = vec![
            ("word:*:a".into(), word("词", None)),
            ("word:*:b".into(), word("\u{200B}", None)),
            ("word:*:c".into(), word("好", None)),
        ];
        let words = Words::of(head(Head { version: 1, count: 3 }), list, Folding::default());
        assert_eq!(["word:*:a", "word:*:b", "word:*:c"].map(|key| words.is_fit(key)), [true, false, true]);
        let found = words.look("好词", &"p1".parse().unwrap(), &mut Scratch::default());
        assert_eq!(found.hits.iter().map(|hit| (&*hit.keyword, hit.at)).collect::<Vec<_>>(), [("好", 1), ("词", 2)]);
        let added = Added::new(Folding::default());
        let effects = added.remove(&words, None, "#2", 9).unwrap().unwrap();
        assert_eq!(keys(&effects), ["words", "word:*:b"]);
        assert!(added.remove(&words, None, "#4", 9).unwrap().is_none());
        assert!(added.remove(&words, Some(&"r1".parse().unwrap()), "#2", 9).unwrap().is_none(), "not a room's own");
    }

    #[test]
    fn a_word_of_other_settings_is_the_same_word() {
        let folding = Folding { simplified: true, ..Folding::default() };
        let words = Words::of(None, vec![("word:*:發票".into(), word("發票", None))], folding);
        let (effects, new) = Added::new(folding).add(&words, vec![word("发票", None)], 1).unwrap();
        assert_eq!((keys(&effects), new), (vec!["words", "word:*:發票"], 0));
    }

    #[test]
    fn the_word_that_counts_is_among_those_that_are_told() {
        let everywhere = (0..50).map(|n| (format!("word:*:{n:02}"), word(&format!("词{n:02}"), None)));
        let own = [("word:r1:尾".to_owned(), word("尾", Some("r1")))];
        let words = Words::of(None, everywhere.chain(own).collect(), Folding::default());
        let text: String = (0..50).map(|n| format!("词{n:02}")).chain(["尾".to_owned()]).collect();
        let found = words.look(&text, &"r1".parse().unwrap(), &mut Scratch::default());
        assert_eq!((found.hits.len(), found.best().map(|hit| &*hit.keyword)), (crate::engine::TOLD, Some("尾")));
    }

    #[test]
    fn a_row_of_another_shape_is_read_as_far_as_it_can_be() {
        for (key, value, text, room, reply) in [
            ("word:*:票", serde_json::json!({ "text": "發票", "reply": "x" }), "發票", None, Some("x")),
            ("word:r1:票:据", serde_json::json!("spoiled"), "票:据", Some("r1"), None),
            ("word:r1:票", serde_json::json!({ "text": 5, "reply": ["x"] }), "票", Some("r1"), None),
        ] {
            let word = Word::of(key, &value);
            let read = (&*word.text, word.room.as_ref().map(ContactId::as_str), word.reply.as_deref());
            assert_eq!(read, (text, room, reply), "{value}");
        }
    }
}
