//! `wxbot login`: log accounts in, through the running wxbot or on the store alone.

use std::io::IsTerminal;
use std::path::Path;

use serde_json::Value;
use wxbot_runtime::config::{AccountConfig, MediaSettings, Registry};
use wxbot_runtime::runtime::Patience;

use crate::args::{Args, LoginOptions};
use crate::control::{self, Request};
use crate::digits::{self, Typist};
use crate::place::{Place, data_dir, read_config};
use crate::qr::{self, QrPlace};
use crate::report::{Failure, print, say};
use crate::server::Around;
use crate::words::Lang;

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
    if let (Some(digits), [one]) = (&options.code, wanted.as_slice()) {
        return digits::give_once(&dir, one.name.as_str(), digits, options.json);
    } else if options.code.is_some() {
        return Err(Failure::new("`--code` is for the login of one account"));
    }
    let lang = Lang::of_environment();
    let names: Vec<String> = wanted.iter().map(|a| a.name.to_string()).collect();
    if std::io::stderr().is_terminal() && !options.json {
        // The service may take its time, or not answer at all; nobody should look at an empty screen meanwhile.
        say(&format!("{}: {}", lang.pick("asking for a login code", "正在获取登录二维码"), names.join(", ")));
    }
    let place = options.qr_file.as_deref().map(QrPlace::new).transpose()?;
    let typist = Typist::new(digits::to_running(&dir), lang, !options.json);
    let mut shown = Shown { options, place, lang, typist, online: 0, failed: 0 };
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
        shown.typist = Typist::new(digits::to_own(built.runtime.roster()), shown.lang, !shown.options.json);
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
    lang: Lang,
    /// Who takes the digits of phones.
    typist: Typist,
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
        }
        let (account, lang) = (text("account"), self.lang);
        if text("event") == "code" {
            // Asked for in JSON too: a program writes them to standard input, or has a person call `--code`.
            return self.typist.ask(account, line.get("wrong").and_then(Value::as_bool).unwrap_or(false));
        }
        self.typist.done(account);
        if self.options.json {
            return;
        }
        match text("event") {
            "qr" => show_qr(line, lang),
            "pushed" => {
                say(&format!("{account}: {}", lang.pick("confirm the login on the phone", "请在手机上确认登录")))
            }
            "scanned" => {
                say(&format!("{account}: {}", lang.pick("scanned; confirm on the phone", "已扫码,请在手机上确认")));
            }
            "online" => {
                say(&format!("{account}: {}", lang.pick("logged in", "登录成功")));
                if text("protocol") == "ilink" {
                    say(lang.pick(
                        "  now write to the bot in WeChat: it answers, and cannot begin a conversation",
                        "  现在请在微信里给机器人发一条消息:它只能回复,不能先开口",
                    ));
                }
            }
            "failed" => say(&format!("{account}: {}: {}", lang.pick("not logged in", "未能登录"), text("why"))),
            _ => say(text("error")),
        }
    }
}

/// A code for people: the picture on a terminal, the addresses always.
pub(crate) fn show_qr(line: &Value, lang: Lang) {
    let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
    let (account, payload, image_url) = (text("account"), text("url"), text("image_url"));
    let ilink = text("protocol") == "ilink";
    if line.get("number").and_then(Value::as_u64) > Some(1) {
        say(&format!(
            "{account}: {}",
            lang.pick("the code before is over; this is a new one", "上一个二维码已失效,这是新的")
        ));
    }
    let valid = if ilink { lang.pick("about 2 min", "约 2 分钟") } else { lang.pick("about 5 min", "约 5 分钟") };
    match lang {
        Lang::En => say(&format!("{account}: scan this with WeChat on the phone (valid for {valid})")),
        Lang::Zh => say(&format!("{account}: 请用手机微信扫描({valid}内有效)")),
    }
    if std::io::stderr().is_terminal()
        && let Ok(picture) = qr::for_terminal(payload)
    {
        say(&picture);
    }
    say(&format!("  {}{payload}", lang.pick("as text:    ", "文本:")));
    // iLink's link is a page that asks for WeChat, and no picture of the code.
    if !ilink && !image_url.is_empty() {
        say(&format!("  {}{image_url}", lang.pick("as picture: ", "图片:")));
    }
}
