//! What happens to one event? Claim, chain, plugins, and one commit that ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_model::{Action, Capability, Event, Media};
use wxbot_plugin::host::{Call, CallMeta};
use wxbot_plugin::middleware::Destination;
use wxbot_plugin::{Effect, Effects, Envelope, MediaSource, Next, Outcome};

use super::feed::Work;
use super::run::Gate;
use crate::account::{Account, Settings};
use crate::media::Held;
use crate::outbox::{self, echo_of};
use crate::plugin::{ActivePlugin, Trouble};
use crate::store::{Claims, Failure, Finish, Finished, InboxRow, NewSend, StoreError};

/// Tries that ended with the process before an event is given up: it may be what kills us.
const MAX_CRASHES: u32 = 3;
/// Noted errors before an event is given up.
const MAX_ERRORS: u32 = 8;
/// How long a failing event may hold up its conversation before it is parked.
const LANE_PATIENCE: Duration = Duration::from_secs(30);

/// Handles events of one account.
pub(crate) struct Handler {
    account: Arc<Account>,
}

/// What the plugins made of one event.
#[derive(Default)]
struct Harvest {
    sends: Vec<NewSend>,
    kv: Vec<(Arc<str>, String, Option<Value>)>,
    /// Keeps the files that the sends need until these are committed.
    holds: Vec<Held>,
    done: Vec<String>,
    /// The first trouble; the others are tried again with it.
    trouble: Option<(Arc<str>, Trouble)>,
    asked: usize,
}

/// How a try ended.
enum End {
    /// Over.
    Done,
    /// Again on the same lane after this.
    Again(Duration),
    /// Out of its lane: due again after this, or never.
    Parked(Option<Duration>),
}

