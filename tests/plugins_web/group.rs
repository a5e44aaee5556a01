//! group-admin: who comes into a room, who floods it, who is removed, and who is let in again?

use std::fs;

use serde_json::json;

use crate::support::wxbot;
use crate::town::{Town, UNPACED};

const WORLD: &str = r#"
[[accounts]]
name = "club"
nick = "群管家"
friends = [{ nick = "群主" }, { nick = "小明" }, { nick = "小刚" }, { nick = "书友", accepts = true }]
rooms = [{ topic = "读书会", members = ["群主", "小明", "路人甲"], saved = true }]
"#;
const ROOM: &str = "读书会";

/// A room that is looked after: the bot owns it, and 群主 owns the bot. The middleware is the default.
fn looked_after(settings: &str) -> Town {
    let mut town = Town::new(WORLD);
    town.start(&format!("{UNPACED}{}", town.account("club", "")), &["club"]);
    // As a person does it: look ids up in the running bot, and give rights to ids.
    let (owner, room) = (town.id("club", "群主"), town.id("club", ROOM));
    let roles = format!("[accounts.roles]\nowner = [\"{owner}\"]\n");
    let settings = settings.replace("ROOM", &room);
    town.reload(&format!("{UNPACED}{settings}\n{}{roles}", town.account("club", "")));
    town
}

const STRICT: &str = r#"
[plugins.group-admin.flood]
messages = 4
within = "10s"

[plugins.group-admin.links]
allow = ["example.com"]

[plugins.group-admin.ladder]
remove = 3

[plugins.group-admin.welcome]
text = "欢迎 {{ name }}!{{ rules }}"
delay = "0s"

[plugins.group-admin.rules]
text = "不发广告,不刷屏。"
"#;

/// A whole story; all that was said and done in it, in order. `more` stands before the settings.
pub(crate) fn a_story(more: &str) -> Vec<String> {
    let town = looked_after(&format!("{more}{STRICT}"));
    for n in 0..5 {
        town.says("club", ROOM, "小明", &format!("快来抢 {n}"));
    }
    let mut told = vec![town.hears("club", ROOM, &["刷屏"])];
    town.says("club", ROOM, "小明", "http://spam.example.net");
    told.push(town.hears("club", "群主", &["第 2 次"]));
    town.says("club", ROOM, "小明", "http://spam.example.net");
    told.push(format!("delmember {}", town.calls("club", "delmember", &["小明"])));
    let id = town.id("club", "小明");
    for (command, answer) in [
        ("状态", "群管:"),
        ("撤销", "已邀请"),
        ("白名单 加 @群主", "已加入"),
        ("撤销 99", "没有可撤销"),
        ("日志 9", "页"),
    ] {
        town.quiet();
        town.says("club", ROOM, "群主", command);
        // Which number somebody got is by chance.
        told.push(town.hears("club", ROOM, &[answer]).replace(&id, "(小明)"));
    }
    told.push(format!("addmember {}", town.calls("club", "addmember", &["小明"])));
    town.ends_well();
    told
}

