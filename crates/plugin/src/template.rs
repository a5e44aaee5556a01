//! What does a text say that is written in settings and filled in later? A minijinja template without files and with
//! little fuel, checked before any event comes. Feature `template`.
//!
//! ```
//! use wxbot_plugin::template::{Facts, Known, Template};
//!
//! let known = Known::texts(&["sender", "room"]);
//! let welcome = Template::compile("欢迎 {{ sender }} 来到 {{ room }}", &known).unwrap();
//! let facts = Facts::new().text("sender", "小李").text("room", "茶");
//! assert_eq!(welcome.render(&facts).unwrap().as_deref(), Some("欢迎 小李 来到 茶"));
//!
//! let flaws = Template::compile("{{ sendr }}", &known).unwrap_err();
//! assert_eq!(flaws[0].message, "the template uses `sendr`, which is not known");
//! assert_eq!(flaws[0].help, "did you mean `sender`? known are `sender`, `room`");
//! ```
//!
//! Reading order: this file → `known` (which names a template may use, and what is wrong with it) → `limits` (filters whose
//! output people could make arbitrarily large).

mod known;
mod limits;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::config::value::At;
use crate::config::{ConfigProblem, did_you_mean};
use crate::extract::Captures;
use crate::text::{is_blank_text, shortened};

pub use known::{Known, Shape};

/// What [`Effects::reply`](crate::Effects::reply) takes, and what a rendered text is cut to.
pub const TEXT_BYTES: usize = 4096;
/// What is kept while rendering: room for white space that is trimmed, but not for a loop over a long text.
const KEPT_BYTES: usize = 4 * TEXT_BYTES;
/// Instructions per text. A generous template needs some hundreds; a loop in a loop ends within milliseconds.
const FUEL: u64 = 50_000;
/// How much of one fact a template sees. WeChat refuses texts of some kilobytes, so that this is a guard only.
const FACT_BYTES: usize = 16 * 1024;
/// The name of the only template in its environment; it has no extension, so that nothing is escaped.
const NAME: &str = "text";

/// One text with holes, compiled. A clone is cheap.
#[derive(Clone)]
pub struct Template {
    /// What it says. Compiling it takes microseconds and is done each time: kept, it would be tens of kilobytes, and
    /// plugins have thousands.
    source: Arc<str>,
}

/// Something wrong with a template, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What is known when a text is written: a value for each of the [`Known`] names.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    values: BTreeMap<&'static str, Value>,
}

impl Template {
    /// Compiles a source and looks for whatever could never work: names that are not [`Known`], groups that a regex does
    /// not have, filters that do not exist.
    ///
    /// # Errors
    /// All that is wrong, never an empty list.
    pub fn compile(source: &str, known: &Known) -> Result<Self, Vec<Flaw>> {
        let template = Self { source: source.into() };
        if let Err(error) = template.compiled() {
            let place = error.line().map_or_else(String::new, |line| format!(" (line {line})"));
            let message = format!("the template cannot be read: {}{place}", known::reason(&error));
            let help = "templates are minijinja: `{{ … }}` inserts a value, `{% if … %}…{% endif %}` decides";
            return Err(vec![Flaw { message, help: help.to_owned() }]);
        }
        let flaws = known.flaws_of(&template, source);
        if flaws.is_empty() { Ok(template) } else { Err(flaws) }
    }

    /// The same for a value in settings: each flaw is a mistake at its place.
    ///
    /// # Errors
    /// As of [`compile`](Self::compile).
    pub fn read(value: &crate::config::Value, at: &At<'_>, known: &Known) -> Result<Self, Vec<ConfigProblem>> {
        let Some(source) = value.as_str() else { return Err(at.wants("a text", value)) };
        if is_blank_text(source) {
            return Err(vec![at.problem(format!("{} is empty", at.name())).help("write the text, or remove the key")]);
        }
        Self::compile(source, known)
            .map_err(|flaws| flaws.into_iter().map(|flaw| at.problem(flaw.message).help(flaw.help)).collect())
    }

    /// The text to send, at most [`TEXT_BYTES`] long and without white space around it; `None` when nothing can be seen of
    /// it.
    ///
    /// # Errors
    /// Kind and line of what went wrong: never what people wrote, so that it may be logged.
    pub fn render(&self, facts: &Facts) -> Result<Option<String>, String> {
        let text = self.run(facts).map_err(|error| {
            // The detail may quote a value, which may be the message; kind and line are enough to find the mistake.
            let line = error.line().unwrap_or(1);
            format!("{} in line {line} of the template", error.kind())
        })?;
        let text = text.trim();
        Ok(if is_blank_text(text) { None } else { Some(shortened(text, TEXT_BYTES)) })
    }

    fn run(&self, facts: &Facts) -> Result<String, minijinja::Error> {
        let mut kept = Kept::default();
        let values = Value::from(facts.values.clone());
        self.compiled()?.render_captured_to(values, &mut kept)?;
        Ok(String::from_utf8_lossy(&kept.bytes).into_owned())
    }

    fn compiled(&self) -> Result<minijinja::Template<'_, '_>, minijinja::Error> {
        environment().template_from_named_str(NAME, &self.source)
    }
}

/// The one environment of all templates.
fn environment<'a>() -> &'a Environment<'a> {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut env = Environment::new();
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_fuel(Some(FUEL));
        limits::limit(&mut env);
        env
    });
    &ENVIRONMENT
}

impl Flaw {
    fn unknown(message: String, word: &str, known: &[&str]) -> Self {
        Self { message, help: did_you_mean(word, known) }
    }
}

impl Facts {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A text.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: &str) -> Self {
        self.values.insert(name, Value::from(crate::text::head(text, FACT_BYTES)));
        self
    }

    /// A number, to count with.
    #[must_use]
    pub fn number(mut self, name: &'static str, number: i64) -> Self {
        self.values.insert(name, Value::from(number));
        self
    }

    /// What the groups of a regex caught: `groups` by number and `named` by name. One that took no part is an empty text.
    #[must_use]
    pub fn captures(mut self, captures: &Captures) -> Self {
        let text = |caught: Option<&str>| Value::from(caught.unwrap_or_default());
        let named = captures.groups().filter_map(|(name, caught)| Some((name?.to_owned(), text(caught))));
        self.values.insert("named", Value::from(named.collect::<BTreeMap<_, _>>()));
        self.values.insert("groups", captures.groups().map(|(_, caught)| text(caught)).collect());
        self
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

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
