//! Does a table hold what its key table says? Every rule that one key alone can break.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use ipnet::IpNet;
use url::Url;
use wxbot_model::size::{parse_size, show_size};
use wxbot_model::span::{Rate, parse_duration};
use wxbot_model::{AccountName, ContactId};
use wxbot_plugin::local::{Hours, Zone};

use super::diagnostic::{Diagnostic, Report, codes, quote, suggest, words};
use super::keys::{self, Key, Kind};
use super::roles;
use super::settings::Endpoint;
use super::tree::{Entry, Node, Shape, Table};

/// Instead of hours: none.
pub(super) const OFF: &str = "off";

/// Which table of the file, in words.
#[derive(Debug, Clone)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn top() -> Self {
        Self(String::new())
    }

    pub(super) fn account() -> Self {
        Self("accounts".to_owned())
    }

    pub(super) fn child(&self, key: &str) -> Self {
        if self.0.is_empty() { Self(key.to_owned()) } else { Self(format!("{}.{key}", self.0)) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("the top level"),
            "accounts" => f.write_str("`[[accounts]]`"),
            path => f.write_str(&quote(&format!("[{path}]"))),
        }
    }
}

/// Checks all keys of a table. `excuse` is asked first about a key that is not in `keys`.
pub(super) fn table(
    table: &Table,
    header: &Range<usize>,
    place: &Place,
    keys: &[&Key],
    excuse: &dyn Fn(&Entry) -> Option<Diagnostic>,
    report: &mut Report,
) {
    for entry in &table.entries {
        match keys.iter().find(|key| key.name == entry.key) {
            Some(key) => value(&entry.key, &entry.node, &key.kind, place, report),
            None => report.mistake(excuse(entry).unwrap_or_else(|| unknown_key(entry, place, keys))),
        }
    }
    // A file without accounts is told in words of its own.
    let needed = keys.iter().filter(|key| key.required && key.kind != Kind::Accounts);
    for key in needed.filter(|key| table.get(key.name).is_none()) {
        report.mistake(
            Diagnostic::new(codes::MISSING_KEY, header, format!("`{}` is missing in {place}", key.name))
                .label(format!("needs `{}`", key.name))
                .help(key.doc),
        );
    }
}

fn unknown_key(entry: &Entry, place: &Place, keys: &[&Key]) -> Diagnostic {
    let key = quote(&entry.key);
    let diagnostic = Diagnostic::new(codes::UNKNOWN_KEY, &entry.key_span, format!("{key} is not a key of {place}"))
        .label("not known");
    if place.0.is_empty() || keys::top().all(|top| top.name != entry.key) {
        return diagnostic.help(suggest(&entry.key, "keys", keys.iter().map(|key| key.name)));
    }
    // In TOML a plain key belongs to the last header above it, which surprises everybody once.
    diagnostic.help(format!("{key} belongs to the top level: write it above the first `[…]` of the file"))
}

