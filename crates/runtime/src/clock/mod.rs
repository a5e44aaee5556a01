//! How do timers and schedules of plugins become events? [`cron`] when a schedule is due → [`missed`] what of it counts when
//! nobody was looking → [`event`] the event that is made → [`run`] the loop that fires.

pub mod cron;
mod event;
mod missed;
mod run;

pub use event::keepsake;
pub use missed::Missed;
pub(crate) use run::Clock;
pub use run::WantedSchedule;
