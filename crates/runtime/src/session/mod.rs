//! How does a session live? [`phase`] decides, [`run`] does; `rows` files what came, `who` settles who is who.

pub mod phase;
pub(crate) mod rows;
pub mod run;
mod who;
