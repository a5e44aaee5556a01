//! `wxbot explain`: why an event was answered, or why not. The running wxbot knows each step, the store how it ended.

use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wxbot_model::AccountName;
use wxbot_runtime::config::{Config, Registry};
use wxbot_runtime::explain::{self, Explanation};

use crate::args::{Args, ExplainOptions};
use crate::control::{self, Request, Served, now_ms};
use crate::place::{Place, data_dir, read_config};
use crate::report::{Failure, OrExit, print, say};
use crate::words::Lang;

pub(crate) fn run(registry: &Registry, args: &Args, options: &ExplainOptions) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let (accounts, lang, dir) = (asked(&config, options)?, Lang::of_environment(), data_dir(&config, args));
    let names = accounts.iter().map(ToString::to_string).collect();
    let request = Request::Explain { accounts: names, event: options.event.clone(), lang };
    let answer = match control::ask_patiently(&dir, &request)? {
        Some(mut lines) => lines.next().unwrap_or_else(|| json!({ "error": "wxbot ended before it answered" })),
        None if dir.exists() => from_store(&dir, &accounts, &options.event, lang)?,
        None => not_there(lang),
    };
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return Err(Failure::new(error));
    }
    if options.json {
        print(&answer.get("explanation").unwrap_or(&Value::Null).to_string());
        return Ok(());
    }
    let lines = answer.get("lines").and_then(Value::as_array);
    // Reasons may quote what a service or a plugin said: what could move the cursor of a terminal is left out.
    let shown = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
    lines.into_iter().flatten().filter_map(Value::as_str).for_each(|line| print(&shown(line)));
    Ok(())
}

fn asked(config: &Config, options: &ExplainOptions) -> Result<Vec<AccountName>, Failure> {
    let all = || config.accounts.iter().map(|account| account.name.clone());
    let Some(wanted) = &options.account else { return Ok(all().collect()) };
    match all().find(|name| name.as_str() == wanted) {
        Some(name) => Ok(vec![name]),
        None => {
            let names: Vec<String> = all().map(|name| name.to_string()).collect();
            Err(Failure::new(format!("no account `{wanted}`; there are: {}", names.join(", "))))
        }
    }
}

fn from_store(dir: &Path, accounts: &[AccountName], event: &str, lang: Lang) -> Result<Value, Failure> {
    say(lang.pick(
        "no wxbot runs here: how it ended is known, the steps are not",
        "没有正在运行的 wxbot:只知道结果,不知道步骤",
    ));
    crate::run::tokio_runtime()?.block_on(async {
        let place = Place::open(dir)?;
        let found = explain::find(&*place.store, accounts, event).await.or_exit("cannot look the event up")?;
        place.store.close().await.ok();
        Ok(found.map_or_else(|| not_there(lang), |story| told(&Explanation { story, trace: None }, lang)))
    })
}

/// What the socket answers.
pub(crate) async fn answer(served: &Served, names: &[String], event: &str, lang: Lang, tell: &mpsc::Sender<Value>) {
    let running = served.accounts.now();
    let accounts: Vec<AccountName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let said = match explain::find(&*served.store, &accounts, event).await {
        Ok(Some(story)) => {
            let account = running.iter().find(|account| account.name == story.account);
            let trace = account.and_then(|account| account.trace(story.seq));
            told(&Explanation { story, trace }, lang)
        }
        Ok(None) => not_there(lang),
        Err(error) => json!({ "error": error.to_string() }),
    };
    tell.send(said).await.ok();
}

fn told(explanation: &Explanation, lang: Lang) -> Value {
    let lines = explain::lines(explanation, lang.into(), now_ms());
    json!({ "lines": lines, "explanation": explanation })
}

fn not_there(lang: Lang) -> Value {
    json!({ "error": lang.pick(
        "no such event: give its number as logs show it (`seq`), or the id of the message; old ones are deleted",
        "没有这个事件:请给出日志中的编号 (`seq`) 或消息 id;过旧的已被删除",
    ) })
}
