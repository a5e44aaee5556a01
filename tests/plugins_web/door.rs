//! auto-reply: what does it say, and to whom does it open?

use crate::town::{Town, UNPACED};

const WORLD: &str = r#"
[[accounts]]
name = "shop"
nick = "小店"
friends = [{ nick = "Alice" }, { nick = "老王" }]
rooms = [{ topic = "团购群", members = ["Alice", "老王", "路人"], saved = true }]
"#;

#[test]
fn rules_answer_friends_and_whoever_mentions_us() {
    let mut town = Town::new(WORLD);
    let rules = r#"
[[plugins.auto-reply.rules]]
regex = '^(\d+)斤$'
reply = "{{ sender }},{{ groups[1] | int * 8 }} 元"

[[plugins.auto-reply.rules]]
contains = "价格"
at_me = true
mention = true
reply = "8 元一斤"
"#;
    town.start(&format!("{UNPACED}{rules}{}", town.account("shop", "")), &["shop"]);
    town.writes("shop", "Alice", "3斤");
    town.hears("shop", "Alice", &["Alice,24 元"]);
    town.says("shop", "团购群", "路人", "价格?");
    town.says("shop", "团购群", "老王", "@小店\u{2005}价格?");
    town.hears("shop", "团购群", &["@老王", "8 元一斤"]);
    town.nothing_but("shop", "团购群", &["8 元一斤"]);
    town.ends_well();
}
