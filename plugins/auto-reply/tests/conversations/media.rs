//! Which files are sent, and which are refused before anything runs?

use std::path::Path;

use serde_json::{Value, json};
use wxbot_auto_reply::{AutoReply, Settings};
use wxbot_plugin::model::{Capability, MediaShape};
use wxbot_plugin::testing::{Kit, What};
use wxbot_plugin::{InitCtx, MediaSource, Place, Plugin, PluginConfig};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n rest";
const GIF: &[u8] = b"GIF89a rest";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// A folder with a `bot.toml` and files beside it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pics")).unwrap();
    for (name, bytes) in [
        ("pics/menu.png", PNG),
        ("wave.gif", GIF),
        ("film.mp4", MP4),
        ("list.pdf", b"%PDF-1.7 rest"),
        ("empty.png", b""),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

async fn kit(folder: &Path, settings: Value) -> Kit<AutoReply> {
    let mut init = InitCtx::new();
    init.place = Place::of(folder);
    Kit::start_at(settings, init).await.unwrap()
}

#[tokio::test]
async fn pictures_films_files_and_stickers_beside_texts() {
    let folder = folder();
    let bot = kit(
        folder.path(),
        json!({ "rules": [
            { "exact": "菜单", "reply": ["给你:", { "image": "pics/menu.png" }] },
            { "exact": "film", "reply": { "video": "film.mp4" } },
            { "exact": "list", "reply": { "file": "list.pdf" } },
            { "exact": "wave", "answers": [{ "sticker": "wave.gif" }] },
        ], "friends": { "greeting": ["hi", { "image": "wave.gif" }] } }),
    )
    .await;
    let alice = bot.user("alice");
    let at = |name: &str| MediaSource::path(folder.path().join(name));
    let heard = alice.say("菜单").await;
    let [text, picture] = heard.sent() else { panic!("{heard:?}") };
    assert_eq!(text.text(), Some("给你:"));
    let What::Media(picture) = &picture.what else { panic!("{picture}") };
    assert_eq!((picture.shape, &picture.source), (MediaShape::Image, &at("pics/menu.png")));
    assert_eq!(alice.say("film").await.gets_media(MediaShape::Video), at("film.mp4"));
    assert_eq!(alice.say("list").await.gets_file(), at("list.pdf"));
    assert_eq!(alice.say("wave").await.gets_media(MediaShape::Sticker), at("wave.gif"));

    bot.cannot(&[Capability::SendImage]);
    alice.say("菜单").await.gets("给你:");
}

/// A file that vanished after the start takes nothing along: the texts are sent, and the event is not handled again.
#[tokio::test]
async fn a_file_that_is_gone_is_left_out() {
    let folder = folder();
    let bot = kit(
        folder.path(),
        json!({ "cooldown": "1h", "rules": [
            { "exact": "菜单", "reply": ["给你:", { "image": "pics/menu.png" }, { "file": "list.pdf" }] },
            { "exact": "film", "reply": { "video": "film.mp4" } },
        ] }),
    )
    .await;
    let alice = bot.user("alice");
    std::fs::remove_file(folder.path().join("pics/menu.png")).unwrap();
    std::fs::write(folder.path().join("film.mp4"), b"").unwrap();
    let heard = alice.say("film").await.gets_nothing();
    assert!(heard.explained().contains("film.mp4` is empty, and is left out"), "{}", heard.explained());
    assert_eq!(bot.kv_keys(), Vec::<String>::new(), "nothing is no answer, and begins no silence");
    let heard = alice.say("菜单").await;
    assert!(heard.explained().contains("menu.png` cannot be found"), "{}", heard.explained());
    let [text, file] = heard.sent() else { panic!("{heard:?}") };
    assert_eq!(text.text(), Some("给你:"));
    assert!(matches!(&file.what, What::Media(media) if media.shape == MediaShape::File), "{file}");
}

#[test]
fn files_are_looked_at_before_anything_runs() {
    let folder = folder();
    let large = std::fs::File::create(folder.path().join("large.png")).unwrap();
    large.set_len(21 << 20).unwrap();
    for (part, pointer, message, help) in [
        (json!({ "image": "none.png" }), "/image", "`none.png` cannot be found", "start from the folder of bot.toml"),
        (json!({ "image": "pics" }), "/image", "`pics` is no file", "start from the folder"),
        (json!({ "image": "empty.png" }), "/image", "`empty.png` is empty", "anew"),
        (json!({ "image": "large.png" }), "/image", "`large.png` has 21 MiB", "a picture may have 20 MiB at most"),
        (json!({ "image": "list.pdf" }), "/image", "`list.pdf` is no picture but application/pdf", "png, jpg"),
        (json!({ "sticker": "pics/menu.png" }), "/sticker", "`pics/menu.png` is no sticker but image/png", "gif"),
        (json!({ "video": "wave.gif" }), "/video", "`wave.gif` is no film but image/gif", "mp4"),
        (json!({ "file": " " }), "/file", "`file` is empty", ""),
        (json!({ "image": 7 }), "/image", "`image` is a text, not a number", ""),
    ] {
        for (settings, at) in [
            (json!({ "rules": [{ "any": true, "reply": part }] }), "/rules/0/reply"),
            (json!({ "rules": [{ "any": true, "reply": ["x", part] }] }), "/rules/0/reply/1"),
            (json!({ "rules": [{ "any": true, "answers": ["x", part] }] }), "/rules/0/answers/1"),
            (json!({ "friends": { "greeting": ["x", part] } }), "/friends/greeting/1"),
        ] {
            let problems = Settings::read(&settings, &Place::of(folder.path())).unwrap_err();
            let [problem] = problems.as_slice() else { panic!("{part}: {problems:?}") };
            assert_eq!(problem.pointer, format!("{at}{pointer}"));
            assert!(problem.message.starts_with(message), "{part}: {}", problem.message);
            assert!(problem.help.as_deref().unwrap_or_default().contains(help), "{part}: {:?}", problem.help);
        }
    }
}

#[test]
fn the_plan_names_what_each_feature_needs() {
    let folder = folder();
    let plan = |settings: Value| {
        let settings = Settings::read(&settings, &Place::of(folder.path())).unwrap();
        let features = AutoReply::plan(&settings).features.into_iter();
        features.map(|feature| (feature.name, feature.pointer, feature.needs)).collect::<Vec<_>>()
    };
    let all = plan(json!({
        "rules": [
            { "exact": "a", "reply": "x" },
            { "exact": "b", "reply": { "image": "wave.gif" } },
            { "exact": "c", "answers": ["x", { "reply": [{ "file": "list.pdf" }, { "image": "wave.gif" }] }] },
        ],
        "away": { "text": "x" },
        "friends": { "accept": true, "greeting": "x" },
    }));
    let row = |name: &str, pointer: &str, needs: &[Capability]| (name.to_owned(), pointer.to_owned(), needs.to_vec());
    assert_eq!(
        all,
        [
            row("replies", "/rules/0", &[Capability::SendText]),
            row("pictures", "/rules/1", &[Capability::SendImage]),
            row("files", "/rules/2", &[Capability::SendFile]),
            row("away mode", "/away", &[Capability::SendText]),
            row("accepting friends", "/friends/accept", &[Capability::FriendRequests, Capability::AcceptFriend]),
            row("greeting friends", "/friends/greeting", &[Capability::SendText]),
        ]
    );
    assert_eq!(plan(json!({ "rules": [] })), []);
}
