//! How does a session live? [`phase`] decides, [`run`] does; [`cure`] says what a person can do, [`halt`] what of it outlives
//! the process; `rows` files what came, `who` settles who is who.

pub mod cure;
pub mod digits;
pub(crate) mod halt;
pub mod phase;
pub(crate) mod rows;
pub mod run;
mod who;
