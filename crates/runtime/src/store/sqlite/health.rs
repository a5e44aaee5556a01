//! Which errors of SQLite are the file's and not the step's? What is known of the file since the last transaction.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode};

use super::SqliteStore;
use crate::store::health::{Cause, HealthStore, Unwritable};
use crate::store::{Answer, StoreError};

/// What the writer has learnt of the file.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Unwritable>>);

impl Health {
    pub(super) fn is(&self, found: Option<Unwritable>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    fn now(&self) -> Option<Unwritable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The file's trouble, if this error is of the file: the next step would meet it as well.
pub(super) fn of(error: &rusqlite::Error) -> Option<Unwritable> {
    let code = error.sqlite_error_code()?;
    #[expect(clippy::wildcard_enum_match_arm, reason = "the list is SQLite's and long; all others are of the step")]
    let cause = match code {
        ErrorCode::DiskFull => Cause::Full,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Cause::ReadOnly,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Cause::Busy,
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::FileLockingProtocolFailed => Cause::Broken,
        _ => return None,
    };
    Some(Unwritable { cause, reason: error.to_string() })
}

/// Writes the first page as it is. Nothing that can be seen changes, and the page goes the way of all others.
fn rewrite(c: &Connection) -> rusqlite::Result<()> {
    let version: i64 = c.pragma_query_value(None, "user_version", |row| row.get(0))?;
    c.pragma_update(None, "user_version", version)
}

impl HealthStore for SqliteStore {
    fn unwritable(&self) -> Option<Unwritable> {
        self.writer.health().now()
    }

    fn try_out(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.writer.run("write to its file", rewrite).await?;
            // Beside it others may have failed by now, but what they met is over.
            self.writer.health().is(None);
            Ok::<(), StoreError>(())
        })
    }
}
