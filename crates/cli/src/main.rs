//! The `wxbot` binary: the bundled protocols and plugins, and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    wxbot::App::bundled().main()
}
