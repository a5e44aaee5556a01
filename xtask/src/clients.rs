//! How do real third-party clients show that the simulator is not our own fiction?
//!
//! Each script in `tests/clients/` drives one unmodified client against a fresh `wxbot sim`; its exit code is the
//! verdict, its JSON line says what was checked. `tests/clients/README.md` tells more.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::command::Cmd;
use crate::support::rig::Sim;
use crate::tools::ClientTools;
use crate::{root, target_dir};

/// The scripts end by themselves after 60 s; this is for one that hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

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

fn with_sim(binary: &Path, name: &str, command: impl FnOnce(&str) -> Cmd) -> io::Result<()> {
    let folder = target_dir().join("clients/runs").join(name);
    fs::create_dir_all(&folder)?;
    let sim = Sim::start(binary, &root().join("tests/clients/world.toml"), &folder)?;
    command(sim.base()).run_within(ENDS_WITHIN).map_err(|error| {
        let note = "(the port is a new one each time; the simulator's log is";
        io::Error::new(error.kind(), format!("{error}\n    {note} {}/sim.log)", folder.display()))
    })
}

/// The clients that cannot run, with reasons.
pub(crate) fn missing(tools: &ClientTools) -> Vec<String> {
    let reasons = [
        ("itchat-uos", tools.python.as_ref().err()),
        ("wechat4u", tools.node_modules.as_ref().err()),
        ("LiteLLM proxy", tools.litellm.as_ref().err()),
    ];
    reasons.iter().filter_map(|(client, reason)| reason.map(|reason| format!("{client}: {reason}"))).collect()
}
