//! What happens to one event? Claim, chain, plugins, and one commit that ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wxbot_model::Event;
use wxbot_plugin::middleware::Observer;
use wxbot_plugin::{Envelope, Next, Outcome};

use super::WXBOT;
use super::dialogs::Question;
use super::feed::Work;
use super::round::{Harvest, Round};
use super::run::Gate;
use super::typing;
use crate::account::Account;
use crate::failpoint::fail_point;
use crate::outbox;
use crate::plugin::Trouble;
use crate::store::{Claims, Failure, Finish, Finished, InboxRow, MOST_TIMERS, StoreError};

/// Tries that ended with the process before an event is given up: it may be what kills us.
const MAX_CRASHES: u32 = 3;
/// Noted errors before an event is given up.
const MAX_ERRORS: u32 = 8;
/// Rounds of one try whose changes others overtook. Each round begins with fresh values, so two that want the same value
/// need two rounds; twenty lanes of an account are more than run side by side.
const MAX_CONFLICTS: u32 = 20;
/// How long a failing event may hold up its conversation before it is parked.
const LANE_PATIENCE: Duration = Duration::from_secs(30);

/// Handles events of one account.
pub(crate) struct Handler {
    account: Arc<Account>,
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

/// What became of a round.
enum Recorded {
    As(End),
    /// Nothing of it was done, because of this plugin.
    Refused(Arc<str>, Refusal),
}

/// Why a plugin's answer was not recorded.
enum Refusal {
    /// A value was no longer what the plugin had read.
    Changed {
        key: String,
    },
    TooManyTimers,
}

/// What was refused in one try.
#[derive(Default)]
struct Refusals {
    rounds: u32,
    changed: u32,
    /// Those that are not asked again, and why.
    plugins: Vec<(Arc<str>, String)>,
}

impl Refusals {
    fn add(&mut self, plugin: Arc<str>, refusal: Refusal) {
        self.rounds += 1;
        let why = match refusal {
            Refusal::Changed { key } => {
                self.changed += 1;
                if self.changed < MAX_CONFLICTS {
                    return;
                }
                format!("others were faster {MAX_CONFLICTS} times at changing `{key}`")
            }
            Refusal::TooManyTimers => format!("it would have more than {MOST_TIMERS} timers"),
        };
        self.plugins.push((plugin, why));
    }
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
        Work { mut row, mut fresh, again }: Work,
        stop: &CancellationToken,
        gate: &Gate,
        permit: OwnedSemaphorePermit,
    ) -> Option<Duration> {
        let begun = Instant::now();
        let mut permit = Some(permit);
        // Tries of this run that the store did not let us finish: no crashes, though they look like it in the row.
        let mut unfinished = 0;
        let mut tries = u32::from(again);
        loop {
            tries += 1;
            let wait = match self.try_once(&mut row, fresh.take(), begun, unfinished, tries).await {
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
                self.account.reserve.ample().await;
                gate.enter().await
            };
            // Stopped meanwhile: the failure is noted, and a start takes the event up again.
            permit = Some(stop.run_until_cancelled(waited).await??);
        }
    }

    async fn try_once(
        &self,
        row: &mut InboxRow,
        mut fresh: Option<Box<Event>>,
        begun: Instant,
        unfinished: u32,
        tries: u32,
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
        fail_point!("event: begun");
        let mut refusals = Refusals::default();
        loop {
            let read = fresh.take().map_or_else(|| serde_json::from_str(&row.body), |event| Ok(*event));
            let event: Event = match read {
                Ok(event) => event,
                Err(error) => return self.give_up(row, format!("the stored event cannot be read: {error}")).await,
            };
            // Taken once: a round ends with the settings it began with, whatever is put into force meanwhile.
            let settings = self.account.settings();
            // Claims are given back where nobody failed. What comes by the clock begins parked.
            let tries = if event.kind.of_plugin().is_some() { 1 } else { tries };
            let attempt = claims.attempts.max(tries) + refusals.rounds;
            let seen = self.account.begin_trace(row.seq, attempt);
            let round = Round::new(&self.account, &settings, row, claims.errors, &refusals.plugins, seen.as_ref());
            let envelope = Envelope::new(event, row.seq).attempt(attempt);
            let observer = seen.as_ref().map(|seen| seen as &dyn Observer);
            // Of what is handled once more nobody has written just now.
            let whom = row.replay.is_none().then(|| typing::whom(&settings, &envelope.event)).flatten();
            let work = Next::new(&settings.chain, &round).seen_by(observer).run(envelope);
            let outcome = typing::while_working(&self.account, whom, work).await;
            let harvest = round.harvest();
            fail_point!("event: plugins answered");
            self.account.keep_trace(seen, &outcome, harvest.trouble.as_ref());
            match self.record(row, outcome, harvest, claims.errors, begun).await? {
                Recorded::As(end) => return Ok(end),
                Recorded::Refused(plugin, refusal) => refusals.add(plugin, refusal),
            }
        }
    }

