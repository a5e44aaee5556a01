//! What does `#[derive(PluginConfig)]` read, and what does it tell?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wxbot_plugin::config::ConfigValue;
use wxbot_plugin::model::{ContactId, Secret};
use wxbot_plugin::prelude::*;

/// Tells the weather.
#[derive(Debug, PartialEq, PluginConfig)]
#[config(check = "order")]
struct Weather {
    /// Where, unless somebody says.
    city: String,
    /// How often it is asked anew.
    #[config(default = "10min", range = "1min"..="1d")]
    every: Duration,
    #[config(default = 3, range = 1..=7)]
    days: u8,
    #[config(default, range = ..100.0)]
    most: Option<f64>,
    #[config(default = Unit::Celsius)]
    unit: Unit,
    #[config(default, max_len = 3)]
    rooms: Vec<ContactId>,
    #[config(default)]
    names: BTreeMap<String, Role>,
    #[config(default = "cache", rename = "cache-in")]
    cache: PathBuf,
    #[config(env = "WEATHER_KEY")]
    key: Option<Secret<String>>,
    #[config(env = "WEATHER_PORT", default = 80)]
    port: u16,
    /// When it is quiet.
    quiet: Quiet,
    #[config(default)]
    alarms: Vec<Alarm>,
}

#[derive(Debug, Clone, Copy, PartialEq, PluginConfig)]
enum Unit {
    /// As most of the world.
    Celsius,
    /// As some.
    Fahrenheit,
    #[config(rename = "K")]
    Kelvin,
}

#[derive(Debug, PartialEq, PluginConfig)]
struct Quiet {
    #[config(default = 22)]
    from: u8,
    #[config(default = 7)]
    to: u8,
}

/// An alarm.
#[derive(Debug, PartialEq, PluginConfig)]
struct Alarm {
    #[config(min_len = 1, max_len = 4)]
    word: String,
    #[config(default)]
    loud: bool,
}

fn order(weather: &Weather) -> Vec<ConfigProblem> {
    if weather.quiet.from == weather.quiet.to {
        return vec![ConfigProblem::at("/quiet/to", "the quiet time is empty")];
    }
    Vec::new()
}

fn place() -> Place {
    Place::of("/bot").with_env([("WEATHER_KEY", "k-123"), ("EMPTY", "")])
}

fn read(settings: Value) -> Result<Weather, Vec<(String, String)>> {
    Weather::read(&settings, &place())
        .map_err(|problems| problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect())
}

#[test]
fn what_nobody_says_is_the_default() {
    let weather = read(json!({ "city": "北京" })).unwrap();
    assert_eq!(weather.city, "北京");
    assert_eq!((weather.every, weather.days, weather.unit), (Duration::from_secs(600), 3, Unit::Celsius));
    assert_eq!(weather.cache, PathBuf::from("/bot/cache"), "paths start from the folder of the file, the default too");
    assert_eq!(weather.key.as_ref().unwrap().expose(), "k-123", "from the environment");
    assert_eq!((weather.port, weather.quiet), (80, Quiet { from: 22, to: 7 }));
}

#[test]
fn what_is_said_counts() {
    let weather = read(json!({
        "city": "x", "every": "1h", "days": 7, "most": 5, "unit": "K", "rooms": ["r1", "r2"],
        "names": { "小李": "admin" }, "cache-in": "/tmp", "quiet": { "to": 8 }, "alarms": [{ "word": "雨", "loud": true }],
    }))
    .unwrap();
    assert_eq!((weather.every, weather.days, weather.most), (Duration::from_secs(3600), 7, Some(5.0)));
    assert_eq!((weather.unit, weather.rooms.len()), (Unit::Kelvin, 2));
    assert_eq!(weather.names["小李"], Role::Admin);
    assert_eq!(weather.cache, PathBuf::from("/tmp"));
    assert_eq!(weather.quiet, Quiet { from: 22, to: 8 });
    assert_eq!(weather.alarms, [Alarm { word: "雨".into(), loud: true }]);
}

