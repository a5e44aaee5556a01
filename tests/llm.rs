//! Does what the guide shows about language models pass `wxbot check`, and does it say what is wrong with it?
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

mod support;

use std::fs;
use std::path::Path;

use support::wxbot::{self, Said};

const PAGES: [&str; 2] = ["docs/guide/auto-reply-llm.md", "docs/guide/zh-CN/auto-reply-llm.md"];

/// The `bot.toml`s of a page.
fn shown(page: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}

fn check(config: &str, key: Option<&str>) -> Said {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    let mut command = wxbot::command(folder.path(), &["check"]);
    match key {
        Some(key) => command.env("LLM_KEY", key),
        None => command.env_remove("LLM_KEY"),
    };
    wxbot::finish(command).unwrap()
}

#[test]
fn what_the_guide_of_the_model_shows_passes_the_check() {
    let [english, chinese] = PAGES.map(shown);
    assert_eq!(english, chinese, "both languages show the same");
    assert_eq!(english.len(), 2);
    for config in &english {
        let said = check(config, Some("sk-1"));
        assert_eq!(said.code, Some(0), "{config}\n{}{}", said.out, said.err);
    }
}

#[test]
fn mistakes_are_shown_at_their_place_and_secrets_are_not() {
    let good = shown(PAGES[0]).swap_remove(1);
    for (name, from, to, key, part) in [
        ("no variable", "", "", None, "not set"),
        ("a key in the clear", "{ env = \"LLM_KEY\" }", "\"sk-canary\"", Some("sk-1"), "must not stand in the file"),
        ("a key in the URL", "https://api", "https://me:sk-canary@api", Some("sk-1"), "user or password"),
        ("a key over the network in the clear", "https://api", "http://api", Some("sk-1"), "in the clear"),
        ("a key with a line end", "", "", Some("sk-canary\n"), "cannot be sent"),
        ("a word that is none", "max_tokens", "max_token", Some("sk-1"), "max_tokens"),
    ] {
        let said = check(&good.replacen(from, to, 1), key);
        let all = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, Some(1), "{name}: {all}");
        assert!(all.contains(part) && !all.contains("sk-canary"), "{name}: {all}");
    }
}
