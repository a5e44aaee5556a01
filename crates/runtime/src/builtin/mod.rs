//! What does wxbot answer itself? `帮助`/`help` for everybody, `/plugin` for owner and admins, `/why` for the owner.
//!
//! Before any plugin: a plugin's own `help` is not heard while there is something to list. Whoever may not use a command
//! gets no answer from here, and the plugins see the text. Reading order: `order` which text is which command → `help`,
//! `switch` and `why` what each answers → `silence` which plugins are silenced where.

mod help;
mod order;
mod silence;
mod switch;
mod why;

use wxbot_model::{ChatKind, Event};
use wxbot_plugin::{Effects, Role};

use crate::account::{Account, Settings};
use order::Order;
pub(crate) use silence::Silenced;

/// The most that one text holds, with room below the limit of a send.
const TEXT: usize = 3_500;

/// What wxbot answers to a command of its own, and the word of the command. `None`: it is none, or not for this person.
///
/// Only plain text is a command: nothing quoted or forwarded, and nothing that our own account says (security R27, R28).
pub(crate) async fn answer(
    account: &Account,
    settings: &Settings,
    event: &Event,
    roles: &[Role],
) -> Option<(&'static str, Effects)> {
    if !settings.config.builtin || event.late || event.from_self() {
        return None;
    }
    // Official accounts answer by themselves: two machines that answer each other do not stop (R28).
    if event.chat.kind == ChatKind::Official || event.sender.is_none() {
        return None;
    }
    let addressed = !event.is_group() || event.message().is_some_and(|message| message.mentions.me);
    match order::read(event.text()?, &settings.config.prefixes, addressed)? {
        Order::Help => {
            let listed = |id: &str| !account.silenced.has(&event.chat.id, id);
            let manifests = settings.plugins.iter().map(|plugin| &plugin.manifest).filter(|m| listed(&m.id));
            Some(("help", replies(help::lines(manifests, roles, event.is_group(), &settings.config.prefixes))?))
        }
        Order::Plugin(wanted) if Role::Admin.is_met_by(roles) => {
            Some(("plugin", switch::answer(account, settings, &event.chat.id, &wanted)))
        }
        Order::Why(what) if Role::Owner.is_met_by(roles) => {
            Some(("why", replies(why::lines(account, event, what.as_deref()).await)?))
        }
        Order::Plugin(_) | Order::Why(_) => None,
    }
}

/// These lines in as few texts as they fit in, at most five; `None` when there are none.
fn replies(lines: Vec<String>) -> Option<Effects> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        let line = line.get(..line.floor_char_boundary(TEXT)).unwrap_or_default();
        match texts.last_mut() {
            Some(text) if text.len() + 1 + line.len() <= TEXT => {
                text.push('\n');
                text.push_str(line);
            }
            Some(_) | None => texts.push(line.to_owned()),
        }
    }
    texts.truncate(5);
    let effects = texts.into_iter().fold(Effects::none(), Effects::and_reply);
    (!effects.is_empty()).then_some(effects)
}

#[cfg(test)]
mod tests;