#[test]
fn every_mistake_is_told_at_its_place() {
    for (name, settings, want) in [
        ("no table", json!(5), vec![("", "what stands here is a table, not a number")]),
        ("missing", json!({}), vec![("/city", "`city` is missing")]),
        ("unknown", json!({ "city": "x", "ctiy": 1 }), vec![("/ctiy", "there is no setting `ctiy`")]),
        ("sort", json!({ "city": 1 }), vec![("/city", "`city` is a text, not a number")]),
        (
            "several",
            json!({ "city": true, "days": 8, "every": "5", "unit": "kelvin" }),
            vec![
                ("/city", "`city` is a text, not true or false"),
                (
                    "/every",
                    "`every`: `5` is not a duration; write a number and a unit (ms, s, min, h, d), like \"15s\"",
                ),
                ("/days", "`days` must be at least 1 and at most 7, not 8"),
                ("/unit", "`unit` cannot be `kelvin`"),
            ],
        ),
        (
            "beyond the type",
            json!({ "city": "x", "days": 300 }),
            vec![("/days", "`days` is a whole number from 0 to 255, not 300")],
        ),
        (
            "fraction",
            json!({ "city": "x", "port": 1.5 }),
            vec![("/port", "`port` is a whole number from 0 to 65535, not a number with a fraction")],
        ),
        (
            "durations have ranges",
            json!({ "city": "x", "every": "5s" }),
            vec![("/every", "`every` must be at least 1min and at most 1d, not 5s")],
        ),
        ("below", json!({ "city": "x", "most": 100 }), vec![("/most", "`most` must be below 100, not 100")]),
        (
            "too many",
            json!({ "city": "x", "rooms": ["r1", "r2", "r3", "r4"] }),
            vec![("/rooms", "`rooms` must have at most 3 entries, not 4")],
        ),
        (
            "within a list",
            json!({ "city": "x", "rooms": ["r1", 2] }),
            vec![("/rooms/1", "entry 2 of `rooms` is the id of a contact like \"p12\", not a number")],
        ),
        (
            "within a map",
            json!({ "city": "x", "names": { "a/b": "KING" } }),
            vec![(
                "/names/a~1b",
                "`a/b`: `KING` is no role: use `owner`, `admin`, `group-admin`, `user`, or a word of lower-case letters, \
             digits and `-`",
            )],
        ),
        (
            "within a table",
            json!({ "city": "x", "alarms": [{ "word": "" }, { "word": "a", "lod": 1 }] }),
            vec![
                ("/alarms/0/word", "`word` must have at least 1 characters, not 0"),
                ("/alarms/1/lod", "there is no setting `lod`"),
            ],
        ),
        ("no table within", json!({ "city": "x", "quiet": [] }), vec![("/quiet", "`quiet` is a table, not a list")]),
        (
            "between fields",
            json!({ "city": "x", "quiet": { "from": 7 } }),
            vec![("/quiet/to", "the quiet time is empty")],
        ),
    ] {
        let want: Vec<_> = want.into_iter().map(|(at, what)| (at.to_owned(), what.to_owned())).collect();
        assert_eq!(read(settings).unwrap_err(), want, "{name}");
    }
}

#[test]
fn the_help_says_what_to_do() {
    let help = |settings: Value| {
        let problems = Weather::read(&settings, &place()).unwrap_err();
        problems.into_iter().map(|problem| problem.help.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(help(json!({})), ["add `city`, a text: Where, unless somebody says."]);
    assert!(help(json!({ "city": "x", "dais": 1 }))[0].starts_with("did you mean `days`? known are `city`"));
    assert_eq!(
        help(json!({ "city": "x", "unit": "celcius" })),
        ["did you mean `celsius`? known are `celsius`, `fahrenheit`, `K`"]
    );
}

#[test]
fn sec_secrets_do_not_stand_in_the_file_and_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "from-file\r\n").unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    let place = Place::of(folder.path()).with_env([("KEY", "from-env")]);
    let read = |key: Value| Weather::read(&json!({ "city": "x", "key": key }), &place);
    for (key, want) in [(json!({ "env": "KEY" }), "from-env"), (json!({ "file": "key" }), "from-file")] {
        let weather = read(key).unwrap();
        assert_eq!(weather.key.as_ref().unwrap().expose(), want);
        assert!(!format!("{weather:?}").contains(want));
    }
    for (name, key, pointer) in [
        ("in the clear", json!("hunter2"), "/key"),
        ("as a list", json!(["hunter2"]), "/key"),
        ("both", json!({ "env": "KEY", "file": "hunter2" }), "/key"),
        ("neither", json!({}), "/key"),
        ("another word", json!({ "value": "hunter2" }), "/key/value"),
        ("not set", json!({ "env": "hunter2" }), "/key/env"),
        ("no file", json!({ "file": "hunter2" }), "/key/file"),
        ("empty file", json!({ "file": "empty" }), "/key/file"),
        ("no name", json!({ "env": 5 }), "/key/env"),
    ] {
        let problems = read(key).unwrap_err();
        let [problem] = &problems[..] else { panic!("{name}: {problems:?}") };
        assert_eq!((problem.pointer.as_str(), problem.secret), (pointer, true), "{name}");
        assert!(!format!("{problem:?}").contains("hunter2"), "{name}: {problem:?}");
    }
    let debug = format!("{:?}", Place::default().with_env([("A", "hunter2")]));
    assert!(debug.contains('A') && !debug.contains("hunter2"), "{debug}");
}

