//! What do the service's codes mean? `ret` and `errcode` are two spellings of one code, and either may be absent.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::error::{Advice, EndReason, Error, Refusal};
use crate::lenient::scalar;

/// The token is no longer valid, or there was none.
pub const STALE: i64 = -14;
/// Refused for now: quota, window, burst, or something is missing.
pub const REFUSED: i64 = -2;
/// As [`REFUSED`], as one client says.
pub const RATE: i64 = -13;
/// The ticket for typing, or the conversation it is for.
pub const NO_TICKET: i64 = -4;

/// The part of an answer that says whether it is a yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Outcome {
    #[serde(deserialize_with = "code")]
    ret: i64,
    #[serde(deserialize_with = "code")]
    errcode: i64,
    #[serde(deserialize_with = "scalar::text")]
    errmsg: String,
}

/// Absent and null are a yes; what is there and cannot be read must not pass for one.
fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Code {
        Nothing(()),
        Number(i64),
        Text(String),
    }
    match Code::deserialize(deserializer)? {
        Code::Nothing(()) => Ok(0),
        Code::Number(number) => Ok(number),
        Code::Text(text) => text.trim().parse().map_err(|_quotes_it| D::Error::custom("no code")),
    }
}

impl Outcome {
    /// The code; 0 for a yes.
    pub fn code(&self) -> i64 {
        match (self.ret, self.errcode) {
            (STALE, _) | (_, STALE) => STALE,
            (0, code) => code,
            (code, _) => code,
        }
    }

    /// What a caller does about it.
    ///
    /// # Errors
    /// [`Error::Ended`] for −14, [`Error::Refused`] for any other no.
    pub fn check(&self, endpoint: &'static str) -> Result<(), Error> {
        match self.code() {
            0 => Ok(()),
            STALE => Err(Error::Ended(EndReason::TokenRefused)),
            ret => Err(Error::Refused { endpoint, refusal: refusal(ret, &self.errmsg) }),
        }
    }
}

/// A code with the service's words, or ours where it has none.
pub fn refusal(ret: i64, said: &str) -> Refusal {
    let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
    let message = if said.trim().is_empty() { words(ret).to_owned() } else { said.trim().to_owned() };
    Refusal { ret, message, advice: advice(ret) }
}

fn words(ret: i64) -> &'static str {
    match ret {
        REFUSED => "refused for now: the quota or the window of the conversation, or too much at once",
        RATE => "too much at once",
        NO_TICKET => "no ticket: nobody wrote in this conversation yet, or the ticket is too old",
        STALE => "the token is no longer valid",
        2 => "a wrong bot_type",
        _ => "",
    }
}

/// There is no list of codes: what is not known may pass.
fn advice(ret: i64) -> Advice {
    match ret {
        2 | NO_TICKET => Advice::GiveUp,
        _ => Advice::TryLater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings() {
        for (json, want) in [
            ("{}", Some(0)),
            (r#"{"ret":0,"errmsg":""}"#, Some(0)),
            (r#"{"ret":null,"errcode":null,"errmsg":null}"#, Some(0)),
            (r#"{"ret":"0"}"#, Some(0)),
            (r#"{"ret":-2}"#, Some(-2)),
            (r#"{"errcode":-2}"#, Some(-2)),
            (r#"{"ret":0,"errcode":-14}"#, Some(-14)),
            (r#"{"ret":-1,"errcode":-14}"#, Some(-14)),
            (r#"{"ret":"-14"}"#, Some(-14)),
            (r#"{"ret":7,"errcode":8}"#, Some(7)),
            (r#"{"ret":"fine"}"#, None),
            (r#"{"ret":0.5}"#, None),
            (r#"{"ret":[]}"#, None),
            (r#"{"ret":true}"#, None),
        ] {
            assert_eq!(serde_json::from_str::<Outcome>(json).ok().map(|o| o.code()), want, "{json}");
        }
    }

    #[test]
    fn what_a_code_means() {
        let said = |ret, errmsg: &str| Outcome { ret, errcode: 0, errmsg: errmsg.into() }.check("sendmessage");
        assert!(said(0, "odd words").is_ok());
        assert!(matches!(said(-14, ""), Err(Error::Ended(EndReason::TokenRefused))));
        for (ret, advice) in [
            (-2, Advice::TryLater),
            (-13, Advice::TryLater),
            (-4, Advice::GiveUp),
            (2, Advice::GiveUp),
            (-99, Advice::TryLater),
        ] {
            let Err(Error::Refused { endpoint: "sendmessage", refusal }) = said(ret, "") else { panic!("{ret}") };
            assert_eq!((refusal.ret, refusal.advice), (ret, advice));
            assert_eq!(refusal.message.is_empty(), ret == -99);
        }
        let Err(Error::Refused { refusal, .. }) = said(-2, &format!(" prepare\nfailed{}", "x".repeat(400))) else {
            panic!()
        };
        assert!(refusal.message.starts_with("preparefailed") && refusal.message.chars().count() <= 300);
    }
}
