//! How does a plugin stand in the chain? As a guard: it is asked, and what it says is done.

use std::sync::Arc;

use wxbot_model::Event;
use wxbot_plugin::host::CallMeta;
use wxbot_plugin::{Envelope, Middleware, Next, Outcome, Verdict};

use crate::plugin::{Held, Trouble};
use crate::roles::Roles;

/// A plugin that judges events. When it cannot, they pass: a broken guard must not make a bot deaf.
///
/// What a plugin's own clock brings is not judged: it is nobody's message, and a reminder that was stopped would be lost.
pub(super) struct Guard {
    plugin: Arc<Held>,
    roles: Roles,
}

/// The plugins that stand in the chain of an account, and who has which role for them.
#[derive(Clone, Copy)]
pub(crate) struct Guards<'a> {
    pub(crate) plugins: &'a [Arc<Held>],
    pub(crate) roles: &'a Roles,
}

impl Guards<'_> {
    /// The guard of this name.
    pub(super) fn named(&self, id: &str) -> Option<Guard> {
        let plugin = Arc::clone(self.plugins.iter().find(|plugin| *plugin.id == *id)?);
        Some(Guard { plugin, roles: self.roles.clone() })
    }

    /// Whether it is one of them.
    pub(super) fn has(&self, id: &str) -> bool {
        self.plugins.iter().any(|plugin| *plugin.id == *id)
    }
}

impl Guard {
    fn passes(&self, env: &Envelope, why: &str) {
        let (account, plugin, seq) = (&env.event.account, &self.plugin.id, env.seq);
        tracing::warn!(%account, %plugin, seq, why, "A guard did not judge an event, which passes.");
    }
}

impl Middleware for Guard {
    fn name(&self) -> &str {
        &self.plugin.id
    }

    async fn handle(&self, mut env: Envelope, next: Next<'_>) -> Outcome {
        if env.event.kind.of_plugin().is_some() {
            return next.run(env).await;
        }
        let event = Arc::new(env.event.clone());
        let meta = CallMeta::first().attempt(env.attempt).roles(self.roles.of(&event));
        match self.plugin.guard(Arc::clone(&event), meta).await {
            Ok(Verdict::Pass) => {}
            Ok(Verdict::Stop { why }) => {
                return Outcome::stopped(self.plugin.id.to_string(), why);
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
