//! Whatever the order of steps: nothing taken is lost, nothing is sent twice unasked, states move along their edges.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Move {
    Accept(u8, u8),
    Claim(usize),
    /// Sends, values swapped (key, was, becomes) and timers set or cancelled.
    Finish(usize, Vec<(u8, u8, u8)>, Vec<(u8, Option<u8>, Option<u8>)>, Vec<(u8, Option<i64>)>),
    Look(i64),
    Fire,
    Fail(usize, Option<i64>, bool),
    Due(i64),
    ClaimSends(usize, i64),
    Settle(usize, u8),
    Recover,
}

fn few() -> impl Strategy<Value = Option<u8>> {
    prop::option::of(0u8..2)
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let at = any::<usize>();
    let one = prop_oneof![
        4 => (0u8..40, 0u8..4).prop_map(|(key, chat)| Move::Accept(key, chat)),
        4 => at.prop_map(Move::Claim),
        // Few client ids, keys, values and names, so that they clash.
        4 => (
            at,
            prop::collection::vec((0u8..2, 0u8..2, 0u8..9), 0..3),
            prop::collection::vec((0u8..2, few(), few()), 0..3),
            prop::collection::vec((0u8..3, prop::option::of(0i64..5)), 0..3),
        )
            .prop_map(|(at, sends, swaps, timers)| Move::Finish(at, sends, swaps, timers)),
        2 => (0i64..5).prop_map(Move::Look),
        2 => Just(Move::Fire),
        2 => (at, prop::option::of(0i64..5), any::<bool>()).prop_map(|(at, again, counts)| Move::Fail(at, again, counts)),
        1 => (0i64..5).prop_map(Move::Due),
        4 => (1usize..5, 0i64..5).prop_map(|(limit, now)| Move::ClaimSends(limit, now)),
        4 => (at, 0u8..5).prop_map(|(at, how)| Move::Settle(at, how)),
        1 => Just(Move::Recover),
    ];
    prop::collection::vec(one, 1..60)
}

/// What a table must look like, as far as the laws go.
#[derive(Default)]
struct Model {
    keys: HashMap<u8, u64>,
    /// State and attempts by number.
    events: BTreeMap<u64, (i64, u32)>,
    /// Causes of sends, by event, plugin and place.
    causes: HashSet<(u64, u8, u8)>,
    sends: BTreeMap<u64, i64>,
    values: BTreeMap<u8, u8>,
    /// When it is due and what set it, by name.
    timers: BTreeMap<u8, (i64, u64)>,
    /// What was found due, and not fired yet.
    seen: Vec<DueTimer>,
}

fn table(rig: &Rig, query: &str) -> BTreeMap<u64, (i64, u32)> {
    let c = rig.sql();
    let mut rows = c.prepare(query).unwrap();
    let rows = rows.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?)))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn pick<T: Copy>(all: impl Iterator<Item = T>, at: usize) -> Option<T> {
    let all: Vec<T> = all.collect();
    all.get(at % all.len().max(1)).copied()
}

