//! `wxbot replay`: events that are done are handled once more, for one plugin; what it answers is only sent when asked.

use serde_json::Value;
use wxbot_model::AccountName;
use wxbot_runtime::clock;
use wxbot_runtime::config::Registry;
use wxbot_runtime::store::ReplayAsk;

use crate::args::Args;
use crate::control::now_ms;
use crate::mend::args::ReplayOptions;
use crate::mend::{Counter, From, MendAsk};
use crate::report::{Failure, print, say};

pub(crate) fn run(registry: &Registry, args: &Args, options: &ReplayOptions) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    let moment = |flag: &str, text: &str| {
        clock::moment_or_ago(text, None, now_ms()).map_err(|error| Failure::new(format!("{flag}: {error}")))
    };
    let (from_ms, to_ms) = (moment("--from", &options.from)?, moment("--to", &options.to)?);
    if from_ms >= to_ms {
        return Err(Failure::new("--from is not before --to"));
    }
    let ask = ReplayAsk {
        accounts: accounts(&counter, options)?,
        plugin: options.plugin.clone(),
        from_ms,
        to_ms,
        send: options.send,
        dry: options.dry_run,
    };
    let mut last = Value::Null;
    let lang = counter.lang;
    let number = |line: &Value, key: &str| line.get(key).and_then(Value::as_u64).unwrap_or(0);
    let from = counter.ask(MendAsk::Replay(ask), |line| {
        if line.get("done").is_none() {
            say(&format!("{} {}/{}", lang.pick("taken up", "已取出"), number(&line, "made"), number(&line, "of")));
        }
        last = line;
    })?;
    if from == From::Nowhere {
        return Err(Failure::new(lang.pick("wxbot has not run here yet", "wxbot 尚未在此运行过")));
    }
    if last.get("done").is_none() {
        return Err(Failure::new("wxbot ended before it answered; what was taken up is handled, the rest is not"));
    }
    if options.json {
        print(&last.to_string());
        return Ok(());
    }
    let events = number(&last, "events");
    let plugin = &options.plugin;
    if options.dry_run {
        print(&format!("{} {events}", lang.pick("would be handled again:", "将重新处理:")));
        return Ok(());
    }
    print(&format!("{} {events} ({plugin})", lang.pick("handled again:", "重新处理:")));
    let kept = lang.pick(
        "nothing is sent: `wxbot outbox list --state dropped` shows what would have been; what the plugin remembers does change",
        "不会发送:`wxbot outbox list --state dropped` 显示本应发送的内容;插件的存储会改变",
    );
    if events > 0 && !options.send {
        say(kept);
    }
    if events > 0 && from == From::Store {
        say(lang.pick("no wxbot runs here: they are handled when it runs again", "没有正在运行的 wxbot:下次运行时处理"));
    }
    Ok(())
}

/// The accounts that use the plugin, or the one that was named.
fn accounts(counter: &Counter<'_>, options: &ReplayOptions) -> Result<Vec<AccountName>, Failure> {
    let named = options.account.as_deref().map(|name| counter.account(name)).transpose()?;
    let accounts = || counter.config.accounts.iter().filter(|one| named.as_ref().is_none_or(|name| one.name == *name));
    let users = accounts().filter(|one| one.enabled && one.plugins.iter().any(|used| used.id == options.plugin));
    let users: Vec<AccountName> = users.map(|one| one.name.clone()).collect();
    if users.is_empty() {
        let mut known: Vec<&str> = accounts().flat_map(|one| &one.plugins).map(|used| used.id.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        let no = counter.lang.pick("no account that runs uses plugin", "没有运行的账号使用插件");
        let there = counter.lang.pick("there are:", "已有:");
        return Err(Failure::new(format!("{no} `{}`; {there} {}", options.plugin, known.join(", "))));
    }
    Ok(users)
}
