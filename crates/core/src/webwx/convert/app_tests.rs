//! Is every shared thing what its fixture says, value by value?

use serde_json::{Value, json};
use wxbot_model::{
    App, ChatRecord, Direction, File, Link, LiveShare, Location, MiniProgram, Music, Quote, Quoted, RecordItem,
    RoomInvitation, Transfer, TransferStage,
};

use super::super::tests::{ME, PEER, event_of, message_of, read};
use super::*;
use crate::said::app::quoted_app;
use crate::webwx::wire::testdata::{fixture, fixture_json};

const ID: &str = "8410419333108271670";

fn said(name: &str) -> Content {
    message_of(&read(name)).content.clone()
}

/// The fixture's message with these fields instead of its own.
fn changed(name: &str, fields: Value) -> Content {
    let mut json = fixture_json(name);
    for (field, value) in fields.as_object().unwrap() {
        json[field] = value.clone();
    }
    message_of(&event_of(&serde_json::from_value(json).unwrap())).content.clone()
}

// cov: 83
#[test]
fn the_inner_type_counts_where_the_envelope_has_none() {
    let xml = fixture("content-49-5-link.xml").replace("<title></title>", "<title>内&amp;lt;</title>");
    let link = changed("msg-49-5-link.json", json!({ "AppMsgType": 0, "Content": xml, "FileName": "" }));
    let want = Link { title: "内<".into(), url: "http://example.invalid/a".into(), ..Link::default() };
    assert_eq!(link, Content::Link(want));
    // Types that are not known keep everything.
    let raw = xml.replace("<type>5</type>", "<type>51</type>");
    let app = changed("msg-49-5-link.json", json!({ "AppMsgType": 0, "Content": raw.replace('&', "&amp;") }));
    let want = App {
        app_type: 51,
        title: "内&lt;".into(),
        description: String::new(),
        url: "http://example.invalid/a".into(),
        raw: raw.trim_end().to_owned(),
    };
    let Content::App(app) = app else { panic!("{app:?}") };
    assert_eq!(App { raw: app.raw.trim_end().to_owned(), ..app }, want);
    let nothing =
        changed("msg-49-5-link.json", json!({ "AppMsgType": 0, "Content": "<br/>", "FileName": "", "Url": "" }));
    assert_eq!(nothing, Content::Unknown { msg_type: 49, raw: "<br/>".into() });
}

// cov: 95
#[test]
fn a_link() {
    let want = Link { title: "链接标题".into(), url: "http://example.invalid/a".into(), ..Link::default() };
    assert_eq!(said("msg-49-5-link.json"), Content::Link(want.clone()));
    assert_eq!(changed("msg-49-5-link.json", json!({ "Content": "<broken" })), Content::Link(want), "by its envelope");
    let xml = fixture("content-49-5-link.xml")
        .replace("<des></des>", "<des>d</des>")
        .replace("<thumburl></thumburl>", "<thumburl>http://t/</thumburl>")
        .replace("<url></url>", "<url>http://u/?a=1&amp;amp;b=2</url>");
    let Content::Link(link) = changed("msg-49-5-link.json", json!({ "Content": xml })) else { panic!("no link") };
    assert_eq!((link.description.as_str(), link.thumb_url.as_str()), ("d", "http://t/"));
    assert_eq!(link.url, "http://u/?a=1&b=2", "the XML before the envelope");
}

// cov: 96
#[test]
fn music() {
    let want = Music {
        title: "音乐名".into(),
        description: String::new(),
        url: "http://example.invalid/m".into(),
        data_url: "http://ws.stream.qqmusic.qq.com/C100003i9hMt1bgui0.m4a?vkey=6867EF99F3684&guid=ffffffffc104ea2964a111cf3ff3edaf&fromtag=46".into(),
        thumb_url: "http://imgcache.qq.com/music/photo/album/63/180_albumpic_143163_0.jpg".into(),
        app_id: "wx485a97c844086dc9".into(),
    };
    assert_eq!(said("msg-49-3-music.json"), Content::Music(want.clone()));
    let xml =
        fixture("content-49-3-music.xml").replace("&amp;", "&amp;amp;").replace("appid=\"wx485a97c844086dc9\"", "");
    assert_eq!(
        changed("msg-49-3-music.json", json!({ "Content": xml })),
        Content::Music(want),
        "AppInfo has the id too"
    );
}

