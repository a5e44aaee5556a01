//! Who came and went without a word? A room's list against the one before, and the guard that tells nothing twice.
//!
//! The service announces some joins and removals by a text and others not at all. What differs between two whole lists
//! waits for [`GRACE_MS`]: a text that names the member in that time explains it, and so does one that came before. What
//! nobody explained becomes an event. All of it is stored with the room and commits with the events, so a restart
//! neither loses a difference nor tells it twice; pure functions here, over [`Notes`].

use serde::{Deserialize, Serialize};
use wxbot_model::{Member, Members, Noticed, PeerId};

use super::sketch;

/// How long a difference waits for its text. They come in one answer or in two that follow one another; a poll is held
/// for 25 s at most.
pub const GRACE_MS: i64 = 30_000;
/// How long a text waits for its difference: lists of rooms that nobody asked for come late or never.
pub const TOLD_MS: i64 = 600_000;
/// Notes of each sort a room keeps: more than one answer of the service can hold (a whole room of 500 that is dissolved
/// is one list), and a bound for a service gone mad.
const MOST: usize = 600;

/// What is open about a room's members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Events made so far: the next one's key.
    pub made: u64,
    /// Differences that wait for a text.
    pub open: Vec<Open>,
    /// Texts that wait for a difference.
    pub told: Vec<Told>,
    /// Another owner, waiting for the next commit.
    pub owner: Option<(Option<Noticed>, Noticed)>,
}

/// Somebody is in one list and not in the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Hash of the member's id in this login.
    pub who: u32,
    /// Came in; else gone.
    pub joined: bool,
    /// Whom to tell.
    pub member: Noticed,
    /// Further names a text may use: nick name, our remark.
    pub names: Vec<String>,
    /// When it was seen.
    pub at_ms: i64,
}

/// A text named somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Came in; else gone.
    pub joined: bool,
    /// The name in it.
    pub name: String,
    /// When it came.
    pub at_ms: i64,
}

/// The ids of a list, for comparing: 2 KB for the largest room.
pub(super) fn roll_of(members: &Members) -> Box<[u32]> {
    let mut roll: Vec<u32> = members.iter().map(|member| who(&member.peer)).collect();
    roll.sort_unstable();
    roll.into()
}

/// How a roll writes an id of this login.
pub(super) fn who(peer: &PeerId) -> u32 {
    sketch::hash(&[peer.as_str()])
}

/// Who is in `now` and was not before, and which entries of the former roll are gone.
pub(super) fn differences<'a>(before: &[u32], now: &'a Members) -> (Vec<&'a Member>, Vec<u32>) {
    let roll = roll_of(now);
    let joined = now.iter().filter(|member| before.binary_search(&who(&member.peer)).is_err()).collect();
    let left = before.iter().filter(|entry| roll.binary_search(entry).is_err()).copied().collect();
    (joined, left)
}

impl Notes {
    /// True when there is nothing to keep.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.told.is_empty() && self.owner.is_none()
    }

    /// A comparison of two lists gave these.
    pub(super) fn differ(&mut self, mut seen: Vec<Open>) {
        // Gone and back before anybody was told: nothing happened.
        seen.retain(|new| {
            let before = self.open.iter().position(|open| open.who == new.who && open.joined != new.joined);
            before.map(|at| self.open.remove(at)).is_none()
        });
        seen.retain(|new| {
            let named = |told: &Told| told.joined == new.joined && new.is_called(&told.name);
            let told = self.told.iter().position(named);
            told.map(|at| self.told.remove(at)).is_none()
        });
        for joined in [true, false] {
            // Texts cut long names and know others than we do. As many names as members: they are the same people.
            let names = self.told.iter().filter(|told| told.joined == joined).count();
            if names > 0 && names == seen.iter().filter(|new| new.joined == joined).count() {
                self.told.retain(|told| told.joined != joined);
                seen.retain(|new| new.joined != joined);
            }
        }
        self.open.extend(seen);
        self.open.truncate(MOST);
    }

    /// A text told that these came in, or are gone. `agrees`: the list shows it of this name already, so that no later
    /// difference is what the text meant.
    pub(super) fn tell(&mut self, joined: bool, names: &[String], at_ms: i64, agrees: impl Fn(&str) -> bool) {
        let mut left: Vec<&String> = names.iter().collect();
        left.retain(|name| {
            let open = self.open.iter().position(|open| open.joined == joined && open.is_called(name));
            open.map(|at| self.open.remove(at)).is_none()
        });
        if joined {
            left.retain(|name| !agrees(name));
        }
        let open = self.open.iter().filter(|open| open.joined == joined).count();
        if !left.is_empty() && open == left.len() {
            self.open.retain(|open| open.joined != joined);
            return;
        }
        // Only now: whoever is gone may have been told under a name that no list has.
        left.retain(|name| !agrees(name));
        self.told.extend(left.into_iter().map(|name| Told { joined, name: name.clone(), at_ms }));
        self.told.truncate(MOST);
    }

    /// When there will be something to do; `None`: not before something else happens.
    pub(super) fn due_ms(&self) -> Option<i64> {
        if self.owner.is_some() {
            return Some(i64::MIN);
        }
        let open = self.open.iter().map(|open| open.at_ms.saturating_add(GRACE_MS));
        open.chain(self.told.iter().map(|told| told.at_ms.saturating_add(TOLD_MS))).min()
    }

    /// What nobody explained in time, and since when; texts that nothing followed are forgotten.
    pub(super) fn take_due(&mut self, now_ms: i64) -> (Vec<Open>, Option<(Option<Noticed>, Noticed)>) {
        self.told.retain(|told| told.at_ms.saturating_add(TOLD_MS) > now_ms);
        let due = |open: &Open| open.at_ms.saturating_add(GRACE_MS) <= now_ms;
        let (ripe, waiting) = std::mem::take(&mut self.open).into_iter().partition(due);
        self.open = waiting;
        (ripe, self.owner.take())
    }
}

