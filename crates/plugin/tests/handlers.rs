//! Does a plugin that `#[plugin]` wrote hear what it should, and say what it returns?

mod bench;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::{Bench, now, replies};
use serde_json::json;
use wxbot_plugin::help;
use wxbot_plugin::host::CallMeta;
use wxbot_plugin::manifest::{ArgSpec, Trigger};
use wxbot_plugin::model::{JoinedBy, Quoted, Who};
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::Kit;

#[derive(Default)]
struct Weather;

/// 天气:问城市,答天气。
#[plugin(id = "weather")]
impl Weather {
    /// 查天气
    #[command("天气", alias = ["weather"])]
    async fn weather(
        &self,
        /// 城市
        city: String,
        days: Option<u8>,
        _cx: &Ctx,
    ) -> Result<String, PluginError> {
        Ok(format!("{city} {days:?}"))
    }

    #[command("天气预报")]
    fn forecast(&self, words: Vec<String>) -> String {
        words.join("+")
    }

    #[command("echo")]
    fn echo(&self, text: Rest) -> String {
        text.into_string()
    }

    #[keyword(any = ["价格", "price"])]
    async fn price(&self, who: Sender) -> String {
        format!("{} asks", who.id())
    }

    #[regex(r"^订单\s*(?P<no>\d+)$")]
    async fn order(&self, captures: Captures) -> Option<String> {
        captures.get("no").map(str::to_owned)
    }

    #[command("wait")]
    fn wait(&self, how_long: Duration) -> String {
        format!("{how_long:?}")
    }

    #[command("wait for")]
    fn wait_for(&self, what: Option<Rest>) -> String {
        what.map_or_else(|| "for what?".into(), Rest::into_string)
    }
}

#[test]
fn what_is_said_and_answered() {
    let mut kit = now(Kit::<Weather>::start(json!({}))).unwrap();
    for (name, text, want) in [
        ("an argument", "天气 北京", &["北京 None"][..]),
        ("both", "/天气 北京 3", &["北京 Some(3)"]),
        ("the alias", "Weather \"New York\" 3", &["New York Some(3)"]),
        ("missing", "天气", &["缺少 city (missing: city)\n用法: 天气 <city> [days]"]),
        ("too much", "weather a 1 b c", &["多了「b c」(more than it takes)\n用法: weather <city> [days]"]),
        ("the longer word", "天气预报 a b", &["a+b"]),
        ("glued", "天气北京", &[]),
        ("the rest", "echo  \"a\"  b ", &["\"a\"  b"]),
        ("a keyword", "什么 Price?", &["p1 asks"]),
        ("a regex", "订单 12", &["12"]),
        ("a duration", "wait 10s", &["10s"]),
        ("the longer of two commands", "wait for me", &["me"]),
        ("nothing behind it", "/wait for", &["for what?"]),
        ("nothing", "hello", &[]),
    ] {
        assert_eq!(now(kit.say(text)).unwrap(), want, "{name}");
    }
}

/// R27: other people's words, our own, and old ones are no commands.
#[test]
fn sec_r27_only_what_a_person_types_now_is_a_command() {
    let mut bench = Bench::of::<Weather>();
    let good = bench.text("p1", None, "天气 北京");
    let with = |change: fn(&mut Event)| {
        let mut event = good.clone();
        change(&mut event);
        event
    };
    let quote =
        Quote { text: "天气 北京".into(), quoted: Quoted { text: "天气 北京".into(), ..Quoted::default() } };
    assert_eq!(bench.says(good.clone()), ["北京 None"]);
    for (name, event) in [
        ("a quote", bench.message("p1", None, Content::Quote(quote))),
        ("a text of the service", bench.message("p1", None, Content::System { text: "天气 北京".into() })),
        ("raw", bench.message("p1", None, Content::Unknown { msg_type: 49, raw: "天气 北京".into() })),
        ("late", with(|event| event.late = true)),
        ("nobody", with(|event| event.sender = None)),
        ("an official account", with(|event| event.chat.kind = ChatKind::Official)),
        ("an official account in a room", bench.text("o1", Some("r1"), "天气 北京")),
        ("our own", {
            let mut event = good.clone();
            if let EventKind::Message(message) = &mut event.kind {
                message.from_self = true;
            }
            event
        }),
        ("no message", with(|event| event.kind = EventKind::ContactChanged)),
    ] {
        assert_eq!(bench.says(event), [""; 0], "{name}");
    }
}

