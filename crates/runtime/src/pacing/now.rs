//! What holds for an account at this moment? For a claim, for `cx.budget()`, and for whoever asks why it is slow.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use wxbot_core::ReplyWindow;
use wxbot_model::span::Rate;
use wxbot_model::{ActionKind, ContactId};
use wxbot_plugin::{Allowance, Budget};

use super::bucket::{Bucket, Pace};
use super::rules::{QuietNow, Rules};
use super::window::{Meter, Reading, Shut};
use super::{GAP, LOGIN, OF_ACCOUNT, of_kind};
use crate::account::Account;
use crate::config::Quiet;
use crate::store::{ClaimSends, StoreError};

const DAY_MS: i64 = 86_400_000;

/// Why an account sends less than its pace, or nothing, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Slowed {
    /// Why.
    pub by: SlowedBy,
    /// Until when, milliseconds since 1970.
    pub until_ms: i64,
}

/// What slows an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowedBy {
    /// Quiet hours, for answers too.
    QuietHours,
    /// Quiet hours for what goes out by itself; who writes is answered.
    QuietHoursForPushes,
    /// A new login is being warmed up.
    WarmUp,
    /// Its pace is used up.
    Pace,
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}

/// What to claim by: at most so many sends.
pub(crate) fn ask(account: &Account, limit: usize) -> ClaimSends {
    let settings = account.settings();
    let (pacing, now_ms) = (settings.config.pacing, account.source.now_ms());
    let quiet = settings.config.quiet.as_ref();
    // Random numbers are drawn for those who use them alone: a test of another thing keeps its own.
    let seed = if pacing.manners.jitter_percent > 0 { account.source.random_u64() } else { 0 };
    ClaimSends {
        account: account.name.clone(),
        limit,
        now_ms,
        max_age_ms: max_age_ms(pacing.max_age, quiet, now_ms),
        per_account: (pacing.per_account, pacing.burst),
        per_chat: (pacing.per_chat, pacing.per_chat.count.min(pacing.burst)),
        rules: Rules {
            manners: pacing.manners,
            burst: pacing.burst,
            seed,
            quiet: quiet.and_then(|quiet| quiet_now(quiet, now_ms)),
            window: settings.protocol.reply_window(),
            text_limit: settings.protocol.text_limit(),
        },
    }
}

fn quiet_now(quiet: &Quiet, now_ms: i64) -> Option<QuietNow> {
    let Quiet { hours, zone, answers_too } = quiet;
    // Hours that never end are looked at again tomorrow.
    let left = || hours.ends_after(now_ms, zone).unwrap_or(DAY_MS);
    hours.covers(now_ms, zone).then(|| QuietNow { until_ms: now_ms + left(), all: *answers_too })
}

/// How old an answer may be. Where answers wait for the end of quiet hours, those are not held against them.
fn max_age_ms(max_age: Duration, quiet: Option<&Quiet>, now_ms: i64) -> i64 {
    let age = ms(max_age);
    let waits = quiet.filter(|quiet| quiet.answers_too);
    let was_quiet = |at_ms| waits.is_some_and(|quiet| quiet.hours.covers(at_ms, &quiet.zone));
    if was_quiet(now_ms) || was_quiet(now_ms.saturating_sub(age)) { age.saturating_add(DAY_MS) } else { age }
}

/// Saved numbers of buckets by their scope; those that are full are missing.
type Debts = HashMap<String, i64>;

async fn debts(account: &Account, chat: &str) -> Result<Debts, StoreError> {
    let fixed = [OF_ACCOUNT, GAP, LOGIN].into_iter().chain(ActionKind::ALL.into_iter().map(of_kind));
    let mut scopes: Vec<String> = fixed.map(str::to_owned).collect();
    scopes.push(chat.to_owned());
    account.store.debts(&account.name, scopes).await
}

/// What may go out into this chat.
pub(crate) async fn budget(account: &Account, chat: &ContactId) -> Result<Budget, StoreError> {
    let debts = debts(account, chat.as_str()).await?;
    let ask = ask(account, 1);
    let budget = look(&ask, chat.as_str(), &debts);
    let Some(window) = ask.rules.window else { return Ok(budget) };
    let meter = account.store.meter(&account.name, chat).await?;
    Ok(with_window(budget, meter, window, ask.now_ms))
}