impl Open {
    fn is_called(&self, name: &str) -> bool {
        !name.is_empty() && (self.member.name == name || self.names.iter().any(|known| known == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, joined: bool, at_ms: i64) -> Open {
        let member = Noticed { id: None, name: name.to_owned() };
        Open { who: sketch::hash(&[name]), joined, member, names: vec![format!("nick of {name}")], at_ms }
    }

    enum Step {
        List(&'static [(&'static str, bool)]),
        Text(bool, &'static [&'static str]),
        Restart,
    }

    #[test]
    fn each_is_told_once_in_whatever_order() {
        use Step::{List, Restart, Text};
        for (name, steps, want) in [
            ("nobody said a word", &[List(&[("A", false)])][..], &[("A", false)][..]),
            ("list, then text", &[List(&[("A", true)]), Text(true, &["A"])], &[]),
            ("text, then list", &[Text(true, &["A"]), List(&[("A", true)])], &[]),
            ("list, restart, text", &[List(&[("A", true)]), Restart, Text(true, &["A"])], &[]),
            ("text, restart, list", &[Text(false, &["A"]), Restart, List(&[("A", false)])], &[]),
            ("by the nick name", &[List(&[("A", true)]), Text(true, &["nick of A"])], &[]),
            (
                "two of three are told",
                &[List(&[("A", true), ("B", true), ("C", true)]), Text(true, &["A", "C"])],
                &[("B", true)],
            ),
            ("a name nobody knows, for one who came", &[List(&[("A", true)]), Text(true, &["A very lo…"])], &[]),
            ("the same, the text first", &[Text(true, &["A very lo…"]), List(&[("A", true)])], &[]),
            (
                "a name nobody knows, for two who came",
                &[List(&[("A", true), ("B", true)]), Text(true, &["X"])],
                &[("A", true), ("B", true)],
            ),
            ("a text about coming explains no going", &[Text(true, &["A"]), List(&[("A", false)])], &[("A", false)]),
            ("gone and back", &[List(&[("A", false)]), List(&[("A", true)])], &[]),
            (
                "one text explains one coming",
                &[Text(true, &["A"]), List(&[("A", true)]), List(&[("A", false)])],
                &[("A", false)],
            ),
            (
                "the same text again, nobody came again",
                &[List(&[("A", true)]), Text(true, &["A"]), List(&[("B", false)])],
                &[("B", false)],
            ),
        ] {
            let mut notes = Notes::default();
            for step in steps {
                match step {
                    List(seen) => notes.differ(seen.iter().map(|(name, joined)| open(name, *joined, 1_000)).collect()),
                    Text(joined, names) => {
                        notes.tell(
                            *joined,
                            &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
                            1_000,
                            |_| false,
                        );
                    }
                    Restart => notes = serde_json::from_str(&serde_json::to_string(&notes).unwrap()).unwrap(),
                }
            }
            assert_eq!(notes.take_due(1_000 + GRACE_MS - 1).0, [], "{name}: too early");
            let told: Vec<_> =
                notes.take_due(1_000 + GRACE_MS).0.into_iter().map(|o| (o.member.name, o.joined)).collect();
            let want: Vec<_> = want.iter().map(|(name, joined)| ((*name).to_owned(), *joined)).collect();
            assert_eq!(told, want, "{name}");
            assert_eq!(notes.take_due(i64::MAX).0, [], "{name}: once");
        }
    }

    #[test]
    fn a_text_that_nothing_follows_is_forgotten_in_time() {
        let mut notes = Notes::default();
        notes.tell(true, &["A".into()], 0, |_| false);
        assert_eq!(notes.due_ms(), Some(TOLD_MS));
        notes.take_due(TOLD_MS);
        assert!(notes.is_idle() && notes.due_ms().is_none());
    }

    #[test]
    fn two_lists_are_compared_by_ids() {
        let member = |peer: &str| Member {
            peer: peer.parse().unwrap(),
            nick_name: "the same".into(),
            display_name: "".into(),
            attr_status: 1,
        };
        let before = roll_of(&Members::from(["@a", "@b", "@c"].map(member).to_vec()));
        let now = Members::from(["@c", "@d", "@a"].map(member).to_vec());
        let (joined, left) = differences(&before, &now);
        assert_eq!(joined, [&member("@d")]);
        assert_eq!(left, [who(&"@b".parse().unwrap())]);
    }
}
