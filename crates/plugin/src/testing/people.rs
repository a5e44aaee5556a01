//! Who talks to a plugin in a test? Simulated people, alone or in a room.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use wxbot_model::{Chat, ChatKind, Content, Event, EventKind, File, MediaHandle, MediaKind, Mentions, Message, Person};

use super::bench::Bench;
use super::heard::Heard;
use super::host;
use crate::plugin::Plugin;
use crate::role::Role;

/// A person, made by [`Kit::user`](super::Kit::user), who talks to the bot in private.
pub struct User<P> {
    pub(super) bench: Arc<Bench<P>>,
    pub(super) person: Person,
    /// Where the person talks.
    pub(super) chat: Chat,
}

/// A person in a room: [`User::in_room`].
pub struct Member<P>(User<P>);

/// A room, made by [`Kit::room`](super::Kit::room).
pub struct Room<P> {
    pub(super) bench: Arc<Bench<P>>,
    pub(super) chat: Chat,
}

impl<P: Plugin> User<P> {
    /// The id and the name of the person.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The same person in a room.
    pub fn in_room(&self, room: &Room<P>) -> Member<P> {
        Member(Self { bench: Arc::clone(&self.bench), person: self.person.clone(), chat: room.chat.clone() })
    }

    /// From now on the person has this role: [`Role::GroupAdmin`] in this conversation, others everywhere.
    pub fn is(&self, role: Role) {
        let room = (role == Role::GroupAdmin).then(|| self.chat.id.clone());
        self.bench.host.state(|s| s.roles.entry((self.person.id.clone(), room)).or_default().push(role));
    }

    /// The person has this role no more, where it was given with [`is`](Self::is).
    pub fn is_no_longer(&self, role: &Role) {
        let room = (*role == Role::GroupAdmin).then(|| self.chat.id.clone());
        self.bench.host.state(|s| {
            if let Some(roles) = s.roles.get_mut(&(self.person.id.clone(), room)) {
                roles.retain(|known| known != role);
            }
        });
    }

    /// A text.
    pub async fn say(&self, text: &str) -> Heard {
        let what = self.said(&format!("said 「{text}」"));
        self.send(what, self.message(Content::Text { text: text.to_owned() }, false)).await
    }

    /// A picture.
    pub async fn sends_image(&self, bytes: impl Into<Vec<u8>>) -> Heard {
        let media = self.media(MediaKind::Image, "", bytes.into());
        self.send(self.said("sent a picture"), self.message(Content::Image { media }, false)).await
    }

    /// A file.
    pub async fn sends_file(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Heard {
        let bytes = bytes.into();
        let len = Some(bytes.len() as u64);
        let media = self.media(MediaKind::File, name, bytes);
        let content = Content::File(File { name: name.to_owned(), len, media });
        self.send(self.said(&format!("sent the file {name}")), self.message(content, false)).await
    }

    /// Any other message.
    pub async fn sends(&self, content: Content) -> Heard {
        self.send(self.said(&format!("sent a message of the kind {}", content.kind())), self.message(content, false))
            .await
    }

    /// Something else that is this person's doing: asks to be a friend, pats somebody.
    pub async fn does(&self, kind: EventKind) -> Heard {
        self.send(self.said(&format!("did {}", kind.word())), kind).await
    }

    /// What came in this conversation and nobody looked at: from timers, schedules, and what others did.
    pub fn hears(&self) -> Heard {
        let ended = Ok(self.bench.unread(&self.chat.id));
        Heard { after: self.said("waited"), ended, notes: Vec::new(), block: false }
    }

    fn said(&self, what: &str) -> String {
        let room =
            if self.chat.kind == ChatKind::Group { format!(" in 「{}」", self.chat.name) } else { String::new() };
        format!("{}{room} {what}", self.person.name)
    }

    fn message(&self, content: Content, at_me: bool) -> EventKind {
        #[expect(clippy::expect_used, reason = "a number is an id of a message; the event gives it its own")]
        let id = "0".parse().expect("an id");
        EventKind::Message(Message { id, from_self: false, content, mentions: Mentions { me: at_me, all: false } })
    }

    fn media(&self, kind: MediaKind, name: &str, bytes: Vec<u8>) -> MediaHandle {
        let number = self.bench.book(|book| {
            book.events += 1;
            book.events
        });
        let handle = MediaHandle::new(kind, format!("kit-{number}"), Some(bytes.len() as u64));
        self.bench.host.give_media(&handle, Ok(host::file(name, bytes)));
        handle
    }

    async fn send(&self, after: String, kind: EventKind) -> Heard {
        let mut event = self.bench.event(self.chat.clone(), Some(self.person.clone()), kind);
        number(&mut event);
        match self.bench.deliver(event).await {
            Ok(delivery) => {
                let ended = Ok(self.bench.leave(delivery.sent, Some(&self.chat.id)));
                Heard { after, ended, notes: delivery.notes, block: delivery.block }
            }
            Err(error) => Heard { after, ended: Err(error), notes: Vec::new(), block: false },
        }
    }
}

impl<P: Plugin> Member<P> {
    /// A text that mentions our account, as `@bot text` does.
    pub async fn at_me(&self, text: &str) -> Heard {
        let what = self.said(&format!("said 「@ {text}」"));
        // WeChat puts this space behind a mention.
        let text = format!("@bot\u{2005}{text}");
        self.send(what, self.message(Content::Text { text }, true)).await
    }
}

impl<P> Deref for Member<P> {
    type Target = User<P>;

    fn deref(&self) -> &User<P> {
        &self.0
    }
}

impl<P: Plugin> Room<P> {
    /// The room as events name it.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// What came in the room and nobody looked at: from timers, schedules, and what was done elsewhere.
    pub fn hears(&self) -> Heard {
        let ended = Ok(self.bench.unread(&self.chat.id));
        Heard { after: format!("in 「{}」 everybody waited", self.chat.name), ended, notes: Vec::new(), block: false }
    }
}

/// A message is called like its event.
pub(super) fn number(event: &mut Event) {
    if let (EventKind::Message(message), Ok(id)) = (&mut event.kind, event.key.as_str().parse()) {
        message.id = id;
    }
}

impl<P> fmt::Debug for User<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({} {} in {})", self.person.id, self.person.name, self.chat.id)
    }
}

impl<P> fmt::Debug for Member<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P> fmt::Debug for Room<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({} {})", self.chat.id, self.chat.name)
    }
}
