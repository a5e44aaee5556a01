//! `cargo xtask test`: what must pass before a change is good?

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command::Cmd;
use crate::steps::{Done, Steps};
use crate::support::{files, skip};
use crate::tools::{self, ClientTools};
use crate::{build_release, clients, root, target_dir};

/// Runs all steps; `fast` leaves out what takes a release build.
pub(crate) fn run(fast: bool) -> io::Result<()> {
    let mut steps = Steps::default();
    let result = all(&mut steps, fast);
    println!("\n{}", steps.summary());
    if result.is_ok() {
        println!("all is well");
    }
    result
}

fn all(steps: &mut Steps, fast: bool) -> io::Result<()> {
    let mut nextest = false;
    let mut tools = Err("--fast".to_owned());
    steps.step("tools", || {
        nextest = tools::has_nextest();
        if !nextest {
            eprintln!("cargo-nextest is not installed; `cargo test` runs the tests");
        }
        if !fast {
            let found = tools::client_tools();
            let missing = clients::missing(&found);
            if ci() && !missing.is_empty() {
                return Err(io::Error::other(format!("in CI no real client may be skipped\n{}", missing.join("\n"))));
            }
            tools = Ok(found);
        }
        Ok(Done::Passed)
    })?;
    steps.step("format", || passed(Cmd::cargo(&["fmt", "--all", "--check"])))?;
    steps.step("clippy", || {
        passed(Cmd::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    })?;
    deny(steps)?;
    let mut binary = None;
    if !fast {
        steps.step("release build", || {
            binary = Some(build_release()?);
            Ok(Done::Passed)
        })?;
    }
    let litellm = tools.as_ref().map_err(String::as_str);
    let litellm = litellm.and_then(|tools| tools.litellm.as_deref().map_err(String::as_str));
    tests(steps, nextest, binary.as_deref(), litellm)?;
    if fast {
        steps.skip("fuzz targets", "--fast");
        steps.skip("doc tests", "--fast");
    } else {
        // Their saved inputs are among the tests.
        steps.skip("fuzz targets", "what optimised builds may hold is not tuned yet; `cargo xtask fuzz` runs them");
        steps.step("doc tests", || passed(Cmd::cargo(&["test", "--workspace", "--doc", "--locked"])))?;
    }
    real_clients(steps, binary.as_deref(), tools)?;
    coverage(steps)?;
    steps_not_taken_by_tests(steps)
}

/// Licences, versions and origins of what others wrote (`deny.toml`, security R34).
fn deny(steps: &mut Steps) -> io::Result<()> {
    let mut tool = Err(String::new());
    steps.step("deny", || {
        tool = tools::cargo_deny();
        match &tool {
            Ok(tool) => {
                let words = ["--locked", "--offline", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
                // A warning is a mistake in deny.toml: a skip that nothing needs any more.
                passed(Cmd::new(tool).args(words).args(["--deny", "warnings"]))
            }
            Err(reason) if ci() => Err(io::Error::other(format!("in CI it must not be skipped: {reason}"))),
            Err(reason) => Ok(Done::Skipped(reason.clone())),
        }
    })?;
    steps.step("deny advisories", || {
        let Ok(tool) = &tool else { return Ok(Done::Skipped("no cargo-deny".to_owned())) };
        // The list of known holes is a Git repository; what this machine has of it is used, and nothing is fetched.
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let database = home.map(|home| home.join("advisory-dbs")).filter(|folder| folder.is_dir());
        match database {
            Some(_) => passed(Cmd::new(tool).args(["--locked", "--offline", "check", "advisories"])),
            None => Ok(Done::Skipped("the advisory database is not on this machine (`cargo deny fetch`)".to_owned())),
        }
    })
}

/// Unit, crate and black-box tests.
fn tests(steps: &mut Steps, nextest: bool, binary: Option<&Path>, litellm: Result<&Path, &str>) -> io::Result<()> {
    let log = target_dir().join("xtask-skips.txt");
    _ = fs::remove_file(&log);
    steps.step("tests", || {
        let mut command = if nextest {
            // All failures at once: a run takes too long to learn of them one by one.
            Cmd::cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
        } else {
            // Doc tests have their own step, as under nextest.
            Cmd::cargo(&["test", "--workspace", "--all-targets", "--locked"])
        };
        if let Some(binary) = binary {
            command = command.env("WXBOT_BIN", binary);
        }
        command = match litellm {
            Ok(python) => command.env("WXBOT_LITELLM", python),
            // Its test is skipped, and says why.
            Err(reason) => command.env("WXBOT_NO_LITELLM", reason),
        };
        passed(command.env(skip::LOG_VARIABLE, &log))
    })?;
    for line in fs::read_to_string(&log).unwrap_or_default().lines() {
        let (test, reason) = line.split_once(": ").unwrap_or((line, "no reason given"));
        steps.skip(test, reason);
    }
    Ok(())
}

/// Third-party clients on the simulator. In CI a missing one is a failure, not a skip.
fn real_clients(steps: &mut Steps, binary: Option<&Path>, tools: Result<ClientTools, String>) -> io::Result<()> {
    type Run = fn(&Path, &Path) -> io::Result<()>;
    let (python, node, ilink) = match tools {
        Ok(tools) => (tools.python, tools.node_modules, tools.ilink_modules),
        Err(reason) => (Err(reason.clone()), Err(reason.clone()), Err(reason)),
    };
    let runs: [(_, Result<PathBuf, String>, Run); 3] = [
        ("real client itchat-uos", python, clients::itchat_uos),
        ("real client wechat4u", node, clients::wechat4u),
        ("real client openclaw-weixin", ilink, clients::openclaw_weixin),
    ];
    for (name, tool, run) in runs {
        steps.step(name, || match (tool, binary) {
            (Ok(tool), Some(binary)) => run(binary, &tool).map(|()| Done::Passed),
            (Err(reason), _) if ci() => Err(io::Error::other(format!("in CI it must not be skipped: {reason}"))),
            (Err(reason), _) => Ok(Done::Skipped(reason)),
            (Ok(_), None) => Ok(Done::Skipped("no release build".to_owned())),
        })?;
    }
    Ok(())
}

/// The protocol checklist lies beside the repository on the machines that have it, and in CI.
fn coverage(steps: &mut Steps) -> io::Result<()> {
    let tool = root().join("../shared/tools/coverage-rows");
    if !tool.is_file() {
        return Ok(());
    }
    steps.step("coverage rows", || passed(Cmd::new("../shared/tools/coverage-rows")))
}

/// Lists tests and examples that are switched off in the sources: the test runners only count them.
fn steps_not_taken_by_tests(steps: &mut Steps) -> io::Result<()> {
    for path in files::rust_sources(root())? {
        let text = fs::read_to_string(root().join(&path))?;
        for (index, line) in text.lines().enumerate() {
            if let Some(reason) = switched_off(line) {
                steps.skip(format!("{}:{}", path.display(), index + 1), reason);
            }
        }
    }
    Ok(())
}

/// Why the test or the example that begins on this line does not run, if so.
fn switched_off(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("#[ignore") {
        let reason = rest.split('"').nth(1).unwrap_or("no reason given");
        return Some(format!("#[ignore]: {reason}"));
    }
    let documentation = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    documentation.trim_start().starts_with("```ignore").then(|| "example marked `ignore`".to_owned())
}

fn passed(command: Cmd) -> io::Result<Done> {
    command.run().map(|()| Done::Passed)
}

fn ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switched_off_tests_are_seen() {
        for (line, want) in [
            ("    #[ignore = \"needs a phone\"]", Some("#[ignore]: needs a phone")),
            ("#[ignore]", Some("#[ignore]: no reason given")),
            ("/// ```ignore", Some("example marked `ignore`")),
            ("/// ```toml", None),
            ("let ignore = 1;", None),
        ] {
            assert_eq!(switched_off(line).as_deref(), want, "{line}");
        }
    }
}
