//! Which fields have the answers that are no messages and no contacts?

use serde_json::{Map, Value, json};

use crate::log::KeyPairs;
use crate::request::{Answer, Endpoint};

pub(crate) fn base_response(ret: i64, message: &str) -> Value {
    json!({"Ret": ret, "ErrMsg": message})
}

/// SyncKey and SyncCheckKey.
pub(crate) fn sync_key(keys: &KeyPairs) -> Value {
    let list: Vec<Value> = keys.iter().map(|(key, value)| json!({"Key": key, "Val": value})).collect();
    json!({"Count": list.len(), "List": list})
}

/// An answer with `fields` behind its BaseResponse.
pub(crate) fn answer(ret: i64, message: &str, fields: Value) -> Answer {
    let mut body = Map::new();
    body.insert("BaseResponse".to_owned(), base_response(ret, message));
    if let Value::Object(fields) = fields {
        body.extend(fields);
    }
    Answer::value(&Value::Object(body))
}

/// A refusal in the shape of the endpoint: all fields are there, all are empty.
pub(crate) fn refusal(endpoint: Endpoint, ret: i64, message: &str) -> Answer {
    let no_key = || json!({"Count": 0, "List": []});
    match endpoint {
        Endpoint::Init => answer(
            ret,
            message,
            json!({
                "Count": 0, "ContactList": [], "SyncKey": no_key(),
                "User": {"Uin": 0, "UserName": "", "NickName": ""},
                "ChatSet": "", "SKey": "", "ClientVersion": 0, "SystemTime": 0, "GrayScale": 0, "InviteStartCount": 0,
                "MPSubscribeMsgCount": 0, "MPSubscribeMsgList": [], "ClickReportInterval": 0
            }),
        ),
        Endpoint::StatusNotify => answer(ret, message, json!({"MsgID": ""})),
        Endpoint::GetContact => answer(ret, message, json!({"MemberCount": 0, "MemberList": [], "Seq": 0})),
        Endpoint::BatchGetContact => answer(ret, message, json!({"Count": 0, "ContactList": []})),
        Endpoint::SyncCheck => synccheck(ret, 0),
        Endpoint::Sync => answer(
            ret,
            message,
            json!({
                "AddMsgCount": 0, "AddMsgList": [], "ModContactCount": 0, "ModContactList": [],
                "DelContactCount": 0, "DelContactList": [], "ModChatRoomMemberCount": 0, "ModChatRoomMemberList": [],
                "Profile": profile(), "ContinueFlag": 0, "SyncKey": no_key(), "SKey": "", "SyncCheckKey": no_key()
            }),
        ),
        Endpoint::SendMsg
        | Endpoint::SendEmoticon
        | Endpoint::SendMsgImg
        | Endpoint::SendVideoMsg
        | Endpoint::SendAppMsg => answer(ret, message, json!({"MsgID": "", "LocalID": ""})),
        Endpoint::UploadMedia => answer(
            ret,
            message,
            json!({"MediaId": "", "StartPos": 0, "CDNThumbImgHeight": 0, "CDNThumbImgWidth": 0, "EncryFileName": ""}),
        ),
        Endpoint::CheckUpload => {
            answer(ret, message, json!({"MediaId": "", "AESKey": "", "Signature": "", "EncryFileName": ""}))
        }
        Endpoint::CreateChatRoom => answer(
            ret,
            message,
            json!({
                "Topic": "", "PYInitial": "", "QuanPin": "", "MemberCount": 0, "MemberList": [], "ChatRoomName": "",
                "BlackList": ""
            }),
        ),
        Endpoint::UpdateChatRoom => answer(ret, message, json!({"MemberCount": 0, "MemberList": []})),
        Endpoint::Login => Answer::script(format!("window.code={ret};")),
        Endpoint::JsLogin => Answer::script(format!("window.QRLogin.code = {ret}; window.QRLogin.uuid = \"\";")),
        Endpoint::NewLoginPage => {
            Answer::new(200, "text/xml", format!("<error><ret>{ret}</ret><message>{message}</message></error>"))
        }
        Endpoint::PushLoginUrl => Answer::value(&json!({"ret": ret.to_string(), "msg": message})),
        Endpoint::Root
        | Endpoint::QrCode
        | Endpoint::QrLink
        | Endpoint::RevokeMsg
        | Endpoint::Logout
        | Endpoint::StatReport
        | Endpoint::VerifyUser
        | Endpoint::OpLog
        | Endpoint::GetMsgImg
        | Endpoint::GetVoice
        | Endpoint::GetVideo
        | Endpoint::GetMedia
        | Endpoint::GetIcon
        | Endpoint::GetHeadImg
        | Endpoint::GetPublicLinkImg
        | Endpoint::Unknown => answer(ret, message, json!({})),
    }
}

pub(crate) fn synccheck(retcode: i64, selector: u8) -> Answer {
    Answer::script(format!(r#"window.synccheck={{retcode:"{retcode}",selector:"{selector}"}}"#))
}

/// "Nothing about yourself has changed."
pub(crate) fn profile() -> Value {
    json!({
        "BitFlag": 0, "UserName": {"Buff": ""}, "NickName": {"Buff": ""}, "BindUin": 0, "BindEmail": {"Buff": ""},
        "BindMobile": {"Buff": ""}, "Status": 0, "Sex": 0, "PersonalCard": 0, "Alias": "", "HeadImgUpdateFlag": 0,
        "HeadImgUrl": "", "Signature": ""
    })
}

/// RecommendInfo of messages that recommend nobody.
pub(crate) fn no_recommendation() -> Value {
    json!({
        "UserName": "", "NickName": "", "QQNum": 0, "Province": "", "City": "", "Content": "", "Signature": "",
        "Alias": "", "Scene": 0, "VerifyFlag": 0, "AttrStatus": 0, "Sex": 0, "Ticket": "", "OpCode": 0
    })
}