/// Checks one value.
pub(super) fn value(name: &str, node: &Node, kind: &Kind, place: &Place, report: &mut Report) {
    let wrong = |report: &mut Report| report.mistake(wrong_type(name, node, kind));
    match (kind, &node.shape) {
        (_, Shape::Broken) | (Kind::Any, _) => {}
        (Kind::Text, Shape::Text(_)) | (Kind::Bool, Shape::Bool(_)) | (Kind::Plugins | Kind::Settings, Shape::Table(_)) => {}
        (Kind::Path, Shape::Text(text)) => {
            if text.is_empty() || text.contains('\0') {
                report.mistake(Diagnostic::new(codes::EMPTY_TEXT, &node.span, format!("`{name}` names no file or folder")));
            }
        }
        (Kind::Integer { min, max }, Shape::Integer(number)) => {
            if number < min || number > max {
                report.mistake(
                    Diagnostic::new(codes::OUT_OF_RANGE, &node.span, format!("`{name}` is {number}; {min} to {max} is possible"))
                        .label("out of range"),
                );
            }
        }
        (Kind::Duration, Shape::Text(text)) => {
            if let Err(error) = parse_duration(text) {
                let why = if plain(text) { error.to_string() } else { format!("{} is not a duration", quote(text)) };
                report.mistake(
                    Diagnostic::new(codes::BAD_DURATION, &node.span, format!("`{name}`: {why}")).label("not a duration"),
                );
            }
        }
        (Kind::Rate, Shape::Text(text)) => {
            if let Err(error) = text.parse::<Rate>() {
                let why = if plain(text) { error.to_string() } else { format!("{} is not a rate", quote(text)) };
                report.mistake(
                    Diagnostic::new(codes::BAD_RATE, &node.span, format!("`{name}`: {why}")).label("not a rate"),
                );
            }
        }
        (Kind::Hours, Shape::Text(text)) => {
            if text != OFF
                && let Err(error) = text.parse::<Hours>()
            {
                let error = error.to_string();
                let (why, help) = error.split_once("; ").unwrap_or((&error, ""));
                let why = if plain(text) { why.to_owned() } else { format!("{} is no hours", quote(text)) };
                report.mistake(
                    Diagnostic::new(codes::BAD_HOURS, &node.span, format!("`{name}`: {why}"))
                        .label("not hours")
                        .help(format!("{help}; \"{OFF}\": none")),
                );
            }
        }
        (Kind::Zone, Shape::Text(text)) => {
            if text.parse::<Zone>().is_err() {
                report.mistake(
                    Diagnostic::new(codes::BAD_ZONE, &node.span, format!("`{name}`: {} is no time zone", quote(text)))
                        .label("not a time zone")
                        .help("write a name of the tz database, like \"Asia/Shanghai\" or \"UTC\""),
                );
            }
        }
        (Kind::Size { min }, Shape::Text(text)) => {
            let bad = |why: String| {
                Diagnostic::new(codes::BAD_SIZE, &node.span, format!("`{name}`: {why}")).label("not possible as a size")
            };
            match parse_size(text) {
                Ok(bytes) if bytes < *min => report.mistake(bad(format!("at least {} is needed", show_size(*min)))),
                Ok(_) => {}
                Err(error) if plain(text) => report.mistake(bad(error.to_string())),
                Err(_) => report.mistake(bad(format!("{} is not a size", quote(text)))),
            }
        }
        (Kind::Choice(choices), Shape::Text(text)) => {
            if !choices.contains(&text.as_str()) {
                report.mistake(
                    Diagnostic::new(codes::BAD_CHOICE, &node.span, format!("`{name}` cannot be {}", quote(text)))
                        .label(format!("one of {}", words(choices)))
                        .help(suggest(text, "choices", choices.iter().copied())),
                );
            }
        }
        (Kind::Url { schemes }, Shape::Text(text)) => {
            if let Err(why) = url(text, schemes) {
                report.mistake(
                    Diagnostic::new(codes::BAD_URL, &node.span, format!("`{name}` {why}"))
                        .label("not usable")
                        .help(format!("it begins with one of {}, then `://host:port`", words(schemes))),
                );
            }
        }
        (Kind::ContactId, Shape::Text(text)) => {
            if let Err(error) = text.parse::<ContactId>() {
                report.mistake(
                    Diagnostic::new(
                        codes::BAD_CONTACT_ID,
                        &node.span,
                        format!("{} is not a contact id: {}", quote(text), error.why),
                    )
                    .label("not a contact id")
                    .help("contact ids are wxbot's own, like `p12` or `r3`; names of people and rooms change"),
                );
            }
        }
        (Kind::AccountName, Shape::Text(text)) => {
            if let Err(error) = text.parse::<AccountName>() {
                report.mistake(
                    Diagnostic::new(
                        codes::BAD_ACCOUNT_NAME,
                        &node.span,
                        format!("{} cannot be the name of an account: {}", quote(text), error.why),
                    )
                    .label("not possible as a name"),
                );
            }
        }
        (Kind::Endpoint, Shape::Text(text)) => {
            if let Err(why) = endpoint(text) {
                report.mistake(
                    Diagnostic::new(codes::BAD_ENDPOINT, &node.span, format!("`{name}` {why}"))
                        .label("not usable")
                        .help("write \"sim\" for the built-in simulator or an address like \"http://127.0.0.1:9000\""),
                );
            }
        }
        (Kind::Listen, Shape::Text(text)) => {
            if text.parse::<SocketAddr>().is_err() {
                report.mistake(
                    Diagnostic::new(
                        codes::BAD_ADDRESS,
                        &node.span,
                        format!("`{name}`: {} is no address with a port", quote(text)),
                    )
                    .label("not an address")
                    .help("write an IP address and a port, like \"127.0.0.1:8460\" or \"[::1]:8460\""),
                );
            }
        }
        (Kind::Network, Shape::Text(text)) => {
            if network(text).is_none() {
                report.mistake(
                    Diagnostic::new(
                        codes::BAD_ADDRESS,
                        &node.span,
                        format!("`{name}`: {} is no address and no network", quote(text)),
                    )
                    .label("not an address")
                    .help("write an IP address, or a network like \"10.0.0.0/8\""),
                );
            }
        }
        (Kind::Secret, Shape::Text(_)) => report.mistake(
            Diagnostic::new(codes::SECRET_IN_CLEAR, &node.span, format!("the secret {} stands in the file itself", quote(name)))
                .label("in clear text")
                .help(format!(
                    "put it into the environment or a file of its own: `{name} = {{ env = \"{name}\" }}` or `{name} = {{ file \
                     = \"secrets/{name}\" }}`; change it if others have seen this file"
                )),
        ),
        (Kind::Secret, Shape::Table(source)) => secret(name, node, source, report),
        (Kind::List(kind), Shape::List(items)) => {
            for item in items {
                value(name, item, kind, place, report);
            }
        }
        (Kind::Table(keys), Shape::Table(inner)) => {
            let keys: Vec<&Key> = keys.iter().collect();
            table(inner, &node.span, &place.child(name), &keys, &|_entry| None, report);
        }
        (Kind::Map(kind), Shape::Table(inner)) => {
            for entry in &inner.entries {
                value(&entry.key, &entry.node, kind, &place.child(name), report);
            }
        }
        (Kind::Roles, Shape::Table(inner)) => {
            for entry in &inner.entries {
                value(&entry.key, &entry.node, &Kind::List(&Kind::Text), &place.child(name), report);
            }
            roles::check(inner, report);
        }
        (Kind::Accounts, Shape::List(items)) => {
            for item in items.iter().filter(|item| !matches!(item.shape, Shape::Table(_) | Shape::Broken)) {
                report.mistake(wrong_type(name, item, &Kind::Accounts));
            }
        }
        (Kind::Text, _) | (Kind::Path, _) | (Kind::Bool, _) | (Kind::Integer { .. }, _) => wrong(report),
        (Kind::Duration, _) | (Kind::Rate, _) | (Kind::Size { .. }, _) | (Kind::Choice(_), _) | (Kind::Url { .. }, _) => wrong(report),
        (Kind::ContactId, _) | (Kind::AccountName, _) | (Kind::Endpoint, _) | (Kind::Secret, _) => wrong(report),
        (Kind::Listen, _) | (Kind::Network, _) | (Kind::Hours, _) | (Kind::Zone, _) => wrong(report),
        (Kind::List(_), _) | (Kind::Table(_), _) | (Kind::Map(_), _) => wrong(report),
        (Kind::Plugins, _) | (Kind::Settings, _) | (Kind::Roles, _) | (Kind::Accounts, _) => wrong(report),
    }
}

