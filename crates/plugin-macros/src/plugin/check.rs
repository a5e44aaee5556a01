//! Which values of attributes are right? Everything that can be told while the plugin compiles is told then.

use std::collections::HashMap;

use syn::{Error, LitStr};

use super::handler::Handler;
use super::trigger::On;

pub(super) struct Cooldown {
    pub(super) ms: u64,
    pub(super) per: &'static str,
}

fn wrong<T>(text: &LitStr, why: impl std::fmt::Display) -> syn::Result<T> {
    Err(Error::new(text.span(), why))
}

pub(super) fn id(id: LitStr) -> syn::Result<LitStr> {
    let value = id.value();
    let right = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if value.is_empty() || !value.bytes().all(right) {
        return wrong(&id, "the id of a plugin is a word of lower-case letters, digits and `-`");
    }
    Ok(id)
}

/// Words to look for: something to see, no spaces around.
pub(super) fn words(words: &[LitStr]) -> syn::Result<()> {
    for word in words {
        let value = word.value();
        if value.trim().is_empty() {
            return wrong(word, "nothing would be looked for");
        }
        if value.trim() != value {
            return wrong(word, "no text would be found with these spaces around it");
        }
    }
    Ok(())
}

pub(super) fn regex(pattern: LitStr) -> syn::Result<LitStr> {
    match regex_syntax::parse(&pattern.value()) {
        Ok(_) => Ok(pattern),
        Err(error) => {
            // The pattern is drawn with a caret over several lines; the reason stands in the last one.
            let drawn = error.to_string();
            let reason = drawn.lines().rev().find_map(|line| line.trim().strip_prefix("error: ")).unwrap_or(&drawn);
            wrong(&pattern, format!("this is no regex: {reason}"))
        }
    }
}

pub(super) fn contacts(ids: Vec<LitStr>) -> syn::Result<Vec<LitStr>> {
    for id in &ids {
        let value = id.value();
        let digits = value.strip_prefix(['p', 'r', 'o', 's', 'm']).unwrap_or_default();
        if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return wrong(
                id,
                "this is no contact id, like `p12` for a person or `r3` for a room; `wxbot contacts` lists them",
            );
        }
    }
    Ok(ids)
}

pub(super) fn cooldown(text: &LitStr) -> syn::Result<Cooldown> {
    let value = text.value();
    let example = "write it like \"5s/user\", \"1min/chat\" or \"1h/all\"";
    let Some((time, per)) = value.split_once('/') else {
        return wrong(text, format!("this is no cooldown: {example}"));
    };
    let per = match per.trim() {
        "user" => "User",
        "chat" => "Chat",
        "all" => "All",
        other => return wrong(text, format!("`{other}` is none of `user`, `chat`, `all`: {example}")),
    };
    match duration_ms(time.trim()) {
        Some(ms) => Ok(Cooldown { ms, per }),
        None => wrong(text, format!("`{time}` is no time of at most 10000 days: {example}")),
    }
}

/// The units of `bot.toml`.
fn duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms).filter(|ms| (1..=10_000 * 86_400_000).contains(ms))
}

pub(super) fn time_zone(tz: LitStr) -> syn::Result<LitStr> {
    let value = tz.value();
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if value.is_empty() || !value.chars().all(right) {
        return wrong(&tz, "this is no IANA name of a time zone, like \"Asia/Shanghai\"");
    }
    Ok(tz)
}

/// The fields of a cron expression: what it is called, its least and greatest number, and names for numbers.
const FIELDS: [(&str, u32, u32, &[&str]); 6] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of the week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

pub(super) fn cron(expression: LitStr) -> syn::Result<LitStr> {
    let value = expression.value();
    let fields: Vec<&str> = value.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let five = if fields.len() == 5 { "; the first is the second: put `0 ` before yours" } else { "" };
        let why = format!(
            "a cron expression has six fields (second, minute, hour, day, month, weekday) and this has {}{five}",
            fields.len()
        );
        return wrong(&expression, why);
    }
    for (field, (name, least, greatest, names)) in fields.iter().zip(FIELDS) {
        for part in field.split(',') {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let number = |text: &str| match names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
                Some(at) => u32::try_from(at).ok().map(|at| at + least),
                None => text.parse::<u32>().ok().filter(|number| (least..=greatest).contains(number)),
            };
            let right = match range.split_once('-') {
                _ if range == "*" => true,
                Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
                None => number(range).is_some(),
            };
            let step_right =
                step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=greatest).contains(&step)));
            if !right || !step_right {
                return wrong(
                    &expression,
                    format!("`{part}` is no {name}: it is `*`, {least}–{greatest}, `1-5` or `*/5`"),
                );
            }
        }
    }
    Ok(expression)
}

/// A word as texts are compared with it: without capitals and full-width characters.
fn folded(word: &str) -> String {
    let narrow = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    };
    word.chars().map(narrow).flat_map(char::to_lowercase).collect()
}

/// Two commands with the same word cannot both be meant.
pub(super) fn distinct_words(handlers: &[Handler]) -> syn::Result<()> {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut errors: Option<Error> = None;
    for handler in handlers {
        let On::Command(words) = &handler.trigger.on else { continue };
        for word in words {
            if let Some(other) = seen.insert(folded(&word.value()), handler.name()) {
                let error = Error::new(word.span(), format!("`{}` is a command already: of `{other}`", word.value()));
                match &mut errors {
                    Some(all) => all.combine(error),
                    None => errors = Some(error),
                }
            }
        }
    }
    errors.map_or(Ok(()), Err)
}
