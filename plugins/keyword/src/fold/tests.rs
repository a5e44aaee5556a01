//! Tables and laws of folding.

use proptest::prelude::*;
use wxbot_plugin::text;

use super::*;

const ALL: Folding = Folding { case: true, width: true, simplified: true };

/// Text as people write it, and what makes folding hard: full-width signs, invisible ones, characters that change
/// their length, characters beyond U+FFFF with and without a form of their own.
pub(crate) fn hard_text() -> impl Strategy<Value = String> {
    let hard = prop::sample::select(
        "aAbBzZ09 ,\u{FF21}\u{FF41}\u{FF0C}\u{3000}\u{200B}\u{FEFF}\u{AD}\u{FE0F}\u{FE00}\u{E0101}\u{3164}發发票票頭髮臺台微信İẞßȺK\u{10400}😀𠮷𪟎㑮\n"
            .chars()
            .collect::<Vec<_>>(),
    );
    let any = prop_oneof![8 => hard, 1 => any::<char>()];
    prop::collection::vec(any, 0..40).prop_map(|chars| chars.into_iter().collect())
}

#[test]
fn forms() {
    for (name, folding, text, want) in [
        ("small letters", Folding::default(), "WeChat 微信", "wechat 微信"),
        ("full width", Folding::default(), "\u{FF21}\u{FF22}\u{FF11}\u{FF01}\u{3000}x", "ab1! x"),
        ("invisible", Folding::default(), "微\u{200B}信\u{FEFF}", "微信"),
        ("fillers and selectors", Folding::default(), "加\u{FE00}微\u{E0101}信\u{3164}\u{34F}", "加微信"),
        ("traditional as it is", Folding::default(), "開發票", "開發票"),
        ("traditional", ALL, "開發票 AB", "开发票 ab"),
        ("beyond the table", ALL, "\u{10400}😀", "\u{10428}😀"),
        ("one becomes two", ALL, "İ", "i\u{307}"),
        ("with capitals", Folding { case: false, ..ALL }, "\u{FF21}b發", "Ab发"),
        ("with widths", Folding { width: false, ..ALL }, "\u{FF21}B\u{3000}", "\u{FF41}b\u{3000}"),
        ("nothing", ALL, "", ""),
    ] {
        assert_eq!(Folder::new(folding).fold(text), want, "{name}");
    }
}

#[test]
fn ways_back() {
    let mut folded = Folded::default();
    for (name, text, part, want) in [
        ("alike", "我要开票", "开票", "开票"),
        ("behind a capital", "ABC开票", "开票", "开票"),
        ("full width before", "\u{FF21}\u{FF22}开票", "开票", "开票"),
        ("itself full width", "x\u{FF21}\u{FF22}y", "ab", "\u{FF21}\u{FF22}"),
        ("invisible inside", "我开\u{200B}票了", "开票", "开\u{200B}票"),
        ("invisible beyond the table", "我开\u{E0101}\u{E0102}票了", "开票", "开\u{E0101}\u{E0102}票"),
        ("invisible around", "\u{200B}开票\u{200B}\u{200B}", "开票", "开票"),
        ("traditional", "我要開發票", "开发", "開發"),
        ("half of a character that became two", "xİy", "i", "İ"),
        ("the other half", "xİy", "\u{307}y", "İy"),
    ] {
        Folder::new(ALL).fold_mapped(text, &mut folded);
        let start = folded.text.find(part).unwrap_or_else(|| panic!("{name}: {:?}", folded.text));
        let (start, end) = (folded.map.start(start), folded.map.end(start + part.len()));
        assert_eq!(text.get(start..end), Some(want), "{name}");
    }
}

/// A folded text holds nothing that would be folded: what regexes need is looked for on this promise.
#[test]
fn twice_is_once() {
    for folding in [Folding::default(), ALL] {
        // Behind U+2FFFF nothing has another form.
        let once = ('\0'..='\u{2FFFF}').flat_map(|c| table::folded(c, folding));
        let other: String = once.filter(|c| !table::folded(*c, folding).eq([*c])).collect();
        assert_eq!(other, "", "{folding:?}");
    }
}

proptest! {
    #[test]
    fn same_as_the_framework(text in prop_oneof![hard_text(), any::<String>()]) {
        prop_assert_eq!(Folder::new(Folding::default()).fold(&text), text::fold(&text));
    }

    #[test]
    fn same_as_character_by_character(text in hard_text(), case: bool, width: bool, simplified: bool) {
        let folding = Folding { case, width, simplified };
        let slow: String = text.chars().flat_map(|c| table::folded(c, folding)).collect();
        let mut folded = Folded::default();
        Folder::new(folding).fold_mapped(&text, &mut folded);
        prop_assert_eq!(&folded.text, &slow);
        prop_assert_eq!(Folder::new(folding).fold(&text), slow);
    }

    #[test]
    fn each_character_finds_its_own_again(text in hard_text()) {
        let mut folded = Folded::default();
        Folder::new(ALL).fold_mapped(&text, &mut folded);
        let mut at = 0;
        for (original, c) in text.char_indices() {
            let mut form = String::new();
            form.extend(table::folded(c, ALL));
            if !form.is_empty() {
                prop_assert_eq!(folded.map.start(at), original);
                prop_assert_eq!(folded.map.end(at + form.len()), original + c.len_utf8());
            }
            at += form.len();
        }
        prop_assert_eq!(at, folded.text.len());
    }
}
