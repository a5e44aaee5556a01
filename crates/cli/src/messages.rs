//! `wxbot messages`: what the archive remembers. Looked up in the file, whoever writes it; forgotten by whoever does.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wxbot_core::source::Source;
use wxbot_model::{AccountName, ContactId};
use wxbot_runtime::archive::Archiver;
use wxbot_runtime::clock;
use wxbot_runtime::config::{ArchivePolicy, Config, Registry};
use wxbot_runtime::roster::Roster;
use wxbot_runtime::store::archive::{Archive, Found, Search};
use wxbot_runtime::store::sqlite::SqliteArchive;

use crate::args::{Args, ForgetOptions, MessagesCommand, SearchOptions};
use crate::control::{self, Request, now_ms};
use crate::place::{Place, data_dir, read_config};
use crate::report::{Failure, OrExit, print, say};
use crate::words::Lang;

pub(crate) fn run(registry: &Registry, args: &Args, command: &MessagesCommand) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let dir = data_dir(&config, args);
    match command {
        MessagesCommand::Search(options) => search(&config, &dir, options),
        MessagesCommand::Forget(options) => forget(&config, &dir, options),
    }
}

fn account(config: &Config, name: &str) -> Result<AccountName, Failure> {
    match config.accounts.iter().find(|account| account.name.as_str() == name) {
        Some(account) => Ok(account.name.clone()),
        None => {
            let names: Vec<&str> = config.accounts.iter().map(|account| account.name.as_str()).collect();
            Err(Failure::new(format!("no account `{name}`; there are: {}", names.join(", "))))
        }
    }
}

fn contact(id: &str) -> Result<ContactId, Failure> {
    id.parse().map_err(|_ignored| {
        Failure::new(format!("`{id}` is no contact id; `wxbot contacts ACCOUNT NAME` shows them: p12, r3"))
    })
}

fn wanted(config: &Config, options: &SearchOptions) -> Result<Search, Failure> {
    let moment = |text: &Option<String>| {
        text.as_deref().map(|text| clock::moment_or_ago(text, None, now_ms())).transpose().map_err(Failure::new)
    };
    let words = options.words.join(" ");
    if !words.is_empty() && !words.chars().any(char::is_alphanumeric) {
        return Err(Failure::new(format!("`{words}` has no letter, digit or character to look for")));
    }
    Ok(Search {
        words: (!words.is_empty()).then_some(words),
        account: options.account.as_deref().map(|name| account(config, name)).transpose()?,
        conv: options.chat.as_deref().map(contact).transpose()?,
        sender: options.from.as_deref().map(contact).transpose()?,
        from_ms: moment(&options.since)?,
        to_ms: moment(&options.until)?,
        limit: options.limit,
    })
}

fn search(config: &Config, dir: &Path, options: &SearchOptions) -> Result<(), Failure> {
    let search = wanted(config, options)?;
    let lang = Lang::of_environment();
    if config.accounts.iter().all(|account| account.archive == ArchivePolicy::Off) {
        say(lang.pick(
            "hint: nothing is archived now; write `policy = \"full\"` into [archive] of bot.toml to begin",
            "提示:目前没有存档;请在 bot.toml 的 [archive] 中写上 `policy = \"full\"`",
        ));
    }
    let found = crate::run::tokio_runtime()?.block_on(async {
        let Some(archive) = SqliteArchive::look(dir).or_exit("cannot open the archive")? else { return Ok(Vec::new()) };
        archive.search(search).await.or_exit("cannot search the archive")
    })?;
    if found.is_empty() && !options.json {
        say(lang.pick("nothing was found", "没有找到"));
    }
    // The newest ones, in the order in which they were said.
    for found in found.iter().rev() {
        print(&if options.json { as_json(found).to_string() } else { line(found, lang) });
    }
    Ok(())
}

fn as_json(found: &Found) -> Value {
    let record = &found.record;
    json!({
        "id": found.id,
        "account": record.account,
        "chat": record.conv,
        "chat_name": record.said.as_ref().map(|said| &said.chat),
        "sender": record.sender,
        "sender_name": record.said.as_ref().map(|said| &said.name),
        "at_ms": record.at_ms,
        "ours": record.ours,
        "kind": record.kind,
        "text": record.said.as_ref().map(|said| &said.text),
    })
}

