//! How does a handler ask somebody something? With [`Ctx::ask`]: the next message of that person in that chat is the answer.

use std::future::{IntoFuture, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use wxbot_model::Event;

use crate::args::FromArg;
use crate::ctx::Ctx;
use crate::effects::Effects;
use crate::plugin::PluginError;
use crate::route::heard::Heard;

/// How long an answer is waited for unless stated.
const PATIENCE: Duration = Duration::from_secs(120);
/// Answers that mean "no more of this".
const CANCEL: [&str; 5] = ["取消", "算了", "cancel", "quit", "/cancel"];
/// What is said to that.
pub(crate) const CANCELLED: &str = "好的,已取消 (cancelled)";

/// Whether somebody wants no more of a dialog.
pub(crate) fn is_cancel(text: &str) -> bool {
    CANCEL.contains(&text.trim().to_lowercase().as_str())
}

impl Ctx {
    /// Asks whoever sent the event. The question and all effects so far are committed and the event is done; the handler
    /// goes on with the next message of that person in this conversation, which no other plugin sees.
    ///
    /// It is for short dialogs: the handler waits in memory, so a restart or a new version of the plugin ends it, and the
    /// person is told so with the next message. What must survive is a [`Dialogue`](crate::Dialogue).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wxbot_plugin::prelude::*;
    /// # async fn handler(cx: &Ctx) -> Result<(), PluginError> {
    /// let name = cx.ask("你叫什么名字?").await?;
    /// let age: u32 = cx.ask("几岁?").timeout(Duration::from_secs(30)).retry(2).parse().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// When the time is over, the handler ends where it waits. Whoever answers 取消 or `cancel` ends it too.
    pub fn ask(&self, question: impl Into<String>) -> Ask<'_> {
        Ask { cx: self, question: question.into(), timeout: PATIENCE, retry: 1 }
    }
}

/// A question that is about to be asked. `.await` gives the answer's text.
#[derive(Debug)]
#[must_use = "nothing is asked until it is awaited"]
pub struct Ask<'a> {
    cx: &'a Ctx,
    question: String,
    timeout: Duration,
    retry: u32,
}

impl<'a> Ask<'a> {
    /// Waits so long for an answer; 2 min unless stated. Afterwards the handler ends quietly.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks again, up to so many times, when the answer is none; once unless stated.
    pub fn retry(mut self, times: u32) -> Self {
        self.retry = times;
        self
    }

    /// The answer as a number, a duration, or whatever else [`FromArg`] reads.
    ///
    /// # Errors
    /// Ends the handler with a word to the person when no try was an answer, or when the person cancelled.
    pub async fn parse<T: FromArg>(self) -> Result<T, PluginError> {
        let Self { cx, mut question, timeout, retry } = self;
        let first = question.clone();
        for left in (0..=retry).rev() {
            let answer = put(cx, question, timeout).await?;
            // Without the mention of ourselves, as commands are read.
            let heard = Heard::of(&answer, &[]).ok();
            let why = match heard.as_ref().map(|heard| heard.raw().trim()) {
                Some(word) if is_cancel(word) => return Err(PluginError::told(CANCELLED)),
                Some(text) => match T::from_arg(text) {
                    Ok(value) => return Ok(value),
                    Err(why) => why,
                },
                None => "请用文字回答 (a text, please)".to_owned(),
            };
            if left == 0 {
                return Err(PluginError::told(why));
            }
            question = format!("{why}\n{first}");
        }
        Err(PluginError::told(""))
    }

    /// The whole message that answers: for pictures and files.
    ///
    /// # Errors
    /// When there is nobody to ask.
    pub async fn message(self) -> Result<Arc<Event>, PluginError> {
        put(self.cx, self.question, self.timeout).await
    }
}

impl<'a> IntoFuture for Ask<'a> {
    type Output = Result<String, PluginError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.parse())
    }
}

/// Puts one question and waits for one message.
async fn put(cx: &Ctx, question: String, timeout: Duration) -> Result<Arc<Event>, PluginError> {
    let event = cx.event();
    if event.sender.is_none() || event.message().is_none() {
        return Err(PluginError::msg("there is nobody to ask: the event is no message of a person"));
    }
    let mut question = Some((Effects::reply(question), u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)));
    poll_fn(move |_task| {
        cx.turn.with(|now| {
            if let Some(question) = question.take() {
                (now.question, now.answered) = (Some(question), false);
                return Poll::Pending;
            }
            // Whoever runs the handler polls it anew with the answer.
            if now.answered { Poll::Ready(Ok(Arc::clone(&now.event))) } else { Poll::Pending }
        })
    })
    .await
}
