//! What does wxbot answer itself? Its own commands, before any plugin sees them.

use wxbot_model::Event;
use wxbot_plugin::{Effects, Role};

use crate::account::{Account, Settings};

/// The answer to a command of wxbot's own. `None`: it is none, and the plugins see the event; else they do not.
///
/// The effects are carried out as those of a plugin called `wxbot`, its KV included. It is asked again when the event is
/// handled again.
pub(super) async fn answer(
    _account: &Account,
    _settings: &Settings,
    _event: &Event,
    _roles: &[Role],
) -> Option<Effects> {
    None
}
