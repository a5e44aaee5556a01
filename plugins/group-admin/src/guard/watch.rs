//! What becomes of a message in a room? It is looked at once: by its content, by how much there is of it, by who sent it and
//! when. The gravest of what is found is judged.
//!
//! A message without an offence costs no write, and but for the first one of a member no look into the store. Answers in
//! dialogs and words of wxbot itself do not come here.

use wxbot_plugin::model::Person;
use wxbot_plugin::prelude::*;

use super::offence::Offence;
use super::state::{MemberKey, mark};
use super::{Guard, judge, newcomer, quiet};
use crate::act::{Deed, Doing};
use crate::audit::Whom;
use crate::plan;

/// The name under which `wxbot explain` shows what is not a feature's own look.
const GUARD: &str = "guard";

/// What became of a message.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) effects: Effects,
    /// True when the message broke a rule: nothing else shall be done with it.
    pub(crate) punished: bool,
}

impl Judged {
    fn fine(effects: Effects) -> Self {
        Self { effects, punished: false }
    }
}

/// Judges a message.
pub(crate) async fn message(guard: &Guard, doing: &Doing<'_>, event: &Event) -> Result<Judged, PluginError> {
    let (cx, settings) = (doing.cx, doing.settings);
    let (Some(message), Some(sender)) = (event.message(), event.sender.as_ref()) else { return Ok(Judged::default()) };
    if message.from_self {
        cx.note(GUARD, false, || "our own account sent it".to_owned());
        return Ok(Judged::default());
    }
    // By role and id, never by name.
    if cx.may(&Role::GroupAdmin) || settings.whitelist.contains(&sender.id) {
        cx.note(GUARD, false, || "admins and those in `whitelist` are never judged".to_owned());
        return Ok(Judged::default());
    }
    if guard.is_paused(doing, &event.chat.id).await? {
        cx.note(GUARD, false, || "switched off in this room by command".to_owned());
        return Ok(Judged::default());
    }
    let (keep, early) = newcomer::look(guard, doing, event, sender, &message.content).await?;
    let mut found: Vec<Offence> = guard.filters.judge(settings, &message.content).into_iter().chain(early).collect();
    found.extend(count(guard, doing, event, sender, &message.content));
    // The first of the gravest: `max_by_key` answers the last.
    let gravest = found.into_iter().rev().max_by_key(|offence| offence.rung);
    let offence = match gravest {
        Some(offence) => Some(offence),
        None => match quiet::look(guard, doing, &event.chat.id).await? {
            Some(quiet::Found::Again(offence)) => Some(offence),
            Some(quiet::Found::First(quiet, until_ms)) => {
                let kept = Effects::none().put(quiet::key(&event.chat.id), &until_ms)?;
                let deed = Deed::new("quiet", "提醒安静", &event.chat.id).whom([Whom::of(cx, sender)]).why("安静时段");
                let told = Effects::reply(&*quiet.text);
                return Ok(Judged::fine(keep.then(doing.act(deed.does(told).keeps(kept)).await?)));
            }
            None => None,
        },
    };
    let Some(offence) = offence else {
        cx.note(GUARD, false, || {
            let looked: Vec<&str> = plan::judging(settings).map(|(name, _)| name).collect();
            format!("nothing is against the rules ({})", looked.join(", "))
        });
        return Ok(Judged::fine(keep));
    };
    match judge::punish(guard, doing, event, sender, offence).await? {
        Some(effects) => Ok(Judged { effects: keep.then(effects), punished: true }),
        None => Ok(Judged::fine(keep)),
    }
}

/// What is wrong with how much there is of it. An event that is handled again is not counted again.
fn count(guard: &Guard, doing: &Doing<'_>, event: &Event, sender: &Person, content: &Content) -> Option<Offence> {
    let (settings, now_ms) = (doing.settings, doing.cx.now_ms());
    // When it was sent, and not when it is handled: what has piled up while wxbot was away is no flood.
    let sent_ms = if event.at_s > 0 { event.at_s.saturating_mul(1_000).min(now_ms) } else { now_ms };
    let (key, mark) = (MemberKey::of(&sender.id), mark(&event.key));
    let hash = settings.repeats.as_ref().and_then(|rules| rules.hash(&guard.state.hashes, content));
    guard.state.room(doing.cx.account(), &event.chat.id, |room| {
        if let Some((_, found)) = room.last.as_ref().filter(|(last, _)| *last == mark) {
            return found.clone();
        }
        let flood =
            settings.flood.as_ref().and_then(|rules| rules.count(&mut room.member(key, now_ms).window, sent_ms));
        let again = settings.repeats.as_ref().zip(hash);
        let again = again.and_then(|(rules, hash)| rules.count(&mut room.recent, hash, key, sent_ms));
        // Of nobody's repetition and somebody's flood, the flood.
        let found = match (flood, again) {
            (Some(flood), Some(again)) if again.strike && again.rung > flood.rung => Some(again),
            (Some(flood), _) => Some(flood),
            (None, again) => again,
        };
        room.last = Some((mark, found.clone()));
        found
    })
}
