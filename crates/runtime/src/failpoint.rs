//! Where can a test end the process? At named points on the way of a message; release builds have none.
//!
//! This is the only list: [`STEPS`] are transactions of the store, with a point before and one after each commit, and
//! [`POINTS`] stand between them. A name in the code that is not listed does not compile, and `tests/crash` kills the
//! binary at each one. The runtime reads no environment: the program arms one point and says what happens there.

/// Transactions of the store by the words their errors use. Each has a point before its commit, when everything is
/// written but for that, and one after it, when nobody was told yet.
pub const STEPS: &[&str] = &[
    "recover",
    "take a batch",
    "take due events",
    "claim an event",
    "give events back",
    "finish an event",
    "note a failed try",
    "store a send",
    "withdraw a send",
    "claim sends",
    "settle a send",
    "decide uncertain sends",
    "see whom sends wait for",
    "hold sends",
    "let held sends go",
    "save a session",
    "set a session aside",
    "bind contacts",
    "sweep old rows",
    "fire what is due",
    "note schedules",
    "note a media file",
    "note that a media file is used",
    "strike media files off",
    "hold a media file",
    "note a login",
    "note why an account waits",
    "forget why an account waited",
    "archive messages",
    "sweep the archive",
    "empty what was said with a contact",
    "delete what was said with a contact",
];

/// Transactions that no fail point test ends at, each with the reason, or the test that ends its process instead.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("spool pushes", "tests/keeper.rs kills the ingress"),
    ("trim the spool", "tests/keeper.rs kills the core"),
    ("write to its file", "changes nothing, and is only tried when nothing can be written"),
    ("handle dead events again", BY_HAND),
    ("drop dead events", BY_HAND),
    ("decide about sends", BY_HAND),
    ("make events again", BY_HAND),
    ("plan a message", BY_HAND),
    ("take a planned message back", BY_HAND),
    (
        "send a planned message",
        "the same commit as of a schedule, which is ended at; a second one is absorbed by its cause",
    ),
    ("delete an account", BY_HAND),
    ("delete keys", BY_HAND),
    ("delete what was said in an account", BY_HAND),
    ("begin from a backup", "before anything runs; asked again, it does the same"),
];

const BY_HAND: &str =
    "a command of a person, who is told when it is done; one commit, and nothing of a message hangs on it";

/// Places between the transactions, in the order in which a life of wxbot comes by.
pub const POINTS: &[&str] = &[
    "open: directory locked",
    "open: key written",
    "open: key made",
    "open: before a migration",
    "open: after a migration",
    "start: account recovered",
    "start: contacts read",
    "start: crews at work",
    "login: confirmed",
    "login: saved",
    "session: resumed",
    "session: contacts kept",
    "session: way open",
    "poll: batch read",
    "accept: committed",
    "accept: told",
    "accept: offered",
    "event: begun",
    "event: plugins answered",
    "event: ended",
    "event: sends on the desk",
    "event: failure noted",
    "send: begun",
    "send: addressed",
    "send: answered",
    "send: settled",
    "clock: found due",
    "clock: fired",
    "media: file in place",
    "media: file noted",
    "stop: begun",
    "stop: intake ended",
    "stop: handlers ended",
    "stop: crews gone",
    "close: before the checkpoint",
    "close: after the checkpoint",
];

/// On which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Written, and not committed.
    Before,
    /// Committed, and nobody knows.
    After,
}

impl Edge {
    /// As it stands behind the step in the name of a point.
    pub fn words(self) -> &'static str {
        match self {
            Self::Before => "before commit",
            Self::After => "after commit",
        }
    }
}

/// Every name that can be armed: `take a batch: before commit`, `poll: batch read`.
pub fn all() -> Vec<String> {
    let edges = |step: &&str| [Edge::Before, Edge::After].map(|edge| format!("{step}: {}", edge.words()));
    STEPS.iter().flat_map(edges).chain(POINTS.iter().map(|&point| point.to_owned())).collect()
}

