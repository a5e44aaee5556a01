//! The matcher against tables, and against a naive search.

use proptest::prelude::*;

use super::*;
use crate::fold::tests::hard_text;

const ALL: Folding = Folding { case: true, width: true, simplified: true };

fn text(id: u32, text: &str) -> Pattern<'_> {
    Pattern { id, kind: Kind::Text(text), word: false }
}

fn word(id: u32, text: &str) -> Pattern<'_> {
    Pattern { word: true, ..self::text(id, text) }
}

fn regex(id: u32, regex: &str) -> Pattern<'_> {
    Pattern { id, kind: Kind::Regex(regex), word: false }
}

/// What is hit, in the sender's characters.
fn found<'t>(patterns: &[Pattern<'_>], text: &'t str) -> Vec<(u32, &'t str)> {
    let matcher = Matcher::build(patterns, ALL).unwrap();
    let mut scratch = Scratch::default();
    matcher.hits(text, &mut scratch).map(|hit| (hit.id, text.get(hit.start..hit.end).unwrap())).collect()
}

#[test]
fn what_is_in_a_text() {
    for (name, patterns, said, want) in [
        ("nothing", &[][..], "发票", &[][..]),
        ("one of two", &[text(1, "发票"), text(2, "红包")], "代开发票", &[(1, "发票")]),
        ("without borders", &[text(1, "开发")], "我开发票", &[(1, "开发")]),
        (
            "all that overlaps",
            &[text(1, "发票"), text(2, "开发票"), text(3, "开发"), text(4, "票据")],
            "开发票据",
            &[(3, "开发"), (2, "开发票"), (1, "发票"), (4, "票据")],
        ),
        ("one character", &[text(1, "票")], "股票", &[(1, "票")]),
        ("one character alone", &[text(1, "票")], "票", &[(1, "票")]),
        ("the first place", &[text(1, "ab")], "xabab", &[(1, "ab")]),
        ("the whole text", &[text(1, "发票")], "发票", &[(1, "发票")]),
        ("traditional said", &[text(1, "发票")], "要開發票嗎", &[(1, "發票")]),
        ("traditional looked for", &[text(1, "發票")], "开发票", &[(1, "发票")]),
        ("capitals and widths", &[text(1, "VX")], "加ｖＸ吧", &[(1, "ｖＸ")]),
        ("invisible inside", &[text(1, "发票")], "发\u{200B}\u{200B}票!", &[(1, "发\u{200B}\u{200B}票")]),
        ("several for one id", &[text(7, "发票"), text(7, "收据")], "收据和发票", &[(7, "收据")]),
        ("one for several ids", &[text(1, "发票"), text(2, "發票")], "发票", &[(1, "发票"), (2, "发票")]),
        ("a word", &[word(1, "ai")], "mail, AI!", &[(1, "AI")]),
        ("a word among Chinese", &[word(1, "ai")], "用ai画", &[(1, "ai")]),
        ("no word", &[word(1, "ai"), word(2, "a")], "mail ai2 _ai aié", &[]),
        ("a word that begins with a sign", &[word(1, "#ai")], "x#ai", &[(1, "#ai")]),
        ("word and part", &[word(1, "ai"), text(2, "ai")], "mail ai", &[(2, "ai"), (1, "ai")]),
        ("a regex", &[regex(1, r"加?[vＶ]\s*[xX]\d+")], "加V X123!", &[(1, "加V X123")]),
        ("a regex in traditional", &[regex(1, "開+票")], "开開票", &[(1, "开開票")]),
        ("a regex of capitals", &[regex(1, r"QQ\d{3}")], "ｑｑ１２３４", &[(1, "ｑｑ１２３")]),
        ("regexes that overlap", &[regex(1, "a.c"), regex(2, "bc+"), regex(3, "x")], "abcc", &[(1, "abc"), (2, "bcc")]),
        ("text and regex of one id", &[text(1, "b"), regex(1, "a")], "ab", &[(1, "b")]),
        ("beginning and end", &[regex(1, "^a$"), regex(2, "^a"), regex(3, "b$")], "ab", &[(2, "a"), (3, "b")]),
    ] {
        assert_eq!(found(patterns, said), want, "{name}");
    }
}

#[test]
fn what_cannot_be_looked_for() {
    let long = "长".repeat(MOST_CHARS + 1);
    for (name, pattern, want) in [
        ("empty", text(1, ""), Why::Blank),
        ("white space", text(1, " \u{3000}"), Why::Blank),
        ("invisible", text(1, "\u{200B}\u{FEFF}"), Why::Blank),
        ("too long", text(1, &long), Why::TooLong(MOST_CHARS + 1)),
        ("no regex", regex(1, "价(格"), Why::Syntax { message: "unclosed group".to_owned(), at: 2 }),
        ("empty regex", regex(1, ""), Why::Blank),
        ("everywhere", regex(1, "a*"), Why::MatchesNothing),
        ("a border alone", regex(1, r"^|\b"), Why::MatchesNothing),
        ("too large", regex(1, r"\w{1000}"), Why::RegexTooLarge),
        ("too large in steps", regex(1, "((a{1,100}){1,100}){1,100}"), Why::RegexTooLarge),
        ("a word of a regex", Pattern { word: true, ..regex(1, "a") }, Why::WordRegex),
    ] {
        let mistakes = Matcher::build(&[text(0, "ok"), pattern], ALL).map(|_| ()).unwrap_err();
        assert_eq!(mistakes, [(1, want)], "{name}");
        assert!(mistakes.iter().all(|(_, why)| !why.to_string().is_empty() && !why.help().is_empty()), "{name}");
    }
}

