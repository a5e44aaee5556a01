//! When does a plugin want to be told the time? The schedules of its manifest and of its settings, read once when it
//! starts.

use std::sync::Arc;

use wxbot_model::AccountName;
use wxbot_plugin::manifest::{Missed, Trigger};
use wxbot_plugin::{Manifest, Plan};

use crate::clock::cron::Schedule;
use crate::clock::{self, WantedSchedule};

/// A schedule of a plugin.
#[derive(Debug)]
pub(crate) struct Scheduled {
    name: Arc<str>,
    schedule: Arc<Schedule>,
    missed: clock::Missed,
}

/// The schedules of a manifest and a plan.
///
/// # Errors
/// Why one of them is none, with its name.
pub(super) fn of(manifest: &Manifest, plan: &Plan) -> Result<Vec<Scheduled>, String> {
    let of_handlers = manifest.handlers.iter().filter_map(|handler| {
        let Trigger::Cron { expression, tz, missed } = &handler.trigger else { return None };
        Some((&handler.name, expression, tz, missed))
    });
    let planned = plan.schedules.iter().map(|one| (&one.name, &one.expression, &one.tz, &one.missed));
    let mut all = Vec::new();
    for (name, expression, tz, missed) in of_handlers.chain(planned) {
        if all.iter().any(|one: &Scheduled| *one.name == **name) {
            return Err(format!("two schedules are called `{name}`"));
        }
        let schedule = Schedule::parse(expression, tz.as_deref());
        let schedule = schedule.map_err(|error| format!("its schedule `{name}` is wrong: {error}"))?;
        let missed = match missed {
            Missed::Skip => clock::Missed::Skip,
            Missed::Once => clock::Missed::Once,
            Missed::All => clock::Missed::All,
        };
        all.push(Scheduled { name: name.as_str().into(), schedule: Arc::new(schedule), missed });
    }
    Ok(all)
}

impl Scheduled {
    /// The same for an account that uses the plugin.
    pub(crate) fn of(&self, account: &AccountName, plugin: &Arc<str>) -> WantedSchedule {
        WantedSchedule {
            account: account.clone(),
            plugin: Arc::clone(plugin),
            name: Arc::clone(&self.name),
            schedule: Arc::clone(&self.schedule),
            missed: self.missed,
        }
    }
}
