//! Does somebody really mean it? Dangerous actions are asked back with a code (security R29).

use std::time::Duration;

use crate::ctx::Ctx;
use crate::plugin::PluginError;
use crate::text::fold;

/// How long a code is good.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many codes there are: four digits, none of which begins with 0.
const CODES: u64 = 9_000;

impl Ctx {
    /// Asks whoever sent the event to send back a code before something dangerous is done. `what` is what will happen, for
    /// people: `移出 3 人`. It goes on only when the next message of that person in this conversation is the code, within
    /// 60 s and at the first try; anything else ends the handler with a word, and nothing of it is done.
    ///
    /// A code proves that the person has read what will happen; it is no right. Demand a role as well, and look again with
    /// [`may`](Self::may) afterwards: roles may have changed meanwhile.
    ///
    /// ```
    /// # use wxbot_plugin::prelude::*;
    /// # async fn handler(cx: &Ctx, room: ContactId, whom: Vec<ContactId>) -> Result<Effects, PluginError> {
    /// cx.confirm(format!("移出 {} 人", whom.len())).await?;
    /// Ok(Effects::reply("好的").remove_members(room, whom))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it was not confirmed: the person is told. When there is nobody to ask.
    pub async fn confirm(&self, what: impl Into<String>) -> Result<(), PluginError> {
        let code = (1_000 + self.random_u64() % CODES).to_string();
        let what = what.into();
        let question = format!("⚠️ {what}\n确认请回复 {code},60 秒内有效 (reply {code} to confirm)");
        let answer: String = self.ask(question).timeout(PATIENCE).retry(0).await?;
        if fold(&answer).trim() == code {
            return Ok(());
        }
        Err(PluginError::told("验证码不对,什么也没做 (wrong code, nothing was done)"))
    }
}
