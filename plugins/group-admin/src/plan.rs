//! Which features do these settings switch on, and what does each need of an account?

use wxbot_plugin::manifest::Missed;
use wxbot_plugin::prelude::*;

use crate::settings::Settings;
use crate::sweep;

/// What every feature that judges messages needs.
const JUDGE: &[Capability] = &[Capability::GroupMessages, Capability::SendText];

/// The plan.
pub(crate) fn of(settings: &Settings) -> Plan {
    let mut plan = Plan::new();
    for (name, pointer) in judging(settings) {
        plan = plan.feature(Feature::new(name, pointer).needs(JUDGE));
    }
    if settings.ladder.remove.is_some() {
        let needs = [Capability::GroupMessages, Capability::SendText, Capability::RemoveMembers];
        plan = plan.feature(Feature::new("removal", "/ladder/remove").needs(&needs));
    }
    let plan = crate::life::plan(settings, plan);
    if plan.features.is_empty() {
        return plan;
    }
    plan.schedule(PlannedSchedule::new(sweep::NAME, sweep::WHEN).tz(settings.tz.name()).missed(Missed::Once).at("/tz"))
}

/// The features that judge messages and are switched on: name and place.
pub(crate) fn judging(settings: &Settings) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = [
        ("words", "/words", settings.words.is_some()),
        ("links", "/links", settings.links.is_some()),
        ("cards", "/cards", settings.cards.is_some()),
        ("qr", "/qr", settings.qr.is_some()),
        ("contacts", "/contacts", settings.contacts.is_some()),
        ("flood", "/flood", settings.flood.is_some()),
        ("repeats", "/repeats", settings.repeats.is_some()),
        ("probation", "/probation", settings.probation.is_some()),
        ("quiet", "/quiet", !settings.quiet.is_empty()),
    ];
    all.into_iter().filter(|(.., on)| *on).map(|(name, pointer, _)| (name, pointer))
}
