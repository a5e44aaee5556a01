//! What else may a handler ask for? One method for each action besides texts and media, by the name people look for.
//!
//! Not every protocol can do all of it: say what you need in [`Manifest::needs`](crate::Manifest::needs), and a wrong
//! account is a mistake of `bot.toml`. An action that the account's protocol cannot do fails the handler.

use wxbot_model::{
    Action, App, ContactId, Content, FriendRequest, Link, Media, MediaHandle, MediaShape, Message, MsgId, Music, Quote,
    Stranger,
};

use crate::effects::Effects;
use crate::plugin::PluginError;

impl Effects {
    /// Shares a page.
    #[must_use]
    pub fn send_link(self, to: ContactId, link: Link) -> Self {
        self.and_act(Action::SendLink { to, link })
    }

    /// Sends a sticker that the service knows: the `md5` of a received one.
    #[must_use]
    pub fn send_sticker(self, to: ContactId, md5: impl Into<String>) -> Self {
        self.and_act(Action::SendSticker { to, md5: md5.into() })
    }

    /// Passes a message on. Voice goes as a file, music as a link, an answer that quotes as its text.
    ///
    /// # Errors
    /// When messages of this kind cannot be passed on: money, calls, cards, places, ….
    pub fn forward(self, to: ContactId, message: &Message) -> Result<Self, PluginError> {
        Ok(self.and_act(passed_on(to, &message.content)?))
    }

    /// Takes a message back; services allow it for about two minutes.
    #[must_use]
    pub fn recall(self, chat: ContactId, msg: MsgId) -> Self {
        self.and_act(Action::Recall { chat, msg: Some(msg) })
    }

    /// Takes the last message back that wxbot sent there.
    #[must_use]
    pub fn recall_last(self, chat: ContactId) -> Self {
        self.and_act(Action::Recall { chat, msg: None })
    }

    /// Marks a conversation as read on the phone.
    #[must_use]
    pub fn mark_read(self, chat: ContactId) -> Self {
        self.and_act(Action::MarkRead { chat })
    }

    /// Keeps a conversation at the top of the list.
    #[must_use]
    pub fn pin(self, chat: ContactId) -> Self {
        self.and_act(Action::Pin { chat, on: true })
    }

    /// No longer keeps it there.
    #[must_use]
    pub fn unpin(self, chat: ContactId) -> Self {
        self.and_act(Action::Pin { chat, on: false })
    }

    /// Accepts a friend request.
    ///
    /// # Errors
    /// When the request does not say whom to accept, as a recommendation does not.
    pub fn accept_friend(self, request: &FriendRequest) -> Result<Self, PluginError> {
        match (&request.user, request.ticket.is_empty()) {
            (Some(user), false) => {
                Ok(self.and_act(Action::AcceptFriend { user: user.clone(), ticket: request.ticket.clone() }))
            }
            (None, _) | (_, true) => Err(PluginError::msg("this friend request cannot be accepted: it has no ticket")),
        }
    }

    /// Asks somebody to become a friend. Services limit this more than anything else.
    #[must_use]
    pub fn add_friend(self, person: Stranger, greeting: impl Into<String>) -> Self {
        self.and_act(Action::AddFriend { person, greeting: greeting.into() })
    }

    /// Names a contact for ourselves (备注); an empty text takes the name away.
    #[must_use]
    pub fn set_remark(self, contact: ContactId, remark: impl Into<String>) -> Self {
        self.and_act(Action::SetRemark { contact, remark: remark.into() })
    }

    /// Makes a room with at least two friends; the topic may be empty.
    #[must_use]
    pub fn create_room(self, members: impl IntoIterator<Item = ContactId>, topic: impl Into<String>) -> Self {
        self.and_act(Action::CreateRoom { members: members.into_iter().collect(), topic: topic.into() })
    }

    /// Brings friends into a room, or invites them where the service demands it.
    #[must_use]
    pub fn add_members(self, room: ContactId, members: impl IntoIterator<Item = ContactId>) -> Self {
        self.and_act(Action::AddMembers { room, members: members.into_iter().collect() })
    }

    /// Puts members out of a room of ours.
    #[must_use]
    pub fn remove_members(self, room: ContactId, members: impl IntoIterator<Item = ContactId>) -> Self {
        self.and_act(Action::RemoveMembers { room, members: members.into_iter().collect() })
    }

    /// Renames a room.
    #[must_use]
    pub fn set_topic(self, room: ContactId, topic: impl Into<String>) -> Self {
        self.and_act(Action::SetTopic { room, topic: topic.into() })
    }

    /// Leaves a room.
    #[must_use]
    pub fn leave_room(self, room: ContactId) -> Self {
        self.and_act(Action::LeaveRoom { room })
    }
}

