//! What can a handler ask its host? This one asks what its message says, and answers what it heard.

use wxbot_plugin::model::{ContactId, MediaHandle, MediaKind};
use wxbot_plugin::prelude::*;
use wxbot_plugin::{Verdict, export_plugin};

/// The plugin.
#[derive(Debug)]
pub struct Asker;

impl Plugin for Asker {
    type Config = NoConfig;

    fn manifest() -> Manifest {
        Manifest::new("asker", "Asks.").guards()
    }

    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let (word, rest) = event.text().and_then(|text| text.split_once(' ')).unwrap_or_default();
        let heard = match word {
            "find" => cx.find_contacts(rest).into_iter().next().map_or_else(|| "nobody".into(), |found| found.name),
            "contact" => {
                let contact = cx.contact(&rest.parse()?);
                contact.map_or_else(|| "nobody".to_owned(), |contact| contact.display_name().to_owned())
            }
            "members" => {
                let members = cx.members(&rest.parse()?).await?;
                members.into_iter().map(|member| member.name).collect::<Vec<_>>().join(",")
            }
            "media" => match cx.media(&MediaHandle::new(MediaKind::Image, rest, None)).await {
                Ok(file) => {
                    let bytes = file.read(1024).await?;
                    format!("{} {:?} {}", file.name(), file.file_type(), String::from_utf8_lossy(&bytes))
                }
                Err(MediaError::Gone { why }) => format!("gone: {why}"),
                Err(error) => return Err(error.into()),
            },
            "avatar" => {
                let (member, room) = rest.split_once(' ').unwrap_or((rest, ""));
                let member: ContactId = member.parse()?;
                cx.avatar_of_member(&room.parse()?, &member).await?.name().to_owned()
            }
            "list" => {
                let (prefix, limit) = rest.split_once(' ').unwrap_or((rest, "9"));
                let rows: Vec<(String, u64)> = cx.kv_list(prefix, KvPage::of(limit.parse()?).after("k1")).await?;
                rows.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
            }
            "can" => [Capability::SendText, Capability::RemoveMembers].map(|what| cx.can(what).to_string()).join(" "),
            "people" => cx.people(&rest.parse()?).iter().map(ContactId::as_str).collect::<Vec<_>>().join(","),
            "now" => {
                let chat = event.chat.id.clone();
                let action = Action::SendText { to: chat, text: rest.into(), mention: Vec::new() };
                format!("{:?}", cx.send_now(action).await?.msg.map(|id| id.to_string()))
            }
            _ => return Ok(Effects::none()),
        };
        Ok(Effects::reply(heard))
    }

    async fn guard(&self, event: &Event, _cx: &Ctx) -> Result<Verdict, PluginError> {
        Ok(match event.text() {
            Some("bad") => Verdict::stop("a bad word"),
            Some("change") => Verdict::Change(Box::new(Event { late: true, ..event.clone() })),
            _ => Verdict::Pass,
        })
    }
}

export_plugin!(Asker);
