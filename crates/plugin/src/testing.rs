//! How is a plugin tested without a bot? With a [`Kit`]: events in, effects out, KV kept in memory, time in your hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::{
    AccountName, Chat, ChatKind, Contact, ContactId, Content, Event, EventKey, EventKind, Mentions, Message, Person,
};

use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::ctx::{Ctx, InitCtx};
use crate::effects::{Effect, Effects};
use crate::host::Host;
use crate::plugin::{Plugin, PluginError};

/// A plugin instance on a bench. KV changes of each handled event are applied; replies are returned.
#[derive(Debug)]
pub struct Kit<P> {
    plugin: P,
    host: Arc<FakeHost>,
    next: u64,
}

#[derive(Debug, Default)]
struct FakeHost {
    inner: Mutex<FakeState>,
}

#[derive(Debug, Default)]
struct FakeState {
    now_ms: i64,
    random: u64,
    kv: HashMap<String, Value>,
    contacts: Vec<(ContactId, Contact)>,
    members: HashMap<ContactId, Vec<RoomMember>>,
}

impl<P: Plugin> Kit<P> {
    /// Starts the plugin with these settings; time begins at 2026-01-01 00:00 UTC.
    ///
    /// # Errors
    /// What reading the settings or `init` answered.
    pub async fn start(settings: Value) -> Result<Self, PluginError> {
        let config: P::Config = serde_json::from_value(settings)?;
        let plugin = P::init(config, &InitCtx::new()).await?;
        let host = Arc::new(FakeHost::default());
        host.state(|s| s.now_ms = 1_767_225_600_000);
        Ok(Self { plugin, host, next: 1 })
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: i64) {
        self.host.state(|s| s.now_ms += ms);
    }

    /// Makes a contact known to the account, in place of one of that id.
    pub fn add_contact(&self, id: ContactId, contact: Contact) {
        self.host.state(|s| {
            s.contacts.retain(|(known, _)| *known != id);
            s.contacts.push((id, contact));
        });
    }

    /// Makes somebody a member of a room. Rooms without members are not known.
    pub fn add_member(&self, room: ContactId, member: RoomMember) {
        self.host.state(|s| s.members.entry(room).or_default().push(member));
    }

    /// A private text from the person `p1`; the texts of the replies.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn say(&mut self, text: &str) -> Result<Vec<String>, PluginError> {
        let event = self.text_event("p1", None, text);
        self.handle(&event).await
    }

    /// A text from `p1` in the room `r1`; `at_me` says whether our account is mentioned.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn say_in_room(&mut self, text: &str, at_me: bool) -> Result<Vec<String>, PluginError> {
        let mut event = self.text_event("p1", Some("r1"), text);
        if let EventKind::Message(message) = &mut event.kind {
            message.mentions.me = at_me;
        }
        self.handle(&event).await
    }

    /// A text event to change before it is handled.
    pub fn text_event(&mut self, from: &str, room: Option<&str>, text: &str) -> Event {
        self.next += 1;
        let id = |text: &str| -> ContactId {
            #[expect(clippy::expect_used, reason = "a test names a contact that is none: the test is wrong")]
            text.parse().expect("a contact id like p1 or r1")
        };
        let number = self.next;
        #[expect(clippy::expect_used, reason = "both texts are constant or digits")]
        Event {
            account: "test".parse::<AccountName>().expect("constant"),
            key: number.to_string().parse::<EventKey>().expect("digits"),
            chat: Chat {
                id: id(room.unwrap_or(from)),
                kind: if room.is_some() { ChatKind::Group } else { ChatKind::Private },
                name: room.unwrap_or(from).to_owned(),
            },
            sender: Some(Person { id: id(from), name: from.to_owned() }),
            at_s: self.host.state(|s| s.now_ms) / 1000,
            late: false,
            kind: EventKind::Message(Message {
                id: number.to_string().parse().expect("digits"),
                from_self: false,
                content: Content::Text { text: text.to_owned() },
                mentions: Mentions::default(),
            }),
        }
    }

    /// Handles one event as the host would, and returns the texts of its replies.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn handle(&mut self, event: &Event) -> Result<Vec<String>, PluginError> {
        let effects = self.effects(event).await?;
        let mut replies = Vec::new();
        for effect in effects {
            match effect {
                Effect::Reply { text, .. } => replies.push(text),
                Effect::Act(_) => {}
                Effect::Put { key, value } => self.host.state(|s| drop(s.kv.insert(key, value))),
                Effect::Delete { key } => self.host.state(|s| drop(s.kv.remove(&key))),
            }
        }
        Ok(replies)
    }

    /// Runs the handler and returns its effects without applying them.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn effects(&self, event: &Event) -> Result<Effects, PluginError> {
        let cx = Ctx::new(self.host.clone(), P::manifest().id.into(), event.account.clone(), event.key.clone(), 1);
        self.plugin.on_event(event, &cx).await
    }
}

