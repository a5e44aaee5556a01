//! Which names may a plugin have? One that is good for the crate, the id in `bot.toml`, and the type.

/// The longest that package registries take.
const LONGEST: usize = 64;

/// Words that cannot be a crate's name: keywords, and crates that every program has.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "wxbot",
    "wxbot-plugin",
    "yield",
];

/// Types that the code of a new plugin uses itself.
const TYPES: &[&str] = &["Default", "Kit", "Sender", "String"];

/// A good name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            let cure = match mended(text) {
                Some(name) => format!("try `{name}`"),
                None => "try something like `weather`".to_owned(),
            };
            Err(format!("`{}` is no name for a plugin: {what}; {cure}", text.escape_debug()))
        };
        if text.is_empty() {
            return wrong("it is empty");
        }
        if let Some(odd) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            return wrong(&format!(
                "it has `{}`, and only lower-case letters, digits and `-` may be in it",
                odd.escape_debug()
            ));
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return wrong("it does not begin with a letter");
        }
        if text.ends_with('-') || text.contains("--") {
            return wrong("each `-` stands between two letters or digits");
        }
        if text.len() > LONGEST {
            return wrong(&format!("it has {} letters, and {LONGEST} are the most", text.len()));
        }
        if TAKEN.contains(&text) {
            return wrong("Rust or wxbot uses that word itself");
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written: `good-morning`.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As Rust code calls the crate: `good_morning`.
    pub(super) fn krate(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The name of the plugin's type: `GoodMorning`.
    pub(super) fn type_name(&self) -> String {
        let word = |word: &str| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
        };
        let name: String = self.0.split('-').map(word).collect();
        if TYPES.contains(&name.as_str()) { name + "Plugin" } else { name }
    }
}

/// The nearest good name; none where nothing of it can stay.
fn mended(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut before = '-';
    for c in text.chars().take(LONGEST) {
        let begins_word = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if begins_word || !c.is_ascii_alphanumeric() {
            name.push('-');
        }
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    let words: Vec<_> = name.split('-').filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-").trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    if TAKEN.contains(&name.as_str()) {
        name.push_str("-bot");
    }
    name.truncate(LONGEST);
    let name = name.trim_end_matches('-');
    (!name.is_empty() && !TAKEN.contains(&name)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_good_or_say_what_is_better() {
        for good in ["a", "weather", "good-morning", "a1-b2", &"x".repeat(LONGEST)] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        for (bad, what, cure) in [
            ("", "empty", "`weather`"),
            ("Weather", "`W`", "try `weather`"),
            ("goodMorning", "`M`", "try `good-morning`"),
            ("good_morning", "`_`", "try `good-morning`"),
            ("天气", "`天`", "`weather`"),
            ("a/b", "`/`", "try `a-b`"),
            ("../up", "`.`", "try `up`"),
            ("8ball", "begin with a letter", "try `ball`"),
            ("-a", "begin with a letter", "try `a`"),
            ("a-", "between", "try `a`"),
            ("a--b", "between", "try `a-b`"),
            ("test", "itself", "try `test-bot`"),
            ("wxbot-plugin", "itself", "try `wxbot-plugin-bot`"),
            ("a\nb", "`\\n`", "try `a-b`"),
            (&"x".repeat(LONGEST + 1), "65", &format!("try `{}`", "x".repeat(LONGEST))),
        ] {
            let said = Name::parse(bad).unwrap_err();
            assert!(said.contains(what) && said.contains(cure), "{bad}: {said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn what_is_proposed_is_good() {
        for odd in ["Ünder", "__x__", "A B C", "self", "9", "x".repeat(200).as_str(), &format!("{}-b", "x".repeat(63))]
        {
            if let Some(name) = mended(odd) {
                assert!(Name::parse(&name).is_ok(), "{odd}: {name}");
            }
        }
    }

    #[test]
    fn a_name_in_code() {
        let name = Name::parse("good-morning-2").unwrap();
        assert_eq!((name.krate(), name.type_name()), ("good_morning_2".into(), "GoodMorning2".into()));
        assert_eq!(Name::parse("string").unwrap().type_name(), "StringPlugin");
    }
}
