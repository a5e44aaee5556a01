//! How often is a question asked until it is answered? What may be tried again, when, and until when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use wxbot_plugin::{Ctx, PluginError};

use super::call::{self, Deadline, Question};
use super::chunk::Said;
use super::endpoint::Endpoint;
use super::gate::Gate;
use super::net::Dial;
use super::settings::LlmSettings;
use super::trouble::Trouble;

/// The pause before the first repeat; it doubles.
const PAUSE: Duration = Duration::from_millis(300);
/// An endpoint is left alone no longer than this, whatever it says.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// A longer rest is not waited for: the chat would wait with us, and the person has given up by then.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who waits for the same end of a rest comes within this after it, and not all at once.
const SPREAD_MS: u64 = 500;

/// The endpoint, and how long it wants to be left alone.
#[derive(Debug)]
pub(crate) struct Backend {
    endpoint: Endpoint,
    dial: Arc<dyn Dial>,
    /// Until when it has said that it has no time.
    rests_until: Mutex<Option<Instant>>,
    gate: Gate,
}

impl Backend {
    pub(crate) fn new(settings: &LlmSettings, dial: Arc<dyn Dial>) -> Result<Self, PluginError> {
        let endpoint = Endpoint::parse(&settings.endpoint, settings.key.is_some());
        let endpoint = endpoint.map_err(|problem| PluginError::msg(problem.message))?;
        Ok(Self { endpoint, dial, rests_until: Mutex::new(None), gate: Gate::default() })
    }

    /// As the log may show it.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks until there is an answer, or a reason not to ask again, or no time. `again` says whether there may be another
    /// try after one that may have cost something.
    pub(crate) async fn ask(
        &self,
        settings: &LlmSettings,
        messages: Vec<Value>,
        cx: &Ctx,
        again: &(dyn Fn() -> bool + Sync),
    ) -> Result<Said, Trouble> {
        let last = Instant::now() + settings.timeout;
        let pass = self.gate.enter(cx.account()).await?;
        let outcome = Box::pin(self.tries(settings, messages, last, cx, again)).await;
        pass.judge(&outcome);
        outcome
    }

    async fn tries(
        &self,
        settings: &LlmSettings,
        messages: Vec<Value>,
        last: Instant,
        cx: &Ctx,
        again: &(dyn Fn() -> bool + Sync),
    ) -> Result<Said, Trouble> {
        let key = idempotency_key(cx);
        let question = Question {
            endpoint: &self.endpoint,
            key: settings.key.as_ref(),
            idempotency_key: &key,
            body: body(settings, messages),
        };
        let mut pause = Duration::ZERO;
        let mut tries = 0;
        loop {
            self.wait(pause, last, cx).await?;
            let first = Instant::now() + settings.first_token();
            let deadline = Deadline { first, last, within: settings.timeout };
            let trouble = match Box::pin(call::ask(&*self.dial, &question, deadline, cx.now_ms())).await {
                Ok(said) => return Ok(said),
                Err(trouble) => trouble,
            };
            let Some(after) = trouble.retry() else { return Err(trouble) };
            if let Some(after) = after {
                self.leave_alone(after);
            }
            // A little varied, so that all who were refused together do not come back together.
            pause = PAUSE * 2_u32.pow(tries.min(8)) + Duration::from_millis(cx.random_u64() % 200);
            tries += 1;
            let rest = self.rest();
            if tries > settings.retries || rest > PATIENCE || Instant::now() + rest.max(pause) >= last {
                return Err(trouble);
            }
            if !trouble.is_free() && !again() {
                return Err(trouble);
            }
            tracing::debug!(tries, "the language model is asked again: {trouble}");
        }
    }

    /// Waits until it may be asked: a pause, and for the end of its rest, which may have been put off meanwhile.
    async fn wait(&self, mut pause: Duration, last: Instant, cx: &Ctx) -> Result<(), Trouble> {
        loop {
            let rest = self.rest();
            if rest > PATIENCE {
                return Err(Trouble::Resting { left: rest });
            }
            let wait = match rest {
                Duration::ZERO => pause,
                rest => pause.max(rest + Duration::from_millis(cx.random_u64() % SPREAD_MS)),
            };
            if Instant::now() + wait >= last {
                return Err(Trouble::Resting { left: wait });
            }
            if wait.is_zero() {
                return Ok(());
            }
            sleep(wait).await;
            pause = Duration::ZERO;
        }
    }

    /// How long the endpoint wants to be left alone.
    fn rest(&self) -> Duration {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default()
    }

    fn leave_alone(&self, after: Duration) {
        let until = Instant::now() + after.min(LONGEST_REST);
        let mut rests_until = self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        // One question is told a second, another a minute: the minute holds.
        *rests_until = (*rests_until).max(Some(until));
    }
}

/// The same for each repeat of this event, and nothing that says who asked: the endpoint is somebody else's.
fn idempotency_key(cx: &Ctx) -> String {
    let digest = digest(&SHA256, cx.idempotency_key(0).as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The request. What the settings add stands first: it replaces nothing.
fn body(settings: &LlmSettings, messages: Vec<Value>) -> Bytes {
    let mut request = match &settings.extra {
        Some(Value::Object(extra)) => extra.clone(),
        Some(_) | None => serde_json::Map::new(),
    };
    if !request.contains_key("max_completion_tokens") {
        request.insert("max_tokens".to_owned(), json!(settings.max_tokens));
    }
    if let Some(temperature) = settings.temperature {
        request.insert("temperature".to_owned(), json!(temperature));
    }
    if settings.counts_tokens() {
        request.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    request.insert("model".to_owned(), json!(settings.model));
    request.insert("stream".to_owned(), json!(true));
    request.insert("messages".to_owned(), Value::Array(messages));
    Bytes::from(Value::Object(request).to_string())
}