#[derive(Default)]
struct Filters;

#[plugin(id = "filters", priority = -3, wants_late, needs = [])]
impl Filters {
    #[command("room", only = group)]
    fn room(&self, room: Room) -> String {
        room.name.clone()
    }

    #[command("me", at_me)]
    fn me(&self, mentions: Mentions) -> String {
        mentions.me.to_string()
    }

    #[command("secret", allow = Role::Admin)]
    fn secret(&self, roles: Roles) -> String {
        roles.may(&Role::Owner).to_string()
    }

    #[command("ours", from = ["p7", "r7"])]
    fn ours(&self) -> &'static str {
        "ours"
    }

    #[command("slow", cooldown = "5s/user")]
    fn slow(&self, how: Option<String>) -> Result<&'static str, PluginError> {
        match how.as_deref() {
            Some("fail") => Err(PluginError::msg("no")),
            Some("wrong") => Err(PluginError::told("wrong")),
            _ => Ok("slow"),
        }
    }

    #[command("pass", block = false)]
    fn pass(&self, cx: &Ctx) -> &'static str {
        cx.reply("first");
        "second"
    }

    #[keyword("pass", priority = -1)]
    fn pass_last(&self) -> &'static str {
        "fifth"
    }

    #[keyword("pass", "stop")]
    fn pass_too(&self, cx: &Ctx) -> Result<(), PluginError> {
        cx.reply("never said");
        Err(PluginError::told("third"))
    }

    #[on(Message, only = private)]
    fn pass_on(&self, _room: Option<Room>, message: &Message) -> Option<&'static str> {
        matches!(&message.content, Content::Text { text } if text == "pass").then_some("fourth")
    }
}

#[test]
fn who_may_use_what_where() {
    let mut bench = Bench::of::<Filters>();
    let first = CallMeta::first;
    let with = |role| first().roles(vec![role]);
    for (name, from, room, text, meta, want) in [
        ("in a room", "p1", Some("r1"), "room", first(), "+room: the command was said"),
        ("not in a room", "p1", None, "room", first(), "room: only in rooms"),
        ("alone nobody is mentioned", "p1", None, "me", first(), "+me: the command was said"),
        ("not mentioned", "p1", Some("r1"), "me", first(), "me: not mentioned"),
        ("no role", "p1", None, "secret", first(), "secret: role admin needed"),
        ("another role", "p1", None, "secret", with(Role::GroupAdmin), "secret: role admin needed"),
        ("the role", "p1", None, "secret", with(Role::Owner), "+secret: the command was said"),
        ("not from", "p1", Some("r1"), "ours", first(), "ours: sender and chat are not in `from`"),
        ("from the person", "p7", Some("r1"), "ours", first(), "+ours: the command was said"),
        ("from the room", "p1", Some("r7"), "ours", first(), "+ours: the command was said"),
        ("another text", "p1", None, "hi", first(), "ours: text does not begin with ours"),
        ("another text for keywords", "p1", None, "hi", first(), "pass_too: text holds none of pass, stop"),
        ("on a message", "p1", None, "hi", first(), "+pass_on: it listens to this kind of event"),
    ] {
        let event = bench.text(from, room, text);
        let notes = bench.why(event, meta);
        assert!(notes.iter().any(|note| note == want), "{name}: {notes:?}");
    }
}

#[test]
fn handlers_come_one_after_the_other_until_one_blocks() {
    let mut bench = Bench::of::<Filters>();
    let event = bench.text("p1", None, "pass");
    let answer = bench.call(event, CallMeta::first(), None).unwrap();
    assert_eq!(replies(&answer.effects), ["first", "second", "third", "fourth", "fifth"]);
    assert!(!answer.block);
    let event = bench.text("p7", None, "ours");
    let answer = bench.call(event, CallMeta::first(), None).unwrap();
    assert!(answer.block, "a command keeps its event");
    assert_eq!(answer.notes.last().unwrap().what, "ours", "nobody is asked behind it");
}

