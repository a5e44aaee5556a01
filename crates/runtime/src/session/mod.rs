//! How does a session live? [`phase`] decides, [`run`] does.

pub mod phase;
pub mod run;
