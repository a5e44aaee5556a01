//! Do handlers keep values and conversations as they say? `Stored`, `Dialogue`, and `cx.ask` under `#[plugin]`.

mod bench;

use std::time::Duration;

use bench::{Bench, replies};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wxbot_plugin::host::CallMeta;
use wxbot_plugin::model::MediaKind;
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::Kit;

#[derive(Default)]
struct Counter;

#[plugin(id = "counter")]
impl Counter {
    #[command("count", block = false)]
    async fn count(&self, mut seen: Stored<u32>, how: Option<String>) -> Result<String, PluginError> {
        *seen += 1;
        match how.as_deref() {
            Some("fail") => Err(PluginError::msg("no")),
            Some("wrong") => Err(PluginError::told("no")),
            _ => Ok(seen.to_string()),
        }
    }

    #[keyword("angry", priority = 2)]
    fn angry(&self, mut seen: Stored<u32>) -> Result<(), PluginError> {
        *seen += 100;
        Err(PluginError::told("no!"))
    }

    #[keyword("twice")]
    fn again(&self, mut seen: Stored<u32>) -> String {
        *seen += 10;
        seen.to_string()
    }

    #[command("look")]
    fn look(&self, mut seen: Stored<u32>) -> String {
        *seen += 0;
        seen.to_string()
    }
}

#[test]
fn a_value_is_kept_with_the_answer() {
    let mut bench = Bench::of::<Counter>();
    assert_eq!(bench.say("count"), ["1"]);
    assert_eq!((bench.say("count"), bench.kv("seen")), (vec!["2".to_owned()], Some(json!(2))));
    let event = bench.text("p1", None, "count fail");
    assert!(bench.call(event, CallMeta::first(), None).is_err());
    assert_eq!(bench.say("count wrong"), ["no"]);
    assert_eq!(bench.say("look"), ["2"], "what failed changed nothing");
    let event = bench.text("p1", None, "look");
    let answer = bench.call(event, CallMeta::first(), None).unwrap();
    assert_eq!(answer.effects, Effects::reply("2"), "what did not change is not written");
    assert_eq!(bench.say("count twice"), ["3", "13"], "a later handler sees what an earlier one did");
    assert_eq!(bench.say("angry twice"), ["no!", "23"], "but nothing of one that told somebody off");
    assert_eq!(bench.say("count wrong\u{2005}twice"), ["多了「twice」(more than it takes)\n用法: count [how]", "33"]);
    assert_eq!(bench.kv("seen"), Some(json!(33)));
}

#[test]
fn no_update_is_lost_when_handlers_run_at_the_same_time() {
    let mut bench = Bench::of::<Counter>();
    let (one, other) = (bench.text("p1", None, "count"), bench.text("p2", None, "count"));
    let answers = [&one, &other].map(|event| bench.call(event.clone(), CallMeta::first(), None).unwrap());
    assert!(bench.commit(&answers[0].effects));
    assert!(!bench.commit(&answers[1].effects), "it was read too early");
    assert_eq!(bench.says(other), ["2"], "handled anew");
    bench.put("seen", json!("no number"));
    let event = bench.text("p1", None, "count");
    assert!(bench.call(event, CallMeta::first(), None).is_err(), "a value of another shape is not overwritten");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Order {
    Dish,
    Count { dish: String },
}

#[derive(Default)]
struct Canteen;

#[plugin(id = "canteen")]
impl Canteen {
    #[command("订餐")]
    fn begin(&self, mut order: Dialogue<Order>) -> &'static str {
        order.patience(Duration::from_secs(60)).go_on(Order::Dish);
        "吃什么?"
    }

    #[continues]
    fn answer(&self, mut order: Dialogue<Order>, text: Text) -> Option<String> {
        match order.state()?.clone() {
            Order::Dish => {
                order.go_on(Order::Count { dish: text.into_string() });
                Some("几份?".into())
            }
            Order::Count { dish } => {
                order.end();
                Some(format!("{} 份 {dish}", text.as_str()))
            }
        }
    }

    #[continues]
    fn picture(&self, _order: Dialogue<Order>, _picture: &MediaHandle) -> &'static str {
        "文字,请"
    }
}

#[test]
fn a_dialogue_outlives_a_restart() {
    let mut bench = Bench::of::<Canteen>();
    assert_eq!(bench.say("面"), [""; 0], "nothing is open");
    assert_eq!(bench.say("订餐"), ["吃什么?"]);
    bench.restart::<Canteen>();
    let other = bench.text("p2", None, "面");
    assert_eq!(bench.says(other), [""; 0], "of somebody else nothing is open");
    let elsewhere = bench.text("p1", Some("r1"), "面");
    assert_eq!(bench.says(elsewhere), [""; 0], "nor in another chat");
    assert_eq!(bench.say("订餐"), ["几份?"], "a dialogue comes before commands");
    let picture = Content::Image { media: MediaHandle::new(MediaKind::Image, "1", None) };
    let picture = bench.message("p1", None, picture);
    assert_eq!(bench.says(picture), ["文字,请"]);
    assert_eq!(bench.say("2"), ["2 份 订餐"]);
    assert_eq!((bench.say("2"), bench.kv("dialogue:p1:p1")), (vec![], None));
}

