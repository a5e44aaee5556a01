//! What must inbox and outbox look like after a step? The states of the durability design in plain Rust, without SQL.
//!
//! What a claim of sends picks is not foretold, since it depends on pacing and on the order of lanes: it is judged by
//! the laws that every claim keeps.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An own message proves an uncertain send within this time of the try.
const PROOF_MS: i64 = 120_000;
const MAX_WAIT_MS: i64 = 3_600_000;
pub(super) const MAX_AGE_MS: i64 = 600_000;

// Of events.
pub(super) const NEW: i64 = 0;
pub(super) const RUNNING: i64 = 1;
pub(super) const RETRY: i64 = 2;
pub(super) const DONE: i64 = 3;
pub(super) const DEAD: i64 = 4;
// Of sends.
pub(super) const QUEUED: i64 = 0;
pub(super) const SENDING: i64 = 1;
pub(super) const UNCERTAIN: i64 = 2;
pub(super) const SENT: i64 = 3;
pub(super) const FAILED: i64 = 4;
pub(super) const EXPIRED: i64 = 5;
pub(super) const DROPPED: i64 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) state: i64,
    pub(super) attempts: i64,
    pub(super) errors: i64,
    pub(super) not_before: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Send {
    pub(super) conv: u8,
    pub(super) cause: u64,
    pub(super) ord: u32,
    pub(super) state: i64,
    pub(super) attempts: i64,
    pub(super) held: bool,
    pub(super) echoed: bool,
    pub(super) echo: i64,
    pub(super) created: i64,
    pub(super) tried: i64,
    /// The earliest that it can be, whatever was cut meanwhile.
    pub(super) not_before: i64,
    /// How often the service has taken it. Nobody but the test knows.
    pub(super) taken: u32,
}

/// The state of one account's inbox and outbox.
#[derive(Debug, Clone, Default)]
pub(super) struct Twin {
    pub(super) keys: HashMap<u8, u64>,
    pub(super) events: BTreeMap<u64, Event>,
    pub(super) sends: BTreeMap<u64, Send>,
    /// Event, plugin and place of every send.
    pub(super) causes: BTreeSet<(u64, u8, u32)>,
}

/// A send that was stored, as the test asked for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) plugin: u8,
    pub(super) ord: u32,
    pub(super) conv: u8,
    pub(super) echo: i64,
}

impl Twin {
    // ---- events ----

    /// `seq` is what the store gave; fails unless it had to.
    pub(super) fn accept(&mut self, key: u8, seq: Option<u64>, claimed: bool) -> Result<(), String> {
        match (self.keys.get(&key), seq) {
            (Some(_), None) => Ok(()),
            (None, Some(seq)) => {
                if self.events.last_key_value().is_some_and(|(last, _)| *last >= seq) {
                    return Err(format!("number {seq} is not the highest"));
                }
                self.keys.insert(key, seq);
                let of = i64::from(claimed);
                self.events.insert(seq, Event { state: of, attempts: of, errors: 0, not_before: 0 });
                Ok(())
            }
            (known, seq) => Err(format!("key {key} known as {known:?} was answered {seq:?}")),
        }
    }

    /// An own message came back.
    pub(super) fn echo(&mut self, conv: u8, echo: i64, now: i64) {
        let fresh = |send: &&mut Send| send.conv == conv && send.echo == echo && send.tried > now - PROOF_MS;
        let proved = self.sends.values_mut().filter(fresh).find(|send| send.state == UNCERTAIN && !send.held);
        match proved {
            Some(send) => send.state = SENT,
            None => self.sends.values_mut().filter(fresh).filter(|s| s.state == SENDING).for_each(|s| s.echoed = true),
        }
    }

    pub(super) fn waiting(&self, after: u64, limit: usize) -> Vec<u64> {
        let all = self.events.range(after + 1..).filter(|(_, event)| event.state == NEW);
        all.map(|(seq, _)| *seq).take(limit).collect()
    }

