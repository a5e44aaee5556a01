//! Lists in all formats and encodings, and what is wrong with some.

use std::time::Duration;

use encoding_rs::{BIG5, GB18030, GBK, SHIFT_JIS};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::fold::Folding;

/// Files of one test.
struct Rig(TempDir);

impl Rig {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<Read, Vec<ListProblem>> {
        read(&[self.file(name, bytes)], folder())
    }

    /// What a broken file makes, as it is shown, without its folder.
    fn complaints(&self, name: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let problems = self.read(name, bytes).map(|read| read.entries).unwrap_err();
        assert!(problems.iter().all(|problem| !problem.help.is_empty()));
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

fn folder() -> Folder {
    Folder::new(Folding { simplified: true, ..Folding::default() })
}

fn keywords(read: &Read) -> Vec<(&str, usize)> {
    read.entries.iter().map(|entry| (&*entry.keyword, entry.line)).collect()
}

fn full(keyword: &str, reply: &str, priority: i32, tag: &str, line: usize) -> Entry {
    Entry {
        keyword: keyword.to_owned(),
        regex: false,
        word: false,
        reply: Some(reply.to_owned()),
        priority: Some(priority),
        tag: Some(tag.to_owned()),
        file: 0,
        line,
    }
}

fn bare(keyword: &str, line: usize) -> Entry {
    Entry { reply: None, priority: None, tag: None, ..full(keyword, "", 0, "", line) }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn lines_of_text() {
    let rig = Rig::new();
    let text = "# 广告\n发票\r\n\n  加微信 \t\n\\#话题\n#comment\nC#\n\\d\n";
    let read = rig.read("ads.txt", text).unwrap();
    assert_eq!(keywords(&read), [("发票", 2), ("加微信", 4), ("#话题", 5), ("C#", 7), ("\\d", 8)]);
    assert_eq!(rig.read("without-ending", "发票").unwrap().entries, [bare("发票", 1)]);
    assert_eq!(rig.read("empty.txt", "").unwrap().entries, []);
}

#[test]
fn rows_in_order() {
    let rig = Rig::new();
    let text = "发票,\"代开, 找我\",5,广告\n\n# comment\n收据\n\"他说\"\"行\"\"\",,-1,\n\"a\nb\",,,\n";
    let problems = rig.complaints("list.csv", text);
    assert_eq!(problems, ["list.csv:6: a keyword goes over several lines"]);
    let text = "发票,\"代开, 找我\",5,广告\n\n# comment\n收据\n\"他说\"\"行\"\"\",,-1,\n";
    let read = rig.read("list.csv", text).unwrap();
    let said = Entry { priority: Some(-1), ..bare("他说\"行\"", 5) };
    assert_eq!(read.entries, [full("发票", "代开, 找我", 5, "广告", 1), bare("收据", 4), said]);
}

#[test]
fn rows_under_a_header() {
    let rig = Rig::new();
    let read = rig.read("list.csv", "Tag,Keyword,Reply,Priority\r\n广告,发票,\"一\n二\",5\r\n,收据,,\r\n").unwrap();
    assert_eq!(read.entries, [full("发票", "一\n二", 5, "广告", 2), bare("收据", 4)]);
    let read = rig.read("list.tsv", "关键词\t整词\t正则\nai\t是\t\na+\t否\t1\n").unwrap();
    let (word, regex) = (Entry { word: true, ..bare("ai", 2) }, Entry { regex: true, ..bare("a+", 3) });
    assert_eq!(read.entries, [word, regex]);
}

#[test]
fn toml() {
    let rig = Rig::new();
    let text =
        "keywords = [\n  \"发票\",\n  { keyword = \"收据\", reply = \"好\", priority = 0x10, tag = \"t\" },\n]\n";
    assert_eq!(rig.read("list.toml", text).unwrap().entries, [bare("发票", 2), full("收据", "好", 16, "t", 3)]);
    let text = "[[keywords]]\nkeyword = \"a\"\nword = true\n\n[[keywords]]\nkeyword = \"a+\"\nregex = true\n";
    let (word, regex) = (Entry { word: true, ..bare("a", 1) }, Entry { regex: true, ..bare("a+", 5) });
    assert_eq!(rig.read("list.toml", text).unwrap().entries, [word, regex]);
}

#[test]
fn encodings() {
    let rig = Rig::new();
    let text = "发票\r\n加微信,领红包\r\n";
    for (name, bytes, want) in [
        ("UTF-8", text.into(), Encoding::Utf8),
        ("UTF-8 with its mark", format!("\u{FEFF}{text}").into_bytes(), Encoding::Utf8),
        ("UTF-16, small end first", utf16(text, u16::to_le_bytes), Encoding::Utf16),
        ("UTF-16, big end first", utf16(text, u16::to_be_bytes), Encoding::Utf16),
        ("GBK", GBK.encode(text).0.into(), Encoding::Gb18030),
        ("GB18030", GB18030.encode(text).0.into(), Encoding::Gb18030),
    ] {
        let read = rig.read("list.txt", &bytes).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        assert_eq!(keywords(&read), [("发票", 1), ("加微信,领红包", 2)], "{name}");
        assert_eq!(read.files[0].encoding, want, "{name}");
        let csv = rig.read("list.csv", &bytes).unwrap();
        assert_eq!(
            csv.entries,
            [bare("发票", 1), Entry { reply: Some("领红包".to_owned()), ..bare("加微信", 2) }],
            "{name}"
        );
    }
    // What GBK has no two bytes for has four in GB18030.
    let read = rig.read("list.txt", GB18030.encode("开心每一天\n你好😀\n").0).unwrap();
    assert_eq!(keywords(&read), [("开心每一天", 1), ("你好😀", 2)]);
    let read = rig.read("list.txt", GBK.encode("開發票的請加我微信\n").0).unwrap();
    assert_eq!(keywords(&read), [("開發票的請加我微信", 1)], "traditional characters in GBK");
}

#[test]
fn what_is_no_text() {
    let rig = Rig::new();
    let traditional = "請加我的微信領取紅包\n這是一個測試\n開發票的都來吧\n";
    let broken = b"\xE5\x8F\x91\xE7\xA5\xA8\n\xE6\x94\xB6\xE6\n\xE5\x8F\x91";
    let cut = [&b"\xFF\xFE\x41\x00\x0A\x00"[..], &[0x3D, 0xD8, 0x41]].concat();
    for (name, bytes, want) in [
        ("Big5", &*BIG5.encode(traditional).0, "l.txt: the file is neither UTF-8 nor Chinese in GBK (Big5, perhaps)"),
        (
            "Japanese",
            &SHIFT_JIS.encode("これは日本語です\n").0,
            "l.txt: the file is neither UTF-8 nor Chinese in GBK (Big5, perhaps)",
        ),
        ("Latin", b"ok\ncaf\xE9 ol\xE9\n", "l.txt:2: these bytes are neither UTF-8 nor GBK"),
        ("broken UTF-8", broken, "l.txt:2: the file is UTF-8, but not here"),
        ("UTF-8 by its mark", b"\xEF\xBB\xBFok\n\xB7\xA2\xC6\xB1", "l.txt:2: the file is UTF-8, but not here"),
        ("half of UTF-16", &cut, "l.txt:2: a character is cut in two (the file is UTF-16)"),
        ("UTF-16 without its mark", b"a\0b\0\n\0", "l.txt: this is no plain text, or UTF-16 without its mark"),
        ("Excel", b"PK\x03\x04\x14\0", "l.txt: this is a workbook or an archive, not a text"),
        ("control characters", b"ok\n\x1b[31m", "l.txt:2: this is no plain text: it holds U+001B"),
        ("lost before", "好\n\u{FFFD}\u{FFFD}".as_bytes(), "l.txt:2: this is no plain text: it holds U+FFFD"),
    ] {
        assert_eq!(rig.complaints("l.txt", bytes), [want], "{name}");
    }
}

#[test]
fn mistakes_have_a_place() {
    let rig = Rig::new();
    let long = "长".repeat(MOST_CHARS + 1);
    for (file, text, want) in [
        ("l.txt", format!("ok\n{long}\n"), "l.txt:2: a keyword has at most 256 characters, this one has 257"),
        ("l.txt", "ok\n\n\u{200B}\u{FEFF}\n".to_owned(), "l.txt:3: nobody can see this keyword"),
        ("l.csv", "a\n\n,好\n".to_owned(), "l.csv:3: this row has no keyword"),
        (
            "l.csv",
            "# x\na,好,viel\n".to_owned(),
            "l.csv:2: the priority `viel` is no whole number: invalid digit found in string",
        ),
        ("l.csv", "a,b,1,c,d\n".to_owned(), "l.csv:1: this row has 5 cells, there are 4 columns"),
        ("l.csv", "keyword,foo\n".to_owned(), "l.csv:1: the header names a column `foo`, which means nothing"),
        ("l.csv", "keyword,关键词\n".to_owned(), "l.csv:1: the header names the column `关键词` twice"),
        ("l.csv", "keyword,word\na,vielleicht\n".to_owned(), "l.csv:2: `vielleicht` is neither yes nor no"),
        ("l.csv", "keyword,word,regex\na,1,1\n".to_owned(), "l.csv:2: `word` is for keywords, not for a regex"),
        ("l.csv", "ok\n\"never closed\nb\nc\n".to_owned(), "l.csv:2: a keyword goes over several lines"),
        ("l.csv", format!("a,{}\n", "b".repeat(4097)), "l.csv:1: a reply has at most 4096 bytes"),
        ("l.csv", format!("a,,,{}\n", "b".repeat(65)), "l.csv:1: a tag has at most 64 characters"),
        ("l.toml", "words = 1\n".to_owned(), "l.toml:1: `words` means nothing in a list"),
        ("l.toml", "\nkeywords = 1\n".to_owned(), "l.toml:2: `keywords` is no array"),
        ("l.toml", "keywords = [\n1]".to_owned(), "l.toml:2: a keyword is a string or a table, not integer"),
        ("l.toml", "keywords = [{reply = \"a\"}]".to_owned(), "l.toml:1: there is no keyword here"),
        ("l.toml", "keywords = [\"\"]".to_owned(), "l.toml:1: there is no keyword here"),
        ("l.toml", "keywords = [{keyword = \"a\", x = 1}]".to_owned(), "l.toml:1: `x` means nothing for a keyword"),
        (
            "l.toml",
            "keywords = [{keyword = \"a\", word = 1}]".to_owned(),
            "l.toml:1: `word` is integer, it must be true or false",
        ),
        (
            "l.toml",
            "keywords = [{keyword = \"a\", priority = 3000000000}]".to_owned(),
            "l.toml:1: `priority` is integer, it must be a whole number below 2,147,483,648",
        ),
    ] {
        assert_eq!(rig.complaints(file, &text), [want], "{text:.60}");
    }
    let broken = rig.complaints("l.toml", "keywords = [\"a\",\n\"b\n");
    assert!(broken[0].starts_with("l.toml:2: this is no TOML: "), "{broken:?}");
}

/// Formats that nest must not fill the stack.
#[test]
fn what_nests_deeply_is_refused() {
    let rig = Rig::new();
    for (name, text) in [
        ("arrays", format!("keywords = {}", "[".repeat(200_000))),
        ("closed arrays", format!("keywords = {}{}", "[".repeat(200_000), "]".repeat(200_000))),
        ("tables", format!("keywords = [{}", "{ keyword = ".repeat(100_000))),
        ("keys", format!("{}a = 1", "a.".repeat(200_000))),
        ("headers", format!("[{}a]", "a.".repeat(200_000))),
    ] {
        assert!(!rig.complaints("l.toml", &text).is_empty(), "{name}");
    }
}

#[test]
fn files_that_cannot_be_read() {
    let rig = Rig::new();
    let missing = rig.0.path().join("missing.txt");
    let problems = read(&[rig.0.path(), &missing], folder()).map(|_| ()).unwrap_err();
    assert_eq!(problems[0].message, "this is no file");
    assert!(problems[1].message.starts_with("the list cannot be read: No such file"), "{problems:?}");
    assert_eq!((problems.len(), &problems[1].path), (2, &missing));
}

#[test]
fn all_mistakes_of_all_files_come_at_once() {
    let rig = Rig::new();
    let files = [rig.file("one.csv", "a,,x\nb\nc,,y\n"), rig.file("two.txt", "ok"), rig.file("three.toml", "x = 1\n")];
    let problems = read(&files, folder()).map(|_| ()).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (&problem.path, problem.line)).collect();
    assert_eq!(places, [(&files[0], Some(1)), (&files[0], Some(3)), (&files[2], Some(1))]);
}

#[test]
fn what_is_the_same_counts_once() {
    let rig = Rig::new();
    let files = [
        rig.file("one.txt", "發票\nABC\n发票\n\u{FF21}bc\n"),
        rig.file("two.csv", "发票,代开,3,广告\nabc,second\nabc,third\nkeyword2\n"),
        rig.file("three.csv", "keyword,word,regex\nabc,1,\nabc,,1\nABC,,1\n"),
    ];
    let read = read(&files, folder()).unwrap();
    let about: Vec<_> = read.files.iter().map(|file| (file.entries, file.duplicates)).collect();
    assert_eq!(about, [(4, 2), (4, 3), (3, 0)], "a regex and a word are something else");
    assert_eq!(read.entries[0], full("發票", "代开", 3, "广告", 1), "later ones say what the first does not");
    assert_eq!(read.entries[1].reply.as_deref(), Some("second"));
    assert_eq!((read.entries.len(), read.entries[2].file), (6, 1));
}

#[test]
fn lists_are_bounded() {
    let rig = Rig::new();
    let large = "a".repeat(FILE_BYTES + 1);
    assert_eq!(rig.complaints("large.txt", &large), ["large.txt: the file is larger than 16 MiB"]);

    let many: String = (0..=MOST_ENTRIES).map(|nth| format!("{nth}\n")).collect();
    let problems = rig.complaints("many.txt", &many);
    assert_eq!(problems, ["many.txt:200001: all lists together have more than 200000 entries"]);

    let comment = format!("#{}\n", "a".repeat(FILE_BYTES - 2));
    let files = vec![rig.file("comment.txt", comment); 5];
    let problems = read(&files, folder()).map(|_| ()).unwrap_err();
    assert_eq!(problems[0].message, "with this file all lists together are larger than 64 MiB");

    let broken = "a,,x\n".repeat(1000);
    assert_eq!(rig.complaints("broken.csv", &broken).len(), MOST_PROBLEMS);
}

#[test]
fn a_stamp_changes_with_its_file() {
    let rig = Rig::new();
    let path = rig.0.path().join("list.txt");
    let missing = Stamp::of(&path);
    rig.file("list.txt", "a\n");
    let first = Stamp::of(&path);
    assert_ne!(missing, first);
    assert_eq!(first, Stamp::of(&path));
    let later = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(1);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    let second = Stamp::of(&path);
    assert_ne!(first, second, "same length");
    rig.file("list.txt", "ab\n");
    let third = Stamp::of(&path);
    assert_ne!(second, third);
    // Another file with the same length and time, as `cp -p` and archives leave it.
    #[cfg(unix)]
    {
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let other = rig.file("other.txt", "cd\n");
        File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
        assert_ne!(third, Stamp::of(&path));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "[a-z,\"#\\\\\n\r\t=\\[\\]{}发票\u{200B}]{0,100}".prop_map(String::into_bytes),
            any::<String>().prop_map(|text| GB18030.encode(&text).0.into()),
            any::<String>().prop_map(|text| utf16(&text, u16::to_le_bytes)),
        ],
        ending in prop::sample::select(vec!["txt", "csv", "tsv", "toml"]),
    ) {
        let rig = Rig::new();
        let last = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
        match rig.read(&format!("l.{ending}"), &bytes) {
            Ok(read) => prop_assert!(read.entries.iter().all(|entry| entry.line <= last && !entry.keyword.is_empty())),
            Err(problems) => prop_assert!(problems.iter().all(|problem| problem.line.is_none_or(|line| line <= last))),
        }
    }

    #[test]
    fn rows_know_their_lines(rows in prop::collection::vec(prop::sample::select(ROWS.to_vec()), 0..12), ending: bool) {
        let ending = if ending { "\r\n" } else { "\n" };
        let (mut text, mut want) = (String::new(), Vec::new());
        for (nth, row) in rows.iter().enumerate() {
            if let Some(reply) = row.strip_prefix("keyword") {
                want.push((format!("k{nth}"), text.matches('\n').count() + 1));
                text.push_str(&format!("k{nth}{reply}"));
            } else {
                text.push_str(row);
            }
            text.push_str(ending);
        }
        let read = Rig::new().read("l.csv", &text).map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
        let lines: Vec<_> = read.entries.iter().map(|entry| (entry.keyword.clone(), entry.line)).collect();
        prop_assert_eq!(lines, want);
    }
}

/// Rows that make counting lines hard.
const ROWS: [&str; 7] = ["keyword", "keyword,\"a\n\nb\"", "keyword,\"\r\n#\"", "# \"comment", "", " \t", ",,"];
