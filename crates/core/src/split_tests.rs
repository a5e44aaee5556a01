//! Parts that fit, lose nothing, and are whole by themselves.

use proptest::prelude::*;

use super::*;

fn visible(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Every block that a part opens it closes.
fn is_whole(part: &str) -> bool {
    let mut open: Option<Fence> = None;
    for line in part.split('\n') {
        open = match open {
            Some(fence) if fence.is_closed_by(line) => None,
            Some(fence) => Some(fence),
            None => Fence::opened(line),
        };
    }
    open.is_none()
}

#[test]
fn parts() {
    let a = |count| "a".repeat(count);
    let rows: &[(&str, String, usize, Vec<String>)] = &[
        ("nothing", String::new(), 10, vec![String::new()]),
        ("what fits stays as it is", " a\n\n b \n".into(), 9, vec![" a\n\n b \n".into()]),
        ("at a line's end", "one\ntwo\nthree".into(), 8, vec!["one\ntwo".into(), "three".into()]),
        ("blank lines between parts go", "one\n\n\n\ntwo".into(), 5, vec!["one".into(), "two".into()]),
        ("and those inside stay", "a\n\nb\nccc".into(), 5, vec!["a\n\nb".into(), "ccc".into()]),
        ("no place to pause", a(25), 10, vec![a(10), a(10), a(5)]),
        ("at a space", "aaaa bbbb cccc".into(), 10, vec!["aaaa bbbb".into(), "cccc".into()]),
        ("a space that is far is not worth it", format!("a {}", a(12)), 10, vec![format!("a {}", a(8)), a(4)]),
        (
            "behind a sentence",
            "一二三四五。六，七八九十".into(),
            10,
            vec!["一二三四五。".into(), "六，七八九十".into()],
        ),
        ("behind a comma", "一二三四五，六七八九十".into(), 8, vec!["一二三四五，".into(), "六七八九十".into()]),
        ("a full stop needs a space", "aaaa.bb cc. dddd".into(), 14, vec!["aaaa.bb cc.".into(), "dddd".into()]),
        (
            "a long line begins where there is room",
            format!("head\n{}", a(30)),
            20,
            vec![format!("head\n{}", a(15)), a(15)],
        ),
        ("and nowhere else", format!("{}\n{}", a(18), a(25)), 20, vec![a(18), a(20), a(5)]),
        ("no half emoji", "😀😀😀".into(), 5, vec!["😀😀".into(), "😀".into()]),
        ("families stay together", "👨‍👩‍👧👨‍👩‍👧".into(), 9, vec!["👨‍👩‍👧".into(), "👨‍👩‍👧".into()]),
        ("and flags", "🇨🇳🇩🇪🇫🇷".into(), 10, vec!["🇨🇳🇩🇪".into(), "🇫🇷".into()]),
        ("and tones of skin", "a👍🏽👍🏽".into(), 6, vec!["a👍🏽".into(), "👍🏽".into()]),
        ("and accents", "e\u{301}e\u{301}e\u{301}".into(), 5, vec!["e\u{301}e\u{301}".into(), "e\u{301}".into()]),
        (
            "more accents than room",
            format!("e{}", "\u{301}".repeat(5)),
            4,
            vec![format!("e{}", "\u{301}".repeat(3)), "\u{301}\u{301}".into()],
        ),
        ("a limit of nothing", "abc".into(), 0, vec!["ab".into(), "c".into()]),
        ("white space alone", " ".repeat(9), 4, vec!["    ".into()]),
    ];
    for (name, text, limit, want) in rows {
        assert_eq!(&split_text(text, *limit), want, "{name}");
    }
}

#[test]
fn code_is_closed_and_opened_again() {
    let rows: &[(&str, &str, usize, &[&str])] = &[
        ("in lines", "```sh\nls -l\npwd\n```", 16, &["```sh\nls -l\n```", "```sh\npwd\n```"]),
        (
            "what is said before and after",
            "run:\n```\n1111\n2222\n3333\n```\nthen",
            22,
            &["run:\n```\n1111\n2222\n```", "```\n3333\n```\nthen"],
        ),
        (
            "a block that fits is not parted",
            "aaaaaaaaaaaaaa\n```\n1111\n2222\n```\nend",
            24,
            &["aaaaaaaaaaaaaa", "```\n1111\n2222\n```\nend"],
        ),
        (
            "no part ends with an empty block",
            "aaaaaaaaaaaaaaaaaa\n```\n1111111111\n222222222222\n```",
            26,
            &["aaaaaaaaaaaaaaaaaa", "```\n1111111111\n```", "```\n222222222222\n```"],
        ),
        ("nor begins with one", "```\n11111\n22222\n33333\n```\nend", 25, &["```\n11111\n22222\n33333\n```", "end"]),
        (
            "a line that is too long",
            "```\n1111111111222222222233333\n```",
            20,
            &["```\n111111111122\n```", "```\n222222223333\n```", "```\n3\n```"],
        ),
        (
            "tildes, a language, an indent",
            "  ~~~~ rust x\n  a\n  b\n  c\n  ~~~~",
            27,
            &["  ~~~~ rust x\n  a\n  ~~~~", "  ~~~~rust\n  b\n  c\n  ~~~~"],
        ),
        ("what is never closed", "```\n1111\n2222\n3333", 13, &["```\n1111\n```", "```\n2222\n```", "```\n3333"]),
        ("code in a line is no block", "```a``` 1111\n2222", 12, &["```a``` 1111", "2222"]),
        ("empty lines of code stay", "```\n1\n\n2\n3\n\n4\n```", 13, &["```\n1\n\n2\n```", "```\n3\n\n4\n```"]),
        (
            "fences that leave no room between them are text",
            "``````````\na\n``````````",
            14,
            &["``````````\na", "``````````"],
        ),
    ];
    for (name, text, limit, want) in rows {
        assert_eq!(split_text(text, *limit), *want, "{name}");
    }
}

#[test]
fn a_long_answer_takes_few_parts() {
    let line = "这是一行说明文字，大约有三十个字，用来看看分段的时候会怎样。\n";
    let text = format!("{}```python\n{}```\n{}", line.repeat(40), "print('你好')\n".repeat(200), line.repeat(40));
    let parts = split_text(&text, 2000);
    assert_eq!(
        parts.len(),
        width(&text).div_ceil(2000),
        "{:?}",
        parts.iter().map(|part| width(part)).collect::<Vec<_>>()
    );
    assert!(parts.iter().all(|part| width(part) <= 2000 && is_whole(part)));
}

proptest! {
    #[test]
    fn any_text_fits_and_is_all_there(text in "[a-z 。，\n😀e\u{301}🇨🇳\u{200d}]{0,200}", limit in 2_usize..60) {
        let parts = split_text(&text, limit);
        prop_assert!(parts.iter().all(|part| width(part) <= limit), "{:?}", parts);
        prop_assert_eq!(visible(&parts.concat()), visible(&text));
        if !text.trim().is_empty() {
            prop_assert!(parts.iter().all(|part| !part.trim().is_empty()), "{:?}", parts);
        }
    }

    #[test]
    fn parts_with_code_are_whole(
        blocks in proptest::collection::vec(("[a-z]{0,20}(\n[a-z ]{0,30}){0,4}", "([a-z]{1,40}\n){0,8}"), 1..5),
        limit in 20_usize..80,
    ) {
        let text: String = blocks.iter().map(|(said, code)| format!("{said}\n```rs\n{code}```\n")).collect();
        let parts = split_text(&text, limit);
        prop_assert!(parts.iter().all(|part| width(part) <= limit && is_whole(part)), "{:?}", parts);
        let words = |text: &str| visible(&text.lines().filter(|line| !line.starts_with("```")).collect::<String>());
        prop_assert_eq!(words(&parts.join("\n")), words(&text));
    }

    #[test]
    fn nothing_breaks_it(text in "(?s).{0,120}|[`~ \n\r\ta]{0,120}", limit in 0_usize..40) {
        let parts = split_text(&text, limit);
        prop_assert!(!parts.is_empty());
        prop_assert!(parts.iter().all(|part| width(part) <= limit.max(2)), "{:?}", parts);
    }
}
