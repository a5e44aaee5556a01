//! Ids as types: one door in (`FromStr`), serde through the same door.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: {why}")]
pub struct IdError {
    /// What was expected, with its article.
    pub kind: &'static str,
    /// The refused text, cut at 64 characters.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl IdError {
    fn new(kind: &'static str, text: &str, why: &'static str) -> Self {
        Self { kind, text: text.chars().take(64).collect(), why }
    }
}

// Ids are cloned far more often than made: into maps, rows, logs. Clones share the text.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text).map_err(|why| IdError::new($kind, text, why))?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

fn printable(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        Err("it is empty")
    } else if text.len() > 512 {
        Err("it is longer than 512 bytes")
    } else if text.chars().any(char::is_control) {
        Err("it holds a control character")
    } else {
        Ok(())
    }
}

text_id! {
    /// The `name` of one `[[accounts]]` entry of `bot.toml`: the key of an account everywhere.
    ///
    /// 1–64 letters (of any script), digits, `-` or `_`, so that it is safe in a file name and on a command line.
    AccountName, "an account name", |text| {
        if text.is_empty() { return Err("it is empty"); }
        if text.chars().count() > 64 { return Err("it is longer than 64 characters"); }
        if !text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
            return Err("only letters, digits, `-` and `_` are allowed");
        }
        Ok(())
    }
}
text_id! {
    /// wxbot's own id of a person or room within one account, like `p12` or `r3`; it outlives a login.
    ///
    /// The letter tells the kind for people who read logs: `p` person, `r` room, `o` official account,
    /// `s` special account, `m` the account itself.
    ContactId, "a contact id", |text| {
        let digits = text.strip_prefix(['p', 'r', 'o', 's', 'm']).ok_or("it begins with none of p, r, o, s, m")?;
        if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err("the letter is followed by 1–18 digits");
        }
        Ok(())
    }
}
text_id! {
    /// The id a protocol uses for a peer right now: a Web `UserName`, a `wxid_…`. It may change at the next login.
    PeerId, "a peer id", printable
}
text_id! {
    /// The server's id of a message, as text: on the Web wire it is a decimal number above 2^53.
    MsgId, "a message id", printable
}
text_id! {
    /// Our own id of an outgoing message, fixed before the first try and kept for every retry of it.
    ClientMsgId, "a client message id", |text| {
        if text.is_empty() || text.len() > 40 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err("it is not 1–40 decimal digits");
        }
        Ok(())
    }
}
text_id! {
    /// SHA-256 of the bytes of a media file, as 64 lower-case hexadecimal digits: its name in the media folder.
    MediaDigest, "a media digest", |text| {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err("it is not 64 lower-case hexadecimal digits");
        }
        Ok(())
    }
}
text_id! {
    /// What makes an incoming event unique within its account (`src_key` of the inbox); a repeat is absorbed by it.
    EventKey, "an event key", printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names() {
        for (text, good) in [
            ("shop", true),
            ("小店-1", true),
            ("a_b", true),
            ("", false),
            ("../etc", false),
            ("a b", false),
            ("a\n", false),
        ] {
            assert_eq!(text.parse::<AccountName>().is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn ids_come_in_by_one_door() {
        for text in ["\"\"", "\"x1\"", "\"p\"", "\"p1x\"", "3"] {
            assert!(serde_json::from_str::<ContactId>(text).is_err(), "{text}");
        }
        let id: ContactId = serde_json::from_str("\"p12\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"p12\"");
    }

    #[test]
    fn client_ids_are_digits() {
        assert!("14766146756340722".parse::<ClientMsgId>().is_ok());
        assert!("1476614675.6340722e3".parse::<ClientMsgId>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_id_or_an_error(text in ".*") {
            if let Ok(id) = text.parse::<PeerId>() { proptest::prop_assert_eq!(id.as_str(), &text); }
        }
    }
}