    pub(super) fn due(&mut self, now: i64, limit: usize) -> (Vec<u64>, Option<i64>) {
        let parked = || |event: &&mut Event| event.state == RETRY;
        self.events.values_mut().filter(parked()).for_each(|e| e.not_before = e.not_before.min(now + MAX_WAIT_MS));
        let due = self.events.iter_mut().filter(|(_, e)| e.state == RETRY && e.not_before <= now).take(limit);
        let due: Vec<u64> = due
            .map(|(seq, event)| {
                event.state = RUNNING;
                *seq
            })
            .collect();
        (due, self.events.values_mut().filter(parked()).map(|event| event.not_before).min())
    }

    pub(super) fn claim(&mut self, seq: u64) -> (i64, i64) {
        let Some(event) = self.events.get_mut(&seq) else { return (0, 0) };
        if event.state < DONE {
            (event.state, event.attempts) = (RUNNING, event.attempts + 1);
        }
        (event.attempts, event.errors)
    }

    pub(super) fn give_back(&mut self, seq: u64) {
        if let Some(event) = self.events.get_mut(&seq).filter(|e| e.state == RUNNING && e.attempts == 1) {
            (event.state, event.attempts) = (NEW, 0);
        }
    }

    /// True when its effects are recorded.
    pub(super) fn finish(&mut self, seq: u64) -> bool {
        let Some(event) = self.events.get_mut(&seq).filter(|event| event.state < DONE) else { return false };
        event.state = DONE;
        true
    }

    /// True when its effects are recorded.
    pub(super) fn fail(&mut self, seq: u64, again: Option<i64>, counts: bool) -> bool {
        let Some(event) = self.events.get_mut(&seq).filter(|event| event.state < DONE) else { return false };
        let counts = i64::from(counts);
        (event.state, event.not_before) = match again {
            None => (DEAD, 0),
            Some(at) if at <= 0 => (RUNNING, 0),
            Some(at) => (RETRY, at),
        };
        event.errors += counts;
        event.attempts = (event.attempts - 1 + counts).max(0);
        true
    }

    pub(super) fn recover(&mut self) {
        self.events.values_mut().filter(|event| event.state == RUNNING).for_each(|event| event.state = NEW);
        for send in self.sends.values_mut().filter(|send| send.state == SENDING) {
            send.state = if send.echoed { SENT } else { UNCERTAIN };
        }
    }

    // ---- sends ----

    fn lane_is_free(&self, conv: u8) -> bool {
        !self.sends.values().any(|send| send.conv == conv && send.state <= SENDING)
    }

    /// Sends that the store has put into new rows from `first` on, of which it claimed these at once.
    pub(super) fn insert(
        &mut self,
        cause: u64,
        asked: &[Asked],
        rows: &[u64],
        claimed: &[u64],
        now: i64,
    ) -> Result<(), String> {
        let mut rows = rows.iter();
        for one in asked {
            if !self.causes.insert((cause, one.plugin, one.ord)) {
                // Known: its effects are recorded once.
                continue;
            }
            let Some(id) = rows.next() else { return Err(format!("no row for {one:?} of event {cause}")) };
            let goes = claimed.contains(id);
            if goes && !self.lane_is_free(one.conv) {
                return Err(format!("send {id} was claimed into a lane that was taken"));
            }
            let of = i64::from(goes);
            self.sends.insert(
                *id,
                Send {
                    conv: one.conv,
                    cause,
                    ord: one.ord,
                    state: of,
                    attempts: of,
                    held: false,
                    echoed: false,
                    echo: one.echo,
                    created: now,
                    tried: if goes { now } else { 0 },
                    not_before: 0,
                    taken: 0,
                },
            );
        }
        if rows.next().is_some() { Err(format!("more rows than sends of event {cause}")) } else { Ok(()) }
    }

