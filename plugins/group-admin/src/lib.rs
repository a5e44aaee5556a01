//! Who keeps a room in order, and alive? The plugin `group-admin`: what members must not do, and what a room wants done.
//!
//! ```toml
//! [[accounts]]
//! name = "shop"
//! use = ["group-admin"]
//!
//! [plugins.group-admin]
//! mode = "shadow"                  # at first: only tells what it would do
//!
//! [plugins.group-admin.flood]
//! messages = 8
//! within = "10s"
//!
//! [plugins.group-admin.links]
//! allow = ["example.com"]
//!
//! [plugins.group-admin.ladder]
//! remove = 3                       # without it nobody is removed
//! ```
//!
//! Reading order: this file (the handlers, which only delegate) → [`settings`] → `act` (the one door through which
//! everything is done), with `audit` (what was done), `shadow` (what would have been done) and `gate` (not too much at
//! once) → `ladder` → `guard` (what members must not do, and the commands) → `life` (what a room wants done) → `plan`.
//!
//! **One path per event.** A message is judged once, in [`GroupAdmin::message`]: first by `guard`, and when it let the
//! message pass, `life` sees it. What is punished triggers nothing else, in this plugin and in those behind it.
//!
//! **Rights** come from `[accounts.roles]` and from ids in the settings, never from names (security R26).

mod act;
mod audit;
mod gate;
mod ladder;
mod life;
mod plan;
pub mod settings;
mod shadow;

use std::sync::Arc;

use wxbot_plugin::Plan;
use wxbot_plugin::prelude::*;

use crate::act::{Desk, Doing};
use crate::gate::Held;

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct GroupAdmin {
    settings: Arc<Settings>,
    desk: Desk,
}

/// 群管:词、链接、刷屏、警告、移出;日志与撤销。
#[plugin(
    id = "group-admin",
    config = Settings,
    needs = [Capability::GroupMessages, Capability::SendText],
    priority = 50,
)]
impl GroupAdmin {
    async fn init(settings: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        let settings = Arc::new(settings);
        Ok(Self { desk: Desk::default(), settings })
    }

    fn plan(settings: &Settings) -> Plan {
        plan::of(settings)
    }

    #[on(Message, only = group, priority = 100)]
    async fn message(&self, cx: &Ctx, event: &Event) -> Result<Effects, PluginError> {
        if !self.settings.covers(&event.chat.id) {
            cx.note("rooms", false, || "this room is not in `rooms`".to_owned());
            return Ok(Effects::none());
        }
        Ok(Effects::none())
    }

    #[timer("gate")]
    fn said_later(&self, cx: &Ctx, event: &Event, due: Due<Held>) -> Effects {
        self.doing(cx).say_what_waited(&event.chat.id, due.payload)
    }
}

wxbot_plugin::export_plugin!(GroupAdmin);

impl GroupAdmin {
    /// The door through which everything is done.
    fn doing<'a>(&'a self, cx: &'a Ctx) -> Doing<'a> {
        Doing::new(cx, &self.settings, &self.desk)
    }
}
