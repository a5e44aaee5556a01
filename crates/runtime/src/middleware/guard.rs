//! Which events may pass at all? Own messages, old ones, access lists; and a line in the log.

use std::collections::HashSet;
use std::time::Duration;

use wxbot_core::source::Source;
use wxbot_model::EventKind;
use wxbot_plugin::{Envelope, Middleware, Next, Outcome};

use super::Settings;

/// Stops messages that our own account sent from the phone.
pub(super) struct IgnoreSelf;

impl Middleware for IgnoreSelf {
    fn name(&self) -> &str {
        "ignore-self"
    }

    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        if env.event.from_self() {
            return Outcome::stopped("ignore-self", "our own account sent it");
        }
        next.run(env).await
    }
}

/// Marks messages that are older than a limit; only plugins that asked for late ones see them.
pub(super) struct OldMessage {
    after: Duration,
    source: Source,
}

impl OldMessage {
    pub(super) fn new(after: Duration, source: Source) -> Self {
        Self { after, source }
    }
}

impl Middleware for OldMessage {
    fn name(&self) -> &str {
        "old-message"
    }

    async fn handle(&self, mut env: Envelope, next: Next<'_>) -> Outcome {
        // A service clock that runs ahead of ours makes an age below zero: not old.
        let age = u64::try_from(self.source.now_s() - env.event.at_s).unwrap_or(0);
        // What waited for a busy lane is as old as that; a reminder that comes late is still a reminder.
        if Duration::from_secs(age) > self.after && env.event.kind.of_plugin().is_none() {
            env.event.late = true;
        }
        next.run(env).await
    }
}

/// Allows and denies chats and senders by contact id.
///
/// A timer comes in the chat it was set in, and speaks there: the lists of chats hold for it, since an owner who denies a
/// chat wants no word of the bot there; those of senders do not, since nobody sent it. A schedule belongs to the account
/// and to no chat, so it passes.
pub(super) struct Access {
    allow_chats: HashSet<String>,
    deny_chats: HashSet<String>,
    allow_senders: HashSet<String>,
    deny_senders: HashSet<String>,
    private: bool,
    groups: bool,
}

impl Access {
    pub(super) fn new(settings: &Settings<'_>) -> Self {
        let set = |key: &str| settings.list(key).into_iter().collect();
        Self {
            allow_chats: set("allow_chats"),
            deny_chats: set("deny_chats"),
            allow_senders: set("allow_senders"),
            deny_senders: set("deny_senders"),
            private: settings.flag("private"),
            groups: settings.flag("groups"),
        }
    }

    fn refusal(&self, env: &Envelope) -> Option<&'static str> {
        if let EventKind::Schedule { .. } = env.event.kind {
            return None;
        }
        let sent = env.event.kind.of_plugin().is_none();
        let (chat, sender) = (env.event.chat.id.as_str(), env.event.sender.as_ref().map(|s| s.id.as_str()));
        if env.event.is_group() && !self.groups {
            Some("groups are switched off for this account")
        } else if !env.event.is_group() && !self.private {
            Some("private chats are switched off for this account")
        } else if self.deny_chats.contains(chat) {
            Some("the chat is on deny_chats")
        } else if !self.allow_chats.is_empty() && !self.allow_chats.contains(chat) {
            Some("the chat is not on allow_chats")
        } else if sender.is_some_and(|s| self.deny_senders.contains(s)) {
            Some("the sender is on deny_senders")
        } else if sent && !self.allow_senders.is_empty() && !sender.is_some_and(|s| self.allow_senders.contains(s)) {
            Some("the sender is not on allow_senders")
        } else {
            None
        }
    }
}

impl Middleware for Access {
    fn name(&self) -> &str {
        "access"
    }

    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        match self.refusal(&env) {
            Some(why) => Outcome::stopped("access", why),
            None => next.run(env).await,
        }
    }
}

/// Writes one line about each event and how it ended, without its text.
pub(super) struct Trace;

impl Middleware for Trace {
    fn name(&self) -> &str {
        "trace"
    }

    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        let (seq, account, chat) = (env.seq, env.event.account.clone(), env.event.chat.id.clone());
        let (sender, late) = (env.event.sender.as_ref().map(|s| s.id.to_string()).unwrap_or_default(), env.event.late);
        let (kind, len) = match env.event.message() {
            Some(message) => (message.content.kind(), message.content.len()),
            None => (env.event.kind.word(), 0),
        };
        let outcome = next.run(env).await;
        // What is stopped, here or before, is logged where the chain ends.
        if let Outcome::Passed { actions, .. } = outcome {
            tracing::debug!(%account, seq, %chat, sender, kind, len, late, actions, "Event handled.");
        }
        outcome
    }
}
