//! `wxbot plugin new`: a crate that compiles, passes its test, and can be loaded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::args::NewOptions;
use super::name::Name;
use super::sdk::Sdk;
use crate::report::{Failure, OrExit, print, say};

/// The files of a new crate; words in `{{…}}` are filled in.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("template/manifest.toml")),
    (".gitignore", include_str!("template/gitignore")),
    ("README.md", include_str!("template/README.md")),
    ("src/lib.rs", include_str!("template/lib.rs")),
];

pub(super) fn run(options: &NewOptions) -> Result<(), Failure> {
    let name = Name::parse(&options.name).map_err(Failure::new)?;
    let sdk = match &options.wxbot {
        Some(text) => Sdk::asked(text)?,
        None => Sdk::own(),
    };
    // `./name` would be the same; so it is read easier.
    let here = options.dir == Path::new(".");
    let folder = if here { PathBuf::from(name.as_str()) } else { options.dir.join(name.as_str()) };
    write(&folder, &filled(&name, &sdk))?;
    match (&sdk, &options.wxbot) {
        (Sdk::Path(path), None) => say(&format!(
            "it depends on the wxbot that this program was built from, in {}; `--wxbot` names another",
            path.display()
        )),
        (Sdk::Path(_) | Sdk::Version(_), _) => {}
    }
    if let Some(workspace) = workspace_above(&folder) {
        say(&format!(
            "warning: {} is a workspace: add \"{}\" to its `members`, or move the new folder out of it",
            workspace.display(),
            name.as_str(),
        ));
    }
    print(&format!("wrote {}", folder.display()));
    say(&format!("next: cd {}; then `cargo test`, `wxbot dev` to try it, `wxbot plugin build`", folder.display()));
    Ok(())
}

fn filled(name: &Name, sdk: &Sdk) -> Vec<(&'static str, String)> {
    let library = format!("{}{}{}", std::env::consts::DLL_PREFIX, name.krate(), std::env::consts::DLL_SUFFIX);
    let fill = |text: &str| {
        text.replace("{{name}}", name.as_str())
            .replace("{{library}}", &library)
            .replace("{{type}}", &name.type_name())
            .replace("{{wxbot}}", &sdk.dependency(&[]))
            .replace("{{wxbot-testing}}", &sdk.dependency(&["testing"]))
    };
    FILES.iter().map(|(file, text)| (*file, fill(text))).collect()
}

/// Writes all files, or none.
fn write(folder: &Path, files: &[(&str, String)]) -> Result<(), Failure> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(format!(
                "{} is there already; it was left as it is: choose another name, or another `--dir`",
                folder.display()
            )));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return Err(Failure::new(format!("there is no folder {}; make it first", parent.display())));
        }
        made => made.or_exit(&format!("cannot make {}", folder.display()))?,
    }
    let written = files.iter().try_for_each(|(file, text)| {
        let path = folder.join(file);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        made.or_exit(&format!("cannot write {}", path.display()))
    });
    if written.is_err() {
        // It is ours: nobody else made it.
        fs::remove_dir_all(folder).ok();
    }
    written
}

/// The `Cargo.toml` of a workspace that cargo would take the folder for a part of.
fn workspace_above(folder: &Path) -> Option<PathBuf> {
    let folder = fs::canonicalize(folder).ok()?;
    let is_workspace = |manifest: &PathBuf| {
        let text = fs::read_to_string(manifest).unwrap_or_default();
        text.lines().any(|line| line.trim_end() == "[workspace]")
    };
    folder.ancestors().skip(1).map(|above| above.join("Cargo.toml")).find(is_workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_open_in_the_files() {
        let name = Name::parse("good-morning").unwrap();
        for (file, text) in filled(&name, &Sdk::Version("0.1".into())) {
            assert!(!text.contains("{{") && !text.contains("}}"), "{file}: {text}");
        }
        let (_, manifest) = filled(&name, &Sdk::own()).remove(0);
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("good-morning"));
        assert!(manifest["features"]["dylib"].is_array() && !manifest.contains_key("workspace"));
    }

    #[test]
    fn what_cannot_be_finished_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x");
        let files = [("src", "a file".to_owned()), ("src/lib.rs", "below a file".to_owned())];
        assert!(write(&folder, &files).is_err());
        assert!(!folder.exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_workspace_above_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("plugins/x");
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(workspace_above(&folder), None);
        fs::write(dir.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
        assert_eq!(workspace_above(&folder), Some(fs::canonicalize(dir.path()).unwrap().join("Cargo.toml")));
    }
}