#[test]
fn a_handler_rests_after_it_was_of_use() {
    let mut bench = Bench::of::<Filters>();
    assert_eq!(bench.say("slow wrong"), ["wrong"]);
    assert_eq!(bench.say("slow a b"), ["多了「b」(more than it takes)\n用法: slow [how]"]);
    let failing = bench.text("p1", None, "slow fail");
    assert!(bench.call(failing.clone(), CallMeta::first(), None).is_err());
    let event = bench.text("p1", None, "slow");
    assert_eq!(bench.says(event.clone()), ["slow"], "none of these counted");
    assert_eq!(bench.says(event), ["slow"], "the same event again");
    bench.advance_ms(1_900);
    assert_eq!(bench.say("slow"), [""; 0]);
    let event = bench.text("p1", None, "slow");
    let notes = bench.why(event, CallMeta::first());
    assert!(notes.contains(&"slow: cooldown: 4 s left".to_owned()), "{notes:?}");
    let other = bench.text("p2", None, "slow");
    assert_eq!(bench.says(other), ["slow"]);
    bench.advance_ms(3_100);
    assert_eq!(bench.say("slow"), ["slow"]);
}

#[derive(Debug, Default)]
struct Clock;

#[plugin(config = serde_json::Value)]
impl Clock {
    async fn init(_config: serde_json::Value) -> Result<Self, std::num::ParseIntError> {
        Ok(Self)
    }

    #[on(FriendRequest)]
    fn asked(&self, request: &FriendRequest) -> String {
        request.name.clone()
    }

    #[on(TopicChanged, Pat)]
    async fn changed(&self, event: &Event) -> Result<Effects, PluginError> {
        Ok(Effects::reply(event.kind.word()))
    }

    #[on(Message)]
    fn quoted(&self, quote: Quote, sender: Sender, chat: ChatId, room: Option<Room>) -> AtSender<String> {
        AtSender(format!("{} in {chat}, {}: {}", sender.id(), room.is_some(), quote.text))
    }

    #[on(MembersJoined)]
    fn joined(&self, joined: &MembersJoined, sender: Option<Sender>) -> Vec<String> {
        assert!(sender.is_some());
        joined.names.iter().map(|name| format!("hi {name}")).collect()
    }

    #[timer("remind")]
    fn remind(&self, due: Due<String>) -> String {
        format!("{} at {}", due.payload, due.due_ms)
    }

    #[cron("0 30 7 * * mon-fri", tz = "Asia/Shanghai", missed = Once)]
    async fn morning(&self, config: Config<serde_json::Value>) -> (String, Image<MediaSource>) {
        (config.to_string(), Image(MediaSource::path("/x.png")))
    }
}

