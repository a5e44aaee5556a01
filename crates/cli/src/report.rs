//! How are failures and mistakes shown? The whole chain, with carets for `bot.toml`, on standard error.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write as _};
use std::ops::Range;
use std::process::ExitCode;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use wxbot_runtime::config::{self, ConfigError, Mistakes};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Said in full; exit code 1.
    Said(String),
    /// The configuration is bad; exit code 78.
    Config(ConfigError),
    /// Everything was said already; exit code 1.
    Silent,
    /// Everything was said already; this exit code.
    Exit(u8),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(text) => f.write_str(text),
            Self::Config(error) => f.write_str(&chain(error)),
            Self::Silent | Self::Exit(_) => Ok(()),
        }
    }
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// Shows it and answers the exit code.
    pub(crate) fn show(&self) -> ExitCode {
        match self {
            Self::Said(text) => {
                say(&format!("error: {text}"));
                ExitCode::FAILURE
            }
            Self::Silent => ExitCode::FAILURE,
            Self::Exit(code) => ExitCode::from(*code),
            Self::Config(ConfigError::Mistakes(mistakes)) => {
                say(&drawn(mistakes, "nothing was started", true));
                ExitCode::from(78)
            }
            Self::Config(error) => {
                say(&format!("error: {}", chain(error)));
                ExitCode::from(78)
            }
        }
    }
}

/// Adds what was being done to an error, as a [`Failure`].
pub(crate) trait OrExit<T> {
    fn or_exit(self, what: &str) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> OrExit<T> for Result<T, E> {
    fn or_exit(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{what}: {}", chain(&error))))
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").ok();
        cause = error.source();
    }
    text
}

/// One line of data on standard output. A closed pipe is the reader's business.
pub(crate) fn print(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// One line for the person, on standard error.
pub(crate) fn say(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// All mistakes of a file with carets, how many they are, and what follows. `here` is our own standard error, which may
/// have colours.
pub(crate) fn drawn(mistakes: &Mistakes, follows: &str, here: bool) -> String {
    let mut out = String::new();
    for one in &mistakes.list {
        out.push_str(&draw(mistakes, one, here));
    }
    let count = mistakes.list.len();
    let word = if count == 1 { "mistake" } else { "mistakes" };
    write!(out, "{count} {word} in {}; {follows}", mistakes.file.display()).ok();
    out
}

fn draw(mistakes: &Mistakes, one: &config::Diagnostic, here: bool) -> String {
    let theme = match (here && std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR")) {
        (true, None) => GraphicalTheme::unicode(),
        (true, Some(_)) | (false, _) => GraphicalTheme::unicode_nocolor(),
    };
    let name = mistakes.file.display().to_string();
    let shown = Shown { one, source: NamedSource::new(name, mistakes.text.clone()).with_language("TOML") };
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
    if handler.render_report(&mut out, &shown).is_err() {
        // Drawing fails for no known input; the words are what matters.
        let (line, column) = config::line_col(&mistakes.text, one.span.start);
        out = format!("{}:{line}:{column}: {}\n", mistakes.file.display(), one.message);
    }
    out.push('\n');
    out
}

/// A diagnostic as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    one: &'a config::Diagnostic,
    source: NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one.message)
    }
}

impl std::error::Error for Shown<'_> {}

fn label(span: &Range<usize>, text: &str) -> LabeledSpan {
    // An empty span (end of file) still gets its caret.
    LabeledSpan::new(Some(text.to_owned()), span.start, span.len().max(1))
}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.one.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.one.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let first = std::iter::once(label(&self.one.span, &self.one.label));
        Some(Box::new(first.chain(self.one.also.iter().map(|(span, text)| label(span, text)))))
    }
}
