//! How much may come through? Loops between bots, and people who flood.
//!
//! What is too much in a room is held back and not stopped: whoever keeps watch there (group-admin) must see it, above all
//! when it is too much. Everybody else is not asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wxbot_model::span::Rate;
use wxbot_plugin::{Envelope, Middleware, Next, Outcome};

use crate::pacing::{Bucket, Pace};

/// Chats and senders remembered at most; above it those at rest are forgotten. 10,000 take about 2 MB.
const REMEMBERED: usize = 10_000;

/// Mutes a conversation in which we answer too often: usually another bot answering us (security R28).
pub(super) struct LoopGuard {
    replies: usize,
    per: Duration,
    mute: Duration,
    chats: Mutex<HashMap<String, Answers>>,
}

#[derive(Default)]
struct Answers {
    at: VecDeque<Instant>,
    muted_until: Option<Instant>,
}

impl LoopGuard {
    pub(super) fn new(replies: usize, per: Duration, mute: Duration) -> Self {
        Self { replies, per, mute, chats: Mutex::default() }
    }

    fn muted(&self, chat: &str) -> bool {
        let chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        chats.get(chat).and_then(|a| a.muted_until).is_some_and(|until| Instant::now() < until)
    }

    fn answered(&self, chat: &str, times: usize) {
        let now = Instant::now();
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= REMEMBERED {
            chats.retain(|_, a| {
                a.at.back().is_some_and(|t| now.duration_since(*t) < self.per) || a.muted_until.is_some_and(|u| now < u)
            });
        }
        let answers = chats.entry(chat.to_owned()).or_default();
        while answers.at.front().is_some_and(|t| now.duration_since(*t) >= self.per) {
            answers.at.pop_front();
        }
        answers.at.extend(std::iter::repeat_n(now, times));
        if answers.at.len() >= self.replies {
            answers.muted_until = Some(now + self.mute);
            answers.at.clear();
        }
    }
}

impl Middleware for LoopGuard {
    fn name(&self) -> &str {
        "loop-guard"
    }

    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        if env.event.kind.of_plugin().is_some() {
            // No bot answers us by our own clock; and a reminder that was stopped would be lost.
            return next.run(env).await;
        }
        // A repeat was let through the first time, and nothing of it has gone out since.
        let first = env.attempt == 1;
        let chat = env.event.chat.id.as_str().to_owned();
        if first && self.muted(&chat) {
            let why = format!("more than {} answers within {:?}: muted", self.replies, self.per);
            return hold_back(env, next, "loop-guard", why).await;
        }
        let counts = first && env.held.is_none();
        let outcome = next.run(env).await;
        // Only what is said there can be answered there: a removal, or a word to the owner, is no part of a loop.
        if let Outcome::Passed { said: said @ 1.., .. } = &outcome
            && counts
        {
            self.answered(&chat, *said);
        }
        outcome
    }
}

/// Stops messages of people and chats that send more than a rate, after a burst of the same number.
pub(super) struct RateLimit {
    per_sender: Option<Pace>,
    per_chat: Option<Pace>,
    buckets: Mutex<HashMap<String, Bucket>>,
    started: Instant,
}

impl RateLimit {
    pub(super) fn new(per_sender: Rate, per_chat: Rate) -> Self {
        Self {
            per_sender: Pace::new(per_sender, per_sender.count),
            per_chat: Pace::new(per_chat, per_chat.count),
            buckets: Mutex::default(),
            started: Instant::now(),
        }
    }

    fn allow(&self, key: &str, pace: Option<Pace>) -> bool {
        let Some(pace) = pace else { return true };
        let now_us = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX / 2);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, b| b.tat_us() > now_us);
        }
        let bucket = buckets.entry(key.to_owned()).or_insert_with(|| Bucket::load(0, now_us));
        let free = bucket.free_at(pace, now_us).is_none();
        if free {
            bucket.pay(pace, now_us);
        }
        free
    }
}

impl Middleware for RateLimit {
    fn name(&self) -> &str {
        "rate-limit"
    }

    async fn handle(&self, env: Envelope, next: Next<'_>) -> Outcome {
        // A repeat of the same event was counted the first time; system texts and the like are nobody's flood.
        if env.attempt == 1 && env.held.is_none() && env.event.message().is_some() {
            if !self.allow(&format!("c{}", env.event.chat.id), self.per_chat) {
                return hold_back(env, next, "rate-limit", "too many messages in this chat".to_owned()).await;
            }
            if let Some(sender) = &env.event.sender
                && !self.allow(&format!("s{}", sender.id), self.per_sender)
            {
                return hold_back(env, next, "rate-limit", "too many messages of this sender".to_owned()).await;
            }
        }
        next.run(env).await
    }
}

/// Leaves an event of a room to those that keep watch, and stops any other.
async fn hold_back(env: Envelope, next: Next<'_>, by: &'static str, why: String) -> Outcome {
    if env.event.is_group() { next.run(env.hold(by, why)).await } else { Outcome::stopped(by, why) }
}