/// Whether a name stands in [`POINTS`]; answered by the compiler.
pub(crate) const fn is_listed(name: &str) -> bool {
    let mut rest = POINTS;
    while let [first, others @ ..] = rest {
        if same(first.as_bytes(), name.as_bytes()) {
            return true;
        }
        rest = others;
    }
    false
}

const fn same(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([x, xs @ ..], [y, ys @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (xs, ys);
    }
    a.is_empty() && b.is_empty()
}

/// A place where a test may end the process. Nothing at all in a release build.
macro_rules! fail_point {
    ($name:literal) => {{
        const _: () = assert!($crate::failpoint::is_listed($name), "a fail point that failpoint.rs does not list");
        #[cfg(debug_assertions)]
        $crate::failpoint::reached($name);
    }};
}
pub(crate) use fail_point;

#[cfg(debug_assertions)]
pub use armed::arm;
#[cfg(debug_assertions)]
pub(crate) use armed::{reached, reached_step, waits_for};

#[cfg(debug_assertions)]
mod armed {
    use std::fmt;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Edge, all};

    static ARMED: OnceLock<Armed> = OnceLock::new();

    struct Armed {
        name: Box<str>,
        /// How often it is still passed.
        passes: AtomicU32,
        act: Box<dyn Fn(&str) + Send + Sync>,
    }

    impl fmt::Debug for Armed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Armed({})", self.name)
        }
    }

    /// Lets `act` happen at a point, by `name`, or `name#3` for the third time it is reached. Once in a process.
    ///
    /// # Errors
    /// In words, when there is no such point, or one is armed already.
    pub fn arm(spec: &str, act: impl Fn(&str) + Send + Sync + 'static) -> Result<(), String> {
        let (name, nth) = spec.split_once('#').unwrap_or((spec, "1"));
        let nth: u32 = nth.parse().map_err(|e| format!("`{nth}` does not say how often: {e}"))?;
        let names = all();
        if !names.iter().any(|known| known == name) {
            return Err(format!("no fail point `{name}`; there are: {}", names.join(", ")));
        }
        let armed = Armed { name: name.into(), passes: AtomicU32::new(nth.saturating_sub(1)), act: Box::new(act) };
        ARMED.set(armed).map_err(|_armed| "a fail point is armed already".to_owned())
    }

    /// The process has come to this point.
    pub(crate) fn reached(name: &str) {
        let Some(armed) = ARMED.get().filter(|armed| *armed.name == *name) else { return };
        let passed = armed.passes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if passed.is_err() {
            (armed.act)(name);
        }
    }

    /// A transaction with this step in it has come to this side of its commit.
    pub(crate) fn reached_step(step: &str, edge: Edge) {
        if ARMED.get().is_some() {
            reached(&format!("{step}: {}", edge.words()));
        }
    }

    /// Whether a point of this step is armed: what comes once in ten minutes then comes at once.
    pub(crate) fn waits_for(step: &str) -> bool {
        ARMED.get().is_some_and(|armed| armed.name.starts_with(step))
    }
}

/// Nothing is armed in a release build.
#[cfg(not(debug_assertions))]
pub(crate) const fn waits_for(_step: &str) -> bool {
    false
}

/// Nothing is armed in a release build.
#[cfg(not(debug_assertions))]
pub(crate) const fn reached_step(_step: &str, _edge: Edge) {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_many_and_each_its_own() {
        let all = all();
        let different: HashSet<&String> = all.iter().collect();
        assert!(all.len() >= 40 && different.len() == all.len(), "{} of {}", different.len(), all.len());
        assert!(is_listed("poll: batch read"));
        for wrong in ["", "poll", "poll: batch read ", "take a batch: before commit"] {
            assert!(!is_listed(wrong), "{wrong:?}");
        }
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_name_that_nobody_knows_is_refused_with_the_list() {
        let error = arm("poll: batch", |_| {}).unwrap_err();
        assert!(error.contains("poll: batch read"), "{error}");
        assert!(arm("poll: batch read#x", |_| {}).is_err());
    }
}
