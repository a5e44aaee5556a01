//! What do the JSON calls answer?

use serde::Deserialize;
use serde_json::value::RawValue;

use super::contact::{Contact, DelContact};
use crate::error::Error;
use crate::lenient::scalar::{code, int, or_default, raw_list, text, uint};
use crate::webwx::ret::Ret;
use crate::webwx::sync::SyncKey;

/// `BaseResponse`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BaseResponse {
    /// 0 when fine. An answer without a code is no answer: a send must not pass for taken because of it.
    #[serde(deserialize_with = "code")]
    pub ret: i64,
    /// Words, or an `<e>` page.
    #[serde(default, deserialize_with = "text")]
    pub err_msg: String,
}

impl BaseResponse {
    /// Nothing when fine; the end of the session or a refusal otherwise.
    ///
    /// # Errors
    /// By code.
    pub fn check(&self, endpoint: &'static str) -> Result<(), Error> {
        if Ret(self.ret) == Ret::OK { Ok(()) } else { Err(self.refused(endpoint)) }
    }

    /// [`check`](Self::check) where rooms take people in, which is a yes with other codes too.
    ///
    /// # Errors
    /// By code.
    pub fn check_room(&self, endpoint: &'static str) -> Result<(), Error> {
        if Ret(self.ret).is_ok_for_rooms() { Ok(()) } else { Err(self.refused(endpoint)) }
    }

    /// The no that this is, even where the code does not say so.
    pub fn refused(&self, endpoint: &'static str) -> Error {
        let ret = Ret(self.ret);
        ret.ended().map_or_else(|| Error::Refused { endpoint, refusal: ret.refusal(&self.err_msg) }, Error::Ended)
    }
}

/// An answer of which only `BaseResponse` matters: webwxstatusnotify and the like.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Base {
    /// Required: an answer without it is no answer of the service.
    pub base_response: BaseResponse,
}

/// webwxinit.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InitAnswer {
    /// Code.
    pub base_response: BaseResponse,
    /// Recent chats, about ten; rooms among them show only some of their members.
    #[serde(default, deserialize_with = "raw_list")]
    pub contact_list: Vec<Box<RawValue>>,
    /// Where syncing begins.
    #[serde(default, deserialize_with = "or_default")]
    pub sync_key: SyncKey,
    /// The account itself.
    #[serde(default, deserialize_with = "or_default")]
    pub user: Contact,
    /// UserNames of the recent chats, comma after each.
    #[serde(default, deserialize_with = "text")]
    pub chat_set: String,
    /// A fresh Skey, or nothing.
    #[serde(default, rename = "SKey", deserialize_with = "text")]
    pub skey: String,
    /// From this many members on a room takes nobody without being asked; 0 when not stated.
    #[serde(default, deserialize_with = "uint")]
    pub invite_start_count: u64,
    /// Articles of official accounts the user has not read.
    #[serde(default, rename = "MPSubscribeMsgList", deserialize_with = "or_default")]
    pub mp_subscribe_msg_list: Vec<MpSubscribeMsg>,
}

/// One official account with news.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
pub struct MpSubscribeMsg {
    /// The account.
    #[serde(deserialize_with = "text")]
    pub user_name: String,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub nick_name: String,
    /// Seconds since 1970.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// The articles.
    #[serde(rename = "MPArticleList", deserialize_with = "or_default")]
    pub mp_article_list: Vec<MpArticle>,
}

/// One article.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the server's own names")]
pub struct MpArticle {
    #[serde(deserialize_with = "text")]
    pub title: String,
    #[serde(deserialize_with = "text")]
    pub digest: String,
    #[serde(deserialize_with = "text")]
    pub cover: String,
    #[serde(deserialize_with = "text")]
    pub url: String,
}

/// One page of webwxgetcontact.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContactPage {
    /// Code.
    pub base_response: BaseResponse,
    /// Friends, saved rooms, official accounts.
    #[serde(default, deserialize_with = "raw_list")]
    pub member_list: Vec<Box<RawValue>>,
    /// Ask again with it, unless 0 or the one asked with.
    #[serde(default, deserialize_with = "uint")]
    pub seq: u64,
}

/// webwxbatchgetcontact.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchContacts {
    /// Code.
    pub base_response: BaseResponse,
    /// In the order asked, those unknown missing.
    #[serde(default, deserialize_with = "raw_list")]
    pub contact_list: Vec<Box<RawValue>>,
}

