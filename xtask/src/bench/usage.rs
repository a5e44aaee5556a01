//! What did a process use so far? Read from `/proc`, so on Linux only; elsewhere the figures are absent.

use std::fs;
use std::io;

use crate::command::Cmd;

/// CPU time and memory of one process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// User and system time of all its threads.
    pub(super) cpu_s: Option<f64>,
    pub(super) rss_mib: Option<f64>,
    pub(super) peak_rss_mib: Option<f64>,
}

/// Reads the usage of a live process.
pub(super) fn of(pid: u32) -> io::Result<Usage> {
    if !cfg!(target_os = "linux") {
        return Ok(Usage::default());
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    // The kernel counts in ticks whatever its own clock does; 100 a second on all common machines.
    let per_second = Cmd::new("getconf").args(["CLK_TCK"]).ask().and_then(|text| text.parse().ok()).unwrap_or(100.0);
    Ok(Usage {
        cpu_s: cpu_ticks(&stat).map(|ticks| ticks / per_second),
        rss_mib: mib(&status, "VmRSS:"),
        peak_rss_mib: mib(&status, "VmHWM:"),
    })
}

/// Fields 14 and 15 of `/proc/PID/stat`. Field 2 is the name in brackets and may hold blanks and brackets itself, so
/// counting begins behind the last `)`.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

fn mib(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        let stat = "1234 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 100 1000 10";
        assert_eq!(cpu_ticks(stat), Some(300.0));
        assert_eq!(cpu_ticks("1234"), None);
        let status = "VmPeak:\t 9 kB\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(
            (mib(status, "VmHWM:"), mib(status, "VmRSS:"), mib(status, "VmSwap:")),
            (Some(4.0), Some(2.0), None)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_something() {
        let usage = of(std::process::id()).unwrap();
        assert!(usage.rss_mib.unwrap() > 0.1 && usage.cpu_s.is_some(), "{usage:?}");
    }
}
