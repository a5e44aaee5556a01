//! How do the digits that a phone shows during a login come from whoever reads them to the login that waits?
//!
//! They are read line by line from standard input, a terminal's or a program's, or given by `wxbot login NAME --code`. They
//! are good once and for moments; nothing of them is kept or logged.

use std::collections::VecDeque;
use std::io::{BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use wxbot_model::Secret;
use wxbot_runtime::account::Account;
use wxbot_runtime::roster::Roster;

use crate::control::{self, Request};
use crate::report::{Failure, print, say};
use crate::words::Lang;

/// No phone shows more in a line; the rest is asked about anew.
const LINE: u64 = 256;

/// Gives digits to the login of an account.
pub(crate) type Give = Arc<dyn Fn(&str, &str) -> Result<(), String> + Send + Sync>;

/// Gives them to the wxbot that runs in this data directory.
pub(crate) fn to_running(dir: &Path) -> Give {
    let dir: PathBuf = dir.to_owned();
    Arc::new(move |account, digits| {
        let request = Request::Code { account: account.to_owned(), digits: Secret::new(digits.to_owned()) };
        let answer = match control::ask(&dir, &request) {
            Ok(Some(mut lines)) => lines.next(),
            Ok(None) => return Err("no wxbot runs here".to_owned()),
            Err(failure) => return Err(failure.to_string()),
        };
        match answer.as_ref().map(|line| line.get("error").and_then(Value::as_str)) {
            Some(None) => Ok(()),
            Some(Some(error)) => Err(error.to_owned()),
            None => Err("the running wxbot did not answer".to_owned()),
        }
    })
}

/// Gives them to accounts of this process.
pub(crate) fn to_own(accounts: Roster) -> Give {
    Arc::new(move |name, digits| give(&accounts, name, digits))
}

/// What a running wxbot does with digits; one line for whoever gave them.
pub(crate) fn answer(accounts: &Roster, name: &str, digits: &str) -> Value {
    match give(accounts, name, digits) {
        Ok(()) => json!({ "given": true }),
        Err(error) => json!({ "error": error }),
    }
}

fn give(accounts: &Roster, name: &str, digits: &str) -> Result<(), String> {
    let all = accounts.now();
    let account: Option<&Arc<Account>> = all.iter().find(|account| account.name.as_str() == name);
    let account = account.ok_or_else(|| format!("this wxbot runs no account `{name}`"))?;
    account.give_code(digits).map_err(|error| error.to_string())
}

/// `wxbot login NAME --code DIGITS`: for a login that waits in the running wxbot.
pub(crate) fn give_once(dir: &Path, account: &str, digits: &str, as_json: bool) -> Result<(), Failure> {
    let lang = Lang::of_environment();
    to_running(dir)(account, digits).map_err(|error| Failure::new(format!("{account}: {error}")))?;
    if as_json {
        print(&json!({ "account": account, "event": "code_given" }).to_string());
    } else {
        say(&format!("{account}: {}", lang.pick("the login has the digits", "数字已交给登录流程")));
    }
    Ok(())
}

/// Who waits for digits, the first one first.
#[derive(Default)]
struct Wanted {
    accounts: Mutex<VecDeque<String>>,
    more: Condvar,
}

impl Wanted {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until somebody does.
    fn wait(&self) {
        let some = self.more.wait_while(self.lock(), |accounts| accounts.is_empty());
        drop(some.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Asks for digits, and has a thread read them. It is begun when the first ones are asked for: before that nobody's standard
/// input is touched.
pub(crate) struct Typist {
    wanted: Arc<Wanted>,
    give: Give,
    reads: bool,
    lang: Lang,
    /// Whether people read what is asked.
    asks: bool,
}

impl Typist {
    pub(crate) fn new(give: Give, lang: Lang, asks: bool) -> Self {
        Self { wanted: Arc::default(), give, reads: false, lang, asks }
    }

    /// The phone of this account shows digits.
    pub(crate) fn ask(&mut self, account: &str, wrong: bool) {
        if self.asks {
            let text = if wrong {
                self.lang.pick(
                    "these digits were wrong; type those that the phone shows and press Enter",
                    "数字不对,请重新输入手机上显示的数字并按回车",
                )
            } else {
                self.lang.pick(
                    "the phone shows digits; type them here and press Enter",
                    "手机上显示了一串数字,请在此输入并按回车",
                )
            };
            say(&format!("{account}: {text}"));
        }
        let mut accounts = self.wanted.lock();
        if !accounts.iter().any(|name| name == account) {
            accounts.push_back(account.to_owned());
        }
        drop(accounts);
        self.wanted.more.notify_all();
        if !std::mem::replace(&mut self.reads, true) {
            let (wanted, give, lang) = (Arc::clone(&self.wanted), Arc::clone(&self.give), self.lang);
            let reading = move || read(&wanted, &give, lang);
            if let Err(error) = std::thread::Builder::new().name("digits".into()).spawn(reading) {
                say(&format!("cannot start a thread: {error}"));
            }
        }
    }

    /// Its login asks for none any more.
    pub(crate) fn done(&self, account: &str) {
        self.wanted.lock().retain(|name| name != account);
    }
}

/// Hands lines to whoever waits longest. The thread ends with standard input, or with the process.
fn read(wanted: &Wanted, give: &Give, lang: Lang) {
    loop {
        // Not a line is taken before somebody wants it: what a program wrote ahead is there for the next question.
        wanted.wait();
        let mut line = String::new();
        match std::io::stdin().lock().take(LINE).read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let Some(account) = wanted.lock().pop_front() else { continue };
        let digits = line.trim();
        if let Err(error) = if digits.is_empty() { Ok(()) } else { give(&account, digits) } {
            say(&format!("{account}: {error}"));
        } else if !digits.is_empty() {
            continue;
        }
        wanted.lock().push_front(account);
    }
    for account in wanted.lock().iter() {
        say(&format!("{account}: {}", nobody_types(account, lang)));
    }
}

/// What helps where nothing can be typed.
fn nobody_types(account: &str, lang: Lang) -> String {
    let (en, zh) = if std::io::stdin().is_terminal() {
        ("standard input has ended", "标准输入已结束")
    } else {
        ("this is no terminal, so nobody can type the digits here", "当前不是终端,无法输入数字")
    };
    match lang {
        Lang::En => format!(
            "{en}; while `wxbot run` runs, give them from another shell: `wxbot login {account} --code DIGITS`; or log in \
             at a terminal"
        ),
        Lang::Zh => {
            format!("{zh};`wxbot run` 运行时可在另一个终端执行 `wxbot login {account} --code 数字`,或在终端里登录")
        }
    }
}
