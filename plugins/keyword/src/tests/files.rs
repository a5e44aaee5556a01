//! What do lists in files do, and what happens when they change?

use std::fs;
use std::path::Path;

use wxbot_plugin::testing::Kit;

use super::*;

async fn kit(folder: &Path, settings: Value) -> Kit<Keyword> {
    let mut init = InitCtx::new();
    init.place = Place::of(folder);
    Kit::start_at(settings, init).await.unwrap()
}

#[tokio::test]
async fn words_come_from_text_csv_and_toml() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("words.txt"), "# adverts\n代开发票\n加微信\n").unwrap();
    fs::write(folder.path().join("faq.csv"), "keyword,reply,tag\n价格,看公告,buyer\n地址,北京路 1 号,\n").unwrap();
    let toml = "keywords = ['团购', { keyword = 'qq\\d{5,}', regex = true, reply = '不要' }, { keyword = '团', reply = '低' }, { keyword = '团购群', reply = '高', priority = 3 }]";
    fs::write(folder.path().join("more.toml"), toml).unwrap();
    // As Windows saves it: 发票 in GBK.
    fs::write(folder.path().join("gbk.txt"), b"\xB7\xA2\xC6\xB1\r\n").unwrap();
    let settings = json!({ "simplify": true, "rules": [
        { "name": "adverts", "files": ["words.txt", "gbk.txt"], "reply": "{{ keyword }}" },
        { "name": "faq", "files": ["faq.csv", "more.toml"], "reply": "默认" },
    ] });
    let bot = kit(folder.path(), settings).await;
    let alice = bot.user("alice");
    alice.say("代開發票").await.gets("代开发票");
    alice.say("發票").await.gets("发票");
    alice.say("价格").await.gets("看公告");
    alice.say("ＱＱ12345").await.gets("不要");
    alice.say("团购").await.gets("低");
    alice.say("团购群").await.gets("高");
    assert!(bot.kv::<Value>("tag:p101").unwrap().unwrap()["buyer"].is_object());
}

#[tokio::test]
async fn a_list_that_changes_is_read_anew_and_a_broken_one_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    fs::write(&file, "旧\n").unwrap();
    let bot =
        kit(folder.path(), json!({ "rules": [{ "name": "r", "files": ["words.txt"], "reply": "{{ keyword }}" }] }))
            .await;
    let (owner, alice) = (bot.user("owner"), bot.user("alice"));
    owner.is(Role::Owner);
    alice.say("旧 新词").await.gets("旧");
    fs::write(&file, "新词\n更多\n").unwrap();
    owner.say("重读词表").await.gets("重读了 1 个文件,共 2 个词 (read anew)");
    alice.say("旧 新词").await.gets("新词");
    owner.say("kw reload").await.gets("重读了 1 个文件,共 2 个词 (read anew)");
    // Broken: the old one stays, and the owner is told once.
    fs::write(&file, format!("好\n{}\n", "长".repeat(300))).unwrap();
    owner.say("重读词表").await.gets_containing("有错,沿用旧的");
    alice.say("新词").await.gets("新词");
    owner.hears().gets_containing(
        "⚠️ 词表有错,沿用旧的 (a list has mistakes, the old one stays):\nthe list `words.txt`: line 2:",
    );
    alice.say("新词 好").await.gets("新词");
    owner.hears().gets_nothing();
    fs::remove_file(&file).unwrap();
    owner.say("重读词表").await.gets_containing("有错,沿用旧的");
    alice.say("新词").await.gets("新词");
    owner.hears().gets_containing("cannot be read");
    fs::write(&file, "回来了\n").unwrap();
    owner.say("重读词表").await.gets("重读了 1 个文件,共 1 个词 (read anew)");
    alice.say("回来了 新词").await.gets("回来了");
    owner.hears().gets_nothing();
    assert_eq!(bot.kv::<Value>("trouble").unwrap(), None, "mended");
    // The very same mistake again, once with a message between and once without.
    fs::remove_file(&file).unwrap();
    owner.say("重读词表").await.gets_containing("有错,沿用旧的");
    alice.say("回来了").await.gets("回来了");
    owner.hears().gets_containing("cannot be read");
    owner.say("重读词表").await.gets_containing("有错,沿用旧的");
    alice.say("回来了").await.gets("回来了");
    owner.hears().gets_nothing();
    fs::write(&file, "回来了\n").unwrap();
    bot.advance(std::time::Duration::ZERO).await;
    owner.say("重读词表").await.gets_containing("共 1 个词");
    fs::remove_file(&file).unwrap();
    owner.say("重读词表").await.gets_containing("有错,沿用旧的");
    alice.say("好").await.gets_nothing();
    owner.hears().gets_containing("cannot be read");
}

#[tokio::test]
async fn what_another_version_told_is_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "a\n").unwrap();
    let bot = kit(folder.path(), json!({ "rules": [{ "files": ["a.txt"], "reply": "x" }] })).await;
    bot.set_kv("trouble", &json!({ "id": 5 })).unwrap();
    bot.user("alice").say("a").await.gets("x");
    assert_eq!(bot.kv::<Value>("trouble").unwrap(), None);
}

#[tokio::test]
async fn only_admins_read_files_anew() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "a\n").unwrap();
    let bot = kit(folder.path(), json!({ "rules": [{ "files": ["a.txt"], "reply": "x" }] })).await;
    bot.user("alice").say("重读词表").await.gets_nothing();
}

#[tokio::test]
async fn a_mistake_waits_for_a_message_with_room_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.txt");
    fs::write(&file, "a\n").unwrap();
    let send = json!(["p900", "p901", "p902", "p903", "p904", "p905", "p906", "p907"]);
    let rule = |name: &str| json!({ "name": name, "files": ["a.txt"], "forward_to": send });
    let bot = kit(folder.path(), json!({ "rules": [rule("one"), rule("two")] })).await;
    let (owner, alice) = (bot.user("owner"), bot.user("alice"));
    owner.is(Role::Owner);
    fs::write(&file, [0xFF, 0xFE, 0x00, 0xD8]).unwrap();
    owner.say("重读词表").await.gets_containing("有错");
    alice.say("a").await.gets_nothing();
    assert_eq!(bot.acted().len(), 16);
    owner.hears().gets_nothing();
    alice.say("b").await.gets_nothing();
    owner.hears().gets_containing("⚠️ 词表有错");
}
