//! Which actions are there, with which bodies?
//!
//! The tables are §5 of the notes on the hook's actions. An action with several forms is one that changed between
//! generations, or on which the sources differ; the newest comes first.

use serde_json::Value;

use crate::hook::call::Call;
use crate::hook::{HookProfile, contacts, login, media, rooms, send};
use crate::service::strict::{Key, form};

/// One action of the control API.
pub(super) struct Action {
    /// The path without its slash, misspelt where the vendor misspells it.
    pub(super) name: &'static str,
    pub(super) run: fn(&Call<'_>) -> Value,
    pub(super) forms: &'static [&'static [Key]],
}

macro_rules! actions {
    ($($name:literal $run:path: $([$($form:tt)*])|+;)*) => {
        &[$(Action { name: $name, run: $run, forms: &[$(form![$($form)*]),+] }),*]
    };
}

/// The action of this name.
pub(super) fn find(profile: HookProfile, name: &str) -> Option<&'static Action> {
    let table = match profile {
        HookProfile::V3 => V3,
        HookProfile::V4 => V4,
    };
    table.iter().find(|action| action.name == name)
}

#[rustfmt::skip]
static V3: &[Action] = actions! {
    "SendTextMsg" send::text: [need "wxid" Id, need "msg" Full] | [need "wxid" Id, need "wxidorgid" Id, need "toid" Id, need "msg" Full];
    "SendTextMsg_NoSrc" send::text: [need "wxidorgid" Id, need "msg" Full, may "atlist" XmlLine];
    "SendAtMsg" send::at: [need "gid" Room, need "wxidlist" Ids, may "nicknamelist" Text, may "msg" Text] | [need "gid" Room, need "wxid" Id, need "msg" Text, need "desc" Text];
    "SendAtMsg_NoSrc" send::at_with_id: [need "gid" Room, need "wxidlist" Ids, may "msg" Text];
    "SendAtAllMsg" send::at_all: [need "gid" Room, need "msg" Text];
    "SendPicMsg" send::image: [need "wxid" Id, need "picpath" Full, may "diyfilename" Full];
    "SendFileMsg" send::file: [need "wxid" Id, need "filepath" Full, may "diyfilename" Full];
    "SendVideoMsg" send::video: [need "wxid" Id, need "videopath" Full, may "diyfilename" Full];
    "SendGIFMsg" send::emoji: [need "wxid" Id, need "gifpath" Full];
    "SendVoiceMsg" send::voice: [need "wxid" Id, need "voice_file" Full, need "time_ms" Int] | [need "wxid" Id, need "voice_hex" Hex];
    "SendCardMsg" send::card: [need "towxid" Id, need "fromwxid" Id, need "nickname" Text];
    "FowardEssayMsg" send::link: [need "towxid" Id, need "title" Text, need "desc" Text, need "url" Full, may "imgpath" Text];
    "FowardAppMsg" send::xml: [need "towxid" Id, need "imgpath" Text, need "xml" XmlLine];
    "FowardMusicMsg" send::link: [need "towxid" Id, need "imgpath" Text, need "title" Text, need "desc" Text, need "url" Full, need "dataurl" Text];
    "FowardXMLMsg" send::xml: [may "type" Digits, need "towxid" Id, may "imgpath" Text, need "xml" XmlLine];
    "SendQuoteMsg" send::quote: [need "towxid" Id, need "title" Full, need "svrid" Digits, need "fromusr" Id, need "displayname" Text, need "chatusr" Text];
    "SendLocationMsg" send::location: [need "wxid" Id, need "msg" XmlLine];
    "SendPatMsg" send::pat: [need "wxid" Id, need "gid" Room];
    "ForwardAllMsg" send::forward: [need "wxid" Id, need "msgid" Digits] | [need "wxid" Id, need "msgsvrid" Digits];
    "SendDIYMsg" send::diy: [need "type" Digits, need "wxid" Id, need "msg" Full];
    "SendImgMsg_NoSrc" send::cdn_image: [need "wxidorgid" Id, need "fileid" Full, need "authkey" Text, need "filemd5" Hex, need "filesize" Count, need "filecrc32" Count, may "rawmidimgsize" Count, may "rawthumbsize" Count, may "thumbheight" Count, may "thumbwidth" Count];
    "Get_File_crc32" media::crc32: [need "filepath" Full];
    "AddToEmoji" login::noted: [need "filemd5" Hex];

    "RevokeMsg" send::revoke: [need "msg_svrid" Int, need "to_wxid" Id] | [need "sid" Digits, may "to_wxid" Id];
    "MarkAsReadSession" login::noted: [need "gidorwxid" Id];
    "MarkAsNoReadSession" login::noted: [need "gidorwxid" Id];
    "StickyChat" login::noted: [need "gidorwxid" Id] | [need "wxidorgid" Id];
    "UnpinChat" login::noted: [need "gidorwxid" Id] | [need "wxidorgid" Id];
    "TurnOnDoNotDisturb" login::noted: [need "gidorwxid" Id];
    "TurnOffDoNotDisturb" login::noted: [need "gidorwxid" Id];
    "GetMsgStruct" send::message_struct: [need "msg_id" Digits];
    "GetUnReadMsgNum" login::unread: [];
    "GetCurrentSession" contacts::sessions: [];
    "GetCurrentChatObjectInfo" login::current_chat: [];
    "SwitchCurrentChatObject" login::switch_chat: [need "wxidorgid" Id];

    "InitContact" contacts::init: [];
    "GetFriendAndChatRoomList" contacts::list: [need "type" Digits] | [];
    "BatchGetContactBriefInfo" contacts::brief: [need "wxidlist" Ids];
    "GetFriendOrChatroomDetailInfo" contacts::detail: [need "wxidorgid" Id];
    "GetContact" contacts::batch: [need "wxids" Names];
    "GetOpenIMContact" contacts::open_im: [need "gid" Room, need "wxid" Id];
    "GetContactLabelList" contacts::labels: [];
    "GetHeadIMG" contacts::avatar: [need "wxid" Id];
    "QueryBodyInfo" contacts::search: [need "serachwhat" Full];
    "VerifyFriend" contacts::verify: [need "v3" Full, need "v4" Full, need "role" Digits, need "from" Digits];
    "EditFriendMark" contacts::remark: [need "wxid" Id, need "mark" Text];
    "SetStarTag" contacts::star: [need "wxid" Id];
    "UndoStarTag" contacts::star: [need "wxid" Id];
    "SetContactRole" contacts::known: [need "wxid" Id, need "role" Digits];
    "AddNewFriend" contacts::add: [need "wxid" Id, need "desc" Text, need "type" Digits, need "role" Digits];
    "DeleteFriend" contacts::delete: [need "wxid" Id];
    "BlackFriend" contacts::block: [need "wxid" Id];

    "GetChatrooMmemberDetail" rooms::members: [need "gid" Room];
    "BatchGetChatRoomMemberWxid" rooms::member_ids: [need "gid" Room];
    "QueryChatRoomMemberCount" rooms::count: [need "gid" Room];
    "QueryChatRoomOwnerWxid" rooms::owner: [need "gid" Room];
    "QueryChatRoomMemberNickName" rooms::member_nick: [need "gid" Room, need "wxid" Id];
    "GetChatroomMemberDetailInfo" rooms::member_nick: [need "gid" Room, need "wxid" Id];
    "CreateChatRoom" rooms::create: [need "wxidlist" Ids];
    "AddFriendToChatRoom" rooms::add: [need "gid" Room, need "wxidlist" Ids];
    "InviteFriendToChatRoom" rooms::invite: [need "gid" Room, need "wxid" Id];
    "AgreeJoinGroup" login::noted: [need "GroupAccessUrl" Full];
    "ChatRoomMemberBatchDelete" rooms::remove: [need "gid" Room, need "wxidlist" Ids];
    "ChatRoomEditName" rooms::rename: [need "gid" Room, need "gname" Full];
    "ChatRoomEditMark" rooms::remark: [need "gid" Room, need "mark" Text];
    "ChatRoomEditAnnouncement" rooms::announce: [need "gid" Room, need "ownerwxid" Id, need "announcement" Text];
    "ChangeChatRoomNicknameBySelf" rooms::own_nick: [need "gid" Room, need "wxid" Id, need "nickname" Text];
    "QuitChatRoom" rooms::quit: [need "gid" Room];
    "SaveToContact" login::noted: [need "gidorwxid" Id];
    "RemoveToContact" login::noted: [need "gidorwxid" Id];
    "CollapseChat" rooms::known: [need "gid" Room];
    "UncollapseChat" rooms::known: [need "gid" Room];
    "TransferChatRoomOwner" rooms::transfer: [need "gid" Room, need "wxid" Id];
    "AddChatRoomAdmin" rooms::known: [need "gid" Room, need "wxid" Id];
    "DelChatRoomAdmin" rooms::known: [need "gid" Room, need "wxid" Id];
    "ChatRoomInviteCfg" rooms::known: [need "gid" Room, need "opt" Digits];

    "DownPic" media::down_pic: [need "topath" Full, need "msg_xml" Xml];
    "DownPic4ID" media::down_by_id: [need "topath" Full, need "aeskey" Full, need "fileid" Full];
    "DownVideo4ID" media::down_by_id: [need "topath" Full, need "aeskey" Full, need "fileid" Full];
    "DownFileorPic" media::down_file: [need "msg_id" Digits];
    "DownloadVoice" media::down_voice: [need "clientmsgid" Full, need "length" Count, need "msgsvrid" Digits, may "fromgid" Room];
    "Voice2Text" media::voice_text: [need "voice_hex" Hex];
    "DecodePic" media::decode: [need "oripath" Full, need "savepath" Full];
    "GetGIFURL" media::gif_url: [need "msg_xml" Xml];
    "Cfg_PicDownPath" login::noted: [need "downpath" Full];

    "IsLoginStatus" login::status: [];
    "GetSelfLoginInfo" login::self_info: [];
    "GetLoginQRCode" login::qr_code: [];
    "ConfigureMsgRecive" login::configure: [need "isEnable" Digits, need "url" Full];
    "ConfigureMsgReciveFullURL" login::configure_full: [need "RecvType" Int, need "CallBackURL" Full] | [need "url" Full];
    "QueryDB" login::query_db: [need "dbname" Full, need "sql" Full];
    "GetDBHandleAndPath" login::databases: [];
};

#[rustfmt::skip]
static V4: &[Action] = actions! {
    "SendTextMsg" send::text: [need "wxidorgid" Id, need "msg" Full] | [need "wxid" Id, need "wxidorgid" Id, need "toid" Id, need "msg" Full];
    "SendTextMsg_NoSrc" send::text: [need "wxidorgid" Id, need "msg" Full, may "atlist" XmlLine];
    "SendImgMsg" send::image: [need "wxidorgid" Id, need "path" Full];
    "ForwardXMLMsg" send::xml: [need "to_wxid" Id, need "content" XmlLine];
    "Decode_Pic" media::decode: [need "src_path" Full, need "dst_path" Full];
    "GetSelfProfile" login::self_profile: [];
    "QueryDB/execute" login::query_db: [need "optDbName" Full, need "SQL" Full];
    "QueryDB/GetAllDBName" login::databases: [];
    "QueryDB/status" login::db_status: [];
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_action_is_there_twice() {
        for table in [V3, V4] {
            for action in table {
                assert_eq!(table.iter().filter(|other| other.name == action.name).count(), 1, "{}", action.name);
            }
        }
    }
}
