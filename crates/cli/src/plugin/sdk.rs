//! Where does a new crate get the SDK from? A checkout on this machine, or a version.

use std::fs;
use std::path::{Path, PathBuf};

use crate::report::{Failure, OrExit};

/// The SDK that a crate depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    /// The folder of the package `wxbot-plugin`.
    Path(PathBuf),
    /// A requirement like `0.1`.
    Version(String),
}

impl Sdk {
    /// What somebody asked for: a folder, else a version.
    ///
    /// # Errors
    /// It is neither.
    pub(super) fn asked(text: &str) -> Result<Self, Failure> {
        let path = Path::new(text);
        if path.is_dir() {
            let folder = package_in(path).ok_or_else(|| {
                let text = path.display();
                Failure::new(format!("{text} holds no wxbot: neither it nor `crates/plugin` in it is `wxbot-plugin`"))
            })?;
            return fs::canonicalize(&folder).or_exit(&format!("cannot use {}", folder.display())).map(Self::Path);
        }
        if is_version(text) {
            return Ok(Self::Version(text.to_owned()));
        }
        Err(Failure::new(format!("`{text}` is neither a folder nor a version like `{}`", env!("CARGO_PKG_VERSION"))))
    }

    /// The SDK that belongs to this wxbot: of the checkout that it was built from, while that is there.
    pub(super) fn own() -> Self {
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR"));
        let version = env!("CARGO_PKG_VERSION");
        match package_in(built_from) {
            Some(folder) => Self::Path(folder),
            None => Self::Version(version.to_owned()),
        }
    }

    /// As it stands in `Cargo.toml`, with these features of the SDK.
    pub(super) fn dependency(&self, features: &[&str]) -> String {
        let from = match self {
            Self::Path(folder) => format!("path = {}", quoted(&folder.to_string_lossy())),
            Self::Version(version) => format!("version = {}", quoted(version)),
        };
        if features.is_empty() {
            return format!("{{ {from} }}");
        }
        let features: Vec<_> = features.iter().map(|feature| quoted(feature)).collect();
        format!("{{ {from}, features = [{}] }}", features.join(", "))
    }
}

/// The folder of `wxbot-plugin` in a checkout, or the folder itself.
fn package_in(folder: &Path) -> Option<PathBuf> {
    let is_sdk = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim_end() == "name = \"wxbot-plugin\"")
    };
    [folder.join("crates/plugin"), folder.to_owned()].into_iter().find(|folder| is_sdk(folder))
}

/// Digits and dots, perhaps with what compares them.
fn is_version(text: &str) -> bool {
    let plain = text.trim_start_matches(['=', '^', '~', '>', '<', ' ']);
    plain.starts_with(|c: char| c.is_ascii_digit())
        && plain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
}

/// A basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_its_sdk_and_versions_are_taken() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in [own.to_owned(), own.join("crates/plugin")] {
            let sdk = Sdk::asked(folder.to_str().unwrap()).unwrap();
            assert_eq!(sdk, Sdk::Path(fs::canonicalize(own.join("crates/plugin")).unwrap()));
        }
        assert!(matches!(Sdk::own(), Sdk::Path(_)));
        for version in ["0.1", "=0.1.0", "^1.2.3-beta.1", ">= 1"] {
            assert_eq!(Sdk::asked(version).unwrap(), Sdk::Version(version.into()));
        }
        let empty = tempfile::tempdir().unwrap();
        for (wrong, what) in
            [(empty.path().to_str().unwrap(), "holds no wxbot"), ("nowhere", "neither"), ("", "neither")]
        {
            let said = Sdk::asked(wrong).unwrap_err().to_string();
            assert!(said.contains(what), "{wrong}: {said}");
        }
    }

    #[test]
    fn dependencies_are_toml() {
        for sdk in [Sdk::Version("0.1".into()), Sdk::Path("/a \"b\"\\c\n/d".into())] {
            let table: toml::Table = format!("x = {}", sdk.dependency(&["testing"])).parse().unwrap();
            assert_eq!(table["x"]["features"][0].as_str(), Some("testing"));
            assert!(!sdk.dependency(&[]).contains("features"));
            let value = match &sdk {
                Sdk::Path(path) => (path.to_str().unwrap().to_owned(), "path"),
                Sdk::Version(version) => (version.clone(), "version"),
            };
            assert_eq!(table["x"][value.1].as_str().unwrap(), value.0);
        }
    }
}