#[test]
fn back_references_and_look_around_are_refused() {
    for pattern in [r"(a)\1", "(?=a)b", "(?<!a)b"] {
        let mistakes = Matcher::build(&[regex(1, pattern)], ALL).map(|_| ()).unwrap_err();
        assert!(matches!(mistakes[..], [(0, Why::Syntax { .. })]), "{pattern}: {mistakes:?}");
    }
}

#[test]
fn everything_is_bounded() {
    let large: Vec<String> = (0..100).map(|nth| format!(r"\w{{30}}{nth}")).collect();
    let patterns: Vec<_> = large.iter().map(|pattern| regex(1, pattern)).collect();
    let mistakes = Matcher::build(&patterns, ALL).map(|_| ()).unwrap_err();
    assert!(matches!(mistakes[..], [(_, Why::AllRegexesTooLarge)]), "{mistakes:?}");

    let long: Vec<String> = (0..=MOST_TEXT_BYTES / 758).map(|nth| format!("{nth:05}{}", "长".repeat(251))).collect();
    let patterns: Vec<_> = long.iter().map(|long| text(1, long)).collect();
    let mistakes = Matcher::build(&patterns, ALL).map(|_| ()).unwrap_err();
    assert!(matches!(mistakes[..], [(_, Why::AllTextsTooLarge)]), "{mistakes:?}");

    let broken = vec![text(1, ""); 5000];
    assert_eq!(Matcher::build(&broken, ALL).map(|_| ()).unwrap_err().len(), 100);

    let many: Vec<String> = ('一'..'龥').take(3000).map(String::from).collect();
    let patterns: Vec<_> = many.iter().zip(0..).map(|(one, id)| text(id, one)).chain([regex(9_999, r"\d$")]).collect();
    let said = format!("{}1", many.concat());
    let hits = found(&patterns, &said);
    assert_eq!((hits.len(), hits.last()), (3001, Some(&(9_999, "1"))), "no number of words hides a regex");

    let behind = format!("{}票", "长".repeat(HAYSTACK_BYTES / 3));
    assert_eq!(found(&[text(1, "票")], &behind), []);
    assert_eq!(found(&[regex(1, "票")], &behind), []);
}

/// One keyword is the beginning of the next, and the text is made of nothing else: each place begins 200 of them.
#[test]
fn a_text_made_of_beginnings_is_read_once() {
    let keywords: Vec<String> = (1..=200).map(|len| "啊".repeat(len)).collect();
    let mut patterns: Vec<_> = keywords.iter().zip(0..).map(|(one, id)| text(id, one)).collect();
    patterns.push(text(999, "啊完"));
    let said = format!("{}完", "啊".repeat(5000));
    let hits = found(&patterns, &said);
    assert_eq!(hits.len(), 201);
    assert_eq!(hits.last(), Some(&(999, "啊完")));
}

#[test]
fn a_scratch_serves_many_matchers() {
    let (one, other) = ([text(1, "ab"), text(2, "b")], [text(5, "b")]);
    let (one, other) = (Matcher::build(&one, ALL).unwrap(), Matcher::build(&other, ALL).unwrap());
    let mut scratch = Scratch::default();
    for _ in 0..2 {
        assert_eq!(one.hits("ab", &mut scratch).len(), 2);
        assert_eq!(other.hits("ab", &mut scratch).len(), 1);
        assert_eq!(one.hits("", &mut scratch).len(), 0);
    }
}

#[test]
fn threads_may_share_a_matcher() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Matcher::build(&[], ALL).unwrap());
}

/// Short ones over few characters, so that they are found and overlap.
fn keyword() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[abＡ发發票]{1,4}",
        1 => hard_text().prop_filter("something to see", |text| {
            let len = text.chars().count();
            (1..=MOST_CHARS).contains(&len) && !Folder::new(ALL).fold(text).trim().is_empty()
        }),
    ]
}

