//! How are a simulator and a wxbot run as two processes, with their files in one folder?
//!
//! Output goes to files in that folder (`sim.out`, `sim.log`, `wxbot.log`, `login.out`): files need no reader
//! thread, may be polled with a deadline, and are what a person wants to see after a failure.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Client;
use super::wait;

/// Start-up reads a small file and binds a port; a loaded CI machine takes seconds for it.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// The promise of a clean stop is 5 s after Ctrl-C and up to 30 s after SIGTERM (`durability.md` §12).
const STOPS_WITHIN: Duration = Duration::from_secs(35);

/// The name of account `number`, counted from 1.
pub(crate) fn account(number: usize) -> String {
    format!("a{number}")
}

/// The NickName of friend `number` of any account, counted from 1.
pub(crate) fn friend(number: usize) -> String {
    format!("f{number}")
}

/// A world in which each account knows the same number of friends.
pub(crate) fn world_toml(accounts: usize, friends: usize) -> String {
    let list: Vec<_> = (1..=friends).map(|number| format!("{{ nick = \"{}\" }}", friend(number))).collect();
    let mut world = "seed = 1\n".to_owned();
    for number in 1..=accounts {
        let name = account(number);
        let friends = list.join(", ");
        _ = write!(world, "\n[[accounts]]\nname = \"{name}\"\nnick = \"Nick of {name}\"\nfriends = [{friends}]\n");
    }
    world
}

/// A `bot.toml` whose accounts answer each text with the same text, as fast as they can.
pub(crate) fn bot_toml(endpoint: &str, accounts: usize) -> String {
    // Pacing is lifted and no middleware may stop a message: counted is what the machinery does, not its politeness.
    let mut bot = r#"data_dir = "data"
middleware = []

[pacing]
per_account = "1000000/s"
per_chat = "1000000/s"
burst = 10000

[[plugins.auto-reply.rules]]
any = true
reply = "{{ text }}"
"#
    .to_owned();
    for number in 1..=accounts {
        let name = account(number);
        _ = write!(
            bot,
            "\n[[accounts]]\nname = \"{name}\"\nprotocol = \"web\"\nendpoint = \"{endpoint}\"\n\
             use = [\"auto-reply\"]\non_uncertain = \"hold\"\n"
        );
    }
    bot
}

/// A running `wxbot sim`. It ends with this value.
#[derive(Debug)]
pub(crate) struct Sim {
    child: Child,
    base: String,
    api: Client,
}

impl Sim {
    /// Starts `binary sim` with the world in `world`; its output lands in `folder`.
    pub(crate) fn start(binary: &Path, world: &Path, folder: &Path) -> io::Result<Self> {
        Self::start_with(binary, world, folder, &[])
    }