impl Model {
    async fn step(&mut self, rig: &Rig, step: Move) {
        let store = &rig.store;
        match step {
            Move::Accept(key, chat) => {
                let seq =
                    store.accept(batch(vec![event(&key.to_string(), &format!("p{chat}"))])).await.unwrap().seqs[0];
                assert_eq!(seq.is_none(), self.keys.contains_key(&key), "absorbed if and only if known");
                if let Some(seq) = seq {
                    assert!(self.events.last_key_value().is_none_or(|(last, _)| seq > *last));
                    self.keys.insert(key, seq);
                    self.events.insert(seq, (0, 0));
                }
            }
            Move::Claim(at) => {
                let Some(seq) = pick(self.events.keys().copied(), at) else { return };
                let claims = store.claim(seq).await.unwrap();
                let event = self.events.get_mut(&seq).unwrap();
                if event.0 < 3 {
                    *event = (1, event.1 + 1);
                }
                assert_eq!(claims.attempts, event.1);
            }
            Move::Finish(at, sends, swaps, timers) => {
                let Some(seq) = pick(self.events.keys().copied(), at) else { return };
                let new = |&(plugin, ord, id): &(u8, u8, u8)| {
                    send(&plugin.to_string(), ord.into(), &format!("p{id}"), &id.to_string())
                };
                let timer = |&(name, due): &(u8, Option<i64>)| match due {
                    Some(ms) => set(&name.to_string(), "p1", NOW + ms),
                    None => cancel(&name.to_string()),
                };
                let ended = store.finish(Finish {
                    swaps: swaps.iter().map(|&(key, was, now)| swap("a", &key.to_string(), was, now)).collect(),
                    timers: timers.iter().map(timer).collect(),
                    ..end(seq, sends.iter().map(new).collect())
                });
                let done = ended.await.unwrap() == Finished::Done(Vec::new());
                if self.events[&seq].0 >= 3 {
                    assert!(done, "what has ended is in no conflict");
                    return;
                }
                let mut values = self.values.clone();
                let holds = swaps.iter().all(|&(key, was, now)| {
                    let as_read = values.get(&key).copied() == was;
                    match now {
                        Some(now) => values.insert(key, now),
                        None => values.remove(&key),
                    };
                    as_read
                });
                assert_eq!(done, holds, "in conflict if and only if a value was another");
                if done {
                    self.events.get_mut(&seq).unwrap().0 = 3;
                    self.causes.extend(sends.iter().map(|&(plugin, ord, _)| (seq, plugin, ord)));
                    self.values = values;
                    for (name, due) in timers {
                        match due {
                            Some(ms) => self.timers.insert(name, (NOW + ms, seq)),
                            None => self.timers.remove(&name),
                        };
                    }
                }
            }
            Move::Look(ms) => {
                self.seen = store.due_timers(NOW + ms, 9).await.unwrap().0;
                let due = self.timers.values().filter(|(at, _)| *at <= NOW + ms).count();
                assert_eq!(self.seen.len(), due, "what is due is found");
            }
            Move::Fire => {
                // Perhaps again, and perhaps after a change.
                let made = store.fire(self.seen.iter().map(firing).collect()).await.unwrap();
                for (timer, made) in self.seen.iter().zip(made) {
                    let name: u8 = timer.name.parse().unwrap();
                    let there = self.timers.get(&name) == Some(&(timer.due_ms, timer.cause));
                    assert_eq!(made.is_some(), there, "fired if and only if it is the one that was seen");
                    if let Some(seq) = made {
                        self.timers.remove(&name);
                        self.events.insert(seq, (2, 0));
                    }
                }
            }
            Move::Fail(at, again, counts) => {
                let Some(seq) = pick(self.events.keys().copied(), at) else { return };
                store.fail(failed(seq, again.map(|ms| NOW + ms), counts)).await.unwrap();
                let event = self.events.get_mut(&seq).unwrap();
                if event.0 < 3 {
                    *event =
                        (if again.is_some() { 2 } else { 4 }, if counts { event.1 } else { event.1.saturating_sub(1) });
                }
            }
            Move::Due(ms) => {
                for row in store.due(&shop(), NOW + ms, 3).await.unwrap().0 {
                    let event = self.events.get_mut(&row.seq).unwrap();
                    assert_eq!(event.0, 2, "only what was parked is due");
                    event.0 = 1;
                }
            }
            Move::ClaimSends(limit, ms) => {
                let mut busy: HashSet<String> = self.lanes(rig, 1);
                let taken = store.claim_sends(ClaimSends { limit, now_ms: NOW + ms, ..ask() }).await.unwrap().0;
                assert!(taken.len() <= limit);
                for send in taken {
                    assert!(busy.insert(send.conv.to_string()), "one send of a conversation at a time");
                    assert_eq!(self.sends.insert(send.id, 1), Some(0), "only what is queued is taken");
                }
            }
            Move::Settle(at, how) => {
                let Some(id) = pick(self.sends.keys().copied(), at) else { return };
                let error = String::from("x");
                let (settlement, state) = match how {
                    0 => (Settlement::Sent { server_id: None }, 3),
                    1 => (again(NOW + 3, true), 0),
                    2 => (unsure(), 2),
                    3 => (Settlement::Failed { error }, 4),
                    _ => (Settlement::Dropped { error }, 6),
                };
                store.settle(id, settlement).await.unwrap();
                let before = self.sends.get_mut(&id).unwrap();
                if *before == 1 {
                    *before = state;
                }
            }
            Move::Recover => {
                store.recover(&shop()).await.unwrap();
                self.events.values_mut().filter(|event| event.0 == 1).for_each(|event| event.0 = 0);
                self.sends.values_mut().filter(|state| **state == 1).for_each(|state| *state = 2);
            }
        }
    }

    fn lanes(&self, rig: &Rig, state: i64) -> HashSet<String> {
        let c = rig.sql();
        let mut rows = c.prepare("SELECT conv FROM outbox WHERE state = ?1").unwrap();
        rows.query_map([state], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn compare(&mut self, rig: &Rig) {
        assert_eq!(
            table(rig, "SELECT seq, state, attempts FROM inbox"),
            self.events,
            "what was taken stays, in the state it got to"
        );
        let timers = table(rig, "SELECT name + 0, due_at, cause FROM timer");
        let want =
            self.timers.iter().map(|(name, (due, cause))| (u64::from(*name), (*due, u32::try_from(*cause).unwrap())));
        assert_eq!(timers, want.collect(), "timers are set and gone with the events that say so");
        let values = table(rig, "SELECT key + 0, value + 0, 0 FROM kv");
        let want = self.values.iter().map(|(key, value)| (u64::from(*key), (i64::from(*value), 0)));
        assert_eq!(values, want.collect(), "no change is lost under another");
        let rows = table(rig, "SELECT id, state, 0 FROM outbox");
        assert_eq!(rows.len(), self.causes.len(), "one row for a cause");
        for (id, (state, _)) in rows {
            assert_eq!(*self.sends.entry(id).or_insert(0), state, "send {id}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn whatever_the_order_nothing_is_lost_or_doubled(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (rig, mut model) = (rig(), Model::default());
            for step in moves {
                model.step(&rig, step).await;
                model.compare(&rig);
            }
        });
    }
}