fn with_window(budget: Budget, meter: Option<Meter>, window: ReplyWindow, now_ms: i64) -> Budget {
    match meter.map(|meter| (meter, meter.read(window, now_ms, false))) {
        Some((meter, Reading::Open { left, until_ms, from_ms })) => {
            let rests = from_ms.map_or(Allowance::UNLIMITED, Allowance::not_before);
            let chat = budget.chat.and(rests);
            budget.with_chat(chat).with_window(left, meter.likely(left), secs_left(until_ms, now_ms))
        }
        Some((_, Reading::Shut(_))) | None => budget.with_window(0, 0, 0),
    }
}

/// Whole seconds from now on; at least one while it is not over.
fn secs_left(until_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(until_ms.saturating_sub(now_ms)).unwrap_or(0).div_ceil(1_000)
}

/// Why nothing may be said in this chat before a person writes there; `None`: something may, or will without that.
pub(crate) async fn shut(account: &Account, chat: &ContactId) -> Result<Option<Shut>, StoreError> {
    let Some(window) = account.settings().protocol.reply_window() else { return Ok(None) };
    let Some(meter) = account.store.meter(&account.name, chat).await? else { return Ok(Some(Shut::NobodyWrote)) };
    Ok(match meter.read(window, account.source.now_ms(), false) {
        Reading::Shut(shut) => Some(shut),
        Reading::Open { .. } => None,
    })
}

/// A chat that may be written to, where the service lets a bot answer and not begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenWindow {
    /// Which.
    pub chat: ContactId,
    /// What it is called; empty while nobody has logged in.
    pub name: String,
    /// Sends that are left before somebody writes there again.
    pub left: u32,
    /// How many of them the service is likely to take, by what it refused before.
    pub likely: u32,
    /// When it shuts, whatever is left; milliseconds since 1970.
    pub until_ms: i64,
}

fn look(ask: &ClaimSends, chat: &str, debts: &Debts) -> Budget {
    let rules = &ask.rules;
    let now_us = ask.now_ms.saturating_mul(1_000);
    let (permille, warm_until_us) = rules.manners.warm_up.at(debts.get(LOGIN).copied(), now_us);
    let of = |scope: &str, pace: Option<(Rate, u32)>| {
        let Some(pace) = pace.and_then(|(rate, burst)| Pace::new(rate, burst)) else { return Allowance::UNLIMITED };
        let pace = pace.slowed(permille);
        let (bucket, _) = Bucket::restore(pace, debts.get(scope).copied().unwrap_or(0), now_us);
        match bucket.free_at(pace, now_us) {
            Some(at_us) => Allowance::not_before(at_us / 1_000 + 1),
            None => Allowance::of(bucket.tokens(pace, now_us)),
        }
    };
    let gap = debts.get(GAP).filter(|at| rules.manners.jitter_percent > 0 && **at > now_us);
    let gap = gap.map_or(Allowance::UNLIMITED, |at_us| Allowance::not_before(at_us / 1_000 + 1));
    let mut budget = Budget::unlimited()
        .with_account(of(OF_ACCOUNT, Some(ask.per_account)).and(gap))
        .with_chat(of(chat, Some(ask.per_chat)));
    for kind in ActionKind::ALL {
        if let Some(pace) = rules.manners.kinds.of(kind, rules.burst) {
            budget = budget.with_kind(kind, of(of_kind(kind), Some(pace)));
        }
    }
    if let Some(quiet) = rules.quiet {
        budget = budget.in_quiet_hours(quiet.until_ms, quiet.all);
    }
    match warm_until_us {
        Some(until_us) => budget.warming_up(until_us / 1_000),
        None => budget,
    }
}