    /// The same with more options. Where the others are that it plays then is told in `sim.log`, soon after.
    pub(crate) fn start_with(binary: &Path, world: &Path, folder: &Path, options: &[&str]) -> io::Result<Self> {
        let out = folder.join("sim.out");
        let mut child = Command::new(binary)
            .args(["sim", "--listen", "127.0.0.1:0", "--world"])
            .arg(world)
            .args(options)
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(folder.join("sim.log"))?)
            .spawn()
            .map_err(|error| about(binary, error))?;
        let base = wait::until("first line of `wxbot sim`", STARTS_WITHIN, || {
            let text = fs::read_to_string(&out)?;
            Ok(text.split_once('\n').map(|(line, _)| line.trim_start_matches("listening on ").trim().to_owned()))
        });
        let sim = base.and_then(|base| Ok((Client::new(&base)?, base)));
        match sim {
            Ok((api, base)) => Ok(Self { child, base, api }),
            Err(error) => {
                end(&mut child);
                let log = fs::read_to_string(folder.join("sim.log")).unwrap_or_default();
                Err(io::Error::new(error.kind(), format!("{error}\n{log}")))
            }
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The control API, for orders that have no method here.
    pub(crate) fn api(&self) -> &Client {
        &self.api
    }

    /// Lets `friend` write `text` to `account`.
    pub(crate) fn deliver(&self, account: &str, friend: &str, text: &str) -> io::Result<()> {
        let body = json!({ "account": account, "from": friend, "text": text });
        self.api.post("/__sim/messages", &body).map(drop)
    }

    /// All that clients sent so far, in the order of arrival.
    pub(crate) fn sends(&self) -> io::Result<Vec<Sent>> {
        let journal = self.api.get("/__sim/journal")?;
        let sends = journal.get("sends").and_then(Value::as_array);
        let sends = sends.ok_or_else(|| io::Error::other("the journal has no list `sends`"))?;
        Ok(sends.iter().map(Sent::read).collect())
    }

    /// Of what happened since then, ms since 1970: what clients sent, and the ids of messages that were handed out.
    pub(crate) fn since(&self, at_ms: u64) -> io::Result<(Vec<Sent>, HashSet<String>)> {
        let journal = self.api.get(&format!("/__sim/journal?since_ms={at_ms}"))?;
        let list = |key| journal.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let handed = list("delivered").iter().filter(|one| one.get("handed").and_then(Value::as_u64) > Some(0));
        let ids = handed.filter_map(|one| one.get("msg_id").and_then(Value::as_str)).map(str::to_owned);
        Ok((list("sends").iter().map(Sent::read).collect(), ids.collect()))
    }

    /// What clients did that the real service refuses, one line each; and what it bears of others but we promise not to
    /// do: an id that names two messages.
    pub(crate) fn hard_violations(&self) -> io::Result<Vec<String>> {
        let all = self.api.get("/__sim/violations")?;
        let all = all.as_array().ok_or_else(|| io::Error::other("the violations are not a list"))?;
        let ids =
            |one: &&Value| one.get("what").and_then(Value::as_str).is_some_and(|what| what.contains("ClientMsgId"));
        let hard = all.iter().filter(|one| one.get("hard").and_then(Value::as_bool) != Some(false) || ids(one));
        Ok(hard.map(Value::to_string).collect())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// One message that a client sent to the simulator.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) account: String,
    /// NickName of the friend.
    pub(crate) to: String,
    pub(crate) content: String,
    /// When the simulator took it, ms since 1970.
    pub(crate) at_ms: u64,
    /// ClientMsgId.
    pub(crate) client_id: String,
}

impl Sent {
    fn read(entry: &Value) -> Self {
        let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let at_ms = entry.get("at_ms").and_then(Value::as_u64).unwrap_or_default();
        let client_id = text("client_msg_id");
        Self { account: text("account"), to: text("to"), content: text("content"), at_ms, client_id }
    }
}

/// A wxbot with its `bot.toml` in one folder; it may be started and ended many times.
#[derive(Debug)]
pub(crate) struct Bot {
    binary: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
}

impl Bot {
    /// Writes `config` as `bot.toml` into `folder`. Nothing runs yet.
    pub(crate) fn new(binary: &Path, folder: &Path, config: &str) -> io::Result<Self> {
        fs::write(folder.join("bot.toml"), config)?;
        Ok(Self { binary: binary.to_owned(), folder: folder.to_owned(), child: None })
    }

    /// Starts `wxbot run` and returns its process id at once.
    pub(crate) fn start(&mut self) -> io::Result<u32> {
        self.spawn(self.command(&["run"]))
    }

    /// As [`start`](Self::start), to end at a fail point of a debug build.
    pub(crate) fn start_until(&mut self, point: &str) -> io::Result<u32> {
        let mut command = self.command(&["run"]);
        command.env("WXBOT_FAIL_AT", point);
        self.spawn(command)
    }

    /// As [`start`](Self::start), as the child of another program: its name and options, before wxbot's own.
    pub(crate) fn start_under(&mut self, program: &Path, options: &[&str]) -> io::Result<u32> {
        let run = self.command(&["run"]);
        let mut command = Command::new(program);
        command.args(options).arg(run.get_program()).args(run.get_args());
        command.env_remove("RUST_LOG").current_dir(&self.folder).stdin(Stdio::null());
        self.spawn(command)
    }

    fn spawn(&mut self, mut command: Command) -> io::Result<u32> {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("wxbot.log"))?;
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        let child = child.map_err(|error| about(&self.binary, error))?;
        let pid = child.id();
        self.child = Some(child);
        Ok(pid)
    }

    /// Where it keeps its state.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Calls a command of wxbot to its end, however that is.
    pub(crate) fn ask(&self, words: &[&str]) -> io::Result<()> {
        self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).status().map(drop)
    }

