//! Does the guide's page tell the truth? Its settings are read, and each test that it names is one.

#![expect(clippy::unwrap_used, reason = "helpers of tests; clippy.toml knows only the tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wxbot_group_admin::{GroupAdmin, Settings};
use wxbot_plugin::{Place, Plugin, PluginConfig};

fn page(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn pages() -> [String; 2] {
    [page("group-admin.md"), page("zh-CN/group-admin.md")]
}

fn toml_of(page: &str) -> &str {
    page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap()
}

/// The names of tests in the table: the last column.
fn named(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let last = rows.map(|row| row.trim_end_matches(" |").rsplit("| ").next().unwrap());
    last.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`').to_owned())).collect()
}

fn sources(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.insert(path.clone(), fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn both_pages_show_the_same_settings_and_they_are_good() {
    let [english, chinese] = pages();
    assert_eq!(toml_of(&english), toml_of(&chinese));
    let file: Value = toml::from_str(toml_of(&english)).unwrap();
    let settings = Settings::read(&file["plugins"]["group-admin"], &Place::default()).unwrap();
    let features = GroupAdmin::plan(&settings).features;
    assert!(features.len() >= 15, "nearly all of it is shown: {features:?}");
}

#[test]
fn each_test_that_the_guide_names_is_one() {
    let [english, chinese] = pages().map(|page| named(&page));
    assert_eq!(english, chinese);
    assert!(english.len() > 40, "{}", english.len());
    let mut all = BTreeMap::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    for name in english {
        let mut parts = name.rsplit("::");
        let (function, module) = (parts.next().unwrap(), parts.find(|part| *part != "tests").unwrap());
        let is_it = |(path, text): (&PathBuf, &String)| {
            path.file_stem().is_some_and(|stem| stem == module) && text.contains(&format!("fn {function}("))
        };
        assert!(all.iter().any(is_it), "there is no test `{name}`");
    }
}
