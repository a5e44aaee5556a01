//! What must a restart, and `wxbot doctor`, know of alerts? A small file in the data directory.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use wxbot_runtime::alerts::Memory;

/// Its name in the data directory.
const FILE: &str = "alerts.json";
/// The longest file that is read: some hundred bytes for each incident.
const LONGEST: u64 = 16 << 20;

/// All that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Incidents that were told and go on.
    #[serde(default)]
    pub(crate) memory: Memory,
    /// What became of the last alerts, by way.
    #[serde(default)]
    pub(crate) ways: BTreeMap<String, Way>,
}

/// What became of the last alerts of one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    /// When one was delivered last, milliseconds since 1970.
    #[serde(default)]
    pub(crate) delivered_ms: Option<i64>,
    /// When one was given up last.
    #[serde(default)]
    pub(crate) failed_ms: Option<i64>,
    /// Why.
    #[serde(default)]
    pub(crate) why: String,
    /// How many were given up since one was delivered.
    #[serde(default)]
    pub(crate) lost: u64,
}

/// The file, and what stands in it.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    state: Mutex<State>,
}

impl Kept {
    /// Of a data directory. A file that cannot be read is begun anew: the worst is an alert that comes twice.
    pub(crate) fn open(data: &Path) -> Self {
        let path = data.join(FILE);
        let state = read(data).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "What is known of alerts cannot be read, and begins anew.");
            State::default()
        });
        Self { path, state: Mutex::new(state) }
    }

    pub(crate) fn memory(&self) -> Memory {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).memory.clone()
    }

    pub(crate) fn remember(&self, memory: &Memory) {
        self.change(|state| state.memory = memory.clone());
    }

    pub(crate) fn delivered(&self, way: &str, now_ms: i64) {
        self.change(|state| {
            let way = state.ways.entry(way.to_owned()).or_default();
            (way.delivered_ms, way.lost) = (Some(now_ms), 0);
        });
    }

    pub(crate) fn failed(&self, way: &str, why: &str, now_ms: i64) {
        self.change(|state| {
            let way = state.ways.entry(way.to_owned()).or_default();
            (way.failed_ms, way.why) = (Some(now_ms), why.chars().take(300).collect());
            way.lost = way.lost.saturating_add(1);
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if let Err(error) = write(&self.path, &state) {
            tracing::warn!(path = %self.path.display(), %error, "What became of alerts cannot be kept.");
        }
    }
}

/// What is kept in a data directory; nothing where there is no file.
///
/// # Errors
/// When the file cannot be read, or is none of ours.
pub(crate) fn read(data: &Path) -> io::Result<State> {
    let path = data.join(FILE);
    match fs::metadata(&path) {
        Ok(found) if found.len() > LONGEST => return Err(io::Error::other("the file is too long to be ours")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Ok(_) | Err(_) => {}
    }
    serde_json::from_slice(&fs::read(&path)?).map_err(io::Error::from)
}

/// Whole or not at all.
fn write(path: &Path, state: &State) -> io::Result<()> {
    let part = path.with_extension("json.part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_became_of_alerts_outlives_the_process() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), State::default());
        let kept = Kept::open(dir.path());
        kept.failed("webhook", &"x".repeat(9_000), 5);
        kept.failed("webhook", "no answer", 6);
        kept.delivered("command", 7);
        let state = read(dir.path()).unwrap();
        let way = &state.ways["webhook"];
        assert_eq!((way.failed_ms, way.why.as_str(), way.lost), (Some(6), "no answer", 2));
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().mode() & 0o777, 0o600);
        let again = Kept::open(dir.path());
        again.delivered("webhook", 8);
        assert_eq!(read(dir.path()).unwrap().ways["webhook"].lost, 0);
        fs::write(dir.path().join(FILE), "no json").unwrap();
        assert!(read(dir.path()).is_err());
        assert_eq!(Kept::open(dir.path()).memory(), Memory::default(), "begun anew");
    }
}
