//! Who sends planned messages when their time has come? One task for all accounts, as the clock; it makes sends of them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wxbot_core::source::Source;
use wxbot_model::Action;

use crate::account::Account;
use crate::clock::cron::Schedule;
use crate::clock::{MOST_MISSED, shown};
use crate::dispatch::collect::rows_of;
use crate::dispatch::{WXBOT, no_event};
use crate::roster::Roster;
use crate::store::{LoneSend, Planned, PlannedFiring, Store, StoreError};

/// However far the next one is: a wall clock that was set, or an account that came back, is noticed within this.
const LOOK_EVERY_MS: i64 = 10_000;
/// In one look.
const BATCH: usize = 64;
/// A message that is due more often is no message but a machine gun.
const LEAST_BETWEEN_MS: i64 = 60_000;
/// How far ahead a schedule is looked at for that.
const LOOKED_AT: usize = 50;

/// When a message is due first that is planned by a cron expression.
///
/// # Errors
/// In words: it is no schedule, or it is due more often than once a minute.
pub fn first_due(cron: &str, tz: Option<&str>, now_ms: i64) -> Result<i64, String> {
    let schedule = Schedule::parse(cron, tz).map_err(|error| error.to_string())?;
    let first = schedule.next_after(now_ms).ok_or("it is never due")?;
    let mut before = first;
    for _ in 0..LOOKED_AT {
        let Some(next) = schedule.next_after(before) else { break };
        if next - before < LEAST_BETWEEN_MS {
            return Err(format!("`{cron}` is due more than once a minute; wxbot sends no such stream of messages"));
        }
        before = next;
    }
    Ok(first)
}

/// Sends what is due until `stop`. What is not sent before that is dealt with after the next start, by its policy.
pub(crate) async fn run(store: Arc<dyn Store>, source: Source, roster: Roster, stop: CancellationToken) {
    let bell = store.planned_bell();
    while !stop.is_cancelled() {
        let now_ms = source.now_ms();
        let next_ms = look(&*store, &source, &roster, now_ms).await.unwrap_or_else(|error| {
            tracing::error!(%error, "Planned messages wait for the store.");
            None
        });
        let wait = next_ms.map_or(LOOK_EVERY_MS, |at| (at - now_ms).clamp(0, LOOK_EVERY_MS));
        tokio::select! {
            () = stop.cancelled() => {}
            () = bell.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())) => {}
        }
    }
}

/// Deals with what is due by now; when the next one is.
async fn look(store: &dyn Store, source: &Source, roster: &Roster, now_ms: i64) -> Result<Option<i64>, StoreError> {
    let accounts = roster.now();
    let names = accounts.iter().map(|account| account.name.clone()).collect();
    let (due, next) = store.due_planned(names, now_ms, BATCH).await?;
    for planned in due {
        let Some(account) = accounts.iter().find(|account| account.name == planned.account) else { continue };
        let firing = firing(&planned, account, source, now_ms);
        let late = firing.missed.clone();
        if store.fire_planned(firing).await? {
            match late {
                Some(why) => {
                    tracing::warn!(account = %account.name, plan = planned.id, why, "A planned message is not sent.")
                }
                None => {
                    tracing::info!(account = %account.name, plan = planned.id, chat = %planned.conv, "A planned message goes out.")
                }
            }
            account.look_again();
        }
    }
    Ok(next)
}

