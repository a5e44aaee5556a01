//! Which roles does a sender have? Those that `bot.toml` binds to the contact id.

use wxbot_model::Event;
use wxbot_plugin::Role;

use crate::account::Settings;

/// The roles of whoever sent the event, without the one that everybody has.
pub(super) fn roles_of(settings: &Settings, event: &Event) -> Vec<Role> {
    settings.config.roles.of(event)
}
