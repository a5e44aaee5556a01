//! `wxbot dead`: events that were given up. List them, look at one, let them be handled again, or end them.

use serde_json::{Value, json};
use wxbot_runtime::clock;
use wxbot_runtime::config::Registry;
use wxbot_runtime::store::{DeadEvent, DeadFilter};

use crate::accounts::ago;
use crate::args::Args;
use crate::control::now_ms;
use crate::mend::args::{DeadCommand, DeadFilterOptions, DeadOptions};
use crate::mend::{Counter, MendAsk, Which, any_account, shown, unknown};
use crate::report::{Failure, OrExit, print, say};
use crate::words::Lang;

pub(crate) fn run(registry: &Registry, args: &Args, command: &DeadCommand, as_json: bool) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    match command {
        DeadCommand::List(options) => list(&counter, filter(options)?, as_json),
        DeadCommand::Show { id } => show(&counter, *id, as_json),
        DeadCommand::Replay(options) => end(&counter, options, None, as_json),
        DeadCommand::Drop(options) => {
            end(&counter, options, Some(format!("wxbot dead drop: dropped by {}", who())), as_json)
        }
    }
}

/// Who does this, for the reason that is kept.
pub(crate) fn who() -> String {
    let name = |key: &str| std::env::var(key).ok().filter(|name| !name.is_empty());
    let name = name("USER").or_else(|| name("LOGNAME"));
    let name = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn filter(options: &DeadFilterOptions) -> Result<DeadFilter, Failure> {
    let since = options.since.as_deref().map(|text| clock::moment_or_ago(text, None, now_ms()));
    let since_ms = since.transpose().map_err(|error| Failure::new(format!("--since: {error}")))?;
    let account = any_account(options.account.as_deref())?;
    Ok(DeadFilter { account, plugin: options.plugin.clone(), since_ms: since_ms.unwrap_or(i64::MIN) })
}

fn list(counter: &Counter<'_>, filter: DeadFilter, as_json: bool) -> Result<(), Failure> {
    let lines = counter.lines(MendAsk::Dead { filter })?;
    if as_json {
        print(&Value::Array(lines).to_string());
        return Ok(());
    }
    let lang = counter.lang;
    for line in &lines {
        let event: DeadEvent = serde_json::from_value(line.clone()).or_exit("cannot read the list")?;
        print(&in_a_line(&event, lang));
    }
    if lines.is_empty() {
        say(lang.pick("no event was given up", "没有被放弃的事件"));
    } else {
        say(lang.pick(
            "next: `wxbot dead show ID`, then `dead replay ID` or `dead drop ID`",
            "下一步:`wxbot dead show ID`,然后 `dead replay ID` 或 `dead drop ID`",
        ));
    }
    Ok(())
}

fn in_a_line(event: &DeadEvent, lang: Lang) -> String {
    let tries = lang.pick("tries", "尝试");
    let came = ago(event.recv_ms / 1_000);
    let DeadEvent { seq, account, conv, kind, attempts, reason, .. } = event;
    format!("{seq:<8} {account}  {conv:<6} {kind:<8} {came:<6} {tries} {attempts}: {}", shown(reason))
}

fn show(counter: &Counter<'_>, id: u64, as_json: bool) -> Result<(), Failure> {
    let line = counter.line(MendAsk::DeadBody { seq: id })?;
    let lang = counter.lang;
    let Some(event) = line.get("dead").filter(|event| !event.is_null()) else {
        return unknown(lang, NOT_DEAD.0, NOT_DEAD.1, &[json!(id)]);
    };
    let body = line.get("body").and_then(Value::as_str).unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_unreadable| json!(body));
    if as_json {
        print(&json!({ "dead": event, "event": body }).to_string());
        return Ok(());
    }
    let event: DeadEvent = serde_json::from_value(event.clone()).or_exit("cannot read the event")?;
    print(&in_a_line(&event, lang));
    let plugin = event.plugin.as_deref().unwrap_or("-");
    let done = if event.done.is_empty() { "-".to_owned() } else { event.done.join(", ") };
    let at = clock::shown(event.recv_ms, None);
    let words = [
        (lang.pick("came", "到达"), at),
        (lang.pick("key", "键"), event.key.to_string()),
        (lang.pick("plugin", "插件"), plugin.to_owned()),
        (lang.pick("done before", "已完成"), done),
        (lang.pick("reason", "原因"), plain(&event.reason)),
    ];
    for (word, value) in words {
        print(&format!("{word}: {value}"));
    }
    // The event itself, message text and all: whoever asks for this one wants to read it.
    print(&plain(&serde_json::to_string_pretty(&body).unwrap_or_default()));
    Ok(())
}

/// Text of anybody, whole, in lines, without what could move the cursor of a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

const NOT_DEAD: (&str, &str) = ("no dead event has this number", "没有此编号的已放弃事件");

fn end(counter: &Counter<'_>, options: &DeadOptions, why: Option<String>, as_json: bool) -> Result<(), Failure> {
    let narrowed =
        options.filter.account.is_some() || options.filter.plugin.is_some() || options.filter.since.is_some();
    if narrowed && !options.all {
        return Err(Failure::new("--account, --plugin and --since go with --all"));
    }
    let again = why.is_none();
    let which = if options.all { Which::All(filter(&options.filter)?) } else { Which::These(options.ids.clone()) };
    let line = counter.line(MendAsk::EndDead { which, why })?;
    let lang = counter.lang;
    let not_there = line.get("unknown").and_then(Value::as_array).cloned().unwrap_or_default();
    let count = line.get("count").and_then(Value::as_u64).unwrap_or(0);
    if as_json {
        print(&line.to_string());
    } else if again {
        print(&format!("{} {count}", lang.pick("handled again:", "重新处理:")));
    } else {
        print(&format!("{} {count}", lang.pick("dropped:", "已丢弃:")));
    }
    unknown(lang, NOT_DEAD.0, NOT_DEAD.1, &not_there)
}