impl FakeHost {
    fn state<T>(&self, f: impl FnOnce(&mut FakeState) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Host for FakeHost {
    fn now_ms(&self) -> i64 {
        self.state(|s| s.now_ms)
    }

    fn random_u64(&self) -> u64 {
        // A fixed walk (Knuth's multiplier), so that a test repeats.
        self.state(|s| {
            s.random = s.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            s.random
        })
    }

    fn kv_get<'a>(
        &'a self,
        _plugin: &'a str,
        _account: &'a AccountName,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Value>, PluginError>> {
        let value = self.state(|s| s.kv.get(key).cloned());
        Box::pin(std::future::ready(Ok(value)))
    }

    fn find_contacts(&self, _account: &AccountName, query: &ContactQuery) -> Vec<FoundContact> {
        self.state(|s| query.pick(s.contacts.iter().map(|(id, contact)| (id, contact))))
    }

    fn members<'a>(
        &'a self,
        _account: &'a AccountName,
        room: &'a ContactId,
    ) -> BoxFuture<'a, Result<Vec<RoomMember>, PluginError>> {
        let members = self.state(|s| s.members.get(room).cloned());
        let members = members.ok_or_else(|| PluginError::msg(format!("{room} is nobody this account knows")));
        Box::pin(std::future::ready(members))
    }

    fn contact(&self, _account: &AccountName, id: &ContactId) -> Option<Contact> {
        self.state(|s| s.contacts.iter().find(|(known, _)| known == id).map(|(_, contact)| contact.clone()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use wxbot_model::ContactKind;

    use super::*;
    use crate::prelude::{Manifest, NoConfig};

    struct Greeter;

    impl Plugin for Greeter {
        type Config = NoConfig;
        fn manifest() -> Manifest {
            Manifest::new("greeter", "Greets a room by its members' names.")
        }
        async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
            Ok(Self)
        }
        async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
            let Some(room) = cx.find_contacts(event.text().unwrap_or_default()).into_iter().next() else {
                return Ok(Effects::reply("no such room"));
            };
            let members = cx.members(&room.id).await?;
            let names: Vec<&str> = members.iter().filter(|member| !member.me).map(RoomMember::public_name).collect();
            Ok(Effects::reply(format!("{}: {}", room.name, names.join(", "))))
        }
    }

    /// Nothing in a kit waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    #[test]
    fn a_kit_knows_whom_it_is_told() {
        let mut kit = now(Kit::<Greeter>::start(serde_json::json!({}))).unwrap();
        assert_eq!(now(kit.say("team")).unwrap(), ["no such room"]);
        let room: ContactId = "r7".parse().unwrap();
        let contact = Contact::nameless("@@r".parse().unwrap(), ContactKind::Room);
        kit.add_contact(room.clone(), Contact { nick_name: "Team".into(), ..contact });
        assert!(now(kit.say("team")).is_err(), "a list that is not to be had is an error");
        for (name, group, me) in [("客户", "Ann in the team", false), ("Shop", "", true)] {
            let (nick_name, group_name) = ("Ann".to_owned(), group.to_owned());
            kit.add_member(room.clone(), RoomMember { id: None, name: name.into(), nick_name, group_name, me });
        }
        assert_eq!(now(kit.say("team")).unwrap(), ["Team: Ann in the team"], "never the remark");
    }
}
