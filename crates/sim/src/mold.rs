//! How do messages that are more than text look in AddMsg?
//!
//! The shapes are those of `tests/fixtures/webwx/msg-*.json` and `x-msg-*.json`.

use serde_json::{Map, Value, json};

use crate::appmsg::escape;
use crate::media::Named;
use crate::said::{Said, VoipPhase};
use crate::text::to_wire;
use crate::upload::encry_file_name;

/// A message in the shape of AddMsg.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) msg_type: i64,
    /// Wire form.
    pub(crate) content: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) item: Option<Named>,
}

impl Shape {
    fn xml(msg_type: i64, xml: &str, fields: Value) -> Self {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        Self { msg_type, content: to_wire(xml), fields, item: None }
    }

    fn with(self, item: Named) -> Self {
        Self { item: Some(item), ..self }
    }

    /// A message about an appmsg, as it is between its tags.
    fn app(app_type: i64, title: &str, url: &str, inner: &str) -> Self {
        let xml = format!(
            "<msg><appmsg appid=\"\" sdkver=\"0\"><title>{}</title>{inner}</appmsg><fromusername></fromusername>\
             <scene>0</scene><appinfo><version>1</version><appname></appname></appinfo><commenturl></commenturl></msg>",
            escape(title)
        );
        Self::xml(49, &xml, json!({"AppMsgType": app_type, "FileName": title, "Url": url}))
    }
}

pub(crate) fn image(item: Named) -> Shape {
    let (width, height) = item.blob.thumb_size();
    let xml = format!(
        "<msg><img length=\"{}\" hdlength=\"0\" md5=\"{}\"/><commenturl></commenturl></msg>",
        item.blob.len(),
        item.blob.md5
    );
    Shape::xml(3, &xml, json!({"ImgHeight": height, "ImgWidth": width, "ImgStatus": 2})).with(item)
}

pub(crate) fn voice(item: Named, ms: u64, id: u64) -> Shape {
    let xml = format!(
        "<msg><voicemsg endflag=\"1\" cancelflag=\"0\" forwardflag=\"0\" voiceformat=\"4\" voicelength=\"{ms}\" \
         length=\"{}\" bufid=\"{id}\" clientmsgid=\"{}\" fromusername=\"\"/></msg>",
        item.blob.len(),
        item.blob.md5
    );
    Shape::xml(34, &xml, json!({"VoiceLength": ms})).with(item)
}

pub(crate) fn video(item: Named, seconds: u64, short: bool) -> Shape {
    let xml = if short {
        format!(
            "<msg><img length=\"{}\" hdlength=\"0\" md5=\"{}\"/><commenturl></commenturl></msg>",
            item.blob.len(),
            item.blob.md5
        )
    } else {
        format!(
            "<msg><videomsg clientmsgid=\"\" playlength=\"{seconds}\" length=\"{}\" type=\"43\" status=\"6\" \
             md5=\"{}\"/></msg>",
            item.blob.len(),
            item.blob.md5
        )
    };
    let fields = json!({"PlayLength": seconds, "ImgHeight": 120, "ImgWidth": 67});
    Shape::xml(if short { 62 } else { 43 }, &xml, fields).with(item)
}

/// A sticker by its md5; with bytes when the service has them.
pub(crate) fn sticker(md5: &str, item: Option<Named>, shop: bool) -> Shape {
    let length = item.as_ref().map_or(0, |item| item.blob.len());
    let product = if shop { "com.tencent.xin.emoticon.bilibili" } else { "" };
    let xml = format!(
        "<msg><emoji fromusername = \"\" tousername = \"\" type=\"2\" idbuffer=\"media:0_0\" md5=\"{md5}\" \
         len = \"{length}\" productid=\"{product}\" androidmd5=\"{md5}\" androidlen=\"{length}\" cdnurl = \"\" \
         thumburl = \"\" encrypturl = \"\" aeskey= \"\" ></emoji><gameext type=\"0\" content=\"0\" ></gameext></msg>"
    );
    let shape = Shape::xml(47, &xml, json!({"HasProductId": i32::from(shop)}));
    match item {
        Some(item) if !shop => shape.with(item),
        _ => shape,
    }
}