/// webwxsync.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SyncAnswer {
    /// Code.
    pub base_response: BaseResponse,
    /// Messages, read one by one.
    #[serde(default, deserialize_with = "raw_list")]
    pub add_msg_list: Vec<Box<RawValue>>,
    /// New or changed contacts and rooms.
    #[serde(default, deserialize_with = "raw_list")]
    pub mod_contact_list: Vec<Box<RawValue>>,
    /// Deleted friends, rooms left.
    #[serde(default, deserialize_with = "raw_list")]
    pub del_contact_list: Vec<Box<RawValue>>,
    /// Rooms whose members changed; newer servers use ModContactList for it.
    #[serde(default, deserialize_with = "raw_list")]
    pub mod_chat_room_member_list: Vec<Box<RawValue>>,
    /// The account's own profile.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// Not 0: more is waiting.
    #[serde(default, deserialize_with = "int")]
    pub continue_flag: i64,
    /// The next position; ignored when its Count is 0.
    #[serde(default, deserialize_with = "or_default")]
    pub sync_key: SyncKey,
    /// The position that synccheck asks with; old servers have none.
    #[serde(default, deserialize_with = "or_default")]
    pub sync_check_key: SyncKey,
    /// A fresh Skey, or nothing.
    #[serde(default, rename = "SKey", deserialize_with = "text")]
    pub skey: String,
}

/// The account's own profile in webwxsync.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Profile {
    /// 0: nothing changed; 190: changed.
    #[serde(deserialize_with = "int")]
    pub bit_flag: i64,
    /// The name.
    #[serde(deserialize_with = "or_default")]
    pub nick_name: Buff,
    /// Profile text.
    #[serde(deserialize_with = "text")]
    pub signature: String,
}

/// A text in a box.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Buff {
    /// The text.
    #[serde(deserialize_with = "text")]
    pub buff: String,
}

/// webwxsendmsg and its kin.
#[derive(Debug, Clone, Deserialize)]
pub struct SendAnswer {
    /// Code.
    #[serde(rename = "BaseResponse")]
    pub base_response: BaseResponse,
    /// The server's id, needed to recall the message.
    #[serde(default, rename = "MsgID", deserialize_with = "text")]
    pub msg_id: String,
    /// What we sent as LocalID.
    #[serde(default, rename = "LocalID", deserialize_with = "text")]
    pub local_id: String,
}

/// webwxpushloginurl. Its code is a number or a text.
#[derive(Debug, Clone, Deserialize)]
pub struct PushLogin {
    /// 0 when the phone was asked.
    #[serde(deserialize_with = "code")]
    pub ret: i64,
    /// Words.
    #[serde(default, deserialize_with = "text")]
    pub msg: String,
    /// The id to poll with; may be percent-encoded.
    #[serde(default, deserialize_with = "text")]
    pub uuid: String,
}

impl PushLogin {
    /// The uuid, decoded; `None` when there is none or the code is not 0.
    pub fn uuid(&self) -> Option<String> {
        if self.ret != 0 || self.uuid.is_empty() {
            return None;
        }
        Some(super::percent_decoded(&self.uuid))
    }
}

/// Reads the elements of a list, leaving out those that cannot be read; says how many were.
pub fn elements<T: serde::de::DeserializeOwned>(list: &[Box<RawValue>]) -> (Vec<T>, usize) {
    let good: Vec<T> = list.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
    let bad = list.len() - good.len();
    (good, bad)
}

