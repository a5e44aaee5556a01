//! Does the README tell the truth? Its settings are read and its conversations are held.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests; clippy.toml knows only the tests")]

use serde_json::{Value, json};
use wxbot_auto_reply::{AutoReply, Settings};
use wxbot_plugin::model::EventKind;
use wxbot_plugin::testing::Kit;
use wxbot_plugin::{Effect, PluginConfig};

const README: &str = include_str!("../README.md");

/// The fenced blocks of a language, with what follows each of them.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn settings(block: &str) -> Value {
    let file: Value = toml::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
    file["plugins"]["auto-reply"].clone()
}

/// Holds one conversation: `[where] text`, then the answers as `→ text`; `(5s pass)` lets time go on.
async fn hold(block: &str, conversation: &str) {
    let mut kit = Kit::<AutoReply>::start(settings(block)).await.unwrap();
    let mut lines = conversation.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "(5s pass)" {
            kit.advance_ms(5_000);
            continue;
        }
        let (place, text) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")).expect(line);
        let (room, at_me) = match place {
            "private" => (None, false),
            "room" => (Some("r1"), false),
            "room, @bot" => (Some("r1"), true),
            other => panic!("no such place: {other}"),
        };
        let mut want = Vec::new();
        while let Some(answer) = lines.next_if(|line| line.starts_with("  → ")) {
            want.extend(answer.strip_prefix("  → ").filter(|answer| *answer != "(silence)").map(str::to_owned));
        }
        let text = if at_me { format!("@bot\u{2005}{text}") } else { text.to_owned() };
        let mut event = kit.text_event("p1", room, &text);
        event.sender.as_mut().unwrap().name = "Li Lei".to_owned();
        if let EventKind::Message(message) = &mut event.kind {
            message.mentions.me = at_me;
        }
        let mut got = Vec::new();
        for effect in kit.effects(&event).await.unwrap() {
            if let Effect::Reply { text, mention_sender } = effect {
                got.push(if mention_sender { format!("@Li Lei {text}") } else { text });
            }
        }
        kit.handle(&event).await.unwrap();
        assert_eq!(got, want, "{line}");
    }
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let (examples, conversations) = (blocks("toml"), blocks("text"));
    assert_eq!((examples.len(), conversations.len()), (3, 3));
    for (block, conversation) in examples.into_iter().zip(conversations) {
        assert_eq!(Settings::check(&settings(block)), [], "{block}");
        hold(block, conversation).await;
    }
}

#[test]
fn both_languages_name_every_setting_and_default() {
    let (english, chinese) = README.split_once("## 简体中文").unwrap();
    let schema = Settings::schema();
    for place in ["/properties", "/properties/rules/items/properties"] {
        for (key, property) in schema.pointer(place).and_then(Value::as_object).unwrap() {
            for part in [english, chinese] {
                let row = part.lines().filter(|line| line.starts_with(&format!("| `{key}` |"))).collect::<Vec<_>>();
                assert!(!row.is_empty(), "{key} has a row");
                let Some(default) = property.get("default") else { continue };
                assert!(
                    row.iter().any(|row| row.contains(&format!("| `{default}` |"))),
                    "{key} is {default} by default"
                );
            }
        }
    }
}

#[test]
fn the_example_of_the_crate_is_good() {
    let lib = include_str!("../src/lib.rs");
    let doc: String =
        lib.lines().filter_map(|l| l.strip_prefix("//!")).map(|l| format!("{}\n", l.trim_start())).collect();
    let block = doc.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(Settings::check(&settings(block)), []);
    assert_ne!(settings(block), json!(null));
}
