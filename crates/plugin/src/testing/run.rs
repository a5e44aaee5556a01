//! What runs a test under `#[wxbot_plugin::test]`? A runtime of one thread on which time is paused.

use serde_json::Value;

use super::Kit;
use crate::plugin::Plugin;

/// A plugin that [`run()`] can test: any one, with the feature `testing`.
#[diagnostic::on_unimplemented(
    message = "`#[wxbot_plugin::test]` needs the feature `testing` of `wxbot-plugin`",
    note = "add `wxbot-plugin = {{ version = \"…\", features = [\"testing\"] }}` to `[dev-dependencies]`"
)]
pub trait Testable: Plugin {}

#[cfg(feature = "testing")]
impl<P: Plugin> Testable for P {}

/// Runs a test: what [`#[wxbot_plugin::test]`](macro@crate::test) writes.
///
/// ```
/// use serde_json::json;
/// use wxbot_plugin::prelude::*;
/// use wxbot_plugin::testing::{Kit, run};
/// # struct Ping;
/// # impl Plugin for Ping {
/// #     type Config = NoConfig;
/// #     fn manifest() -> Manifest { Manifest::new("ping", "Answers ping with pong.") }
/// #     async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> { Ok(Self) }
/// #     async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
/// #         Ok(if event.text() == Some("ping") { Effects::reply("pong") } else { Effects::none() })
/// #     }
/// # }
///
/// run(json!({}), &[("API_KEY", "a secret")], async |bot: Kit<Ping>| {
///     bot.user("alice").say("ping").await.gets("pong");
/// });
/// ```
///
/// # Panics
/// When the plugin does not start with these settings.
pub fn run<P: Testable, T>(settings: Value, env: &[(&str, &str)], test: impl AsyncFnOnce(Kit<P>) -> T) -> T {
    started(settings, env, test)
}

#[cfg(feature = "testing")]
fn started<P: Plugin, T>(settings: Value, env: &[(&str, &str)], test: impl AsyncFnOnce(Kit<P>) -> T) -> T {
    use std::sync::Arc;

    use super::bench::Bench;
    use super::host::FakeHost;
    use crate::config::Place;

    let mut init = super::nowhere();
    init.place = Place::default().with_env(env.iter().copied());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        match Bench::start(settings, init, FakeHost::on_paused_time()).await {
            Ok(bench) => test(Kit { bench: Arc::new(bench) }).await,
            Err(error) => panic!("the plugin does not start: {error}"),
        }
    })
}

#[cfg(not(feature = "testing"))]
fn started<P: Plugin, T>(_settings: Value, _env: &[(&str, &str)], _test: impl AsyncFnOnce(Kit<P>) -> T) -> T {
    unreachable!("without the feature `testing` nothing is `Testable`")
}
