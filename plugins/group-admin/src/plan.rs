//! Which features do these settings switch on, and what does each need of an account?

use wxbot_plugin::prelude::*;

use crate::settings::Settings;

/// The plan.
pub(crate) fn of(settings: &Settings) -> Plan {
    let mut plan = Plan::new();
    if settings.ladder.remove.is_some() {
        plan = plan.feature(Feature::new("removal", "/ladder/remove").needs(&[Capability::RemoveMembers]));
    }
    crate::life::plan(settings, plan)
}