impl Account {
    /// Why it sends less than its pace, or nothing, right now; nothing when it does not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn slowed(&self) -> Result<Vec<Slowed>, StoreError> {
        let debts = debts(self, OF_ACCOUNT).await?;
        let budget = look(&ask(self, 1), GAP, &debts);
        let quiet = budget.quiet.map(|quiet| {
            let by = if quiet.answers_wait { SlowedBy::QuietHours } else { SlowedBy::QuietHoursForPushes };
            Slowed { by, until_ms: quiet.until_ms }
        });
        let warm_up = budget.warm_up_until_ms.map(|until_ms| Slowed { by: SlowedBy::WarmUp, until_ms });
        let pace = budget.account.next_ms.map(|until_ms| Slowed { by: SlowedBy::Pace, until_ms });
        Ok([quiet, warm_up, pace].into_iter().flatten().collect())
    }

    /// The chats that may be written to, at most a thousand, the one that opened last first; `None` where its service lets
    /// it write whenever it likes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open_windows(&self) -> Result<Option<Vec<OpenWindow>>, StoreError> {
        let Some(window) = self.settings().protocol.reply_window() else { return Ok(None) };
        let (meters, now_ms) = (self.store.meters(&self.name).await?, self.source.now_ms());
        let open = meters.into_iter().filter_map(|(chat, meter)| match meter.read(window, now_ms, false) {
            Reading::Open { left, until_ms, .. } => {
                let name = self.read_contacts(|book| book.name_of(&chat).to_owned());
                Some(OpenWindow { chat, name, left, likely: meter.likely(left), until_ms })
            }
            Reading::Shut(_) => None,
        });
        Ok(Some(open.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::{Manners, WarmUp};

    const NOW_MS: i64 = 1_780_000_000_000;

    fn claim(manners: Manners, quiet: Option<QuietNow>) -> ClaimSends {
        ClaimSends {
            account: "shop".parse().unwrap(),
            limit: 1,
            now_ms: NOW_MS,
            max_age_ms: 600_000,
            per_account: (Rate::new(1, Duration::from_secs(1)), 6),
            per_chat: (Rate::new(20, Duration::from_secs(60)), 6),
            rules: Rules { manners, burst: 6, quiet, ..Rules::default() },
        }
    }

    #[test]
    fn a_budget_tells_what_the_toll_would_take() {
        let now_us = NOW_MS * 1_000;
        let warm = Manners { warm_up: WarmUp { over: Duration::from_secs(600), from_percent: 50 }, ..Manners::PERSON };
        let quiet = QuietNow { until_ms: NOW_MS + 5, all: false };
        for (name, manners, quiet, debts, want) in [
            ("rested", Manners::NONE, None, vec![], "6 6 6 -"),
            ("two sent", Manners::NONE, None, vec![(OF_ACCOUNT, 2_000_000)], "4 6 4 -"),
            ("the chat is at its end", Manners::NONE, None, vec![("p1", 18_000_000)], "6 +3001 +3001 -"),
            ("a gap", Manners::PERSON, None, vec![(GAP, 400_000)], "+401 6 +401 -"),
            ("warm from the login", warm, None, vec![(LOGIN, 0)], "3 3 3 600000"),
            ("warmed up", warm, None, vec![(LOGIN, -600_000_000)], "6 6 6 -"),
            ("quiet", Manners::NONE, Some(quiet), vec![], "6 6 +5 -"),
            ("a clock set back", Manners::NONE, None, vec![(OF_ACCOUNT, 86_400_000_000)], "+3595001 6 +3595001 -"),
        ] {
            let debts = debts.into_iter().map(|(scope, by): (&str, i64)| (scope.to_owned(), now_us + by)).collect();
            let budget = look(&claim(manners, quiet), "p1", &debts);
            let show = |of: Allowance| match of.next_ms {
                Some(at) => format!("+{}", at - NOW_MS),
                None => of.now.to_string(),
            };
            let warm = budget.warm_up_until_ms.map_or("-".to_owned(), |at| (at - NOW_MS).to_string());
            let (account, chat, push) = (show(budget.account), show(budget.chat), show(budget.push(ActionKind::Text)));
            assert_eq!(format!("{account} {chat} {push} {warm}"), want, "{name}");
        }
    }

    #[test]
    fn quiet_hours_end_where_they_say_and_are_not_held_against_answers() {
        // 2026-05-28 20:26:40 UTC, 04:26:40 in Shanghai.
        let quiet = |text: &str, answers_too| Quiet {
            hours: text.parse().unwrap(),
            zone: "Asia/Shanghai".parse().unwrap(),
            answers_too,
        };
        let night = quiet("23:00-07:00", true);
        let seven = NOW_MS + (2 * 3_600 + 33 * 60 + 20) * 1_000;
        assert_eq!(quiet_now(&night, NOW_MS), Some(QuietNow { until_ms: seven, all: true }));
        assert_eq!(quiet_now(&night, seven), None);
        let age = Duration::from_secs(600);
        for (name, quiet, at_ms, want) in [
            ("by day", Some(&night), seven + 600_001, 600_000),
            ("in the night", Some(&night), NOW_MS, 600_000 + DAY_MS),
            ("just after it", Some(&night), seven + 599_000, 600_000 + DAY_MS),
            ("answers go", Some(&quiet("23:00-07:00", false)), NOW_MS, 600_000),
            ("none", None, NOW_MS, 600_000),
        ] {
            assert_eq!(max_age_ms(age, quiet, at_ms), want, "{name}");
        }
    }
}
