//! How does a plugin stand in the chain? As a guard: it is asked, and what it says is done.

use std::sync::Arc;

use wxbot_model::Event;
use wxbot_plugin::host::CallMeta;
use wxbot_plugin::{Envelope, Middleware, Next, Outcome, Verdict};

use crate::plugin::{Held, Trouble};

/// A plugin that judges events. When it cannot, they pass: a broken guard must not make a bot deaf.
///
/// What a plugin's own clock brings is not judged: it is nobody's message, and a reminder that was stopped would be lost.
pub(super) struct Guard(pub(super) Arc<Held>);

impl Guard {
    fn passes(&self, env: &Envelope, why: &str) {
        let (account, plugin, seq) = (&env.event.account, &self.0.id, env.seq);
        tracing::warn!(%account, %plugin, seq, why, "A guard did not judge an event, which passes.");
    }
}

impl Middleware for Guard {
    fn name(&self) -> &str {
        "guard"
    }

    async fn handle(&self, mut env: Envelope, next: Next<'_>) -> Outcome {
        if env.event.kind.of_plugin().is_some() {
            return next.run(env).await;
        }
        let event = Arc::new(env.event.clone());
        match self.0.guard(Arc::clone(&event), CallMeta::first().attempt(env.attempt)).await {
            Ok(Verdict::Pass) => {}
            Ok(Verdict::Stop { why }) => {
                return Outcome::stopped("guard", format!("{}: {why}", self.0.id));
            }
            Ok(Verdict::Change(changed)) if is_the_same(&event, &changed) => env.event = *changed,
            Ok(Verdict::Change(_)) => self.passes(&env, "it changed whose event it is, or where or what kind it is"),
            Ok(_) => self.passes(&env, "it said what this wxbot does not know"),
            Err(Trouble::Failed(why)) => self.passes(&env, &why),
            Err(Trouble::Open(_)) => self.passes(&env, "it rests after too many failures"),
        }
        next.run(env).await
    }
}

/// Whether it is still the same event, whatever is said in it: the lane, the rights of the sender and who gets the answer
/// hang on that.
fn is_the_same(was: &Event, is: &Event) -> bool {
    let who = |event: &Event| event.sender.as_ref().map(|sender| sender.id.clone());
    (&was.account, &was.key, &was.chat.id, was.chat.kind) == (&is.account, &is.key, &is.chat.id, is.chat.kind)
        && who(was) == who(is)
        && (was.from_self(), was.kind.word()) == (is.from_self(), is.kind.word())
}
