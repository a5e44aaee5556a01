//! How is a plugin tested without a bot? With a [`Kit`]: events in, effects out, KV kept in memory, time in your hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_model::{
    AccountName, Action, Chat, ChatKind, Contact, ContactId, Content, Event, EventKey, EventKind, FileType,
    MediaDigest, MediaHandle, MediaShape, Mentions, Message, Person, StoredMedia, file_name,
};

use crate::contacts::{ContactQuery, FoundContact, RoomMember};
use crate::ctx::InitCtx;
use crate::effects::{Effect, Effects};
use crate::host::{Call, CallMeta, Host, Instance};
use crate::instance::Local;
use crate::media::{MediaError, MediaFile, MediaSource, ReadMedia};
use crate::plugin::{Plugin, PluginError};

/// A plugin instance on a bench. KV changes of each handled event are applied; replies are returned.
#[derive(Debug)]
pub struct Kit<P> {
    instance: Local<P>,
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
    /// By what they are asked by: see [`asked_by`].
    media: HashMap<String, Result<MediaFile, MediaError>>,
    sent: Vec<SentMedia>,
    acted: Vec<Action>,
    contacts: Vec<(ContactId, Contact)>,
    members: HashMap<ContactId, Vec<RoomMember>>,
}

/// A picture, film, file or sticker that a plugin sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SentMedia {
    /// The conversation.
    pub to: ContactId,
    /// How it is shown.
    pub shape: MediaShape,
    /// Where the bytes are; [`MediaSource::Bytes`] and [`MediaSource::Path`] are not looked at.
    pub source: MediaSource,
}

/// Bytes in memory behind a [`MediaFile`].
struct Held(Vec<u8>);

impl ReadMedia for Held {
    fn read(&self) -> BoxFuture<'static, Result<Vec<u8>, MediaError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fn asked_by(media: &MediaHandle) -> String {
    format!("{:?} {}", media.kind, media.reference)
}

fn asked_by_avatar(of: &ContactId) -> String {
    format!("avatar {of}")
}

/// Not SHA-256, which would be machinery; equal for equal bytes all the same.
fn digest(bytes: &[u8]) -> MediaDigest {
    let hash =
        |seed: u64| bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let text: String = (1..=4).map(|n| format!("{:016x}", hash(0xcbf2_9ce4_8422_2325 ^ n))).collect();
    #[expect(clippy::expect_used, reason = "four times sixteen hexadecimal digits")]
    text.parse().expect("64 digits")
}

impl<P: Plugin> Kit<P> {
    /// Starts the plugin with these settings; time begins at 2026-01-01 00:00 UTC.
    ///
    /// # Errors
    /// What reading the settings or `init` answered.
    pub async fn start(settings: Value) -> Result<Self, PluginError> {
        let host = Arc::new(FakeHost::default());
        host.state(|s| s.now_ms = 1_767_225_600_000);
        let instance = Local::<P>::start(&settings, InitCtx::new(), host.clone()).await?;
        Ok(Self { instance, host, next: 1 })
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: i64) {
        self.host.state(|s| s.now_ms += ms);
    }

    /// Has these bytes to give for a handle, under this name: `cx.media(&handle)` answers them. What is given to nobody
    /// is [`MediaError::Gone`]. [`MediaFile::path`] leads to no file here.
    pub fn give_media(&self, media: &MediaHandle, name: &str, bytes: impl Into<Vec<u8>>) {
        self.host.give(asked_by(media), Ok(Self::file(name, bytes.into())));
    }

    /// Answers this error for a handle.
    pub fn refuse_media(&self, media: &MediaHandle, error: MediaError) {
        self.host.give(asked_by(media), Err(error));
    }

    /// Has this picture to give of a contact.
    pub fn give_avatar(&self, of: &ContactId, bytes: impl Into<Vec<u8>>) {
        self.host.give(asked_by_avatar(of), Ok(Self::file("", bytes.into())));
    }

    fn file(name: &str, bytes: Vec<u8>) -> MediaFile {
        let (digest, file_type) = (digest(&bytes), FileType::of(&bytes));
        let name = file_name::safe(name, "media", file_type.extension());
        let len = bytes.len() as u64;
        let path = format!("/media/of/a/kit/{digest}").into();
        MediaFile::new(StoredMedia { digest, len, name }, file_type, path, Arc::new(Held(bytes)))
    }

    /// The media that handled events sent since the last call.
    pub fn sent_media(&self) -> Vec<SentMedia> {
        self.host.state(|s| std::mem::take(&mut s.sent))
    }

