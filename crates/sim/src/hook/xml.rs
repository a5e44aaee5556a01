//! What does a message that is more than text hold: its XML, as the Windows client has it?

use crate::said::{Said, VoipPhase};
use crate::service::proto::hex;
use crate::service::town::Neighbour;

/// What is known about a file that hangs on a message.
#[derive(Debug, Default)]
pub(super) struct Hanging<'a> {
    pub(super) md5: &'a str,
    pub(super) len: usize,
    /// Where it can be fetched, for stickers.
    pub(super) url: &'a str,
}

/// What was said as type and XML.
pub(super) fn of(said: &Said, from: &str, me: &str, file: &Hanging<'_>, card: Option<&Neighbour>) -> (u32, String) {
    let key = key_of(file.md5);
    match said {
        Said::Image { .. } => (
            3,
            format!(
                "<?xml version=\"1.0\"?>\n<msg>\n\t<img aeskey=\"{key}\" encryver=\"1\" cdnthumbaeskey=\"{key}\" \
                 cdnthumburl=\"{id}\" cdnthumblength=\"1994\" cdnthumbheight=\"120\" cdnthumbwidth=\"67\" \
                 cdnmidheight=\"0\" cdnmidwidth=\"0\" cdnhdheight=\"0\" cdnhdwidth=\"0\" cdnmidimgurl=\"{id}\" \
                 length=\"{len}\" md5=\"{md5}\" hevc_mid_size=\"{len}\" />\n\t<platform_signature></platform_signature>\n\t\
                 <imgdatahash></imgdatahash>\n</msg>\n",
                id = file_id(file.md5),
                len = file.len,
                md5 = file.md5
            ),
        ),
        Said::Voice { ms, .. } => (
            34,
            format!(
                "<msg><voicemsg endflag=\"1\" cancelflag=\"0\" forwardflag=\"0\" voiceformat=\"4\" voicelength=\"{ms}\" \
                 length=\"{}\" bufid=\"0\" aeskey=\"{key}\" voiceurl=\"{}\" voicemd5=\"\" \
                 clientmsgid=\"{}c{me}_19_1677993542\" fromusername=\"{from}\" /></msg>",
                file.len,
                file_id(file.md5),
                file.md5
            ),
        ),
        Said::Video { seconds, short, .. } => (
            if *short { 62 } else { 43 },
            format!(
                "<?xml version=\"1.0\"?>\n<msg>\n\t<videomsg aeskey=\"{key}\" cdnvideourl=\"{id}\" cdnthumbaeskey=\"{key}\" \
                 cdnthumburl=\"{id}\" length=\"{}\" playlength=\"{seconds}\" cdnthumblength=\"5994\" cdnthumbwidth=\"224\" \
                 cdnthumbheight=\"398\" fromusername=\"{from}\" md5=\"{}\" newmd5=\"\" isad=\"0\" />\n</msg>\n",
                file.len,
                file.md5,
                id = file_id(file.md5)
            ),
        ),
        // Blanks around `=` and bare `&`, as in the sample.
        Said::Sticker { .. } => (
            47,
            format!(
                "<msg><emoji fromusername = \"{from}\" tousername = \"{me}\" type=\"2\" idbuffer=\"media:0_0\" \
                 md5=\"{md5}\" len = \"{len}\" productid=\"\" androidmd5=\"{md5}\" androidlen=\"{len}\" \
                 s60v3md5 = \"{md5}\" s60v3len=\"{len}\" s60v5md5 = \"{md5}\" s60v5len=\"{len}\" cdnurl = \"{url}\" \
                 designerid = \"\" thumburl = \"\" encrypturl = \"{url}&ef=2\" aeskey= \"{key}\" externurl = \"{url}&ef=3\" \
                 externmd5 = \"{md5}\" width= \"512\" height= \"512\" tpurl= \"\" tpauthkey= \"\" attachedtext= \"\" \
                 attachedtextcolor= \"\" lensid= \"\" emojiattr= \"\" linkid= \"\" desc= \"\" ></emoji> \
                 <gameext type=\"0\" content=\"0\" ></gameext></msg>",
                md5 = file.md5,
                len = file.len,
                url = file.url
            ),
        ),
        Said::Location { lat, lng, label } => (
            48,
            format!(
                "<?xml version=\"1.0\"?>\n<msg>\n\t<location x=\"{}\" y=\"{}\" scale=\"16\" label=\"{label}\" maptype=\"0\" \
                 poiname=\"{label}\" poiid=\"\" fromusername=\"{from}\" />\n</msg>\n",
                escape(lat),
                escape(lng),
                label = escape(label)
            ),
        ),
        Said::Card { nick, alias, official } => (
            42,
            format!(
                "<?xml version=\"1.0\"?>\n<msg bigheadimgurl=\"\" smallheadimgurl=\"\" username=\"{}\" nickname=\"{}\" \
                 fullpy=\"\" shortpy=\"\" alias=\"{}\" imagestatus=\"3\" scene=\"17\" province=\"\" city=\"\" sign=\"\" \
                 sex=\"{}\" certflag=\"{official}\" certinfo=\"\" brandIconUrl=\"\" brandHomeUrl=\"\" \
                 brandSubscriptConfigUrl=\"\" brandFlags=\"0\" regionCode=\"CN\" />\n",
                escape(card.map_or("", |card| &card.id)),
                escape(nick),
                escape(alias),
                card.map_or(0, |card| card.sex)
            ),
        ),
        Said::Link { title, url, des } => app(5, title, des, url, ""),
        Said::Music { title, url, data_url, des } => {
            app(3, title, des, url, &format!("<dataurl>{}</dataurl>", escape(data_url)))
        }
        Said::File { name, .. } => {
            let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
            let attached = format!(
                "<appattach><totallen>{}</totallen><attachid>@cdn_{}</attachid><fileext>{}</fileext></appattach>\
                 <md5>{}</md5>",
                file.len,
                file_id(file.md5),
                escape(kind),
                file.md5
            );
            app(6, name, "", "", &attached)
        }
        Said::MiniProgram { title, name, appid, page } => {
            let program = format!(
                "<sourceusername>gh_app@app</sourceusername><sourcedisplayname>{}</sourcedisplayname><weappinfo>\
                 <username>gh_app@app</username><appid>{}</appid><pagepath>{}</pagepath></weappinfo>",
                escape(name),
                escape(appid),
                escape(page)
            );
            app(33, title, "", "https://mp.weixin.qq.com/mp/waerrpage", &program)
        }
        Said::Quote { title, msg_id, who, text } => {
            let quoted = format!(
                "<refermsg><type>1</type><svrid>{}</svrid><fromusr>{from}</fromusr><chatusr>{from}</chatusr>\
                 <displayname>{}</displayname><content>{}</content></refermsg>",
                escape(msg_id),
                escape(who),
                escape(text)
            );
            app(57, title, "", "", &quoted)
        }
        Said::ChatRecord { title, lines } => {
            let lines: Vec<String> = lines.iter().map(|(who, text)| format!("{who}: {text}")).collect();
            app(19, title, &lines.join("\n"), "https://support.weixin.qq.com/", "<recorditem></recorditem>")
        }
        Said::Transfer { amount, step } => {
            let pay = format!(
                "<wcpayinfo><paysubtype>{step}</paysubtype><feedesc><![CDATA[{}]]></feedesc></wcpayinfo>",
                amount.replace("]]>", "")
            );
            app(2000, "微信转账", "", "https://support.weixin.qq.com/", &pay)
        }
        Said::LocationSharing {} => app(17, "我发起了位置共享", "", "", ""),
        Said::RedPacket {} => (10_000, "收到红包，请在手机上查看".to_owned()),
        Said::Voip { phase } => {
            let msg_type = match phase {
                VoipPhase::Message => 50,
                VoipPhase::Notify => 52,
                VoipPhase::Invite => 53,
            };
            (msg_type, "<voipmsg type=\"VoIPBubbleMsg\"></voipmsg>".to_owned())
        }
    }
}

