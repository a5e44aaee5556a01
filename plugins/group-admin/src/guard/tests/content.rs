//! What a message must not hold: words, links, cards, texts that point to QR codes, ways to be reached elsewhere.

use serde_json::json;
use wxbot_plugin::model::{
    Card, ChatRecord, File, Link, MediaHandle, MediaKind, MiniProgram, Quote, RecordItem, RoomInvitation,
};
use wxbot_plugin::testing::Kit;

use super::*;

fn text(text: &str) -> Content {
    Content::Text { text: text.into() }
}

#[wxbot_plugin::test(settings = json!({ "words": { "list": ["赌博", "Casino"] } }))]
async fn words(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("今天买菜").await.gets_nothing();
    let heard = scene.alice.say("一起 赌-博 吧").await.gets("请注意:违禁词。请遵守群规 (第 1 次)");
    assert!(heard.is_blocked(), "what is punished triggers nothing else");
    scene.bob.say("CASINO").await;
    // The admins read which word it was; the room does not.
    scene.alice.say("赌博").await;
    scene.owner.hears().gets("「买菜群」alice 第 2 次违规:违禁词「赌博」");
}

#[wxbot_plugin::test(settings = json!({ "links": { "allow": ["example.com"] } }))]
async fn links(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("看 https://shop.example.com/a 和 example.com").await.gets_nothing();
    scene.alice.say("看这里:ｗｗｗ．ｅｖｉｌ．ｃｏｍ").await.gets_containing("请注意:链接");
    bot.advance(std::time::Duration::from_secs(20)).await;
    let page = Link { title: "x".into(), url: "https://evil.com/x".into(), ..Link::default() };
    scene.bob.sends(Content::Link(page)).await.gets_containing("请注意:链接");
}

#[wxbot_plugin::test(settings = json!({ "links": { "policy": "deny-listed", "deny": ["例子.中国"] } }))]
async fn links_that_are_denied(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("https://anything.org").await.gets_nothing();
    scene.alice.say("去 http://xn--fsqu00a.xn--fiqs8s 看").await.gets_containing("禁止的链接");
    bot.advance(std::time::Duration::from_secs(20)).await;
    scene.bob.say("t.cn/A6xYz").await.gets_containing("短链接");
}

#[wxbot_plugin::test(settings = json!({ "cards": { "official": false }, "links": {} }))]
async fn cards(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let official = Card { official: true, ..Card::default() };
    scene.alice.sends(Content::Card(official)).await.gets_nothing();
    for (content, why) in [
        (Content::Card(Card::default()), "请注意:名片"),
        (Content::MiniProgram(MiniProgram::default()), "请注意:小程序"),
        (Content::RoomInvitation(RoomInvitation::default()), "请注意:群邀请"),
    ] {
        let someone = bot.user(why).in_room(&scene.room);
        someone.sends(content).await.gets_containing(why);
        bot.advance(std::time::Duration::from_secs(11)).await;
    }
}

#[wxbot_plugin::test(settings = json!({ "qr": { "more": ["小窗我"], "except": ["二维码"] } }))]
async fn texts_that_point_to_qr_codes(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("这个二维码坏了").await.gets_nothing();
    scene.alice.sends_image("not looked at").await.gets_nothing();
    scene.alice.say("长按 识别 进群").await.gets_containing("引导扫码或加好友");
    bot.advance(std::time::Duration::from_secs(11)).await;
    scene.bob.say("小窗我").await.gets_containing("引导扫码或加好友");
}

#[wxbot_plugin::test(settings = json!({ "contacts": { "qq": false, "rung": "notice" } }))]
async fn ways_to_be_reached_elsewhere(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("QQ:123456789").await.gets_nothing();
    scene.alice.say("兼职联系 138-0013-8000").await.gets("⚠️ alice 第 2 次违规:手机号");
    scene.owner.hears().gets_containing("手机号");
}