fn naive(keywords: &[(u32, String, bool)], folded: &str) -> Vec<u32> {
    let part = |c: Option<char>| {
        c.is_some_and(|c| c == '_' || (c.is_alphanumeric() && c < '\u{2E80}') || ('\u{300}'..='\u{36F}').contains(&c))
    };
    let hit = |(_, keyword, word): &&(u32, String, bool)| {
        let keyword = Folder::new(ALL).fold(keyword);
        folded.char_indices().any(|(at, _)| {
            folded[at..].starts_with(&keyword)
                && (!word || {
                    let (before, after) = (folded[..at].chars().last(), folded[at + keyword.len()..].chars().next());
                    let (first, last) = (keyword.chars().next(), keyword.chars().last());
                    !(part(before) && part(first) || part(last) && part(after))
                })
        })
    };
    let mut ids: Vec<u32> = keywords.iter().filter(hit).map(|(id, ..)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

proptest! {
    #[test]
    fn same_as_a_naive_search(
        keywords in prop::collection::vec((0..20_u32, keyword(), any::<bool>()), 0..30),
        text in prop_oneof!["[abcＡB 发發票据]{0,60}", hard_text()],
    ) {
        let patterns: Vec<_> =
            keywords.iter().map(|(id, text, word)| Pattern { id: *id, kind: Kind::Text(text), word: *word }).collect();
        let matcher = Matcher::build(&patterns, ALL).unwrap();
        let mut scratch = Scratch::default();
        let hits: Vec<Hit> = matcher.hits(&text, &mut scratch).collect();
        let folder = Folder::new(ALL);
        for hit in &hits {
            let said = text.get(hit.start..hit.end);
            prop_assert!(said.is_some(), "borders of characters");
            let said = folder.fold(said.unwrap_or_default());
            let one = |(id, keyword, _): &(u32, String, bool)| *id == hit.id && said.contains(&folder.fold(keyword));
            prop_assert!(keywords.iter().any(one), "{said:?} is what was looked for");
        }
        let mut ids: Vec<u32> = hits.iter().map(|hit| hit.id).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, naive(&keywords, &folder.fold(&text)));
    }

    #[test]
    fn both_ways_through_a_text_find_the_same(
        keywords in prop::collection::vec("[ab发]{1,6}", 1..20), text in "[ab发]{0,400}",
    ) {
        // The longer text is made of beginnings, so that it is read in one go from some place on.
        let patterns: Vec<_> = keywords.iter().zip(0..).map(|(keyword, id)| self::text(id, keyword)).collect();
        let matcher = Matcher::build(&patterns, ALL).unwrap();
        let mut scratch = Scratch::default();
        let mut ids: Vec<u32> = matcher.hits(&text, &mut scratch).map(|hit| hit.id).collect();
        ids.sort_unstable();
        let naive: Vec<u32> = patterns.iter().filter(|pattern| matches!(pattern.kind, Kind::Text(keyword) if text.contains(keyword))).map(|pattern| pattern.id).collect();
        prop_assert_eq!(ids, naive);
    }

    #[test]
    fn regexes_match_as_each_would_alone(
        regexes in prop::collection::vec(prop::collection::vec(prop::sample::select(PARTS.to_vec()), 1..6), 1..30),
        text in "[abcＢxX发發微信1 ]{0,40}",
    ) {
        let regexes: Vec<String> = regexes.iter().map(|parts| parts.concat()).collect();
        let patterns: Vec<_> = regexes.iter().zip(0..).map(|(pattern, id)| regex(id, pattern)).collect();
        // Those that match nothing are refused; the others keep their ids.
        let refused = Matcher::build(&patterns, ALL).err().unwrap_or_default();
        let refused: Vec<usize> = refused.iter().map(|(nth, _)| *nth).collect();
        let patterns: Vec<_> = patterns.into_iter().filter(|one| !refused.contains(&(one.id as usize))).collect();
        let matcher = Matcher::build(&patterns, ALL).unwrap();
        let folded = matcher.folder().fold(&text);
        let mut scratch = Scratch::default();
        let mut hits: Vec<_> = matcher.hits_folded(&folded, &mut scratch).map(|hit| (hit.id, hit.start, hit.end)).collect();
        hits.sort_unstable();
        let alone = patterns.iter().filter_map(|pattern| {
            let Kind::Regex(regex) = pattern.kind else { return None };
            let regex = format!("(?i){}", respell::folded(regex, &matcher.folder()));
            let found = regex_automata::meta::Regex::new(&regex).unwrap().find(&*folded)?;
            Some((pattern.id, found.start(), found.end()))
        });
        prop_assert_eq!(hits, alone.collect::<Vec<_>>());
    }

    #[test]
    fn any_regex_is_built_or_refused(pattern in any::<String>(), text in hard_text()) {
        if let Ok(matcher) = Matcher::build(&[regex(1, &pattern)], ALL) {
            for hit in matcher.hits(&text, &mut Scratch::default()) {
                prop_assert!(text.get(hit.start..hit.end).is_some());
            }
        }
    }
}

/// What the regexes of a test are made of.
const PARTS: [&str; 16] = [
    "a",
    "B",
    "发",
    "發",
    "Ｂ",
    "[a-c]",
    "[A-B]",
    "[^a]",
    r"\d",
    "(x|微)",
    "信?",
    "a+",
    r"\b",
    r"\s*",
    ".",
    "(?:bc|发){2}",
];