fn passed_on(to: ContactId, content: &Content) -> Result<Action, PluginError> {
    let text = |to, text: &str| Action::SendText { to, text: text.to_owned(), mention: Vec::new() };
    let media = |to, shape, media: &MediaHandle, name: &str| {
        let media = Media::Received { media: media.clone(), name: name.to_owned() };
        Action::SendMedia { to, shape, media }
    };
    Ok(match content {
        Content::Text { text: words } | Content::Quote(Quote { text: words, .. }) => text(to, words),
        Content::Image { media: handle } => media(to, MediaShape::Image, handle, ""),
        Content::Voice { media: handle, .. } => media(to, MediaShape::File, handle, "voice.mp3"),
        Content::Video { media: handle, .. } => media(to, MediaShape::Video, handle, ""),
        Content::Sticker { md5, .. } if !md5.is_empty() => Action::SendSticker { to, md5: md5.clone() },
        Content::Sticker { media: Some(handle), .. } => media(to, MediaShape::Sticker, handle, ""),
        Content::File(file) => media(to, MediaShape::File, &file.media, &file.name),
        Content::Link(link) => Action::SendLink { to, link: link.clone() },
        Content::Music(music) => Action::SendLink { to, link: page_of(music) },
        Content::App(app) => Action::SendApp { to, app: App::clone(app) },
        Content::Sticker { .. }
        | Content::Location(_)
        | Content::Card(_)
        | Content::MiniProgram(_)
        | Content::ChatRecord(_)
        | Content::RedPacket { .. }
        | Content::Transfer(_)
        | Content::RoomInvitation(_)
        | Content::Call(_)
        | Content::Notice { .. }
        | Content::System { .. }
        | Content::Unknown { .. }
        | _ => return Err(PluginError::msg(format!("a message of the kind `{}` cannot be passed on", content.kind()))),
    })
}

fn page_of(music: &Music) -> Link {
    Link {
        title: music.title.clone(),
        description: music.description.clone(),
        url: music.url.clone(),
        thumb_url: music.thumb_url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use wxbot_model::{Call, CallState, File, MediaKind, Mentions, Ticket};

    use super::*;
    use crate::effects::Effect;

    fn id(text: &str) -> ContactId {
        text.parse().unwrap()
    }

    fn words(effects: Effects) -> Vec<&'static str> {
        effects.iter().map(|effect| if let Effect::Act(action) = effect { action.word() } else { "?" }).collect()
    }

    #[test]
    fn each_method_asks_for_its_action() {
        let request =
            FriendRequest { user: Some("@a".parse().unwrap()), ticket: Ticket::new("t"), ..FriendRequest::default() };
        let effects = Effects::none()
            .send_link(id("p1"), Link::default())
            .send_sticker(id("p1"), "ab")
            .recall(id("p1"), "7".parse().unwrap())
            .recall_last(id("p1"))
            .mark_read(id("p1"))
            .pin(id("p1"))
            .unpin(id("p1"))
            .accept_friend(&request)
            .unwrap()
            .add_friend(Stranger::Contact(id("p2")), "hi")
            .set_remark(id("p1"), "boss")
            .create_room([id("p1"), id("p2")], "tea")
            .add_members(id("r1"), [id("p1")])
            .remove_members(id("r1"), [id("p1")])
            .set_topic(id("r1"), "tea")
            .leave_room(id("r1"));
        assert_eq!(
            words(effects),
            [
                "send_link",
                "send_sticker",
                "recall",
                "recall",
                "mark_read",
                "pin",
                "pin",
                "accept_friend",
                "add_friend",
                "set_remark",
                "create_room",
                "add_members",
                "remove_members",
                "set_topic",
                "leave_room"
            ]
        );
        let suggested = FriendRequest { ticket: Ticket::default(), ..request };
        assert!(Effects::none().accept_friend(&suggested).is_err(), "nothing to accept it by");
    }

    #[test]
    fn what_can_be_passed_on() {
        let handle = |kind| MediaHandle::new(kind, "7", None);
        let file = File { name: "a.pdf".into(), len: None, media: handle(MediaKind::File) };
        for (content, want) in [
            (Content::Text { text: "hi".into() }, Some("send_text")),
            (Content::Image { media: handle(MediaKind::Image) }, Some("send_media")),
            (Content::File(file), Some("send_media")),
            (Content::Sticker { md5: "ab".into(), media: None, gesture: None }, Some("send_sticker")),
            (Content::Sticker { md5: String::new(), media: None, gesture: None }, None),
            (Content::Music(Music::default()), Some("send_link")),
            (Content::App(App::default()), Some("send_app")),
            (Content::Call(Call { state: CallState::Missed, text: String::new(), raw: String::new() }), None),
        ] {
            let kind = content.kind();
            let message =
                Message { id: "1".parse().unwrap(), from_self: false, content, mentions: Mentions::default() };
            let found = Effects::none().forward(id("p2"), &message);
            assert_eq!(found.ok().map(|effects| words(effects)[0]), want, "{kind}");
        }
    }
}
