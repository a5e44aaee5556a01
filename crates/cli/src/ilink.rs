//! What does `bot.toml` say of an iLink account, and what becomes of it?

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;
use wxbot_core::ilink::{self, ILink, Settings};
use wxbot_core::protocol::{Protocol, ReplyWindow};
use wxbot_core::source::Source;
use wxbot_core::transport::Transport;
use wxbot_model::Capabilities;
use wxbot_model::span::{Rate, parse_duration};
use wxbot_plugin::ConfigProblem;
use wxbot_runtime::config::{Key, Kind, Pacing, Preset, ProtocolSpec, Said};
use wxbot_runtime::pacing::{Kinds, Manners, WarmUp};

/// The version of the official client that this was written after.
const VERSION: &str = "2.4.9";
/// Outside of this a hold is either a hot loop or longer than any proxy bears.
const HOLD: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(120);
/// The service reads no more of an agent.
const AGENT_MAX: usize = 256;

const OPTIONS: &[Key] = &[
    Key::new(
        "cdn",
        "Where media go when the service names no whole address; absent: the service's own.",
        Kind::Url { schemes: &["http", "https"] },
    ),
    Key::new("version", "The client version that is announced, like `2.4.9`.", Kind::Text)
        .preset(Preset::Text(VERSION)),
    Key::new(
        "agent",
        "What the service is told to talk to: products like `shop/1.2 (north)`; absent: `wxbot/` and its version.",
        Kind::Text,
    ),
    Key::new("route_tag", "The `SKRouteTag` header, for those whom the service gave one.", Kind::Text),
    Key::new(
        "hold",
        "How long the service holds a question for messages, unless it says another time: 5 s to 120 s.",
        Kind::Duration,
    )
    .preset(Preset::Text("35s")),
    Key::new(
        "window_sends",
        "How many messages may go to a person for each message that came from them.",
        Kind::Integer { min: 1, max: 100 },
    )
    .preset(Preset::Integer(10)),
    Key::new(
        "window_hours",
        "For how many hours after a message of theirs a person can be written to.",
        Kind::Integer { min: 1, max: 168 },
    )
    .preset(Preset::Integer(24)),
    Key::new(
        "chunk",
        "How many characters one text may have; longer ones go out in parts.",
        Kind::Integer { min: 200, max: 4_000 },
    )
    .preset(Preset::Integer(2_000)),
    Key::new(
        "experimental_voice",
        "Sends speech as speech and not as a file; the phone has not shown it since the middle of 2026.",
        Kind::Bool,
    )
    .preset(Preset::Bool(false)),
];

/// What was seen to go well: one a second, ten in three minutes. 18 in 34 s shut a whole bot out for minutes.
const PACING: Pacing = Pacing::new(
    Rate::new(10, Duration::from_secs(180)),
    10,
    Rate::new(1, Duration::from_secs(1)),
    Duration::from_secs(600),
)
.with(Manners {
    // A login is the owner's own scan, and no stranger's: nobody watches how it begins. Of an interval of 18 s these are a
    // second at most, so that two chats are not answered in the same moment.
    warm_up: WarmUp::NONE,
    jitter_percent: 6,
    kinds: Kinds {
        text: None,
        media: None,
        friend_request: None,
        friend_accept: None,
        room_change: None,
        recall: None,
    },
    ..Manners::PERSON
});

/// What configuration knows of it.
pub(crate) fn spec() -> ProtocolSpec {
    ProtocolSpec {
        name: "ilink",
        about: "iLink (ClawBot): the official way of a personal account to a bot, direct chats only",
        profiles: &[],
        capabilities: ilink::capabilities(),
        judge: Some(judge),
        supplies: None,
        direct_only: Some("iLink gives a bot direct chats with people who write to it, and no rooms"),
        simulated: true,
        takes_endpoint: true,
        takes_proxy: true,
        only_one: false,
        options: OPTIONS,
        pacing: PACING,
    }
}

