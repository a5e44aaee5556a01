//! Does the README tell the truth? Its settings are read with its files, its conversations are held, and every setting and
//! command is told.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests; clippy.toml knows only the tests")]

use std::fs;

use serde_json::{Value, json};
use wxbot_keyword::{Keyword, Settings};
use wxbot_plugin::manifest::Trigger;
use wxbot_plugin::model::{Action, span};
use wxbot_plugin::testing::{Heard, Kit, What};
use wxbot_plugin::{InitCtx, Place, Plugin, PluginConfig, Role};

const README: &str = include_str!("../README.md");
const ROOM: &str = "茶友群";
/// Who is an admin of the room.
const ADMIN: &str = "老张";

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn settings(block: &str) -> Value {
    let file: Value = toml::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
    file["plugins"]["keyword"].clone()
}

/// What came in the chat, then what came to the owner and what was done, as the README writes it.
fn written(bot: &Kit<Keyword>, heard: &Heard, here: bool) -> Vec<String> {
    let text = |what: &What| if let What::Text { text, .. } = what { Some(text.clone()) } else { None };
    let shown = |text: &str| text.replace('\n', "\n    ");
    let came = if here { heard.sent() } else { &[] };
    let mut lines: Vec<String> =
        came.iter().filter_map(|sent| Some(format!("  → {}", shown(&text(&sent.what)?)))).collect();
    let owner = bot.user("老板").hears();
    let told = owner.sent().iter().filter_map(|sent| text(&sent.what));
    lines.extend(told.map(|text| format!("  → (to the owner) {}", shown(&text))));
    for action in bot.acted() {
        if let Action::AddMembers { room, .. } = action {
            lines.push(format!("  → (the sender is invited to {room})"));
        }
    }
    lines
}

/// Holds one conversation: `name: text` in the room, `name (private): text`, `(10min pass)`; then what comes, behind `→`.
async fn hold(bot: Kit<Keyword>, conversation: &str) {
    bot.user("老板").is(Role::Owner);
    let room = bot.room(ROOM, []);
    let mut lines = conversation.lines().peekable();
    while let Some(line) = lines.next() {
        let mut want = Vec::new();
        while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
            want.push(more);
        }
        let got = if let Some(time) = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(" pass)")) {
            let heard = bot.advance(span::parse_duration(time).unwrap()).await;
            written(&bot, &heard, false)
        } else {
            let (speaker, text) = line.split_once(": ").unwrap_or_else(|| panic!("nobody says this: {line}"));
            let name = speaker.strip_suffix(" (private)");
            let person = bot.user(name.unwrap_or(speaker));
            let member = person.in_room(&room);
            if speaker == ADMIN {
                member.is(Role::GroupAdmin);
            }
            let heard = if name.is_some() { person.say(text).await } else { member.say(text).await };
            written(&bot, &heard, true)
        };
        assert_eq!(got.join("\n"), want.join("\n"), "after {line}");
    }
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    for (language, name) in [("txt", "adverts.txt"), ("csv", "faq.csv")] {
        fs::write(folder.path().join(name), blocks(language)[0]).unwrap();
    }
    let (examples, conversations) = (blocks("toml"), blocks("text"));
    assert_eq!((examples.len(), conversations.len()), (2, 2));
    for (block, conversation) in examples.into_iter().zip(conversations) {
        let mut init = InitCtx::new();
        init.place = Place::of(folder.path());
        assert_eq!(Settings::read(&settings(block), &init.place).err(), None, "{block}");
        hold(Kit::start_at(settings(block), init).await.unwrap(), conversation).await;
    }
}

#[test]
fn both_languages_name_every_setting_and_default() {
    let (english, chinese) = README.split_once("## 简体中文").unwrap();
    let schema = Settings::schema();
    for place in ["/properties", "/properties/rules/items/properties"] {
        for (key, property) in schema.pointer(place).and_then(Value::as_object).unwrap() {
            for part in [english, chinese] {
                let row: Vec<&str> = part.lines().filter(|line| line.starts_with(&format!("| `{key}` |"))).collect();
                assert!(!row.is_empty(), "{key} has a row");
                let Some(default) = property.get("default").filter(|default| !is_empty(default)) else { continue };
                let told = row.iter().any(|row| row.contains(&format!("| `{default}` |")));
                assert!(told, "{key} is {default} by default");
            }
        }
    }
}

fn is_empty(default: &Value) -> bool {
    default == &json!([])
}

#[test]
fn both_languages_name_every_command() {
    let (english, chinese) = README.split_once("## 简体中文").unwrap();
    let mut commands = 0;
    for handler in Keyword::manifest().handlers {
        let Trigger::Command { words, .. } = handler.trigger else { continue };
        commands += 1;
        for part in [english, chinese] {
            assert!(part.contains(&format!("`{}", words[0])), "`{}` is not told", words[0]);
            assert!(part.contains(&format!("`{}`", words[1])), "`{}` is not told", words[1]);
        }
    }
    assert_eq!(commands, 6);
}

#[test]
fn the_example_of_the_crate_is_good() {
    let lib = include_str!("../src/lib.rs");
    let doc: String =
        lib.lines().filter_map(|l| l.strip_prefix("//!")).map(|l| format!("{}\n", l.trim_start())).collect();
    let block = doc.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_ne!(settings(block), json!(null));
    assert_eq!(Settings::read(&settings(block), &Place::default()).err(), None);
}
