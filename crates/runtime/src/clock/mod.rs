//! How do timers and schedules of plugins become events? [`cron`] when a schedule is due → [`missed`] what of it counts when
//! nobody was looking → [`event`] the event that is made → [`run`] the loop that fires; [`moment()`] what people call a time.

pub mod cron;
mod event;
mod missed;
mod moment;
mod run;

pub use event::keepsake;
pub(crate) use missed::MOST as MOST_MISSED;
pub use missed::Missed;
pub use moment::{moment, moment_or_ago, shown};
pub(crate) use run::Clock;
pub use run::WantedSchedule;
