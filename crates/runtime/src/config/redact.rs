//! Which bytes of the file must not be shown to anybody?

use std::ops::Range;

use super::check::is_env_name;
use super::tree::{Node, Shape, Table};

/// Whoever has the address of a webhook, or what its posts are signed with, can write into the group behind it.
const ALERTS: [&str; 2] = ["webhook", "sign_secret"];

/// The text with `*` for every byte of a secret; all places and lines stay where they are.
///
/// Works on the tree where there is one and on the bare text besides, because a broken line is in no tree. `told` are
/// places that plugins know to be secrets.
pub(super) fn redact(text: &str, root: &Table, told: &[Range<usize>]) -> String {
    let mut hidden = told.to_vec();
    let accounts = root.get("accounts").and_then(Node::as_list).unwrap_or(&[]);
    for table in accounts.iter().filter_map(Node::as_table).chain([root]) {
        match table.get("secrets") {
            Some(Node { shape: Shape::Table(secrets), .. }) => secret_values(secrets, &mut hidden),
            Some(node) => hidden.push(node.span.clone()),
            None => {}
        }
        let addresses = ["proxy", "endpoint"].into_iter().filter_map(|key| table.get(key));
        hidden.extend(addresses.filter(|node| node.as_text().is_some_and(no_host)).map(|node| node.span.clone()));
    }
    for key in ALERTS {
        match root.table("alerts").and_then(|alerts| alerts.get(key)) {
            Some(Node { shape: Shape::Table(source), .. }) => source_values(source, &mut hidden),
            Some(node) => hidden.push(node.span.clone()),
            None => {}
        }
    }
    user_infos(text, &mut hidden);
    secret_lines(text, &mut hidden);
    mask(text, &hidden)
}

/// A `user:password@host` without a scheme: nothing tells where the password ends.
fn no_host(address: &str) -> bool {
    address.contains('@') && !address.contains("://")
}

fn secret_values(secrets: &Table, hidden: &mut Vec<Range<usize>>) {
    for entry in &secrets.entries {
        match &entry.node.shape {
            Shape::Table(source) => source_values(source, hidden),
            Shape::Text(_) | Shape::Integer(_) | Shape::Float(_) | Shape::Bool(_) | Shape::Date(_) => {
                hidden.push(entry.node.span.clone());
            }
            Shape::List(_) | Shape::Broken => hidden.push(entry.node.span.clone()),
        }
    }
}

/// Everything in `{ … }` that is neither the name of a variable nor a path.
fn source_values(source: &Table, hidden: &mut Vec<Range<usize>>) {
    for entry in &source.entries {
        let fine = match (entry.key.as_str(), entry.node.as_text()) {
            ("env", Some(name)) => is_env_name(name),
            ("file", Some(_)) => true,
            (_, _) => false,
        };
        if !fine {
            hidden.push(entry.node.span.clone());
        }
    }
}

/// `user:password` of every URL.
fn user_infos(text: &str, hidden: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        let from = at + 3;
        let rest = text.get(from..).unwrap_or("");
        // A password may hold `/`, `?` or `#` by mistake; the quote or the space ends the URL in any case.
        let end = rest.find(|c: char| c.is_whitespace() || c == '"' || c == '\'').unwrap_or(rest.len());
        if let Some(to) = rest.get(..end).and_then(|url| url.rfind('@')) {
            hidden.push(from..from + to);
        }
    }
}

/// Values below a `[….secrets]` header that do not begin like a table, and addresses with a user but no scheme: also in
/// a file that cannot be parsed.
fn secret_lines(text: &str, hidden: &mut Vec<Range<usize>>) {
    let mut inside = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') {
            let header = trimmed.split('#').next().unwrap_or("").trim_end();
            inside = header.trim_end_matches([']', ' ', '"', '\'']).ends_with("secrets");
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim();
            let source = value.trim_start().starts_with('{') || key.ends_with(".env") || key.ends_with(".file");
            let webhook = ALERTS.contains(&key) && !source;
            let address = ["proxy", "endpoint"].contains(&key) && no_host(value);
            if (inside && !source && !trimmed.starts_with('#')) || address || webhook {
                hidden.push(start + line.len() - value.len()..start + line.len());
            }
        }
        start += line.len();
    }
}

fn mask(text: &str, hidden: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let keep = matches!(c, '"' | '\'' | ' ' | '\n' | '\r' | '\t');
        if keep || !hidden.iter().any(|range| range.contains(&at)) {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn secrets_are_starred() {
        for (text, want) in [
            ("[[accounts]]\nsecrets = { A = \"hunter2\" }", "[[accounts]]\nsecrets = { A = \"*******\" }"),
            ("[[accounts]]\nsecrets.A = \"名\" # c", "[[accounts]]\nsecrets.A = \"***\" # c"),
            ("[[accounts]]\nsecrets.A = { env = \"A_B\" }", "[[accounts]]\nsecrets.A = { env = \"A_B\" }"),
            ("[[accounts]]\nsecrets.A = { env = \"sk-1\" }", "[[accounts]]\nsecrets.A = { env = \"****\" }"),
            ("[accounts.secrets]\nA = \"hunter2\nB = 1", "[accounts.secrets]\nA = \"*******\nB = *"),
            ("proxy = \"http://u:p@h\"", "proxy = \"http://***@h\""),
            ("proxy = \"http://u:p/@h@g", "proxy = \"http://******@g"),
            ("# see http://example.org/a", "# see http://example.org/a"),
        ] {
            assert_eq!(redact(text, &tree::read(text).root, &[]), want);
        }
    }
}
