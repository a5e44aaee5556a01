//! How are members named in what the bot says? Short, on one line, and without a mention that nobody meant.

use wxbot_plugin::model::Person;
use wxbot_plugin::text::{fold, is_invisible};
use wxbot_plugin::{ContactQuery, Ctx, RoomMember};

/// WeChat writes this space behind a mention that was chosen from the list of members.
const MENTION_END: char = '\u{2005}';
/// Characters of a name that are shown.
const SHOWN: usize = 20;
/// Names that stand in one line.
const LISTED: usize = 10;
/// Contacts that are looked at for a remark.
const FOUND: usize = 20;

/// Names that ring everybody's phone where they are mentioned.
const EVERYBODY: [&str; 6] = ["所有人", "全体成员", "all", "everyone", "everybody", "notify@all"];

/// A text that somebody else chose, on one line and at most so many characters long: line breaks, controls and invisible
/// characters go, and an `@` becomes full-width, so that `@所有人` in a name rings nobody's phone.
pub(crate) fn neutral(text: &str, most: usize) -> String {
    let flat = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
    let clean = text.chars().filter(|c| !is_invisible(*c)).map(flat);
    let clean: String = clean.map(|c| if c == '@' { '\u{FF20}' } else { c }).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// A name as the bot says it.
pub(crate) fn shown(name: &str) -> String {
    let name = neutral(name, SHOWN);
    if name.is_empty() { "某人".to_owned() } else { name }
}

/// What everybody in the room may hear somebody called. The name of an event is our own remark where we made one for a
/// friend, and a remark is a private note.
pub(crate) fn public(cx: &Ctx, person: &Person) -> String {
    let contact = cx.contact(&person.id).filter(|contact| *contact.remark_name == *person.name);
    let own = contact.map(|contact| contact.nick_name.to_string()).filter(|own| !own.is_empty());
    shown(own.as_deref().unwrap_or(&person.name))
}

/// The same of a name that the service told without an id. A text of the service calls a friend by our remark.
pub(crate) fn told(cx: &Ctx, name: &str) -> String {
    let found = cx.find_contacts(ContactQuery::new(name).limit(FOUND)).into_iter();
    let mut noted = found.filter(|one| one.remark_name == name && !one.nick_name.is_empty());
    match (noted.next(), noted.next()) {
        (Some(one), None) => one.nick_name,
        (Some(_), Some(_)) => "某人".to_owned(),
        (None, _) => name.to_owned(),
    }
}

/// A mention by name, for somebody whose id is not known: WeChat takes `@name` and its own space for one. None where it
/// would ring everybody, or somebody else who bears the name.
pub(crate) fn mention(name: &str, members: &[RoomMember]) -> String {
    let (called, asked) = (shown(name), key(name));
    // A name that is shown otherwise than it is would be nobody's mention.
    if called != name || EVERYBODY.contains(&&*asked) {
        return String::new();
    }
    let bears = |member: &&RoomMember| {
        [&member.nick_name, &member.group_name, &member.name].into_iter().any(|other| key(other) == asked)
    };
    if members.iter().filter(bears).count() > 1 { String::new() } else { format!("@{called}{MENTION_END}") }
}

/// `甲、乙、丙`, and how many more there are.
pub(crate) fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let all: Vec<&str> = names.into_iter().collect();
    let first: Vec<String> = all.iter().take(LISTED).map(|name| shown(name)).collect();
    match all.len().checked_sub(LISTED) {
        Some(more @ 1..) => format!("{} 等 {} 人", first.join("、"), more + LISTED),
        Some(0) | None => first.join("、"),
    }
}

/// A name as a part of a key: whoever only changes capitals or widths is the same. Only for courtesies such as welcoming
/// once: a name is no identity (security R26).
pub(crate) fn key(name: &str) -> String {
    fold(name).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_shown_on_one_line_and_ring_nobody() {
        for (name, want) in [
            ("Li Lei", "Li Lei"),
            ("a\nb\r\n\tc", "a b c"),
            ("@所有人", "＠所有人"),
            ("x@all\u{2005}y", "x＠all y"),
            ("{{ rules }}", "{{ rules }}"),
            ("\u{200B}\u{202E}", "某人"),
            ("", "某人"),
            ("一二三四五六七八九十一二三四五六七八九十", "一二三四五六七八九十一二三四五六七八九十"),
            ("一二三四五六七八九十一二三四五六七八九十多", "一二三四五六七八九十一二三四五六七八九十…"),
        ] {
            assert_eq!(shown(name), want, "{name:?}");
        }
    }

    #[test]
    fn a_mention_rings_one_phone_or_none() {
        let member = |name: &str| {
            let name = name.to_owned();
            RoomMember { id: None, name: name.clone(), nick_name: name, group_name: String::new(), me: false }
        };
        let members = [member("Li Lei"), member("小明"), member("小明"), member("所有人")];
        for (name, want) in [
            ("Li Lei", "@Li Lei\u{2005}"),
            ("nobody", "@nobody\u{2005}"),
            ("小明", ""),
            ("所有人", ""),
            ("所\u{200B}有人", ""),
            ("ＡＬＬ", ""),
            ("a@b", ""),
            ("x\u{2005}@y", ""),
        ] {
            assert_eq!(mention(name, &members), want, "{name:?}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let names: Vec<String> = (1..=12).map(|n| format!("n{n}")).collect();
        assert_eq!(list(names.iter().take(2).map(String::as_str)), "n1、n2");
        assert_eq!(list(names.iter().take(10).map(String::as_str)).matches('、').count(), 9);
        assert!(list(names.iter().map(String::as_str)).ends_with("n10 等 12 人"));
        assert_eq!(list([]), "");
    }

    #[test]
    fn the_same_name_typed_otherwise_is_one_key() {
        assert_eq!(key("Ａnn\u{200B} B"), key("ann  b"));
        assert_ne!(key("ann"), key("bob"));
    }

    proptest! {
        #[test]
        fn any_name_is_one_short_line(name in any::<String>()) {
            let shown = shown(&name);
            prop_assert!(!shown.is_empty() && shown.chars().count() <= SHOWN + 1, "{:?}", shown);
            prop_assert!(!shown.contains(['\n', '\r', '@', '\u{2005}', '\0']), "{:?}", shown);
        }
    }
}
