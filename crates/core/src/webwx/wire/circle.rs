//! What do we say to change friends and rooms, and what comes back?

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{BaseResponse, elements};
use super::request::BaseRequest;
use crate::lenient::scalar::{int, raw_list, text};

/// webwxverifyuser.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyUser<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// See [`Verify`].
    pub opcode: u8,
    /// 1.
    pub verify_user_list_size: usize,
    /// Who.
    pub verify_user_list: [VerifyEntry<'a>; 1],
    /// The greeting; empty when accepting.
    pub verify_content: &'a str,
    /// 1.
    pub scene_list_count: usize,
    /// How we met: 33 is the Web.
    pub scene_list: [u8; 1],
    /// A key once more, in small letters.
    #[serde(rename = "skey")]
    pub skey: &'a str,
}

/// One entry of webwxverifyuser.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyEntry<'a> {
    /// UserName.
    pub value: &'a str,
    /// Of the request that is accepted; empty when asking.
    pub verify_user_ticket: &'a str,
}

impl fmt::Debug for VerifyUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyUser").field("opcode", &self.opcode).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifyEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyEntry").field("value", &self.value).finish_non_exhaustive()
    }
}

/// What webwxverifyuser does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// 2: ask somebody.
    Ask,
    /// 3: accept a request.
    Accept,
}

impl<'a> VerifyUser<'a> {
    const WEB: u8 = 33;

    /// To ask or accept one person.
    pub fn new(keys: BaseRequest<'a>, what: Verify, who: &'a str, ticket: &'a str, greeting: &'a str) -> Self {
        let opcode = match what {
            Verify::Ask => 2,
            Verify::Accept => 3,
        };
        Self {
            skey: keys.skey,
            base_request: keys,
            opcode,
            verify_user_list_size: 1,
            verify_user_list: [VerifyEntry { value: who, verify_user_ticket: ticket }],
            verify_content: greeting,
            scene_list_count: 1,
            scene_list: [Self::WEB],
        }
    }
}

/// webwxcreatechatroom.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateRoom<'a> {
    /// Length of the list.
    pub member_count: usize,
    /// Without ourselves.
    pub member_list: Vec<Named<'a>>,
    /// May be empty.
    pub topic: &'a str,
    /// Keys.
    pub base_request: BaseRequest<'a>,
}

/// One member by name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Named<'a> {
    /// Who.
    pub user_name: &'a str,
}

/// webwxupdatechatroom. One of the lists and topics is there, by what is changed; leaving has none.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoomFields<'a> {
    /// UserNames with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_member_list: Option<&'a str>,
    /// UserNames with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_member_list: Option<&'a str>,
    /// UserNames with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub del_member_list: Option<&'a str>,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_topic: Option<&'a str>,
}

/// webwxupdatechatroom.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRoom<'a> {
    /// What is changed.
    #[serde(flatten)]
    pub fields: RoomFields<'a>,
    /// The room.
    pub chat_room_name: &'a str,
    /// Keys.
    pub base_request: BaseRequest<'a>,
}

/// Answer of webwxcreatechatroom and webwxupdatechatroom.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoomAnswer {
    /// Code.
    pub base_response: BaseResponse,
    /// The new room; empty when none was made, whatever the code says.
    #[serde(default, deserialize_with = "text")]
    pub chat_room_name: String,
    /// Those that were to come in.
    #[serde(default, deserialize_with = "raw_list")]
    pub member_list: Vec<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NewMember {
    #[serde(deserialize_with = "text")]
    user_name: String,
    #[serde(deserialize_with = "int")]
    member_status: i64,
}

/// Somebody who did not come into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// UserName.
    pub user_name: String,
    /// `MemberStatus`: see [`why`](Self::why).
    pub status: i64,
}

impl LeftOut {
    /// In words.
    pub fn why(&self) -> &'static str {
        crate::webwx::ret::member_status(self.status)
    }
}

