//! Which text is a command of wxbot itself?

/// A command of wxbot itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// What may I use here?
    Help,
    /// About the plugins in this chat.
    Plugin(Wanted),
    /// How was the last event handled, or this one?
    Why(Option<String>),
}

/// What `/plugin` shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    List,
    On(String),
    Off(String),
    /// Something else was written: say how it is used.
    Usage,
}

/// Reads a text. `prefixes`: what may stand before a command, the longest first; `/plugin` and `/why` always want their
/// `/`. `addressed`: the text is meant for us, since nobody else is in the chat or we are mentioned. In rooms a word
/// without any prefix is a command only then: people say `help` to each other.
pub(super) fn read(text: &str, prefixes: &[String], addressed: bool) -> Option<Order> {
    // Longer texts are no commands, and need not be copied.
    if text.len() > 512 {
        return None;
    }
    let narrow = plain(text);
    let text = without_mention(narrow.trim(), addressed);
    let begins = |prefix: &String| (addressed || !prefix.is_empty()).then(|| text.strip_prefix(&*plain(prefix)));
    let help = |rest: &str| ["帮助", "help"].contains(&&*rest.trim().to_lowercase());
    if prefixes.iter().filter_map(begins).flatten().any(help) {
        return Some(Order::Help);
    }
    let mut words = text.strip_prefix('/')?.split_whitespace();
    let (word, first, second) = (words.next()?.to_lowercase(), words.next(), words.next());
    if words.next().is_some() {
        return (word == "plugin").then_some(Order::Plugin(Wanted::Usage));
    }
    match (&*word, first, second) {
        ("plugin", None | Some("list"), None) => Some(Order::Plugin(Wanted::List)),
        ("plugin", Some("on"), Some(name)) => Some(Order::Plugin(Wanted::On(name.to_owned()))),
        ("plugin", Some("off"), Some(name)) => Some(Order::Plugin(Wanted::Off(name.to_owned()))),
        ("plugin", _, _) => Some(Order::Plugin(Wanted::Usage)),
        ("why", what, None) => Some(Order::Why(what.map(str::to_owned))),
        (_, _, _) => None,
    }
}

/// Full-width ASCII becomes half-width, and what nobody sees goes (security R27): for comparing only.
fn plain(text: &str) -> String {
    let seen = text.chars().filter(|c| {
        !matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}' | '\u{FE0E}' | '\u{FE0F}' | '\u{FEFF}')
    });
    seen.map(|c| match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    })
    .collect()
}

/// What is said behind a leading `@name`, where we are mentioned: WeChat writes U+2005 behind the name.
fn without_mention(text: &str, addressed: bool) -> &str {
    if !addressed || !text.starts_with('@') {
        return text;
    }
    let end = text.find('\u{2005}').or_else(|| text.find(char::is_whitespace));
    end.and_then(|at| text.get(at..)).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_text_is_which_command() {
        let on = |name: &str| Some(Order::Plugin(Wanted::On(name.into())));
        let usage = || Some(Order::Plugin(Wanted::Usage));
        for (name, text, prefixes, addressed, want) in [
            ("bare", "帮助", &["/", ""][..], true, Some(Order::Help)),
            ("bare, in English", " Help ", &["/", ""], true, Some(Order::Help)),
            ("bare, in a room", "help", &["/", ""], false, None),
            ("to us, in a room", "@小店\u{2005}帮助", &["/", ""], true, Some(Order::Help)),
            ("with a prefix, in a room", "/help", &["/", ""], false, Some(Order::Help)),
            ("full-width", "／ｈｅｌｐ", &["/"], true, Some(Order::Help)),
            ("hidden characters", "/he\u{200B}lp", &["/"], true, Some(Order::Help)),
            ("more than the word", "help me", &["/", ""], true, None),
            ("without its prefix", "help", &["/"], true, None),
            ("another prefix", "#help", &["#"], true, Some(Order::Help)),
            ("not that prefix", "/help", &["#"], true, None),
            ("list", "/plugin list", &["#"], true, Some(Order::Plugin(Wanted::List))),
            ("list, short", "/plugin", &["#"], false, Some(Order::Plugin(Wanted::List))),
            ("on", "/plugin  on auto-reply", &[""], true, on("auto-reply")),
            ("without `/`", "plugin list", &[""], true, None),
            ("another word", "/plugins", &[""], true, None),
            ("half", "/plugin off", &[""], true, usage()),
            ("too much", "/plugin off a b", &[""], true, usage()),
            ("why", "/why", &["#"], false, Some(Order::Why(None))),
            ("why that", "/why 42", &["#"], false, Some(Order::Why(Some("42".into())))),
            ("a question", "/why is the sky blue", &["#"], false, None),
            ("no command", "/", &["/"], true, None),
            ("nothing", "", &[""], true, None),
        ] {
            let prefixes: Vec<String> = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
            assert_eq!(read(text, &prefixes, addressed), want, "{name}");
        }
    }
}
