//! Whatever the order of steps: nothing taken is lost, nothing is sent twice unasked, states move along their edges.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Move {
    Accept(u8, u8),
    Claim(usize),
    Finish(usize, Vec<(u8, u8, u8)>),
    Fail(usize, Option<i64>, bool),
    Due(i64),
    ClaimSends(usize, i64),
    Settle(usize, u8),
    Recover,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let at = any::<usize>();
    let one = prop_oneof![
        4 => (0u8..40, 0u8..4).prop_map(|(key, chat)| Move::Accept(key, chat)),
        4 => at.prop_map(Move::Claim),
        // Few client ids, so that they clash.
        4 => (at, prop::collection::vec((0u8..2, 0u8..2, 0u8..9), 0..3)).prop_map(|(at, sends)| Move::Finish(at, sends)),
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
            Move::Finish(at, sends) => {
                let Some(seq) = pick(self.events.keys().copied(), at) else { return };
                let new = |&(plugin, ord, id): &(u8, u8, u8)| {
                    send(&plugin.to_string(), ord.into(), &format!("p{id}"), &id.to_string())
                };
                store.finish(end(seq, sends.iter().map(new).collect())).await.unwrap();
                let event = self.events.get_mut(&seq).unwrap();
                if event.0 < 3 {
                    event.0 = 3;
                    self.causes.extend(sends.iter().map(|&(plugin, ord, _)| (seq, plugin, ord)));
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
