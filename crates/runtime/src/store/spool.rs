//! What keeps pushed bodies while nobody is there to read them? The spool of `wxbot run --keeper`.
//!
//! One process writes it, the ingress: it puts bodies in before they are answered, hands them on in order, and takes those
//! away that are kept elsewhere. Nobody else opens the file.

use std::fmt;

use bytes::Bytes;

use super::Answer;

/// A body to be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBody {
    /// Whose.
    pub account: String,
    /// As its door let it in.
    pub body: Bytes,
    /// When it came, milliseconds since 1970.
    pub recv_ms: i64,
}

/// A body that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledBody {
    /// Its number: the order in which bodies came.
    pub id: u64,
    /// The body.
    pub body: Bytes,
    /// When it came, milliseconds since 1970.
    pub recv_ms: i64,
}

/// How much waits for one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Bodies.
    pub bodies: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The steps of a spool. Each is durable when it answers, and all or nothing.
pub trait SpoolStore: Send + Sync + fmt::Debug {
    /// Puts these in, in this order.
    fn put(&self, bodies: Vec<NewBody>) -> Answer<'_, ()>;

    /// Bodies of an account behind `after` (0: from the start), in order: at most `most`, and no more than `bytes` bytes
    /// but for the first, which comes whatever its size.
    fn next(&self, account: &str, after: u64, most: usize, bytes: usize) -> Answer<'_, Vec<SpooledBody>>;

    /// Takes away what is kept elsewhere. Those that are not there any more are passed over.
    fn trim(&self, ids: Vec<u64>) -> Answer<'_, ()>;

    /// What waits, by account, those that nothing waits for left out. Known without asking the disk.
    fn depth(&self) -> Vec<(String, Depth)>;

    /// Finishes what was asked before, and brings everything into the main file.
    fn close(&self) -> Answer<'_, ()>;
}