    /// Writes down what a round came to: all of it in one commit, or nothing.
    async fn record(
        &self,
        row: &mut InboxRow,
        outcome: Outcome,
        harvest: Harvest,
        errors: u32,
        begun: Instant,
    ) -> Result<Recorded, StoreError> {
        let account = &self.account;
        let note = match outcome {
            Outcome::Passed { .. } => None,
            Outcome::Stopped { by, why } => {
                tracing::debug!(account = %account.name, seq = row.seq, %by, why, "Event stopped.");
                Some(format!("{by}: {why}"))
            }
        };
        let Harvest { shares, trouble, done: more, talk, .. } = harvest;
        let several = shares.len() > 1;
        let (mut finish, mut holds, mut question) = (self.finish(row.seq), Vec::new(), None);
        for share in shares {
            finish.sends.extend(share.sends);
            finish.kv.extend(share.kv);
            finish.swaps.extend(share.swaps);
            finish.timers.extend(share.timers);
            holds.extend(share.holds);
            // Where two ask, the person sees the later question last and answers that.
            question = share.question.or(question);
        }
        let kept = question.as_ref().map(Question::note).or_else(|| Some((talk.as_ref()?.key(), None)));
        finish.kv.extend(kept.map(|(key, value)| (Arc::from(WXBOT), key, value)));
        if row.replay.as_ref().is_some_and(|replay| !replay.send) {
            // The person was not asked, so no answer of theirs is one to this.
            question = None;
        }
        let count = finish.sends.len();
        // An answer within a dialog is the end of that dialog, whatever the others did.
        let spare = (several && talk.is_none() && !(finish.swaps.is_empty() && finish.timers.is_empty()))
            .then(|| finish.clone());
        let (finished, end, done) = match trouble {
            None => {
                finish.note = note;
                finish.direct = outbox::may_claim(account).filter(|_| count > 0);
                (account.store.finish(finish).await?, End::Done, None)
            }
            Some((plugin, trouble)) => {
                let done = [row.done.as_slice(), &more].concat();
                let (failure, end) = self.failure(row.seq, &plugin, trouble, errors, begun);
                let failure = Failure { partial: Some(finish), done: done.clone(), ..failure };
                let failed = account.store.fail(failure).await?;
                fail_point!("event: failure noted");
                (failed, end, Some(done))
            }
        };
        let (plugin, refusal) = match finished {
            Finished::Done(claimed) => {
                // Only now is what they asked for committed.
                fail_point!("event: ended");
                row.done = done.unwrap_or_default();
                account.outbox.stored(count, claimed);
                fail_point!("event: sends on the desk");
                account.dialogs.settle(account, talk.as_ref(), question);
                return Ok(Recorded::As(end));
            }
            Finished::Conflict { plugin, key } => (plugin, Refusal::Changed { key }),
            Finished::TooManyTimers { plugin } => (plugin, Refusal::TooManyTimers),
        };
        if let Some(others) = spare
            && self.record_others(row, others, &plugin, &more, question).await?
        {
            return Ok(Recorded::As(End::Again(Duration::ZERO)));
        }
        Ok(Recorded::Refused(plugin, refusal))
    }

    /// Commits what the plugins besides the refused one asked for, so that only that one runs again: the others may have
    /// taken long, or called somebody. False when that is refused as well.
    async fn record_others(
        &self,
        row: &mut InboxRow,
        mut others: Finish,
        refused: &str,
        more: &[String],
        question: Option<Question>,
    ) -> Result<bool, StoreError> {
        let account = &self.account;
        let question = question.filter(|question| question.plugin() != refused);
        let keep = |plugin: &str| plugin != refused && (plugin != WXBOT || question.is_some());
        others.sends.retain(|send| keep(&send.plugin));
        others.kv.retain(|(plugin, ..)| keep(plugin));
        others.swaps.retain(|swap| keep(&swap.plugin));
        others.timers.retain(|timer| keep(timer.plugin()));
        (others.note, others.direct) = (None, None);
        let count = others.sends.len();
        let more = more.iter().filter(|id| *id != refused).cloned();
        let done: Vec<String> = row.done.iter().cloned().chain(more).collect();
        // It stays in its lane, and the claim is given back: nobody failed.
        let failure = Failure {
            seq: row.seq,
            error: format!("plugin {refused} runs again: somebody was faster"),
            again_ms: Some(0),
            counts: false,
            partial: Some(others),
            done: done.clone(),
        };
        let Finished::Done(claimed) = account.store.fail(failure).await? else { return Ok(false) };
        row.done = done;
        account.outbox.stored(count, claimed);
        account.dialogs.settle(account, None, question);
        Ok(true)
    }

    fn finish(&self, seq: u64) -> Finish {
        Finish {
            seq,
            account: self.account.name.clone(),
            note: None,
            sends: Vec::new(),
            swaps: Vec::new(),
            kv: Vec::new(),
            timers: Vec::new(),
            direct: None,
            now_ms: self.account.source.now_ms(),
        }
    }

    async fn give_up(&self, row: &InboxRow, error: String) -> Result<End, StoreError> {
        tracing::error!(account = %self.account.name, seq = row.seq, %error, "An event is given up.");
        let failure =
            Failure { seq: row.seq, error, again_ms: None, counts: true, partial: None, done: row.done.clone() };
        self.account.store.fail(failure).await?;
        Ok(End::Parked(None))
    }

    /// What a failed try comes to; what the others asked for is still to be added.
    fn failure(&self, seq: u64, plugin: &str, trouble: Trouble, errors_before: u32, begun: Instant) -> (Failure, End) {
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
        let end = match (dead, stays) {
            (true, _) => End::Parked(None),
            (false, true) => End::Again(wait),
            (false, false) => End::Parked(Some(wait)),
        };
        (Failure { seq, error, again_ms, counts, partial: None, done: Vec::new() }, end)
    }
}

/// 1 s, then four times as long each time, at most 10 min.
fn backoff(errors: u32) -> Duration {
    Duration::from_secs(4u64.saturating_pow(errors.min(8)).min(600))
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
