//! Supervises sessions, stores and routes their events, sends their replies.
//!
//! Reading order: [`config`] what `bot.toml` says → [`runtime`] start, reload and stop → [`plan`] what a reload changes →
//! [`roster`] which accounts run → [`account`] what one account shares, `crew` its tasks → [`session`] its state machine
//! and driver → [`contacts`] ids that outlive a login → [`store`] where everything lives → [`dispatch`] lanes,
//! [`middleware`], [`plugin`] → [`outbox`] and [`pacing`].

pub mod account;
pub mod config;
pub mod contacts;
mod crew;
mod dispatch;
pub mod middleware;
mod outbox;
pub mod pacing;
pub mod plan;
pub mod plugin;
pub mod roster;
pub mod runtime;
pub mod session;
pub mod store;
