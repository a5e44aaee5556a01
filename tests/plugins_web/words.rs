//! keyword: what is done with what is said?

use std::fs;

use crate::town::{Town, UNPACED};

const WORLD: &str = r#"
[[accounts]]
name = "shop"
nick = "小店"
friends = [{ nick = "老板" }, { nick = "Alice" }]
rooms = [
    { topic = "客服群", members = ["老板", "客服"], saved = true },
    { topic = "团购群", members = ["Alice", "路人"], saved = true },
]
"#;

const RULES: &str = r#"
[plugins.keyword]
simplify = true
look_every = "1s"

[[plugins.keyword.rules]]
name = "投诉"
any = ["退款", "投诉"]
not = ["不退款"]
forward_to = ["SERVICE"]
notify = true
reply = "已转给客服。"
priority = 10
stop = true

[[plugins.keyword.rules]]
name = "价格"
files = ["prices.txt"]
in = "group"
rooms = ["GROUP"]
mention = true
reply = "{{ sender }},价目表在公告里。"

[[plugins.keyword.rules]]
added = true
any = ["发票"]
reply = "开票请私聊。"
"#;

/// A shop with its words, whose owner may teach it more.
fn shop(more: &str) -> Town {
    let mut town = Town::new(WORLD);
    fs::write(town.path().join("prices.txt"), "多少钱\n价格\n").unwrap();
    town.start(&format!("{UNPACED}{}", town.account("shop", "")), &["shop"]);
    let ids = [("SERVICE", "客服群"), ("GROUP", "团购群")].map(|(word, name)| (word, town.id("shop", name)));
    let rules = ids.iter().fold(RULES.to_owned(), |rules, (word, id)| rules.replace(word, id));
    let rules = rules.replace("[plugins.keyword]\n", &format!("[plugins.keyword]\n{more}"));
    let roles = format!("[accounts.roles]\nowner = [\"{}\"]\n", town.id("shop", "老板"));
    town.reload(&format!("{UNPACED}{rules}{}{roles}", town.account("shop", "")));
    town
}

/// All that was said in a story.
pub(crate) fn a_story(more: &str) -> Vec<String> {
    let town = shop(more);
    let mut told = Vec::new();
    // Traditional, full-width and in a word: the same words.
    town.writes("shop", "Alice", "我要退款!");
    told.push(town.hears("shop", "Alice", &["已转给客服"]));
    told.push(town.hears("shop", "客服群", &["我要退款!"]));
    told.push(town.hears("shop", "老板", &["投诉", "Alice"]));
    town.says("shop", "团购群", "路人", "多少錢一斤?");
    told.push(town.hears("shop", "团购群", &["@路人", "价目表"]));
    for (who, text) in
        [("老板", "加词 促销 => 周末全场八折"), ("老板", "词表"), ("Alice", "有促销吗"), ("老板", "命中")]
    {
        town.quiet();
        town.writes("shop", who, text);
        told.push(town.hears("shop", who, &[]));
    }
    // A list that changes is read anew, wherever the plugin runs.
    change_the_list(&town);
    town.ends_well();
    told
}

/// As an editor does it: another file, then a rename. Over when somebody is answered to a new word.
fn change_the_list(town: &Town) {
    fs::write(town.path().join("prices.new"), "几块\n").unwrap();
    fs::rename(town.path().join("prices.new"), town.path().join("prices.txt")).unwrap();
    town.quiet();
    town.until(&|| {
        town.says("shop", "团购群", "路人", "几块一斤");
        !town.heard("shop", "团购群").is_empty()
    });
    town.quiet();
}

#[test]
fn words_are_passed_on_and_the_owner_is_told() {
    let town = shop("");
    town.writes("shop", "Alice", "我不退款");
    town.writes("shop", "Alice", "我要退款,也要發票");
    town.hears("shop", "Alice", &["已转给客服"]);
    town.hears("shop", "客服群", &["我要退款,也要發票"]);
    town.hears("shop", "老板", &["投诉", "Alice"]);
    town.nothing_but("shop", "Alice", &["已转给客服"]);

    // Only in its own room, and people are mentioned there.
    town.says("shop", "客服群", "客服", "多少钱");
    town.says("shop", "团购群", "路人", "多少錢一斤?");
    town.hears("shop", "团购群", &["@路人", "价目表"]);
    town.nothing_but("shop", "客服群", &["我要退款"]);
    town.ends_well();
}

#[test]
fn words_are_taught_by_chat_and_by_files_while_it_runs() {
    let town = shop("");
    town.writes("shop", "Alice", "加词 促销 => 没有");
    town.writes("shop", "老板", "加词 促销 => 周末全场八折");
    town.hears("shop", "老板", &["加了 1 个词"]);
    town.writes("shop", "Alice", "有促销吗");
    town.hears("shop", "Alice", &["周末全场八折"]);
    town.nothing_but("shop", "Alice", &["周末全场八折"]);

    change_the_list(&town);
    // The old words are gone.
    town.says("shop", "团购群", "Alice", "多少钱");
    town.says("shop", "团购群", "Alice", "几块");
    town.hears("shop", "团购群", &["@Alice"]);
    let to_alice = town.heard("shop", "团购群").iter().filter(|text| text.contains("@Alice")).count();
    assert_eq!(to_alice, 1);
    town.writes("shop", "老板", "命中");
    town.hears("shop", "老板", &["促销", "几块"]);
    town.ends_well();
}
