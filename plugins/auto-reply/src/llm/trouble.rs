//! What can go wrong with an endpoint, may it be tried again, and what should its owner do?
//!
//! What the endpoint itself says is not shown: it may quote the question, or the key. Of an error only its `code` and
//! `type` are, where they are words.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// How long a cure that was told stays told.
const TOLD_FOR: Duration = Duration::from_secs(600);

/// Why there is no answer.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Trouble {
    /// No connection.
    #[error("it cannot be reached: {why}")]
    Unreachable {
        /// In the words of the system.
        why: String,
    },
    /// TLS did not come about.
    #[error("no secure connection: {why}")]
    Insecure {
        /// In the words of the TLS library.
        why: String,
    },
    /// It has no time.
    #[error("it is busy (HTTP {status}{})", told(words))]
    Busy {
        /// The status.
        status: u16,
        /// Of its error.
        words: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// It refuses: an HTTP status, or an error within the stream.
    #[error("it refuses the request ({}{})", refusal(*status), told(words))]
    Refused {
        /// `None` within a stream.
        status: Option<u16>,
        /// Of its error.
        words: String,
    },
    /// It sends us elsewhere.
    #[error("it leads elsewhere (HTTP {status}), which is not followed")]
    Elsewhere {
        /// The status.
        status: u16,
    },
    /// It is no such endpoint, or broken.
    #[error("what it answers is no answer of a model: {what}")]
    Garbage {
        /// What it was, without its content.
        what: String,
    },
    /// The connection ended too early.
    #[error("the answer was cut off {when}")]
    CutOff {
        /// Where.
        when: &'static str,
    },
    /// The time is over.
    #[error("no answer within {within:?}{what}")]
    Late {
        /// The time it had.
        within: Duration,
        /// How far it came.
        what: &'static str,
    },
    /// It answered nothing that can be said.
    #[error("the model said nothing{why}")]
    Empty {
        /// Why, where it is known.
        why: &'static str,
    },
    /// Too many questions of the account are being asked.
    #[error("too many questions are being asked at the same time")]
    Crowded,
    /// It did not answer several times in a row.
    #[error("it did not answer several times in a row, and is asked again in {left:?}")]
    Down {
        /// How long.
        left: Duration,
    },
    /// It said earlier that it wants to be left alone, and that time is not over.
    #[error("it asked to be left alone for {left:?} more")]
    Resting {
        /// How long.
        left: Duration,
    },
}

impl Trouble {
    pub(crate) fn garbage(what: impl Into<String>) -> Self {
        Self::Garbage { what: what.into() }
    }

