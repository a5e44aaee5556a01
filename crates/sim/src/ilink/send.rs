//! What becomes of what a bot sends?

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::SimError;
use crate::ilink::bot::{Bot, IlinkDeath, State};
use crate::ilink::call::Call;
use crate::ilink::journal::{IlinkOutcome, IlinkSend};
use crate::ilink::meter::{self, Limits};
use crate::ilink::{IlinkSetup, IlinkSim};
use crate::service::book::HeardMedia;

/// Orders that may wait.
const MAX_REFUSALS: usize = 1_000;

/// Sends that are refused by order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IlinkRefusal {
    /// To whom, by nick; absent: to anybody.
    #[serde(default)]
    pub to: Option<String>,
    /// `ret`.
    pub ret: i64,
    /// `errmsg`; empty: the answer has none.
    #[serde(default)]
    pub errmsg: String,
    /// How often; 0: until cleared.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// Refusals that were ordered for one bot.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<IlinkRefusal>);

impl Refusals {
    fn take(&mut self, to: &str) -> Option<Value> {
        let at = self.0.iter().position(|one| one.to.as_deref().is_none_or(|nick| nick == to))?;
        let one = self.0.get_mut(at)?;
        let answer = refusal(one.ret, &one.errmsg);
        match one.times {
            0 => {}
            1 => drop(self.0.remove(at)),
            _ => one.times -= 1,
        }
        Some(answer)
    }
}

fn refusal(ret: i64, errmsg: &str) -> Value {
    if errmsg.is_empty() { json!({"ret": ret}) } else { json!({"ret": ret, "errmsg": errmsg}) }
}

/// One item as it is understood.
struct Item {
    kind: &'static str,
    text: String,
    media: Option<HeardMedia>,
    grey: Vec<String>,
}

/// How the whole message ends.
struct End {
    answer: Value,
    outcome: IlinkOutcome,
    message_id: String,
}

impl End {
    fn refused(answer: Value) -> Self {
        Self { answer, outcome: IlinkOutcome::Refused, message_id: String::new() }
    }
}

