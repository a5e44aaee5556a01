//! Supervises sessions, stores and routes their events, sends their replies.
//!
//! Reading order: [`config`] what `bot.toml` says → [`runtime`] start and stop → [`account`] what one account shares →
//! [`session`] its state machine and driver → [`contacts`] ids that outlive a login → [`store`] where everything lives →
//! [`dispatch`] lanes, [`middleware`], [`plugin`] → [`outbox`] and [`pacing`].

pub mod account;
pub mod config;
pub mod contacts;
mod dispatch;
pub mod middleware;
mod outbox;
pub mod pacing;
pub mod plugin;
pub mod runtime;
pub mod session;
pub mod store;
