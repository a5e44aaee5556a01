//! What do people do, and as which push does it arrive?

use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use crate::error::SimError;
use crate::hook::entry::Entry;
use crate::hook::login::Login;
use crate::hook::send::SentKind;
use crate::hook::xml::{self, Hanging};
use crate::hook::{HookSim, Instance, State};
use crate::made;
use crate::said::{self, Said};
use crate::service::proto::hex;
use crate::service::town::{Chat, Member, Who};
use crate::service::when::local_time;
use crate::systext::RoomNews;
use crate::world::{FriendSpec, Lang};

/// Received messages that can be recalled, forwarded or downloaded.
const MAX_RECEIVED: usize = 10_000;
/// Of these, the last ones whose files are kept.
const MAX_FILES: usize = 200;
/// With what the Windows client hides its pictures.
const DAT_KEY: u8 = 0x5a;
const SYSTEM: u32 = 10_000;

/// Something that somebody says to an account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookSay {
    /// Nick of the one who speaks; with `own`, who is spoken to.
    pub from: String,
    /// Topic of the room.
    pub room: Option<String>,
    /// Text; or
    pub text: Option<String>,
    /// anything else; or
    pub said: Option<Said>,
    /// `msg` as it stands, with `msg_type`.
    pub msg: Option<String>,
    /// `msgtype` of `msg`; 1 when absent.
    pub msg_type: Option<u32>,
    /// The account writes it on its phone.
    pub own: bool,
    /// A status entry (51) comes in the same push, before it.
    pub with_status: bool,
}

impl HookSay {
    /// A friend's text.
    pub fn text(from: &str, text: &str) -> Self {
        Self { from: from.to_owned(), text: Some(text.to_owned()), ..Self::default() }
    }

    /// A member's text.
    pub fn in_room(room: &str, from: &str, text: &str) -> Self {
        Self { room: Some(room.to_owned()), ..Self::text(from, text) }
    }

    /// Anything but text.
    pub fn said(from: &str, said: Said) -> Self {
        Self { from: from.to_owned(), said: Some(said), ..Self::default() }
    }
}

/// What changes in a room.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HookRoomChange {
    /// `by` asks `who` into the room.
    Join {
        /// A member; the account's name is the account.
        by: String,
        /// Nicks.
        who: Vec<String>,
    },
    /// `who` is removed by `by`.
    Leave {
        /// A member.
        by: String,
        /// Nicks.
        who: Vec<String>,
    },
    /// The room has another name.
    Rename {
        /// A member.
        by: String,
        /// New name.
        topic: String,
    },
}

/// A key of an entry that names or holds media, and its value.
type MediaKey = (&'static str, String);

/// A message that came in.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) id: u64,
    pub(super) chat: Chat,
    pub(super) from: Who,
    pub(super) kind: SentKind,
    pub(super) text: String,
    pub(super) file: Option<(Bytes, String)>,
}

impl HookSim {
    /// Somebody says something; it is pushed when this returns or soon after. Answers its `msgsvrid`.
    pub fn say(&self, account: &str, say: HookSay) -> Result<String, SimError> {
        let instance = self.instance(account)?;
        let id = self.next_id();
        let mut state = instance.state();
        let (chat, from) = place(&state, &say)?;
        let HookSay { text, said, msg, msg_type, own, with_status, .. } = say;
        let time = local_time(self.shared.book.now_ms());
        let file = said.as_ref().and_then(|said| bytes_of(said, id));
        let md5 = file.as_ref().map(|(bytes, _)| hex(&Md5::digest(bytes))).unwrap_or_default();
        let url = self.sticker_url(instance, &md5);
        let (msg_type, msg) = match (&text, &said, msg) {
            (Some(text), None, None) => (1, text.clone()),
            (None, None, Some(msg)) => (msg_type.unwrap_or(1), msg),
            (None, Some(said), None) => {
                let len = file.as_ref().map_or(0, |(bytes, _)| bytes.len());
                let hanging = Hanging { md5: &md5, len, url: &url };
                let card = if let Said::Card { nick, .. } = said {
                    let at = state.town.meet(nick);
                    state.town.people.get(at).cloned()
                } else {
                    None
                };
                let me = state.town.me.clone();
                xml::of(said, state.town.id_of(from), &me, &hanging, card.as_ref())
            }
            _ => return Err(SimError::Invalid("a message has either `text`, `said` or `msg`".to_owned())),
        };
        let (kind, media) = self.attached(&state, said.as_ref(), file.as_ref(), &url, msg_type)?;
        let entry = self.shape(&state, &time, msg_type, id, &msg, &media, chat, from, own);
        let mut entries = vec![entry];
        if with_status {
            entries.insert(0, status_entry(&state, &time, self.next_id(), from));
        }
        if state.login == Login::In {
            self.push_entries(instance, &state, false, None, &entries, None);
            let flat = media.iter().find(|(key, _)| matches!(*key, "img_path" | "gif_url"));
            if let (true, Some((key, _)), Some(entry)) = (self.shared.setup.flat, flat, entries.last()) {
                self.push_flat(instance, &state, entry, key);
            }
        }
        if state.received.len() >= MAX_RECEIVED {
            state.received.pop_front();
        }
        state.received.push_back(Received { id, chat, from, kind, text: text.unwrap_or(msg), file });
        // Files are kept for a while only: a load test says many.
        let old = state.received.len().checked_sub(MAX_FILES);
        if let Some(old) = old.and_then(|at| state.received.get_mut(at)) {
            old.file = None;
        }
        Ok(id.to_string())
    }

