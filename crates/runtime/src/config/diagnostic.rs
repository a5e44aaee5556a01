//! How is a mistake in `bot.toml` told to a person?

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// The codes of all diagnostics of this module. They are stable: the guide explains each under its name.
pub mod codes {
    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
            $($(#[$doc])* pub const $name: &str = concat!("wxbot::config::", $word);)*
            /// Every code, in the order of this list.
            pub const ALL: &[&str] = &[$($name),*];
        };
    }

    codes! {
        /// The file is not UTF-8.
        NOT_UTF8 = "not_utf8";
        /// The text is not TOML.
        SYNTAX = "syntax";
        /// One key or table is given twice.
        DUPLICATE_KEY = "duplicate_key";
        /// Tables or lists sit too deep in each other.
        TOO_DEEP = "too_deep";
        /// The file holds no key at all.
        EMPTY_FILE = "empty_file";
        /// There is no `[[accounts]]` entry.
        NO_ACCOUNTS = "no_accounts";
        /// A key that does not exist there.
        UNKNOWN_KEY = "unknown_key";
        /// A required key is not given.
        MISSING_KEY = "missing_key";
        /// An option of another protocol than the account's.
        FOREIGN_OPTION = "foreign_option";
        /// A text where a number is expected, and the like.
        WRONG_TYPE = "wrong_type";
        /// A number beyond its limits.
        OUT_OF_RANGE = "out_of_range";
        /// An empty text where one is needed.
        EMPTY_TEXT = "empty_text";
        /// Not a duration like `15s`.
        BAD_DURATION = "bad_duration";
        /// Not a rate like `20/min`.
        BAD_RATE = "bad_rate";
        /// Not hours like `23:00-07:00`.
        BAD_HOURS = "bad_hours";
        /// Not a time zone like `Asia/Shanghai`.
        BAD_ZONE = "bad_zone";
        /// Not a size like `512MiB`, or too small a one.
        BAD_SIZE = "bad_size";
        /// Not one of the allowed words.
        BAD_CHOICE = "bad_choice";
        /// Not a URL, or not of an allowed kind.
        BAD_URL = "bad_url";
        /// Not a contact id like `p12`.
        BAD_CONTACT_ID = "bad_contact_id";
        /// Not usable as an account's name.
        BAD_ACCOUNT_NAME = "bad_account_name";
        /// Neither `sim` nor `http://host:port`.
        BAD_ENDPOINT = "bad_endpoint";
        /// Not an address to listen on, or not a network.
        BAD_ADDRESS = "bad_address";
        /// Others could reach the server in plain HTTP.
        PLAIN_SERVER = "plain_server";
        /// A secret that is neither `{ env = … }` nor `{ file = … }`.
        BAD_SECRET = "bad_secret";
        /// A secret that stands in the file itself.
        SECRET_IN_CLEAR = "secret_in_clear";
        /// Two accounts of one name.
        DUPLICATE_ACCOUNT = "duplicate_account";
        /// One plugin or middleware twice in a list.
        DUPLICATE_ENTRY = "duplicate_entry";
        /// No such protocol in this binary.
        UNKNOWN_PROTOCOL = "unknown_protocol";
        /// No such profile of the protocol.
        UNKNOWN_PROFILE = "unknown_profile";
        /// The protocol has several profiles and none is chosen.
        MISSING_PROFILE = "missing_profile";
        /// No such plugin in this binary.
        UNKNOWN_PLUGIN = "unknown_plugin";
        /// No such middleware in this binary.
        UNKNOWN_MIDDLEWARE = "unknown_middleware";
        /// The protocol always talks to one place.
        ENDPOINT_NOT_ALLOWED = "endpoint_not_allowed";
        /// The protocol makes no connections that a proxy could carry.
        PROXY_NOT_ALLOWED = "proxy_not_allowed";
        /// A plugin needs what the account's protocol cannot do.
        IMPOSSIBLE_CAPABILITY = "impossible_capability";
        /// Warning: a part of a plugin needs what the account's protocol cannot do.
        IMPOSSIBLE_FEATURE = "impossible_feature";
        /// The protocol refuses its options.
        PROTOCOL_OPTIONS = "protocol_options";
        /// Two accounts want the one terminal.
        ONE_TERMINAL = "one_terminal";
        /// The file of a plugin is not taken.
        LIBRARY = "library";
        /// The plugin refuses its settings.
        PLUGIN_SETTINGS = "plugin_settings";
        /// A middleware that the program brings refuses its settings.
        MIDDLEWARE_SETTINGS = "middleware_settings";
        /// Not a role like `owner`, or one that everybody has.
        BAD_ROLE = "bad_role";
        /// Not a text that can stand before the word of a command.
        BAD_PREFIX = "bad_prefix";
        /// Alerts that nobody could get.
        BAD_ALERTS = "bad_alerts";
        /// Warning: settings that nothing reads.
        UNUSED_SETTINGS = "unused_settings";
    }
}

