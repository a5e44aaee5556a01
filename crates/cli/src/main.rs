//! The `wxbot` binary: the bundled protocols and plugins, and nothing else.

use std::process::ExitCode;

/// Most of our memory traffic is small and crosses threads (requests, rows, replies); glibc's allocator took a seventh
/// of the CPU time there. Measured with `cargo xtask bench`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wxbot::App::bundled().main()
}
