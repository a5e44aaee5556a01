//! Which word was meant? For unknown keys and for values that are one of some words.

use serde_json::{Map, Value, json};

use super::ConfigProblem;
use super::value::At;

/// A help text: the nearest of the known words if one is near, and all of them.
///
/// ```
/// use wxbot_plugin::config::did_you_mean;
/// assert_eq!(did_you_mean("citty", &["city", "unit"]), "did you mean `city`? known are `city`, `unit`");
/// assert_eq!(did_you_mean("x", &[]), "there are none");
/// ```
pub fn did_you_mean(word: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return "there are none".to_owned();
    }
    let all = list(known);
    let same = |c: char| if c == '_' { '-' } else { c };
    let plain = |word: &str| word.to_lowercase().chars().map(same).collect::<String>();
    // A third of the letters wrong is a typing mistake; more is another word.
    let near = known.iter().map(|k| (distance(&plain(word), &plain(k)), k)).min();
    match near.filter(|(d, k)| *d * 3 <= k.chars().count().max(3)) {
        Some((_, nearest)) => format!("did you mean `{nearest}`? known are {all}"),
        None => format!("known are {all}"),
    }
}

/// The words in backticks.
pub fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The value that the word in `value` stands for.
///
/// # Errors
/// When it is another word, or no word.
pub fn pick<T, const N: usize>(value: &Value, at: &At<'_>, all: [(&str, T); N]) -> Result<T, Vec<ConfigProblem>> {
    let known: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
    let Some(word) = value.as_str() else { return Err(at.wants(&want(&known), value)) };
    let unknown = || vec![at.problem(format!("{} cannot be `{word}`", at.name())).help(did_you_mean(word, &known))];
    all.into_iter().find(|(known, _)| *known == word).map(|(_, value)| value).ok_or_else(unknown)
}

/// What a value out of these words is, for people.
pub fn want(words: &[&str]) -> String {
    format!("one of {}", list(words))
}

/// The schema of a value that is one of these words; each with what it means.
pub fn schema(about: &str, words: &[(&str, &str)]) -> Value {
    let mut schema = Map::new();
    if !about.is_empty() {
        schema.insert("description".to_owned(), json!(about));
    }
    if words.iter().all(|(_, about)| about.is_empty()) {
        schema.insert("enum".to_owned(), words.iter().map(|(word, _)| json!(word)).collect());
    } else {
        let each = words.iter().map(|(word, about)| json!({ "const": word, "description": about }));
        schema.insert("oneOf".to_owned(), each.collect());
    }
    Value::Object(schema)
}

/// Levenshtein's distance, a row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        let mut next = vec![left];
        for (above, cb) in row.iter().skip(1).zip(b.chars()) {
            left = (above + 1).min(left + 1).min(diagonal + usize::from(ca != cb));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn help_names_what_was_meant() {
        let known = ["exact", "contains", "at_me", "reply"];
        for (word, want) in [
            ("contain", Some("contains")),
            ("at-me", Some("at_me")),
            ("Reply", Some("reply")),
            ("replay", Some("reply")),
            ("keyword", None),
        ] {
            let help = did_you_mean(word, &known);
            match want {
                Some(want) => assert!(help.starts_with(&format!("did you mean `{want}`?")), "{word}: {help}"),
                None => assert!(help.starts_with("known are `exact`"), "{word}: {help}"),
            }
        }
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        }
    }
}
