//! What does the process do for its own protection? No files for others, no core dumps (security R17, R19).

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Called first. Neither can fail in a way that matters more than starting.
pub(crate) fn protect() {
    umask(Mode::from_raw_mode(0o077));
    // A core dump holds session keys.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
    // Nor may another process of the same user read our memory.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
}
