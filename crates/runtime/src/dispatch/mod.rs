//! How do stored events reach plugins? [`feed`] what is in memory and in which lane → [`run`] which lanes run →
//! [`handle`] one event through chain and plugins to its end in the store.

pub(crate) mod feed;
mod handle;
mod host;
mod run;

pub(crate) use handle::Handler;
pub(crate) use host::RuntimeHost;
pub(crate) use run::{Gate, run};