#[test]
fn events_timers_and_schedules() {
    let mut bench = Bench::with::<Clock>(json!({ "a": 1 }));
    let by = || Who::other("Ann");
    let timer =
        |name: &str, payload| EventKind::Timer { plugin: "clock".into(), name: name.into(), payload, due_ms: 5 };
    let schedule = |name: &str| EventKind::Schedule { plugin: "clock".into(), name: name.into(), due_ms: 5 };
    for (name, kind, want) in [
        ("a request", EventKind::FriendRequest(FriendRequest { name: "Bo".into(), ..Default::default() }), Some("Bo")),
        ("a pat", EventKind::Pat { by: by(), whom: by(), notice: String::new() }, Some("pat")),
        ("another kind", EventKind::ContactChanged, None),
        ("a timer", timer("remind", json!("tea")), Some("tea at 5")),
        ("another timer", timer("other", json!("tea")), None),
        ("a schedule", schedule("morning"), Some("{\"a\":1}")),
        ("another schedule", schedule("evening"), None),
    ] {
        let event = bench.event("p1", None, kind);
        assert_eq!(bench.says(event), want.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{name}");
    }
    let quote = Quote { text: "so?".into(), ..Quote::default() };
    let event = bench.message("p1", Some("r1"), Content::Quote(quote));
    assert_eq!(bench.says(event), ["p1 in r1, true: so?"]);
    assert_eq!(bench.say("so?"), [""; 0], "no quote");
    let names = vec!["Ann".into(), "Bo".into()];
    let (by, notice, others) = (JoinedBy::QrCode, String::new(), Vec::new());
    let joined = MembersJoined { names, me_invited: false, others, inviter: Who::Me, by, notice };
    let event = bench.event("p1", Some("r1"), EventKind::MembersJoined(joined));
    assert_eq!(bench.says(event), ["hi Ann", "hi Bo"]);
    let wrong = bench.event("p1", None, timer("remind", json!(7)));
    assert!(bench.call(wrong, CallMeta::first(), None).is_err(), "a payload of another shape");
}

#[test]
fn a_manifest_says_what_handlers_are_without_running_one() {
    let weather = Weather::manifest();
    assert_eq!((&*weather.id, &*weather.about), ("weather", "天气:问城市,答天气。"));
    assert_eq!((weather.events, weather.needs), (vec!["message".to_owned()], vec![Capability::SendText]));
    let first = weather.handlers.first().unwrap();
    let arg = |name: &str, kind: &str, optional, about: &str| {
        let mut arg = ArgSpec::new(name, kind);
        (arg.optional, arg.about) = (optional, about.to_owned());
        arg
    };
    let args = vec![arg("city", "text", false, "城市"), arg("days", "number", true, "")];
    assert_eq!(first.trigger, Trigger::Command { words: vec!["天气".into(), "weather".into()], args });
    assert_eq!((&*first.name, &*first.about, first.block), ("weather", "查天气", true));
    let filters = Filters::manifest();
    assert_eq!((filters.priority, filters.wants_late, filters.needs.len()), (-3, true, 0));
    assert_eq!(filters.handlers.last().unwrap().name, "pass_last", "in the order they are asked");
    let clock = Clock::manifest();
    assert_eq!((&*clock.id, &*clock.version), ("plugin", env!("CARGO_PKG_VERSION")), "of the crate");
    assert_eq!(clock.events, ["friend_request", "topic_changed", "pat", "message", "members_joined"]);
    let json = serde_json::to_string(&clock).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), clock);
}

#[test]
fn help_lists_what_the_asking_person_may_use() {
    let usages = |roles: &[Role], is_group| -> Vec<String> {
        help::lines(&Filters::manifest(), roles, is_group).into_iter().map(|line| line.usage).collect()
    };
    assert_eq!(usages(&[], false), ["me", "slow [how]", "pass", "pass | stop", "pass"]);
    assert_eq!(usages(&[Role::Admin], true), ["room", "me", "secret", "slow [how]", "pass", "pass | stop", "pass"]);
    let weather: Vec<_> = help::lines(&Weather::manifest(), &[], false).iter().map(ToString::to_string).collect();
    assert_eq!(weather[..2], ["天气 <city> [days] (weather) — 查天气", "天气预报 [words…]"]);
}

#[derive(Default)]
struct Whole {
    stopped: AtomicBool,
}

#[plugin(about = "All that a plugin can have.")]
impl Whole {
    async fn guard(&self, event: &Event, _cx: &Ctx) -> Result<Verdict, PluginError> {
        Ok(if event.text() == Some("spam") { Verdict::stop("it is spam") } else { Verdict::Pass })
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_plugin_may_be_a_guard_alone() {
    let manifest = Whole::manifest();
    assert_eq!((manifest.guards, &*manifest.about, manifest.events.len()), (true, "All that a plugin can have.", 0));
    let mut bench = Bench::of::<Whole>();
    let spam = Arc::new(bench.text("p1", None, "spam"));
    assert_eq!(now(bench.instance.guard(spam, CallMeta::first())).unwrap(), Verdict::stop("it is spam"));
    let whole = Whole::default();
    now(Plugin::stop(&whole));
    assert!(whole.stopped.load(Ordering::Relaxed));
}

#[derive(Default)]
struct Heavy;

#[plugin]
impl Heavy {
    #[regex(r"\w{100}{100}")]
    fn heavy(&self) {}
}

#[test]
fn a_regex_that_would_fill_the_memory_stops_the_start() {
    let Err(error) = now(Kit::<Heavy>::start(json!({}))) else { panic!("it started") };
    assert!(error.to_string().starts_with("the regex of `heavy`: "), "{error}");
}