    /// Whether the same question may be answered later, and when at the earliest. Nothing is tried again of which words
    /// came already: such troubles never get here.
    pub(crate) fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::Unreachable { .. } => Some(None),
            Self::CutOff { when } => (*when == BEFORE).then_some(None),
            Self::Busy { after, .. } => Some(*after),
            Self::Insecure { .. }
            | Self::Refused { .. }
            | Self::Elsewhere { .. }
            | Self::Garbage { .. }
            | Self::Late { .. }
            | Self::Empty { .. }
            | Self::Crowded
            | Self::Down { .. }
            | Self::Resting { .. } => None,
        }
    }

    /// Whether the endpoint has certainly not worked for it, so that it cost nothing: nobody was asked, or whoever was did
    /// not let us in. Everything else may have been paid for, a 500 too.
    pub(crate) fn is_free(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Insecure { .. }
            | Self::Busy { status: 429, .. }
            | Self::Refused { status: Some(401 | 403 | 404), .. }
            | Self::Late { what: NO_CONNECTION, .. }
            | Self::Crowded
            | Self::Down { .. }
            | Self::Resting { .. } => true,
            Self::Busy { .. }
            | Self::Refused { .. }
            | Self::Elsewhere { .. }
            | Self::Garbage { .. }
            | Self::CutOff { .. }
            | Self::Late { .. }
            | Self::Empty { .. } => false,
        }
    }

    /// What its owner should do.
    pub(crate) fn cure(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "is the server running, and are host and port in `endpoint` right?",
            Self::Insecure { .. } => {
                "the certificate must be valid for the host in `endpoint` and issued by somebody this system trusts"
            }
            Self::Busy { status: 429, .. } => "its limit or quota is used up: wait, ask less often, or raise it there",
            Self::Busy { .. } => "wait; if it lasts, look at the server",
            Self::Refused { status: Some(401), .. } => "it does not take the key: correct `key`",
            Self::Refused { status: Some(403), .. } => "the key may not do this: look at its rights at the service",
            Self::Refused { status: Some(404), .. } => {
                "there is no such address or model: `endpoint` is the base URL (mostly ending in /v1), `model` a name it knows"
            }
            Self::Refused { status: None, .. } => "look at the server: it failed in the middle of its answer",
            Self::Refused { .. } => {
                "look at `model`, `max_tokens`, `temperature` and `extra`: it takes one of them not"
            }
            Self::Elsewhere { .. } => "write the address it leads to as `endpoint`, if you trust it",
            Self::Garbage { .. } => "is `endpoint` the base URL of an OpenAI-compatible server?",
            Self::CutOff { .. } => "look at the server, and at proxies before it",
            Self::Late { .. } => "a smaller model, a lower `max_tokens`, or a longer `timeout` may help",
            Self::Empty { .. } => "a higher `max_tokens` may help, or another model",
            Self::Crowded => "a faster model, a lower `max_tokens`, or fewer rules that ask it may help",
            Self::Down { .. } => "is the server running, and is it fast enough for `timeout`?",
            Self::Resting { .. } => "nothing: it is asked again afterwards",
        }
    }

    /// Sorts that are told apart when it is decided whether this was told already.
    fn sort(&self) -> (std::mem::Discriminant<Self>, Option<u16>) {
        let status = match self {
            Self::Busy { status, .. } | Self::Elsewhere { status } => Some(*status),
            Self::Refused { status, .. } => *status,
            Self::Unreachable { .. }
            | Self::Insecure { .. }
            | Self::Garbage { .. }
            | Self::CutOff { .. }
            | Self::Late { .. }
            | Self::Empty { .. }
            | Self::Crowded
            | Self::Down { .. }
            | Self::Resting { .. } => None,
        };
        (std::mem::discriminant(self), status)
    }
}

/// How far it came when there was not even a connection.
pub(crate) const NO_CONNECTION: &str = ": no connection";
/// Before the answer began.
pub(crate) const BEFORE: &str = "before it began";

/// When which sort of trouble was told: once in a while is enough, however many people ask.
#[derive(Debug, Default)]
pub(crate) struct Told(HashMap<(std::mem::Discriminant<Trouble>, Option<u16>), Instant>);

impl Told {
    /// Whether it is to be told now.
    pub(crate) fn anew(&mut self, trouble: &Trouble) -> bool {
        let now = Instant::now();
        self.0.retain(|_, when| now.duration_since(*when) < TOLD_FOR);
        // There are fewer sorts than that, unless a server plays with its status.
        if self.0.contains_key(&trouble.sort()) || self.0.len() >= 100 {
            return false;
        }
        self.0.insert(trouble.sort(), now);
        true
    }
}

/// `code` and `type` of an error, where they are words and no sentences.
pub(crate) fn words_of(error: &Value) -> String {
    let is_word = |word: &str| {
        (1..=48).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            // Perhaps a key, or a part of one.
            && !word.starts_with("sk-")
    };
    let of = |key: &str| {
        let value = error.get(key)?;
        let number = || value.as_number().map(ToString::to_string);
        value.as_str().filter(|word| is_word(word)).map(str::to_owned).or_else(number)
    };
    [of("code"), of("type")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn told(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn refusal(status: Option<u16>) -> impl fmt::Display {
    match status {
        Some(status) => format!("HTTP {status}"),
        None => "within its answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_words_of_an_error_are_shown() {
        for (error, want) in [
            (
                json!({ "code": "model_not_found", "type": "invalid_request_error" }),
                "model_not_found, invalid_request_error",
            ),
            (json!({ "code": 429 }), "429"),
            (json!({ "code": "我的密码是 1234", "type": "you said: hello" }), ""),
            (json!({ "code": "sk-abcdef" }), ""),
            (json!({ "message": "Incorrect API key sk-1" }), ""),
            (json!("no"), ""),
        ] {
            assert_eq!(words_of(&error), want, "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_sort_is_told_once_in_a_while() {
        let mut told = Told::default();
        let refused = |status| Trouble::Refused { status: Some(status), words: String::new() };
        assert!(told.anew(&refused(401)));
        assert!(!told.anew(&refused(401)));
        assert!(told.anew(&refused(404)));
        tokio::time::advance(TOLD_FOR).await;
        assert!(told.anew(&refused(401)));
    }
}
