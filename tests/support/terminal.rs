//! How does a test sit at a terminal? Python's `pty` holds one; what is written here is typed there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{wait, wxbot};

/// Copies between its own input and output and a new terminal, and ends with the status of the program in there.
const HOLDER: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
/// What a terminal sends for Ctrl-C and Ctrl-D.
pub(crate) const CTRL_C: &str = "\u{3}";
pub(crate) const CTRL_D: &str = "\u{4}";

/// Whether this machine can hold a terminal; the reason if not.
pub(crate) fn missing() -> Option<String> {
    let tried = Command::new("python3").args(["-c", "import pty; pty.openpty()"]).stderr(Stdio::piped()).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("python3 opens no terminal: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("no python3: {error}")),
    }
}

/// A wxbot in a terminal of its own. It ends with this value.
#[derive(Debug)]
pub(crate) struct Terminal {
    holder: Child,
    keyboard: ChildStdin,
    screen: PathBuf,
}

impl Terminal {
    /// Starts the binary with these arguments in `folder`; the screen is kept in `screen.txt` there.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> io::Result<Self> {
        Self::start_with(folder, args, &[])
    }

    /// The same with these variables.
    pub(crate) fn start_with(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> io::Result<Self> {
        let screen = folder.join("screen.txt");
        let prepared = wxbot::command(folder, args);
        let mut holder = Command::new("python3");
        holder.args(["-c", HOLDER]).arg(prepared.get_program()).args(prepared.get_args()).current_dir(folder);
        for (name, value) in prepared.get_envs() {
            match value {
                Some(value) => holder.env(name, value),
                None => holder.env_remove(name),
            };
        }
        holder.envs(variables.iter().copied());
        let log = File::create(folder.join("holder.txt"))?;
        holder.stdin(Stdio::piped()).stdout(File::create(&screen)?).stderr(log).env("TERM", "xterm");
        let mut holder = holder.spawn()?;
        let keyboard = holder.stdin.take().ok_or_else(|| io::Error::other("no pipe to the terminal"))?;
        Ok(Self { holder, keyboard, screen })
    }

    /// Types; a line ends with `\n`.
    pub(crate) fn type_in(&mut self, keys: &str) -> io::Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        self.keyboard.flush()
    }

    /// Everything shown so far, without colours and with plain line ends.
    pub(crate) fn screen(&self) -> io::Result<String> {
        let shown = fs::read(&self.screen)?;
        Ok(plain(&String::from_utf8_lossy(&shown)))
    }

    /// Waits until the screen is `good`.
    pub(crate) fn until(&mut self, what: &str, limit: Duration, good: impl Fn(&str) -> bool) -> io::Result<String> {
        let seen = wait::until(what, limit, || {
            let screen = self.screen()?;
            Ok(good(&screen).then_some(screen))
        });
        seen.map_err(|error| io::Error::new(error.kind(), format!("{error}\n{}", self.screen().unwrap_or_default())))
    }

    /// Waits for the end of the program.
    pub(crate) fn ended(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        wait::until("the end of the program in the terminal", limit, || self.holder.try_wait())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // With the holder goes the terminal, and with the terminal (SIGHUP) the program in it.
        _ = self.holder.kill();
        _ = self.holder.wait();
    }
}

/// Takes the colours (`ESC [ … m`) and carriage returns away.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    out.replace('\r', "")
}
