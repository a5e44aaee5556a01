//! Does the README tell the truth? Its settings are read, its conversations are held, and every setting has its row.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests; clippy.toml knows only the tests")]

use std::time::Duration;

use serde_json::{Value, json};
use wxbot_group_admin::{GroupAdmin, Settings};
use wxbot_plugin::model::{Action, EventKind, JoinedBy, MembersJoined, Who};
use wxbot_plugin::testing::{Heard, Kit, What};
use wxbot_plugin::{Place, PluginConfig, RoomMember};

const README: &str = include_str!("../README.md");
/// The one who is an admin of the room in all conversations.
const ADMIN: &str = "老张";
const ROOM: &str = "茶友群";
/// Whom `notify` names in all of them.
const OWNER: &str = "p900";

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn settings(block: &str) -> Value {
    let file: Value = toml::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
    file["plugins"]["group-admin"].clone()
}

/// What came, as the README writes it.
fn written(bot: &Kit<GroupAdmin>, heard: &Heard, speaker: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for sent in heard.sent().iter().filter(|sent| sent.to.as_str() != OWNER) {
        let What::Text { text, mentions } = &sent.what else { panic!("only texts are written: {sent}") };
        let whom = if *mentions { format!("@{speaker} ") } else { String::new() };
        lines.push(format!("  → {whom}{}", text.replace('\u{2005}', " ").replace('\n', "\n    ")));
    }
    for action in bot.acted() {
        if let Action::SendText { to, text, .. } = &action {
            if to.as_str() == OWNER {
                lines.push(format!("  → (to the owner) {}", text.replace('\n', "\n    ")));
            }
        } else if let Action::SetTopic { topic, .. } = &action {
            lines.push(format!("  → (the room is named {topic})"));
        } else {
            let done = [("remove_members", "is removed"), ("add_members", "is invited")];
            let (_, done) = done.into_iter().find(|(word, _)| *word == action.word()).unwrap();
            lines.push(format!("  → (the member {done})"));
        }
    }
    lines.join("\n").split('\n').map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

/// Holds one conversation in a room: `name: text`, `+ name` for somebody who comes in, `(10min pass)`; `name (renames): …`; then what
/// the bot says, after `→`. In `name (private): text` somebody talks to the bot alone; `<code>` is the code that was asked for.
async fn hold(bot: Kit<GroupAdmin>, conversation: &str) {
    let room = bot.room(ROOM, []);
    let mut lines = conversation.lines().peekable();
    let mut code = String::new();
    while let Some(line) = lines.next() {
        let mut want = Vec::new();
        while let Some(answer) = lines.next_if(|line| line.starts_with("  ")) {
            want.push(answer.to_owned());
        }
        let (speaker, heard) = if let Some(time) = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(" pass)")) {
            let time = wxbot_plugin::model::span::parse_duration(time).unwrap();
            ("", bot.advance(time).await)
        } else if let Some(name) = line.strip_prefix("+ ") {
            let joined = MembersJoined {
                names: vec![name.to_owned()],
                me_invited: false,
                others: Vec::new(),
                inviter: Who::other(ADMIN),
                by: JoinedBy::Invitation,
                notice: String::new(),
            };
            let member = |name: &str| RoomMember {
                id: None,
                name: name.to_owned(),
                nick_name: name.to_owned(),
                group_name: String::new(),
                me: false,
            };
            bot.add_member(room.chat().id.clone(), member(name));
            (name, bot.user("service").in_room(&room).does(EventKind::MembersJoined(joined)).await)
        } else if let Some((name, topic)) = line.split_once(" (renames): ") {
            let (topic, by) = (topic.to_owned(), Who::other(name));
            let renamed = EventKind::TopicChanged { topic, by, notice: String::new() };
            (name, bot.user("service").in_room(&room).does(renamed).await)
        } else {
            let (speaker, text) = line.split_once(": ").unwrap_or_else(|| panic!("nobody says this: {line}"));
            let text = text.replace("<code>", &code);
            let (name, private) = speaker.strip_suffix(" (private)").map_or((speaker, false), |name| (name, true));
            let person = bot.user(name);
            if !private {
                bot.room(ROOM, [&person]);
            }
            let member = person.in_room(&room);
            if name == ADMIN {
                member.is(wxbot_plugin::Role::GroupAdmin);
            }
            (name, if private { person.say(&text).await } else { member.say(&text).await })
        };
        let got = written(&bot, &heard, speaker);
        let digits = got.join(" ").split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 4).map(str::to_owned);
        let got: Vec<String> = match digits {
            Some(digits) if got.join(" ").contains("确认请回复") => {
                code = digits;
                got.iter().map(|line| line.replace(&code, "<code>")).collect()
            }
            Some(_) | None => got,
        };
        assert_eq!(got.join("\n"), want.join("\n"), "after {line}");
        room.hears();
    }
    bot.advance(Duration::ZERO).await;
}

#[test]
fn the_examples_do_what_they_say() {
    let (examples, conversations) = (blocks("toml"), blocks("text"));
    assert!(!examples.is_empty() && examples.len() == conversations.len());
    for (block, conversation) in examples.into_iter().zip(conversations) {
        assert_eq!(Settings::read(&settings(block), &Place::default()).err(), None, "{block}");
        wxbot_plugin::testing::run(settings(block), &[], async |bot| hold(bot, conversation).await);
    }
}

/// All settings with their defaults: `welcome.delay`, `announce[].cron`.
fn paths(prefix: &str, schema: &Value, found: &mut Vec<(String, Option<Value>)>) {
    for (key, property) in schema["properties"].as_object().unwrap() {
        let path = format!("{prefix}{key}");
        let items = property.get("items").filter(|items| items.get("properties").is_some());
        if let Some(items) = items {
            paths(&format!("{path}[]."), items, found);
        } else if property.get("properties").is_some() {
            paths(&format!("{path}."), property, found);
        } else {
            found.push((path, property.get("default").cloned()));
        }
    }
}

#[test]
fn both_languages_name_every_setting_and_its_default() {
    let (english, chinese) = README.split_once("## 简体中文").unwrap();
    let mut found = Vec::new();
    paths("", &Settings::schema(), &mut found);
    assert!(found.len() > 60, "{}", found.len());
    for (path, default) in found {
        for part in [english, chinese] {
            let row = part.lines().find(|line| line.starts_with(&format!("| `{path}` |")));
            let row = row.unwrap_or_else(|| panic!("`{path}` has no row"));
            let Some(default) = &default else { continue };
            assert!(row.contains(&format!("| `{default}` |")), "`{path}` is {default} by default: {row}");
        }
    }
}

#[test]
fn both_languages_name_every_command() {
    let (english, chinese) = README.split_once("## 简体中文").unwrap();
    let manifest = <GroupAdmin as wxbot_plugin::Plugin>::manifest();
    let mut commands = 0;
    for handler in manifest.handlers {
        let wxbot_plugin::manifest::Trigger::Command { words, .. } = handler.trigger else { continue };
        commands += 1;
        for part in [english, chinese] {
            assert!(part.contains(&format!("`{}`", words[0])), "`{}` is not told", words[0]);
        }
    }
    assert!(commands > 15, "{commands}");
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