fn firing(planned: &Planned, account: &Account, source: &Source, now_ms: i64) -> PlannedFiring {
    let (chosen, next_ms) = match turn(planned, now_ms) {
        Ok(turn) => turn,
        // It was good when it was planned: the time zone is unknown here, or a hand was at it.
        Err(why) => (Err(why), None),
    };
    let action: Result<Action, _> = serde_json::from_str(&planned.body);
    let protocol = Arc::clone(&account.settings().protocol);
    let draw = || protocol.draw_client_msg_id();
    let plugin = Arc::from(WXBOT);
    let made = action.map_err(|error| error.to_string());
    let made = made.and_then(|action| rows_of(protocol.text_limit(), draw, &plugin, &planned.conv, &action, 0));
    let (sends, missed) = match made {
        Ok(sends) => (sends, chosen.err()),
        Err(error) => {
            let body = planned.body.clone();
            let send = crate::store::NewSend {
                plugin,
                ord: 0,
                conv: planned.conv.clone(),
                client_id: draw(),
                body,
                echo: 0,
                media: None,
            };
            (vec![send], Some(format!("what was planned cannot be read: {error}")))
        }
    };
    let cause = no_event(source);
    let send = LoneSend { account: planned.account.clone(), sends, cause, direct: None, now_ms };
    PlannedFiring { id: planned.id, due_ms: planned.due_ms, next_ms, send, missed }
}

/// Whether it goes out now, else why not; and when it is due again.
type Turn = (Result<(), String>, Option<i64>);

fn turn(planned: &Planned, now_ms: i64) -> Result<Turn, String> {
    let tz = planned.tz.as_deref();
    let (due, next) = match &planned.cron {
        None => (vec![planned.due_ms], None),
        Some(cron) => {
            let schedule =
                Schedule::parse(cron, tz).map_err(|error| format!("its schedule cannot be read: {error}"))?;
            (schedule.due_between(planned.due_ms - 1, now_ms, MOST_MISSED), schedule.next_after(now_ms))
        }
    };
    // However often it was missed, one message stands for all.
    let chosen = planned.missed.choose(due, now_ms);
    let missed = || format!("missed: it was due {}, and nothing ran that could send it", shown(planned.due_ms, tz));
    Ok((chosen.last().map(|_| ()).ok_or_else(missed), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Missed;

    const NOW: i64 = 1_780_000_000_000;

    fn planned(cron: Option<&str>, missed: Missed, due_ms: i64) -> Planned {
        Planned {
            id: 1,
            account: "shop".parse().unwrap(),
            conv: "p1".parse().unwrap(),
            body: String::new(),
            cron: cron.map(str::to_owned),
            tz: Some("UTC".to_owned()),
            missed,
            due_ms,
            made_ms: 0,
        }
    }

    #[test]
    fn what_was_missed_follows_its_policy() {
        let hour = 3_600_000;
        let daily = Some("0 0 9 * * *");
        let next = first_due("0 0 9 * * *", Some("UTC"), NOW).unwrap();
        for (what, planned, goes, again) in [
            ("once, in time", planned(None, Missed::Skip, NOW - 1_000), true, None),
            ("once, missed", planned(None, Missed::Skip, NOW - hour), false, None),
            ("once, missed and wanted", planned(None, Missed::Once, NOW - hour), true, None),
            ("daily, in time", planned(daily, Missed::Skip, next), true, Some(next + 24 * hour)),
            ("daily, missed for days", planned(daily, Missed::Skip, next - 72 * hour), false, Some(next)),
            ("daily, missed and wanted", planned(daily, Missed::Once, next - 72 * hour), true, Some(next)),
        ] {
            let now = if what == "daily, in time" { next + 500 } else { NOW };
            let (sent, next) = turn(&planned, now).unwrap();
            assert_eq!((sent.is_ok(), next), (goes, again), "{what}: {sent:?}");
        }
        assert!(turn(&planned(Some("x"), Missed::Skip, NOW), NOW).is_err());
    }

    #[test]
    fn nobody_plans_a_stream() {
        assert!(first_due("* * * * * *", None, NOW).unwrap_err().contains("once a minute"));
        assert!(first_due("0,30 0 9 * * *", None, NOW).unwrap_err().contains("once a minute"));
        assert!(first_due("0 * * * * *", None, NOW).is_ok());
        assert!(first_due("30 2 30 2 *", None, NOW).unwrap_err().contains("never"));
    }
}
