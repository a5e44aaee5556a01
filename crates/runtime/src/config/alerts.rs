//! Who is told when something is wrong, and can that be? `[alerts]`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wxbot_model::size::parse_size;
use wxbot_model::span::parse_duration;

use super::diagnostic::{Diagnostic, Report, codes, quote, suggest};
use super::settings::SecretSource;
use super::tree::{Node, Table};
use crate::alerts::{AlertSettings, DISK_RESERVE, Format, Webhook};

/// Refuses a table that nobody could be told by.
pub(super) fn check(root: &Table, report: &mut Report) {
    let Some(entry) = root.entry("alerts") else { return };
    let Some(table) = entry.node.as_table() else { return };
    let bad = |span: &std::ops::Range<usize>, message: &str, label: &str, help: &str| {
        Diagnostic::new(codes::BAD_ALERTS, span, message).label(label).help(help)
    };
    let has = |key: &str| table.get(key).is_some();
    let no_program = table.get("command").is_none_or(|node| node.as_list().is_some_and(<[Node]>::is_empty));
    if !has("webhook") && no_program && !has("via") {
        report.mistake(bad(
            &entry.node.span,
            "`[alerts]` says nobody to tell",
            "no `webhook`, `command` or `via`",
            "add `webhook = { env = \"ALERT_URL\" }`, `command = [\"program\"]`, or `via = \"account\"` with `to = \"p12\"`",
        ));
    }
    for (key, needs, help) in [
        ("format", "webhook", "it says what the address of `webhook` understands: add that, or remove this"),
        ("sign_secret", "webhook", "it is what posts to `webhook` are signed with: add that, or remove this"),
        ("via", "to", "add `to = \"p12\"`, the contact that gets the alerts"),
        ("to", "via", "add `via = \"account\"`, the account that sends them"),
    ] {
        if let Some(entry) = table.entry(key).filter(|_| !has(needs)) {
            let message = format!("`{key}` without `{needs}` in `[alerts]`");
            report.mistake(bad(&entry.key_span, &message, &format!("needs `{needs}`"), help));
        }
    }
    if let Some(entry) = table.entry("sign_secret")
        && has("webhook")
        && !matches!(table.text("format"), Some("dingtalk" | "feishu"))
    {
        report.mistake(bad(
            &entry.key_span,
            "`sign_secret` in `[alerts]` with an address that takes no signature",
            "nobody would look at it",
            "robots of DingTalk and Feishu do: `format = \"dingtalk\"` or `format = \"feishu\"`; for others remove this",
        ));
    }
    if let Some(entry) = table.entry("qr").filter(|entry| entry.node.json() == Value::Bool(true))
        && !has("webhook")
        && no_program
    {
        report.mistake(bad(
            &entry.key_span,
            "`qr` without `webhook` or `command` in `[alerts]`",
            "nobody would get the code",
            "a QR code is told to a webhook or a command only, never in a chat: add one, or remove this",
        ));
    }
    for node in table.get("command").and_then(Node::as_list).unwrap_or_default().iter().take(1) {
        if node.as_text().is_some_and(|text| text.is_empty() || text.contains(char::is_whitespace)) {
            report.mistake(bad(
                &node.span,
                "the first of `command` is no program",
                "not the name of a program",
                "one text for the program and one for each argument: `command = [\"notify.sh\", \"urgent\"]`; there is no shell",
            ));
        }
    }
    if let (Some(name), Some(node)) = (table.text("via"), table.get("via")) {
        let accounts = root.get("accounts").and_then(Node::as_list).unwrap_or_default();
        let named = |one: &Node| one.as_table().and_then(|table| table.text("name")).map(str::to_owned);
        let names: Vec<String> = accounts.iter().filter_map(named).collect();
        if !names.iter().any(|known| known == name) {
            let message = format!("`via`: there is no account {}", quote(name));
            let help = suggest(name, "accounts", names.iter().map(String::as_str));
            report.mistake(bad(&node.span, &message, "not known", &help));
        }
    }
}

/// What a good table comes to.
pub(super) fn build(root: &Table, file: &Path) -> Option<AlertSettings> {
    let table = root.table("alerts")?;
    let span = |key: &str, preset: u64| {
        let given = table.text(key).and_then(|text| parse_duration(text).ok());
        given.unwrap_or(Duration::from_secs(preset))
    };
    let yes = |key: &str| table.get(key).is_some_and(|node| node.json() == Value::Bool(true));
    let format = match table.text("format") {
        Some("wecom") => Format::Wecom,
        Some("dingtalk") => Format::Dingtalk,
        Some("feishu") => Format::Feishu,
        Some(_) | None => Format::Json,
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let source = |key: &str| match table.table(key).map(|source| (source.text("env"), source.text("file")))? {
        (Some(name), _) => Some(SecretSource::Env(name.to_owned())),
        (None, Some(path)) => Some(SecretSource::File(folder.join(path))),
        (None, None) => None,
    };
    let texts = table.texts("command").unwrap_or_default();
    let via = || Some((table.text("via")?.parse().ok()?, table.text("to")?.parse().ok()?));
    Some(AlertSettings {
        after: span("after", 60),
        repeat: span("repeat", 6 * 3_600),
        all_clear: yes("all_clear"),
        uncertain: table.get("uncertain").and_then(|node| node.json().as_u64()).unwrap_or(10),
        qr: yes("qr"),
        webhook: source("webhook").map(|url| Webhook { url, format, sign_secret: source("sign_secret") }),
        reserve: root.table("store").and_then(|store| parse_size(store.text("reserve")?).ok()).unwrap_or(DISK_RESERVE),
        command: texts.into_iter().map(|(text, _node)| text.to_owned()).collect(),
        via: via(),
    })
}
