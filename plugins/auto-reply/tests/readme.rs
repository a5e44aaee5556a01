//! Does the README tell the truth? Its settings are read and its conversations are held.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests; clippy.toml knows only the tests")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use wxbot_auto_reply::{AutoReply, Settings};
use wxbot_plugin::model::span::parse_duration;
use wxbot_plugin::model::{Action, Event, EventKind, FriendRequest, Ticket, Who};
use wxbot_plugin::testing::Kit;
use wxbot_plugin::{Effect, InitCtx, MediaSource, Place, PluginConfig, Role};

const README: &str = include_str!("../README.md");

/// The fenced blocks of settings, each with the conversation that follows before the next one.
fn examples() -> Vec<(&'static str, Option<&'static str>)> {
    let mut found = Vec::new();
    for rest in README.split("```toml\n").skip(1) {
        let (settings, after) = rest.split_once("```").unwrap();
        let conversation = after.split_once("```text\n").map(|(_, rest)| rest.split("```").next().unwrap());
        found.push((settings, conversation));
    }
    found
}

fn settings(block: &str) -> Value {
    let file: Value = toml::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
    file["plugins"]["auto-reply"].clone()
}

/// What stands beside the reader's `bot.toml`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("menu.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    folder
}

/// Holds one conversation: `[where] text`, then the answers as `→ text`; `(5s pass)` lets time go on.
async fn hold(block: &str, conversation: &str, folder: &Path) {
    let mut init = InitCtx::new();
    init.place = Place::of(folder);
    let mut kit = Kit::<AutoReply>::start_at(settings(block), init).await.unwrap();
    let owner = kit.user("owner");
    owner.is(Role::Owner);
    let mut lines = conversation.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(span) = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(" pass)")) {
            let span: Duration = parse_duration(span).unwrap();
            kit.advance_ms(i64::try_from(span.as_millis()).unwrap());
            continue;
        }
        let (place, text) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).expect(line);
        let text = text.trim();
        let mut want = Vec::new();
        while let Some(answer) = lines.next_if(|line| line.starts_with("  → ")) {
            want.extend(answer.strip_prefix("  → ").filter(|answer| *answer != "(silence)").map(str::to_owned));
        }
        if place == "owner" {
            // Roles are known of people who talk, and not of events that are made by hand.
            assert_eq!(owner.say(text).await.replies(), want, "{line}");
            continue;
        }
        let event = event(&mut kit, place, text);
        let mut got = Vec::new();
        for effect in kit.effects(&event).await.unwrap() {
            match effect {
                Effect::Reply { text, mention_sender: true } => got.push(format!("@Li Lei {text}")),
                Effect::Reply { text, .. } => got.push(text),
                Effect::Media { source: MediaSource::Path { path, .. }, .. } => {
                    got.push(format!("(image {})", path.file_name().unwrap().to_str().unwrap()));
                }
                Effect::Act(Action::AcceptFriend { .. }) => got.push("(accepted)".to_owned()),
                Effect::Swap { .. } | Effect::Put { .. } | Effect::Delete { .. } => {}
                other @ (Effect::Media { .. }
                | Effect::Act(_)
                | Effect::Timer { .. }
                | Effect::CancelTimer { .. }
                | _) => {
                    panic!("{other:?}")
                }
            }
        }
        kit.handle(&event).await.unwrap();
        assert_eq!(got, want, "{line}");
    }
}

/// What happens in a line of a conversation.
fn event(kit: &mut Kit<AutoReply>, place: &str, text: &str) -> Event {
    let (from, room) = match place {
        "private" | "friend request" | "friend added" => ("p1", None),
        "room" | "room, @bot" => ("p1", Some("r1")),
        other => panic!("no such place: {other}"),
    };
    let at_me = place == "room, @bot";
    let text = if at_me { format!("@bot\u{2005}{text}") } else { text.to_owned() };
    let mut event = kit.text_event(from, room, &text);
    event.sender.as_mut().unwrap().name = "Li Lei".to_owned();
    match (&mut event.kind, place) {
        (kind, "friend request") => {
            *kind = EventKind::FriendRequest(FriendRequest {
                user: Some("@a".parse().unwrap()),
                ticket: Ticket::new("t"),
                greeting: text,
                ..FriendRequest::default()
            });
        }
        (kind, "friend added") => {
            *kind = EventKind::FriendAdded { name: "Li Lei".to_owned(), by: Who::Me, notice: String::new() };
        }
        (EventKind::Message(message), _) => message.mentions.me = at_me,
        (other, _) => panic!("{other:?}"),
    }
    event
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let (examples, folder) = (examples(), folder());
    let held = examples.iter().filter(|(_, conversation)| conversation.is_some()).count();
    assert_eq!((examples.len(), held), (7, 6));
    for (block, conversation) in examples {
        if block.contains(".llm]") && cfg!(not(feature = "llm")) {
            continue;
        }
        assert_eq!(Settings::read(&settings(block), &Place::of(folder.path())).err(), None, "{block}");
        if let Some(conversation) = conversation {
            hold(block, conversation, folder.path()).await;
        }
    }
}

#[test]
fn both_languages_name_every_setting_and_default() {
    let (english, chinese) = README.split_once("## 简体中文").unwrap();
    let schema = Settings::schema();
    let places = ["", "/rules/items/properties", "/away/properties", "/friends/properties"];
    let llm = cfg!(feature = "llm").then_some("/llm/properties");
    for place in places.into_iter().chain(llm) {
        for (key, property) in schema.pointer(&format!("/properties{place}")).and_then(Value::as_object).unwrap() {
            for part in [english, chinese] {
                let row = part.lines().filter(|line| line.starts_with(&format!("| `{key}` |"))).collect::<Vec<_>>();
                assert!(!row.is_empty(), "{key} has a row");
                let Some(default) = property.get("default") else { continue };
                // A sentence is not repeated in a table.
                let sentence = default.as_str().is_some_and(|text| text.chars().count() > 20);
                assert!(
                    sentence || row.iter().any(|row| row.contains(&format!("| `{default}` |"))),
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