fn wrong_type(name: &str, node: &Node, kind: &Kind) -> Diagnostic {
    let is = match &node.shape {
        Shape::Text(_) => "a text",
        Shape::Integer(_) => "a number",
        Shape::Float(_) => "a number with a fraction",
        Shape::Bool(_) => "true or false",
        Shape::Date(_) => "a date or time",
        Shape::List(_) => "a list",
        Shape::Table(_) => "a table",
        Shape::Broken => "unreadable",
    };
    let cure = match (kind, &node.shape) {
        (Kind::Integer { .. }, Shape::Text(text)) if text.parse::<i64>().is_ok() => {
            Some("write the number without quotes".to_owned())
        }
        (Kind::Bool, Shape::Text(text)) if text == "true" || text == "false" => {
            Some("write it without quotes".to_owned())
        }
        (Kind::List(_), Shape::Text(text)) if plain(text) => Some(format!("write a list: `{name} = [\"{text}\"]`")),
        (Kind::Duration, Shape::Integer(number)) => {
            Some(format!("write the unit too, in quotes: `{name} = \"{number}s\"`"))
        }
        (Kind::Size { .. }, Shape::Integer(number)) => {
            Some(format!("write the unit too, in quotes: `{name} = \"{number}MiB\"`"))
        }
        (Kind::Rate, Shape::Integer(number)) => {
            Some(format!("write the time too, in quotes: `{name} = \"{number}/min\"`"))
        }
        (Kind::Accounts, Shape::Table(_)) => Some("write the header in double brackets: `[[accounts]]`".to_owned()),
        (_, _) => None,
    };
    let expected = kind.expected();
    Diagnostic::new(codes::WRONG_TYPE, &node.span, format!("{} is {is}; {expected} is expected", quote(name)))
        .label(format!("expected: {expected}").trim_end_matches(',').to_owned())
        .maybe_help(cure)
}

