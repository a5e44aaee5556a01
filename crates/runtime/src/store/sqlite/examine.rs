//! Is the database whole, and can this wxbot read it? Looked at from outside, while a wxbot runs with it or none does.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{QUEUE_FILE, schema};
use crate::store::StoreError;

/// Complaints that are told. One damaged page causes hundreds.
const MOST: usize = 5;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The version of its tables.
    pub version: i64,
    /// The version that this wxbot writes.
    pub known: i64,
    /// Bytes of the file, and of what is not yet brought into it.
    pub bytes: u64,
    /// What the engine complains of, at most five.
    pub damage: Vec<String>,
}

/// Looks at the database of a data directory without changing it; `None` when there is none. Takes as long as reading all
/// of it, and holds nobody up: whoever writes goes on writing.
///
/// # Errors
/// When it cannot be opened or read at all.
pub fn examine(dir: &Path) -> Result<Option<Examined>, StoreError> {
    let path = dir.join(QUEUE_FILE);
    let Ok(found) = std::fs::metadata(&path) else { return Ok(None) };
    let sql = |error: rusqlite::Error| StoreError::Engine {
        what: "be examined",
        reason: format!("{}: {error}", path.display()),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(sql)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(sql)?;
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sql)?;
    let mut check = connection.prepare(&format!("PRAGMA quick_check({MOST})")).map_err(sql)?;
    let said = check.query_map([], |row| row.get::<_, String>(0)).map_err(sql)?;
    let mut damage = Vec::new();
    for line in said {
        match line {
            Ok(line) if line == "ok" => {}
            Ok(line) => damage.push(line.chars().filter(|c| !c.is_control()).take(200).collect()),
            // Damaged so badly that checking ends.
            Err(error) => {
                damage.push(error.to_string());
                break;
            }
        }
    }
    let wal = std::fs::metadata(dir.join(format!("{QUEUE_FILE}-wal"))).map_or(0, |wal| wal.len());
    let known = i64::try_from(schema::MIGRATIONS.len()).unwrap_or(i64::MAX);
    Ok(Some(Examined { version, known, bytes: found.len() + wal, damage }))
}

#[cfg(test)]
mod tests {
    use super::super::{DataDir, SqliteStore};
    use super::*;
    use crate::store::Store as _;

    #[tokio::test]
    async fn a_store_is_examined_while_it_runs_and_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        assert_eq!(examine(&path).unwrap(), None);
        let dir = DataDir::open(&path).unwrap();
        let store = SqliteStore::open(&dir).unwrap();
        let account = "shop".parse().unwrap();
        store.save_session(&account, vec![1; 9_000], bytes::Bytes::new(), Vec::new()).await.unwrap();
        let running = examine(&path).unwrap().unwrap();
        assert_eq!((running.damage.as_slice(), running.version), ([].as_slice(), running.known));
        store.save_session(&account, vec![2; 9_000], bytes::Bytes::new(), Vec::new()).await.unwrap();
        store.close().await.unwrap();
        assert_eq!(examine(&path).unwrap().unwrap().damage, Vec::<String>::new());

        // Somebody wrote over the middle of it.
        let file = path.join(QUEUE_FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[4_096..middle].fill(0x5a);
        std::fs::write(&file, &bytes).unwrap();
        let damaged = examine(&path);
        assert!(damaged.is_err() || !damaged.unwrap().unwrap().damage.is_empty());
        std::fs::write(&file, "no database").unwrap();
        assert!(examine(&path).is_err());
    }
}