    /// What it said so far, in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("wxbot.log")).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), Child::try_wait)
    }

    /// Waits until it ends by itself.
    pub(crate) fn until_ended(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        let status = wait::until("wxbot to end", limit, || self.has_ended())?;
        self.child = None;
        Ok(status)
    }

    /// Ends it with SIGKILL. Fails when it had ended by itself before: nothing here may make it do that.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            return Err(self.ended(status));
        }
        child.kill()?;
        child.wait().map(drop)
    }

    /// Asks it to stop with SIGTERM, and fails unless it exits with 0.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.terminate()?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let status = wait::until("wxbot to stop after SIGTERM", STOPS_WITHIN, || child.try_wait());
        if status.is_err() {
            end(&mut child);
        }
        let status = status?;
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }

    /// Sends SIGTERM and does not wait.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        // std can only send SIGKILL, and xtask has no dependency that could send another one.
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().map(drop)
    }

    /// Logs in all accounts, scanning each QR code with the simulator's phones.
    pub(crate) fn log_in_all(&mut self, sim: &Sim, limit: Duration) -> io::Result<()> {
        self.log_in_or_end(sim, &["--all"], limit)?;
        match self.has_ended()? {
            Some(status) => Err(self.ended(status)),
            None => Ok(()),
        }
    }

    /// As [`log_in_all`](Self::log_in_all) for these accounts; good too when wxbot ends before.
    pub(crate) fn log_in_or_end(&mut self, sim: &Sim, whom: &[&str], limit: Duration) -> io::Result<()> {
        let (out, log) = (self.folder.join("login.out"), self.folder.join("login.log"));
        let mut running: Option<Child> = None;
        let mut read = 0;
        let done = wait::until("all accounts to be logged in", limit, || {
            if self.has_ended()?.is_some() {
                return Ok(Some(()));
            }
            let Some(child) = &mut running else {
                // Without a control socket `login` works on the store alone, and would keep `run` out of it.
                if !self.folder.join("data/wxbot.sock").exists() {
                    return Ok(None);
                }
                let mut login = self.command(&[&["login", "--json"], whom].concat());
                running = Some(login.stdout(File::create(&out)?).stderr(File::create(&log)?).spawn()?);
                read = 0;
                return Ok(None);
            };
            // Looked at before the file is read: a process that had ended by now has written all it will.
            let ended = child.try_wait()?;
            let text = fs::read_to_string(&out)?;
            while let Some((line, _)) = text.get(read..).and_then(|rest| rest.split_once('\n')) {
                scan(line, sim)?;
                read += line.len() + 1;
            }
            match ended {
                None => Ok(None),
                Some(status) if status.success() => Ok(Some(())),
                Some(status) => {
                    // `run` opens its control socket a moment after it was started; until then `login` refuses.
                    running = None;
                    Err(io::Error::other(format!("{status}: {text}{}", fs::read_to_string(&log)?)))
                }
            }
        });
        if let Some(child) = &mut running {
            end(child);
        }
        done
    }

    /// What `wxbot accounts --json` says: one object an account.
    pub(crate) fn accounts(&self) -> io::Result<Vec<Value>> {
        let output = self.command(&["accounts", "--json"]).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("`wxbot accounts` ended with {}: {}", output.status, said.trim())));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Waits until each account says that it is online.
    pub(crate) fn until_online(&mut self, limit: Duration) -> io::Result<()> {
        let mut ended = None;
        let online = wait::until("all accounts to be online again", limit, || {
            ended = self.child.as_mut().and_then(|child| child.try_wait().transpose()).transpose()?;
            if ended.is_some() {
                return Ok(Some(()));
            }
            // Without a control socket `accounts` reads, and so opens, the store by itself.
            if !self.data().join("wxbot.sock").exists() {
                return Ok(None);
            }
            let state = |one: &Value| one.get("state").and_then(Value::as_str).unwrap_or_default().to_lowercase();
            let accounts = self.accounts()?;
            Ok((!accounts.is_empty() && accounts.iter().all(|one| state(one) == "online")).then_some(()))
        });
        match ended {
            Some(status) => Err(self.ended(status)),
            None => online,
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--config").arg(self.folder.join("bot.toml")).stdin(Stdio::null());
        // The machine's own settings must not reach the wxbot under test.
        command.env_remove("RUST_LOG").current_dir(&self.folder);
        command
    }

    fn ended(&self, status: ExitStatus) -> io::Error {
        let log = fs::read_to_string(self.folder.join("wxbot.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n");
        io::Error::other(format!("`wxbot run` ended with {status}; its last lines:\n{tail}"))
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(child);
        }
    }
}

/// Plays the phone for one line of `wxbot login --json`.
fn scan(line: &str, sim: &Sim) -> io::Result<()> {
    let event: Value = serde_json::from_str(line)?;
    if event.get("event").and_then(Value::as_str) == Some("qr") {
        let body = json!({ "uuid": event.get("uuid"), "account": event.get("account") });
        sim.api.post("/__sim/approve", &body)?;
    }
    Ok(())
}

/// A process of ours that may have ended already; either way it is gone afterwards.
fn end(child: &mut Child) {
    _ = child.kill();
    _ = child.wait();
}

fn about(binary: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot start {}: {error}", binary.display()))
}