#[test]
fn a_dialogue_ends_by_time_or_by_a_word() {
    let mut bench = Bench::of::<Canteen>();
    bench.say("订餐");
    bench.advance_ms(60_000);
    assert_eq!(bench.say("面"), [""; 0], "too late");
    assert_eq!(bench.say("取消"), [""; 0], "nor is there anything to end");
    assert_eq!(bench.say("订餐"), ["吃什么?"], "an old one does not stand in the way");
    bench.advance_ms(59_999);
    assert_eq!(bench.say(" 取消 "), ["好的,已取消 (cancelled)"]);
    assert_eq!((bench.say("面"), bench.kv("dialogue:p1:p1")), (vec![], None));
    assert_eq!(bench.say("取消"), [""; 0], "nothing to end");
    bench.say("订餐");
    let mut stored = bench.kv("dialogue:p1:p1").unwrap();
    stored["of"] = json!("Reservation");
    bench.put("dialogue:p1:p1", stored);
    let event = bench.text("p1", None, "面");
    let notes = bench.why(event, CallMeta::first());
    assert!(notes.contains(&"answer: the open dialog is about something else".to_owned()), "{notes:?}");
}

#[derive(Default)]
struct Asking;

#[plugin(id = "asking")]
impl Asking {
    #[command("报名", cooldown = "1h/user")]
    async fn sign_up(&self, mut all: Stored<Vec<String>>, cx: &Ctx) -> Result<String, PluginError> {
        cx.reply("好");
        let name = cx.ask("名字?").await?;
        let age: u8 = cx.ask("几岁?").retry(1).parse().await?;
        all.push(name.clone());
        Ok(format!("{name} {age}"))
    }

    #[command("头像")]
    async fn picture(&self, cx: &Ctx) -> Result<FileReply<MediaSource>, PluginError> {
        let answer = cx.ask("发一张图").message().await?;
        let Some(Content::Image { media }) = answer.message().map(|message| &message.content) else {
            return Err(PluginError::told("这不是图"));
        };
        Ok(FileReply(media.into()))
    }

    #[keyword("报名", priority = 1)]
    fn before(&self) -> &'static str {
        "早"
    }
}

/// Says one thing after the other to a handler that asks.
fn talk(bench: &mut Bench, texts: &[&str]) -> Vec<String> {
    let (mut dialog, mut heard) = (None, Vec::new());
    for text in texts {
        let event = bench.text("p1", None, text);
        let answer = bench.call(event, CallMeta::first(), dialog).expect("no failure");
        assert!(bench.commit(&answer.effects));
        heard.push(replies(&answer.effects).join("/"));
        dialog = answer.dialog.map(|dialog| dialog.id);
    }
    assert_eq!(dialog, None, "the handler ended");
    heard
}

#[test]
fn a_command_asks_twice() {
    let mut bench = Bench::of::<Asking>();
    let not_a_number = "「many」不是这里能用的数字 (invalid digit found in string)";
    assert_eq!(talk(&mut bench, &["报名", "取消"]), ["早/好/名字?", "好的,已取消 (cancelled)"]);
    assert_eq!(bench.kv("all"), None);
    let retry = format!("{not_a_number}\n几岁?");
    let heard = talk(&mut bench, &["报名", "Ann", "many", "\u{FF17}"]);
    assert_eq!(heard, ["早/好/名字?", "几岁?", &retry, "Ann 7"], "cancelling did not count for the cooldown");
    assert_eq!(bench.kv("all"), Some(json!(["Ann"])));
    bench.advance_ms(3_600_000);
    let heard = talk(&mut bench, &["报名", "Bo", "many", "many"]);
    assert_eq!(heard, ["早/好/名字?", "几岁?", &retry, not_a_number]);
    assert_eq!(bench.kv("all"), Some(json!(["Ann"])), "who gave no age is not signed up");
}

#[test]
fn a_picture_can_be_the_answer() {
    let mut bench = Bench::of::<Asking>();
    assert_eq!(talk(&mut bench, &["头像", "什么?"]), ["发一张图", "这不是图"]);
    let event = bench.text("p1", None, "头像");
    let asked = bench.call(event, CallMeta::first(), None).unwrap();
    let media = MediaHandle::new(MediaKind::Image, "1", None);
    let event = bench.message("p1", None, Content::Image { media: media.clone() });
    let answer = bench.call(event, CallMeta::first(), asked.dialog.map(|dialog| dialog.id)).unwrap();
    assert_eq!(answer.effects, Effects::reply_file(&media));
}

#[test]
fn whoever_asks_has_taken_the_message() {
    let kit = bench::now(Kit::<Asking>::start(serde_json::json!({}))).unwrap();
    let (alice, room) = (kit.user("alice"), kit.room("team", []));
    let asked = bench::now(alice.say("报名")).gets_each(["早", "好", "名字?"]);
    assert!(asked.is_blocked(), "a command that asks keeps it from the others, as one that answers");
    bench::now(alice.say("Ann")).gets("几岁?");
    let long = "x".repeat(5_000);
    let told = bench::now(alice.say(&long)).replies().concat();
    assert!(told.len() < 300, "no megaphone: {told}");
    // In a room the mention of ourselves is no part of the answer.
    let bob = kit.user("bob").in_room(&room);
    bench::now(bob.say("报名")).gets_each(["早", "好", "名字?"]);
    bench::now(bob.at_me("Bob")).gets("几岁?");
    bench::now(bob.at_me("4")).gets("Bob 4");
}

#[derive(Default)]
struct Curious;

#[plugin(id = "curious")]
impl Curious {
    #[command("why")]
    fn why(&self, cx: &Ctx) -> &'static str {
        cx.note("curious", true, || format!("{cx:?} {:?}", cx.roles()));
        "because"
    }
}

#[test]
fn a_note_may_ask_the_context_it_is_made_with() {
    let kit = bench::now(Kit::<Curious>::start(serde_json::json!({}))).unwrap();
    bench::now(kit.user("alice").say("why")).gets("because");
}
