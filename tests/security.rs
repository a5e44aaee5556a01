//! Has every security requirement a test of its name, and does the binary hold nothing that some of them forbid?
//!
//! Requirements have numbers (SECURITY.md); a test that proves Rnn is called `sec_rNN_…`, wherever it lies.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

#[path = "support/files.rs"]
mod files;
#[path = "support/source.rs"]
#[allow(dead_code, reason = "`tidy.rs` uses the rest of it")]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use files::rust_sources;
use source::{Source, has_word};

/// All that are promised: R22, R23, R25, R30, R31 and R36 are of parts that do not exist.
const PROMISED: [u8; 29] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 24, 26, 27, 28, 29, 32, 33, 34];
/// Of the deployment: its test may be a step that reads files, but it has a name all the same.
const DEPLOYED: [u8; 1] = [35];

/// The test functions `sec_rNN_…` of all sources: number → names with their files.
fn tests() -> BTreeMap<u8, BTreeSet<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: BTreeMap<u8, BTreeSet<(String, String)>> = BTreeMap::new();
    for path in rust_sources(root).unwrap() {
        let source = Source::new(&fs::read_to_string(root.join(&path)).unwrap());
        for (at, line) in source.code.iter().enumerate() {
            // A row of a table of tests (`fuzz/tests/corpus.rs`) is the name alone.
            let name = line.split_once("fn sec_r").map(|(_, rest)| rest).or_else(|| line.trim().strip_prefix("sec_r"));
            let Some(name) = name else { continue };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(number) = name.get(..2).and_then(|digits| digits.parse().ok()) else { continue };
            // Settings of a plugin's test stand between its attribute and its name.
            let before = source.code.get(at.saturating_sub(40)..at).unwrap_or_default();
            let is_test = line.trim().starts_with("sec_r") || before.iter().any(|line| line.contains("test"));
            let is_off = before.iter().rev().take(3).any(|line| line.contains("#[ignore"));
            if is_test && !is_off {
                found.entry(number).or_default().insert((format!("sec_r{name}"), path.display().to_string()));
            }
        }
    }
    found
}

#[test]
fn every_promised_requirement_has_a_test_of_its_name() {
    let found = tests();
    let missing: Vec<_> = PROMISED
        .iter()
        .chain(&DEPLOYED)
        .filter(|number| !found.contains_key(number))
        .map(|number| format!("R{number:02}: no test is called `sec_r{number:02}_…`"))
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn security_md_names_tests_that_exist_and_a_test_of_each_requirement() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md")).unwrap();
    let known: BTreeSet<String> = tests().into_values().flatten().map(|(name, _)| name).collect();
    let named: BTreeSet<&str> =
        text.split('`').filter(|word| word.starts_with("sec_r") && !word.contains('…')).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "SECURITY.md names tests that are nowhere: {unknown:?}");
    let without: Vec<_> = tests()
        .into_keys()
        .filter(|number| !named.iter().any(|name| name.starts_with(&format!("sec_r{number:02}_"))))
        .collect();
    assert!(without.is_empty(), "SECURITY.md names no test of {without:?}");
}

/// What the binary is made of, without what only its tests and builds need.
fn crates_of_the_binary() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["tree", "-p", "wxbot", "-e", "normal", "--prefix", "none", "--locked", "--offline", "--target", "all"];
    let output = Command::new(cargo).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(names.contains("wxbot-core") && names.contains("rusqlite"), "the tree was not read: {names:?}");
    names
}

/// Those of `forbidden` that are there; a `*` at the end stands for anything.
fn forbidden<'a>(there: &'a BTreeSet<String>, forbidden: &[&str]) -> Vec<&'a String> {
    let hit = |name: &str| {
        forbidden.iter().any(|one| one.strip_suffix('*').map_or(name == *one, |start| name.starts_with(start)))
    };
    there.iter().filter(|name| hit(name)).collect()
}

/// Pictures, sounds, films, archives, documents.
const DECODERS: &[&str] = &[
    "image",
    "image-*",
    "jpeg-*",
    "zune-*",
    "turbojpeg*",
    "mozjpeg*",
    "gif",
    "gif-*",
    "webp",
    "webp-*",
    "libwebp*",
    "avif*",
    "dav1d*",
    "rav1e*",
    "tiff",
    "exr",
    "qoi",
    "bmp",
    "ico",
    "resvg",
    "usvg",
    "tiny-skia*",
    "libheif*",
    "jxl-*",
    "rawloader",
    "kamadak-exif",
    "rxing*",
    "rqrr",
    "zbar*",
    "quircs",
    "bardecoder",
    "symphonia*",
    "rodio",
    "hound",
    "lewton",
    "claxon",
    "minimp3*",
    "puremp3",
    "opus*",
    "audiopus*",
    "ogg*",
    "vorbis*",
    "silk*",
    "amr*",
    "ffmpeg*",
    "gstreamer*",
    "mp4*",
    "mp4parse*",
    "re_mp4",
    "matroska*",
    "zip",
    "zip-*",
    "async_zip",
    "tar",
    "tokio-tar",
    "sevenz*",
    "unrar*",
    "compress-tools",
    "libarchive*",
    "cab",
    "xz2",
    "bzip2*",
    "brotli*",
    "zstd*",
    "lopdf",
    "pdf*",
    "calamine",
];

#[test]
fn sec_r12_nothing_of_ours_decodes_media() {
    let there = crates_of_the_binary();
    let found = forbidden(&there, DECODERS);
    assert!(
        found.is_empty(),
        "the binary can decode or unpack with {found:?}: that belongs into a child process (R12)"
    );
    // PNG is written, for QR codes, and never read.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in rust_sources(root).unwrap() {
        let source = Source::new(&fs::read_to_string(root.join(&path)).unwrap());
        let reads = source.in_code(false, |line| (has_word(line, "png") && line.contains("Decoder")).then(String::new));
        assert!(reads.is_empty(), "{}:{}: a picture is decoded", path.display(), reads[0].line);
    }
}

#[test]
fn sec_r11_no_engine_of_patterns_backtracks() {
    let there = crates_of_the_binary();
    let found = forbidden(&there, &["fancy-regex", "pcre*", "onig*", "hyperscan*", "vectorscan*", "regress"]);
    assert!(found.is_empty(), "patterns of people would run on {found:?}");
    assert!(there.contains("regex-automata"));
}

#[test]
fn what_is_forbidden_is_seen() {
    let there: BTreeSet<String> = ["image", "zip", "zstd-sys", "png", "imagine"].map(str::to_owned).into();
    assert_eq!(forbidden(&there, DECODERS), ["image", "zip", "zstd-sys"]);
}
