//! How is it logged? To standard error, text on a terminal and JSON elsewhere, with every line through a redactor.

use std::io::{IsTerminal, Write};
use std::sync::LazyLock;

use regex::Regex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::{Args, Command, LogFormat};

/// Sets logging and the panic hook up.
pub(crate) fn start(args: &Args) {
    let terminal = std::io::stderr().is_terminal();
    // On a terminal the reporter shows states; in a service log they belong to the log itself.
    let default = match (matches!(args.command, Command::Run(_) | Command::Ingress), terminal) {
        (true, false) => "info",
        (true, true) => "warn,wxbot_runtime::account=error",
        (false, _) => "warn",
    };
    let filter = args.log.clone().unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Redacted);
    let json = args.log_format.map_or(!terminal, |format| format == LogFormat::Json);
    let ansi = terminal && std::env::var_os("NO_COLOR").is_none();
    // A second subscriber in the same process belongs to a test; the first one stays.
    if json {
        builder.json().flatten_event(true).try_init().ok()
    } else {
        builder.with_ansi(ansi).with_target(false).try_init().ok()
    };

    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        let words = info.payload_as_str().unwrap_or("(no message)");
        tracing::error!(place, words = %redact(words), "Panic; it was contained.");
    }));
}

/// Removes keys and tickets, whatever way they came into a text (security R20).
pub(crate) fn redact(text: &str) -> std::borrow::Cow<'_, str> {
    static SECRET: LazyLock<Regex> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a constant pattern, compiled in the tests")]
        Regex::new(
            r#"(?xi)
            (?P<name>\b(?:skey|w?x?sid|(?:last_)?w?x?uin|pass_ticket|webwx_data_ticket|webwx_auth_ticket|webwxuvid|set-cookie|cookie|
                authorization|aeskey|access_token|corpsecret|encodingaeskey|ticket)\b ["'\\]* \s* [=:>] \s* ["'\\]*)
            [^\s"'&;,<>\\{}]+
            | @crypt_[0-9a-zA-Z_]+
            "#,
        )
        .expect("constant pattern")
    });
    SECRET.replace_all(text, "${name}[redacted]")
}

/// Standard error behind the redactor.
#[derive(Debug, Clone, Copy)]
struct Redacted;

/// One event's lines; written as a whole, so that a secret is not cut in two.
struct Line(Vec<u8>);

impl MakeWriter<'_> for Redacted {
    type Writer = Line;
    fn make_writer(&self) -> Line {
        Line(Vec::with_capacity(256))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.0);
        std::io::stderr().lock().write_all(redact(&text).as_bytes()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r20_keys_are_removed_however_they_are_written() {
        for text in [
            "GET /cgi-bin/x?skey=CANARY&sid=CANARY&uin=CANARY",
            r#"{"Skey":"CANARY","Sid":"CANARY","Uin":CANARY}"#,
            r#"{\"Skey\":\"CANARY\"}"#,
            "<skey>CANARY</skey><wxsid>CANARY</wxsid><pass_ticket>CANARY</pass_ticket>",
            "Cookie: wxsid=CANARY; webwx_data_ticket=CANARY",
            "pass_ticket=CANARY%2Fx",
            "last_wxuin=CANARY",
            "key @crypt_CANARY_1 here",
            "Authorization: CANARY",
        ] {
            let redacted = redact(text);
            assert!(!redacted.contains("CANARY"), "{text} -> {redacted}");
        }
        assert_eq!(redact("account shop is online, seq=12"), "account shop is online, seq=12");
    }
}
