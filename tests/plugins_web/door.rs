//! auto-reply: what does it say, and to whom does it open?

use crate::town::{Town, UNPACED};

const WORLD: &str = r#"
[[accounts]]
name = "shop"
nick = "小店"
friends = [{ nick = "Alice" }, { nick = "老王" }]
rooms = [{ topic = "团购群", members = ["Alice", "老王", "路人"], saved = true }]
"#;
const RULES: &str = r#"
[plugins.auto-reply.friends]
accept = ["团购"]
greeting = "你好,{{ sender }}!回复「价格」看价目表。"

[[plugins.auto-reply.rules]]
regex = '^(\d+)斤$'
reply = "{{ sender }},{{ groups[1] | int * 8 }} 元"

[[plugins.auto-reply.rules]]
contains = "价格"
in = "group"
at_me = true
mention = true
reply = "8 元一斤"
"#;

fn shop(more: &str) -> Town {
    let mut town = Town::new(WORLD);
    town.start(&format!("{UNPACED}{more}{RULES}{}", town.account("shop", "")), &["shop"]);
    town
}

/// All that was said and done in a story.
pub(crate) fn a_story(more: &str) -> Vec<String> {
    let town = shop(more);
    let mut told = Vec::new();
    town.writes("shop", "Alice", "3斤");
    told.push(town.hears("shop", "Alice", &[]));
    town.says("shop", "团购群", "老王", "@小店\u{2005}价格?");
    told.push(town.hears("shop", "团购群", &[]));
    town.asks("shop", "新客", "我是团购群的");
    told.push(town.hears("shop", "新客", &[]));
    told.push(format!("{:?}", town.verified("shop")));
    town.ends_well();
    told
}

#[test]
fn rules_answer_friends_and_whoever_mentions_us() {
    let town = shop("");
    town.writes("shop", "Alice", "3斤");
    town.hears("shop", "Alice", &["Alice,24 元"]);
    town.says("shop", "团购群", "路人", "价格?");
    town.says("shop", "团购群", "老王", "@小店\u{2005}价格?");
    town.hears("shop", "团购群", &["@老王", "8 元一斤"]);
    town.nothing_but("shop", "团购群", &["8 元一斤"]);
    town.ends_well();
}

#[test]
fn a_friend_request_with_the_word_is_accepted_and_greeted() {
    let town = shop("");
    town.asks("shop", "卖茶的", "加我了解茶叶");
    town.asks("shop", "新客", "我是团购群的");
    town.hears("shop", "新客", &["你好,新客!"]);
    assert_eq!(town.verified("shop"), [(3, "新客".to_owned())], "accepted once, and nobody else");
    town.writes("shop", "新客", "2斤");
    town.hears("shop", "新客", &["新客,16 元"]);
    town.nothing_but("shop", "新客", &["你好,新客!", "新客,16 元"]);
    town.ends_well();
}