impl RoomAnswer {
    /// Who did not come in.
    pub fn left_out(&self) -> Vec<LeftOut> {
        let members = elements::<NewMember>(&self.member_list).0.into_iter();
        members
            .filter(|member| member.member_status != 0)
            .map(|member| LeftOut { user_name: member.user_name, status: member.member_status })
            .collect()
    }
}

/// webwxoplog.
#[derive(Debug, Serialize)]
pub struct OpLog<'a> {
    /// Whom it is about.
    #[serde(rename = "UserName")]
    pub user_name: &'a str,
    /// 2 names, 3 pins.
    #[serde(rename = "CmdId")]
    pub cmd_id: u8,
    /// 1 pins, 0 no longer; not there for names.
    #[serde(rename = "OP", skip_serializing_if = "Option::is_none")]
    pub op: Option<u8>,
    /// The name. A pin must repeat it, or it is lost; there is none to repeat where there is none.
    #[serde(rename = "RemarkName", skip_serializing_if = "Option::is_none")]
    pub remark_name: Option<&'a str>,
    /// Keys.
    #[serde(rename = "BaseRequest")]
    pub base_request: BaseRequest<'a>,
}

impl<'a> OpLog<'a> {
    /// Names a contact; an empty name takes it away.
    pub fn remark(keys: BaseRequest<'a>, who: &'a str, remark: &'a str) -> Self {
        Self { user_name: who, cmd_id: 2, op: None, remark_name: Some(remark), base_request: keys }
    }

    /// Pins a chat or no longer; `remark` is its present name.
    pub fn pin(keys: BaseRequest<'a>, chat: &'a str, on: bool, remark: &'a str) -> Self {
        let remark_name = Some(remark).filter(|name| !name.is_empty());
        Self { user_name: chat, cmd_id: 3, op: Some(u8::from(on)), remark_name, base_request: keys }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Base;
    use super::super::json;
    use super::super::testdata::{fixture, ok, same};
    use super::*;

    const ROOM: &str = "@@45340ba1e520285af196cef99d2f41a2bdb5cc568569efa178354f08eb863d00";
    const NIU: &str = "@2cbb226c459cc5203aa991942f41e19820f5ef3ccceb2dece598412f36406d1f";
    const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";

    fn keys(device: &str) -> BaseRequest<'static> {
        BaseRequest {
            uin: 1_443_149_207,
            sid: "HqU75NIXRJ6qqu8t",
            skey: "@crypt_d9da2d81_f3a62e80c16e61ad660dffd14e0ef72c",
            device_id: device.into(),
        }
    }

    fn read(name: &str) -> RoomAnswer {
        json("test", &ok(fixture(name))).unwrap()
    }

    fn taken(name: &str) {
        json::<Base>("test", &ok(fixture(name))).unwrap().base_response.check("test").unwrap();
    }

