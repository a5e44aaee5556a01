//! What does the crash test run? wxbot with one plugin that does, when it is told to, each thing that is stored.
//!
//! `echo k1` answers `k1`; the other words are in the code. `tests/crash` kills it at each point of the way.

use std::process::ExitCode;
use std::time::Duration;

use wxbot_plugin::prelude::*;

struct Drill;

impl Plugin for Drill {
    type Config = NoConfig;

    fn manifest() -> Manifest {
        let needs = [Capability::SendText, Capability::SendFile, Capability::SendImage];
        Manifest::new("drill", "Does on request what wxbot stores.").needs(&needs)
    }

    fn plan(_config: &NoConfig) -> Plan {
        // Never due while a test runs; that it is wanted is noted at each start.
        Plan::new().schedule(PlannedSchedule::new("new-year", "0 0 0 1 Jan *"))
    }

    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        if let EventKind::Timer { payload, .. } = &event.kind {
            return Ok(Effects::reply(payload.as_str().unwrap_or_default()));
        }
        let EventKind::Message(message) = &event.kind else { return Ok(Effects::none()) };
        if message.from_self {
            return Ok(Effects::none());
        }
        if let Content::Image { media } = &message.content {
            return Ok(Effects::reply_image(media));
        }
        let (word, rest) = event.text().and_then(|text| text.split_once(' ')).unwrap_or_default();
        Ok(match word {
            "echo" => Effects::reply(rest),
            "two" => Effects::reply(rest).and_reply(format!("{rest}b")),
            "keep" => Effects::reply(rest).put("last", &rest)?,
            "later" => Effects::none().timer(rest, Duration::from_millis(1), &rest)?,
            "file" => Effects::reply(rest).and_reply_file(MediaSource::bytes(format!("{rest}.txt"), rest)),
            "slow" => {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                Effects::reply(rest)
            }
            "fail" if cx.attempt() < 2 => return Err(PluginError::msg("asked to fail once")),
            "fail" => Effects::reply(rest),
            "now" => {
                let (to, text) = (event.chat.id.clone(), rest.to_owned());
                cx.send_now(Action::SendText { to, text, mention: Vec::new() }).await?;
                Effects::none()
            }
            // To somebody whom nobody knows: it is held, and withdrawn.
            "nobody" => {
                let (to, text) = ("p900001".parse()?, rest.to_owned());
                cx.send_now(Action::SendText { to, text, mention: Vec::new() }).await.err();
                Effects::reply(rest)
            }
            "to" => {
                let (to, text) = rest.split_once(' ').unwrap_or_default();
                Effects::none().and_send(to.parse()?, text)
            }
            _ => Effects::none(),
        })
    }
}

fn main() -> ExitCode {
    wxbot::App::bundled().plugin::<Drill>().main()
}