// cov: 97
#[test]
fn a_red_packet() {
    let want = |note: &str, direction| Content::RedPacket { note: note.into(), direction: Some(direction) };
    assert_eq!(said("msg-49-2001-redenvelope.json"), want("", Direction::Received));
    let sent = json!({ "FromUserName": ME, "ToUserName": PEER, "FileName": "恭喜发财" });
    assert_eq!(changed("msg-49-2001-redenvelope.json", sent), want("恭喜发财", Direction::Sent));
    // It may come as a text, too.
    let typed = json!({ "AppMsgType": 2001, "Content": "收到红包，请在手机上查看" });
    assert_eq!(changed("msg-1-text.json", typed), want("收到红包，请在手机上查看", Direction::Received));
}

// cov: 98
#[test]
fn a_file_can_be_fetched() {
    let params = [
        ("media_id", "@crypt_media"),
        ("encry_file_name", "25%2E6Mb%E6%96%87%E4%BB%B6%2Ezip"),
        ("file_name", "25.6Mb文件.zip"),
        ("from_user_name", PEER),
    ];
    let media = MediaHandle {
        params: params.map(|(word, value)| (word.to_owned(), value.to_owned())).into(),
        ..MediaHandle::new(MediaKind::File, ID, Some(26_843_545))
    };
    let want = Content::File(File { name: "25.6Mb文件.zip".into(), len: Some(26_843_545), media });
    assert_eq!(said("x-msg-49-6-file.json"), want);
    assert_eq!(changed("x-msg-49-6-file.json", json!({ "Content": "<broken" })), want, "its envelope is enough");
    let xml = fixture("x-content-49-6-file.xml");
    assert_eq!(changed("x-msg-49-6-file.json", json!({ "Content": xml, "FileSize": "" })), want, "totallen, too");
}

#[test]
fn a_sticker_that_an_app_shared() {
    let xml = "<msg><appmsg><type>8</type><appattach><totallen>7</totallen><emoticonmd5>e683</emoticonmd5></appattach></appmsg></msg>";
    let media = Some(MediaHandle::new(MediaKind::Sticker, ID, Some(7)));
    let want = Content::Sticker { md5: "e683".into(), media, gesture: None };
    assert_eq!(changed("msg-49-5-link.json", json!({ "AppMsgType": 8, "Content": xml })), want);
}

#[test]
fn a_live_location_begins() {
    let want =
        Location { label: "我发起了位置共享".into(), live: Some(LiveShare::Started), ..Location::default() };
    assert_eq!(said("x-msg-49-17-realtimelocation.json"), Content::Location(want));
}

#[test]
fn forwarded_messages() {
    let item =
        RecordItem { sender: "甲".into(), time: "2021-01-01 10:00:00".into(), text: "你好".into(), data_type: 1 };
    let want = ChatRecord { title: "群聊的聊天记录".into(), items: vec![item], left_out: 0 };
    assert_eq!(said("x-msg-49-0-chathistory.json"), Content::ChatRecord(want));
    let xml = fixture("x-content-49-19-chathistory.xml");
    let many = xml.replace("<dataitem ", &format!("{}<dataitem ", "<dataitem/>".repeat(104)));
    let Content::ChatRecord(record) = changed("x-msg-49-0-chathistory.json", json!({ "Content": many })) else {
        panic!("no record")
    };
    assert_eq!((record.items.len(), record.left_out), (ChatRecord::MAX, 5));
    let broken = xml.replace("</recordinfo>", "");
    let Content::App(app) = changed("x-msg-49-0-chathistory.json", json!({ "Content": broken })) else {
        panic!("no app")
    };
    assert_eq!((app.app_type, app.description.as_str()), (19, "甲: 你好\n乙: 嗨"), "what the chat shows is left");
}

#[test]
fn a_mini_program() {
    let want = MiniProgram {
        title: "小程序标题".into(),
        app_id: "wx10c0611db3c5b8d3".into(),
        page_path: "pages/home/home.html".into(),
        username: "gh_f71e27dda6a0@app".into(),
        source: "扫描全能王+".into(),
        url: "https://mp.weixin.qq.com/mp/waerrpage?appid=wx10c0611db3c5b8d3".into(),
    };
    assert_eq!(said("x-msg-49-33-miniprogram.json"), Content::MiniProgram(want.clone()));
    let xml = fixture("x-content-49-33-miniprogram.xml").replace("<type>33<", "<type>36<");
    let event = changed("x-msg-49-33-miniprogram.json", json!({ "Content": xml, "AppMsgType": 0 }));
    assert_eq!(event, Content::MiniProgram(want));
}

fn quoted_as(inner: &str) -> Quote {
    let xml = fixture("x-content-49-57-refer.xml").replace("<type>1</type>", inner);
    let content = changed("x-msg-49-57-refer.json", json!({ "Content": xml }));
    let Content::Quote(quote) = content else { panic!("{content:?}") };
    quote
}

