//! Does `docs/protocol/ilink.md` list all that the documentation says works, each with a test that exists? And does what the
//! guide shows pass `wxbot check`?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{listed, wxbot};

/// What works (true) and what works within a limit (false), by the capability matrix of the protocol.
const CAPABILITIES: [(&str, bool); 20] = [
    ("send_text", true),
    ("send_image", true),
    ("send_video", true),
    ("send_file", true),
    ("send_voice", false),
    ("typing", true),
    ("push", false),
    ("send_emoji", false),
    ("recv_text", true),
    ("recv_image", true),
    ("recv_file", true),
    ("recv_video", true),
    ("recv_voice", true),
    ("recv_quote", false),
    ("download_media", true),
    ("login_qr", true),
    ("hot_login", true),
    ("login_status", true),
    ("self_info", false),
    ("forward", false),
];
const HEAD: &str = "| Capability | | How | Test |";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is wrong with a page's table, in words.
fn judged(page: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let rows = page.lines().skip_while(|line| *line != HEAD).skip(2).take_while(|line| line.starts_with('|'));
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [capability, mark, _, tests] = cells[..] else {
            wrong.push(format!("no row of four: {row}"));
            continue;
        };
        match CAPABILITIES.iter().find(|(name, _)| *name == capability) {
            Some((_, whole)) if mark == if *whole { "●" } else { "◐" } => {}
            Some(_) => wrong.push(format!("{capability} is not {mark}")),
            None => wrong.push(format!("{capability} is no capability that works")),
        }
        if !seen.insert(capability) {
            wrong.push(format!("{capability} stands twice"));
        }
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            wrong.push(format!("{capability} names no test"));
        }
        wrong.extend(names.iter().filter(|name| !exists(name)).map(|name| format!("{capability}: no test `{name}`")));
    }
    let missing = CAPABILITIES.iter().filter(|(name, _)| !seen.contains(name));
    wrong.extend(missing.map(|(name, _)| format!("{name} has no row")));
    wrong
}

#[test]
fn each_capability_that_works_has_a_test_that_exists() {
    let page = fs::read_to_string(root().join("docs/protocol/ilink.md")).unwrap();
    let tests = listed::tests(root()).unwrap();
    // A test of iLink's own: elsewhere a name may mean another protocol.
    let exists = |name: &str| {
        let places = tests.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().any(|place| place.contains("ilink"))
    };
    assert_eq!(judged(&page, exists), Vec::<String>::new());
}

#[test]
fn a_table_with_holes_is_seen() {
    let row = |name: &str, mark: &str| format!("| {name} | {mark} | so | `there` |\n");
    let whole: String = CAPABILITIES.iter().map(|(name, all)| row(name, if *all { "●" } else { "◐" })).collect();
    let page = |rows: &str| format!("# x\n\n{HEAD}\n|---|---|---|---|\n{rows}\ntext\n");
    let of = |rows: &str| judged(&page(rows), |name| name == "there");
    assert_eq!(of(&whole), Vec::<String>::new());
    for (name, rows, want) in [
        ("a row less", whole.replace(&row("push", "◐"), ""), "push has no row"),
        ("another mark", whole.replace(&row("push", "◐"), &row("push", "●")), "push is not ●"),
        ("no test", whole.replacen("`there`", "by hand", 1), "send_text names no test"),
        ("a test that is gone", whole.replacen("`there`", "`gone`", 1), "send_text: no test `gone`"),
        ("twice", format!("{whole}{}", row("push", "◐")), "push stands twice"),
        ("too much", format!("{whole}{}", row("rooms", "●")), "rooms is no capability that works"),
    ] {
        assert_eq!(of(&rows), [want], "{name}");
    }
}

#[test]
fn what_the_guide_shows_passes_the_check() {
    for path in ["docs/guide/ilink.md", "docs/guide/zh-CN/ilink.md"] {
        let page = fs::read_to_string(root().join(path)).unwrap();
        let blocks: Vec<&str> =
            page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect();
        assert!(!blocks.is_empty(), "{path} shows no settings");
        for block in blocks {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("bot.toml"), block).unwrap();
            let said = wxbot::call(folder.path(), &["check"]).unwrap();
            assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{path}:\n{block}{}", said.out);
        }
    }
}

#[test]
fn both_languages_of_the_guide_name_the_same_keys_and_numbers() {
    let code = |path: &str| {
        let page = fs::read_to_string(root().join(path)).unwrap();
        let table: Vec<String> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .filter_map(|line| line.split('|').nth(1).map(|cell| cell.replace('、', ", ").trim().to_owned()))
            .collect();
        table
    };
    let (english, chinese) = (code("docs/guide/ilink.md"), code("docs/guide/zh-CN/ilink.md"));
    assert!(english.len() > 10, "{english:?}");
    assert_eq!(english, chinese);
}
