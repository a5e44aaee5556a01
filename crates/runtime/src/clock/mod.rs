//! How do timers and schedules of plugins become events? [`cron`] when a schedule is due → [`run`] the loop that fires them.

pub mod cron;
