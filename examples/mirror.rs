//! What do the iLink tests run? wxbot with one plugin that sends back whatever comes in, and says what it was.
//!
//! Media go back as they came, speech as a file. Some words are orders: `link`, `who`, `slow`, `budget`.

use std::process::ExitCode;
use std::time::Duration;

use wxbot_plugin::model::Link;
use wxbot_plugin::prelude::*;

struct Mirror;

impl Plugin for Mirror {
    type Config = NoConfig;

    fn manifest() -> Manifest {
        let needs = [Capability::SendText, Capability::SendImage, Capability::SendVideo, Capability::SendFile];
        Manifest::new("mirror", "Sends back whatever comes in.").needs(&needs)
    }

    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "kinds are added over time")]
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let EventKind::Message(message) = &event.kind else { return Ok(Effects::none()) };
        Ok(match &message.content {
            Content::Image { media } => Effects::reply_image(media),
            Content::Video { media, length_s, .. } => {
                Effects::reply(format!("film of {length_s} s")).and_reply_video(media)
            }
            Content::File(file) => Effects::reply(format!("file {}", file.name)).and_reply_file(&file.media),
            Content::Voice { media, length_ms, transcript } => {
                let heard = transcript.as_deref().unwrap_or("nothing");
                Effects::reply(format!("{length_ms} ms, heard: {heard}")).and_reply_file(media)
            }
            Content::Quote(quote) => {
                Effects::reply(format!("{} | {} | {}", quote.text, quote.quoted.kind, quote.quoted.text))
            }
            Content::Text { text } => match text.as_str() {
                "link" => {
                    let url = "https://example.com".to_owned();
                    let link = Link { title: "A page".to_owned(), url, ..Link::default() };
                    Effects::none().send_link(event.chat.id.clone(), link)
                }
                "who" => {
                    let who = event.sender.as_ref().map(|sender| format!("[{}] {}", sender.name, sender.id));
                    Effects::reply(who.unwrap_or_default())
                }
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    Effects::reply("slow")
                }
                "budget" => Effects::reply(format!("{:?}", cx.budget().await?)),
                said => Effects::reply(said),
            },
            _ => Effects::reply(format!("a {}", message.content.kind())),
        })
    }
}

fn main() -> ExitCode {
    wxbot::App::bundled().plugin::<Mirror>().main()
}