pub(crate) fn location(lat: &str, lng: &str, label: &str, id: u64) -> Shape {
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<msg>\n\t<location x=\"{}\" y=\"{}\" scale=\"16\" label=\"{}\" maptype=\"0\" \
         poiname=\"[位置]\"/>\n</msg>\n",
        escape(lat),
        escape(lng),
        escape(label)
    );
    let fields = json!({
        "SubMsgType": 48, "Url": format!("http://apis.map.qq.com/uri/v1/geocoder?coord={lat},{lng}"),
        "OriContent": to_wire(&xml)
    });
    let link = format!("/cgi-bin/mmwebwx-bin/webwxgetpubliclinkimg?url=xxx&msgid={id}&pictype=location");
    Shape::xml(1, &format!("{label}:\n{link}"), fields)
}

pub(crate) fn file(item: Named, media_id: &str) -> Shape {
    let extension = item.name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let xml = format!(
        "<msg><appmsg appid=\"wx6618f1cfc6c132f8\" sdkver=\"0\"><title>{}</title><des/><action/><type>6</type>\
         <content/><url/><lowurl/><appattach><totallen>{}</totallen><attachid>{media_id}</attachid>\
         <fileext>{}</fileext><cdnattachurl></cdnattachurl><aeskey></aeskey><encryver>0</encryver></appattach>\
         <extinfo/></appmsg><appinfo><version>1</version><appname/></appinfo></msg>",
        escape(&item.name),
        item.blob.len(),
        escape(extension)
    );
    let fields = json!({
        "AppMsgType": 6, "FileName": item.name, "FileSize": item.blob.len().to_string(), "MediaId": media_id,
        "EncryFileName": encry_file_name(&item.name)
    });
    Shape::xml(49, &xml, fields).with(item)
}

/// An appmsg that somebody sent, as its receiver gets it.
pub(crate) fn forwarded(app_type: i64, title: &str, url: &str, appmsg: &str) -> Shape {
    let xml = format!("<msg>{appmsg}<appinfo><version>1</version><appname></appname></appinfo></msg>");
    Shape::xml(49, &xml, json!({"AppMsgType": app_type, "FileName": title, "Url": url}))
}

/// A card that asks somebody into a room.
pub(crate) fn room_invitation(by: &str, topic: &str) -> Shape {
    let des = format!("\"{by}\"邀请你加入群聊{topic}，进入可查看详情。");
    Shape::app(
        5,
        "邀请你加入群聊",
        "http://support.weixin.qq.com/cgi-bin/mmsupport-bin/addchatroombyinvite?ticket=x",
        &format!(
            "<des>{}</des><action>view</action><type>5</type><content></content><url>\
             http://support.weixin.qq.com/cgi-bin/mmsupport-bin/addchatroombyinvite?ticket=x</url><thumburl></thumburl>",
            escape(&des)
        ),
    )
}

/// What stands in a message about a person: RecommendInfo.
pub(crate) struct Recommended<'a> {
    pub(crate) user_name: &'a str,
    pub(crate) wxid: &'a str,
    pub(crate) nick: &'a str,
    pub(crate) alias: &'a str,
    pub(crate) sex: u8,
    pub(crate) official: u32,
}

pub(crate) fn card(who: &Recommended<'_>) -> Shape {
    let certified = u32::from(who.official != 0) * 24;
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<msg bigheadimgurl=\"\" smallheadimgurl=\"\" username=\"{}\" nickname=\"{}\" \
         shortpy=\"\" alias=\"{}\" imagestatus=\"3\" scene=\"17\" province=\"\" city=\"\" sign=\"\" sex=\"{}\" \
         certflag=\"{certified}\" certinfo=\"\" brandIconUrl=\"\" brandHomeUrl=\"\" brandSubscriptConfigUrl=\"\" \
         brandFlags=\"0\" regionCode=\"\"/>\n",
        escape(who.wxid),
        escape(who.nick),
        escape(who.alias),
        who.sex
    );
    let info = json!({
        "UserName": who.user_name, "NickName": who.nick, "Alias": who.alias, "Sex": who.sex, "Scene": 17,
        "VerifyFlag": who.official
    });
    Shape::xml(42, &xml, json!({"RecommendInfo": info}))
}

