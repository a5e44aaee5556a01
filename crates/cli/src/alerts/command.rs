//! How does a program get an alert? It is run with the facts on standard input and in its environment, and is killed when it
//! takes too long.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use wxbot_runtime::alerts::{Bulletin, Report};

use crate::control::now_ms;
use crate::words::Lang;

/// How long the program may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Bytes of the text.
const TEXT: usize = 16 * 1024;
/// Bytes of what it says on standard error that are told when it fails.
const SAID: usize = 300;
/// What of our environment it gets. The rest may hold secrets.
const PASSED: [&str; 9] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_MESSAGES", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];

/// Runs the program. There is no shell: what a message or a service said stands in no command line.
///
/// # Errors
/// In words: it cannot be started, says no by its exit code, or takes too long; then it and its children are killed.
pub(super) async fn run(
    words: &[String],
    folder: &Path,
    bulletin: &Bulletin,
    pictures: &[(String, PathBuf)],
    lang: Lang,
) -> Result<(), String> {
    run_within(words, folder, bulletin, pictures, lang, WITHIN).await
}

async fn run_within(
    words: &[String],
    folder: &Path,
    bulletin: &Bulletin,
    pictures: &[(String, PathBuf)],
    lang: Lang,
    within: Duration,
) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("`command` is empty")?;
    let text = bulletin.text(lang.into(), now_ms(), TEXT);
    let names = |reports: &[Report]| {
        let names: Vec<&str> = reports.iter().filter_map(|report| report.subject.account()).collect();
        names.join(",")
    };
    let qr: Vec<Value> = pictures.iter().map(|(account, path)| json!({ "account": account, "file": path })).collect();
    let facts = json!({
        "from": "wxbot", "at_ms": now_ms(), "text": text, "qr": qr,
        "opened": bulletin.opened, "repeated": bulletin.repeated, "ended": bulletin.ended,
    });
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut command = Command::new(place(program, folder));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(PASSED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))))
        .env("WXBOT_ALERT_TEXT", &text)
        .env("WXBOT_ALERT_OPENED", names(&bulletin.opened))
        .env("WXBOT_ALERT_REPEATED", names(&bulletin.repeated))
        .env("WXBOT_ALERT_ENDED", names(&bulletin.ended))
        .env("WXBOT_ALERT_QR", pictures.first().map_or(Path::new(""), |(_, path)| path))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = Group(command.spawn().map_err(|error| format!("`{program}` cannot be started: {error}"))?);
    let (stdin, stderr) = (child.0.stdin.take(), child.0.stderr.take());
    let worked = async {
        let written = async {
            if let Some(mut stdin) = stdin {
                // It may not care to read.
                stdin.write_all(facts.to_string().as_bytes()).await.ok();
            }
        };
        let said = async {
            let mut said = Vec::new();
            if let Some(stderr) = stderr {
                let mut stderr = stderr.take(SAID as u64);
                stderr.read_to_end(&mut said).await.ok();
                // What else it says is read, so that it need not wait for us.
                tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink()).await.ok();
            }
            String::from_utf8_lossy(&said).chars().filter(|c| !c.is_control()).collect::<String>()
        };
        let ((), said, status) = tokio::join!(written, said, child.0.wait());
        (said, status)
    };
    match tokio::time::timeout(within, worked).await {
        Ok((_, Ok(status))) if status.success() => Ok(()),
        Ok((said, Ok(status))) => Err(format!("`{program}` ended with {status}: {said}")),
        Ok((_, Err(error))) => Err(format!("`{program}` cannot be waited for: {error}")),
        Err(_elapsed) => {
            drop(child);
            Err(format!("`{program}` did not end within {} s, and was killed", within.as_secs()))
        }
    }
}

/// A program with a slash in its name stands beside `bot.toml`; others are looked for in `PATH`.
pub(crate) fn place(program: &str, folder: &Path) -> PathBuf {
    if !program.contains('/') || Path::new(program).is_absolute() {
        return PathBuf::from(program);
    }
    std::path::absolute(folder.join(program)).unwrap_or_else(|_| folder.join(program))
}

/// A program and what it started: gone together, however we leave it.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with a program that does this.
    fn program(script: &str) -> (tempfile::TempDir, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify.sh");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        (folder, vec!["./notify.sh".to_owned(), "a b; touch x".to_owned()])
    }

    fn bulletin() -> Bulletin {
        let report = Report {
            subject: wxbot_runtime::alerts::Subject::Account { account: "shop".into() },
            since_ms: 0,
            state: "needs_login".into(),
            why: "$(touch y)".into(),
            cure: wxbot_runtime::session::cure::Cure::LogIn,
            count: 0,
        };
        Bulletin { opened: vec![report], ..Bulletin::default() }
    }

    async fn played(script: &str, within: Duration) -> (tempfile::TempDir, Result<(), String>) {
        let (folder, words) = program(script);
        let done = run_within(&words, folder.path(), &bulletin(), &[], Lang::En, within).await;
        (folder, done)
    }

    #[tokio::test]
    async fn a_program_gets_the_facts_and_no_shell_and_no_secret() {
        let script = "cat > stdin; printf '%s' \"$1\" > first; env > env";
        let (folder, done) = played(script, WITHIN).await;
        done.unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let facts: Value = serde_json::from_str(&read("stdin")).unwrap();
        assert_eq!(
            (&facts["opened"][0]["account"], &facts["opened"][0]["why"]),
            (&json!("shop"), &json!("$(touch y)"))
        );
        assert_eq!(read("first"), "a b; touch x");
        let env = read("env");
        assert!(
            env.contains("WXBOT_ALERT_OPENED=shop\n") && env.contains("WXBOT_ALERT_TEXT=wxbot: something is wrong")
        );
        assert!(!env.contains("CARGO_"), "only what it needs: {env}");
        for trap in ["x", "y"] {
            assert!(!folder.path().join(trap).exists(), "a shell was there");
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_or_hangs_is_told() {
        let (_folder, done) = played("echo no route >&2; exit 3", WITHIN).await;
        let why = done.unwrap_err();
        assert!(why.contains("exit status: 3") && why.ends_with("no route"), "{why}");
        // It and what it started are gone.
        let (folder, done) = played("sleep 600 & echo $! > child; wait", Duration::from_secs(1)).await;
        assert!(done.unwrap_err().contains("was killed"));
        let child = fs::read_to_string(folder.path().join("child")).unwrap();
        let gone = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        for _ in 0..200 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("what it started lives on");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let words = ["./nobody".to_owned()];
        let why = run(&words, folder.path(), &bulletin(), &[], Lang::En).await.unwrap_err();
        assert!(why.contains("`./nobody` cannot be started"), "{why}");
    }
}
