//! What does an answer come to? Effects become rows: sends, KV changes, timers.

use std::sync::Arc;

use serde_json::Value;
use wxbot_core::split::{split_text, width};
use wxbot_model::{Action, Capability, ClientMsgId, ContactId, Event, Media};
use wxbot_plugin::{Effect, Effects, MediaSource};

use super::dialogs::Question;
use crate::account::{Account, Settings};
use crate::clock;
use crate::media::Held;
use crate::outbox::echo_of;
use crate::store::{KvSwap, NewSend, TimerChange};

/// What one plugin wants of an event.
#[derive(Default)]
pub(super) struct Share {
    pub(super) sends: Vec<NewSend>,
    /// How many of them are texts and media in the event's own conversation.
    pub(super) said: usize,
    pub(super) kv: Vec<(Arc<str>, String, Option<Value>)>,
    pub(super) swaps: Vec<KvSwap>,
    pub(super) timers: Vec<TimerChange>,
    /// Keeps the files that the sends need until these are committed.
    pub(super) holds: Vec<Held>,
    pub(super) question: Option<Question>,
}

/// Who carries out effects.
#[derive(Clone, Copy)]
pub(crate) struct Hands<'a> {
    pub(crate) account: &'a Account,
    pub(crate) settings: &'a Settings,
    /// For whom.
    pub(crate) plugin: &'a Arc<str>,
}

impl Hands<'_> {
    /// What these effects of a plugin come to. Files are taken into the media folder here, before the event's commit.
    /// Its sends are numbered from `ord` on.
    pub(super) async fn collect(&self, event: &Event, effects: Effects, ord: usize) -> Result<Share, String> {
        let mut share = Share::default();
        let plugin = || Arc::clone(self.plugin);
        for effect in effects {
            let action = match effect {
                Effect::Reply { text, mention_sender } => {
                    let mention = match &event.sender {
                        Some(sender) if mention_sender && event.is_group() => vec![sender.id.clone()],
                        Some(_) | None => Vec::new(),
                    };
                    Action::SendText { to: event.chat.id.clone(), text, mention }
                }
                Effect::Media { to, shape, source } => {
                    self.can(shape.needs())?;
                    let taken = self.account.media.take(&self.account.name, shape, source).await?;
                    share.holds.extend(taken.hold);
                    Action::SendMedia { to: to.unwrap_or_else(|| event.chat.id.clone()), shape, media: taken.media }
                }
                Effect::Act(action) => {
                    let (action, hold) = self.at_hand(action).await?;
                    share.holds.extend(hold);
                    action
                }
                Effect::Put { key, value } => {
                    share.kv.push((plugin(), key, Some(value)));
                    continue;
                }
                Effect::Delete { key } => {
                    share.kv.push((plugin(), key, None));
                    continue;
                }
                Effect::Swap { key, was, now } => {
                    share.swaps.push(KvSwap { plugin: plugin(), key, was, now });
                    continue;
                }
                Effect::Timer { name, after_ms, payload } => {
                    let due_ms = self.account.source.now_ms().saturating_add_unsigned(after_ms);
                    let body = clock::keepsake(&event.chat, &payload);
                    let conv = event.chat.id.clone();
                    share.timers.push(TimerChange::Set { plugin: plugin(), name, conv, due_ms, body });
                    continue;
                }
                Effect::CancelTimer { name } => {
                    share.timers.push(TimerChange::Cancel { plugin: plugin(), name });
                    continue;
                }
                _ => return Err("it answered an effect this wxbot does not know".into()),
            };
            let speaks = matches!(action, Action::SendText { .. } | Action::SendMedia { .. });
            share.said += usize::from(speaks && action.to() == Some(&event.chat.id));
            let place = u32::try_from(ord + share.sends.len()).unwrap_or(u32::MAX);
            share.sends.extend(self.sends(&event.chat.id, &action, place)?);
        }
        Ok(share)
    }

    fn can(&self, what: Capability) -> Result<(), String> {
        if self.settings.protocol.capabilities().has(what) {
            return Ok(());
        }
        let (name, protocol) = (&self.account.name, &self.settings.config.protocol);
        Err(format!("it asked for what account `{name}` ({protocol}) cannot do: `{what}`"))
    }

    /// An action that sends media by itself: its file must be there and stay there, which is what the second answer is
    /// for.
    pub(crate) async fn at_hand(&self, action: Action) -> Result<(Action, Option<Held>), String> {
        let Action::SendMedia { to, shape, media } = action else { return Ok((action, None)) };
        let source = match media {
            Media::Stored(stored) => MediaSource::Stored(stored),
            Media::Received { media, name } => MediaSource::Received { media, name },
            _ => return Ok((Action::SendMedia { to, shape, media }, None)),
        };
        self.can(shape.needs())?;
        let taken = self.account.media.take(&self.account.name, shape, source).await?;
        Ok((Action::SendMedia { to, shape, media: taken.media }, taken.hold))
    }

    /// The rows of an action; `chat` is its lane where it says none itself.
    pub(crate) fn sends(&self, chat: &ContactId, action: &Action, ord: u32) -> Result<Vec<NewSend>, String> {
        self.can(action.needs())?;
        let protocol = &self.settings.protocol;
        rows_of(protocol.text_limit(), || protocol.draw_client_msg_id(), self.plugin, chat, action, ord)
    }
}

/// The rows of an action that the account can do: one, or, of a text that is wider than the service takes, one for each
/// part. The same action comes to the same parts, so that an event that is handled again has its sends at the same places.
/// Whoever is mentioned is mentioned once, in the first part.
pub(crate) fn rows_of(
    text_limit: Option<usize>,
    draw: impl Fn() -> ClientMsgId,
    plugin: &Arc<str>,
    chat: &ContactId,
    action: &Action,
    ord: u32,
) -> Result<Vec<NewSend>, String> {
    let row = |action: &Action, ord| row_of(draw(), plugin, chat, action, ord);
    if let (Action::SendText { to, text, mention }, Some(limit)) = (action, text_limit)
        && width(text) > limit
    {
        let part = |(n, text): (usize, String)| {
            let mention = if n == 0 { mention.clone() } else { Vec::new() };
            Action::SendText { to: to.clone(), text, mention }
        };
        let parts = split_text(text, limit).into_iter().enumerate().map(part);
        return parts.zip(ord..).map(|(action, ord)| row(&action, ord)).collect();
    }
    row(action, ord).map(|row| vec![row])
}

/// The row of an action that the service takes as it is.
fn row_of(
    client_id: ClientMsgId,
    plugin: &Arc<str>,
    chat: &ContactId,
    action: &Action,
    ord: u32,
) -> Result<NewSend, String> {
    let body = serde_json::to_string(action).map_err(|error| error.to_string())?;
    // What comes back of anything else is another shape; the whole action never equals a text.
    let echo = if let Action::SendText { text, .. } = action { echo_of(text) } else { echo_of(&body) };
    let media = if let Action::SendMedia { media: Media::Stored(stored), .. } = action {
        Some(stored.digest.clone())
    } else {
        None
    };
    Ok(NewSend {
        plugin: Arc::clone(plugin),
        ord,
        conv: action.to().unwrap_or(chat).clone(),
        client_id,
        body,
        echo,
        media,
    })
}