impl Handler {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self { account }
    }

    /// Handles one event to its end: done, parked, dead, or given back because wxbot stops. Answers when it is due again
    /// if it was parked. `permit` is a place among the shared lanes; it is given up while the event waits for its next
    /// try, so that a failing plugin of one account holds up no other.
    pub(crate) async fn handle(
        &self,
        Work { mut row, mut fresh }: Work,
        stop: &CancellationToken,
        gate: &Gate,
        permit: OwnedSemaphorePermit,
    ) -> Option<Duration> {
        let begun = Instant::now();
        let mut permit = Some(permit);
        // Tries of this run that the store did not let us finish: no crashes, though they look like it in the row.
        let mut unfinished = 0;
        loop {
            let wait = match self.try_once(&mut row, fresh.take(), begun, unfinished).await {
                Ok(End::Done) => return None,
                Ok(End::Parked(until)) => return until,
                Ok(End::Again(wait)) => wait,
                Err(error) => {
                    // Nothing was changed: the event is still there. The store is what everything waits for.
                    tracing::error!(account = %self.account.name, seq = row.seq, %error, "An event waits for the store.");
                    unfinished += 1;
                    Duration::from_secs(1)
                }
            };
            drop(permit.take());
            let waited = async {
                tokio::time::sleep(wait).await;
                gate.enter().await
            };
            // Stopped meanwhile: the failure is noted, and a start takes the event up again.
            permit = Some(stop.run_until_cancelled(waited).await??);
        }
    }

    async fn try_once(
        &self,
        row: &mut InboxRow,
        fresh: Option<Box<Event>>,
        begun: Instant,
        unfinished: u32,
    ) -> Result<End, StoreError> {
        let store = &self.account.store;
        let claims = match fresh {
            // Claimed with the batch it came in.
            Some(_) => Claims { attempts: 1, errors: 0 },
            None => store.claim(row.seq).await?,
        };
        if claims.attempts.saturating_sub(1 + claims.errors + unfinished) >= MAX_CRASHES {
            let error = format!("wxbot ended {MAX_CRASHES} times while handling it");
            return self.give_up(row, error).await;
        }
        let event: Event = match fresh.map_or_else(|| serde_json::from_str(&row.body), |event| Ok(*event)) {
            Ok(event) => event,
            Err(error) => return self.give_up(row, format!("the stored event cannot be read: {error}")).await,
        };
        // Taken once: a try ends with the settings it began with, whatever is put into force meanwhile.
        let settings = self.account.settings();
        let destination =
            Plugins { handler: self, settings: &settings, row, harvest: Mutex::default(), attempt: claims.attempts };
        let envelope = Envelope { event, seq: row.seq, attempt: claims.attempts };
        let outcome = Next::new(&settings.chain, &destination).run(envelope).await;
        let harvest = destination.harvest.into_inner().unwrap_or_else(PoisonError::into_inner);
        let note = match outcome {
            Outcome::Passed { .. } => None,
            Outcome::Stopped { by, why } => {
                tracing::debug!(account = %self.account.name, seq = row.seq, %by, why, "Event stopped.");
                Some(format!("{by}: {why}"))
            }
        };
        match harvest.trouble {
            None => {
                let count = harvest.sends.len();
                let mut finish = self.finish(row.seq, note, harvest.sends, harvest.kv);
                finish.direct = outbox::may_claim(&self.account).filter(|_| count > 0);
                match store.finish(finish).await? {
                    Finished::Done(claimed) => {
                        self.account.outbox.stored(count, claimed);
                        Ok(End::Done)
                    }
                    Finished::Conflict { .. } | Finished::TooManyTimers { .. } => Ok(End::Again(Duration::ZERO)),
                }
            }
            Some((plugin, ref trouble)) => {
                let trouble = trouble.clone();
                let partial = self.finish(row.seq, None, harvest.sends, harvest.kv);
                let mut done = row.done.clone();
                done.extend(harvest.done);
                let end = self.troubled(row.seq, &plugin, trouble, claims.errors, partial, done.clone(), begun).await?;
                // Only now is what they asked for committed.
                row.done = done;
                Ok(end)
            }
        }
    }

    fn finish(
        &self,
        seq: u64,
        note: Option<String>,
        sends: Vec<NewSend>,
        kv: Vec<(Arc<str>, String, Option<Value>)>,
    ) -> Finish {
        let now_ms = self.account.source.now_ms();
        Finish {
            seq,
            account: self.account.name.clone(),
            note,
            sends,
            swaps: Vec::new(),
            kv,
            timers: Vec::new(),
            direct: None,
            now_ms,
        }
    }

    async fn give_up(&self, row: &InboxRow, error: String) -> Result<End, StoreError> {
        tracing::error!(account = %self.account.name, seq = row.seq, %error, "An event is given up.");
        let failure =
            Failure { seq: row.seq, error, again_ms: None, counts: true, partial: None, done: row.done.clone() };
        self.account.store.fail(failure).await?;
        Ok(End::Parked(None))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one row; a struct of them would be made and taken apart here"
    )]
    async fn troubled(
        &self,
        seq: u64,
        plugin: &str,
        trouble: Trouble,
        errors_before: u32,
        partial: Finish,
        done: Vec<String>,
        begun: Instant,
    ) -> Result<End, StoreError> {
        let account = &self.account;
        let (wait, counts, error) = match trouble {
            Trouble::Failed(why) => (backoff(errors_before), true, format!("plugin {plugin}: {why}")),
            Trouble::Open(left) => (left, false, format!("plugin {plugin} rests after too many failures")),
        };
        let dead = counts && errors_before + 1 >= MAX_ERRORS;
        let wait = account.source.jitter(wait);
        // While a breaker is open nobody waits for the plugin: the event is parked at once.
        let stays = !dead && counts && begun.elapsed() + wait <= LANE_PATIENCE;
        let until = account.source.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
        // What stays with its lane is not parked: the disk must not hand it out a second time.
        let again_ms = (!dead).then_some(if stays { 0 } else { until });
        tracing::warn!(account = %account.name, seq, %error, parked = !stays && !dead, dead, "An event could not be handled.");
        let sends = partial.sends.len();
        let failure = Failure { seq, error, again_ms, counts, partial: Some(partial), done };
        account.store.fail(failure).await?;
        account.outbox.stored(sends, Vec::new());
        Ok(match (dead, stays) {
            (true, _) => End::Parked(None),
            (false, true) => End::Again(wait),
            (false, false) => End::Parked(Some(wait)),
        })
    }
}

/// 1 s, then four times as long each time, at most 10 min.
fn backoff(errors: u32) -> Duration {
    Duration::from_secs(4u64.saturating_pow(errors.min(8)).min(600))
}

/// The end of the chain for one event.
struct Plugins<'a> {
    handler: &'a Handler,
    settings: &'a Settings,
    row: &'a InboxRow,
    harvest: Mutex<Harvest>,
    attempt: u32,
}

impl Destination for Plugins<'_> {
    fn arrive(&self, env: Envelope) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let mut harvest = Harvest::default();
            let mut too_late = false;
            let event = Arc::new(env.event);
            for plugin in &self.settings.plugins {
                if !plugin.wants(&event) || self.row.done.iter().any(|id| **id == *plugin.id) {
                    continue;
                }
                if event.late && !plugin.manifest.wants_late {
                    too_late = true;
                    continue;
                }
                harvest.asked += 1;
                self.ask(plugin, &event, &mut harvest).await;
            }
            let (actions, asked) = (harvest.sends.len(), harvest.asked);
            *self.harvest.lock().unwrap_or_else(PoisonError::into_inner) = harvest;
            if too_late && asked == 0 {
                return Outcome::stopped("late", "older than the limit, and no plugin asked for late messages");
            }
            Outcome::Passed { actions }
        })
    }
}

