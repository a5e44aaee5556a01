//! How is the binary called as a person calls it: a command to its end, or `run` until it is told to stop?

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::wait;

/// A command that is not over by then hangs.
const COMMAND_WITHIN: Duration = Duration::from_secs(9);

/// The binary under test: `WXBOT_BIN`, else the one that cargo built for the tests.
pub(crate) fn binary() -> PathBuf {
    // `option_env`, because xtask compiles this file too and knows no such variable.
    let built = option_env!("CARGO_BIN_EXE_wxbot").unwrap_or("wxbot");
    std::env::var_os("WXBOT_BIN").map_or_else(|| built.into(), PathBuf::from)
}

/// A command of the binary with `folder` as working directory and nothing of this machine's own settings.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
    for name in [
        "RUST_LOG",
        "NO_COLOR",
        "WXBOT_CONFIG",
        "WXBOT_DATA_DIR",
        "WXBOT_LOG",
        "WXBOT_KEY_FD",
        "WXBOT_KEY_FILE",
        "WXBOT_PASSPHRASE_FILE",
        "CREDENTIALS_DIRECTORY",
    ] {
        command.env_remove(name);
    }
    command
}

/// Somebody without rights. Root may do everything and so proves little.
const NOBODY: u32 = 65_534;

/// Makes the command run without root's rights, with `folder` and what lies in it as its own; nothing to do for others.
pub(crate) fn without_rights(command: &mut Command, folder: &Path) -> io::Result<()> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(());
    }
    command.uid(NOBODY).gid(NOBODY);
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    fs::read_dir(folder)?.try_for_each(|entry| chown(entry?.path(), Some(NOBODY), Some(NOBODY)))
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Said {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn call(folder: &Path, args: &[&str]) -> io::Result<Said> {
    finish(command(folder, args))
}

/// Runs a prepared command to its end; fails when it does not come to one.
pub(crate) fn finish(mut command: Command) -> io::Result<Said> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    // Files and not pipes: nobody has to read them while it runs. Not in the folder, which tests look into.
    let place = |what| std::env::temp_dir().join(format!("wxbot-call-{}-{number}.{what}", std::process::id()));
    let (out, err) = (place("out"), place("err"));
    let mut child = command.stdout(File::create(&out)?).stderr(File::create(&err)?).spawn()?;
    let ended = ended_within(&mut child, COMMAND_WITHIN);
    let said = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let said = ended.and_then(|status| Ok(Said { code: status.code(), out: said(&out)?, err: said(&err)? }));
    for path in [out, err] {
        fs::remove_file(path)?;
    }
    said
}

/// A long-running command, `run` most often; its output is added to `run.out` and `run.err`. It ends with this value.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    /// Starts it and returns at once.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> io::Result<Self> {
        Self::spawn(folder, command(folder, args))
    }

    /// The same with a prepared command.
    pub(crate) fn spawn(folder: &Path, mut command: Command) -> io::Result<Self> {
        let open = |name| OpenOptions::new().create(true).append(true).open(folder.join(name));
        let child = command.stdout(open("run.out")?).stderr(open("run.err")?).spawn()?;
        Ok(Self { child, folder: folder.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that was written to standard output so far, by former runs too.
    pub(crate) fn out(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.folder.join("run.out"))?).into_owned())
    }

    /// All that was written to standard error so far, by former runs too.
    pub(crate) fn err(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.folder.join("run.err"))?).into_owned())
    }

    /// Waits until `good` of what [`out`](Self::out) says.
    pub(crate) fn until_out(&mut self, what: &str, limit: Duration, good: impl Fn(&str) -> bool) -> io::Result<String> {
        let found = wait::until(what, limit, || {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(Err(status)));
            }
            let out = self.out()?;
            Ok(good(&out).then_some(Ok(out)))
        });
        let told = || format!("{}\n{}", self.out().unwrap_or_default(), self.err().unwrap_or_default());
        match found {
            Ok(Ok(out)) => Ok(out),
            Ok(Err(status)) => Err(io::Error::other(format!("it ended with {status} before: {what}\n{}", told()))),
            Err(error) => Err(io::Error::new(error.kind(), format!("{error}\n{}", told()))),
        }
    }

    /// Sends a signal, `INT` or `TERM`, and waits for the end.
    pub(crate) fn stop(mut self, signal: &str, limit: Duration) -> io::Result<ExitStatus> {
        Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status()?;
        self.ended(limit)
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        ended_within(&mut self.child, limit)
    }

    /// Ends it with SIGKILL; fails when it had ended by itself.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(io::Error::other(format!("it had ended with {status}: {}", self.err()?))),
            None => self.child.kill().and_then(|()| self.child.wait()).map(drop),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn ended_within(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let ended = wait::until("the end of wxbot", limit, || child.try_wait());
    if ended.is_err() {
        _ = child.kill();
        _ = child.wait();
    }
    ended
}

/// What `wxbot accounts --json` says of account `name`.
pub(crate) fn account(folder: &Path, name: &str) -> io::Result<Value> {
    let said = call(folder, &["accounts", "--json"])?;
    if said.code != Some(0) {
        return Err(io::Error::other(format!("`wxbot accounts` ended with {:?}: {}", said.code, said.err)));
    }
    let all: Vec<Value> = serde_json::from_str(&said.out)?;
    let one = all.into_iter().find(|one| one.get("name").and_then(Value::as_str) == Some(name));
    one.ok_or_else(|| io::Error::other(format!("no account {name}: {}{}", said.out, said.err)))
}

/// Waits until account `name` is in one of these states, and answers all that is said of it.
pub(crate) fn until_state(folder: &Path, name: &str, states: &[&str], limit: Duration) -> io::Result<Value> {
    wait::until(&format!("{name} to be {}", states.join(" or ")), limit, || {
        let one = account(folder, name)?;
        let there = one.get("state").and_then(Value::as_str).is_some_and(|state| states.contains(&state));
        if there { Ok(Some(one)) } else { Err(io::Error::other(one.to_string())) }
    })
}