#[test]
fn an_answer_names_what_it_answers() {
    let quoted = Quoted {
        msg: Some("6672653361059635672".parse().unwrap()),
        sender: "三胖".into(),
        kind: "text".into(),
        text: "被引用的原文".into(),
    };
    let want = Quote { text: "还好".into(), quoted: quoted.clone() };
    assert_eq!(said("x-msg-49-57-refer.json"), Content::Quote(want.clone()));
    assert_eq!(said("x-msg-49-57-refer.json").text(), None, "it must trigger no command");
    assert_eq!(quoted_as("<type>1</type>"), want);
    for (inner, kind) in [("<type>3</type>", "image"), ("<type>43</type>", "video"), ("<type>4711</type>", "4711")] {
        assert_eq!((quoted_as(inner).quoted.kind.as_str(), quoted_as(inner).quoted.text.as_str()), (kind, ""));
    }
    assert_eq!(quoted_app("<msg><appmsg><title>t</title><type>5</type></appmsg></msg>"), ("link", "t".into()));
    assert_eq!(quoted_app("<msg"), ("app", String::new()));
}

#[test]
fn a_transfer() {
    let want = Transfer {
        amount: "￥0.10".into(),
        note: String::new(),
        description: "收到转账0.10元。如需收钱，请点此升级至最新版本".into(),
        stage: Some(TransferStage::Sent),
        id: "100005".into(),
    };
    assert_eq!(said("x-msg-49-2000-transfer.json"), Content::Transfer(want.clone()));
    let xml = fixture("x-content-49-2000-transfer.xml");
    for (number, stage) in [("3", Some(TransferStage::Accepted)), ("4", Some(TransferStage::Returned)), ("9", None)] {
        let content = xml.replace("<paysubtype>1<", &format!("<paysubtype>{number}<"));
        let got = changed("x-msg-49-2000-transfer.json", json!({ "Content": content }));
        assert_eq!(got, Content::Transfer(Transfer { stage, ..want.clone() }), "{number}");
    }
}

#[test]
fn an_invitation_into_a_room() {
    let want = RoomInvitation {
        inviter: Some("甲".into()),
        topic: Some("测试群".into()),
        description: "\"甲\"邀请你加入群聊测试群，进入可查看详情。".into(),
        url: "https://support.weixin.qq.com/cgi-bin/mmsupport-bin/addchatroombyinvite?ticket=x".into(),
    };
    assert_eq!(said("x-msg-49-5-roominvite.json"), Content::RoomInvitation(want.clone()));
    let xml = fixture("x-content-49-5-roominvite.xml");
    let english = xml.replace("邀请你加入群聊]]></title>", "Group Chat Invitation]]></title>");
    for (description, inviter, topic) in [
        (r#""A" invited you to join the group chat "T". Enter to view details."#, Some("A"), Some("T")),
        ("邀请你加入群聊", None, None),
    ] {
        let content = english.replace(&want.description, description);
        let got = changed("x-msg-49-5-roominvite.json", json!({ "Content": content, "FileName": "" }));
        let Content::RoomInvitation(got) = got else { panic!("{got:?}") };
        assert_eq!((got.inviter.as_deref(), got.topic.as_deref()), (inviter, topic), "{description}");
        assert_eq!((got.description.as_str(), &got.url), (description, &want.url));
    }
}

#[test]
fn articles_of_an_official_account() {
    let item = "<item><title>题</title><url>http://a/</url><digest>d</digest></item>";
    let xml = format!("<mmreader><category count='2'>{item}<item/></category></mmreader>");
    let want = |raw: String| {
        Content::App(App {
            app_type: 100_001,
            title: "题".into(),
            description: "d".into(),
            url: "http://a/".into(),
            raw,
        })
    };
    let news = changed("msg-1-text.json", json!({ "FromUserName": "newsapp", "Content": xml }));
    assert_eq!(news, want(xml.clone()));
    let raw = format!("<msg><appmsg>{xml}</appmsg></msg>");
    let shared = json!({ "AppMsgType": 100_001, "Content": raw, "FileName": "", "Url": "" });
    assert_eq!(changed("msg-49-5-link.json", shared), want(raw));
    let talk = json!({ "FromUserName": PEER, "Content": xml });
    assert_eq!(changed("msg-1-text.json", talk).text(), Some(xml.as_str()), "a person may type XML");
}

#[test]
fn no_type_loses_what_its_part_is_missing_for() {
    for app_type in [19, 33, 36, 57, 2000, 4711] {
        let got = changed("msg-49-5-link.json", json!({ "AppMsgType": app_type, "Content": "&lt;msg" }));
        let want = App {
            app_type,
            title: "链接标题".into(),
            description: String::new(),
            url: "http://example.invalid/a".into(),
            raw: "<msg".into(),
        };
        assert_eq!(got, Content::App(want), "{app_type}");
    }
}
