//! How do many people talk in one room at once: so many messages, evenly over so much time?

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Sim;
use crate::error::SimError;
use crate::phone::Deliver;

/// Messages that one order may say.
const MOST: usize = 100_000;

/// Who says what, and how fast. Nobody waits for answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chatter {
    /// Which account hears it.
    pub account: String,
    /// Topic of the room it is said in; without it each speaker writes to the account.
    #[serde(default)]
    pub room: Option<String>,
    /// Nicks of the speakers, who take turns.
    pub from: Vec<String>,
    /// What is said, in turn; `{n}` stands for the number of the message, from 0 on.
    pub texts: Vec<String>,
    /// How many messages in all.
    pub count: usize,
    /// From the first message to when the next one after the last would be due.
    pub over_ms: u64,
}

/// What was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatterReport {
    /// MsgIds, in order.
    pub msg_ids: Vec<String>,
    /// From the first message to the last.
    pub took_ms: u64,
}

impl Sim {
    /// Lets people talk, and answers when all is said. Who is removed from the room meanwhile says no more: the others
    /// speak in their place; when nobody is left it ends early.
    pub async fn chatter(&self, chatter: Chatter) -> Result<ChatterReport, SimError> {
        let Chatter { account, room, mut from, texts, count, over_ms } = chatter;
        if from.is_empty() || texts.is_empty() {
            return Err(SimError::Invalid("`from` and `texts` must not be empty".to_owned()));
        }
        if count > MOST {
            return Err(SimError::Invalid(format!("`count` is at most {MOST}")));
        }
        let (start, all) = (Instant::now(), Duration::from_millis(over_ms));
        let mut report = ChatterReport::default();
        let mut turn = 0;
        for number in 0..count {
            if from.is_empty() {
                break;
            }
            let share = u32::try_from(number).unwrap_or(u32::MAX);
            let due = start + all.saturating_mul(share) / u32::try_from(count).unwrap_or(u32::MAX);
            tokio::time::sleep_until(due).await;
            let text =
                texts.iter().cycle().nth(number % texts.len()).map(|text| text.replace("{n}", &number.to_string()));
            while let Some(speaker) = from.get(turn % from.len().max(1)) {
                let message =
                    Deliver { room: room.clone(), ..Deliver::text(speaker, text.clone().unwrap_or_default()) };
                match self.deliver(&account, message) {
                    Ok(id) => {
                        report.msg_ids.push(id);
                        turn += 1;
                        break;
                    }
                    // The bot may do that: it is what the talk is for.
                    Err(SimError::NotAMember { .. }) if number > 0 => {
                        from.remove(turn % from.len());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        report.took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }
}