    /// What a claim did. `paced`: the pace may have held some up.
    pub(super) fn claim_sends(
        &mut self,
        claimed: &[u64],
        limit: usize,
        wake: Option<i64>,
        paced: bool,
        now: i64,
    ) -> Result<(), String> {
        for send in self.sends.values_mut().filter(|s| s.state == QUEUED) {
            if send.created < now - MAX_AGE_MS {
                send.state = EXPIRED;
            } else {
                send.not_before = send.not_before.min(now + MAX_WAIT_MS);
            }
        }
        if claimed.len() > limit {
            return Err(format!("{} claimed of {limit}", claimed.len()));
        }
        for id in claimed {
            let head = |conv| self.sends.iter().find(|(_, s)| s.conv == conv && s.state == QUEUED).map(|(id, _)| *id);
            let Some(send) = self.sends.get(id) else { return Err(format!("send {id} is unheard of")) };
            let busy = self.sends.values().any(|other| other.conv == send.conv && other.state == SENDING);
            if send.state != QUEUED || busy || head(send.conv) != Some(*id) || send.not_before > now {
                return Err(format!("send {id} must not go now: {send:?}, lane taken: {busy}"));
            }
            if let Some(send) = self.sends.get_mut(id) {
                (send.state, send.attempts, send.tried, send.echoed) = (SENDING, send.attempts + 1, now, false);
            }
        }
        // Nobody is forgotten: what may go has gone, or there is a time to look again.
        let lanes: BTreeSet<u8> = self.sends.values().filter(|s| s.state == QUEUED).map(|s| s.conv).collect();
        for conv in lanes {
            let busy = self.sends.values().any(|other| other.conv == conv && other.state == SENDING);
            let may =
                self.sends.values().find(|s| s.conv == conv && s.state == QUEUED).is_some_and(|s| s.not_before <= now);
            if !busy && claimed.len() < limit && wake.is_none() && (may || !paced) {
                return Err(format!("lane {conv} waits, and nobody will look: {:?}", self.sends));
            }
            if !busy && may && claimed.len() < limit && !paced {
                return Err(format!("lane {conv} could have gone"));
            }
        }
        Ok(())
    }

    /// Ends a send that is under way; others stay as they are.
    pub(super) fn settle(&mut self, id: u64, state: i64, unsure: bool) -> Option<&mut Send> {
        let send = self.sends.get_mut(&id).filter(|send| send.state == SENDING)?;
        send.state = if unsure && send.echoed { SENT } else { state };
        Some(send)
    }

    pub(super) fn decide(&mut self, state: i64) {
        self.sends.values_mut().filter(|s| s.state == UNCERTAIN && !s.held).for_each(|s| s.state = state);
    }

    pub(super) fn hold(&mut self, conv: u8) {
        for send in self.sends.values_mut().filter(|send| send.conv == conv && send.state == QUEUED) {
            (send.state, send.held) = (UNCERTAIN, true);
        }
    }

    pub(super) fn let_go(&mut self, conv: u8, now: i64) {
        for send in self.sends.values_mut().filter(|s| s.conv == conv && s.state == UNCERTAIN && s.held) {
            send.held = false;
            send.state = if send.created < now - MAX_AGE_MS { EXPIRED } else { QUEUED };
            send.not_before = 0;
        }
    }

    pub(super) fn withdraw(&mut self, cause: u64, part: u32) -> bool {
        let mut clean = false;
        for send in self.sends.values_mut().filter(|send| send.cause == cause) {
            if send.state == QUEUED || send.state == UNCERTAIN && send.held {
                (send.state, send.held) = (DROPPED, false);
                clean |= send.ord == part;
            }
        }
        clean
    }

    /// Whether everything has ended, as far as it ends by itself.
    pub(super) fn is_settled(&self) -> bool {
        self.events.values().all(|event| event.state >= DONE) && self.sends.values().all(|send| send.state > SENDING)
    }
}
