//! How are child processes run so that a person can repeat the failed one?

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::wait;

/// A child process whose output goes straight to the terminal. Shows itself as a line for a shell.
#[derive(Debug)]
pub(crate) struct Cmd(Command);

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(crate::root()).stdin(Stdio::null());
        // `cargo run` describes xtask in the environment. A cargo below it would hand that on to build scripts, and
        // those that watch it (ring's does) would build again each time xtask and a plain cargo take turns.
        for (name, _) in std::env::vars_os() {
            let about_us =
                name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
            if about_us {
                command.env_remove(name);
            }
        }
        Self(command)
    }

    pub(crate) fn cargo(args: &[&str]) -> Self {
        Self::new("cargo").args(args)
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it to its end; any exit code but 0 is an error that names the line to repeat.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let status = self.0.status().map_err(|error| self.cannot_start(&error))?;
        if status.success() { Ok(()) } else { Err(self.failed(&status.to_string())) }
    }

    /// The same with a limit, after which it is ended.
    pub(crate) fn run_within(mut self, limit: Duration) -> io::Result<()> {
        let mut child = self.0.spawn().map_err(|error| self.cannot_start(&error))?;
        match wait::until("the end of the command", limit, || child.try_wait()) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(&status.to_string())),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(self.failed(&error.to_string()))
            }
        }
    }

    /// What it says on stdout, or `None` when it cannot be started or fails: for questions to the machine.
    pub(crate) fn ask(mut self) -> Option<String> {
        let output = self.0.stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn cannot_start(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot start `{self}`: {error}"))
    }

    fn failed(&self, how: &str) -> io::Error {
        io::Error::other(format!("{how}; repeat it with\n    {self}"))
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.0.get_current_dir().filter(|folder| *folder != crate::root());
        if let Some(folder) = folder {
            write!(f, "cd {} && ", quoted(folder.as_os_str()))?;
        }
        for (name, value) in self.0.get_envs() {
            if let Some(value) = value {
                write!(f, "{}={} ", name.to_string_lossy(), quoted(value))?;
            }
        }
        write!(f, "{}", quoted(self.0.get_program()))?;
        self.0.get_args().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

/// A word as a shell wants it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_shows_the_line_to_repeat() {
        for (name, command, want) in [
            ("plain", Cmd::cargo(&["fmt", "--all"]), "cargo fmt --all"),
            ("environment", Cmd::new("node").args(["a b"]).env("X", "it's"), r"X='it'\''s' node 'a b'"),
            ("folder", Cmd::new("ls").dir(Path::new("/tmp")), "cd /tmp && ls"),
        ] {
            assert_eq!(command.to_string(), want, "{name}");
        }
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = Cmd::new("false").args(["now"]).run().unwrap_err().to_string();
        assert!(error.contains("exit status: 1") && error.ends_with("false now"), "{error}");
        let error = Cmd::new("sleep").args(["60"]).run_within(Duration::from_millis(20)).unwrap_err().to_string();
        assert!(error.contains("not within 20ms") && error.ends_with("sleep 60"), "{error}");
    }
}