    /// The keys that name a message's media, after its file is written to the folder.
    fn attached(
        &self,
        state: &State,
        said: Option<&Said>,
        file: Option<&(Bytes, String)>,
        url: &str,
        msg_type: u32,
    ) -> Result<(SentKind, Vec<MediaKey>), SimError> {
        let (Some(said), Some((bytes, name))) = (said, file) else {
            return Ok((if msg_type == 1 { SentKind::Text } else { SentKind::App }, Vec::new()));
        };
        let base = format!("WeChat Files/{}/FileStorage", state.town.me);
        let stem = hex(&Md5::digest(bytes));
        #[allow(clippy::wildcard_enum_match_arm, reason = "only a few kinds have bytes")]
        Ok(match said {
            Said::Image { .. } => {
                let hidden: Bytes = bytes.iter().map(|byte| byte ^ DAT_KEY).collect();
                let path = self.keep(&format!("{base}/MsgAttach/Image/{stem}.dat"), &hidden)?;
                (SentKind::Image, vec![("img_path", path)])
            }
            Said::Voice { .. } => (SentKind::Voice, vec![("voip_data", hex(bytes).to_uppercase())]),
            Said::Sticker { .. } => (SentKind::Emoji, vec![("gif_url", url.to_owned())]),
            Said::Video { .. } => {
                let path = self.keep(&format!("{base}/Video/{stem}.mp4"), bytes)?;
                (SentKind::Video, vec![("video_path", path)])
            }
            // A careless name stays in the XML; a file of the machine cannot be called so.
            _ => {
                let safe: String = name
                    .chars()
                    .map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' })
                    .take(80)
                    .collect();
                let path = self.keep(&format!("{base}/File/{stem}_{safe}"), bytes)?;
                (SentKind::File, vec![("file_path", path)])
            }
        })
    }