/// MsgType 37: somebody asks to become a friend.
pub(crate) fn friend_request(who: &Recommended<'_>, greeting: &str, ticket: &str) -> Shape {
    let xml = format!(
        "<msg fromusername=\"{}\" encryptusername=\"v1_{:x}@stranger\" fromnickname=\"{}\" content=\"{}\" \
         shortpy=\"\" imagestatus=\"3\" scene=\"14\" country=\"CN\" province=\"Zhejiang\" city=\"Hangzhou\" sign=\"\" \
         percard=\"1\" sex=\"{}\" alias=\"{}\" weibo=\"\" albumflag=\"0\" albumstyle=\"0\" albumbgimgid=\"\" \
         snsflag=\"273\" snsbgimgid=\"\" snsbgobjectid=\"0\" mhash=\"\" mfullhash=\"\" bigheadimgurl=\"\" \
         smallheadimgurl=\"\" ticket=\"{ticket}\" opcode=\"2\" googlecontact=\"\" qrticket=\"\" chatroomusername=\"\" \
         sourceusername=\"\" sourcenickname=\"\" sharecardusername=\"\" sharecardnickname=\"\" cardversion=\"\" \
         extflag=\"0\"><brandlist count=\"0\" ver=\"759291380\"></brandlist></msg>",
        escape(who.wxid),
        crate::names::stable_hash(who.wxid),
        escape(who.nick),
        escape(greeting),
        who.sex,
        escape(who.alias)
    );
    let info = json!({
        "UserName": who.user_name, "NickName": who.nick, "Content": greeting, "Alias": who.alias, "Sex": who.sex,
        "Scene": 14, "Ticket": ticket, "OpCode": 2
    });
    Shape::xml(37, &xml, json!({"RecommendInfo": info, "Ticket": ticket}))
}