    fn update<'a>(device: &str, fields: RoomFields<'a>) -> UpdateRoom<'a> {
        UpdateRoom { fields, chat_room_name: ROOM, base_request: keys(device) }
    }

    // cov: 63
    #[test]
    fn somebody_is_asked_to_be_a_friend() {
        let body = VerifyUser::new(keys("e799452821014375"), Verify::Ask, NIU, "", "我是lbbniu.cn");
        same("webwxverifyuser-add.req.json", &body);
        taken("webwxverifyuser.resp.json");
    }

    // cov: 64
    #[test]
    fn a_friend_request_is_accepted() {
        let ticket = "v2_9d2e1b01ee6de582a237f6369a6746c84d3a072b48bf36f152c5c947505e87118@stranger";
        let body = VerifyUser::new(keys("e606224692711308"), Verify::Accept, NIU, ticket, "");
        same("webwxverifyuser-accept.req.json", &body);
    }

    // cov: 66
    #[test]
    fn a_room_is_made() {
        let members = ["@fe20084fb8e3b488f49d3df2bf3ec2837daeb468abfe62a48ef39a6e407cab0e", NIU, PEER];
        let body = CreateRoom {
            member_count: 3,
            member_list: members.iter().map(|user_name| Named { user_name }).collect(),
            topic: "",
            base_request: keys("e280173725621646"),
        };
        same("webwxcreatechatroom.req.json", &body);
        let made = read("webwxcreatechatroom.resp.json");
        assert_eq!((made.chat_room_name.as_str(), made.left_out()), (ROOM, vec![]));
        let refused = read("x-webwxcreatechatroom-emptyname.resp.json");
        assert_eq!((refused.chat_room_name.as_str(), refused.base_response.ret), ("", 0));
        let member = |status| format!(r#"{{"UserName":"@a{status}","MemberStatus":{status}}}"#);
        let body =
            format!(r#"{{"BaseResponse":{{"Ret":0}},"MemberList":[{},{},{}]}}"#, member(0), member(3), member(4));
        let left = json::<RoomAnswer>("x", &ok(body)).unwrap().left_out();
        assert_eq!(left.iter().map(|one| one.user_name.as_str()).collect::<Vec<_>>(), ["@a3", "@a4"]);
        assert!(left[0].why().contains("blocked") && left[1].why().contains("deleted"));
    }

    // cov: 67
    #[test]
    fn members_are_put_out() {
        let fields = RoomFields { del_member_list: Some(NIU), ..RoomFields::default() };
        same("webwxupdatechatroom-delmember.req.json", &update("e934789096108643", fields));
        taken("webwxupdatechatroom-delmember.resp.json");
    }

    // cov: 68
    #[test]
    fn members_are_brought_in_or_invited() {
        let fields = RoomFields { add_member_list: Some(NIU), ..RoomFields::default() };
        same("webwxupdatechatroom-addmember.req.json", &update("e681854808526145", fields));
        assert_eq!(read("webwxupdatechatroom-addmember.resp.json").member_list.len(), 1);
        let both = format!("{NIU},{PEER}");
        let fields = RoomFields { invite_member_list: Some(&both), ..RoomFields::default() };
        same("x-webwxupdatechatroom-invitemember.req.json", &update("e681854808526145", fields));
    }

    // cov: 69
    #[test]
    fn a_room_is_renamed() {
        let fields = RoomFields { new_topic: Some("lbbniu.com"), ..RoomFields::default() };
        same("webwxupdatechatroom-modtopic.req.json", &update("e326783138505913", fields));
        taken("webwxupdatechatroom-modtopic.resp.json");
        let quit = serde_json::to_value(update("e1", RoomFields::default())).unwrap();
        assert_eq!(quit.as_object().unwrap().keys().collect::<Vec<_>>(), ["BaseRequest", "ChatRoomName"]);
    }

    // cov: 70
    #[test]
    fn a_chat_is_pinned_and_keeps_its_remark() {
        same("webwxoplog-pin.req.json", &OpLog::pin(keys("e736741369963778"), ROOM, true, ""));
        same("x-webwxoplog-pin-keepremark.req.json", &OpLog::pin(keys("e736741369963778"), NIU, true, "lbbniu.com"));
        taken("webwxoplog.resp.json");
    }

    // cov: 71
    #[test]
    fn a_chat_is_no_longer_pinned() {
        same("webwxoplog-unpin.req.json", &OpLog::pin(keys("e736741369963778"), ROOM, false, ""));
    }

    // cov: 72
    #[test]
    fn a_contact_is_named() {
        same("webwxoplog-remark.req.json", &OpLog::remark(keys("e573447900268361"), NIU, "lbbniu.com"));
        let none = serde_json::to_value(OpLog::remark(keys("e1"), NIU, "")).unwrap();
        assert_eq!(none["RemarkName"], "", "an empty name is sent: it takes the name away");
    }
}
