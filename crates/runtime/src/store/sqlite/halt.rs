//! Accounts that wait for a person, as SQL.

use rusqlite::{OptionalExtension, params};
use wxbot_core::error::Risk;
use wxbot_model::AccountName;

use super::SqliteStore;
use crate::store::Answer;
use crate::store::halt::{Halt, HaltStore, LeftToPeople};

fn word(risk: Risk) -> &'static str {
    match risk {
        Risk::Forbidden => "forbidden",
        Risk::TooOften => "too_often",
    }
}

/// In the place of the risk, of which there is none then.
const TOKEN: &str = "token";

/// A word of a newer wxbot is the stricter one.
fn risk(word: &str) -> Risk {
    if word == "too_often" { Risk::TooOften } else { Risk::Forbidden }
}

/// Few rows are in these states, and each has an index of its own, which the planner must not pass by for one that is
/// already in order: this is asked every ten seconds.
const LEFT: &str = "SELECT account, sum(dead), sum(uncertain) FROM (
        SELECT account, count(*) AS dead, 0 AS uncertain FROM inbox INDEXED BY inbox_dead WHERE state = 4 GROUP BY account
        UNION ALL
        SELECT account, 0, count(*) FROM outbox INDEXED BY outbox_uncertain WHERE state = 2 GROUP BY account
    ) GROUP BY account";

impl HaltStore for SqliteStore {
    fn note_halt(&self, account: &AccountName, halt: Halt) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("note why an account waits", move |c| {
            c.prepare_cached(
                "INSERT OR REPLACE INTO halt(account, logged_out, why, risk, since) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                account.as_str(),
                halt.logged_out,
                halt.why,
                halt.risk.map(word).or_else(|| halt.token.then_some(TOKEN)),
                halt.since_ms
            ])?;
            Ok(())
        })
    }

    fn forget_halt(&self, account: &AccountName) -> Answer<'_, ()> {
        let account = account.clone();
        self.write("forget why an account waited", move |c| {
            c.prepare_cached("DELETE FROM halt WHERE account = ?1")?.execute([account.as_str()])?;
            Ok(())
        })
    }

    fn left_to_people(&self) -> Answer<'_, Vec<LeftToPeople>> {
        Self::read(&self.lister, "see what waits for people", |c| {
            let mut query = c.prepare_cached(LEFT)?;
            let rows = query.query_map([], |row| {
                Ok(LeftToPeople { account: row.get(0)?, dead: row.get(1)?, uncertain: row.get(2)? })
            })?;
            rows.collect()
        })
    }

    fn halt(&self, account: &AccountName) -> Answer<'_, Option<Halt>> {
        let account = account.clone();
        Self::read(&self.reader, "read why an account waits", move |c| {
            c.prepare_cached("SELECT logged_out, why, risk, since FROM halt WHERE account = ?1")?
                .query_row([account.as_str()], |row| {
                    let noted: Option<String> = row.get(2)?;
                    Ok(Halt {
                        logged_out: row.get(0)?,
                        why: row.get(1)?,
                        risk: noted.as_deref().filter(|noted| *noted != TOKEN).map(risk),
                        token: noted.as_deref() == Some(TOKEN),
                        since_ms: row.get(3)?,
                    })
                })
                .optional()
        })
    }
}