impl Plugins<'_> {
    async fn ask(&self, plugin: &ActivePlugin, event: &Arc<Event>, harvest: &mut Harvest) {
        let meta = CallMeta::first().attempt(self.attempt);
        let call = Call { event: Arc::clone(event), meta, dialog: None };
        let collected = match plugin.run(call).await {
            Ok(answer) => self.collect(plugin, event, answer.effects).await,
            Err(trouble) => Err(trouble),
        };
        match collected {
            Ok(Harvest { sends, kv, holds, .. }) => {
                harvest.sends.extend(sends);
                harvest.kv.extend(kv);
                harvest.holds.extend(holds);
                harvest.done.push(plugin.id.to_string());
            }
            Err(trouble) => {
                harvest.trouble.get_or_insert((Arc::clone(&plugin.id), trouble));
            }
        }
    }

    /// What one plugin's answer comes to. Files are taken into the media folder here, before the event's commit.
    async fn collect(&self, plugin: &ActivePlugin, event: &Event, effects: Effects) -> Result<Harvest, Trouble> {
        let account = &self.handler.account;
        let able = self.settings.protocol.capabilities();
        let can = |what: Capability| {
            let (name, protocol) = (&account.name, account.protocol_name());
            let why = || format!("it asked for what account `{name}` ({protocol}) cannot do: `{what}`");
            able.has(what).then_some(()).ok_or_else(|| Trouble::Failed(why()))
        };
        let (mut sends, mut kv, mut holds) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            let effect = by_source(effect);
            let action = match effect {
                Effect::Reply { text, mention_sender } => {
                    let mention = match &event.sender {
                        Some(sender) if mention_sender && event.is_group() => vec![sender.id.clone()],
                        Some(_) | None => Vec::new(),
                    };
                    Action::SendText { to: event.chat.id.clone(), text, mention }
                }
                Effect::Media { to, shape, source } => {
                    can(shape.needs())?;
                    let taken = account.media.take(&account.name, shape, source).await.map_err(Trouble::Failed)?;
                    holds.extend(taken.hold);
                    Action::SendMedia { to: to.unwrap_or_else(|| event.chat.id.clone()), shape, media: taken.media }
                }
                Effect::Act(action) => action,
                Effect::Put { key, value } => {
                    kv.push((Arc::clone(&plugin.id), key, Some(value)));
                    continue;
                }
                Effect::Delete { key } => {
                    kv.push((Arc::clone(&plugin.id), key, None));
                    continue;
                }
                _ => return Err(Trouble::Failed("it answered an effect this wxbot does not know".into())),
            };
            can(action.needs())?;
            let body = serde_json::to_string(&action).map_err(|e| Trouble::Failed(e.to_string()))?;
            // What comes back of anything else is another shape; the whole action never equals a text.
            let echo = if let Action::SendText { text, .. } = &action { echo_of(text) } else { echo_of(&body) };
            let media = if let Action::SendMedia { media: Media::Stored(stored), .. } = &action {
                Some(stored.digest.clone())
            } else {
                None
            };
            sends.push(NewSend {
                plugin: Arc::clone(&plugin.id),
                ord: u32::try_from(sends.len()).unwrap_or(u32::MAX),
                conv: action.to().unwrap_or(&event.chat.id).clone(),
                client_id: self.settings.protocol.draw_client_msg_id(),
                body,
                echo,
                media,
            });
        }
        Ok(Harvest { sends, kv, holds, ..Harvest::default() })
    }
}

/// An action that sends media by itself goes the way of the effect for it: its file must be there and stay there.
fn by_source(effect: Effect) -> Effect {
    let Effect::Act(Action::SendMedia { to, shape, media }) = effect else { return effect };
    let source = match media {
        Media::Stored(stored) => MediaSource::Stored(stored),
        Media::Received { media, name } => MediaSource::Received { media, name },
        _ => return Effect::Act(Action::SendMedia { to, shape, media }),
    };
    Effect::Media { to: Some(to), shape, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_fourfold_up_to_ten_minutes() {
        let waits: Vec<u64> = (0..7).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [1, 4, 16, 64, 256, 600, 600]);
    }
}
