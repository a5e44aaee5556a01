//! What does a reply say? A minijinja template without files, with little fuel, checked before any message comes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use regex::Regex;

use crate::matching::{Captures, Shape, head};
use crate::reading::did_you_mean;

/// What [`Effects::reply`](wxbot_plugin::Effects::reply) takes.
const REPLY_BYTES: usize = 4096;
/// What is kept while rendering: room for white space that is trimmed, but not for a loop over a long text.
const KEPT_BYTES: usize = 4 * REPLY_BYTES;
/// Instructions per reply. A generous template needs some hundreds; a loop in a loop ends within milliseconds.
const FUEL: u64 = 50_000;
/// The name of the only template in its environment; it has no extension, so that nothing is escaped.
const NAME: &str = "reply";
/// What every template knows, and what only the templates of a regex rule know.
const TEXTS: [&str; 6] = ["sender", "chat", "text", "account", "time", "date"];
const OF_REGEX: [&str; 2] = ["groups", "named"];

/// One reply, compiled.
#[derive(Debug)]
pub(crate) struct Template {
    env: Environment<'static>,
}

/// What is known when a reply is written.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) sender: &'a str,
    pub(crate) chat: &'a str,
    pub(crate) text: &'a str,
    pub(crate) account: &'a str,
    pub(crate) now_ms: i64,
    pub(crate) captures: &'a Captures,
}

/// Something wrong with a template, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Template {
    /// Compiles; `shape` is what the rule's regex has, `None` when that is not known because the rule itself is wrong.
    pub(crate) fn compile(source: &str, shape: Option<&Shape>) -> Result<Self, Vec<Flaw>> {
        let mut env = Environment::new();
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_fuel(Some(FUEL));
        if let Err(error) = env.add_template_owned(NAME, source.to_owned()) {
            let place = error.line().map_or_else(String::new, |line| format!(" (line {line})"));
            let message = format!("the template cannot be read: {}{place}", reason(&error));
            let help = "templates are minijinja: `{{ sender }}` inserts a value, `{% if … %}…{% endif %}` decides";
            return Err(vec![Flaw { message, help: help.to_owned() }]);
        }
        let template = Self { env };
        let mut flaws = template.unknown_names(source, shape);
        if flaws.is_empty() {
            flaws.extend(template.unknown_calls(shape));
        }
        if flaws.is_empty() { Ok(template) } else { Err(flaws) }
    }

    /// The text to send; `None` when nothing can be seen of it. The error never holds what people wrote.
    pub(crate) fn render(&self, facts: &Facts<'_>) -> Result<Option<String>, String> {
        let text = self.run(facts).map_err(|error| {
            // The detail may quote a value, which may be the message; kind and line are enough to find the mistake.
            let line = error.line().unwrap_or(1);
            format!("{} in line {line} of the template", error.kind())
        })?;
        let text = text.trim();
        Ok(if crate::matching::is_blank_text(text) { None } else { Some(shortened(text)) })
    }

    fn run(&self, facts: &Facts<'_>) -> Result<String, minijinja::Error> {
        let mut kept = Kept::default();
        self.env.get_template(NAME)?.render_captured_to(facts.values(), &mut kept)?;
        Ok(String::from_utf8_lossy(&kept.bytes).into_owned())
    }

    /// Names that the template uses and that can never have a value.
    fn unknown_names(&self, source: &str, shape: Option<&Shape>) -> Vec<Flaw> {
        let Ok(template) = self.env.get_template(NAME) else { return Vec::new() };
        let own = set_in(source);
        let known = match shape {
            Some(shape) if shape.len == 0 => TEXTS.to_vec(),
            Some(_) | None => [TEXTS.as_slice(), OF_REGEX.as_slice()].concat(),
        };
        // Sorted, because a set of the standard library would tell them in another order each time.
        let used: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
        let mut flaws = Vec::new();
        for path in &used {
            let (name, attribute) = path.split_once('.').map_or((path.as_str(), None), |(n, a)| (n, Some(a)));
            if own.contains(name) || self.env.globals().any(|(global, _)| global == name) {
                continue;
            }
            match (name, attribute, shape) {
                _ if OF_REGEX.contains(&name) && !known.contains(&name) => flaws.push(Flaw {
                    message: format!("`{name}` is only known in a rule with `regex`"),
                    help: did_you_mean(name, &known),
                }),
                _ if !known.contains(&name) => flaws.push(Flaw {
                    message: format!("the template uses `{name}`, which is not known"),
                    help: did_you_mean(name, &known),
                }),
                ("named", Some(attribute), Some(shape)) => flaws.extend(unknown_group(attribute, shape)),
                ("named", _, _) | (_, None, _) => {}
                (_, Some(attribute), _) => flaws.push(Flaw {
                    message: format!("`{name}` has no `{attribute}`"),
                    help: format!("write `{{{{ {name} }}}}`"),
                }),
            }
        }
        if let Some(shape) = shape.filter(|shape| shape.len > 0) {
            flaws.extend(unknown_items(source, &own, shape));
        }
        flaws.dedup();
        flaws
    }

    /// Filters, tests and methods are looked up when they are reached. A run with made-up values reaches most of them;
    /// only what no value could mend is a flaw, because the made-up values prove nothing else.
    fn unknown_calls(&self, shape: Option<&Shape>) -> Option<Flaw> {
        let group = || "1".to_owned();
        let captures = shape.map_or_else(Captures::default, |shape| Captures {
            groups: (0..shape.len).map(|_| group()).collect(),
            named: shape.names.iter().map(|name| (name.clone(), group())).collect(),
        });
        let facts = Facts { sender: "a", chat: "a", text: "1", account: "a", now_ms: 0, captures: &captures };
        let error = self.run(&facts).err()?;
        let hopeless =
            [ErrorKind::UnknownFilter, ErrorKind::UnknownTest, ErrorKind::UnknownMethod, ErrorKind::UnknownFunction];
        hopeless.contains(&error.kind()).then(|| Flaw {
            message: format!("the template cannot run: {}", reason(&error)),
            help: "minijinja's built-in filters and tests are there, like `| upper` or `is odd`".to_owned(),
        })
    }
}

