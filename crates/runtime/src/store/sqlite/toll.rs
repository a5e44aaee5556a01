//! May this send go now, and what does it cost? The one place where sends are judged and paid, whichever way they take:
//! with the event that causes them, or by a claim of the outbox.
//!
//! What is paid is saved in the transaction that marks the send as under way: a crash neither loses a payment nor lets
//! anybody pay twice.

use std::collections::HashMap;

use rusqlite::Connection;
use wxbot_model::span::{Rate, show_duration};
use wxbot_model::{Action, ActionKind};

use super::meter;
use super::outbox::{DROPPED, FAILED};
use super::pace::{self, Saying};
use crate::pacing::rules::Class;
use crate::pacing::window::{Meter, Reading, Shut};
use crate::pacing::{Bucket, GAP, LOGIN, OF_ACCOUNT, OnRepeat, OnSameText, Pace, of_kind};
use crate::store::types::ClaimSends;

/// No chat rests longer after a refusal. What was noted under a clock that was ahead is cut to it, for good.
const LONGEST_REST_MS: i64 = 3_600_000;

/// A send before the toll.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) lane: &'a str,
    pub(super) body: &'a str,
    pub(super) echo: i64,
    pub(super) class: Class,
    /// Its number; 0 for one that is just being stored.
    pub(super) id: u64,
    /// It was never tried.
    pub(super) fresh: bool,
}

/// What becomes of it.
pub(super) enum Ruling {
    /// It goes, and is paid for.
    Goes,
    /// Nothing of the account goes before then.
    AllWait(i64),
    /// Nothing of this lane goes before then.
    LaneWaits(i64),
    /// Nothing of this lane goes before a person writes there.
    LaneShut(Shut),
    /// It never goes, and this is its state and why.
    Ends(i64, String),
}

/// Judges the sends of one transaction.
pub(super) struct Toll<'a> {
    c: &'a Connection,
    ask: &'a ClaimSends,
    /// Thousandths of each pace that hold: fewer while a new login is warmed up.
    permille: u32,
    account: Pacer<'a>,
    /// Until when the random time behind the last send runs.
    gap_us: i64,
    kinds: HashMap<ActionKind, Pacer<'a>>,
    /// Random numbers drawn so far.
    drawn: u64,
}

impl<'a> Toll<'a> {
    pub(super) fn new(c: &'a Connection, ask: &'a ClaimSends) -> rusqlite::Result<Self> {
        let (account, now_us) = (ask.account.as_str(), ask.now_ms.saturating_mul(1_000));
        let manners = &ask.rules.manners;
        let login_us = if manners.warm_up.over.is_zero() { None } else { pace::load(c, account, LOGIN)? };
        let (permille, _) = manners.warm_up.at(login_us, now_us);
        let all = Pacer::new(c, account, OF_ACCOUNT, ask.per_account, permille, now_us)?;
        let mut gap_us = 0;
        if manners.jitter_percent > 0
            && let Some(pace) = all.pace
        {
            // No gap is longer than what makes it; a clock that was set back must not become one.
            let longest = now_us.saturating_add(longest_gap_us(pace, manners.jitter_percent));
            gap_us = pace::load(c, account, GAP)?.unwrap_or(0).min(longest);
        }
        Ok(Self { c, ask, permille, account: all, gap_us, kinds: HashMap::new(), drawn: 0 })
    }

    /// When the account may send again at all; `None`: now.
    fn closed_until(&self) -> Option<i64> {
        let gap = (self.gap_us > self.now_us()).then_some(self.gap_us / 1_000 + 1);
        self.account.wait_until().max(gap)
    }

    fn now_us(&self) -> i64 {
        self.account.now_us
    }

    /// Judges a send, and pays when it goes. What goes must be [told](Self::went).
    pub(super) fn pass(&mut self, send: &Candidate<'_>) -> rusqlite::Result<Ruling> {
        if let Some(quiet) = self.ask.rules.quiet.filter(|quiet| quiet.all || send.class == Class::Push) {
            return Ok(if quiet.all { Ruling::AllWait(quiet.until_ms) } else { Ruling::LaneWaits(quiet.until_ms) });
        }
        if let Some(at_ms) = self.closed_until() {
            return Ok(Ruling::AllWait(at_ms));
        }
        if let Some(ruling) = self.window(send)? {
            return Ok(ruling);
        }
        let (ask, account) = (self.ask, self.ask.account.as_str());
        let mut chat = Pacer::new(self.c, account, send.lane, ask.per_chat, self.permille, self.now_us())?;
        if let Some(at_ms) = chat.wait_until() {
            return Ok(Ruling::LaneWaits(at_ms));
        }
        let kind = ActionKind::of_stored(send.body);
        if let Some(at_ms) = self.kind(kind)?.and_then(|pacer| pacer.wait_until()) {
            return Ok(Ruling::LaneWaits(at_ms));
        }
        if let Some(ruling) = self.repeats(kind, send)? {
            return Ok(ruling);
        }
        let extra_us = self.draw_gap();
        self.account.pay(1, extra_us);
        chat.pay(1, 0);
        chat.save(self.c)?;
        if let Some(pacer) = self.kind(kind)? {
            pacer.pay(price(kind, send.body), 0);
        }
        Ok(Ruling::Goes)
    }

