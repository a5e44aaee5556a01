//! Are texts and XML of messages read, whatever they are?

use wxbot_core::said::app::{self, Envelope};
use wxbot_core::said::text::{mentions, name, split_prefix, system_text, text, unescape_once};
use wxbot_core::said::xml::{escape, parse, parse_repaired, place_of};
use wxbot_core::said::{notice, username};
use wxbot_model::{MediaHandle, MediaKind};

pub(super) fn xml(input: &[u8]) {
    let said = String::from_utf8_lossy(input);
    if said.contains("<!DOCTYPE") && said.trim_start().starts_with("<!DOCTYPE") {
        assert!(parse(&said).is_err(), "a DOCTYPE is refused (security R08)");
    }
    if parse(&said).is_ok() {
        assert!(parse_repaired(&said).is_ok(), "what is sound needs no repair");
    } else {
        drop(parse_repaired(&said));
    }
    if let Ok(Some(place)) = place_of(&said, "a") {
        assert!(said.get(place).is_some_and(|element| element.starts_with("<a")), "a place is an element");
    }
    // What is written is read as it was, but for what XML cannot hold.
    let unwritable = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    let plain: String = said.chars().filter(|c| !unwritable(*c) && *c != '\r').take(4_000).collect();
    let written = format!("<a b=\"{0}\">{0}</a>", escape(&plain));
    match parse(&written) {
        Ok(node) => assert_eq!((node.text.as_str(), node.attr("b")), (plain.as_str(), Some(plain.as_str()))),
        Err(error) => panic!("what we escape is not read: {error}"),
    }
}

pub(super) fn texts(input: &[u8]) {
    let said = String::from_utf8_lossy(input);
    drop(notice::told(&said));
    drop(notice::sysmsg(&said));
    drop(app::news(&said));
    drop((name(&said), text(&said), system_text(&said)));
    let (prefix, body) = split_prefix(&said);
    assert!(said.ends_with(body) && prefix.is_none_or(|prefix| said.starts_with(prefix)), "a prefix is a beginning");
    _ = mentions(&said, || Some("机器人"));
    _ = (username::is_room(&said), username::is_special(&said), username::kind(&said, 24, None));
    if !said.contains('&') {
        assert_eq!(unescape_once(&said), said);
    }
    assert_eq!(unescape_once(&said.replace('&', "&amp;")), said, "one level is one level");
    let media = |kind: MediaKind, len: Option<u64>| MediaHandle::new(kind, "m", len);
    for app_type in [0, 3, 5, 6, 8, 19, 33, 57, 2000, 2001, 7] {
        let envelope = Envelope { app_type, title: "t".into(), ..Envelope::default() };
        drop(app::content(said.clone().into_owned(), parse_repaired(&said).ok(), envelope, &media));
    }
}
