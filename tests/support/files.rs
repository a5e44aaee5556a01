//! Which Rust sources does this repository hold?

use std::io;
use std::path::{Path, PathBuf};

/// Folders with Rust sources; others (docs, target) hold none of ours.
const SOURCE_ROOTS: [&str; 6] = ["crates", "plugins", "xtask", "tests", "examples", "fuzz"];

/// Folders below them that hold somebody else's or generated files.
const FOREIGN: [&str; 4] = ["target", "node_modules", "venv", "__pycache__"];

/// All `.rs` files of the repository at `root`, as sorted paths relative to it.
pub(crate) fn rust_sources(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in SOURCE_ROOTS {
        let folder = root.join(folder);
        if folder.is_dir() {
            walk(&folder, &mut found)?;
        }
    }
    let mut relative: Vec<_> =
        found.iter().filter_map(|path| path.strip_prefix(root).ok()).map(Path::to_path_buf).collect();
    relative.sort();
    Ok(relative)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // `file_type` does not follow links, so a link to a parent cannot loop.
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !FOREIGN.contains(&&*name) {
                walk(&path, found)?;
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}
