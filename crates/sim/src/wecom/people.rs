//! What do people do, and as which push of the gateway does it arrive?

use std::time::Duration;

use md5::{Digest as _, Md5};
use serde::Deserialize;

use crate::error::SimError;
use crate::said::{self, Said};
use crate::service::outbox::Push;
use crate::service::proto::hex;
use crate::service::town::{Chat, Member, Who};
use crate::wecom::push::{Body, Event, Extension, Message, Payload, inner, logout_extension};
use crate::wecom::{Account, State, WecomSim, session};

/// How long a receiver may take.
const RECEIVER_LIMIT: Duration = Duration::from_secs(30);
/// The code of a logout on the phone.
const LOGOUT_CODE: u64 = 65_538;

/// Something that somebody says to an account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WecomSay {
    /// Nick of the one who speaks; with `own`, who is spoken to.
    pub from: String,
    /// Topic of the room.
    pub room: Option<String>,
    /// Text; or
    pub text: Option<String>,
    /// an image, film, location, card, mini program or link.
    pub said: Option<Said>,
    /// The account says it, on its phone.
    pub own: bool,
}

impl WecomSay {
    /// Somebody's text.
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
pub enum WecomRoomChange {
    /// `ROOM_JOIN`.
    Join {
        /// A member; the account's name is the account.
        by: String,
        /// Nicks.
        who: Vec<String>,
    },
    /// `ROOM_LEAVE`.
    Leave {
        /// A member.
        by: String,
        /// Nicks.
        who: Vec<String>,
    },
    /// `ROOM_TOPIC`.
    Rename {
        /// A member.
        by: String,
        /// New topic.
        topic: String,
    },
}

impl WecomSim {
    /// Somebody says something. Answers the message's `remote_id`.
    pub fn say(&self, account: &str, say: &WecomSay) -> Result<String, SimError> {
        let account = self.account(account)?;
        let mut state = account.state();
        let (kind, text) = match (&say.text, &say.said) {
            (Some(text), None) => ("Text", text.clone()),
            (None, Some(said)) => {
                if let Said::Card { nick, .. } = said {
                    state.town.meet(nick);
                }
                self.inner(&state, said)?
            }
            _ => return Err(SimError::Invalid("a message has either `text` or `said`".to_owned())),
        };
        let (chat, from) = match &say.room {
            None => {
                let at = state.town.person(&say.from)?;
                (Chat::Person(at), if say.own { Who::Me } else { Who::Person(at) })
            }
            Some(room) => {
                let at = state.town.room(room)?;
                (Chat::Room(at), if say.own { Who::Me } else { state.town.member(at, &say.from)? })
            }
        };
        let seq = state.next_seq();
        let town = &state.town;
        let (to_id, room_id) = match chat {
            Chat::Room(at) => (None, town.rooms.get(at).map(|room| room.id.as_str())),
            Chat::Person(at) if say.own => (Some(town.id_of(Who::Person(at))), None),
            Chat::Person(_) | Chat::Service(_) | Chat::Me => (Some(town.me.as_str()), None),
        };
        let message = Message {
            id: self.next_id(),
            remote_id: seq.to_string(),
            text,
            timestamp: (self.shared.book.now_ms() / 1_000).to_string(),
            kind,
            from_id: town.id_of(from),
            to_id,
            room_id,
        };
        let body = Body { seq: seq.to_string(), token: &state.token, message: Some(message), event: None };
        self.push(account, &state, &body)?;
        Ok(seq.to_string())
    }

