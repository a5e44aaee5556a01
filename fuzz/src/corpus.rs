//! Where do inputs come from? From `fuzz/corpus/TARGET/`, which is saved, and from the fixtures of the tests.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::targets::Target;

/// A seed that is longer than this is cut: it is a beginning, not a test of size.
const LONGEST_SEED: usize = 32 * 1024;

/// An input and where it comes from.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// It.
    pub bytes: Vec<u8>,
}

/// The workspace.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where the saved inputs of a target lie.
pub fn folder(target: &Target) -> PathBuf {
    root().join("fuzz/corpus").join(target.name)
}

/// Where inputs are put that did what they must not.
pub fn crashes(target: &Target) -> PathBuf {
    root().join("fuzz/crashes").join(target.name)
}

/// All inputs that a target begins with, in the order of their names.
///
/// # Errors
/// When a file cannot be read.
pub fn inputs(target: &Target) -> io::Result<Vec<Input>> {
    let mut all = files(&folder(target), &[""])?;
    for place in target.seeds.0 {
        all.extend(files(&root().join(place.folder), place.ends)?);
    }
    for one in &mut all {
        one.bytes.truncate(LONGEST_SEED);
    }
    Ok(all)
}

/// The files of a folder whose names end so; none where there is no folder.
fn files(folder: &Path, ends: &[&str]) -> io::Result<Vec<Input>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_file() && ends.iter().any(|end| name.ends_with(end)) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    paths.into_iter().map(|path| Ok(Input { bytes: fs::read(&path)?, path })).collect()
}

/// A name for an input: what is in it decides.
pub fn name_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

/// Writes an input into a folder, under a name made of it; answers where.
///
/// # Errors
/// When it cannot be written.
pub fn save(folder: &Path, prefix: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{prefix}{}", name_of(bytes)));
    fs::write(&path, bytes)?;
    Ok(path)
}
