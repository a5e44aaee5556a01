//! How do stored events reach plugins? [`feed`] what is in memory and in which lane → [`run`] which lanes run →
//! [`handle`] one event through the chain to its end in the store → [`round`] who sees it, [`roles`] as what, `builtin` what
//! wxbot answers itself, [`dialogs`] who waits for it → [`collect`] what the answers come to. [`host`] is what
//! handlers ask meanwhile, [`send_now`] what they send, [`withheld`] when they may not; [`typing`] shows that they
//! are at it.

pub(crate) mod collect;
pub(crate) mod dialogs;
pub(crate) mod feed;
mod handle;
mod host;
mod roles;
mod round;
mod run;
mod send_now;
pub(crate) mod typing;
pub(crate) mod withheld;

pub(crate) use handle::Handler;
pub(crate) use host::RuntimeHost;
pub(crate) use run::{Gate, run};
pub(crate) use send_now::no_event;

/// What wxbot keeps, sends and answers itself is of a plugin called so. No plugin can be: it would be an id of its own.
pub(crate) const WXBOT: &str = "wxbot";
