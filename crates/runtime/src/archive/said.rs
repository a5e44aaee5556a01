//! Which part of an event or an action do people read, and search for later?

use wxbot_model::{Action, Content, Event, EventKind, Media, MediaShape, StoredMedia};

use crate::store::archive::Said;

/// What is kept of one text, in bytes: WeChat's own limit for a message. What an app shared may be longer.
const LONGEST: usize = 16 * 1024;

/// The word of what belongs into a history; `None` for what happened to nobody's eyes.
pub(super) fn kind(event: &Event) -> Option<&'static str> {
    match &event.kind {
        EventKind::Message(message) => Some(message.content.kind()),
        EventKind::Recall { .. }
        | EventKind::FriendRequest(_)
        | EventKind::FriendAdded { .. }
        | EventKind::NotFriend { .. }
        | EventKind::MembersJoined(_)
        | EventKind::MembersRemoved { .. }
        | EventKind::RemovedMe { .. }
        | EventKind::TopicChanged { .. }
        | EventKind::Pat { .. } => Some(event.kind.word()),
        // Its message stands there, and wxbot's own matters are no conversation. Kinds to come are for their author to add.
        EventKind::MediaReady { .. }
        | EventKind::Status { .. }
        | EventKind::ContactChanged
        | EventKind::ContactRemoved
        | EventKind::Gap { .. }
        | EventKind::MembersChanged { .. }
        | EventKind::OwnerChanged { .. }
        | EventKind::Timer { .. }
        | EventKind::Schedule { .. }
        | _ => None,
    }
}

/// What of an event people read.
pub(super) fn of_event(event: &Event) -> Said {
    let text = match (&event.kind, event.message()) {
        (_, Some(message)) => of_content(&message.content),
        (EventKind::FriendRequest(request), None) => request.greeting.clone(),
        (_, None) => event.kind.notice().unwrap_or_default().to_owned(),
    };
    let name = event.sender.as_ref().map_or_else(String::new, |sender| sender.name.clone());
    Said { chat: event.chat.name.clone(), name, text: cut(text) }
}

/// What we said. The names of conversations are in their other messages.
pub(super) fn ours(text: String) -> Said {
    Said { chat: String::new(), name: String::new(), text: cut(text) }
}

fn of_content(content: &Content) -> String {
    let all = |texts: &[&str]| {
        let said: Vec<&str> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
        said.join("\n")
    };
    match content {
        Content::Text { text } | Content::Notice { text } | Content::System { text } => text.clone(),
        Content::Voice { transcript, .. } => transcript.clone().unwrap_or_default(),
        Content::Quote(quote) => all(&[&quote.text, &quote.quoted.text]),
        Content::Location(place) => all(&[&place.name, &place.label]),
        Content::Card(card) => all(&[&card.nick_name, &card.alias]),
        Content::Link(link) => all(&[&link.title, &link.description, &link.url]),
        Content::Music(music) => all(&[&music.title, &music.description]),
        Content::File(file) => file.name.clone(),
        Content::MiniProgram(program) => all(&[&program.title, &program.source]),
        Content::ChatRecord(record) => {
            let items = record.items.iter().map(|item| format!("{}: {}", item.sender, item.text));
            std::iter::once(record.title.clone()).chain(items).collect::<Vec<_>>().join("\n")
        }
        Content::RedPacket { note, .. } => note.clone(),
        Content::Transfer(transfer) => all(&[&transfer.amount, &transfer.note, &transfer.description]),
        Content::RoomInvitation(invitation) => invitation.description.clone(),
        Content::App(app) => all(&[&app.title, &app.description]),
        Content::Call(call) => call.text.clone(),
        // Nothing to read, or nothing that anybody could: the raw form of what is unknown stays in the queue.
        Content::Image { .. } | Content::Video { .. } | Content::Sticker { .. } | Content::Unknown { .. } | _ => {
            String::new()
        }
    }
}

/// What an action says in a conversation; `None` for what is no message.
pub(super) fn of_action(action: &Action) -> Option<(&'static str, String)> {
    match action {
        Action::SendText { text, .. } => Some(("text", text.clone())),
        Action::SendMedia { shape, media, .. } => Some(of_media(*shape, media)),
        Action::SendSticker { .. } => Some(("sticker", String::new())),
        Action::SendLink { link, .. } => Some(("link", format!("{}\n{}", link.title, link.url))),
        Action::SendApp { app, .. } => Some(("app", app.title.clone())),
        Action::Recall { .. }
        | Action::MarkRead { .. }
        | Action::AddFriend { .. }
        | Action::AcceptFriend { .. }
        | Action::SetRemark { .. }
        | Action::Pin { .. }
        | Action::CreateRoom { .. }
        | Action::AddMembers { .. }
        | Action::RemoveMembers { .. }
        | Action::SetTopic { .. }
        | Action::LeaveRoom { .. }
        | _ => None,
    }
}

fn of_media(shape: MediaShape, media: &Media) -> (&'static str, String) {
    let name = match media {
        Media::Stored(StoredMedia { name, .. }) | Media::Received { name, .. } => name.clone(),
        _ => String::new(),
    };
    let kind = match shape {
        MediaShape::Image => "image",
        MediaShape::Video => "video",
        MediaShape::Sticker => "sticker",
        MediaShape::File | _ => "file",
    };
    (kind, name)
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}
