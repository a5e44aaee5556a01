//! `cargo xtask fuzz`: does every parser take any bytes? Builds the targets of `fuzz/` optimised, and runs them.

use std::io;

use crate::command::Cmd;
use crate::target_dir;

/// How long each target runs in `cargo xtask test`: two at a time on two cores, so that all take less than four minutes.
const SECONDS: &str = "20";

/// Runs the targets with these words of the command line; see `cargo xtask fuzz --help`.
pub(crate) fn run(args: &[String]) -> io::Result<()> {
    // The release profile and the product's own features: beside a release build there are only our own few files.
    Cmd::cargo(&["build", "--release", "--locked", "--package", "wxbot-fuzz", "--bin", "wxbot-fuzz"]).run()?;
    let program = target_dir().join("release").join("wxbot-fuzz").with_extension(std::env::consts::EXE_EXTENSION);
    Cmd::new(program).args(args).run()
}

/// All targets for some seconds each: a step of `cargo xtask test`.
pub(crate) fn shortly() -> io::Result<()> {
    run(&["--seconds".to_owned(), SECONDS.to_owned()])
}

/// All targets with this many inputs each: a part of `cargo xtask soak`.
pub(crate) fn soak(executions: usize) -> io::Result<()> {
    run(&["--executions".to_owned(), executions.to_string()])
}
