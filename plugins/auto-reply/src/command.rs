//! Did somebody give the plugin a command? Words like `back` are also what people say to each other.

use wxbot_plugin::text::command;

/// What stands behind one of a command's words: with one of the account's prefixes before it; in a private chat also the
/// word alone, where the account takes commands without a prefix.
pub(crate) fn given<'a>(typed: &'a str, prefixes: &[String], words: &[&str], private: bool) -> Option<&'a str> {
    let (bare, marked): (Vec<String>, Vec<String>) = prefixes.iter().cloned().partition(String::is_empty);
    command(typed, &marked, words).or_else(|| {
        let alone = || command(typed, &bare, words).filter(|rest| rest.is_empty());
        if private { alone() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_say_to_each_other_is_no_command() {
        for (typed, in_private, in_room) in [
            ("/back", Some(""), Some("")),
            ("\u{FF0F}Back", Some(""), Some("")),
            ("\u{FF0F}回来", Some(""), Some("")),
            ("/back soon", Some("soon"), Some("soon")),
            ("back", Some(""), None),
            ("回来", Some(""), None),
            ("back soon!", None, None),
            ("backup", None, None),
            ("come back", None, None),
        ] {
            let words = ["back", "回来"];
            let both = ["/".to_owned(), String::new()];
            assert_eq!(given(typed, &both, &words, true), in_private, "{typed}");
            assert_eq!(given(typed, &both, &words, false), in_room, "{typed}");
            let marked = ["/".to_owned()];
            assert_eq!(given(typed, &marked, &words, true), in_room, "{typed}");
        }
    }
}