    /// The other actions that handled events asked for since the last call.
    pub fn acted(&self) -> Vec<Action> {
        self.host.state(|s| std::mem::take(&mut s.acted))
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
                Effect::Media { to, shape, source } => {
                    let to = to.unwrap_or_else(|| event.chat.id.clone());
                    self.host.state(|s| s.sent.push(SentMedia { to, shape, source }));
                }
                Effect::Act(action) => self.host.state(|s| s.acted.push(action)),
                Effect::Put { key, value } => self.host.state(|s| drop(s.kv.insert(key, value))),
                Effect::Delete { key } | Effect::Swap { key, now: None, .. } => {
                    self.host.state(|s| drop(s.kv.remove(&key)));
                }
                Effect::Swap { key, now: Some(now), .. } => self.host.state(|s| drop(s.kv.insert(key, now))),
                Effect::Timer { .. } | Effect::CancelTimer { .. } => {}
            }
        }
        Ok(replies)
    }

    /// Runs the handler and returns its effects without applying them.
    ///
    /// # Errors
    /// What the handler answered.
    pub async fn effects(&self, event: &Event) -> Result<Effects, PluginError> {
        let call = Call { event: Arc::new(event.clone()), meta: CallMeta::first(), dialog: None };
        Ok(self.instance.call(call).await?.effects)
    }
}

impl FakeHost {
    fn state<T>(&self, f: impl FnOnce(&mut FakeState) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give(&self, asked_by: String, answer: Result<MediaFile, MediaError>) {
        self.state(|s| drop(s.media.insert(asked_by, answer)));
    }

    fn answer(&self, asked_by: &str) -> BoxFuture<'static, Result<MediaFile, MediaError>> {
        let answer = self.state(|s| s.media.get(asked_by).cloned());
        let none = || Err(MediaError::Gone { why: "nothing was given to the kit for it".into() });
        Box::pin(std::future::ready(answer.unwrap_or_else(none)))
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

    fn media<'a>(
        &'a self,
        _account: &'a AccountName,
        media: &'a MediaHandle,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        self.answer(&asked_by(media))
    }

    fn avatar<'a>(
        &'a self,
        _account: &'a AccountName,
        of: &'a ContactId,
        _room: Option<&'a ContactId>,
    ) -> BoxFuture<'a, Result<MediaFile, MediaError>> {
        self.answer(&asked_by_avatar(of))
    }

    fn contact(&self, _account: &AccountName, id: &ContactId) -> Option<Contact> {
        self.state(|s| s.contacts.iter().find(|(known, _)| known == id).map(|(_, contact)| contact.clone()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use wxbot_model::{ContactKind, MediaKind};

    use super::*;
    use crate::prelude::{Ctx, Manifest, NoConfig};

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

    /// Sends what it gets back as a file, and says who it was from.
    struct Mirror;

    impl Plugin for Mirror {
        type Config = NoConfig;
        fn manifest() -> Manifest {
            Manifest::new("mirror", "Sends back.")
        }
        async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
            Ok(Self)
        }
        async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
            let Some(handle) = event.message().and_then(|message| message.content.media()) else {
                return Ok(Effects::none().leave_room(event.chat.id.clone()));
            };
            let file = cx.media(handle).await?;
            let face = cx.avatar(&event.chat.id).await?;
            let bytes = file.read(100).await?;
            let text = format!("{} {} {}", file.name(), bytes.len(), face.file_type().mime());
            Ok(Effects::reply(text).and_reply_file(&file))
        }
    }

    #[test]
    fn a_kit_hands_out_media_and_sees_what_is_sent() {
        let mut kit = Kit::<Mirror>::start(serde_json::json!({})).now_or_never().unwrap().unwrap();
        let handle = MediaHandle::new(MediaKind::Image, "7", None);
        let mut event = kit.text_event("p1", None, "");
        if let EventKind::Message(message) = &mut event.kind {
            message.content = Content::Image { media: handle.clone() };
        }
        let error = kit.handle(&event).now_or_never().unwrap().unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
        kit.give_media(&handle, "", *b"GIF89a...");
        kit.give_avatar(&event.chat.id, *b"\xff\xd8\xff");
        let replies = kit.handle(&event).now_or_never().unwrap().unwrap();
        assert_eq!(replies, ["media.gif 9 image/jpeg"]);
        let [sent] = &kit.sent_media()[..] else { panic!("one file") };
        let MediaSource::Stored(stored) = &sent.source else { panic!("{sent:?}") };
        assert_eq!((sent.to.as_str(), sent.shape, stored.len), ("p1", MediaShape::File, 9));
        kit.say("go away").now_or_never().unwrap().unwrap();
        assert_eq!(kit.acted().iter().map(Action::word).collect::<Vec<_>>(), ["leave_room"]);
        assert!(kit.sent_media().is_empty() && kit.acted().is_empty());
        kit.refuse_media(&handle, MediaError::TooLarge { len: 9, limit: 3 });
        assert!(kit.handle(&event).now_or_never().unwrap().is_err());
    }
}