impl IlinkSim {
    /// `sendmessage`.
    pub(super) fn send_message(&self, call: &Call<'_>, bot: &Bot) -> Value {
        let Some(msg) = call.body.get("msg").and_then(Value::as_object) else {
            call.hard("`msg` is missing");
            return refusal(-2, "msg required");
        };
        let text = |name: &str| msg.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("from_user_id") != "" || !msg.contains_key("from_user_id") {
            call.soft("`from_user_id` is not empty");
        }
        let setup = self.setup();
        let items = msg.get("item_list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut state = bot.state();
        let nick = state.people.iter().find(|person| person.id == text("to_user_id"));
        let nick = nick.map_or_else(|| text("to_user_id").to_owned(), |person| person.nick.clone());
        let items: Vec<Item> = items.iter().map(|item| self.understood(call, bot, text("to_user_id"), item)).collect();
        let end = self.judged(call, &mut state, &setup, msg, &items);
        drop(state);
        for item in items {
            let shown: String = item.text.chars().take(setup.text_limit).collect();
            self.shared.book.send(IlinkSend {
                account: bot.name.clone(),
                at_ms: self.now_ms(),
                to: nick.clone(),
                kind: item.kind.to_owned(),
                cut: shown.len() < item.text.len(),
                text: shown,
                media: item.media,
                client_id: text("client_id").to_owned(),
                message_id: end.message_id.clone(),
                run_id: text("run_id").to_owned(),
                ret: end.answer.get("ret").and_then(Value::as_i64).unwrap_or_default(),
                outcome: end.outcome,
                grey: item.grey,
            });
        }
        end.answer
    }

    fn judged(
        &self,
        call: &Call<'_>,
        state: &mut State,
        setup: &IlinkSetup,
        msg: &Map<String, Value>,
        items: &[Item],
    ) -> End {
        let text = |name: &str| msg.get(name).and_then(Value::as_str).unwrap_or_default();
        for (name, want) in [("message_type", 2), ("message_state", 2)] {
            if msg.get(name).and_then(Value::as_u64) != Some(want) {
                call.hard(format!("`{name}` is not {want}"));
                return End::refused(refusal(-2, &format!("{name} required")));
            }
        }
        for name in ["to_user_id", "client_id"] {
            if text(name).is_empty() {
                call.hard(format!("`{name}` is missing"));
                return End::refused(refusal(-2, &format!("{name} required")));
            }
        }
        match items.len() {
            0 => {
                call.hard("`item_list` is empty");
                return End::refused(refusal(-2, "item_list required"));
            }
            1 => {}
            _ => call.hard("more than one item in a message"),
        }
        if text("context_token").is_empty() {
            call.hard("`context_token` is missing");
            return End { answer: json!({}), outcome: IlinkOutcome::Dropped, message_id: String::new() };
        }
        let State { people, burst, refusals, .. } = state;
        let Some(person) = people.iter_mut().find(|person| person.id == text("to_user_id")) else {
            call.hard("`to_user_id` is nobody that this bot knows");
            return End::refused(refusal(-2, "unknown error"));
        };
        if !person.gave(text("context_token")) {
            call.hard("a `context_token` that was not given for this person");
            return End::refused(refusal(-2, "unknown error"));
        }
        if let Some(answer) = refusals.take(&person.nick) {
            return End::refused(answer);
        }
        let tool = items.iter().all(|item| item.kind.starts_with("tool_call"));
        // Whether the service counts tool calls is not known; what nobody sees is not counted here.
        if !tool && let Err(why) = meter::spend(&mut person.meter, burst, &limits(setup), self.now_ms()) {
            return End::refused(refusal(-2, why));
        }
        let shadow = person.shadow;
        let doubled = state.knows(text("client_id"));
        state.remember(text("client_id"));
        if shadow {
            return End { answer: json!({"ret": 0}), outcome: IlinkOutcome::Hidden, message_id: String::new() };
        }
        if tool {
            return End { answer: json!({}), outcome: IlinkOutcome::Hidden, message_id: String::new() };
        }
        let id = self.next_id();
        let unseen = items.iter().all(|item| item.kind == "voice" || item.kind == "unknown");
        let outcome = match (doubled, unseen) {
            (true, _) => IlinkOutcome::Doubled,
            (false, true) => IlinkOutcome::Hidden,
            (false, false) => IlinkOutcome::Shown,
        };
        let written = if setup.ids_as_text { Value::from(id.to_string()) } else { Value::from(id) };
        End { answer: json!({"ret": 0, "message_id": written}), outcome, message_id: id.to_string() }
    }

    fn understood(&self, call: &Call<'_>, bot: &Bot, to: &str, item: &Value) -> Item {
        let of = |name: &str| item.get(name).and_then(Value::as_object);
        let (kind, body) = match item.get("type").and_then(Value::as_u64) {
            Some(1) => ("text", of("text_item")),
            Some(2) => ("image", of("image_item")),
            Some(3) => ("voice", of("voice_item")),
            Some(4) => ("file", of("file_item")),
            Some(5) => ("video", of("video_item")),
            Some(11) => ("tool_call_start", of("tool_call_start_item")),
            Some(12) => ("tool_call_result", of("tool_call_result_item")),
            Some(_) | None => ("unknown", None),
        };
        let Some(body) = body else {
            call.hard(if kind == "unknown" { "an item of an unknown type" } else { "an item without its body" });
            return Item { kind: "unknown", text: item.to_string(), media: None, grey: Vec::new() };
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        match kind {
            "text" => {
                if text("text").is_empty() {
                    call.hard("a text without text");
                }
                Item { kind, text: text("text").to_owned(), media: None, grey: Vec::new() }
            }
            "tool_call_start" | "tool_call_result" => {
                let shown = format!("{} {}", text("tool_name"), text("status")).trim_end().to_owned();
                Item { kind, text: shown, media: None, grey: Vec::new() }
            }
            _ => {
                let (media, grey) = self.opened(&bot.name, to, kind, body);
                for flaw in &grey {
                    call.hard(flaw.as_str());
                }
                Item { kind, text: text("file_name").to_owned(), media, grey }
            }
        }
    }

    /// Refuses sends of a bot by order.
    pub fn refuse(&self, account: &str, refusal: IlinkRefusal) -> Result<(), SimError> {
        let bot = self.bot(account)?;
        let mut state = bot.state();
        if state.refusals.0.len() >= MAX_REFUSALS {
            return Err(SimError::Invalid("too many refusals wait already".to_owned()));
        }
        state.refusals.0.push(refusal);
        Ok(())
    }

    /// Refuses nothing more by order.
    pub fn clear_refusals(&self, account: &str) -> Result<(), SimError> {
        self.bot(account)?.state().refusals.0.clear();
        Ok(())
    }

    /// Lets a person fall under the shadow limit, or out of it. Survives new bindings.
    pub fn shadow(&self, account: &str, who: &str, on: bool) -> Result<(), SimError> {
        let bot = self.bot(account)?;
        let mut state = bot.state();
        let at = state.person(account, who)?;
        if let Some(person) = state.people.get_mut(at) {
            person.shadow = on;
        }
        Ok(())
    }

    /// Says how much of its quota the bot has used up towards a person, and how long ago that person wrote.
    pub fn set_meter(
        &self,
        account: &str,
        who: &str,
        used: u32,
        wrote_ago: std::time::Duration,
    ) -> Result<(), SimError> {
        let (bot, now_ms) = (self.bot(account)?, self.now_ms());
        let mut state = bot.state();
        let at = state.person(account, who)?;
        if let Some(person) = state.people.get_mut(at) {
            let ago = u64::try_from(wrote_ago.as_millis()).unwrap_or(u64::MAX);
            person.meter = meter::Meter { wrote_ms: Some(now_ms.saturating_sub(ago)), used };
        }
        Ok(())
    }

    /// The token dies: it was bound elsewhere, or rotated.
    pub fn kill(&self, account: &str, death: IlinkDeath) -> Result<(), SimError> {
        self.set_death(account, Some(death))
    }

    /// The token lives again.
    pub fn revive(&self, account: &str) -> Result<(), SimError> {
        self.set_death(account, None)
    }

    fn set_death(&self, account: &str, death: Option<IlinkDeath>) -> Result<(), SimError> {
        let bot = self.bot(account)?;
        let mut state = bot.state();
        let binding = state.binding.as_mut().ok_or_else(|| SimError::NoSession(account.to_owned()))?;
        binding.death = death;
        drop(state);
        bot.changed.notify_waiters();
        Ok(())
    }
}

pub(super) fn limits(setup: &IlinkSetup) -> Limits {
    let ms = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Limits {
        quota: setup.quota,
        window_ms: ms(setup.window),
        burst: setup.burst,
        burst_within_ms: ms(setup.burst_within),
        burst_rest_ms: ms(setup.burst_rest),
    }
}