    /// The meter that a send pays at, where the service has windows and this says something. `None` inside: nobody wrote.
    fn meter(&self, send: &Candidate<'_>) -> rusqlite::Result<Option<Option<Meter>>> {
        let says = matches!(ActionKind::of_stored(send.body), ActionKind::Text | ActionKind::Media);
        if self.ask.rules.window.is_none() || !says {
            return Ok(None);
        }
        meter::read(self.c, self.ask.account.as_str(), send.lane).map(Some)
    }

    /// What the reply window says against a send; `None`: nothing.
    fn window(&self, send: &Candidate<'_>) -> rusqlite::Result<Option<Ruling>> {
        let (Some(window), Some(meter)) = (self.ask.rules.window, self.meter(send)?) else { return Ok(None) };
        let Some(meter) = meter else { return Ok(Some(Ruling::LaneShut(Shut::NobodyWrote))) };
        let counted = !send.fresh && meter::has_paid(self.c, send.id, &meter)?;
        Ok(match meter.read(window, self.ask.now_ms, counted) {
            Reading::Open { from_ms: Some(at_ms), .. } => {
                let latest_ms = self.ask.now_ms.saturating_add(LONGEST_REST_MS);
                if at_ms > latest_ms {
                    meter::cut(self.c, self.ask.account.as_str(), send.lane, latest_ms)?;
                }
                Some(Ruling::LaneWaits(at_ms.min(latest_ms)))
            }
            Reading::Open { from_ms: None, .. } => None,
            Reading::Shut(shut) => Some(Ruling::LaneShut(shut)),
        })
    }

    /// Pays at the reply window for what goes under this number.
    pub(super) fn pay_window(&self, send: &Candidate<'_>, id: u64) -> rusqlite::Result<()> {
        match self.meter(send)? {
            Some(Some(meter)) => meter::pay(self.c, self.ask.account.as_str(), send.lane, &meter, id),
            Some(None) | None => Ok(()),
        }
    }

