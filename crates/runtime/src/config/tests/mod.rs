//! Is every mistake told once, at its place, and does a good file mean what it says?

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use wxbot_model::span::Rate;
use wxbot_plugin::{InitCtx, Place};

use super::diagnostic::codes;
use super::*;
use crate::pacing::{Kinds, Manners, OnRepeat, OnSameText, Pushes, Repeat, SameText, WarmUp};
use crate::store::Keep;
use rig::{check, parsed, registry, told, web};

mod people;
pub(super) mod rig;
mod rules;
mod secrets;

const TWELVE: &str = include_str!("../testdata/twelve-mistakes.toml");
const GOOD: &str = include_str!("../testdata/good.toml");

#[test]
fn twelve_mistakes_are_told_at_once() {
    check(
        &[(
            "fixture",
            TWELVE.to_owned(),
            &[
                ("unknown_key", "data_dirr"),
                ("unknown_middleware", "\"acess\""),
                ("wrong_type", "\"five\""),
                ("bad_rate", "\"20/fortnight\""),
                ("bad_duration", "\"10 minuten\""),
                ("plugin_settings", "\"soon\""),
                ("unknown_plugin", "\"keywrod\""),
                ("bad_choice", "\"retry\""),
                ("secret_in_clear", "\"hunter2\""),
                ("duplicate_account", "\"小店\""),
                ("foreign_option", "mode"),
                ("impossible_capability", "\"greeter\""),
            ],
        )],
        told,
    );
    let mistakes = parsed(TWELVE).unwrap_err();
    let shown = format!("{mistakes}\n{mistakes:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(mistakes.to_string().contains("bot.toml:6:9: `burst` is a text; a whole number is expected"), "{mistakes}");
    assert!(mistakes.to_string().contains("help: did you mean `data_dir`?"), "{mistakes}");
    let duplicate = mistakes.list.iter().find(|d| d.code == codes::DUPLICATE_ACCOUNT).unwrap();
    assert_eq!(line_col(&mistakes.text, duplicate.also[0].0.start), (16, 8));
}

#[test]
fn a_good_file_means_what_it_says() {
    let Loaded { config, warnings } = parsed(GOOD).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/etc/wxbot/state"));
    assert_eq!(config.archive, ArchiveSettings { keep: Duration::from_secs(90 * 86_400) });
    assert_eq!(config.media, MediaSettings { max_size: 2 << 30, keep: Duration::from_secs(7 * 86_400) });
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let keep = Keep { done: days(3), dead: days(60), keys: days(20), sends: days(10) };
    assert_eq!(config.keep, keep);
    assert_eq!(config.store, StoreSettings { reserve: 1 << 30 });
    let [shop, hook, me] = config.accounts.as_slice() else { panic!("{config:?}") };
    assert_eq!(shop.endpoint, Some(Endpoint::Url("http://127.0.0.1:9000".parse().unwrap())));
    assert_eq!(shop.proxy.as_ref().and_then(url::Url::password), Some("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!((shop.on_uncertain, shop.typing), (OnUncertain::Drop, false));
    assert_eq!(Value::Object(shop.options.clone()), json!({ "mode": "browser" }));
    assert_eq!(
        shop.plugins,
        [PluginUse {
            id: "auto-reply".to_owned(),
            settings: json!({
                "cooldown": "1s",
                "rules": [{ "keyword": "a", "reply": "b" }, { "keyword": "c", "reply": "d" }],
                "limits": { "day": 3, "week": 50 },
            }),
            init: placed("/etc/wxbot"),
            plugin: registry().plugin("auto-reply").unwrap().clone(),
        }]
    );
    assert_eq!(
        shop.middleware,
        [
            MiddlewareUse {
                name: "loop-guard".to_owned(),
                settings: json!({ "replies": 7, "per": "20s", "mute": "10s" }),
                place: Place::default(),
                own: None,
            },
            MiddlewareUse { name: "trace".to_owned(), settings: json!({}), place: Place::default(), own: None },
        ]
    );
    assert_eq!(shop.pacing.per_account, Rate::new(5, Duration::from_secs(1)));
    assert_eq!((shop.pacing.burst, shop.pacing.max_age), (4, Duration::from_secs(7200)));
    let (per_hour, per_minute) =
        (|n| Some(Rate::new(n, Duration::from_secs(3_600))), |n| Some(Rate::new(n, Duration::from_secs(60))));
    let manners = Manners {
        kinds: Kinds {
            text: Some(Rate::new(1, Duration::from_secs(1))),
            media: per_minute(10),
            friend_request: per_hour(5),
            friend_accept: per_hour(20),
            room_change: per_hour(15),
            recall: per_minute(6),
        },
        jitter_percent: 30,
        warm_up: WarmUp { over: Duration::from_secs(3_600), from_percent: 20 },
        same_text: SameText { act: OnSameText::Wait, chats: 4, per: Duration::from_secs(1_200), answers_too: true },
        repeat: Repeat { act: OnRepeat::Drop, after: Duration::from_secs(10) },
        pushes: Pushes::Merge,
    };
    assert_eq!((shop.pacing.manners, shop.pacing.lifted), (manners, false));
    let quiet = |hours: &str, answers_too| {
        Some(Quiet { hours: hours.parse().unwrap(), zone: "Asia/Urumqi".parse().unwrap(), answers_too })
    };
    assert_eq!((&shop.quiet, &hook.quiet), (&quiet("12:00-13:00 Sun", false), &quiet("23:00-07:00", true)));
    assert_eq!(shop.secrets["HOOK_TOKEN"], SecretSource::Env("SHOP_HOOK_TOKEN".to_owned()));
    assert_eq!(shop.secrets["CALLBACK_KEY"], SecretSource::File(PathBuf::from("/etc/wxbot/secrets/callback")));
    assert_eq!((hook.profile.as_deref(), hook.enabled), (Some("v4"), false));
    assert_eq!(hook.plugins.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["auto-reply", "greeter"]);
    assert_eq!(hook.middleware.len(), 6);
    assert!(me.plugins.is_empty());
    assert_eq!(warnings, []);
}

#[test]
fn defaults_hold_where_nothing_is_said() {
    let config = parse(&web(""), Path::new("bot.toml"), &registry()).unwrap().config;
    assert_eq!(config.data_dir, PathBuf::from("data"));
    assert_eq!(config.media, MediaSettings { max_size: 1 << 30, keep: Duration::from_secs(30 * 86_400) });
    assert_eq!(config.store, StoreSettings { reserve: 256 << 20 });
    assert_eq!(
        Value::Object(keys::presets(keys::STORE)),
        json!({ "reserve": "256MiB", "keep_done": "7d", "keep_dead": "90d", "keep_keys": "30d", "keep_sends": "30d" })
    );
    assert_eq!(Value::Object(keys::presets(keys::MEDIA)), json!({ "max_size": "1GiB", "keep": "30d" }));
    assert_eq!(config.keep, Keep::default());
    let account = &config.accounts[0];
    assert_eq!(account.middleware.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), DEFAULT_MIDDLEWARE);
    assert_eq!(account.middleware[1].settings, json!({ "after": "10min" }));
    assert_eq!(Value::Object(account.options.clone()), json!({ "mode": "desktop" }));
    assert_eq!((account.pacing.burst, account.enabled, account.on_uncertain), (3, true, OnUncertain::Hold));
    assert!(account.typing);
    assert_eq!((account.pacing.manners, account.quiet.as_ref()), (Manners::PERSON, None));
    let sim = parsed(&web("endpoint = \"sim\"")).unwrap().config;
    assert_eq!(sim.accounts[0].endpoint, Some(Endpoint::Sim));
    let cold = Manners { warm_up: WarmUp::NONE, ..Manners::PERSON };
    assert_eq!(sim.accounts[0].pacing.manners, cold, "nobody watches what is not WeChat");
}

/// A load test measures the machinery; what it says itself holds all the same.
#[test]
fn a_pace_that_is_lifted_lifts_what_belongs_to_it() {
    for (name, lines, lifted, manners) in [
        ("lifted", "pacing = { per_account = \"100000/s\" }", true, Manners::NONE),
        ("only fast", "pacing = { per_account = \"100/s\" }", false, Manners::PERSON),
        (
            "but for one",
            "pacing = { per_account = \"100000/s\", jitter = 7 }",
            true,
            Manners { jitter_percent: 7, ..Manners::NONE },
        ),
        (
            "one chat alone",
            "pacing = { per_chat = \"100000/s\", warm_up = \"0s\" }",
            false,
            Manners { warm_up: WarmUp { over: Duration::ZERO, from_percent: 33 }, ..Manners::PERSON },
        ),
    ] {
        let pacing = parsed(&web(lines)).unwrap().config.accounts[0].pacing;
        assert_eq!((pacing.lifted, pacing.manners), (lifted, manners), "{name}");
    }
}

#[test]
fn secrets_are_never_printed() {
    for lines in [
        "secrets.A = \"hunter2\"",
        "secrets.A = { env = \"hunter2 \" }",
        "secrets.A = { value = \"hunter2\" }",
        "secrets.A = [\"hunter2\"]",
        "secrets = \"hunter2\"",
        "proxy = \"ftp://me:hunter2@h\"",
        "proxy = \"me:hunter2@h\"",
        "endpoint = \"http://me:hunter2@h\"",
        "endpoint = \"me:hunter2@h\"",
        "[accounts.secrets]\nA = \"hunter2",
        "proxy = \"ftp://me:hunter2@h",
    ] {
        let mistakes = parsed(&web(lines)).unwrap_err();
        let shown = format!("{mistakes}\n{mistakes:?}");
        assert!(!shown.contains("hunter2"), "{lines}\n{shown}");
    }
}

#[test]
fn files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.toml");
    assert!(matches!(read(&path, &registry()), Err(ConfigError::Unreadable { .. })));
    std::fs::write(&path, web("")).unwrap();
    assert_eq!(read(&path, &registry()).unwrap().config.data_dir, folder.path().join("data"));
    std::fs::write(&path, b"data_dir = \"\xd0\xa1\xff\"").unwrap();
    let Err(ConfigError::Mistakes(mistakes)) = read(&path, &registry()) else { panic!() };
    assert_eq!((mistakes.list[0].code, mistakes.list[0].span.start), (codes::NOT_UTF8, 14));
}

#[test]
fn the_schema_knows_every_key() {
    let schema = schema(&registry());
    let account = &schema["properties"]["accounts"]["items"];
    for key in keys::top() {
        assert_eq!(schema["properties"][key.name]["description"], key.doc, "{}", key.name);
    }
    for key in keys::account() {
        assert_eq!(account["properties"][key.name]["description"], key.doc, "{}", key.name);
    }
    for table in keys::MIDDLEWARE.iter().map(|key| key.name).chain(["pacing"]) {
        let keys = if table == "pacing" { keys::PACING } else { keys::middleware(table) };
        for key in keys {
            for place in [&schema, account] {
                assert_eq!(place["properties"][table]["properties"][key.name]["description"], key.doc, "{}", key.name);
            }
        }
    }
    assert_eq!(schema["required"], json!(["accounts"]));
    assert_eq!(account["required"], json!(["name", "protocol"]));
    assert_eq!(account["allOf"][0]["then"]["properties"]["mode"]["default"], "desktop");
    assert_eq!(account["allOf"][0]["then"]["properties"]["port"], false);
    assert_eq!(account["allOf"][1]["then"]["properties"]["endpoint"], false);
    assert_eq!(account["allOf"][2]["then"]["required"], json!(["port", "profile"]));
    assert!(account["properties"]["port"].is_object());
    let plugin = &schema["$defs"]["plugin-auto-reply"];
    assert_eq!(plugin["properties"]["cooldown"]["$ref"], "#/$defs/plugin-auto-reply/$defs/span");
    assert_eq!(plugin.get("required"), None);
    for place in [&schema, account] {
        let of = &place["properties"]["plugins"]["properties"];
        assert_eq!(of["auto-reply"]["$ref"], "#/$defs/plugin-auto-reply");
    }
}

#[test]
fn deep_files_are_refused_without_harm() {
    for text in [
        format!("a = {}{}", "[".repeat(70), "]".repeat(70)),
        format!("a = {}", "[".repeat(20_000)),
        format!("a = {}", "{a=".repeat(20_000)),
        format!("{}a = 1", "a.".repeat(20_000)),
        format!("[{}a]", "a.".repeat(70)),
        format!("a = {}1{}", "{a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=".repeat(70), "}".repeat(70)),
    ] {
        let mistakes = parsed(&text).unwrap_err();
        assert!(mistakes.list.iter().any(|d| d.code == codes::TOO_DEEP || d.code == codes::SYNTAX), "{mistakes}");
    }
}

/// Whatever it says, it says it properly.
fn sound(text: &str) {
    let (file, list) = match parsed(text) {
        Ok(loaded) => {
            assert!(!loaded.config.accounts.is_empty());
            (text.to_owned(), loaded.warnings)
        }
        Err(mistakes) => {
            assert!(!mistakes.list.is_empty());
            (mistakes.text, mistakes.list)
        }
    };
    assert_eq!(file.len(), text.len());
    assert!(list.is_sorted_by_key(|d| d.span.start));
    for diagnostic in &list {
        for span in diagnostic.also.iter().map(|(span, _label)| span).chain([&diagnostic.span]) {
            assert!(text.get(span.clone()).is_some() && file.get(span.clone()).is_some(), "{diagnostic:?}");
        }
        assert!(codes::ALL.contains(&diagnostic.code) && !diagnostic.message.is_empty());
        assert!(!diagnostic.message.contains('\n') && !diagnostic.message.ends_with('.'), "{diagnostic:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        sound(&text);
    }

    #[test]
    fn any_toml_like_text_is_read_or_refused(
        text in "(\\[\\[accounts\\]\\]\n|\\[plugins\\.x\\]\n|(name|use|pacing\\.burst|\"\u{540d}\") ?= ?|\"|'''|[\\[\\]{},.=#\r\n\t 0-9a\u{540d}\u{feff}]){0,40}",
    ) {
        sound(&text);
    }

    #[test]
    fn any_mutation_of_a_file_is_read_or_refused(
        twelve in any::<bool>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, "[\\[\\]{}\"'=.,#\n a1\u{540d}]{0,3}"), 1..5),
    ) {
        let mut text = if twelve { TWELVE } else { GOOD }.to_owned();
        for (at, len, with) in cuts {
            let at = text.floor_char_boundary(at.index(text.len().max(1)));
            let end = text.ceil_char_boundary((at + len).min(text.len()));
            text.replace_range(at..end, &with);
        }
        sound(&text);
    }
}

/// What a plugin is told whose settings stand in this folder.
fn placed(folder: &str) -> InitCtx {
    let mut init = InitCtx::new();
    init.place = Place::of(folder);
    init
}
