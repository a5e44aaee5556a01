//! Does the guard do what it says? Conversations: `content` (what a message holds) → `amount` (how much, when, by whom) →
//! `ladder` (what is done) → `commands` → `log` → `memory` (how much is kept) →
//! `settings`.

mod amount;
mod commands;
mod content;
mod ladder;
mod log;
mod memory;
mod settings;

use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::{Kit, Member, Room, User};

use crate::GroupAdmin;

type Bot = Kit<GroupAdmin>;

/// An owner, a group admin, two members and their room.
struct Scene {
    owner: User<GroupAdmin>,
    admin: Member<GroupAdmin>,
    alice: Member<GroupAdmin>,
    bob: Member<GroupAdmin>,
    room: Room<GroupAdmin>,
}

fn scene(bot: &Bot) -> Scene {
    let (owner, admin, alice, bob) = (bot.user("老板"), bot.user("阿明"), bot.user("alice"), bot.user("bob"));
    let room = bot.room("买菜群", [&owner, &admin, &alice, &bob]);
    owner.is(Role::Owner);
    let admin = admin.in_room(&room);
    admin.is(Role::GroupAdmin);
    Scene { admin, alice: alice.in_room(&room), bob: bob.in_room(&room), owner, room }
}

impl Scene {
    fn id(&self) -> &ContactId {
        &self.room.chat().id
    }
}

/// The words of the actions that were asked for.
fn acts(bot: &Bot) -> Vec<&'static str> {
    bot.acted().iter().map(Action::word).filter(|word| *word != "send_text").collect()
}

/// What the KV store holds under a beginning.
fn keys(bot: &Bot, prefix: &str) -> Vec<String> {
    bot.kv_keys().into_iter().filter(|key| key.starts_with(prefix)).collect()
}