    fn kind(&mut self, kind: ActionKind) -> rusqlite::Result<Option<&mut Pacer<'a>>> {
        let rules = &self.ask.rules;
        let Some(pace) = rules.manners.kinds.of(kind, rules.burst) else { return Ok(None) };
        if !self.kinds.contains_key(&kind) {
            let (c, account, now_us) = (self.c, self.ask.account.as_str(), self.now_us());
            self.kinds.insert(kind, Pacer::new(c, account, of_kind(kind), pace, self.permille, now_us)?);
        }
        Ok(self.kinds.get_mut(&kind))
    }

    /// The random time behind a send; the next one of the account waits for it.
    fn draw_gap(&mut self) -> i64 {
        let (percent, rules) = (self.ask.rules.manners.jitter_percent, &self.ask.rules);
        let Some(pace) = self.account.pace.filter(|_| percent > 0) else { return 0 };
        let extra_us = rules.draw(self.drawn, longest_gap_us(pace, percent) + 1);
        self.drawn += 1;
        self.gap_us = self.now_us().saturating_add(extra_us);
        extra_us
    }

    /// What the rules about the same text say; `None`: nothing against it. A send that is tried again repeats nobody.
    pub(super) fn repeats(&self, kind: ActionKind, send: &Candidate<'_>) -> rusqlite::Result<Option<Ruling>> {
        let Some(saying) = self.saying(kind, send) else { return Ok(None) };
        let (manners, now_ms) = (&self.ask.rules.manners, self.ask.now_ms);
        let ago = |at_ms: i64| now_ms.saturating_sub(at_ms);
        let (same, repeat) = (manners.same_text, manners.repeat);
        if repeat.act != OnRepeat::Allow
            && let Some((at_ms, by)) = saying.here(self.c)?
            && by != send.id
            && (0..ms(repeat.after)).contains(&ago(at_ms))
        {
            let why = || {
                let ago = std::time::Duration::from_millis(u64::try_from(ago(at_ms)).unwrap_or(0));
                format!("the same text went to this chat {} before ([pacing] repeat)", show_duration(ago))
            };
            return Ok(Some(match repeat.act {
                OnRepeat::Space => Ruling::LaneWaits(at_ms + ms(repeat.after)),
                OnRepeat::Drop | OnRepeat::Allow => Ruling::Ends(DROPPED, why()),
            }));
        }
        if same.act != OnSameText::Allow && (same.answers_too || send.class == Class::Push) {
            let since_ms = now_ms.saturating_sub(ms(same.per));
            let others = saying.elsewhere(self.c, since_ms, !same.answers_too, same.chats)?;
            let oldest = others.iter().min().copied().filter(|_| others.len() >= same.chats as usize);
            if let Some(oldest_ms) = oldest {
                return Ok(Some(match same.act {
                    // Not beyond the window, should the clock have been set back.
                    OnSameText::Wait => Ruling::LaneWaits(oldest_ms.min(now_ms) + ms(same.per)),
                    OnSameText::Refuse | OnSameText::Allow => {
                        let (chats, per) = (same.chats, show_duration(same.per));
                        let why = format!(
                            "the same text went to {chats} other chats within {per}, and wxbot sends nothing in bulk \
                             ([pacing] same_text)"
                        );
                        Ruling::Ends(FAILED, why)
                    }
                }));
            }
        }
        Ok(None)
    }

    /// The text, where there is a rule about it.
    fn saying<'s>(&self, kind: ActionKind, send: &Candidate<'s>) -> Option<Saying<'s>>
    where
        'a: 's,
    {
        let manners = &self.ask.rules.manners;
        let ruled = manners.same_text.act != OnSameText::Allow || manners.repeat.act != OnRepeat::Allow;
        (ruled && kind == ActionKind::Text && send.fresh).then(|| Saying {
            account: self.ask.account.as_str(),
            conv: send.lane,
            echo: send.echo,
        })
    }

    /// Remembers what has gone, under its number.
    pub(super) fn went(&self, send: &Candidate<'_>, id: u64) -> rusqlite::Result<()> {
        match self.saying(ActionKind::of_stored(send.body), send) {
            Some(saying) => saying.note(self.c, self.ask.now_ms, id, send.class == Class::Push),
            None => Ok(()),
        }
    }

    /// Saves what was paid.
    pub(super) fn save(self) -> rusqlite::Result<()> {
        if self.drawn > 0 {
            pace::save(self.c, self.ask.account.as_str(), GAP, self.gap_us)?;
        }
        for pacer in self.kinds.values().chain([&self.account]) {
            pacer.save(self.c)?;
        }
        Ok(())
    }
}

fn ms(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}

fn longest_gap_us(pace: Pace, percent: u32) -> i64 {
    pace.interval_us().saturating_mul(i64::from(percent)) / 100
}

/// Tokens of its kind: who brings ten people into a room does it ten times.
fn price(kind: ActionKind, body: &str) -> u32 {
    if kind != ActionKind::RoomChange {
        return 1;
    }
    let people = serde_json::from_str::<Action>(body).map_or(1, |action| action.others().len());
    u32::try_from(people).unwrap_or(u32::MAX).max(1)
}

/// One bucket within a transaction.
struct Pacer<'a> {
    account: &'a str,
    scope: String,
    pace: Option<Pace>,
    bucket: Bucket,
    now_us: i64,
    changed: bool,
}

impl<'a> Pacer<'a> {
    fn new(
        c: &Connection,
        account: &'a str,
        scope: &str,
        (rate, burst): (Rate, u32),
        permille: u32,
        now_us: i64,
    ) -> rusqlite::Result<Self> {
        let full = Bucket::load(0, now_us);
        let mut pacer = Self { account, scope: scope.to_owned(), pace: None, bucket: full, now_us, changed: false };
        let Some(pace) = Pace::new(rate, burst) else { return Ok(pacer) };
        let pace = pace.slowed(permille);
        pacer.pace = Some(pace);
        if let Some(saved) = pace::load(c, account, scope)? {
            let (bucket, cut) = Bucket::restore(pace, saved, now_us);
            (pacer.bucket, pacer.changed) = (bucket, cut);
            if cut {
                // Whether or not anything is paid: otherwise it is as far away at the next look.
                pacer.save(c)?;
            }
        }
        Ok(pacer)
    }

    /// When the next one may go; `None`: now.
    fn wait_until(&self) -> Option<i64> {
        let at_us = self.bucket.free_at(self.pace?, self.now_us)?;
        Some(at_us / 1_000 + 1)
    }

    fn pay(&mut self, tokens: u32, extra_us: i64) {
        if let Some(pace) = self.pace {
            self.bucket.pay_more(pace, tokens, extra_us, self.now_us);
            self.changed = true;
        }
    }

    fn save(&self, c: &Connection) -> rusqlite::Result<()> {
        if self.changed {
            pace::save(c, self.account, &self.scope, self.bucket.tat_us())?;
        }
        Ok(())
    }
}