#[test]
fn join_flood_warn_remove_undo() {
    let town = looked_after(STRICT);
    town.changes("club", ROOM, &json!({ "invite": { "by": "小明", "who": ["小刚"] } }));
    town.hears("club", ROOM, &["欢迎", "小刚", "不发广告,不刷屏。"]);
    town.says("club", ROOM, "小刚", "群规");
    town.hears("club", ROOM, &["不发广告,不刷屏。"]);
    for n in 0..5 {
        town.says("club", ROOM, "小刚", &format!("快来抢 {n}"));
    }
    town.hears("club", ROOM, &["@小刚", "刷屏", "第 1 次"]);
    assert_eq!(town.called("club", "delmember"), 0, "a first offence is a warning");
    town.says("club", ROOM, "小刚", "看这里 http://spam.example.net/a");
    // The second rung: the owner is told.
    town.hears("club", "群主", &["小刚", "第 2 次", "链接"]);
    town.says("club", ROOM, "小刚", "还有 http://spam.example.net/b");
    assert_eq!(town.calls("club", "delmember", &["小刚"]), 0);
    assert_eq!(town.members("club", ROOM), ["", "群主", "小明", "路人甲"]);

    town.says("club", ROOM, "路人甲", "撤销");
    town.says("club", ROOM, "群主", "撤销");
    town.hears("club", ROOM, &["撤销", "移出 小刚", "已邀请 1 人"]);
    assert_eq!(town.calls("club", "addmember", &["小刚"]), 0);
    assert_eq!(town.members("club", ROOM), ["", "群主", "小明", "路人甲", "小刚"]);
    assert_eq!((town.called("club", "delmember"), town.called("club", "addmember")), (1, 1));

    town.says("club", ROOM, "群主", "日志");
    town.hears("club", ROOM, &["1. ", "撤销", "移出 小刚", "(已撤销)", "警告 小刚"]);
    town.ends_well();
}

#[test]
fn a_removal_by_command_asks_for_its_code() {
    let town = looked_after(STRICT);
    // Whoever has never spoken has no id yet, and names are no ids.
    town.says("club", ROOM, "群主", "移出 @路人甲");
    town.hears("club", ROOM, &["还不认识"]);
    town.says("club", ROOM, "路人甲", "我是群主");
    town.says("club", ROOM, "路人甲", "移出 @小明");
    town.says("club", ROOM, "群主", "移出 @路人甲");
    let asked = town.hears("club", ROOM, &["移出 路人甲", "确认"]);
    let code: String = asked.chars().filter(char::is_ascii_digit).take(4).collect();
    // Somebody else who reads the code has no more right than before.
    town.says("club", ROOM, "小明", &code);
    town.says("club", ROOM, "群主", &code);
    assert_eq!(town.calls("club", "delmember", &["路人甲"]), 0);
    town.hears("club", ROOM, &["正在移出 路人甲"]);
    // He is no friend: the service does not let him be drawn in again, and the bot tells so.
    town.says("club", ROOM, "群主", "撤销");
    assert_eq!(town.calls("club", "addmember", &["路人甲"]), 1);
    town.ends_well();
}

#[test]
fn whoever_floods_the_room_does_not_blind_its_guard() {
    let town = looked_after(STRICT);
    // Twice as many as `rate-limit` lets through in a minute.
    town.chatter("club", ROOM, &["小明", "路人甲"], &["+1", "{n}"], 120, 2_000);
    town.quiet();
    town.says("club", ROOM, "群主", "状态");
    town.hears("club", ROOM, &["群管:开"]);
    town.changes("club", ROOM, &json!({ "join": "小刚" }));
    for n in 1..=3 {
        town.says("club", ROOM, "小刚", &format!("http://spam{n}.example.net"));
    }
    assert_eq!(town.calls("club", "delmember", &["小刚"]), 0);
    town.ends_well();
}

#[test]
fn shadow_mode_tells_and_does_nothing() {
    let town = looked_after(&format!("[plugins.group-admin]\nmode = \"shadow\"\n{STRICT}"));
    for n in 0..15 {
        town.says("club", ROOM, "小明", &format!("刷 {n}"));
    }
    town.hears("club", "群主", &["shadow", "警告", "小明", "刷屏"]);
    town.says("club", ROOM, "群主", "状态");
    town.hears("club", ROOM, &["shadow"]);
    town.nothing_but("club", ROOM, &["shadow"]);
    assert_eq!(town.called("club", "delmember"), 0);
    town.ends_well();
}

