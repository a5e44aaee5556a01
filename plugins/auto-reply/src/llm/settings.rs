//! What can be set under `[plugins.auto-reply.llm]`, and what may be wrong with it?

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use wxbot_plugin::model::Secret;
use wxbot_plugin::prelude::*;

use super::endpoint::Endpoint;
use super::links::is_host;

/// What a request says for itself. Handing these to a model, or to whoever writes `extra`, would change who is asked
/// what, or let a model call something (R33).
const OURS: [&str; 12] = [
    "messages",
    "model",
    "stream",
    "stream_options",
    "temperature",
    "max_tokens",
    "n",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
];

/// See `first_token_timeout`.
const FIRST_TOKEN: Duration = Duration::from_secs(15);

/// A language model behind an endpoint that speaks as OpenAI's does.
#[derive(Debug, PluginConfig)]
#[config(check = LlmSettings::check)]
pub struct LlmSettings {
    /// The base URL, mostly ending in `/v1`; `/chat/completions` is added. Exactly this origin is asked: no redirect is
    /// followed, and no proxy is used.
    #[config(min_len = 1, max_len = 1024)]
    pub endpoint: String,
    /// The key, sent as `Authorization: Bearer …`; local servers mostly need none.
    pub key: Option<Secret<String>>,
    /// The model's name at the endpoint.
    #[config(min_len = 1, max_len = 256)]
    pub model: String,
    /// What the model is told first, in every conversation.
    #[config(default = "你是微信里的助手。用对方的语言回答,简短,只用纯文本。", max_len = 8000)]
    pub system: String,
    /// The same for single rooms or people, by contact id, in place of `system`. The room's goes before the person's.
    #[config(default, max_len = 1000)]
    pub prompts: BTreeMap<String, String>,
    /// How much of the conversation the model is told again with each question, in estimated tokens; 0: nothing.
    #[config(default = 2000, range = 0..=16_000)]
    pub history_tokens: u32,
    /// A conversation that rested for so long begins anew.
    #[config(default = "1d", range = "1min"..="30d")]
    pub history_for: Duration,
    /// The most tokens of an answer.
    #[config(default = 800, range = 1..=32_768)]
    pub max_tokens: u32,
    /// How freely it answers; the endpoint's own default unless set.
    #[config(range = 0.0..=2.0)]
    pub temperature: Option<f64>,
    /// More keys for the request, like `{ reasoning_effort = "low" }`. With `max_completion_tokens` there,
    /// `max_tokens` is not sent.
    pub extra: Option<Value>,
    /// How long an answer may take, retries included. A handler has 30 s.
    #[config(default = "20s", range = "100ms"..="25s")]
    pub timeout: Duration,
    /// How long one try may take until the first word comes, of a thought or of the answer:
    /// 15 s, or `timeout` where that is less, unless set.
    #[config(range = "50ms"..="25s")]
    pub first_token_timeout: Option<Duration>,
    /// How often it is tried again when the endpoint is busy or cannot be reached. A `Retry-After` of 2 s at most is
    /// waited for.
    #[config(default = 2, range = 0..=5)]
    pub retries: u32,
    /// What the chat is told, once a minute, when no answer can be had; empty: nothing.
    #[config(
        default = "我现在答不上来,请稍后再试 (I cannot answer right now, please try again later)",
        max_len = 1000
    )]
    pub fallback: String,
    /// The longest answer, in messages of 4 KiB; what is longer is cut.
    #[config(default = 3, range = 1..=5)]
    pub messages: usize,
    /// Hosts whose links may stand in an answer; other links become `[链接]`. `["*"]` lets all through.
    #[config(default, max_len = 1000)]
    pub links: Vec<String>,
    /// How often the model is asked for one person in a day; each try counts that may have cost something.
    #[config(default = 100, range = 1..)]
    pub per_sender_per_day: u32,
    /// How often the model is asked for the account in a day, counted likewise.
    #[config(default = 2000, range = 1..)]
    pub per_day: u32,
    /// How many tokens one person may use in a day, questions and history included.
    #[config(range = 1..)]
    pub tokens_per_sender_per_day: Option<u64>,
    /// How many tokens the account may use in a day.
    #[config(range = 1..)]
    pub tokens_per_day: Option<u64>,
    /// What a person is told, once a day, when one of these four is used up; empty: nothing.
    #[config(
        default = "今天的次数用完了,明天再来吧 (that was all for today, please come back tomorrow)",
        max_len = 1000
    )]
    pub used_up: String,
}