    /// Writes a file below the folder; answers how the hook's machine calls it.
    pub(super) fn keep(&self, inner: &str, bytes: &[u8]) -> Result<String, SimError> {
        let path = self.shared.setup.folder.join(inner);
        let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, bytes));
        kept.map_err(|error| SimError::Invalid(format!("cannot write {}: {error}", path.display())))?;
        Ok(self.named(inner))
    }

    /// The entry of one message, with its peers in the places that its kind has.
    #[allow(clippy::too_many_arguments, reason = "an entry has so many parts, and no subset has a name")]
    fn shape(
        &self,
        state: &State,
        time: &str,
        msg_type: u32,
        id: u64,
        msg: &str,
        media: &[MediaKey],
        chat: Chat,
        from: Who,
        own: bool,
    ) -> Entry {
        let town = &state.town;
        let id = id.to_string();
        let with_media = |entry: Entry| media.iter().fold(entry, |entry, (key, value)| entry.with(key, value));
        if own {
            let to = match chat {
                Chat::Room(at) => town.rooms.get(at).map_or("", |room| &room.id),
                Chat::Person(at) => town.id_of(Who::Person(at)),
                Chat::Service(id) => id,
                Chat::Me => &town.me,
            };
            return with_media(Entry::new(time, msg_type, &id, msg)).with("fromwxid", &town.me).with("toid", to);
        }
        let Chat::Room(at) = chat else {
            let from = town.id_of(from);
            let entry = with_media(Entry::new(time, msg_type, &id, msg));
            let entry = if media.is_empty() { entry.with("fromtype", "1") } else { entry };
            let entry = entry.with("fromwxid", from).with("toid", &town.me);
            return if msg_type == 47 {
                entry.with("tonickname", "").with("toname", "").with("tohead", "")
            } else {
                entry
            };
        };
        let room = town.rooms.get(at);
        let gid = room.map_or("", |room| &room.id);
        let speaker = town.id_of(from);
        let prefixed = !self.shared.setup.fromid && msg_type != SYSTEM;
        let msg = if prefixed { format!("{speaker}:\n{msg}") } else { msg.to_owned() };
        let entry = with_media(Entry::new(time, msg_type, &id, &msg)).with("fromtype", "2").with("fromgid", gid);
        let entry = if prefixed || msg_type == SYSTEM { entry } else { entry.with("fromid", speaker) };
        let entry = if self.shared.setup.group_names {
            entry.with("fromgname", room.map_or("", |room| &room.topic))
        } else {
            entry
        };
        entry.with("toid", &town.me)
    }

    /// A text of the service itself, in a room or a conversation.
    pub(super) fn push_system(&self, instance: &Instance, state: &State, chat: Chat, text: &str) {
        let time = local_time(self.shared.book.now_ms());
        let from = if let Chat::Person(at) = chat { Who::Person(at) } else { Who::Me };
        let entry = self.shape(state, &time, SYSTEM, self.next_id(), text, &[], chat, from, false);
        self.push_entries(instance, state, false, None, &[entry], None);
    }

    /// The sender takes back a message: type 10002.
    pub fn recall(&self, account: &str, msgsvrid: &str) -> Result<String, SimError> {
        let instance = self.instance(account)?;
        let state = instance.state();
        let found = state.received.iter().find(|got| got.id.to_string() == msgsvrid);
        let unknown = || SimError::UnknownMessage { account: account.to_owned(), msg_id: msgsvrid.to_owned() };
        let Received { id: old, chat, from, text, .. } = found.ok_or_else(unknown)?.clone();
        let id = self.next_id();
        let session = match chat {
            Chat::Room(at) => state.town.rooms.get(at).map_or("", |room| &room.id),
            Chat::Person(_) | Chat::Service(_) | Chat::Me => state.town.id_of(from),
        };
        let msg = xml::revoked(session, old, state.town.nick_of(from));
        let time = local_time(self.shared.book.now_ms());
        let entry = Entry::new(&time, 10_002, &id.to_string(), &msg).with("revoke_msg", &text);
        let entry = match chat {
            Chat::Room(_) => {
                entry.with("fromtype", "2").with("fromgid", session).with("fromid", state.town.id_of(from))
            }
            Chat::Person(_) | Chat::Service(_) | Chat::Me => {
                entry.with("fromtype", "1").with("fromwxid", state.town.id_of(from))
            }
        };
        let entry = entry.with("toid", &state.town.me);
        self.push_entries(instance, &state, false, None, &[entry], None);
        Ok(id.to_string())
    }

    /// Somebody asks to become a friend: type 37. Answers its `msgsvrid`.
    pub fn friend_request(&self, account: &str, from: &FriendSpec, greeting: &str) -> Result<String, SimError> {
        if from.nick.is_empty() {
            return Err(SimError::Invalid("somebody who asks has a nick".to_owned()));
        }
        let instance = self.instance(account)?;
        let id = self.next_id();
        let mut state = instance.state();
        let at = match state.town.find(&from.nick) {
            Some(at) => at,
            None => state.town.add_person(from, false),
        };
        let ticket = format!("v4_{id:032x}@stranger");
        let me = state.town.me.clone();
        let Some(person) = state.town.people.get_mut(at) else { return Ok(String::new()) };
        person.ticket = Some(ticket.clone());
        let msg = xml::friend_request(person, greeting, &ticket);
        let time = local_time(self.shared.book.now_ms());
        let entry = Entry::new(&time, 37, &id.to_string(), &msg).with("fromtype", "1");
        let entry = entry.with("fromwxid", "fmessage").with("toid", me);
        self.push_entries(instance, &state, false, None, &[entry], None);
        Ok(id.to_string())
    }

    /// Something changes in a room; its text is pushed as type 10000.
    pub fn change_room(&self, account: &str, room: &str, change: HookRoomChange) -> Result<(), SimError> {
        let instance = self.instance(account)?;
        let mut state = instance.state();
        let at = state.town.room(room)?;
        let news = match change {
            HookRoomChange::Join { by, who } => {
                let by = state.town.member(at, &by)?;
                for nick in &who {
                    let who = Who::Person(state.town.meet(nick));
                    if let Some(room) = state.town.rooms.get_mut(at).filter(|room| !room.has(who)) {
                        room.members.push(Member { who, display: String::new() });
                    }
                }
                match by {
                    Who::Me => RoomNews::YouInvited(who),
                    Who::Person(_) => RoomNews::Invited { by: state.town.nick_of(by).to_owned(), who },
                }
            }
            HookRoomChange::Leave { by, who } => {
                let by = state.town.member(at, &by)?;
                let mut me = false;
                for nick in &who {
                    let who = state.town.member(at, nick)?;
                    me |= who == Who::Me;
                    if let Some(room) = state.town.rooms.get_mut(at) {
                        room.members.retain(|member| member.who != who);
                    }
                }
                match (by, me) {
                    (Who::Me, _) => RoomNews::YouRemoved(who),
                    (_, true) => RoomNews::RemovedYou(state.town.nick_of(by).to_owned()),
                    // Others are told nothing when somebody is removed; the service shows it to the owner alone.
                    (_, false) => return Ok(()),
                }
            }
            HookRoomChange::Rename { by, topic } => {
                let by = state.town.member(at, &by)?;
                if let Some(room) = state.town.rooms.get_mut(at) {
                    room.topic.clone_from(&topic);
                }
                match by {
                    Who::Me => RoomNews::YouRenamed(topic),
                    Who::Person(_) => RoomNews::Renamed { by: state.town.nick_of(by).to_owned(), topic },
                }
            }
        };
        self.push_system(instance, &state, Chat::Room(at), &news.text(Lang::Zh));
        if matches!(news, RoomNews::RemovedYou(_))
            && let Some(room) = state.town.rooms.get_mut(at)
        {
            room.left = true;
        }
        Ok(())
    }

    /// The window shows another conversation.
    pub fn switch_chat(&self, account: &str, to: &str) -> Result<(), SimError> {
        let instance = self.instance(account)?;
        let mut state = instance.state();
        let chat = match state.town.chat(to) {
            Some(chat) => chat,
            None => state.town.room(to).map(Chat::Room).or_else(|_| state.town.person(to).map(Chat::Person))?,
        };
        let (id, name, nick) = match chat {
            Chat::Room(at) => state.town.rooms.get(at).map(|room| (room.id.clone(), room.topic.clone(), String::new())),
            Chat::Person(at) => {
                state.town.people.get(at).map(|one| (one.id.clone(), one.remark.clone(), one.nick.clone()))
            }
            Chat::Service(id) => {
                let name = crate::names::SPECIALS.iter().find(|(name, _)| *name == id).map_or("", |(_, name)| name);
                Some((id.to_owned(), name.to_owned(), String::new()))
            }
            Chat::Me => Some((state.town.me.clone(), state.town.nick.clone(), String::new())),
        }
        .unwrap_or_default();
        state.current.clone_from(&id);
        let entry = Entry::new(&local_time(self.shared.book.now_ms()), SYSTEM, "", "切换聊天对象")
            .with("current_wxid", id)
            .with("name", name)
            .with("nickname", nick);
        self.push_entries(instance, &state, true, None, &[entry], None);
        Ok(())
    }

    /// An invitation, or the making of a room, came to an end: type 20001.
    pub fn invite_result(&self, account: &str, gid: &str, text: &str) -> Result<(), SimError> {
        let instance = self.instance(account)?;
        let state = instance.state();
        let gid = state.town.room(gid).ok().and_then(|at| state.town.rooms.get(at)).map_or(gid, |room| &room.id);
        self.push_invite_result(instance, &state, gid, text);
        Ok(())
    }

    pub(super) fn push_invite_result(&self, instance: &Instance, state: &State, gid: &str, text: &str) {
        let entry = Entry::nameless(&local_time(self.shared.book.now_ms()), 20_001, text).with("gid", gid);
        self.push_entries(instance, state, false, None, &[entry], None);
    }
}

