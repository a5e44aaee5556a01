//! `wxbot init`: a configuration to begin with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::report::{Failure, OrExit, say};

/// The file that the repository ships: annotated, and runnable as it is.
pub(crate) const SAMPLE: &str = include_str!("../../../bot.toml");

pub(crate) fn run(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).or_exit(&format!("cannot make {}", dir.display()))?;
    let path = dir.join("bot.toml");
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(format!("{} is there already; it was left as it is", path.display())));
        }
        other => other.or_exit(&format!("cannot write {}", path.display()))?,
    };
    file.write_all(SAMPLE.as_bytes()).or_exit(&format!("cannot write {}", path.display()))?;
    say(&format!("wrote {}; `wxbot run` starts it as it is", path.display()));
    Ok(())
}
