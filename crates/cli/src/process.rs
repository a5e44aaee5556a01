//! What does the process settle for itself before all else? No files for others, no core dumps (security R17, R19), and
//! pages as small as the machine has. And how does a test end a debug build where it wants to?

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Called first. None of it can fail in a way that matters more than starting.
pub(crate) fn prepare() {
    umask(Mode::from_raw_mode(0o077));
    // A core dump holds session keys.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
    // Nor may another process of the same user read our memory.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    // Where the kernel makes all pages huge, many small accounts would take twice the memory for nothing.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// Only in debug builds: `WXBOT_FAIL_AT=take a batch: after commit` ends the process there, as kill -9 would; `#3` behind
/// the name means the third time. The last line on standard error says that it was there.
#[cfg(debug_assertions)]
pub(crate) fn arm() -> Result<(), crate::report::Failure> {
    let Ok(point) = std::env::var("WXBOT_FAIL_AT") else { return Ok(()) };
    let end = |name: &str| {
        crate::report::say(&format!("fail point: {name}"));
        // Delivered before the call returns, so nothing happens after it.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
    };
    wxbot_runtime::failpoint::arm(&point, end).map_err(crate::report::Failure::new)
}
