//! What do we send to a chat? One body for all kinds of messages, and the one that takes a message back.

use serde::Serialize;

use super::request::BaseRequest;

/// webwxsendmsg and its kin.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendMsg<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// The message.
    pub msg: Msg<'a>,
    /// See [`FORWARDED`].
    pub scene: u8,
}

/// `Scene` of a message that somebody else wrote; 0 is ours.
pub const FORWARDED: u8 = 2;

/// `Msg`. What a kind does not have is left out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Msg<'a> {
    /// See the constants of [`Msg`]; an app message has the type of the app.
    #[serde(rename = "Type")]
    pub kind: i64,
    /// Text as it is, without any escape; of an app message its XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a str>,
    /// Of uploaded bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_id: Option<&'a str>,
    /// 2 on every sticker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji_flag: Option<u8>,
    /// A sticker that the service knows; exactly one of this and `MediaId`.
    #[serde(rename = "EMoticonMd5", skip_serializing_if = "Option::is_none")]
    pub emoticon_md5: Option<&'a str>,
    /// Of a large file, from webwxcheckupload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<&'a str>,
    /// Ourselves.
    pub from_user_name: &'a str,
    /// The peer.
    pub to_user_name: &'a str,
    /// The same as ClientMsgId.
    #[serde(rename = "LocalID")]
    pub local_id: &'a str,
    /// Ours; the same for every retry.
    pub client_msg_id: &'a str,
    /// Who is mentioned, as XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_source: Option<&'a str>,
}

impl<'a> Msg<'a> {
    const TEXT: i64 = 1;
    const IMAGE: i64 = 3;
    const VIDEO: i64 = 43;
    const STICKER: i64 = 47;

    fn new(kind: i64, from: &'a str, to: &'a str, id: &'a str) -> Self {
        Self {
            kind,
            content: None,
            media_id: None,
            emoji_flag: None,
            emoticon_md5: None,
            signature: None,
            from_user_name: from,
            to_user_name: to,
            local_id: id,
            client_msg_id: id,
            msg_source: None,
        }
    }

    /// A text, perhaps with mentions.
    pub fn text(from: &'a str, to: &'a str, id: &'a str, text: &'a str, source: Option<&'a str>) -> Self {
        Self { content: Some(text), msg_source: source, ..Self::new(Self::TEXT, from, to, id) }
    }

    /// An uploaded picture.
    pub fn image(from: &'a str, to: &'a str, id: &'a str, media_id: &'a str) -> Self {
        Self { media_id: Some(media_id), ..Self::new(Self::IMAGE, from, to, id) }
    }

    /// An uploaded film. Its empty `Content` is what clients send.
    pub fn video(from: &'a str, to: &'a str, id: &'a str, media_id: &'a str) -> Self {
        Self { media_id: Some(media_id), content: Some(""), ..Self::new(Self::VIDEO, from, to, id) }
    }

    /// A sticker that the service knows.
    pub fn known_sticker(from: &'a str, to: &'a str, id: &'a str, md5: &'a str) -> Self {
        Self { emoji_flag: Some(2), emoticon_md5: Some(md5), ..Self::new(Self::STICKER, from, to, id) }
    }

    /// An uploaded sticker.
    pub fn sticker(from: &'a str, to: &'a str, id: &'a str, media_id: &'a str) -> Self {
        Self { emoji_flag: Some(2), media_id: Some(media_id), ..Self::new(Self::STICKER, from, to, id) }
    }

    /// What an app shares: a file, a page, ….
    pub fn app(from: &'a str, to: &'a str, id: &'a str, app_type: i64, xml: &'a str) -> Self {
        Self { content: Some(xml), ..Self::new(app_type, from, to, id) }
    }
}