fn judge(said: &Said<'_>) -> Result<Capabilities, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let text = |key: &str| said.options.get(key).and_then(Value::as_str);
    if let Some(version) = text("version").filter(|version| !is_version(version)) {
        problems.push(
            ConfigProblem::at("/version", format!("`{}` is no version that can be announced", short(version)))
                .help("three numbers of 0 to 255, like \"2.4.9\""),
        );
    }
    if let Some(agent) = text("agent")
        && let Err(why) = judge_agent(agent)
    {
        problems.push(
            ConfigProblem::at("/agent", format!("the service reads no such agent: {why}"))
                .help("a name and a version, perhaps with a comment, like \"shop/1.2 (north)\""),
        );
    }
    if let Some(tag) = text("route_tag").filter(|tag| !is_tag(tag)) {
        problems.push(
            ConfigProblem::at("/route_tag", format!("`{}` cannot stand in a header", short(tag))).help(
                "1 to 64 printable ASCII characters without spaces; without a tag of the service leave the key out",
            ),
        );
    }
    if let Some(Ok(hold)) = text("hold").map(parse_duration)
        && !HOLD.contains(&hold)
    {
        problems.push(
            ConfigProblem::at("/hold", "the service holds no question for so long")
                .help("5s to 120s; \"35s\" is the service's own, \"10s\" helps behind a proxy that cuts long answers"),
        );
    }
    if problems.is_empty() { Ok(ilink::capabilities()) } else { Err(problems) }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn is_version(text: &str) -> bool {
    // `u8` would take a sign as well.
    let part = |part: &str| part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u8>().is_ok();
    text.split('.').count() == 3 && text.split('.').all(part)
}

fn is_tag(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The service drops what does not fit without a word, and takes us for another program: said here instead.
fn judge_agent(text: &str) -> Result<(), String> {
    if text.len() > AGENT_MAX {
        return Err(format!("it has {} bytes, and {AGENT_MAX} are read", text.len()));
    }
    let token = |of: &str, more: &str| {
        (1..=32).contains(&of.len()) && of.bytes().all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
    };
    let mut rest = text;
    loop {
        let (product, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let fits = product.split_once('/').is_some_and(|(name, version)| token(name, "_.-") && token(version, "_.-+"));
        if !fits {
            return Err(format!("`{}` is no `name/version`", short(product)));
        }
        rest = after;
        if let Some(inside) = rest.strip_prefix('(') {
            let Some((comment, after)) = inside.split_once(')') else {
                return Err("a comment has no end".to_owned());
            };
            let plain = |b: u8| (b' '..=b'~').contains(&b) && b != b'(';
            if !(1..=64).contains(&comment.len()) || !comment.bytes().all(plain) {
                return Err("a comment has 1 to 64 plain characters and no brackets".to_owned());
            }
            if !after.is_empty() && !after.starts_with(' ') {
                return Err("a space parts a comment from what follows".to_owned());
            }
            rest = after.strip_prefix(' ').unwrap_or_default();
            if rest.is_empty() && !after.is_empty() {
                return Err("it ends with a space".to_owned());
            }
        } else if product.len() < text.len() && rest.is_empty() && text.ends_with(' ') {
            return Err("it ends with a space".to_owned());
        }
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// The protocol of one account. `endpoint` is the address that stands in for the service, the simulator's included.
pub(crate) fn protocol(
    options: &Map<String, Value>,
    endpoint: Option<Url>,
    transport: Arc<dyn Transport>,
    source: &Source,
) -> Arc<dyn Protocol> {
    Arc::new(ILink::new(settings(options, endpoint), transport, source.clone()))
}

/// How wide a text may be.
pub(crate) fn text_limit(options: &Map<String, Value>) -> usize {
    settings(options, None).text_limit
}

fn settings(options: &Map<String, Value>, endpoint: Option<Url>) -> Settings {
    let text = |key: &str| options.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let number = |key: &str, preset: u32| {
        options.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(preset)
    };
    let hold = text("hold").and_then(|text| parse_duration(text).ok()).unwrap_or(Duration::from_secs(35));
    Settings {
        endpoint,
        cdn: text("cdn").and_then(|url| Url::parse(url).ok()),
        version: text("version").unwrap_or(VERSION).to_owned(),
        agent: text("agent").map_or_else(|| format!("wxbot/{}", env!("CARGO_PKG_VERSION")), str::to_owned),
        route_tag: text("route_tag").map(str::to_owned),
        hold,
        window: ReplyWindow {
            sends: number("window_sends", 10),
            open_for: Duration::from_secs(u64::from(number("window_hours", 24)) * 3_600),
        },
        text_limit: usize::try_from(number("chunk", 2_000)).unwrap_or(2_000),
        experimental_voice: options.get("experimental_voice").and_then(Value::as_bool).unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_that_can_be_announced() {
        for (text, want) in [
            ("2.4.9", true),
            ("0.0.255", true),
            ("2.4", false),
            ("2.4.9.1", false),
            ("2.4.256", false),
            ("2.4.+9", false),
            ("2..9", false),
            ("v2.4.9", false),
            ("", false),
        ] {
            assert_eq!(is_version(text), want, "{text}");
        }
    }

    #[test]
    fn agents_that_the_service_reads() {
        let long_name = format!("{}/1", "n".repeat(33));
        let long_comment = format!("a/1 ({})", "c".repeat(65));
        let too_long = vec!["a/1"; 65].join(" ");
        for (text, want) in [
            ("wxbot/0.1.0", ""),
            ("shop/1.2 (north) wxbot/0.1.0+x", ""),
            ("a/1 (b) ", "it ends with a space"),
            ("a/1 ", "it ends with a space"),
            ("", "`` is no"),
            ("wxbot", "`wxbot` is no"),
            ("a/1  b/2", "`` is no"),
            ("a/1 b", "`b` is no"),
            ("a/", "`a/` is no"),
            ("小店/1", "`小店/1` is no"),
            ("a/1 (b", "no end"),
            ("a/1 ()", "1 to 64"),
            ("a/1 (b)c/1", "a space parts"),
            (&long_name, "is no"),
            (&long_comment, "1 to 64"),
            (&too_long, "259 bytes"),
        ] {
            let said = judge_agent(text).err().unwrap_or_default();
            assert!(if want.is_empty() { said.is_empty() } else { said.contains(want) }, "{text:?}: {said:?}");
        }
    }

    #[test]
    fn options_become_settings() {
        let options = json!({
            "cdn": "https://cdn.example.net/c2c", "version": "2.5.0", "agent": "shop/1", "route_tag": "7", "hold": "10s",
            "window_sends": 3, "window_hours": 2, "chunk": 500, "experimental_voice": true,
        });
        let Value::Object(options) = options else { panic!("a table") };
        let all = settings(&options, Url::parse("http://127.0.0.1:9").ok());
        assert_eq!((all.version.as_str(), all.agent.as_str()), ("2.5.0", "shop/1"));
        assert_eq!(all.cdn.as_ref().map(Url::as_str), Some("https://cdn.example.net/c2c"));
        assert_eq!((all.route_tag.as_deref(), all.hold, all.text_limit), (Some("7"), Duration::from_secs(10), 500));
        assert_eq!(all.window, ReplyWindow { sends: 3, open_for: Duration::from_secs(7_200) });
        assert!(all.experimental_voice && all.endpoint.is_some());
        let none = settings(&Map::new(), None);
        assert_eq!((none.version.as_str(), none.text_limit), (VERSION, 2_000));
        assert_eq!(none.agent, format!("wxbot/{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(none.window, ReplyWindow { sends: 10, open_for: Duration::from_secs(86_400) });
        assert!(none.endpoint.is_none() && none.cdn.is_none() && !none.experimental_voice);
        // What stands in for the agent must be readable itself.
        assert_eq!(judge_agent(&none.agent), Ok(()));
    }
}
