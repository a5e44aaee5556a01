//! How does cargo build a plugin? As a library with the crate's feature `dylib`, and only then: a plain build links none.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::report::{Failure, OrExit};

/// A crate that can be built as a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crate {
    /// Its package.
    pub(super) name: String,
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// Its `Cargo.toml`.
    manifest: PathBuf,
    /// Where cargo builds; may be inside the folder.
    pub(super) target: PathBuf,
}

impl Crate {
    /// The crate in a folder.
    ///
    /// # Errors
    /// There is none, cargo cannot read it, or a plugin cannot be made of it; with the cure.
    pub(super) async fn look(dir: &Path) -> Result<Self, Failure> {
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(Failure::new(format!(
                "no Cargo.toml in {}; give the folder of a plugin, or write one with `wxbot plugin new`",
                dir.display()
            )));
        }
        let manifest = std::fs::canonicalize(&manifest).or_exit(&format!("cannot use {}", manifest.display()))?;
        let mut command = cargo(&["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        let output = command.arg(&manifest).stderr(Stdio::inherit()).output().await.map_err(|error| missing(&error))?;
        if !output.status.success() {
            return Err(Failure::new(format!("cargo cannot read {}; why is said above", manifest.display())));
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).or_exit("cannot read what `cargo metadata` says")?;
        Self::of_metadata(&metadata, &manifest).map_err(Failure::new)
    }

    fn of_metadata(metadata: &Value, manifest: &Path) -> Result<Self, String> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let shown = manifest.display();
        let mut packages = list(metadata, "packages").iter();
        let package = packages.find(|package| Path::new(&text(package, "manifest_path")) == manifest);
        let Some(package) = package else {
            return Err(format!("{shown} is a workspace and no package; give the folder of the plugin in it"));
        };
        let name = text(package, "name");
        let is_lib = |target: &Value| {
            let libs = ["lib", "rlib", "dylib", "cdylib"];
            list(target, "kind").iter().filter_map(Value::as_str).any(|kind| libs.contains(&kind))
        };
        if !list(package, "targets").iter().any(is_lib) {
            return Err(format!("`{name}` has no library; a plugin is one: move its code to src/lib.rs"));
        }
        if package.get("features").and_then(|features| features.get("dylib")).is_none() {
            return Err(format!(
                "`{name}` has no feature `dylib`, so it would export nothing; add to {shown}\n\n    \
                 [features]\n    dylib = [\"wxbot-plugin/dylib\"]\n\n  and to src/lib.rs `wxbot_plugin::export_plugin!(…);` \
                 with the plugin's type"
            ));
        }
        let folder = manifest.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { name, folder, manifest: manifest.to_owned(), target: text(metadata, "target_directory").into() })
    }

    /// Builds it and answers where the library is. What cargo says is shown as it says it.
    ///
    /// Cancel safe: dropped before it is ready, cargo is ended.
    ///
    /// # Errors
    /// The build failed, which cargo has said in full.
    pub(super) async fn build(&self, release: bool) -> Result<PathBuf, Failure> {
        let profile = if release { "release" } else { "dev" };
        let mut command = cargo(&["rustc", "--lib", "--crate-type", "cdylib", "--features", "dylib"]);
        command.args(["--profile", profile, "--message-format", "json-render-diagnostics"]);
        // A panic in a library built with `abort` would end wxbot, so such libraries are refused.
        command.args(["--config", &format!("profile.{profile}.panic=\"unwind\"")]);
        if !io::stderr().is_terminal() {
            command.arg("--quiet");
        }
        command.arg("--manifest-path").arg(&self.manifest);
        // For this crate alone: in the profile it would build all dependencies of the tests anew.
        command.args(["--", "-C", "strip=debuginfo"]);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| missing(&error))?;
        let mut library = None;
        if let Some(out) = child.stdout.take() {
            let mut lines = BufReader::new(out).lines();
            while let Some(line) = lines.next_line().await.or_exit("cannot read what cargo says")? {
                if let Ok(message) = serde_json::from_str(&line) {
                    library = self.library_of(&message).or(library);
                }
            }
        }
        let status = child.wait().await.or_exit("cannot wait for cargo")?;
        match library {
            _ if !status.success() => Err(Failure::new(format!("`{}` was not built; why is said above", self.name))),
            Some(library) => Ok(library),
            None => Err(Failure::new(format!(
                "cargo built `{}` and named no library; does this system have shared libraries?",
                self.name
            ))),
        }
    }

    /// The library of ours that this message is about.
    fn library_of(&self, message: &Value) -> Option<PathBuf> {
        let ours =
            message.get("manifest_path").and_then(Value::as_str).is_some_and(|path| Path::new(path) == self.manifest);
        let is_cdylib = |target: &Value| list(target, "crate_types").iter().any(|kind| kind == "cdylib");
        if message.get("reason")? != "compiler-artifact" || !ours || !is_cdylib(message.get("target")?) {
            return None;
        }
        let files = list(message, "filenames").iter().filter_map(Value::as_str).map(PathBuf::from);
        let is_library = |path: &PathBuf| path.extension().is_some_and(|end| end == std::env::consts::DLL_EXTENSION);
        files.into_iter().find(is_library)
    }
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn missing(error: &io::Error) -> Failure {
    let cure = if error.kind() == io::ErrorKind::NotFound {
        "it is not on the PATH; install Rust (https://rustup.rs) and open a new terminal".to_owned()
    } else {
        error.to_string()
    };
    Failure::new(format!("cannot run `cargo`, which builds plugins: {cure}"))
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_plugin_needs_is_named() {
        let manifest = Path::new("/p/Cargo.toml");
        let package = |kind: &str, features: Value| {
            let package = json!({
                "name": "x", "manifest_path": "/p/Cargo.toml", "targets": [{ "kind": [kind] }], "features": features,
            });
            json!({ "packages": [package], "target_directory": "/t" })
        };
        let dylib = json!({ "dylib": ["wxbot-plugin/dylib"] });
        for (name, metadata, want) in [
            ("workspace", json!({ "packages": [] }), "no package"),
            ("binary", package("bin", dylib.clone()), "src/lib.rs"),
            ("feature", package("lib", json!({})), "dylib = [\"wxbot-plugin/dylib\"]"),
        ] {
            let said = Crate::of_metadata(&metadata, manifest).unwrap_err();
            assert!(said.contains(want), "{name}: {said}");
        }
        let good = Crate::of_metadata(&package("lib", dylib), manifest).unwrap();
        assert_eq!(
            (good.name.as_str(), good.folder.as_path(), good.target.as_path()),
            ("x", Path::new("/p"), Path::new("/t"))
        );
    }

    #[test]
    fn the_library_is_found_among_the_artifacts() {
        let krate = Crate {
            name: "x".into(),
            folder: "/p".into(),
            manifest: "/p/Cargo.toml".into(),
            target: "/p/target".into(),
        };
        let file = format!("/t/libx.{}", std::env::consts::DLL_EXTENSION);
        let artifact = |reason: &str, manifest: &str, kind: &str| {
            json!({
                "reason": reason, "manifest_path": manifest, "target": { "crate_types": [kind] },
                "filenames": ["/t/libx.d", file],
            })
        };
        for (name, message, want) in [
            ("ours", artifact("compiler-artifact", "/p/Cargo.toml", "cdylib"), Some(PathBuf::from(&file))),
            ("a dependency's", artifact("compiler-artifact", "/q/Cargo.toml", "cdylib"), None),
            ("a plain one", artifact("compiler-artifact", "/p/Cargo.toml", "lib"), None),
            ("another message", artifact("build-script-executed", "/p/Cargo.toml", "cdylib"), None),
            ("no message", json!({}), None),
        ] {
            assert_eq!(krate.library_of(&message), want, "{name}");
        }
    }
}
