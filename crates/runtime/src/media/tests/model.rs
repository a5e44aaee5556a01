//! In whatever order files come, are sent, are let go and are cleared: is what is needed there, and is the count right?

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use wxbot_model::MediaShape;
use wxbot_plugin::MediaSource;

use super::*;
use crate::pacing::Rules;
use crate::store::{ClaimSends, Settlement};
use wxbot_model::span::Rate;

const KIB: u64 = 1 << 10;
const CAP: u64 = 6 * KIB;
const STEPS: usize = 60;

/// The sends that are stored, each with its file, in the order they go out.
#[derive(Default)]
struct Sends(BTreeMap<u64, MediaDigest>);

impl Rig {
    async fn check(&self, folder: &MediaFolder, held: &[Held], sends: &Sends, step: &str) {
        let rows: HashSet<_> = self.rows().await.into_iter().map(|row| row.digest).collect();
        let files: Vec<_> = folder.disk.files().unwrap();
        let there: HashSet<_> = files.iter().map(|(digest, _)| digest.clone()).collect();
        assert_eq!(rows, there, "{step}: store and folder agree");
        let total: u64 = files.iter().map(|(_, len)| len).sum();
        assert_eq!(*folder.total.lock().await, total, "{step}: the count");
        assert!(total <= CAP, "{step}: {total}");
        for digest in held.iter().map(|held| &held.stored.digest).chain(sends.0.values()) {
            assert!(there.contains(digest), "{step}: {digest} is needed and gone");
        }
    }

    /// Ends the oldest send, as sent or given up.
    async fn end_one(&self, sends: &mut Sends) {
        let lifted = (Rate::new(1_000_000, Duration::from_secs(1)), 1_000);
        let (limit, now_ms) = (1, self.source.now_ms());
        let ask = ClaimSends {
            account: shop(),
            limit,
            now_ms,
            max_age_ms: now_ms,
            per_account: lifted,
            per_chat: lifted,
            rules: Rules::default(),
        };
        let claimed = self.store.claim_sends(ask).await.unwrap().0;
        if let Some(send) = claimed.first() {
            self.store.settle(send.id, Settlement::Sent { server_id: None }).await.unwrap();
            sends.0.pop_first();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_order_of_events_loses_a_file_that_is_needed() {
    for seed in 0..12 {
        let mut rig = rig_of(MediaSettings { max_size: CAP, keep: Duration::from_secs(50) }).await;
        let dice = Source::seeded(seed, 0);
        let (mut held, mut sends, mut stored) = (Vec::<Held>::new(), Sends::default(), 0);
        for step in 0..STEPS {
            let what = dice.below(10);
            match what {
                0..=3 => {
                    let number = u8::try_from(dice.below(9)).unwrap();
                    let len = usize::try_from(KIB * (1 + dice.below(2))).unwrap();
                    let source = MediaSource::bytes("x", vec![number; len]);
                    match rig.folder.take(&shop(), MediaShape::File, source).await {
                        Ok(taken) => held.extend(taken.hold),
                        Err(error) => assert!(error.contains("no room"), "{error}"),
                    }
                }
                4 | 5 if !held.is_empty() => {
                    let index = usize::try_from(dice.below(held.len() as u64)).unwrap();
                    rig.commit_send(&held[index].stored.digest).await;
                    stored += 1;
                    sends.0.insert(stored, held.swap_remove(index).stored.digest.clone());
                }
                6 if !held.is_empty() => drop(held.remove(0)),
                7 => rig.end_one(&mut sends).await,
                8 => drop(rig.folder.clear(Going { unused_ms: dice.below(3) * 20_000, dry_run: false }).await.unwrap()),
                9 if dice.below(4) == 0 => {
                    // The process ends: what handlers held is forgotten, what was committed is not.
                    held.clear();
                    rig.folder = rig.reopened().await;
                }
                _ => rig.folder.sweep().await,
            }
            tokio::time::advance(Duration::from_secs(dice.below(30))).await;
            rig.check(&rig.folder, &held, &sends, &format!("seed {seed}, step {step}, {what}")).await;
        }
    }
}