/// Where it is said, and by whom.
fn place(state: &State, say: &HookSay) -> Result<(Chat, Who), SimError> {
    let Some(room) = &say.room else {
        if let Some(Chat::Service(id)) = state.town.chat(&say.from) {
            return Ok((Chat::Service(id), Who::Me));
        }
        let at = state.town.person(&say.from)?;
        return Ok((Chat::Person(at), if say.own { Who::Me } else { Who::Person(at) }));
    };
    let at = state.town.room(room)?;
    let from = if say.own { Who::Me } else { state.town.member(at, &say.from)? };
    Ok((Chat::Room(at), from))
}

/// The type 51 that came before a picture in the sample.
fn status_entry(state: &State, time: &str, id: u64, with: Who) -> Entry {
    let with = state.town.id_of(with);
    let msg = format!(
        "<msg>\n<op id='1'>\n<username>{with}</username>\n<name>lastMessage</name>\n\
         <arg>{{\"messageSvrId\":\"0\",\"MsgCreateTime\":\"1677993947\"}}</arg>\n</op>\n</msg>"
    );
    Entry::new(time, 51, &id.to_string(), &msg).with("fromwxid", &state.town.me).with("toid", with)
}

/// The bytes of what is said: voices are SILK here, behind the byte that WeChat puts before it.
fn bytes_of(said: &Said, seed: u64) -> Option<(Bytes, String)> {
    if let Said::Voice { data, ms } = said {
        let silk = data.clone().unwrap_or_else(|| made::silk(seed, *ms));
        let marked = silk.first() == Some(&2);
        let bytes = if marked { silk } else { [&[2][..], &silk].concat().into() };
        return Some((bytes, "voice.silk".to_owned()));
    }
    said::bytes_of(said, seed)
}
