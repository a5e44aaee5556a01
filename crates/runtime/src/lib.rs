//! Supervises sessions, stores and routes their events, sends their replies.
//!
//! Reading order: [`config`] what `bot.toml` says → [`runtime`] start, reload and stop → [`plan`] what a reload changes →
//! [`roster`] which accounts run, [`roles`] who may do what in one → [`account`] what one account shares, `crew` its tasks →
//! [`session`] its state machine and driver → [`contacts`] ids that outlive a login → [`store`] where everything lives →
//! [`dispatch`] lanes, [`middleware`], [`plugin`], `builtin` what wxbot answers itself, [`explain`] why → [`clock`] timers
//! and schedules → [`outbox`], `address` and [`pacing`] → [`media`] pictures, films and files on their way in and out →
//! [`archive`] what is remembered of conversations → [`reserve`] what a full disk stops → [`alerts`] when somebody must be told
//! that something is wrong → [`failpoint`] where tests end it all.

pub mod account;
mod address;
pub mod alerts;
pub mod archive;
mod builtin;
pub mod clock;
pub mod config;
pub mod contacts;
mod crew;
mod dispatch;
pub mod explain;
pub mod failpoint;
pub mod media;
pub mod middleware;
mod outbox;
pub mod pacing;
pub mod plan;
pub mod plugin;
pub mod reserve;
pub mod roles;
pub mod roster;
pub mod runtime;
pub mod session;
pub mod store;
