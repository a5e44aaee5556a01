//! Who may change words by chat, where do they act, and what do the commands answer?

use super::*;

#[wxbot_plugin::test]
async fn words_are_added_listed_and_removed(bot: Kit<Keyword>) {
    let (admin, alice) = (bot.user("admin"), bot.user("alice"));
    admin.is(Role::Admin);
    admin.say("词表").await.gets("还没有加词;bot.toml 和文件里有 0 个 (no added words)");
    admin.say("加词 价格 => 看公告").await.gets("加了 1 个词,全部会话生效 (added)");
    alice.say("价格多少").await.gets("看公告");
    admin.say("/kw add 你好 => 你好呀\nＱＱ => 没有").await.gets("加了 2 个词,全部会话生效 (added)");
    alice.in_room(&bot.room("one", [&alice])).say("有qq吗").await.gets("没有");
    admin.say("加词 价格 => 问客服").await.gets("加了 0 个词,改了 1 个,全部会话生效 (added)");
    bot.restart().await.unwrap();
    alice.say("价格").await.gets("问客服");
    admin.say("kw list").await.gets(
        "加的词共 3 个,第 1/1 页;bot.toml 和文件里有 0 个\n1. ＱＱ => 没有\n2. 价格 => 问客服\n3. 你好 => 你好呀",
    );
    admin.say("删词 qq").await.gets("删了「qq」(removed)");
    alice.say("qq").await.gets_nothing();
    admin.say("kw remove qq").await.gets_containing("没有加过「qq」");
    admin.say("删词 价格").await.gets_containing("删了");
    admin.say("删词 你好").await.gets_containing("删了");
    assert_eq!(bot.kv_keys().iter().filter(|key| key.starts_with("word:")).count(), 0);
}

