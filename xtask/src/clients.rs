//! How do real third-party clients show that the simulator is not our own fiction?
//!
//! Each script in `tests/clients/` drives one unmodified client against a fresh `wxbot sim`; its exit code is the
//! verdict, its JSON line says what was checked. `tests/clients/README.md` tells more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::Cmd;
use crate::support::rig::Sim;
use crate::support::wait;
use crate::tools::ClientTools;
use crate::{root, target_dir};

/// The scripts end by themselves after 60 s; this is for one that hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(90);
/// What the simulator needs after its first line to say where the rest is.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Runs itchat-uos in the environment of `python`.
pub(crate) fn itchat_uos(binary: &Path, python: &Path) -> io::Result<()> {
    with_sim(binary, "itchat", |url| Cmd::new(python).args(["tests/clients/itchat_uos.py", url, "itchat"]))
}

/// Runs wechat4u from `node_modules`.
pub(crate) fn wechat4u(binary: &Path, node_modules: &Path) -> io::Result<()> {
    with_sim(binary, "wechat4u", |url| {
        Cmd::new("node").args(["tests/clients/wechat4u.mjs", url, "wechat4u"]).env("NODE_PATH", node_modules)
    })
}

/// Runs the vendor's own iLink client from `node_modules`.
pub(crate) fn openclaw_weixin(binary: &Path, node_modules: &Path) -> io::Result<()> {
    let folder = folder_of("openclaw-weixin")?;
    let sim = Sim::start_with(binary, &root().join("tests/clients/world.toml"), &folder, &["--ilink", "0"])?;
    let log = folder.join("sim.log");
    let url = wait::until("the address of iLink in the simulator's log", STARTS_WITHIN, || {
        let log = fs::read_to_string(&log)?;
        let line = log.lines().find_map(|line| line.strip_prefix("iLink: "));
        Ok(line.and_then(|line| line.split(';').next()).map(str::to_owned))
    })?;
    let script = Cmd::new("node").args(["tests/clients/ilink/openclaw_weixin.mjs", &url, "openclaw"]);
    let ended = ends_well(script.args([folder.join("state")]).env("NODE_PATH", node_modules), &folder);
    drop(sim);
    ended
}

fn with_sim(binary: &Path, name: &str, command: impl FnOnce(&str) -> Cmd) -> io::Result<()> {
    let folder = folder_of(name)?;
    let sim = Sim::start(binary, &root().join("tests/clients/world.toml"), &folder)?;
    ends_well(command(sim.base()), &folder)
}

fn folder_of(name: &str) -> io::Result<PathBuf> {
    let folder = target_dir().join("clients/runs").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn ends_well(command: Cmd, folder: &Path) -> io::Result<()> {
    command.run_within(ENDS_WITHIN).map_err(|error| {
        let note = "(the port is a new one each time; the simulator's log is";
        io::Error::new(error.kind(), format!("{error}\n    {note} {}/sim.log)", folder.display()))
    })
}

/// The clients that cannot run, with reasons.
pub(crate) fn missing(tools: &ClientTools) -> Vec<String> {
    let reasons = [
        ("itchat-uos", tools.python.as_ref().err()),
        ("wechat4u", tools.node_modules.as_ref().err()),
        ("openclaw-weixin", tools.ilink_modules.as_ref().err()),
        ("LiteLLM proxy", tools.litellm.as_ref().err()),
    ];
    reasons.iter().filter_map(|(client, reason)| reason.map(|reason| format!("{client}: {reason}"))).collect()
}