#[test]
fn the_environment_is_asked_when_the_file_is_silent() {
    let port = |env: &str, file: Value| {
        let place = Place::default().with_env([("WEATHER_PORT", env)]);
        Weather::read(&file, &place).map(|weather| weather.port).map_err(|problems| format!("{problems:?}"))
    };
    assert_eq!(port("8080", json!({ "city": "x" })), Ok(8080));
    assert_eq!(port("8080", json!({ "city": "x", "port": 1 })), Ok(1), "the file wins");
    assert_eq!(port("", json!({ "city": "x" })), Ok(80), "an empty one is none");
    let told = port("hunter2", json!({ "city": "x" })).unwrap_err();
    assert!(told.contains("`WEATHER_PORT`") && !told.contains("hunter2"), "{told}");
}

#[test]
fn the_schema_knows_what_the_reading_knows() {
    let schema = Weather::schema();
    assert_eq!(schema["description"], "Tells the weather.");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["city"]));
    let of = |key: &str| &schema["properties"][key];
    assert_eq!(of("city"), &json!({ "type": "string", "description": "Where, unless somebody says." }));
    assert_eq!(of("days"), &json!({ "type": "integer", "minimum": 1, "maximum": 7, "default": 3 }));
    assert_eq!(of("every")["default"], "10min");
    assert_eq!(of("most"), &json!({ "type": "number", "exclusiveMaximum": 100.0 }));
    assert_eq!(of("unit")["default"], "celsius");
    assert_eq!(of("unit")["oneOf"][0], json!({ "const": "celsius", "description": "As most of the world." }));
    assert_eq!(of("rooms")["maxItems"], 3);
    assert_eq!(of("cache-in")["default"], "cache");
    assert!(of("key")["description"].as_str().unwrap().contains("`WEATHER_KEY`") && of("key")["default"].is_null());
    assert_eq!(of("quiet")["properties"]["from"]["default"], 22);
    assert_eq!(of("alarms")["items"]["required"], json!(["word"]));
    assert_eq!(Unit::Kelvin.shown(), Some(json!("K")));
}

/// Any settings, often with keys that are known.
fn settings() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        prop::sample::select(vec![
            "city", "every", "days", "most", "unit", "rooms", "names", "cache-in", "key", "port", "quiet", "alarms",
            "from", "to", "word", "loud", "env", "file",
        ])
        .prop_map(str::to_owned),
        "[a-c/~]{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..400).prop_map(Value::from),
        (-1e3..1e3).prop_map(Value::from),
        prop::sample::select(vec!["", "x", "1h", "5s", "celsius", "K", "r1", "admin", "WEATHER_KEY"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn settings_are_read_or_told(mut settings in settings(), with_city in any::<bool>()) {
        if let (Some(map), true) = (settings.as_object_mut(), with_city) {
            map.insert("city".into(), json!("x"));
        }
        let Err(problems) = Weather::read(&settings, &place()) else { return Ok(()) };
        prop_assert!(!problems.is_empty(), "an error that says nothing");
        for problem in problems {
            let parent = problem.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            let there = settings.pointer(&problem.pointer).or_else(|| settings.pointer(parent));
            prop_assert!(there.is_some(), "{} leads nowhere in {settings}", problem.pointer);
            prop_assert!(!problem.message.is_empty() && !problem.message.ends_with('.'), "{}", problem.message);
        }
    }
}
