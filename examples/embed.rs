//! How does a binary of your own look? wxbot with one more plugin linked in: `cargo run --example embed -- run`.
//!
//! The plugin answers `ping`, and misbehaves when it is asked to: try `panic` and see that the next `ping` is answered.

use std::process::ExitCode;

use wxbot_plugin::prelude::*;

struct Ping;

impl Plugin for Ping {
    type Config = NoConfig;

    fn manifest() -> Manifest {
        Manifest::new("ping", "Answers ping with pong; panics and fails on request.").needs(&[Capability::SendText])
    }

    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }

    async fn on_event(&self, event: &Event, _cx: &Ctx) -> Result<Effects, PluginError> {
        let text = event.text().unwrap_or_default();
        match text.split_whitespace().next() {
            Some("ping") => Ok(Effects::reply("pong")),
            // A careless plugin puts what it was sent into its last words; wxbot takes keys out of them.
            Some("panic") => panic!("asked to: {text}"),
            Some("fail") => Err(PluginError::msg(format!("asked to: {text}"))),
            _ => Ok(Effects::none()),
        }
    }
}

fn main() -> ExitCode {
    wxbot::App::bundled().plugin::<Ping>().main()
}