#[wxbot_plugin::test(settings = json!({ "words": { "list": ["赌博"] } }))]
async fn what_else_a_message_says(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    let item = RecordItem { text: "来赌博".into(), ..RecordItem::default() };
    let file = File { name: "赌博.apk".into(), len: None, media: MediaHandle::new(MediaKind::File, "1", None) };
    let mut quoting_others = Quote { text: "别发了".into(), ..Quote::default() };
    quoting_others.quoted.text = "来赌博".into();
    for (n, (content, bad)) in [
        (Content::ChatRecord(ChatRecord { items: vec![item], ..ChatRecord::default() }), true),
        (Content::Quote(Quote { text: "来赌博".into(), ..Quote::default() }), true),
        (Content::File(file), true),
        (Content::Quote(quoting_others), false),
        (text("来吃饭"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let someone = bot.user(&format!("someone {n}")).in_room(&scene.room);
        let kind = content.kind();
        let heard = someone.sends(content).await;
        assert_eq!(heard.replies().len(), usize::from(bad), "{kind}");
        bot.advance(std::time::Duration::from_secs(11)).await;
    }
}

#[wxbot_plugin::test(settings = json!({
    "words": { "list": ["赌博"], "rung": "warn" }, "links": { "rung": "remove" }, "ladder": { "remove": 5 },
}))]
async fn each_filter_has_its_rung_and_the_gravest_counts(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("赌博 evil.com").await.gets("alice 因链接将被移出本群");
    assert_eq!(acts(&bot), ["remove_members"]);
}

#[wxbot_plugin::test(settings = json!({ "rooms": ["r102"], "words": { "list": ["赌博"] } }))]
async fn only_rooms_that_are_named(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("赌博").await.gets_nothing();
    scene.admin.say("状态").await.gets_nothing();
    let other = bot.room("其他群", [&bot.user("alice")]);
    bot.user("alice").in_room(&other).say("赌博").await.gets_containing("违禁词");
    bot.user("alice").say("赌博").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "words": { "list": ["赌博"] }, "whitelist": ["p104"] }))]
async fn admins_and_the_whitelist_are_never_judged(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    assert_eq!(scene.bob.person().id.as_str(), "p104");
    scene.bob.say("赌博").await.gets_nothing();
    scene.admin.say("赌博").await.gets_nothing();
    scene.owner.in_room(&scene.room).say("赌博").await.gets_nothing();
    let other = bot.room("其他群", [&bot.user("阿明")]);
    bot.user("阿明").in_room(&other).say("赌博").await.gets_containing("违禁词");
}

#[wxbot_plugin::test(settings = json!({ "words": { "list": ["赌博"] } }))]
async fn sec_r26_a_name_is_no_right(mut bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    // Somebody else, called like the owner.
    let mut event = bot.text_event("p999", Some(scene.id().as_str()), "赌博");
    event.sender.as_mut().unwrap().name = "老板".into();
    assert_eq!(bot.handle(&event).await.unwrap(), ["请注意:违禁词。请遵守群规 (第 1 次)"]);
    for command in ["状态", "日志", "撤销", "关 群管", "移出 @alice", "白名单 加 @bob"] {
        let mut event = bot.text_event("p999", Some(scene.id().as_str()), command);
        event.sender.as_mut().unwrap().name = "老板".into();
        assert_eq!(bot.handle(&event).await.unwrap(), Vec::<String>::new(), "{command}");
    }
    assert!(keys(&bot, "paused").is_empty() && keys(&bot, "white").is_empty());
}

#[wxbot_plugin::test(settings = json!({ "links": {} }))]
async fn sec_r27_commands_in_quotes_and_records_do_nothing(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    for hidden in ["关 群管", "移出 @alice", "/移出 @alice"] {
        let item = RecordItem { sender: "老板".into(), text: hidden.into(), data_type: 1, ..RecordItem::default() };
        for content in [
            Content::Quote(Quote { text: hidden.into(), ..Quote::default() }),
            Content::ChatRecord(ChatRecord { title: hidden.into(), items: vec![item], left_out: 0 }),
            Content::Link(Link { title: hidden.into(), ..Link::default() }),
        ] {
            // Even by an admin: such texts are other people's words.
            scene.admin.sends(content).await.gets_nothing();
        }
    }
    assert!(bot.kv_keys().is_empty());
    scene.admin.say("关 群管").await.gets_containing("已关闭");
}

#[wxbot_plugin::test(settings = json!({
    "words": { "list": ["代开发票"] }, "links": {},
    "rules": { "text": "1. 不许发代开发票的广告\n2. 详见 example.com" },
}))]
async fn whoever_quotes_the_rules_breaks_none(bot: Kit<GroupAdmin>) {
    let scene = scene(&bot);
    scene.alice.say("1. 不许发代开发票的广告\n2. 详见 example.com").await.gets_nothing();
    scene.alice.say(" 2. 详见 example.com ").await.gets_nothing();
    scene.bob.say("代开发票").await.gets_containing("违禁词");
    bot.advance(std::time::Duration::from_secs(11)).await;
    scene.alice.say("1. 不许发代开发票的广告\n找我代开发票").await.gets_containing("违禁词");
}
