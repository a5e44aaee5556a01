//! A plugin that does what it is told: the first word of a text names the deed.

use wxbot_plugin::manifest::{HandlerSpec, Missed, Trigger};
use wxbot_plugin::prelude::*;

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

pub(crate) struct Deeds;

impl Plugin for Deeds {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        let tz = Some("Asia/Shanghai".into());
        let hourly = Trigger::Cron { expression: "0 * * * *".into(), tz, missed: Missed::Skip };
        Manifest::new("deeds", "Does what it is told.").handler(HandlerSpec::new("hourly", hourly))
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let chat = || event.chat.id.clone();
        let Some(message) = event.message() else { return Ok(Effects::none()) };
        if let Some(handle) = message.content.media() {
            if matches!(message.content, Content::Image { .. }) {
                // Passed on unseen: the bytes are fetched when they are sent.
                return Effects::none().forward(chat(), message);
            }
            let file = cx.media(handle).await?;
            let bytes = file.read(1_000).await?;
            let text = format!("{} {} {}", file.file_type().mime(), file.len(), String::from_utf8_lossy(&bytes));
            return Ok(Effects::reply(text).and_reply_file(&file));
        }
        let Content::Text { text } = &message.content else { return Ok(Effects::none()) };
        let (deed, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match deed {
            "bytes" => Effects::reply_image(("../menu\u{202e}.png", PNG.to_vec())),
            "path" => Effects::reply_file(MediaSource::path(rest)),
            "both" => Effects::reply("before").and_reply_file(MediaSource::path(rest)),
            "recall" => Effects::none().recall_last(chat()),
            "room" => Effects::none().create_room(rest.split(' ').map(|id| id.parse().unwrap()), "tea"),
            "mention" => {
                let mention = rest.split(' ').map(|id| id.parse().unwrap()).collect();
                Effects::none().and_act(Action::SendText { to: chat(), text: "hi".into(), mention })
            }
            "slow" => {
                tokio::time::sleep(std::time::Duration::from_millis(rest.parse().unwrap())).await;
                Effects::reply("at last")
            }
            "panic" => {
                tokio::time::sleep(std::time::Duration::from_millis(rest.parse().unwrap())).await;
                panic!("as asked")
            }
            "now" => {
                for word in rest.split(' ') {
                    let text = Action::SendText { to: chat(), text: word.into(), mention: vec![] };
                    if let Err(error) = cx.send_now(text).await {
                        return Ok(Effects::reply(format!("told: {error}")));
                    }
                }
                Effects::none()
            }
            "push" => Effects::none().and_act(Action::SendText {
                to: rest.parse().unwrap(),
                text: "news".into(),
                mention: vec![],
            }),
            "long" => Effects::reply(["one two three"; 4].join("\n")).and_reply("end"),
            "budget" => {
                let window = cx.budget().await?.window;
                let told = window.map_or("none".to_owned(), |w| format!("{} {} {}", w.left, w.likely, w.open_s));
                Effects::reply(told)
            }
            "triple" => Effects::reply("a").and_reply("b").and_reply("c"),
            "avatar" => {
                let file = cx.avatar(&chat()).await?;
                Effects::reply(format!("{} of {}", file.file_type().mime(), file.len()))
            }
            _ => Effects::reply(format!("echo: {text}")),
        })
    }
}