#[wxbot_plugin::test]
async fn a_group_admins_word_acts_in_that_room_alone(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (one, two) = (bot.room("one", [&alice, &bob]), bot.room("two", [&alice, &bob]));
    alice.in_room(&one).is(Role::GroupAdmin);
    alice.in_room(&one).say("加词 广告 => 别发广告").await.gets("加了 1 个词,本群生效 (added)");
    bob.in_room(&one).say("广告").await.gets("别发广告");
    bob.in_room(&two).say("广告").await.gets_nothing();
    bob.say("广告").await.gets_nothing();
    // Not in another room, and not everywhere.
    alice.in_room(&two).say("加词 广告 => x").await.gets_nothing();
    alice.say("加词 广告 => x").await.gets_nothing();
    alice.in_room(&one).say("重读词表").await.gets_nothing();
    let admin = bot.user("admin");
    admin.is(Role::Admin);
    admin.say("加词 红包 => 没有红包").await.gets("加了 1 个词,全部会话生效 (added)");
    alice.in_room(&one).say("删词 红包").await.gets_containing("本群没有加过「红包」");
    alice
        .in_room(&one)
        .say("词表")
        .await
        .gets("加的词共 2 个,第 1/1 页;bot.toml 和文件里有 0 个\n1. 广告 => 别发广告\n2. 红包 => 没有红包 [全部会话]");
    admin.say("词表").await.gets_containing("2. 广告 => 别发广告 [one]");
    // What a room says of a word goes before what is said of it everywhere.
    admin.say("加词 广告 => 全局").await.gets_containing("加了 1 个词");
    bob.in_room(&one).say("广告").await.gets("别发广告");
    bob.in_room(&two).say("广告").await.gets("全局");
    alice.in_room(&one).say("删词 广告").await.gets("删了「广告」(removed)");
    bob.in_room(&one).say("广告").await.gets("全局");
    admin.say("删词 广告").await.gets("删了「广告」(removed)");
    bob.in_room(&one).say("广告").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "adverts", "added": true, "reply": "别发广告", "in": "group", "stop": true },
] }))]
async fn added_words_belong_to_the_rule_that_says_so(bot: Kit<Keyword>) {
    let (admin, alice) = (bot.user("admin"), bot.user("alice"));
    admin.is(Role::Admin);
    admin.say("加词 代购\n刷单 => 别刷单").await.gets("加了 2 个词,全部会话生效 (added)");
    let room = bot.room("one", [&alice]);
    let heard = alice.in_room(&room).say("代购").await.gets("别发广告");
    assert!(heard.is_blocked());
    alice.in_room(&room).say("刷单").await.gets("别刷单");
    let heard = alice.say("代购").await.gets_nothing();
    assert!(heard.explained().contains("it does not listen in this sort of chat"), "{}", heard.explained());
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": "x", "reply": "y" }] }))]
async fn what_cannot_be_added_is_told(bot: Kit<Keyword>) {
    let admin = bot.user("admin");
    admin.is(Role::Admin);
    for (text, want) in [
        ("加词 代购".to_owned(), "要写回复"),
        ("加词 => 回复".to_owned(), "没有词"),
        ("加词".to_owned(), "用法: 加词"),
        (format!("加词 {} => x", "长".repeat(65)), "词最多 64 个字,这个有 65 个"),
        (format!("加词 词 => {}", "长".repeat(501)), "回复最多 500 个字"),
        (format!("加词 {}", "词 => x\n".repeat(51)), "一次最多 50 个词"),
    ] {
        admin.say(&text).await.gets_containing(want);
    }
    assert_eq!(bot.kv_keys(), [""; 0]);
}

#[wxbot_plugin::test]
async fn an_account_has_so_many_words_and_no_more(bot: Kit<Keyword>) {
    let (admin, alice) = (bot.user("admin"), bot.user("alice"));
    admin.is(Role::Admin);
    for page in 0..40 {
        let lines: Vec<String> = (0..50).map(|n| format!("词{page}-{n}- => 回{page}-{n}")).collect();
        admin.say(&format!("加词 {}", lines.join("\n"))).await.gets("加了 50 个词,全部会话生效 (added)");
    }
    admin.say("加词 多 => 了").await.gets("最多 2000 个词,还能加 0 个 (too many words)");
    admin.say("加词 词7-7- => 改").await.gets_containing("改了 1 个");
    // More than one page of the store.
    bot.restart().await.unwrap();
    alice.say("词39-49-").await.gets("回39-49");
    alice.say("词7-7-").await.gets("改");
    admin.say("词表 100").await.gets_containing("第 100/100 页");
    admin.say("删词 词0-0-").await.gets_containing("删了");
    admin.say("加词 多 => 了").await.gets_containing("加了 1 个词");
}

#[wxbot_plugin::test]
async fn a_room_has_so_many_words_and_leaves_others_room(bot: Kit<Keyword>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let (one, two) = (bot.room("one", [&alice]), bot.room("two", [&bob]));
    let (alice, bob) = (alice.in_room(&one), bob.in_room(&two));
    alice.is(Role::GroupAdmin);
    bob.is(Role::GroupAdmin);
    for page in 0..6 {
        let lines: Vec<String> = (0..50).map(|n| format!("词{page}-{n}- => 回")).collect();
        alice.say(&format!("加词 {}", lines.join("\n"))).await.gets("加了 50 个词,本群生效 (added)");
    }
    alice.say("加词 更多 => 了").await.gets("一个群最多 300 个词,还能加 0 个 (too many words)");
    alice.say("加词 词0-0- => 改").await.gets_containing("改了 1 个");
    bob.say("加词 更多 => 有").await.gets_containing("加了 1 个词");
}

#[wxbot_plugin::test]
async fn one_character_is_too_short_for_whoever_is_no_admin(bot: Kit<Keyword>) {
    let (alice, admin) = (bot.user("alice"), bot.user("admin"));
    let room = bot.room("one", [&alice, &admin]);
    alice.in_room(&room).is(Role::GroupAdmin);
    admin.is(Role::Admin);
    for word in ["的", "的\u{FE00}", " 的 ", "的\u{3164}"] {
        alice.in_room(&room).say(&format!("加词 {word} => x")).await.gets_containing("词至少 2 个字");
    }
    alice.in_room(&room).say("加词 的的 => x").await.gets_containing("加了 1 个词");
    admin.in_room(&room).say("加词 的 => x").await.gets_containing("加了 1 个词");
}

#[wxbot_plugin::test]
async fn spoiled_rows_are_listed_and_removed_and_hinder_nothing(bot: Kit<Keyword>) {
    let (admin, alice) = (bot.user("admin"), bot.user("alice"));
    admin.is(Role::Admin);
    // As another version might write it, and as nothing should be.
    bot.set_kv("words", &json!({ "version": "x", "count": -1, "colour": "red" })).unwrap();
    bot.set_kv("word:*:价格", &json!({ "text": "价格", "reply": "看公告", "room": 5 })).unwrap();
    bot.set_kv("word:*:坏", &json!("spoiled")).unwrap();
    bot.set_kv("word:*:\u{3164}", &json!({ "text": "\u{3164}", "reply": "x" })).unwrap();
    bot.set_kv("hits:p102:05", &json!([1])).unwrap();
    alice.say("价格").await.gets("看公告");
    admin.say("词表").await.gets_containing("⚠️ 找不了");
    // Its head has another shape, and is changed all the same.
    admin.say("加词 你好 => 好").await.gets_containing("加了 1 个词");
    admin.say("删词 #1").await.gets_containing("删了「#1」");
    admin.say("删词 坏").await.gets_containing("删了");
    admin.say("删词 价格").await.gets_containing("删了");
    admin.say("词表").await.gets_containing("1. 你好 => 好");
    alice.say("你好").await.gets("好");
}

#[wxbot_plugin::test]
async fn changes_from_elsewhere_are_seen_and_a_crash_counts_once(bot: Kit<Keyword>) {
    let admin = bot.user("admin");
    admin.is(Role::Admin);
    admin.say("加词 一 => 1").await.gets_containing("加了 1 个词");
    // Another chat's command, committed meanwhile.
    let word = json!({ "text": "二", "room": null, "reply": "2", "by": "p9", "at_ms": 0 });
    bot.set_kv("word:*:二", &word).unwrap();
    bot.set_kv("words", &json!({ "version": 7, "count": 2 })).unwrap();
    admin.say("加词 三 => 3").await.gets_containing("加了 1 个词");
    assert_eq!(bot.kv::<Value>("words").unwrap().unwrap()["count"], json!(3));
    admin.say("一二三").await.gets("1");
    admin.say("二").await.gets("2");
    bot.crash_before_commit();
    admin.say("加词 四 => 4").await.gets_containing("加了 1 个词");
    assert_eq!(bot.kv::<Value>("words").unwrap().unwrap()["count"], json!(4), "not counted twice");
}

#[wxbot_plugin::test(settings = json!({ "rules": [
    { "name": "adverts", "any": ["加微信"], "not": ["官方"], "in": "group", "reply": "{{ sender }},别发广告", "notify": true,
      "tag": "adverts", "stop": true, "forward_to": "r9", "priority": 5, "cooldown": "1h" },
    { "name": "price", "any": "ＱＱ", "reply": "x" },
] }))]
async fn a_text_is_tested_without_doing_anything(bot: Kit<Keyword>) {
    let (owner, alice) = (bot.user("owner"), bot.user("alice"));
    owner.is(Role::Owner);
    let room = bot.room("one", [&owner, &alice]);
    let in_room = owner.in_room(&room);
    in_room.say("测词 快加微信,qq 也行").await.gets(
        "规则「adverts」命中 「加微信」第 2 字\n  → 回复「owner,别发广告」;转发给 r9;通知 1 人;标记「adverts」;到此为止\n\
         规则「price」命中 「qq」第 6 字 (ＱＱ)\n  → 不动作: 规则「adverts」在前 (an earlier rule acts)",
    );
    in_room.say("kw test 加微信找官方").await.gets_containing("不动作: 有排除词「官方」(negative word)");
    owner.say("测词 加微信").await.gets_containing("不动作: 不在这里生效 (not here)");
    owner.say("测词 你好").await.gets("没有规则命中 (no rule is hit)");
    alice.in_room(&room).say("测词 qq").await.gets("x");
    assert_eq!(bot.acted(), []);
    let keys = bot.kv_keys();
    assert!(keys.iter().all(|key| key.starts_with("hits:")), "only alice's hit was counted: {keys:?}");
}

#[wxbot_plugin::test(settings = json!({ "rules": [{ "any": "x", "reply": "y" }] }))]
async fn in_private_only_an_admin_commands(bot: Kit<Keyword>) {
    let alice = bot.user("alice");
    // However a role for one chat came to be one for this chat.
    alice.is(Role::GroupAdmin);
    for command in ["加词 a => b", "删词 a", "词表", "测词 x", "命中"] {
        alice.say(command).await.gets("请在群里用,只管那个群 (use it in your room)");
    }
    assert_eq!(bot.kv_keys(), [""; 0]);
}
