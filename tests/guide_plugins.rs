//! Does the guide promise of the bundled plugins only what a test shows? Each feature names its test, both languages name
//! the same ones, and each `toml` on these pages passes `wxbot check`.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;

use support::{listed, wxbot};

/// Pages, and whose features they list.
const PAGES: [(&str, &str); 4] = [
    ("auto-reply", "auto-reply"),
    ("auto-reply-llm", "auto-reply"),
    ("keyword", "keyword"),
    ("group-admin", "group-admin"),
];
/// The head of the table of features, by language.
const HEADS: [&str; 2] = ["| Feature | Test |", "| 功能 | 测试 |"];
/// What makes a `toml` without accounts a whole file.
const ACCOUNT: &str = "\n[[accounts]]\nname = \"me\"\nprotocol = \"web\"\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The English page and its twin.
fn pages(name: &str) -> [(String, String); 2] {
    ["docs/guide", "docs/guide/zh-CN"].map(|folder| {
        let path = format!("{folder}/{name}.md");
        let page = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (path, page)
    })
}

/// The features of a page with their tests, and the line each stands in.
fn features(path: &str, page: &str) -> Vec<(usize, String, Vec<String>)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(page.lines()) {
        if HEADS.contains(&line) {
            inside = true;
            continue;
        }
        if !line.starts_with('|') {
            inside = false;
        }
        if !inside || line.starts_with("|---") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [feature, tests] = cells[..] else { panic!("{path}:{number}: a row has a feature and its tests: {line}") };
        // Names stand in code; the rest of the cell is for people.
        let names: Vec<String> = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!names.is_empty(), "{path}:{number}: `{feature}` names no test");
        found.push((number, feature.to_owned(), names));
    }
    assert!(!found.is_empty(), "{path}: no table of features");
    found
}

#[test]
fn each_feature_of_the_guide_has_a_test_that_exists() {
    let (tests, mut missing) = (listed::tests(root()).unwrap(), Vec::new());
    for (name, plugin) in PAGES {
        for (path, page) in pages(name) {
            for (line, feature, names) in features(&path, &page) {
                for name in names {
                    // A test of this plugin, or one that runs the binary.
                    let places = tests.get(&name).map(Vec::as_slice).unwrap_or_default();
                    let own = |place: &&String| {
                        place.starts_with(&format!("plugins/{plugin}/")) || place.starts_with("tests/")
                    };
                    if !places.iter().any(|place| own(&place)) {
                        missing.push(format!("{path}:{line}: {feature}: no test `{name}` ({places:?})"));
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn both_languages_list_the_same_tests() {
    for (page, _) in PAGES {
        let [english, chinese] = pages(page).map(|(path, page)| features(&path, &page));
        let names = |list: Vec<(usize, String, Vec<String>)>| list.into_iter().map(|(_, _, n)| n).collect::<Vec<_>>();
        assert_eq!(names(english), names(chinese), "{page}");
    }
}

/// The blocks of a page: the words behind the first fence, and what stands in it.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((words.to_owned(), body.join("\n") + "\n"));
        }
    }
    found
}

#[test]
fn each_toml_of_these_pages_passes_the_check() {
    for (name, _) in PAGES {
        for (path, page) in pages(name) {
            let folder = tempfile::tempdir().unwrap();
            let blocks = blocks(&page);
            // ```text words.txt is a file that the settings name.
            for (words, body) in &blocks {
                if let Some((_, file)) = words.split_once(' ') {
                    fs::write(folder.path().join(file), body).unwrap();
                }
            }
            let settings: Vec<&String> =
                blocks.iter().filter(|(words, _)| words == "toml").map(|(_, body)| body).collect();
            assert!(!settings.is_empty(), "{path} shows no settings");
            for block in settings {
                let accounts = if block.contains("[[accounts]]") { "" } else { ACCOUNT };
                fs::write(folder.path().join("bot.toml"), format!("{block}{accounts}")).unwrap();
                let mut check = wxbot::command(folder.path(), &["check"]);
                // The secret that a page shows how to name.
                check.env("LLM_KEY", "sk-1");
                let said = wxbot::finish(check).unwrap();
                assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{path}:\n{block}{}", said.out);
            }
        }
    }
}

#[test]
fn tests_are_recognised() {
    let text = "
        #[test]
        fn plain() {}

        fn helper() {}

        #[wxbot_plugin::test(settings = json!({
            \"a\": 1,
        }))]
        async fn long(bot: Kit<X>) {}

        #[tokio::test(start_paused = true)]
        async fn tokio() {}

        #[test]
        #[OFF = \"slow\"]
        fn off() {}

        #[derive(Debug)]
        struct Not;
        fn not_either() {}
    "
    // Not in one word: whoever lists what is switched off reads the lines of this file too.
    .replace("OFF", "ignore");
    assert_eq!(listed::tests_in(&text), ["plain", "long", "tokio"]);
}
