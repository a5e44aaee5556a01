//! How does a library get to its place? Under another name first, then renamed: nobody ever sees half of it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::report::{Failure, OrExit};

/// Copies a library into a folder, which is made where it is missing. Answers its new place.
pub(super) fn install(library: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let name = library.file_name().unwrap_or(library.as_os_str());
    let place = folder.join(name);
    fs::create_dir_all(folder).or_exit(&format!("cannot make {}", folder.display()))?;
    // Hidden, and with another end: no watcher takes it for a library.
    let new = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let put = copy(library, &new).and_then(|()| fs::rename(&new, &place));
    if put.is_err() {
        fs::remove_file(&new).ok();
    }
    put.or_exit(&format!("cannot write {}", place.display()))?;
    Ok(place)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    // Else a crash could leave a name without its contents.
    File::open(to)?.sync_all()
}

/// The folder of `bot.toml`.
fn folder_of(config: &Path) -> &Path {
    config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// How `bot.toml` names a file: from its own folder where the file is below that, else from the root.
pub(super) fn as_named(file: &Path, config: &Path) -> String {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (file, folder) = (real(file), real(folder_of(config)));
    file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_comes_whole_over_the_one_before_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let (built, plugins) = (dir.path().join("libx.so"), dir.path().join("bot/plugins"));
        for content in ["one", "two"] {
            fs::write(&built, content).unwrap();
            let place = install(&built, &plugins).unwrap();
            assert_eq!(place, plugins.join("libx.so"));
            assert_eq!(fs::read_to_string(place).unwrap(), content);
        }
        fs::remove_file(plugins.join("libx.so")).unwrap();
        fs::create_dir_all(plugins.join("libx.so/in-the-way")).unwrap();
        assert!(install(&built, &plugins).unwrap_err().to_string().contains("libx.so"));
        assert_eq!(fs::read_dir(&plugins).unwrap().count(), 1, "the copy is gone");
    }

    #[test]
    fn a_file_is_named_from_the_folder_of_bot_toml() {
        let (bot, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(bot.path().join("plugins")).unwrap();
        let (inside, outside) = (bot.path().join("plugins/libx.so"), elsewhere.path().join("libx.so"));
        fs::write(&inside, "").unwrap();
        fs::write(&outside, "").unwrap();
        let config = bot.path().join("bot.toml");
        assert_eq!(as_named(&inside, &config), "plugins/libx.so");
        assert_eq!(Path::new(&as_named(&outside, &config)), fs::canonicalize(&outside).unwrap());
        assert_eq!(folder_of(Path::new("bot.toml")), Path::new("."));
    }
}
