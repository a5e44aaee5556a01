//! `wxbot schedule`: a text to one recipient at a time, once or by a cron expression; it goes through the outbox.

use serde_json::Value;
use wxbot_model::Action;
use wxbot_runtime::clock::{self, Missed};
use wxbot_runtime::config::Registry;
use wxbot_runtime::errand::{Errand, What};
use wxbot_runtime::planned::first_due;
use wxbot_runtime::store::Planned;

use crate::args::Args;
use crate::control::now_ms;
use crate::mend::args::{MissedWord, ScheduleCommand, ScheduleOptions};
use crate::mend::{Counter, MendAsk, any_account, shown, unknown};
use crate::report::{Failure, OrExit, print, say};
use crate::send::mentions;
use crate::words::Lang;

/// What is shown of a text.
const SHOWN: usize = 40;

pub(crate) fn run(registry: &Registry, args: &Args, command: &ScheduleCommand, as_json: bool) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    match command {
        ScheduleCommand::List { account } => list(&counter, account.as_deref(), as_json),
        ScheduleCommand::Add(options) => add(&counter, options, as_json),
        ScheduleCommand::Remove { ids } => remove(&counter, ids, as_json),
    }
}

fn add(counter: &Counter<'_>, options: &ScheduleOptions, as_json: bool) -> Result<(), Failure> {
    let account = counter.account(&options.account)?;
    let (now, tz) = (now_ms(), options.tz.as_deref());
    let due_ms = match (&options.at, &options.cron) {
        (Some(at), _) => clock::moment(at, tz).map_err(|error| Failure::new(format!("--at: {error}")))?,
        (None, cron) => first_due(cron.as_deref().unwrap_or_default(), tz, now)
            .map_err(|error| Failure::new(format!("--cron: {error}")))?,
    };
    if due_ms <= now {
        return Err(Failure::new(format!("--at: {} is over", clock::shown(due_ms, tz))));
    }
    let what = What::Text { text: options.text.clone(), mention: mentions(&options.mention)? };
    let errand = Errand { to: options.to.clone(), what };
    let missed = match options.missed {
        MissedWord::Skip => Missed::Skip,
        MissedWord::Once => Missed::Once,
    };
    let (cron, zone) = (options.cron.clone(), options.tz.clone());
    let line = counter.line(MendAsk::Plan { account, errand, cron, tz: zone, missed, due_ms })?;
    if as_json {
        print(&line.to_string());
        return Ok(());
    }
    let id = line.get("id").and_then(Value::as_u64).unwrap_or(0);
    let text = |key: &str| line.get(key).and_then(Value::as_str).map(shown).unwrap_or_default();
    let lang = counter.lang;
    let (to, name) = (text("to"), text("name"));
    print(&format!(
        "{id} {} {to} {name}, {} {}",
        lang.pick("to", "发给"),
        lang.pick("due", "时间"),
        clock::shown(due_ms, tz)
    ));
    Ok(())
}

fn list(counter: &Counter<'_>, account: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let lines = counter.lines(MendAsk::Planned { account: any_account(account)? })?;
    if as_json {
        print(&Value::Array(lines).to_string());
        return Ok(());
    }
    for line in &lines {
        let planned: Planned = serde_json::from_value(line.clone()).or_exit("cannot read the list")?;
        print(&in_a_line(&planned, counter.lang));
    }
    if lines.is_empty() {
        say(counter.lang.pick("nothing is planned", "没有计划的消息"));
    }
    Ok(())
}

fn in_a_line(planned: &Planned, lang: Lang) -> String {
    let Planned { id, account, conv, cron, tz, due_ms, .. } = planned;
    let text = match serde_json::from_str(&planned.body) {
        Ok(Action::SendText { text, .. }) => text,
        Ok(_) | Err(_) => String::new(),
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let missed = match planned.missed {
        Missed::Skip => lang.pick("skip when missed", "错过则跳过"),
        Missed::Once | Missed::All => lang.pick("once when missed", "错过则补发一次"),
    };
    let cron = cron.as_deref().map(|cron| format!(" [{cron}]")).unwrap_or_default();
    let zone = tz.as_deref().map(|tz| format!(" {tz}")).unwrap_or_default();
    format!("{id:<6} {account}  {conv:<6} {}{zone}{cron} ({missed}): {text}", clock::shown(*due_ms, tz.as_deref()))
}

fn remove(counter: &Counter<'_>, ids: &[u64], as_json: bool) -> Result<(), Failure> {
    let line = counter.line(MendAsk::Unplan { ids: ids.to_vec() })?;
    let list = |key: &str| line.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    if as_json {
        print(&line.to_string());
    } else {
        for id in list("removed") {
            print(&format!("{id} {}", counter.lang.pick("is taken back", "已取消")));
        }
    }
    unknown(counter.lang, "no planned message has this number", "没有此编号的计划消息", &list("unknown"))
}
