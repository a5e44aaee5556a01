//! `wxbot send`: one message to one recipient, through the outbox and at its pace.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use wxbot_model::span::parse_duration;
use wxbot_model::{ContactId, FileType, MediaShape};
use wxbot_runtime::config::Registry;
use wxbot_runtime::errand::{Errand, Stored, What};
use wxbot_runtime::store::{SendRow, SendState};

use crate::args::Args;
use crate::mend::args::SendOptions;
use crate::mend::{Counter, From, MendAsk};
use crate::outbox::state_word;
use crate::report::{Failure, OrExit, print, say};

/// Nobody knows whether it arrived.
const UNKNOWN: u8 = 3;
/// It is not settled yet.
const OPEN: u8 = 4;

pub(crate) fn run(registry: &Registry, args: &Args, options: &SendOptions) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    let account = counter.account(&options.account)?;
    let what = match (&options.text, &options.file) {
        (_, Some(path)) => file(path)?,
        (text, None) => What::Text { text: text.clone().unwrap_or_default(), mention: mentions(&options.mention)? },
    };
    let timeout = parse_duration(&options.timeout).or_exit("--timeout")?;
    let wait_ms = options.wait.then(|| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    let errand = Errand { to: options.to.clone(), what };
    let (mut stored, mut settled) = (Value::Null, Value::Null);
    let lang = counter.lang;
    let from = counter.ask(MendAsk::Errand { account, errand, wait_ms }, |line| {
        if let Some(told) = line.get("stored") {
            stored = told.clone();
            if !options.json
                && let Ok(Stored { id, to, name }) = serde_json::from_value(stored.clone())
            {
                let name: String = name.chars().filter(|c| !c.is_control()).collect();
                print(&format!("{id} {} {to} {name}", lang.pick("to", "发给")));
            }
        }
        if let Some(told) = line.get("settled") {
            settled = told.clone();
        }
    })?;
    if from == From::Nowhere || stored.is_null() {
        return Err(Failure::new(lang.pick(
            "wxbot has not run here yet, so nobody is known to send to",
            "wxbot 尚未在此运行过,没有可用的联系人",
        )));
    }
    if options.json {
        print(&json!({ "stored": stored, "running": from == From::Running, "settled": settled }).to_string());
    }
    if from == From::Store {
        say(lang.pick(
            "no wxbot runs here: it is queued, and goes out when wxbot runs again before it is too old (`pacing.max_age`)",
            "没有正在运行的 wxbot:已排队,下次运行且未过期 (`pacing.max_age`) 时发送",
        ));
    }
    if !options.wait {
        return Ok(());
    }
    outcome(&counter, settled)
}

fn outcome(counter: &Counter<'_>, settled: Value) -> Result<(), Failure> {
    let lang = counter.lang;
    let Ok(Some(row)) = serde_json::from_value::<Option<SendRow>>(settled) else {
        say(lang.pick("not settled", "尚无结果"));
        return Err(Failure::Exit(OPEN));
    };
    let why = row.error.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    say(&format!("{}{why}", state_word(row.state, lang)));
    match row.state {
        SendState::Sent => Ok(()),
        SendState::Failed | SendState::Expired | SendState::Dropped => Err(Failure::Silent),
        SendState::Uncertain | SendState::Held => Err(Failure::Exit(UNKNOWN)),
        SendState::Queued | SendState::Sending => Err(Failure::Exit(OPEN)),
    }
}

pub(crate) fn mentions(ids: &[String]) -> Result<Vec<ContactId>, Failure> {
    ids.iter().map(|id| id.parse().map_err(|error| Failure::new(format!("--mention {id}: {error}")))).collect()
}

/// How a file is shown follows from its first bytes, as everywhere.
fn file(path: &Path) -> Result<What, Failure> {
    let what = format!("cannot read {}", path.display());
    let mut head = Vec::new();
    let file = File::open(path).or_exit(&what)?;
    file.take(FileType::HEAD as u64).read_to_end(&mut head).or_exit(&what)?;
    let of = FileType::of(&head);
    let shape = if [FileType::Png, FileType::Jpeg, FileType::Bmp, FileType::Gif].contains(&of) {
        MediaShape::Image
    } else if of == FileType::Mp4 {
        MediaShape::Video
    } else {
        MediaShape::File
    };
    let path = std::path::absolute(path).or_exit(&what)?;
    Ok(What::File { path, shape })
}
