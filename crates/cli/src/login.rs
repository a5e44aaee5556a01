//! `wxbot login`: log accounts in, through the running wxbot or on the store alone.

use std::io::IsTerminal;
use std::path::Path;

use serde_json::Value;
use wxbot_runtime::config::{AccountConfig, MediaSettings, Registry};
use wxbot_runtime::runtime::Patience;

use crate::args::{Args, LoginOptions};
use crate::control::{self, Request};
use crate::place::{Place, data_dir, read_config};
use crate::qr::{self, QrPlace};
use crate::report::{Failure, print, say};
use crate::server::Around;

pub(crate) fn run(registry: &Registry, args: &Args, options: &LoginOptions) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let wanted: Vec<AccountConfig> = config
        .accounts
        .iter()
        .filter(|a| {
            a.enabled
                && !matches!(a.protocol.as_str(), "console" | "pc-hook" | "wecom")
                && (options.all || options.accounts.iter().any(|n| *n == a.name.as_str()))
        })
        .cloned()
        .collect();
    for name in &options.accounts {
        if !config.accounts.iter().any(|a| a.name.as_str() == name) {
            let known: Vec<&str> = config.accounts.iter().map(|a| a.name.as_str()).collect();
            return Err(Failure::new(format!(
                "no account `{name}` in {}; there are: {}",
                args.config.display(),
                known.join(", ")
            )));
        }
    }
    if wanted.is_empty() {
        return Err(Failure::new("none of these accounts can be logged in: they are disabled, or need no login"));
    }
    let dir = data_dir(&config, args);
    let names: Vec<String> = wanted.iter().map(|a| a.name.to_string()).collect();
    if std::io::stderr().is_terminal() && !options.json {
        // The service may take its time, or not answer at all; nobody should look at an empty screen meanwhile.
        say(&format!("asking for a login code: {}", names.join(", ")));
    }
    let place = options.qr_file.as_deref().map(QrPlace::new).transpose()?;
    let mut shown = Shown { options, place, online: 0, failed: 0 };
    match control::ask_patiently(&dir, &Request::Login { accounts: names })? {
        Some(lines) => lines.for_each(|line| shown.take(&line)),
        None => alone(wanted.clone(), config.media, &dir, &mut shown)?,
    }
    if shown.online == wanted.len() { Ok(()) } else { Err(Failure::Silent) }
}

/// No wxbot runs: log in here, save the session, and leave the rest to `wxbot run`.
fn alone(wanted: Vec<AccountConfig>, media: MediaSettings, dir: &Path, shown: &mut Shown<'_>) -> Result<(), Failure> {
    crate::run::tokio_runtime()?.block_on(async {
        let place = Place::open(dir)?;
        // Nothing is handled or sent by this command: what waits, and what comes meanwhile, waits for `wxbot run`.
        let mut built = crate::run::build(wanted, &place, media, false, Around::of(Path::new(""), dir)).await?;
        built.attend(false);
        let (tell, mut told) = tokio::sync::mpsc::channel(256);
        let mut logins = tokio::task::JoinSet::new();
        for account in built.runtime.accounts().iter() {
            let (account, tell) = (account.clone(), tell.clone());
            logins.spawn(async move { control::follow_login(&account, &tell).await });
        }
        drop(tell);
        while let Some(line) = told.recv().await {
            shown.take(&line);
        }
        built.stop(Patience::TERMINAL).await;
        Ok(())
    })
}

struct Shown<'a> {
    options: &'a LoginOptions,
    /// The file of `--qr-file`.
    place: Option<QrPlace>,
    online: usize,
    failed: usize,
}

impl Shown<'_> {
    fn take(&mut self, line: &Value) {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("event") {
            "online" => self.online += 1,
            "failed" => self.failed += 1,
            _ => {}
        }
        if let Some(place) = &self.place {
            let done = if text("event") == "qr" { place.show(text("url")) } else { place.clear() };
            if let Err(failure) = done {
                failure.show();
            }
        }
        if self.options.json {
            print(&line.to_string());
            return;
        }
        let account = text("account");
        match text("event") {
            "qr" => show_qr(account, text("url"), text("image_url")),
            "pushed" => say(&format!("{account}: confirm the login on the phone")),
            "scanned" => say(&format!("{account}: scanned; confirm on the phone")),
            "online" => say(&format!("{account}: logged in")),
            "failed" => say(&format!("{account}: not logged in: {}", text("why"))),
            _ => say(text("error")),
        }
    }
}

/// A code for people: the picture on a terminal, the addresses always.
pub(crate) fn show_qr(account: &str, payload: &str, image_url: &str) {
    say(&format!("{account}: scan this with WeChat on the phone (valid for about 5 min)"));
    if std::io::stderr().is_terminal()
        && let Ok(picture) = qr::for_terminal(payload)
    {
        say(&picture);
    }
    say(&format!("  as text:    {payload}\n  as picture: {image_url}"));
}
