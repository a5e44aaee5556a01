//! What does a failed request mean for doing it again? By whether the service may have acted on it.

use std::time::Duration;

use crate::error::{Advice, Error, FetchError, Risk, SendError};

/// Of the request that does the thing.
pub(super) fn of_act(error: Error) -> SendError {
    let why = why(&error);
    match error {
        Error::Ended(reason) => SendError::Ended(reason),
        Error::Stopped { risk, .. } => SendError::Stopped { why, risk },
        Error::Transport { source, .. } if source.surely_not_sent() => {
            SendError::NotTaken { why, after: Duration::from_secs(1) }
        }
        Error::Status { status: 400..=499, .. } => SendError::NotTaken { why, after: Duration::from_secs(5) },
        Error::Refused { refusal, .. } => match refusal.advice {
            Advice::TryLater => SendError::NotTaken { why, after: Duration::from_secs(5) },
            Advice::Stop(risk) => SendError::Stopped { why, risk },
            Advice::GiveUp => SendError::Failed { why },
        },
        // A gateway's 5xx, a cut or foreign answer, a lost connection: the message may have gone out.
        Error::Transport { .. }
        | Error::Status { .. }
        | Error::Decode { .. }
        | Error::Silent { .. }
        | Error::LoginNotCompleted(_)
        | Error::BadSavedSession(_)
        | Error::Settings(_) => SendError::Uncertain { why },
    }
}

/// Of a request that only prepares it: whatever became of that, nobody has seen anything.
pub(super) fn before_act(error: Error) -> SendError {
    match of_act(error) {
        SendError::Uncertain { why } => SendError::NotTaken { why, after: Duration::from_secs(5) },
        known @ (SendError::NotTaken { .. }
        | SendError::Failed { .. }
        | SendError::Closed { .. }
        | SendError::Ended(_)
        | SendError::Stopped { .. }) => known,
    }
}

/// Of a request that only asks.
pub(super) fn of_question(error: Error) -> FetchError {
    let why = why(&error);
    match error {
        Error::Ended(reason) => FetchError::Ended(reason),
        Error::Stopped { risk, .. } => FetchError::Stopped { why, risk },
        Error::Refused { refusal, .. } => match refusal.advice {
            Advice::TryLater => FetchError::NotNow { why },
            // Too many questions are answered by asking no more of them, which costs a name or a picture; an account that
            // could not begin because of them would never work again.
            Advice::GiveUp | Advice::Stop(Risk::TooOften) => FetchError::Refused { why },
            Advice::Stop(risk @ Risk::Forbidden) => FetchError::Stopped { why, risk },
        },
        Error::Transport { .. } | Error::Status { .. } | Error::Decode { .. } | Error::Silent { .. } => {
            FetchError::NotNow { why }
        }
        Error::LoginNotCompleted(_) | Error::BadSavedSession(_) | Error::Settings(_) => FetchError::Refused { why },
    }
}

/// What happened and its cause.
fn why(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EndReason;
    use crate::transport::TransportError;
    use crate::webwx::ret::Ret;

    #[test]
    fn what_may_be_done_again() {
        let transport = |source| Error::Transport { endpoint: "webwxsendmsg", source };
        let host = || "h".to_owned();
        let refused = |ret| Error::Refused { endpoint: "webwxsendmsg", refusal: Ret(ret).refusal("") };
        let word = |error| match error {
            SendError::NotTaken { .. } => "not taken",
            SendError::Uncertain { .. } => "uncertain",
            SendError::Failed { .. } => "failed",
            SendError::Closed { .. } => "closed",
            SendError::Ended(_) => "ended",
            SendError::Stopped { .. } => "stopped",
        };
        let asked = |error| match of_question(error) {
            FetchError::NotNow { .. } => "not now",
            FetchError::Gone { .. } => "gone",
            FetchError::Refused { .. } => "refused",
            FetchError::Ended(_) => "ended",
            FetchError::Stopped { .. } => "stopped",
        };
        type Row<'a> = (&'a str, &'a dyn Fn() -> Error, &'a str, &'a str, &'a str);
        let rows: &[Row<'_>] = &[
            (
                "refused connection",
                &|| transport(TransportError::NotSent { host: host(), reason: String::new() }),
                "not taken",
                "not taken",
                "not now",
            ),
            (
                "time-out",
                &|| transport(TransportError::Timeout { host: host(), after: Duration::ZERO }),
                "uncertain",
                "not taken",
                "not now",
            ),
            (
                "reset",
                &|| transport(TransportError::Broken { host: host(), reason: String::new() }),
                "uncertain",
                "not taken",
                "not now",
            ),
            ("502", &|| Error::Status { endpoint: "x", status: 502 }, "uncertain", "not taken", "not now"),
            ("404", &|| Error::Status { endpoint: "x", status: 404 }, "not taken", "not taken", "not now"),
            ("-1", &|| refused(-1), "not taken", "not taken", "not now"),
            ("1205", &|| refused(1205), "stopped", "stopped", "refused"),
            ("1203", &|| refused(1203), "stopped", "stopped", "stopped"),
            ("1204", &|| refused(1204), "failed", "failed", "refused"),
            ("-66", &|| refused(-66), "failed", "failed", "refused"),
            ("1101", &|| Error::Ended(EndReason::Replaced), "ended", "ended", "ended"),
        ];
        for (name, error, act, before, question) in rows {
            let got = [word(of_act(error())), word(before_act(error())), asked(error())];
            assert_eq!(got, [*act, before, question], "{name}");
        }
    }
}
