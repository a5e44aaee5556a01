//! When does a plugin want to be told the time? The schedules of its manifest, read once when it starts.

use std::sync::Arc;

use wxbot_model::AccountName;
use wxbot_plugin::Manifest;
use wxbot_plugin::manifest::{Missed, Trigger};

use crate::clock::cron::Schedule;
use crate::clock::{self, WantedSchedule};

/// A handler with a schedule.
#[derive(Debug)]
pub(crate) struct Scheduled {
    handler: Arc<str>,
    schedule: Arc<Schedule>,
    missed: clock::Missed,
}

/// The schedules of a manifest.
///
/// # Errors
/// Why one of them is none, with the handler's name.
pub(super) fn of(manifest: &Manifest) -> Result<Vec<Scheduled>, String> {
    let mut all = Vec::new();
    for handler in &manifest.handlers {
        let Trigger::Cron { expression, tz, missed } = &handler.trigger else { continue };
        let name = &handler.name;
        if all.iter().any(|one: &Scheduled| *one.handler == **name) {
            return Err(format!("two handlers with a schedule are called `{name}`"));
        }
        let schedule = Schedule::parse(expression, tz.as_deref());
        let schedule = schedule.map_err(|error| format!("the schedule of its handler `{name}` is wrong: {error}"))?;
        let missed = match missed {
            Missed::Skip => clock::Missed::Skip,
            Missed::Once => clock::Missed::Once,
            Missed::All => clock::Missed::All,
        };
        all.push(Scheduled { handler: name.as_str().into(), schedule: Arc::new(schedule), missed });
    }
    Ok(all)
}

impl Scheduled {
    /// The same for an account that uses the plugin.
    pub(crate) fn of(&self, account: &AccountName, plugin: &Arc<str>) -> WantedSchedule {
        WantedSchedule {
            account: account.clone(),
            plugin: Arc::clone(plugin),
            name: Arc::clone(&self.handler),
            schedule: Arc::clone(&self.schedule),
            missed: self.missed,
        }
    }
}