/// Short enough and printable, so that it can stand in a sentence.
fn plain(text: &str) -> bool {
    text.len() <= 48 && !text.chars().any(char::is_control)
}

/// What is wrong with the text as a URL, without the text.
fn url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !schemes.contains(&url.scheme()) {
        return Err("is a URL of another kind".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("is a URL without a host".to_owned());
    }
    Ok(url)
}

/// Reads a proxy's URL.
pub(super) fn proxy(text: &str) -> Option<Url> {
    Url::parse(text).ok()
}

/// A network, or an address alone.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Reads an endpoint, or says what is wrong without the text.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    if text == "sim" {
        return Ok(Endpoint::Sim);
    }
    let url = url(text, &["http", "https"])?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name; it takes none".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("holds more than scheme, host and port".to_owned());
    }
    Ok(Endpoint::Url(url))
}

fn secret(name: &str, node: &Node, source: &Table, report: &mut Report) {
    let name = quote(name);
    let bad = |span: &Range<usize>, message: String| {
        Diagnostic::new(codes::BAD_SECRET, span, message)
            .label("not a source of a secret")
            .help("a secret is { env = \"NAME\" } or { file = \"path\" }")
    };
    let [Entry { key, node: value, .. }] = source.entries.as_slice() else {
        let message = format!("the secret {name} names {} sources; it needs exactly one", source.entries.len());
        return report.mistake(bad(&node.span, message));
    };
    match (key.as_str(), &value.shape) {
        (_, Shape::Broken) => {}
        ("env", Shape::Text(text)) if is_env_name(text) => {}
        ("file", Shape::Text(text)) if !text.is_empty() && !text.contains('\0') => {}
        ("env", _) => {
            report.mistake(bad(&value.span, format!("`env` of the secret {name} is not the name of a variable")))
        }
        ("file", _) => report.mistake(bad(&value.span, format!("`file` of the secret {name} is not a path"))),
        (other, _) => {
            report.mistake(bad(&node.span, format!("the secret {name} has no `env` or `file` but {}", quote(other))))
        }
    }
}

/// Whether a text can name an environment variable. Longer or odder texts are likely the secret itself.
pub(super) fn is_env_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
