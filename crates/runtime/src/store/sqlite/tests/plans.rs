//! Does every hot statement go by an index? A walk through a table costs more every day a bot runs.

use super::super::{held, history, inbox, kv, media, mend, merge, meter, outbox, pace, planned, story, timer};
use super::*;

#[tokio::test]
async fn no_hot_statement_walks_through_a_table() {
    let rig = rig();
    let c = rig.sql();
    let all = [
        inbox::HOT,
        outbox::HOT,
        media::HOT,
        held::HOT,
        kv::HOT,
        timer::HOT,
        story::HOT,
        history::HOT,
        mend::HOT,
        planned::HOT,
        pace::HOT,
        merge::HOT,
        meter::HOT,
    ];
    for statement in all.into_iter().flatten() {
        let mut plan = c.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let (mut rows, mut lines) = (plan.raw_query(), Vec::<String>::new());
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get(3).unwrap());
        }
        for line in &lines {
            // The lanes found so far, or one row: those are no tables.
            let small = ["SCAN lane", "SCAN CONSTANT ROW"].contains(&line.as_str());
            assert!(!line.starts_with("SCAN") || small, "{statement}\n{lines:#?}");
            // The unique keys begin with the account, and so find nothing smaller than all it ever had.
            let broad = line.ends_with("inbox_key (account=?)") || line.ends_with("outbox_client (account=?)");
            assert!(!broad, "{statement}\n{lines:#?}");
        }
    }
}
