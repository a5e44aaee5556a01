//! What would have been done? The report that shadow mode sends instead.

use crate::act::names;
use crate::audit::Record;

/// One line for whoever is to be told.
pub(crate) fn report(room: &str, record: &Record) -> String {
    let whom = names(&record.whom);
    let whom = if whom.is_empty() { String::new() } else { format!(" {whom}") };
    let why = if record.why.is_empty() { String::new() } else { format!(":{}", record.why) };
    format!("[观察 shadow] 「{room}」本来会{}{whom}{why}", record.what)
}