    /// `type` and `text` of what is said.
    fn inner(&self, state: &State, said: &Said) -> Result<(&'static str, String), SimError> {
        let file = said::bytes_of(said, self.next_id());
        let bytes = file.as_ref().map(|(bytes, _)| bytes.as_ref()).unwrap_or_default();
        let md5 = hex(&Md5::digest(bytes));
        let key: String = md5.chars().rev().collect();
        let file_id = format!("3069020102046230600201000204{}0201000400", hex(md5.as_bytes()));
        #[allow(clippy::wildcard_enum_match_arm, reason = "the samples show a few kinds, and all others are refused")]
        Ok(match said {
            Said::Image { .. } => {
                let image = inner::Image {
                    file_id: &file_id,
                    wechat_cdn_ld_size: 0,
                    file_name: "",
                    size: bytes.len().to_string(),
                    width: "160".to_owned(),
                    height: "120".to_owned(),
                    aes_key: &key,
                    md5: &md5,
                };
                ("Image", inner::text(&image))
            }
            Said::Video { seconds, .. } => {
                let video = inner::Video {
                    video_file_id: &file_id,
                    video_size: bytes.len(),
                    video_play_time: *seconds,
                    video_aes_key: &key,
                    video_md5: &md5,
                    width: 1_080,
                    height: 1_920,
                    preface_image_url: "https://wework.qpic.cn/wwpic/874650_-iamzVVYSvK4k6I_1697687400",
                    url: "/var/mobile/Containers/Data/Application/UploadFiles/7291191586600584076.MP4",
                    preface_image_size: 10_415,
                    wechat_auth_key: "",
                };
                ("Video", inner::text(&video))
            }
            Said::Location { lat, lng, label } => {
                let place = inner::Location { zoom: 0.0, address: label, latitude: lat, longitude: lng, title: label };
                ("Location", inner::text(&place))
            }
            Said::Card { nick, .. } => {
                let at = state.town.person(nick)?;
                ("Contact", state.town.id_of(Who::Person(at)).to_owned())
            }
            Said::MiniProgram { title, name, appid, page } => {
                let parameter = inner::Parameter {
                    title,
                    id: appid,
                    user_name: "gh_f71e27dda6a0@app",
                    display_name: name,
                    icon_url: "http://mmbiz.qpic.cn/mmbiz_png/640?wx_fmt=png&wxfrom=200",
                    page_path: page,
                    room_todo_flag: 0,
                };
                let preface =
                    inner::Preface { file_id: &file_id, raw_thumb_md5: &md5, thumb_total_size: 22_619, aes_key: &key };
                ("MiniProgram", inner::text(&inner::MiniProgram { parameter, preface }))
            }
            Said::Link { title, url, des } => {
                let thumb_url = "https://wework.qpic.cn/wwpic/690986_UjHzlJlNR3y7kq2_1685520972";
                ("Url", inner::text(&inner::Url { title, desc: des, url, thumb_url }))
            }
            _ => {
                return Err(SimError::Invalid(
                    "the gateway's samples show text, image, video, location, card, mini program and link".to_owned(),
                ));
            }
        })
    }

