//! How much may one answer ask for? The limits of effects (security R32).

use std::time::Duration;

use wxbot_model::Action;
use wxbot_plugin::{Effect, Effects};

const MAX_ACTIONS: usize = 20;
const MAX_TEXT: usize = 4096;
const MAX_ACTION: usize = 64 * 1024;
const MAX_KEY: usize = 512;
/// Of a timer; the store keeps it until it fires.
const MAX_PAYLOAD: usize = 64 * 1024;
/// Whoever wants to come back later than in a leap year sets another timer then.
const MAX_AFTER: Duration = Duration::from_secs(366 * 86_400);

/// What is too much of it, for the log.
pub(crate) fn check(effects: &Effects) -> Result<(), String> {
    let mut actions = 0;
    for effect in effects.iter() {
        match effect {
            Effect::Reply { text, .. } | Effect::Act(Action::SendText { text, .. }) => {
                actions += 1;
                if text.len() > MAX_TEXT {
                    return Err(format!("a text of {} bytes; at most {MAX_TEXT} are allowed", text.len()));
                }
                if text.is_empty() {
                    return Err("an empty text".into());
                }
            }
            Effect::Media { .. } => actions += 1,
            Effect::Act(action) => {
                actions += 1;
                check_action(action)?;
            }
            Effect::Put { key, .. } | Effect::Delete { key } | Effect::Swap { key, .. } => check_key("key", key)?,
            Effect::Timer { name, after_ms, payload } => {
                check_key("timer's name", name)?;
                if Duration::from_millis(*after_ms) > MAX_AFTER {
                    let days = Duration::from_millis(*after_ms).as_secs() / 86_400;
                    return Err(format!("a timer in {days} days; at most 366 are allowed"));
                }
                let long = length(payload);
                if long > MAX_PAYLOAD {
                    return Err(format!("a timer's payload of {long} bytes; at most {MAX_PAYLOAD} are allowed"));
                }
            }
            Effect::CancelTimer { name } => check_key("timer's name", name)?,
            // Whoever carries it out says that it is not known.
            _ => {}
        }
    }
    if actions > MAX_ACTIONS {
        return Err(format!("{actions} replies to one message; at most {MAX_ACTIONS} are allowed"));
    }
    Ok(())
}

fn check_action(action: &Action) -> Result<(), String> {
    // The raw form of what an app shared is the longest; it came through a message and goes back as one.
    if let Action::AddFriend { greeting: text, .. }
    | Action::SetRemark { remark: text, .. }
    | Action::SetTopic { topic: text, .. }
    | Action::CreateRoom { topic: text, .. } = action
        && text.len() > MAX_TEXT
    {
        let (len, word) = (text.len(), action.word());
        return Err(format!("a text of {len} bytes in `{word}`; at most {MAX_TEXT} are allowed"));
    }
    let long = length(action);
    if long > MAX_ACTION {
        return Err(format!("a `{}` of {long} bytes; at most {MAX_ACTION} are allowed", action.word()));
    }
    Ok(())
}

fn check_key(what: &str, key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY {
        return Err(format!("a {what} of {} bytes; at most {MAX_KEY} are allowed", key.len()));
    }
    Ok(())
}

fn length(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r32_what_is_too_much_is_told() {
        let timer = |name: &str, after: Duration, payload: &str| Effects::none().timer(name, after, &payload).unwrap();
        let hour = Duration::from_secs(3_600);
        for (name, effects, want) in [
            ("twenty replies", (0..20).fold(Effects::none(), |all, n| all.and_reply(n.to_string())), Ok(())),
            ("one more", (0..21).fold(Effects::none(), |all, n| all.and_reply(n.to_string())), Err("21 replies")),
            ("no text", Effects::reply(""), Err("an empty text")),
            ("a long text", Effects::reply("x".repeat(4_097)), Err("a text of 4097 bytes")),
            ("a long key", Effects::none().delete("k".repeat(513)), Err("a key of 513 bytes")),
            ("a timer", timer(&"n".repeat(512), MAX_AFTER, ""), Ok(())),
            ("a long name", timer(&"n".repeat(513), hour, ""), Err("a timer's name of 513 bytes")),
            ("a far one", timer("n", MAX_AFTER + Duration::from_secs(86_400), ""), Err("a timer in 367 days")),
            ("much to bring", timer("n", hour, &"x".repeat(65_536)), Err("a timer's payload of 65538 bytes")),
            ("a long name back", Effects::none().cancel_timer("n".repeat(513)), Err("a timer's name of 513")),
        ] {
            match (check(&effects), want) {
                (Ok(()), Ok(())) => {}
                (Err(told), Err(want)) if told.starts_with(want) => {}
                (got, want) => panic!("{name}: {got:?}, not {want:?}"),
            }
        }
    }
}
