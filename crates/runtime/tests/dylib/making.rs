//! How do tests come by plugin libraries? Cargo and cc build them below the target folder, once for all tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where built plugins are kept.
fn workshop() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// How a Rust plugin is built.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Build {
    pub(crate) toolchain: Option<&'static str>,
    pub(crate) release: bool,
    pub(crate) second: bool,
}

/// The probe.
pub(crate) fn probe() -> PathBuf {
    rust("wxbot-test-probe", Build::default())
}

/// Another build of the same plugin.
pub(crate) fn second_probe() -> PathBuf {
    rust("wxbot-test-probe", Build { second: true, ..Build::default() })
}

/// A package of the workspace as a library of its own, built with its feature `dylib`.
pub(crate) fn rust(package: &str, build: Build) -> PathBuf {
    let toolchain = build.toolchain.unwrap_or("here");
    let name = format!("{package}-{toolchain}-{}-{}", u8::from(build.release), u8::from(build.second));
    let target = workshop().join(toolchain);
    fs::create_dir_all(&target).unwrap();
    // One at a time: builds with other features write the same file.
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut cargo = match build.toolchain {
        None => Command::new(env!("CARGO")),
        Some(toolchain) => {
            let mut cargo = Command::new("cargo");
            cargo.arg(format!("+{toolchain}")).env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
            cargo
        }
    };
    let features = if build.second { "dylib,second" } else { "dylib" };
    cargo.args(["rustc", "--quiet", "--locked", "--offline", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["-p", package, "--features", features]).arg("--target-dir").arg(&target);
    if build.release {
        cargo.arg("--release");
    }
    // As `wxbot plugin build` does: a quarter of the bytes.
    cargo.args(["--", "-Cstrip=symbols"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    let built = target.join(if build.release { "release" } else { "debug" });
    let built = built.join(format!("lib{}.so", package.replace('-', "_")));
    place(&fs::read(built).unwrap(), &workshop().join(name).with_extension("so"))
}

/// The plugin in C, built with these definitions.
pub(crate) fn c(definitions: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dylib/c/plugin.c");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/include");
    let built = tempfile::NamedTempFile::new().unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(built.path());
    cc.args(definitions.iter().map(|name| format!("-D{name}"))).arg("-I").arg(include).arg(source);
    let output = cc.output().expect("a C compiler; SQLite needs one too");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    place(&fs::read(built.path()).unwrap(), &workshop().join(format!("c-{}.so", definitions.join("-"))))
}

/// Puts a file in its place in one step, since other tests may be reading it.
fn place(bytes: &[u8], at: &Path) -> PathBuf {
    if fs::read(at).ok().as_deref() != Some(bytes) {
        let aside = at.with_extension(format!("{}", std::process::id()));
        fs::write(&aside, bytes).unwrap();
        fs::rename(&aside, at).unwrap();
    }
    at.to_owned()
}
