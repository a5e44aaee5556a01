//! Does what is shipped for services and containers keep its promises? The units and the container file of `deploy/`, and
//! how this repository is built (security R34, R35).
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{skip, wxbot};

/// What `systemd-analyze security` may say at most, in tenths: "OK" begins at 49.
const MOST_EXPOSURE: &str = "20";

fn shipped(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The directives of a unit, each with all that is said under its name.
fn directives(unit: &str) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for line in unit.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';', '['])) {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no directive: {line}"));
        all.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    all
}

fn systemd_analyze(args: &[&str], folder: &Path) -> Option<Output> {
    Command::new("systemd-analyze").args(args).current_dir(folder).output().ok()
}

/// The shipped units in a folder, with the binary of this test in place of the installed one.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let binary = fs::canonicalize(wxbot::binary()).unwrap();
    let service = shipped("deploy/wxbot.service").replace("/usr/local/bin/wxbot", binary.to_str().unwrap());
    fs::write(folder.path().join("wxbot.service"), service).unwrap();
    fs::write(folder.path().join("wxbot.socket"), shipped("deploy/wxbot.socket")).unwrap();
    folder
}

#[test]
fn sec_r35_the_service_has_each_right_taken_that_it_does_not_need() {
    let unit = directives(&shipped("deploy/wxbot.service"));
    let says = |name: &str, value: &str| {
        let said = unit.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(said.iter().any(|one| one == value), "{name}={value}, not {said:?}");
    };
    says("NoNewPrivileges", "yes");
    says("ProtectSystem", "strict");
    says("PrivateTmp", "yes");
    says("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX");
    says("SystemCallFilter", "@system-service");
    says("SystemCallFilter", "~@privileged @resources");
    says("User", "wxbot");
    says("CapabilityBoundingSet", "");
    says("UMask", "0077");
    says("StateDirectoryMode", "0700");
    says("LimitCORE", "0");
    let most = unit.get("MemoryMax").unwrap();
    assert!(most.iter().all(|most| most != "infinity"), "MemoryMax={most:?}");
    // It ends by itself within the time that is promised (20 s and 10 s), and is not killed before.
    let stop = unit.get("TimeoutStopSec").and_then(|all| all.last()?.strip_suffix('s')?.parse::<u32>().ok());
    assert!(stop.is_some_and(|seconds| seconds > 30), "{stop:?}");
}

#[test]
fn sec_r35_systemd_finds_no_mistake_in_the_units_and_little_exposure() {
    let folder = units();
    let Some(verified) = systemd_analyze(&["verify", "./wxbot.service", "./wxbot.socket"], folder.path()) else {
        skip::note("sec_r35 by systemd-analyze", "systemd-analyze is not installed").unwrap();
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    // The machine's own units may have mistakes; ours must not.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("wxbot")).collect();
    assert!(ours.is_empty() && verified.status.success(), "{} {said}", verified.status);
    let threshold = format!("--threshold={MOST_EXPOSURE}");
    let args = ["security", "--offline=true", "--no-pager", &threshold, "./wxbot.service"];
    let judged = systemd_analyze(&args, folder.path()).unwrap();
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    assert!(said.contains("Overall exposure level"), "{said}");
    // Less protection is noticed.
    let service = shipped("deploy/wxbot.service").replace("User=wxbot\n", "").replace("CapabilityBoundingSet=\n", "");
    fs::write(folder.path().join("wxbot.service"), service).unwrap();
    assert!(!systemd_analyze(&args, folder.path()).unwrap().status.success(), "the threshold means something");
    skip::note("the unit under systemd", "systemd does not run as the first process here; directives are only judged")
        .unwrap();
}

#[test]
fn the_socket_unit_holds_what_the_preset_asks_for() {
    let unit = directives(&shipped("deploy/wxbot.socket"));
    assert_eq!(unit["ListenStream"], ["127.0.0.1:8460"]);
    assert_eq!(unit["Accept"], ["no"]);
    let preset = directives_of_schema();
    assert!(preset.contains("127.0.0.1:8460"), "{preset}");
}

/// What `[server]` listens at when nobody says otherwise, as the schema tells it.
fn directives_of_schema() -> String {
    let schema: serde_json::Value = serde_json::from_str(&shipped("bot.schema.json")).unwrap();
    schema.pointer("/properties/server/properties/listen").unwrap().to_string()
}

#[test]
fn sec_r35_the_container_is_not_root_and_downloads_nothing_unpinned() {
    let file = shipped("deploy/Containerfile");
    let lines: Vec<_> = file.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let of = |word: &str| lines.iter().filter(|line| line.starts_with(word)).copied().collect::<Vec<_>>();
    assert_eq!(of("FROM ").len(), 2, "built in one image, run in another");
    let user = of("USER ").last().and_then(|line| line.strip_prefix("USER ")).unwrap();
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().unwrap()).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| *id > 0), "{user}");
    assert!(of("ADD ").is_empty(), "what is added may come from anywhere");
    for word in ["curl", "wget", "git clone", "pip ", "npm "] {
        assert!(!lines.iter().any(|line| line.contains(word)), "`{word}` in the container file");
    }
    let builds: Vec<_> = lines.iter().filter(|line| line.contains("cargo ")).collect();
    assert!(!builds.is_empty() && builds.iter().all(|line| line.contains("--locked")), "{builds:?}");
    // The folder that is written is a volume, so that the rest may be read-only; the commands above the file say so.
    assert_eq!(of("VOLUME "), ["VOLUME /var/lib/wxbot"]);
    assert!(file.contains("--read-only") && file.contains("--cap-drop=all"), "the line to run it with");
    assert!(of("CMD ").concat().contains("--keeper") && of("STOPSIGNAL ") == ["STOPSIGNAL SIGTERM"]);
    skip::note("the container is built", "no base images can be had here; its file is only read").unwrap();
}

#[test]
fn sec_r34_the_lock_file_is_part_of_the_repository_and_every_build_keeps_to_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = Command::new("git").args(["check-ignore", "--quiet", "Cargo.lock"]).current_dir(root).status();
    if let Ok(status) = ignored {
        assert!(!status.success(), "Cargo.lock is ignored");
    }
    let lock = shipped("Cargo.lock");
    let from_outside = lock.matches("\nsource = ").count();
    assert_eq!(from_outside, lock.matches("\nchecksum = ").count(), "each has its hash");
    assert!(from_outside > 100 && !lock.contains("source = \"git+"), "{from_outside}");
    // What CI runs, and all that it runs.
    assert!(shipped(".ci/run").contains("exec cargo xtask test"));
    let mut builds = 0;
    for file in ["xtask/src/test.rs", "xtask/src/main.rs"] {
        for (at, line) in shipped(file).lines().enumerate() {
            let subcommand = ["\"build\"", "\"test\"", "\"clippy\"", "\"nextest\", \"run\""];
            let cargo = line.contains("Cmd::cargo(") && subcommand.iter().any(|word| line.contains(word));
            if cargo {
                builds += 1;
                assert!(line.contains("\"--locked\""), "{file}:{}: {line}", at + 1);
            }
        }
    }
    assert!(builds >= 5, "{builds} builds were found");
    let deny: toml::Table = shipped("deny.toml").parse().unwrap();
    assert_eq!(deny["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(deny["bans"]["multiple-versions"].as_str(), Some("deny"));
}