#[test]
fn friends_who_ask_come_in_and_the_room_is_alive() {
    let settings = r#"
[[plugins.group-admin.join]]
words = ["进群"]
rooms = ["ROOM"]

[plugins.group-admin.polls]

[plugins.group-admin.checkin]

[plugins.group-admin.stats]
"#;
    let town = looked_after(settings);
    town.writes("club", "书友", "进群");
    assert_eq!(town.calls("club", "addmember", &["书友"]), 0);
    assert!(town.members("club", ROOM).contains(&"书友".to_owned()));
    town.hears("club", "书友", &["读书会"]);

    town.says("club", ROOM, "书友", "签到");
    town.hears("club", ROOM, &["书友"]);
    town.quiet();
    town.says("club", ROOM, "群主", "投票 下周读什么 | 活着 | 三体");
    town.hears("club", ROOM, &["下周读什么", "活着", "三体"]);
    for (who, vote) in [("书友", "投 2"), ("小明", "投 2"), ("群主", "投 1")] {
        town.says("club", ROOM, who, vote);
    }
    town.quiet();
    town.says("club", ROOM, "群主", "结束投票");
    town.hears("club", ROOM, &["三体", "2"]);
    town.says("club", ROOM, "小明", "排行");
    town.hears("club", ROOM, &["书友", "群主"]);
    town.ends_well();
}

#[test]
fn announcements_come_on_schedule_and_names_are_set_back() {
    let settings = r#"
[[plugins.group-admin.announce]]
cron = "* * * * * *"
rooms = ["ROOM"]
text = "{{ room }}今晚八点开始"

[plugins.group-admin.topic.names]
ROOM = "读书会"
"#;
    let town = looked_after(settings);
    town.hears("club", ROOM, &["读书会今晚八点开始"]);
    town.changes("club", ROOM, &json!({ "rename_by": { "by": "小明", "topic": "小明的群" } }));
    assert_eq!(town.calls("club", "modtopic", &[]), 0);
    // Found by the name that it had before.
    assert_eq!(town.members("club", ROOM).len(), 4);
    town.ends_well();
}

#[test]
fn check_names_what_a_protocol_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let account = "[[accounts]]\nname = \"me\"\nprotocol = \"console\"\n";
    let check = |plugin: &str, settings: &str| {
        fs::write(folder.path().join("bot.toml"), format!("[plugins.{plugin}]\n{settings}\n{account}")).unwrap();
        wxbot::call(folder.path(), &["check"]).unwrap()
    };
    let none = check("group-admin", "flood = {}\nladder = { remove = 3 }");
    assert_eq!(none.code, Some(78), "{}{}", none.out, none.err);
    for part in ["flood", "removal", "console"] {
        assert!(none.err.contains(part), "{part}: {}", none.err);
    }
    let some = check("auto-reply", "friends = { accept = true }\nrules = [{ any = true, reply = \"x\" }]");
    assert_eq!(some.code, Some(0), "{}", some.err);
    assert!(some.err.contains("accepting friends") && !some.err.contains("`replies`"), "{}", some.err);
}

#[test]
fn cards_are_warned_of_and_commands_in_quotes_and_records_are_none() {
    let town = looked_after("[plugins.group-admin]\ncards = {}\nlinks = {}\n");
    let card = json!({ "card": { "nick": "卖茶的", "alias": "tea", "official": 0 } });
    town.sends("club", ROOM, "小明", &card);
    town.hears("club", ROOM, &["@小明", "名片"]);
    town.quiet();
    // Whoever owns the bot says it, but not by typing it.
    let quote = json!({ "quote": { "title": "撤销", "msg_id": "1", "who": "小明", "text": "撤销" } });
    let record = json!({ "chat_record": { "title": "记录", "lines": [["群主", "撤销"], ["群主", "关 群管"]] } });
    for said in [quote, record] {
        town.sends("club", ROOM, "群主", &said);
    }
    town.says("club", ROOM, "群主", "状态");
    town.hears("club", ROOM, &["群管:开"]);
    town.nothing_but("club", ROOM, &["群管:开"]);
    town.ends_well();
}
