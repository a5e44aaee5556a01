//! Does the guide tell the truth? Its Rust is compiled and its tests are run, and both languages show the same code.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ENGLISH: &str = "docs/guide/write-a-plugin.md";
const CHINESE: &str = "docs/guide/zh-CN/write-a-plugin.md";
/// Below the attributes; its other pieces of Rust are parts of something.
const REFERENCE: &str = "docs/guide/plugins.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One block between fences: the word behind the first fence, and the lines.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    text: String,
}

fn blocks(file: &str) -> Vec<Block> {
    let page = fs::read_to_string(root().join(file)).unwrap();
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(Block { language: language.to_owned(), text: body.join("\n") });
        }
    }
    found
}

/// A crate of an author, outside of this workspace, with a module for each piece.
fn write_crate(folder: &Path, pieces: &[String]) {
    fs::create_dir_all(folder.join("src")).unwrap();
    let sdk = root().join("crates/plugin");
    let manifest = format!(
        "[package]\nname = \"guide\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[features]\n\
         dylib = [\"wxbot-plugin/dylib\"]\n\n[dependencies]\nwxbot-plugin = {{ path = {sdk:?} }}\n\n\
         [dev-dependencies]\nwxbot-plugin = {{ path = {sdk:?}, features = [\"testing\"] }}\nserde_json = \"1\"\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions that were tested; what is left over is dropped by cargo.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut lib = String::new();
    for (number, piece) in pieces.iter().enumerate() {
        _ = writeln!(lib, "pub mod piece_{number};");
        fs::write(folder.join(format!("src/piece_{number}.rs")), piece).unwrap();
    }
    fs::write(folder.join("src/lib.rs"), lib).unwrap();
}

fn cargo(folder: &Path, target: &Path, words: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(words).arg("--offline").arg("--target-dir").arg(target).current_dir(folder);
    // Warnings of the pieces are faults of the guide.
    let output = cargo.env("RUSTFLAGS", "-D warnings").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "cargo {words:?}\n{said}");
    said
}

#[test]
fn what_the_guide_shows_compiles_and_passes_its_tests() {
    let whole = |block: &Block| block.language == "rust" && block.text.contains("use wxbot_plugin::prelude::*;");
    let all = [ENGLISH, REFERENCE].into_iter().flat_map(blocks);
    let pieces: Vec<String> = all.filter(whole).map(|block| block.text).collect();
    assert!(pieces.len() >= 9, "the guide has lost its code");
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), &pieces);
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guide");
    let said = cargo(folder.path(), &target, &["test", "--lib"]);
    let tests =
        pieces.iter().map(|piece| piece.matches("#[wxbot_plugin::test").count() + piece.matches("#[test]").count());
    let tests = tests.sum::<usize>();
    assert!(said.contains(&format!("{tests} passed")), "{said}");
    cargo(folder.path(), &target, &["check", "--features", "dylib"]);
}

#[test]
fn both_languages_show_the_same_code() {
    assert_eq!(blocks(ENGLISH), blocks(CHINESE));
    let rust = |file| blocks(file).into_iter().filter(|block| block.language == "rust").collect::<Vec<_>>();
    assert_eq!(rust(REFERENCE)[1], rust("docs/guide/zh-CN/plugins.md")[1]);
}

#[test]
fn the_binary_of_the_guide_is_the_one_of_the_examples() {
    let shown = blocks(ENGLISH).into_iter().find(|block| block.language == "rust no-run").unwrap().text;
    let example = fs::read_to_string(root().join("examples/embed.rs")).unwrap();
    for line in shown.lines().map(|line| line.replace("my_plugin::Hello", "Ping")) {
        assert!(example.contains(&line), "{line}");
    }
}