impl LlmSettings {
    /// What no field can know alone.
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if let Err(problem) = Endpoint::parse(&self.endpoint, self.key.is_some()) {
            problems.push(problem);
        }
        if self.key.as_ref().is_some_and(|key| !is_token(key.expose())) {
            let message = "`key` holds something that cannot be sent: a key is one word of ASCII characters";
            let help = "look for blanks, line ends or quotes around it in the variable or the file";
            problems.push(ConfigProblem::at("/key", message).help(help).secret());
        }
        for id in self.prompts.keys().filter(|id| id.parse::<ContactId>().is_err()) {
            let pointer = format!("/prompts/{}", id.replace('~', "~0").replace('/', "~1"));
            let problem = ConfigProblem::at(pointer, format!("`{id}` is no contact id"));
            problems.push(problem.help("write the id of a room or person like r3 or p12: `wxbot contacts` shows them"));
        }
        for (n, host) in self.links.iter().enumerate().filter(|(_, host)| *host != "*" && !is_host(host)) {
            let problem = ConfigProblem::at(format!("/links/{n}"), format!("`{host}` is no host"));
            problems.push(problem.help("write it like \"example.com\", without `https://` and path; `*` is all"));
        }
        if self.first_token_timeout.is_some_and(|first| first > self.timeout) {
            let message = "`first_token_timeout` is longer than `timeout`";
            problems.push(ConfigProblem::at("/first_token_timeout", message).help("make it the shorter of the two"));
        }
        // That it is a table was seen when it was read.
        if let Some(Value::Object(extra)) = &self.extra {
            for key in extra.keys().filter(|key| OURS.contains(&key.as_str())) {
                let problem = ConfigProblem::at(format!("/extra/{key}"), format!("`{key}` cannot be set in `extra`"));
                let help = "`model`, `temperature` and `max_tokens` have keys of their own; a model gets no tools here";
                problems.push(problem.help(help));
            }
        }
        problems
    }

    /// What the model is told first in this conversation.
    pub(crate) fn system_for(&self, chat: &ContactId, sender: Option<&ContactId>) -> &str {
        let of = |id: &ContactId| self.prompts.get(&id.to_string());
        of(chat).or_else(|| of(sender?)).unwrap_or(&self.system)
    }

    /// How long one try may take until the first word comes.
    pub(crate) fn first_token(&self) -> Duration {
        self.first_token_timeout.unwrap_or(FIRST_TOKEN.min(self.timeout))
    }

    /// How long a conversation is kept, ms.
    pub(crate) fn history_ms(&self) -> i64 {
        i64::try_from(self.history_for.as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether the endpoint is asked to count tokens. Some refuse the wish, so it is made only where somebody needs it.
    pub(crate) fn counts_tokens(&self) -> bool {
        self.tokens_per_day.is_some() || self.tokens_per_sender_per_day.is_some()
    }
}

/// What a header may hold, without blanks.
fn is_token(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(more: Value) -> Result<LlmSettings, Vec<ConfigProblem>> {
        let mut settings = json!({ "endpoint": "https://api.example.com/v1", "model": "m" });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        LlmSettings::read(&settings, &Place::default().with_env([("KEY", "sk-1"), ("BROKEN", "sk-1\n")]))
    }

    #[test]
    fn mistakes_have_their_place() {
        for (name, more, want) in [
            ("no endpoint", json!({ "endpoint": "" }), "/endpoint"),
            ("no URL", json!({ "endpoint": "api.example.com/v1" }), "/endpoint"),
            ("a key in the clear", json!({ "key": "sk-1" }), "/key"),
            ("a key that no header holds", json!({ "key": { "env": "BROKEN" } }), "/key"),
            ("a prompt for a name", json!({ "prompts": { "小明/1": "x" } }), "/prompts/小明~11"),
            ("a link as host", json!({ "links": ["a.com", "https://b.com"] }), "/links/1"),
            ("tools", json!({ "extra": { "tools": [] } }), "/extra/tools"),
            ("too hot", json!({ "temperature": 3.0 }), "/temperature"),
            ("longer than a handler", json!({ "timeout": "26s" }), "/timeout"),
            ("first after last", json!({ "timeout": "5s", "first_token_timeout": "6s" }), "/first_token_timeout"),
            (
                "exactly what was once the default",
                json!({ "timeout": "5s", "first_token_timeout": "15s" }),
                "/first_token_timeout",
            ),
            ("a text beside the request", json!({ "extra": "reasoning_effort = low" }), "/extra"),
            ("a list beside the request", json!({ "extra": ["low"] }), "/extra"),
            ("more history than a value holds", json!({ "history_tokens": 16_001 }), "/history_tokens"),
            ("no answers", json!({ "per_day": 0 }), "/per_day"),
        ] {
            let problems = read(more).unwrap_err();
            assert_eq!(problems.len(), 1, "{name}: {problems:?}");
            assert_eq!(problems[0].pointer, want, "{name}");
            assert!(!format!("{problems:?}").contains("sk-1"), "{name}");
        }
    }

    #[test]
    fn good_ones_are_read() {
        let settings = read(json!({
            "key": { "env": "KEY" }, "prompts": { "r3": "room", "p1": "person" }, "timeout": "5s", "links": ["*", "a.cn"],
            "extra": { "reasoning_effort": "low" },
        }));
        let settings = settings.unwrap();
        let id = |id: &str| id.parse::<ContactId>().unwrap();
        assert_eq!(settings.system_for(&id("r3"), Some(&id("p1"))), "room");
        assert_eq!(settings.system_for(&id("r4"), Some(&id("p1"))), "person");
        assert_eq!(settings.system_for(&id("p2"), Some(&id("p2"))), settings.system);
        assert!(!settings.counts_tokens());
        assert_eq!(settings.first_token(), Duration::from_secs(5), "no longer than all of it");
        assert_eq!(read(json!({})).unwrap().first_token(), Duration::from_secs(15));
        assert!(!format!("{settings:?}").contains("sk-1"));
    }

    #[test]
    fn all_keys_are_in_the_schema() {
        let schema = LlmSettings::schema();
        assert_eq!(schema["required"], json!(["endpoint", "model"]));
        assert_eq!(schema["properties"]["timeout"]["default"], "20s");
        assert_eq!(schema["properties"].as_object().unwrap().len(), 21);
    }
}
