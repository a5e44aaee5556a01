//! wxbot as a library: the same program with your own plugins linked in.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     wxbot::App::bundled().main()
//! }
//! ```
//!
//! Reading order: [`App`] → `args` what can be typed → `registry` what is built in → one file a command → `watch` what asks
//! for a reload → `control` the socket of a running wxbot → `console` the protocol of the terminal, `hook` and
//! `wecom` what accounts say that are pushed to, with `mapped` what both say alike → `server`
//! where services push to, `inherited` which sockets are held for it → `keeper` who holds them itself, `handover` how it
//! gives them to its children, `ingress` the one that takes pushes, `spooled` how they come to the accounts → `qr`, `report`, `logs`, `words` what is shown.

mod accounts;
mod alerts;
mod app;
mod args;
mod backup;
mod check;
mod console;
mod contacts;
mod control;
mod dead;
mod demo;
mod digits;
mod doctor;
#[doc(hidden)]
pub mod doors;
mod explain;
mod forget;
mod handover;
mod hook;
mod ilink;
mod ingress;
mod inherited;
mod init;
mod keeper;
mod key;
mod login;
mod logs;
mod mapped;
mod media;
mod mend;
mod messages;
mod outbox;
mod passphrase_of;
mod place;
mod plugin;
mod process;
mod qr;
mod registry;
mod reload;
mod replay;
mod report;
mod restore;
mod run;
mod schedule;
mod send;
mod server;
mod sim;
mod spooled;
mod watch;
mod wecom;
mod words;

pub use app::App;