/// webwxrevokemsg.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Revoke<'a> {
    /// Keys.
    pub base_request: BaseRequest<'a>,
    /// The server's id of the message: `MsgID` of its answer.
    pub svr_msg_id: &'a str,
    /// The chat it is in.
    pub to_user_name: &'a str,
    /// Some value is demanded.
    pub client_msg_id: &'a str,
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Base, SendAnswer};
    use super::super::json;
    use super::super::testdata::{base, fixture, fixture_json, ok, same};
    use super::*;

    const SID: &str = "2qui+CC4YTiiI2zk";
    const SKEY: &str = "@crypt_14ae1b12_1bb5e370393b8cd502919825fe9dbfc0";
    const ME: &str = "@595d9f44c64e2f480baa0d6430ca58ef053a768daa6d7b3fcc4bece244bcbce3";
    const PEER: &str = "@e5403f77c2193da671790c1a242d0b43ac6f570e5047993ef745d13d6376b57b";
    const ROOM: &str = "@@9e1c0ab62b5ab222835786c00192fb1e10c75f8082c245d360ac6a6bd2efe2df";

    fn send<'a>(device: &str, msg: Msg<'a>) -> SendMsg<'a> {
        SendMsg { base_request: base(SID, SKEY, device), msg, scene: 0 }
    }

    fn sent(name: &str) -> String {
        let answer: SendAnswer = json("test", &ok(fixture(name))).unwrap();
        answer.base_response.check("test").unwrap();
        assert_eq!(answer.local_id.len(), 17, "{name}");
        answer.msg_id
    }

    // cov: 43
    #[test]
    fn text_to_a_room() {
        let content = fixture_json("webwxsendmsg.req.json")["Msg"]["Content"].as_str().unwrap().to_owned();
        let msg = Msg::text(ME, ROOM, "14766146756340722", &content, None);
        same("webwxsendmsg.req.json", &send("e784205590563506", msg));
    }

    // cov: 47
    #[test]
    fn a_sticker_that_the_service_knows() {
        let msg = Msg::known_sticker(ME, PEER, "14766150190560991", "44682e637b75a3f5d6747d61dbd23a15");
        same("webwxsendemoticon.req.json", &send("e961665475339031", msg));
        assert_eq!(sent("webwxsendemoticon.resp.json"), "1604548346807369725");
    }

    // cov: 48
    #[test]
    fn a_sticker_of_ours() {
        let msg = Msg::sticker(ME, PEER, "14766150190560991", "@crypt_4d268bd0");
        same("webwxsendemoticon-mediaid.req.json", &send("e961665475339031", msg));
    }

    // cov: 49
    #[test]
    fn a_picture() {
        let msg = Msg::image(ME, PEER, "14766158484990338", "@crypt_4d268bd0");
        same("webwxsendmsgimg.req.json", &send("e374531581999650", msg));
        assert_eq!(sent("webwxsendmsgimg.resp.json"), "6722400141243782346");
    }

    #[test]
    fn a_film() {
        let msg = Msg::video(ME, PEER, "14766158484990338", "@crypt_4d268bd0");
        same("x-webwxsendvideomsg.req.json", &send("e374531581999650", msg));
    }

    // cov: 50
    #[test]
    fn a_file_is_an_app_message() {
        let xml = fixture("webwxsendappmsg-content.xml");
        let msg = Msg::app(
            "@257b5aa7fb7b1672afb889be97197478cf618d9bab2b470cf767a61ae9f7f321",
            "@@ab3e18c922f8ab162762f6da231236137ca52871419ec9cafc2421607e82e1ca",
            "14767614604200494",
            6,
            xml.trim(),
        );
        let keys = base("NO0RlTCXvpBGaag7", "@crypt_14ae1b12_3bdec7023595f68f9900b5d9d7d30b75", "e984332143788024");
        same("webwxsendappmsg.req.json", &SendMsg { base_request: keys, msg, scene: 0 });
        assert_eq!(sent("webwxsendappmsg.resp.json"), "6923581840474342573");
    }

    // cov: 55
    #[test]
    fn a_message_is_taken_back_by_the_id_the_server_gave() {
        let body = Revoke {
            base_request: base(SID, SKEY, "e784205590563506"),
            svr_msg_id: "4527210051674039705",
            to_user_name: ROOM,
            client_msg_id: "14766146756340722",
        };
        same("webwxrevokemsg.req.json", &body);
        let answer: Base = json("test", &ok(fixture("webwxrevokemsg.resp.json"))).unwrap();
        answer.base_response.check("webwxrevokemsg").unwrap();
    }
}
