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
//! Reading order: [`App`] → `args` what can be typed → `registry` what is built in → one file a command → `control` the
//! socket of a running wxbot → `console` the protocol of the terminal → `qr`, `report`, `logs`, `words` what is shown.

mod accounts;
mod app;
mod args;
mod check;
mod console;
mod contacts;
mod control;
mod demo;
mod init;
mod login;
mod logs;
mod place;
mod process;
mod qr;
mod registry;
mod report;
mod run;
mod sim;
mod words;

pub use app::App;
