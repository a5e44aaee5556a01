//! What do settings make of a plugin, before it runs? Features that are switched on, what each needs of an account, and
//! when the plugin wants to be woken.

use serde::{Deserialize, Serialize};
use wxbot_model::{Capabilities, Capability};

use crate::manifest::Missed;

/// What [`Plugin::plan`](crate::Plugin::plan) answers. It is asked without an instance, by `wxbot check` too.
///
/// ```
/// use wxbot_plugin::prelude::*;
/// use wxbot_plugin::manifest::Missed;
///
/// let plan = Plan::new()
///     .feature(Feature::new("removal", "/ladder/remove").needs(&[Capability::RemoveMembers]))
///     .schedule(PlannedSchedule::new("news", "0 0 9 * * Mon-Fri").tz("Asia/Shanghai").missed(Missed::Once).at("/news"));
/// assert_eq!(plan.features[0].name, "removal");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Plan {
    /// What is switched on. An account that can do none of it is a mistake of `bot.toml`; one that can do a part of it
    /// is warned of. Where nothing is listed only [`Manifest::needs`](crate::Manifest::needs) counts.
    pub features: Vec<Feature>,
    /// Times besides those of the manifest's handlers, because settings say them.
    pub schedules: Vec<PlannedSchedule>,
}

/// A part of a plugin that settings switch on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Feature {
    /// What people call it: `removal`.
    pub name: String,
    /// JSON pointer to the setting that switches it on; empty when nothing does.
    #[serde(default)]
    pub pointer: String,
    /// What an account must be able to do for it.
    #[serde(default)]
    pub needs: Vec<Capability>,
}

/// A time that settings say: it comes as an event of the kind `schedule` with this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedSchedule {
    /// Its name, unique among the plugin's schedules; what has happened of it is remembered under it.
    pub name: String,
    /// JSON pointer to the expression.
    #[serde(default)]
    pub pointer: String,
    /// Second, minute, hour, day, month, weekday.
    pub expression: String,
    /// IANA name of the time zone; the machine's when `None`.
    #[serde(default)]
    pub tz: Option<String>,
    /// What happens about times that passed while wxbot was down.
    #[serde(default)]
    pub missed: Missed,
}

impl Plan {
    /// Nothing to say.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more feature.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self
    }

    /// One more time.
    #[must_use]
    pub fn schedule(mut self, schedule: PlannedSchedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// The features that an account with these capabilities cannot have, with what it lacks for each.
    pub fn impossible(&self, can: Capabilities) -> Vec<(&Feature, Vec<Capability>)> {
        let lacks = self.features.iter().map(|feature| (feature, can.missing(&feature.needs)));
        lacks.filter(|(_, missing)| !missing.is_empty()).collect()
    }
}

impl Feature {
    /// A feature that needs nothing in particular.
    pub fn new(name: impl Into<String>, pointer: impl Into<String>) -> Self {
        Self { name: name.into(), pointer: pointer.into(), needs: Vec::new() }
    }

    /// States what it needs.
    #[must_use]
    pub fn needs(mut self, needs: &[Capability]) -> Self {
        self.needs = needs.to_vec();
        self
    }
}

impl PlannedSchedule {
    /// A time by the machine's clock; times that were missed are skipped.
    pub fn new(name: impl Into<String>, expression: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pointer: String::new(),
            expression: expression.into(),
            tz: None,
            missed: Missed::default(),
        }
    }

    /// By the clock of this time zone.
    #[must_use]
    pub fn tz(mut self, tz: impl Into<String>) -> Self {
        self.tz = Some(tz.into());
        self
    }

    /// What happens about times that passed while wxbot was down.
    #[must_use]
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Where the settings say it: there a wrong expression is shown.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_lacks_is_told_by_feature() {
        let (send, kick) = (Capability::SendText, Capability::RemoveMembers);
        let plan = Plan::new()
            .feature(Feature::new("warn", "/warn").needs(&[send]))
            .feature(Feature::new("remove", "/remove").needs(&[send, kick]))
            .feature(Feature::new("count", ""));
        let told = |can: &[Capability]| -> Vec<(String, Vec<Capability>)> {
            let can = can.iter().copied().collect();
            plan.impossible(can).into_iter().map(|(feature, lacks)| (feature.name.clone(), lacks)).collect()
        };
        assert_eq!(told(&[send, kick]), []);
        assert_eq!(told(&[send]), [("remove".to_owned(), vec![kick])]);
        assert_eq!(told(&[]), [("warn".to_owned(), vec![send]), ("remove".to_owned(), vec![send, kick])]);
    }

    #[test]
    fn a_plan_of_another_version_is_read() {
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "schedules": [{ "name": "a", "expression": "0 0 9 * * *", "colour": "red" }], "moods": [],
        }))
        .unwrap();
        assert_eq!(plan.schedules, [PlannedSchedule::new("a", "0 0 9 * * *")]);
    }
}