/// The elements of `DelContactList`.
pub fn deleted(list: &[Box<RawValue>]) -> Vec<String> {
    elements::<DelContact>(list).0.into_iter().map(|d| d.user_name).filter(|u| !u.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::super::testdata::{fixture, ok};
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
        json("test", &ok(fixture(name))).unwrap()
    }

    // cov: 14
    #[test]
    fn init_brings_user_keys_and_recent_chats() {
        let init: InitAnswer = read("webwxinit.resp.json");
        init.base_response.check("webwxinit").unwrap();
        assert_eq!(init.user.uin, 566_148_615);
        assert_eq!(init.user.nick_name, "机器人");
        assert_eq!(init.sync_key.list.len(), 4);
        assert_eq!(init.contact_list.len(), 3);
        assert!(init.chat_set.contains("@@9e1c0ab62b5ab222835786c00192fb1e10c75f8082c245d360ac6a6bd2efe2df"));
        assert!(init.skey.starts_with("@crypt_"));
        let gone: InitAnswer = read("x-webwxinit-1101.resp.json");
        assert!(matches!(gone.base_response.check("webwxinit"), Err(Error::Ended(_))));
    }

    // cov: 15
    #[test]
    fn init_brings_unread_articles() {
        let init: InitAnswer = read("webwxinit.resp.json");
        let first = init.mp_subscribe_msg_list.first().expect("one account with news");
        assert!(!first.user_name.is_empty() && first.time > 0);
        assert!(!first.mp_article_list.first().expect("one article").title.is_empty());
    }

    // cov: 16
    #[test]
    fn statusnotify_answers() {
        read::<Base>("webwxstatusnotify.resp.json").base_response.check("webwxstatusnotify").unwrap();
        let gone = read::<Base>("x-webwxstatusnotify-1101.resp.json");
        assert!(matches!(gone.base_response.check("webwxstatusnotify"), Err(Error::Ended(_))));
    }

    // cov: 18
    #[test]
    fn the_full_contact_object_is_read() {
        let page: ContactPage = read("webwxgetcontact.resp.json");
        let (contacts, bad) = elements::<Contact>(&page.member_list);
        assert_eq!((contacts.len(), bad, page.seq), (page.member_list.len(), 0, 0));
        let friend = contacts.iter().find(|c| c.remark_name == "lbbniu.com").expect("the friend of the seed");
        assert_eq!((friend.sex, friend.alias.as_str(), friend.city.as_str()), (1, "lbbniu", "海淀"));
        assert_eq!(friend.attr_status, 4_305_791);
    }

    // cov: 19
    #[test]
    fn pages_follow_seq_until_zero() {
        let (one, two): (ContactPage, ContactPage) =
            (read("x-webwxgetcontact-page1.resp.json"), read("x-webwxgetcontact-page2.resp.json"));
        assert!(one.seq != 0 && !one.member_list.is_empty());
        assert!(two.seq == 0 && !two.member_list.is_empty());
    }

    // cov: 21
    #[test]
    fn a_room_comes_with_members_and_their_names() {
        let batch: BatchContacts = read("webwxbatchgetcontact.resp.json");
        let (rooms, _) = elements::<Contact>(&batch.contact_list);
        let room = rooms.first().unwrap();
        assert!(room.user_name.starts_with("@@") && !room.member_list.is_empty());
        assert!(!room.encry_chat_room_id.is_empty());
        assert!(room.member_list.iter().any(|m| !m.display_name.is_empty()));
    }

    // cov: 11
    #[test]
    fn push_login_answers() {
        assert_eq!(read::<PushLogin>("webwxpushloginurl.resp.json").uuid().as_deref(), Some("xxx"));
        assert_eq!(read::<PushLogin>("x-webwxpushloginurl-intret.resp.json").uuid().as_deref(), Some("gf5Gk61zEA=="));
        let refused: PushLogin = serde_json::from_str(r#"{"ret":"1","msg":"no","uuid":""}"#).unwrap();
        assert_eq!(refused.uuid(), None);
    }

    // cov: 45
    #[test]
    fn send_answers() {
        let sent: SendAnswer = read("webwxsendmsg.resp.json");
        assert_eq!((sent.msg_id.as_str(), sent.local_id.as_str()), ("4527210051674039705", "14766146756340722"));
        let refused: SendAnswer = read("x-webwxsendmsg-1205.resp.json");
        assert!(matches!(refused.base_response.check("webwxsendmsg"), Err(Error::Refused { .. })));
    }

    #[test]
    fn one_bad_element_leaves_the_others() {
        let list: Vec<Box<RawValue>> =
            serde_json::from_str(r#"[{"UserName":"@a"},{"UserName":{}},7,{"UserName":"@b"}]"#).unwrap();
        let (good, bad) = elements::<Contact>(&list);
        assert_eq!((good.len(), bad), (2, 2));
    }

    #[test]
    fn null_is_an_empty_list_wherever_a_list_may_be() {
        let body = r#"{"BaseResponse":{"Ret":0,"ErrMsg":null},"AddMsgList":null,"ModContactList":null,
            "DelContactList":null,"ModChatRoomMemberList":null,"Profile":null,"SyncKey":null,"SyncCheckKey":null}"#;
        let sync: SyncAnswer = json("webwxsync", &ok(body)).unwrap();
        assert_eq!(elements::<Contact>(&sync.mod_contact_list), (Vec::new(), 0));
        assert!(deleted(&sync.del_contact_list).is_empty() && sync.add_msg_list.is_empty());
        let body = r#"{"BaseResponse":{"Ret":"0"},"ContactList":[{"UserName":"@@r","MemberList":null},null],
            "SyncKey":{"Count":0,"List":null},"MPSubscribeMsgList":[{"MPArticleList":null}],"ChatSet":null}"#;
        let init: InitAnswer = json("webwxinit", &ok(body)).unwrap();
        let (contacts, bad) = elements::<Contact>(&init.contact_list);
        assert_eq!((contacts.len(), bad, init.chat_set.as_str()), (1, 1, ""));
    }

    #[test]
    fn an_answer_without_a_code_is_no_yes() {
        for body in
            [r#"{"BaseResponse":{},"MsgID":"1"}"#, r#"{"BaseResponse":null}"#, "{}", r#"{"BaseResponse":{"Ret":""}}"#]
        {
            assert!(json::<SendAnswer>("webwxsendmsg", &ok(body)).is_err(), "{body}");
        }
    }
}
