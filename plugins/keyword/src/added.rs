//! Which words were added by chat, and for which room? One KV value each, and one that says that they changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use wxbot_plugin::model::AccountName;
use wxbot_plugin::prelude::*;

use crate::engine::{Found, Hit};
use crate::fold::{Folder, Folding};
use crate::matcher::{Kind, Matcher, Pattern, Scratch};

/// How many an account may have.
pub(crate) const MOST: u64 = 2_000;
/// The longest word, in characters: its folded form is a part of a key.
pub(crate) const WORD_CHARS: usize = 64;
/// The longest reply, in characters.
pub(crate) const REPLY_CHARS: usize = 500;
/// The value that says that they changed.
const HEAD: &str = "words";
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

/// What changes with every change. It is swapped, so that two changes at once do not lose one of them.
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
    head: Head,
    matcher: Matcher,
    /// By their keys; the matcher's ids are their places.
    list: Vec<(String, Word)>,
}

impl Added {
    pub(crate) fn new(folding: Folding) -> Self {
        Self { folding, by_account: Mutex::default() }
    }

    /// The words as last committed. Where nothing changed since the last event that costs one look at a small value.
    pub(crate) async fn words(&self, cx: &Ctx) -> Result<Arc<Words>, PluginError> {
        let head: Head = cx.kv_get(HEAD).await?.unwrap_or_default();
        let known = self.by_account.lock().unwrap_or_else(PoisonError::into_inner).get(cx.account()).cloned();
        if let Some(known) = known.filter(|known| known.head == head) {
            return Ok(known);
        }
        let mut list: Vec<(String, Word)> = Vec::new();
        if head.count > 0 {
            let mut page = KvPage::of(KvPage::MOST);
            loop {
                let rows: Vec<(String, Word)> = cx.kv_list("word:", page).await?;
                let last = rows.last().map(|(key, _)| key.clone()).filter(|_| rows.len() >= KvPage::MOST);
                list.extend(rows);
                match last.filter(|_| (list.len() as u64) < MOST) {
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

    /// Why a word cannot be added, for whoever wants to.
    pub(crate) fn refused(&self, word: &str, reply: Option<&str>) -> Option<String> {
        let chars = word.chars().count();
        if chars > WORD_CHARS {
            return Some(format!("词最多 {WORD_CHARS} 个字,这个有 {chars} 个 (too long)"));
        }
        if reply.is_some_and(|reply| reply.chars().count() > REPLY_CHARS) {
            return Some(format!("回复最多 {REPLY_CHARS} 个字 (the reply is too long)"));
        }
        let pattern = Pattern { id: 0, kind: Kind::Text(word), word: false };
        Matcher::build(&[pattern], self.folding).is_err().then(|| "这个词看不见 (nothing to look for)".to_owned())
    }

    fn key(&self, room: Option<&ContactId>, word: &str) -> String {
        format!("word:{}:{}", room.map_or("*", ContactId::as_str), Folder::new(self.folding).fold(word))
    }

    /// Adds words, or changes what they answer. Answers how many are new as well.
    pub(crate) fn add(&self, now: &Words, words: Vec<Word>, version: u64) -> Result<(Effects, u64), PluginError> {
        let (mut puts, mut new) = (BTreeMap::new(), 0);
        for word in words {
            let key = self.key(word.room.as_ref(), &word.text);
            if now.by_key(&key).is_none() && !puts.contains_key(&key) {
                new += 1;
            }
            puts.insert(key, word);
        }
        let count = now.head.count.saturating_add(new);
        if count > MOST {
            let left = MOST.saturating_sub(now.head.count);
            return Err(PluginError::told(format!("最多 {MOST} 个词,还能加 {left} 个 (too many words)")));
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
        let keys: Vec<String> = now.list.iter().filter(same).map(|(key, _)| key.clone()).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let effects = now.changed(now.head.count.saturating_sub(keys.len() as u64), version)?;
        Ok(Some(keys.into_iter().fold(effects, |effects, key| effects.delete(key))))
    }
}

impl Words {
    fn of(head: Head, mut list: Vec<(String, Word)>, folding: Folding) -> Self {
        let build = |list: &[(String, Word)]| {
            let patterns: Vec<Pattern<'_>> = (0u32..)
                .zip(list)
                .map(|(id, (_, word))| Pattern { id, kind: Kind::Text(&word.text), word: false })
                .collect();
            Matcher::build(&patterns, folding)
        };
        let matcher = loop {
            match build(&list) {
                Ok(matcher) => break matcher,
                // What was added under other settings may be nothing under these.
                Err(mistakes) => {
                    let bad: BTreeSet<usize> = mistakes.into_iter().map(|(n, _)| n).collect();
                    let mut n = 0..;
                    list.retain(|_| n.next().is_none_or(|n| !bad.contains(&n)));
                }
            }
        };
        Self { head, matcher, list }
    }

    fn by_key(&self, key: &str) -> Option<&Word> {
        let at = self.list.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        self.list.get(at).map(|(_, word)| word)
    }

    fn changed(&self, count: u64, version: u64) -> Result<Effects, PluginError> {
        let was = (self.head != Head::default()).then_some(self.head);
        Ok(Effects::none().swap(HEAD, was.as_ref(), Some(&Head { version, count }))?)
    }

    /// Those that act in a room, or everywhere.
    pub(crate) fn of_room(&self, room: Option<&ContactId>) -> impl Iterator<Item = &Word> {
        self.list.iter().map(|(_, word)| word).filter(move |word| word.room.as_ref() == room)
    }

    /// All of them, those for everywhere first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Word> {
        self.list.iter().map(|(_, word)| word)
    }

    /// What a text holds of those that act in this chat.
    pub(crate) fn look(&self, text: &str, chat: &ContactId, scratch: &mut Scratch) -> Found {
        let mut found = Found::default();
        if self.list.is_empty() {
            return found;
        }
        for hit in self.matcher.hits(text, scratch) {
            let word = usize::try_from(hit.id).ok().and_then(|id| self.list.get(id)).map(|(_, word)| word);
            let Some(word) = word.filter(|word| word.room.as_ref().is_none_or(|room| room == chat)) else { continue };
            let hit = Hit::new(&word.text, text, hit.start, hit.end);
            // What a room says of a word goes before what is said of it everywhere.
            found.hits.push(Hit { reply: word.reply.clone(), priority: word.room.is_some().into(), ..hit });
            if found.hits.len() >= crate::engine::TOLD {
                break;
            }
        }
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
        let none = Words::of(Head::default(), Vec::new(), folding);
        let (effects, new) =
            added.add(&none, vec![word("發票", None), word("发票", None), word("发票", Some("r1"))], 7).unwrap();
        assert_eq!((keys(&effects), new), (vec!["words", "word:*:发票", "word:r1:发票"], 2), "the same words are one");
        let swap =
            |was: Option<&Head>, now: Head| Effects::none().swap("words", was, Some(&now)).unwrap().into_iter().next();
        let first = Head { version: 7, count: 2 };
        assert_eq!(effects.into_iter().next(), swap(None, first));
        let some = Words::of(first, vec![("word:*:发票".into(), word("發票", None))], folding);
        let (effects, new) = added.add(&some, vec![word("发票", None)], 8).unwrap();
        assert_eq!((effects.into_iter().next(), new), (swap(Some(&first), Head { version: 8, count: 2 }), 0));
        let effects = added.remove(&some, None, "发票", 9).unwrap().unwrap();
        assert_eq!(keys(&effects), ["words", "word:*:发票"]);
        assert_eq!(effects.into_iter().next(), swap(Some(&first), Head { version: 9, count: 1 }));
        assert!(added.remove(&some, Some(&"r1".parse().unwrap()), "发票", 9).unwrap().is_none());
    }

    #[test]
    fn words_of_other_settings_are_left_out_when_they_cannot_be_looked_for() {
        let list =
            vec![("a".into(), word("词", None)), ("b".into(), word("\u{200B}", None)), ("c".into(), word("好", None))];
        let words = Words::of(Head { version: 1, count: 3 }, list, Folding::default());
        let left: Vec<&str> = words.all().map(|word| &*word.text).collect();
        assert_eq!(left, ["词", "好"]);
        let found = words.look("好词", &"p1".parse().unwrap(), &mut Scratch::default());
        assert_eq!(found.hits.iter().map(|hit| (&*hit.keyword, hit.at)).collect::<Vec<_>>(), [("好", 1), ("词", 2)]);
    }
}