/// One thing to tell about `bot.toml`: a mistake, or a warning where it stands in [`Loaded::warnings`](super::Loaded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// One of [`codes`], like `wxbot::config::unknown_plugin`.
    pub code: &'static str,
    /// What is wrong, one sentence without a full stop. Holds no secret.
    pub message: String,
    /// A few words to put under the span. Holds no secret.
    pub label: String,
    /// Where, in bytes; both ends lie on character boundaries of the text.
    pub span: Range<usize>,
    /// What to do.
    pub help: Option<String>,
    /// Other places that belong to it, with their labels.
    pub also: Vec<(Range<usize>, String)>,
}

impl Diagnostic {
    pub(super) fn new(code: &'static str, span: &Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            label: "here".to_owned(),
            span: span.clone(),
            help: None,
            also: Vec::new(),
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    pub(super) fn also(mut self, span: &Range<usize>, label: impl Into<String>) -> Self {
        self.also.push((span.clone(), label.into()));
        self
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) mistakes: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
    /// Places whose text must not be shown: what may be secrets in plugins' settings.
    pub(super) hidden: Vec<Range<usize>>,
}

impl Report {
    pub(super) fn mistake(&mut self, diagnostic: Diagnostic) {
        self.mistakes.push(diagnostic);
    }

    pub(super) fn warning(&mut self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }
}

/// Sorts by place and leaves one of each: a fault of a common table shows up in every account that uses it.
pub(super) fn tidy(text: &str, list: &mut Vec<Diagnostic>) {
    for diagnostic in list.iter_mut() {
        diagnostic.span = fit(text, &diagnostic.span);
        for (span, _label) in &mut diagnostic.also {
            *span = fit(text, span);
        }
    }
    list.sort_by(|a, b| {
        (a.span.start, a.span.end, a.code, &a.message).cmp(&(b.span.start, b.span.end, b.code, &b.message))
    });
    list.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
}

/// The range pushed into the text and outwards to character boundaries.
pub(super) fn fit(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end).max(start)
}

/// All mistakes of one file.
#[derive(Debug, Clone)]
pub struct Mistakes {
    /// The file.
    pub file: PathBuf,
    /// Its text, for showing lines around a span; bytes of secrets are replaced by `*`, so that a report can be passed
    /// on. Spans fit it as they fit the file.
    pub text: String,
    /// Sorted by place, never empty.
    pub list: Vec<Diagnostic>,
}

/// Plain lines `bot.toml:14:8: message`, for logs; people get the spans drawn.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.list.iter().enumerate() {
            let (line, column) = line_col(&self.text, diagnostic.span.start);
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}:{column}: {}", self.file.display(), diagnostic.message)?;
            if let Some(help) = &diagnostic.help {
                write!(f, " (help: {help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something wrong.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

/// Line and column of a byte offset, both from 1; the column counts characters, a byte order mark is none.
pub fn line_col(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or("").chars().filter(|c| *c != '\u{feff}').count() + 1;
    (line, column)
}

/// A text of the file as it appears in a message: in backticks, cut at 48 characters, controls made visible.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == 48 {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.push('`');
    out
}

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.chars().take(48).flat_map(char::to_lowercase).filter(|c| !"-_ ".contains(*c)).collect();
    let wanted: String = plain(word);
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let offered: String = plain(candidate);
        let edits = strsim::damerau_levenshtein(&wanted, &offered);
        let score = strsim::jaro_winkler(&wanted, &offered);
        let close = edits * 3 <= offered.chars().count() || score > 0.88;
        if close && best.is_none_or(|(top, _word)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_score, word)| word)
}

/// `did you mean …?`, or the list of what there is.
pub fn suggest<'a>(word: &str, what: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there are no {what}"),
        None => format!("the {what} are {}", words(&known)),
    }
}

/// `` `a`, `b`, `c` ``.
pub(super) fn words<S: AsRef<str>>(list: &[S]) -> String {
    list.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, offset, want) in [
            ("", 0, (1, 1)),
            ("ab\ncd", 4, (2, 2)),
            ("名 = 1", 3, (1, 2)),
            ("a\r\nb", 3, (2, 1)),
            ("\u{feff}a", 3, (1, 1)),
            ("a", 99, (1, 2)),
            ("名", 1, (1, 1)),
        ] {
            assert_eq!(line_col(text, offset), want, "{text:?} {offset}");
        }
    }

    #[test]
    fn near_words() {
        for (word, want) in [
            ("keywrod", Some("keyword")),
            ("autoreply", Some("auto-reply")),
            ("Auto_Reply", Some("auto-reply")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["keyword", "auto-reply"]), want, "{word}");
        }
    }

    #[test]
    fn quotes_are_short_and_visible() {
        assert_eq!(quote("a\nb"), "`a\\nb`");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 51);
    }

    #[test]
    fn codes_are_unique() {
        let mut all = codes::ALL.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), codes::ALL.len());
    }
}
