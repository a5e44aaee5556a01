//! Does a plugin that `#[plugin]` wrote hear what it should, and say what it returns?

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::Kit;

/// Nothing in a kit waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing waits")
}

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
        ("nothing", "hello", &[]),
    ] {
        assert_eq!(now(kit.say(text)).unwrap(), want, "{name}");
    }
}