impl Facts<'_> {
    fn values(&self) -> Value {
        let (date, time) = clock_at_utc8(self.now_ms);
        let named: BTreeMap<String, Value> =
            self.captures.named.iter().map(|(name, text)| (name.clone(), Value::from(text))).collect();
        Value::from(BTreeMap::from([
            ("sender", Value::from(self.sender)),
            ("chat", Value::from(self.chat)),
            ("text", Value::from(self.text)),
            ("account", Value::from(self.account)),
            ("date", Value::from(date)),
            ("time", Value::from(time)),
            ("groups", self.captures.groups.iter().map(Value::from).collect()),
            ("named", Value::from(named)),
        ]))
    }
}

/// Takes everything and keeps the beginning, so that a template cannot fill the memory with its output.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = KEPT_BYTES - self.bytes.len();
        self.bytes.extend(bytes.iter().take(room));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shortened(text: &str) -> String {
    const MARK: char = '…';
    if text.len() <= REPLY_BYTES {
        text.to_owned()
    } else {
        format!("{}{MARK}", head(text, REPLY_BYTES - MARK.len_utf8()))
    }
}

/// What the template itself sets. minijinja's own analysis forgets a `set` at the end of its `if`, the engine does not.
fn set_in(source: &str) -> BTreeSet<&str> {
    #[expect(clippy::expect_used, reason = "constant, compiled by every test here")]
    static SET: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{%[-+]?\s*set\s+([^=%]+)").expect("constant"));
    let targets = SET.captures_iter(source).filter_map(|found| found.get(1));
    targets
        .flat_map(|m| m.as_str().split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|n| !n.is_empty())
        .collect()
}

/// `groups[7]` and `named["x"]` that the regex does not have.
fn unknown_items(source: &str, own: &BTreeSet<&str>, shape: &Shape) -> Vec<Flaw> {
    #[expect(clippy::expect_used, reason = "constant, compiled by every test here")]
    static TAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s)\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}").expect("constant"));
    #[expect(clippy::expect_used, reason = "constant, compiled by every test here")]
    static ITEM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\b(?:groups\s*(?:\[\s*(\d+)\s*\]|\.(\d+))|named\s*\[\s*["'](\w+)["']\s*\])"#).expect("constant")
    });
    let mut flaws = Vec::new();
    let tags = TAG.find_iter(source).map(|tag| tag.as_str()).filter(|tag| !tag.starts_with("{#"));
    for item in tags.flat_map(|tag| ITEM.captures_iter(tag)) {
        if let Some(name) = item.get(3).filter(|_| !own.contains("named")) {
            flaws.extend(unknown_group(name.as_str(), shape));
        }
        let number = item.get(1).or_else(|| item.get(2)).filter(|_| !own.contains("groups"));
        // A number too large for `usize` is beyond the last group as well.
        if let Some(number) = number.filter(|n| n.as_str().parse().unwrap_or(usize::MAX) >= shape.len) {
            flaws.push(Flaw {
                message: format!("the regex has no group {}", number.as_str()),
                help: format!("its last group is {}; group 0 is the whole match", shape.len - 1),
            });
        }
    }
    flaws
}

fn unknown_group(name: &str, shape: &Shape) -> Option<Flaw> {
    let known: Vec<&str> = shape.names.iter().map(String::as_str).collect();
    let help = match known.is_empty() {
        true => format!("name a group with `(?P<{name}>…)`"),
        false => did_you_mean(name, &known),
    };
    (!known.contains(&name)).then(|| Flaw { message: format!("the regex has no group named `{name}`"), help })
}

fn reason(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// `YYYY-MM-DD` and `HH:MM` at UTC+8, the one clock of mainland China (no summer time since 1991).
fn clock_at_utc8(now_ms: i64) -> (String, String) {
    let minutes = now_ms.div_euclid(60_000) + 8 * 60;
    let (year, month, day) = civil_from_days(minutes.div_euclid(24 * 60));
    let minute = minutes.rem_euclid(24 * 60);
    (format!("{year:04}-{month:02}-{day:02}"), format!("{:02}:{:02}", minute / 60, minute % 60))
}

/// Year, month and day of a count of days since 1970-01-01: Howard Hinnant's `civil_from_days`, whose years begin in
/// March so that the leap day is the last. <https://howardhinnant.github.io/date_algorithms.html>
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let since_0000_03_01 = days + 719_468;
    let era = since_0000_03_01.div_euclid(146_097);
    let day_of_era = since_0000_03_01.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