fn app(app_type: u32, title: &str, des: &str, url: &str, more: &str) -> (u32, String) {
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<msg>\n\t<appmsg appid=\"\" sdkver=\"0\">\n\t\t<title>{}</title>\n\t\t<des>{}</des>\n\t\t\
         <type>{app_type}</type>\n\t\t<url>{}</url>\n\t\t{more}\n\t</appmsg>\n\t<appinfo>\n\t\t<version>1</version>\n\t\t\
         <appname></appname>\n\t</appinfo>\n</msg>\n",
        escape(title),
        escape(des),
        escape(url)
    );
    (49, xml)
}

/// MsgType 37, as the Web has it: `v3` is `encryptusername`, `v4` is `ticket`.
pub(super) fn friend_request(who: &Neighbour, greeting: &str, ticket: &str) -> String {
    format!(
        "<msg fromusername=\"{}\" encryptusername=\"{}\" fromnickname=\"{}\" content=\"{}\" shortpy=\"\" \
         imagestatus=\"3\" scene=\"14\" country=\"CN\" province=\"Zhejiang\" city=\"Hangzhou\" sign=\"\" percard=\"1\" \
         sex=\"{}\" alias=\"{}\" bigheadimgurl=\"\" smallheadimgurl=\"\" ticket=\"{ticket}\" opcode=\"2\" \
         chatroomusername=\"\" sourceusername=\"\" sourcenickname=\"\"><brandlist count=\"0\" ver=\"1\"></brandlist></msg>",
        who.id,
        v3_of(&who.id),
        escape(&who.nick),
        escape(greeting),
        who.sex,
        escape(&who.alias)
    )
}

/// What stands for a stranger before it is a friend.
pub(super) fn v3_of(id: &str) -> String {
    format!("v3_{:016x}@stranger", crate::names::stable_hash(id))
}

pub(super) fn revoked(session: &str, id: u64, who: &str) -> String {
    format!(
        "<sysmsg type=\"revokemsg\"><revokemsg><session>{session}</session><msgid>1</msgid><newmsgid>{id}</newmsgid>\
         <replacemsg><![CDATA[\"{who}\" 撤回了一条消息]]></replacemsg></revokemsg></sysmsg>"
    )
}

/// A CDN key that follows from the file.
fn key_of(md5: &str) -> String {
    md5.chars().rev().collect()
}

pub(super) fn file_id(md5: &str) -> String {
    format!("3057020100044b3049020100{}", hex(md5.as_bytes()))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What stands between two marks.
pub(super) fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(found, _)| found)
}