    /// Something changes in a room.
    pub fn change_room(&self, account: &str, room: &str, change: WecomRoomChange) -> Result<(), SimError> {
        let account = self.account(account)?;
        let mut state = account.state();
        let at = state.town.room(room)?;
        let time_ms = self.shared.book.now_ms() / 1_000 * 1_000;
        let (by, operation, ids, topic) = match change {
            WecomRoomChange::Join { by, who } => {
                let by = state.town.member(at, &by)?;
                let mut ids = Vec::new();
                for nick in &who {
                    let who = Who::Person(state.town.meet(nick));
                    ids.push(state.town.id_of(who).to_owned());
                    if let Some(room) = state.town.rooms.get_mut(at).filter(|room| !room.has(who)) {
                        room.members.push(Member { who, display: String::new() });
                    }
                }
                (by, 1_002, ids, None)
            }
            WecomRoomChange::Leave { by, who } => {
                let by = state.town.member(at, &by)?;
                let mut ids = Vec::new();
                for nick in &who {
                    let who = state.town.member(at, nick)?;
                    ids.push(state.town.id_of(who).to_owned());
                    if let Some(room) = state.town.rooms.get_mut(at) {
                        room.members.retain(|member| member.who != who);
                    }
                }
                (by, 1_003, ids, None)
            }
            WecomRoomChange::Rename { by, topic } => {
                let by = state.town.member(at, &by)?;
                if let Some(room) = state.town.rooms.get_mut(at) {
                    room.topic.clone_from(&topic);
                }
                (by, 1_001, Vec::new(), Some(topic))
            }
        };
        let seq = state.next_seq();
        let by = state.town.id_of(by).to_owned();
        let room_id = state.town.rooms.get(at).map(|room| room.id.clone()).unwrap_or_default();
        let what = topic.clone().or_else(|| ids.first().cloned()).unwrap_or_default();
        let extension = Extension {
            local_id: self.next_id(),
            seq,
            operator: by.parse().unwrap_or_default(),
            room: room_id.parse().unwrap_or_default(),
            operation,
            what: what.as_bytes(),
            time_s: time_ms / 1_000,
            opaque: "CAQQo7nDqQYYACC8pNC7CQ==",
        };
        let payload = Payload {
            room_id: Some(format!("R:{room_id}")),
            timestamp: Some(time_ms.to_string()),
            extension: extension.hex(),
            ..Payload::default()
        };
        let (event_type, payload) = match operation {
            1_001 => ("ROOM_TOPIC", Payload { changer_id: Some(by), new_topic: topic, ..payload }),
            1_002 => ("ROOM_JOIN", Payload { invitee_id_list: Some(ids), inviter_id: Some(by), ..payload }),
            _ => ("ROOM_LEAVE", Payload { removee_id_list: Some(ids), remover_id: Some(by), ..payload }),
        };
        let event = Event { event_type, payload: Payload { kind: Some(event_type), ..payload } };
        let body = Body { seq: seq.to_string(), token: &state.token, message: None, event: Some(event) };
        self.push(account, &state, &body)
    }

    /// The account is logged out on its phone; the session's token is worth nothing any more.
    pub fn logout(&self, account: &str) -> Result<(), SimError> {
        let found = self.account(account)?;
        let mut state = found.state();
        if !state.online {
            return Err(SimError::NoSession(account.to_owned()));
        }
        let payload = Payload {
            data: Some(format!("手机端退出登录({LOGOUT_CODE})")),
            extension: logout_extension(state.town.me.parse().unwrap_or_default(), LOGOUT_CODE),
            ..Payload::default()
        };
        let event = Some(Event { event_type: "LOGOUT", payload });
        let body = Body { seq: "0".to_owned(), token: &state.token, message: None, event };
        self.push(found, &state, &body)?;
        state.online = false;
        Ok(())
    }

    /// The account logs in again, with a new token. Answers it.
    pub fn login(&self, account: &str) -> Result<String, SimError> {
        let account = self.account(account)?;
        let mut state = account.state();
        state.logins += 1;
        state.token = session(state.logins, &account.name, state.logins);
        state.online = true;
        Ok(state.token.clone())
    }

    /// Where the gateway pushes from now on.
    pub fn set_callback(&self, account: &str, url: &str) -> Result<(), SimError> {
        url.clone_into(&mut self.account(account)?.state().callback);
        Ok(())
    }

    /// Nothing is pushed before the gateway was told where to, and nothing after a logout.
    fn push(&self, account: &Account, state: &State, body: &Body<'_>) -> Result<(), SimError> {
        if state.callback.is_empty() || !state.online {
            return Ok(());
        }
        let body = serde_json::to_string(body).map_err(|error| SimError::Invalid(error.to_string()))?;
        account.outbox.put(Push {
            url: state.callback.clone(),
            kind: "application/json",
            body: body.clone().into(),
            plain: body,
            not_before: None,
            repeats: 0,
            pause: Duration::ZERO,
            limit: RECEIVER_LIMIT,
        })
    }
}

impl State {
    /// Numbers grow and leave gaps.
    fn next_seq(&mut self) -> u64 {
        self.seq += 1 + self.seq % 5;
        self.seq
    }
}
