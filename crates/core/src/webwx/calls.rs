//! Which calls send messages, and change friends and rooms? One try each; what an answer means is for the caller.

use serde::Serialize;
use url::Url;
use wxbot_model::PeerId;

use super::client::Client;
use super::endpoint::send::{self, RoomChange};
use super::wire::answer::{Base, SendAnswer};
use super::wire::circle::{CreateRoom, Named, OpLog, RoomAnswer, RoomFields, UpdateRoom, Verify, VerifyUser};
use super::wire::send::{FORWARDED, Msg, Revoke, SendMsg};
use crate::error::Error;

/// Whose message it is, to whom, and under which id of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter<'a> {
    pub(super) me: &'a PeerId,
    pub(super) to: &'a PeerId,
    pub(super) id: &'a str,
}

/// Bytes that the service has, as the kind of message that shows them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'a> {
    Image { media_id: &'a str },
    Video { media_id: &'a str },
    Sticker { media_id: &'a str },
    File { xml: &'a str, signature: Option<&'a str> },
}

/// `<type>` of a shared file.
const FILE: i64 = 6;

impl Client {
    /// The service's id of the message, which may be empty; so do the others.
    pub(super) async fn send_text(
        &self,
        letter: Letter<'_>,
        text: &str,
        msg_source: Option<&str>,
    ) -> Result<String, Error> {
        let Letter { me, to, id } = letter;
        let url = send::sendmsg(&self.hosts, self.keys().pass_ticket.expose());
        self.send("webwxsendmsg", url, Msg::text(me.as_str(), to.as_str(), id, text, msg_source), 0).await
    }

    pub(super) async fn send_known_sticker(&self, letter: Letter<'_>, md5: &str) -> Result<String, Error> {
        let Letter { me, to, id } = letter;
        let url = send::sendemoticon(&self.hosts, self.keys().pass_ticket.expose());
        self.send("webwxsendemoticon", url, Msg::known_sticker(me.as_str(), to.as_str(), id, md5), 0).await
    }

    pub(super) async fn send_media(&self, letter: Letter<'_>, shown: Shown<'_>) -> Result<String, Error> {
        let (me, to, id) = (letter.me.as_str(), letter.to.as_str(), letter.id);
        let keys = self.keys();
        let ticket = keys.pass_ticket.expose();
        let (endpoint, url, msg) = match shown {
            Shown::Image { media_id } => {
                ("webwxsendmsgimg", send::sendmsgimg(&self.hosts, ticket), Msg::image(me, to, id, media_id))
            }
            Shown::Video { media_id } => {
                ("webwxsendvideomsg", send::sendvideomsg(&self.hosts, ticket), Msg::video(me, to, id, media_id))
            }
            Shown::Sticker { media_id } => {
                ("webwxsendemoticon", send::sendemoticon(&self.hosts, ticket), Msg::sticker(me, to, id, media_id))
            }
            Shown::File { xml, signature } => {
                let msg = Msg { signature, ..Msg::app(me, to, id, FILE, xml) };
                ("webwxsendappmsg", send::sendappmsg(&self.hosts, &self.mode, ticket), msg)
            }
        };
        self.send(endpoint, url, msg, 0).await
    }

    /// `forwarded`: somebody else wrote it.
    pub(super) async fn send_app(
        &self,
        letter: Letter<'_>,
        app_type: i64,
        xml: &str,
        forwarded: bool,
    ) -> Result<String, Error> {
        let Letter { me, to, id } = letter;
        let url = send::sendappmsg(&self.hosts, &self.mode, self.keys().pass_ticket.expose());
        let msg = Msg::app(me.as_str(), to.as_str(), id, app_type, xml);
        self.send("webwxsendappmsg", url, msg, if forwarded { FORWARDED } else { 0 }).await
    }

    async fn send(&self, endpoint: &'static str, url: Url, msg: Msg<'_>, scene: u8) -> Result<String, Error> {
        let keys = self.keys();
        let body = SendMsg { base_request: self.base(&keys), msg, scene };
        let answer: SendAnswer = self.post(endpoint, url, &body).await?;
        answer.base_response.check(endpoint)?;
        Ok(answer.msg_id)
    }

    /// `id` is the service's own of the message.
    pub(super) async fn revoke(&self, chat: &PeerId, id: &str, client_id: &str) -> Result<(), Error> {
        let keys = self.keys();
        let url = send::revokemsg(&self.hosts, keys.pass_ticket.expose());
        let body = Revoke {
            base_request: self.base(&keys),
            svr_msg_id: id,
            to_user_name: chat.as_str(),
            client_msg_id: client_id,
        };
        self.told("webwxrevokemsg", url, &body).await
    }

    pub(super) async fn ask_friend(&self, who: &PeerId, greeting: &str) -> Result<(), Error> {
        self.verify(Verify::Ask, who, "", greeting).await
    }

    pub(super) async fn accept_friend(&self, who: &PeerId, ticket: &str) -> Result<(), Error> {
        self.verify(Verify::Accept, who, ticket, "").await
    }

    async fn verify(&self, what: Verify, who: &PeerId, ticket: &str, greeting: &str) -> Result<(), Error> {
        let keys = self.keys();
        let url = send::verifyuser(&self.hosts, keys.pass_ticket.expose(), self.source.now_ms());
        let body = VerifyUser::new(self.base(&keys), what, who.as_str(), ticket, greeting);
        self.told("webwxverifyuser", url, &body).await
    }

    pub(super) async fn remark(&self, who: &PeerId, remark: &str) -> Result<(), Error> {
        let keys = self.keys();
        let url = send::oplog(&self.hosts, keys.pass_ticket.expose());
        self.told("webwxoplog", url, &OpLog::remark(self.base(&keys), who.as_str(), remark)).await
    }

    /// `remark` is the present one: what is not repeated is lost.
    pub(super) async fn pin(&self, chat: &PeerId, on: bool, remark: &str) -> Result<(), Error> {
        let keys = self.keys();
        let url = send::oplog(&self.hosts, keys.pass_ticket.expose());
        self.told("webwxoplog", url, &OpLog::pin(self.base(&keys), chat.as_str(), on, remark)).await
    }

    /// The answer names a room. Where it names none the service refused, whatever its code.
    pub(super) async fn create_room(&self, members: &[PeerId], topic: &str) -> Result<RoomAnswer, Error> {
        let keys = self.keys();
        let body = CreateRoom {
            member_count: members.len(),
            member_list: members.iter().map(|member| Named { user_name: member.as_str() }).collect(),
            topic,
            base_request: self.base(&keys),
        };
        let url = send::createchatroom(&self.hosts, keys.pass_ticket.expose(), self.source.now_ms());
        let answer: RoomAnswer = self.post("webwxcreatechatroom", url, &body).await?;
        answer.base_response.check_room("webwxcreatechatroom")?;
        if answer.chat_room_name.is_empty() {
            return Err(answer.base_response.refused("webwxcreatechatroom"));
        }
        Ok(answer)
    }

    pub(super) async fn add_members(&self, room: &PeerId, members: &[PeerId]) -> Result<RoomAnswer, Error> {
        let fields = RoomFields { add_member_list: Some(&joined(members)), ..RoomFields::default() };
        self.update_room(room, RoomChange::AddMember, fields).await
    }

    pub(super) async fn invite_members(&self, room: &PeerId, members: &[PeerId]) -> Result<RoomAnswer, Error> {
        let fields = RoomFields { invite_member_list: Some(&joined(members)), ..RoomFields::default() };
        self.update_room(room, RoomChange::InviteMember, fields).await
    }

    pub(super) async fn remove_members(&self, room: &PeerId, members: &[PeerId]) -> Result<RoomAnswer, Error> {
        let fields = RoomFields { del_member_list: Some(&joined(members)), ..RoomFields::default() };
        self.update_room(room, RoomChange::DelMember, fields).await
    }

    pub(super) async fn set_topic(&self, room: &PeerId, topic: &str) -> Result<RoomAnswer, Error> {
        let fields = RoomFields { new_topic: Some(topic), ..RoomFields::default() };
        self.update_room(room, RoomChange::ModTopic, fields).await
    }

    pub(super) async fn leave_room(&self, room: &PeerId) -> Result<RoomAnswer, Error> {
        self.update_room(room, RoomChange::Quit, RoomFields::default()).await
    }

    async fn update_room(&self, room: &PeerId, what: RoomChange, fields: RoomFields<'_>) -> Result<RoomAnswer, Error> {
        let keys = self.keys();
        let url = send::updatechatroom(&self.hosts, keys.pass_ticket.expose(), what);
        let body = UpdateRoom { fields, chat_room_name: room.as_str(), base_request: self.base(&keys) };
        let answer: RoomAnswer = self.post("webwxupdatechatroom", url, &body).await?;
        match what {
            RoomChange::AddMember | RoomChange::InviteMember => {
                answer.base_response.check_room("webwxupdatechatroom")?
            }
            RoomChange::DelMember | RoomChange::ModTopic | RoomChange::Quit => {
                answer.base_response.check("webwxupdatechatroom")?;
            }
        }
        Ok(answer)
    }

    /// For calls that answer yes or no.
    async fn told(&self, endpoint: &'static str, url: Url, body: &(impl Serialize + Sync)) -> Result<(), Error> {
        let answer: Base = self.post(endpoint, url, body).await?;
        answer.base_response.check(endpoint)
    }
}

fn joined(members: &[PeerId]) -> String {
    members.iter().map(PeerId::as_str).collect::<Vec<_>>().join(",")
}
