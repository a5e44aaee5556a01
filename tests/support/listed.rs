//! Which tests does this repository have, by name? For pages that promise a test for each thing they say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::files;

/// All tests of the tree at `root` by name, with the files they are in.
pub(crate) fn tests(root: &Path) -> io::Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files::rust_sources(root)? {
        let text = fs::read_to_string(root.join(&path))?;
        for name in tests_in(&text) {
            found.entry(name).or_default().push(path.to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

/// The names of functions with an attribute that makes them tests.
pub(crate) fn tests_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    // An attribute may run over several lines: everything up to the function belongs to it.
    for line in text.lines().map(str::trim) {
        let mark = ["#[test]", "#[tokio::test", "#[wxbot_plugin::test"].iter().any(|mark| line.starts_with(mark));
        // One that is switched off shows nothing.
        marked = (marked || mark) && !line.is_empty() && !line.starts_with("#[ignore");
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let Some(rest) = rest.filter(|_| marked) else { continue };
        marked = false;
        names.push(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
    }
    names
}