/// `2026-01-31 08:00:00  shop  r3 测试群  p12 老王: text`.
fn line(found: &Found, lang: Lang) -> String {
    let record = &found.record;
    let (chat, name, text) =
        record.said.as_ref().map_or(("", "", ""), |said| (said.chat.as_str(), said.name.as_str(), said.text.as_str()));
    let who = match &record.sender {
        _ if record.ours => lang.pick("(us)", "(我们)").to_owned(),
        Some(sender) => format!("{sender} {name}"),
        None => String::new(),
    };
    let text =
        if text.is_empty() || record.kind != "text" { format!("[{}] {text}", record.kind) } else { text.to_owned() };
    let line = format!(
        "{}  {}  {} {chat}  {}: {text}",
        clock::shown(record.at_ms, None),
        record.account,
        record.conv,
        who.trim()
    );
    // What people wrote must not move the cursor of a terminal.
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn forget(config: &Config, dir: &Path, options: &ForgetOptions) -> Result<(), Failure> {
    let (account, contact) = (account(config, &options.account)?, contact(&options.contact)?);
    let request = Request::Forget { account: account.to_string(), contact: contact.to_string() };
    let gone = match control::ask_patiently(dir, &request)? {
        Some(mut lines) => {
            let answer = lines.next().unwrap_or_else(|| json!({ "error": "wxbot ended before it answered" }));
            if let Some(error) = answer.get("error").and_then(Value::as_str) {
                return Err(Failure::new(error));
            }
            answer.get("forgotten").and_then(Value::as_u64).unwrap_or(0)
        }
        None if dir.exists() => u64::try_from(forget_here(config, dir, &account, &contact)?).unwrap_or(u64::MAX),
        None => 0,
    };
    if options.json {
        print(&json!({ "forgotten": gone }).to_string());
        return Ok(());
    }
    let lang = Lang::of_environment();
    print(&match lang {
        Lang::En => format!("{gone} messages of {contact} are deleted; what still waits to be handled or sent is not"),
        Lang::Zh => format!("已删除 {contact} 的 {gone} 条消息;尚待处理或发送的不删除"),
    });
    Ok(())
}

fn forget_here(config: &Config, dir: &Path, account: &AccountName, contact: &ContactId) -> Result<usize, Failure> {
    crate::run::tokio_runtime()?.block_on(async {
        let place = Place::open(dir)?;
        let archive: Arc<dyn Archive> = Arc::new(SqliteArchive::open(&place.dir).or_exit("cannot open the archive")?);
        let store = Arc::clone(&place.store);
        let archiver = Archiver::new(Arc::clone(&archive), store, Roster::default(), Source::system(), config.archive);
        let gone = archiver.forget(account, contact).await.or_exit("cannot delete the messages");
        archive.close().await.ok();
        place.store.close().await.ok();
        gone
    })
}

/// What the socket answers.
pub(crate) async fn answer_forget(archiver: &Archiver, account: &str, contact: &str, tell: &mpsc::Sender<Value>) {
    let asked = account.parse::<AccountName>().ok().zip(contact.parse::<ContactId>().ok());
    let said = match asked {
        Some((account, contact)) => match archiver.forget(&account, &contact).await {
            Ok(gone) => json!({ "forgotten": gone }),
            Err(error) => json!({ "error": error.to_string() }),
        },
        None => json!({ "error": "no such account or contact" }),
    };
    tell.send(said).await.ok();
}

#[cfg(test)]
mod tests {
    use wxbot_runtime::store::archive::{Record, Said};

    use super::*;

    #[test]
    fn what_is_shown_of_a_message() {
        let said =
            |text: &str| Some(Said { chat: "测试群".to_owned(), name: "老王".to_owned(), text: text.to_owned() });
        let found = |kind: &str, ours: bool, said| Found {
            id: 1,
            record: Record {
                account: "shop".parse().unwrap(),
                key: "in:1".to_owned(),
                conv: "r3".parse().unwrap(),
                sender: (!ours).then(|| "p12".parse().unwrap()),
                at_ms: 0,
                ours,
                kind: kind.to_owned(),
                said,
            },
        };
        for (found, want) in [
            (found("text", false, said("a\u{1b}[2Jb\nc")), "shop  r3 测试群  p12 老王: a [2Jb c"),
            (found("file", false, said("x.pdf")), "shop  r3 测试群  p12 老王: [file] x.pdf"),
            (found("text", true, said("ok")), "shop  r3 测试群  (us): ok"),
            (found("image", false, None), "shop  r3   p12: [image] "),
        ] {
            assert_eq!(line(&found, Lang::En).split_once("  ").unwrap().1, want);
        }
    }
}