/// The shapes that need nothing but what stands in them. (Those that need more have functions of their own above.)
pub(crate) fn plain(said: &Said, own: bool, chat: &str) -> Shape {
    match said {
        Said::Link { title, url, des } => Shape::app(
            5,
            title,
            url,
            &format!(
                "<des>{}</des><type>5</type><content></content><url>{}</url><thumburl></thumburl>",
                escape(des),
                escape(url)
            ),
        ),
        Said::Music { title, url, data_url, des } => Shape::app(
            3,
            title,
            url,
            &format!(
                "<des>{}</des><action></action><type>3</type><showtype>0</showtype><mediatagname></mediatagname>\
                 <messageext></messageext><messageaction></messageaction><content></content>\
                 <contentattr>0</contentattr><url>{}</url><lowurl></lowurl><dataurl>{data}</dataurl>\
                 <lowdataurl>{data}</lowdataurl><appattach><totallen>0</totallen><attachid></attachid>\
                 <emoticonmd5></emoticonmd5><fileext></fileext></appattach><extinfo></extinfo>\
                 <sourceusername></sourceusername><sourcedisplayname></sourcedisplayname><commenturl></commenturl>\
                 <thumburl></thumburl><md5></md5>",
                escape(des),
                escape(url),
                data = escape(data_url)
            ),
        ),
        Said::MiniProgram { title, name, appid, page } => Shape::app(
            33,
            title,
            "",
            &format!(
                "<des></des><type>33</type><url>https://mp.weixin.qq.com/mp/waerrpage?appid={appid}</url>\
                 <sourceusername>gh_app@app</sourceusername><sourcedisplayname>{}</sourcedisplayname><appattach>\
                 <cdnthumburl></cdnthumburl><cdnthumbaeskey></cdnthumbaeskey></appattach><weappinfo>\
                 <username>gh_app@app</username><appid>{appid}</appid><pagepath>{}</pagepath><weappiconurl>\
                 </weappiconurl><shareId>1_{appid}</shareId></weappinfo>",
                escape(name),
                escape(page),
                appid = escape(appid)
            ),
        ),
        Said::Quote { title, msg_id, who, text } => Shape::app(
            57,
            title,
            "",
            &format!(
                "<des></des><action>view</action><type>57</type><showtype>0</showtype><content></content><url></url>\
                 <refermsg><type>1</type><svrid>{}</svrid><fromusr>{}</fromusr><chatusr></chatusr>\
                 <displayname>{}</displayname><content>{}</content></refermsg>",
                escape(msg_id),
                escape(chat),
                escape(who),
                escape(text)
            ),
        ),
        Said::ChatRecord { title, lines } => chat_record(title, lines),
        Said::RedPacket {} => {
            let text =
                if own { "发出红包，请在手机上查看" } else { "收到红包，请在手机上查看" };
            Shape::xml(10_000, text, json!({"Status": 4}))
        }
        Said::Transfer { amount, step } => Shape::app(
            2000,
            "微信转账",
            "",
            &format!(
                "<des><![CDATA[收到转账{}元。如需收钱，请点此升级至最新版本]]></des><action></action><type>2000</type>\
                 <content><![CDATA[]]></content><url><![CDATA[https://support.weixin.qq.com/]]></url><wcpayinfo><paysubtype>{step}</paysubtype><feedesc><![CDATA[{amount}]]>\
                 </feedesc><transcationid><![CDATA[100005]]></transcationid><transferid><![CDATA[100005]]></transferid>\
                 <invalidtime><![CDATA[1509260000]]></invalidtime><pay_memo><![CDATA[]]></pay_memo></wcpayinfo>",
                amount.trim_start_matches(['￥', '¥']).replace("]]>", ""),
                amount = amount.replace("]]>", "")
            ),
        ),
        Said::LocationSharing {} => Shape::xml(49, "", json!({"AppMsgType": 17, "FileName": "我发起了位置共享"})),
        Said::Voip { phase } => {
            let msg_type = match phase {
                VoipPhase::Message => 50,
                VoipPhase::Notify => 52,
                VoipPhase::Invite => 53,
            };
            Shape::xml(msg_type, "", json!({}))
        }
        Said::Image { .. }
        | Said::Voice { .. }
        | Said::Video { .. }
        | Said::Sticker { .. }
        | Said::Location { .. }
        | Said::Card { .. }
        | Said::File { .. } => Shape::xml(1, "", json!({})),
    }
}

fn chat_record(title: &str, lines: &[(String, String)]) -> Shape {
    let short: Vec<String> = lines.iter().map(|(who, text)| format!("{who}: {text}")).collect();
    let items: String = lines
        .iter()
        .enumerate()
        .map(|(at, (who, text))| {
            format!(
                "<dataitem datatype=\"1\" dataid=\"{at}\"><datadesc>{}</datadesc><sourcename>{}</sourcename>\
                 <sourcetime>2021-01-01 10:00:00</sourcetime></dataitem>",
                escape(text),
                escape(who)
            )
        })
        .collect();
    // XML in XML: inside the CDATA it is markup again, so its texts are escaped once more than the rest.
    let record = format!(
        "<recordinfo><title>{}</title><desc>{}</desc><datalist count=\"{}\">{items}</datalist></recordinfo>",
        escape(title),
        escape(&short.join("\n")),
        lines.len()
    );
    Shape::app(
        0,
        title,
        "",
        &format!(
            "<des>{}</des><action>view</action><type>19</type><url>https://support.weixin.qq.com/</url>\
             <recorditem><![CDATA[{}]]></recorditem>",
            escape(&short.join("\n")),
            record.replace("]]>", "]]]]><![CDATA[>")
        ),
    )
}
