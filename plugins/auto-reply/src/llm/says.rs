//! How does a model's answer become messages? As plain text, cut into pieces that may be sent, and nothing besides (R33).

use wxbot_plugin::text::{head, is_invisible};

use super::links::Links;

/// What an effect may hold is 4096 bytes; the rest is for the mark of a cut.
const MOST_MESSAGE: usize = 4000;
/// Behind what was cut.
const CUT: &str = "…";

/// The messages of an answer, the first ones of it if they are more than `most`. `cut`: the model did not come to its end.
/// Empty when there is nothing to see.
pub(crate) fn messages(answer: &str, links: &Links, most: usize, cut: bool) -> Vec<String> {
    let text = plain(&links.without(&plain(answer)));
    let mut rest = text.trim();
    let mut messages: Vec<String> = Vec::new();
    while !rest.is_empty() && messages.len() < most {
        let (piece, after) = split(rest);
        messages.push(piece.trim_end().to_owned());
        rest = after.trim_start();
    }
    if let Some(last) = messages.last_mut()
        && (cut || !rest.is_empty())
    {
        last.push_str(CUT);
    }
    messages
}

/// Without characters that nobody sees and that turn, hide or break what others say: controls, marks of direction,
/// joiners. Only emoji keep theirs: a family is one picture, and a heart is red.
pub(crate) fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut plain = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        let joins = matches!(c, '\u{200D}' | '\u{FE0F}') && is_pictured(before);
        if joins || is_seen(c) {
            plain.push(c);
            before = c;
        }
    }
    plain
}

fn is_seen(c: char) -> bool {
    let breaks = matches!(c, '\u{2028}' | '\u{2029}' | '\u{206A}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}');
    !is_invisible(c) && !breaks && (!c.is_control() || matches!(c, '\n' | '\t'))
}

/// Arrows, signs and emoji: behind them a joiner hides nothing.
fn is_pictured(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

/// The first piece that may be sent, and what is left: between paragraphs, else lines, else sentences, else anywhere,
/// as long as the piece does not become tiny.
fn split(text: &str) -> (&str, &str) {
    if text.len() <= MOST_MESSAGE {
        return (text, "");
    }
    let head = head(text, MOST_MESSAGE);
    let ends: [&[&str]; 4] = [&["\n\n"], &["\n"], &["。", "！", "？", ". ", "! ", "? "], &[" ", "，", "、"]];
    let best = ends.iter().find_map(|marks| {
        let ends = marks.iter().filter_map(|mark| head.rfind(mark).map(|at| at + mark.len()));
        ends.max().filter(|at| *at > MOST_MESSAGE / 2)
    });
    text.split_at_checked(best.unwrap_or(head.len())).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;

    fn links() -> &'static Links {
        static NONE: LazyLock<Links> = LazyLock::new(|| Links::new(&[]).unwrap());
        &NONE
    }

    fn all_links() -> &'static Links {
        static ALL: LazyLock<Links> = LazyLock::new(|| Links::new(&["*".to_owned()]).unwrap());
        &ALL
    }

    #[test]
    fn what_becomes_of_an_answer() {
        let long = "长".repeat(1000);
        let paragraphs = format!("{long}\n\n{long}\n\n{long}");
        for (name, answer, most, cut, want) in [
            ("short", " 你好 \n", 3, false, vec!["你好".to_owned()]),
            ("nothing", " \u{200B}\n", 3, false, vec![]),
            ("not at its end", "你好", 3, true, vec!["你好…".to_owned()]),
            ("controls", "a\u{1B}[31mb\u{202E}c\0\td\r\ne", 3, false, vec!["a[31mbc\td\ne".to_owned()]),
            ("a hidden link", "ev\u{200B}il.com", 3, false, vec!["[链接]".to_owned()]),
            ("a joined link", "ev\u{200D}il.c\u{FE0F}om", 3, false, vec!["[链接]".to_owned()]),
            ("emoji", "❤\u{FE0F}👩\u{200D}👧", 3, false, vec!["❤\u{FE0F}👩\u{200D}👧".to_owned()]),
            ("paragraphs", &paragraphs, 3, false, vec![long.clone(), long.clone(), long.clone()]),
            ("too many", &paragraphs, 2, false, vec![long.clone(), format!("{long}…")]),
        ] {
            assert_eq!(messages(answer, links(), most, cut), want, "{name}");
        }
    }

    #[test]
    fn sentences_stay_whole() {
        let text = format!("{}。{}", "长".repeat(1000), "短".repeat(1000));
        let messages = messages(&text, links(), 3, false);
        assert_eq!(messages, [format!("{}。", "长".repeat(1000)), "短".repeat(1000)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_message_may_be_sent(text in "(?s).{0,3000}", repeat in 1usize..6, most in 1usize..5) {
            let text = text.repeat(repeat);
            let messages = messages(&text, links(), most, false);
            prop_assert!(messages.len() <= most);
            for message in &messages {
                prop_assert!(!message.is_empty() && message.len() <= 4096);
            }
        }

        #[test]
        fn nothing_is_lost(words in prop::collection::vec("[a-z]{1,300}", 0..60)) {
            let text = words.join(" ");
            let messages = messages(&text, all_links(), 100, false);
            prop_assert_eq!(messages.join(" "), text);
        }
    }
}
