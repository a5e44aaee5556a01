//! Can the store be written? What the last transaction said of it, and a way to find out again.

use super::Answer;

/// Why nothing could be written. What was asked meanwhile was answered as not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    /// What kind of trouble it is: each has another cure.
    pub cause: Cause,
    /// What the engine said.
    pub reason: String,
}

/// Kinds of trouble with the store's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There is no room on the disk.
    Full,
    /// It may only be read.
    ReadOnly,
    /// Another program holds it, longer than anybody should.
    Busy,
    /// The disk or the file does not do what it should: an error of the device, a limit of the process, damage.
    Broken,
}

/// Looking after the file itself.
pub trait HealthStore {
    /// Why the last transaction that had something to write could not; `None` when it could.
    ///
    /// It stays until something is written, or [`try_out`](Self::try_out) succeeds.
    fn unwritable(&self) -> Option<Unwritable>;

    /// Writes for real, and changes nothing by it.
    fn try_out(&self) -> Answer<'_, ()>;
}
