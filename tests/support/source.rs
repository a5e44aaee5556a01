//! What of a Rust source is code, what is text, what is a test? A tokenizer just good enough for `tidy.rs`.

/// One source file, taken apart. All views have the lines of the original, so that findings can name them.
#[derive(Debug)]
pub(crate) struct Source {
    /// Code with comments and the insides of literals replaced by blanks.
    pub(crate) code: Vec<String>,
    /// Only the insides of string literals; all else is blank.
    pub(crate) literals: Vec<String>,
    /// The lines as written.
    pub(crate) raw: Vec<String>,
    /// True for lines of items under `#[cfg(test)]` or `#[test]`.
    test: Vec<bool>,
}

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let (code, literals) = take_apart(text);
        let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        let (code, literals, raw) = (lines(&code), lines(&literals), text.lines().map(str::to_owned).collect());
        let test = test_lines(&code);
        Self { code, literals, raw, test }
    }

    /// The lines whose code (outside tests, unless `tests` is true) satisfies `wrong`, which says what it saw.
    pub(crate) fn in_code(&self, tests: bool, wrong: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
        self.find(&self.code, tests, wrong)
    }

    /// The same for the insides of string literals.
    pub(crate) fn in_literals(&self, tests: bool, wrong: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
        self.find(&self.literals, tests, wrong)
    }

    fn find(&self, view: &[String], tests: bool, wrong: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
        let lines = view.iter().zip(&self.test).enumerate().filter(|(_, (_, test))| tests || !**test);
        lines.filter_map(|(index, (line, _))| wrong(line).map(|what| Finding { line: index + 1, what })).collect()
    }

    /// How many lines hold code outside tests.
    pub(crate) fn code_lines(&self) -> usize {
        self.code.iter().zip(&self.test).filter(|(line, test)| !**test && !line.trim().is_empty()).count()
    }
}

/// The byte offsets at which `word` stands alone in `line`, not as a part of a longer name.
pub(crate) fn word_at<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (line.get(..at).unwrap_or_default(), line.get(at + word.len()..).unwrap_or_default());
        !before.ends_with(part_of_name) && !after.starts_with(part_of_name)
    })
}

pub(crate) fn has_word(line: &str, word: &str) -> bool {
    word_at(line, word).next().is_some()
}

/// Splits a text into code and literal insides, both with the line breaks of the original.
fn take_apart(text: &str) -> (String, String) {
    let mut reader = Reader { chars: text.chars().collect(), at: 0, code: String::new(), literals: String::new() };
    while let Some(c) = reader.ahead(0) {
        match (c, reader.ahead(1)) {
            ('/', Some('/')) => reader.line_comment(),
            ('/', Some('*')) => reader.block_comment(),
            ('"', _) => reader.string(),
            ('\'', _) => reader.quote(),
            ('r', Some('"' | '#')) if reader.starts_raw_string() => reader.raw_string(),
            _ => reader.take(Kind::Code),
        }
    }
    (reader.code, reader.literals)
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Literal,
    Comment,
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    code: String,
    literals: String,
}

impl Reader {
    fn ahead(&self, by: usize) -> Option<char> {
        self.chars.get(self.at + by).copied()
    }

    /// Moves one character into the view of its kind.
    fn take(&mut self, kind: Kind) {
        let Some(c) = self.ahead(0) else { return };
        self.at += 1;
        let blank = if c == '\n' { '\n' } else { ' ' };
        self.code.push(if matches!(kind, Kind::Code) { c } else { blank });
        self.literals.push(if matches!(kind, Kind::Literal) { c } else { blank });
    }

    fn take_many(&mut self, count: usize, kind: Kind) {
        (0..count).for_each(|_| self.take(kind));
    }

    fn line_comment(&mut self) {
        while self.ahead(0).is_some_and(|c| c != '\n') {
            self.take(Kind::Comment);
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.ahead(0) {
            match (c, self.ahead(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.take(Kind::Comment);
                    continue;
                }
            }
            self.take_many(2, Kind::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(Kind::Code);
        while let Some(c) = self.ahead(0) {
            match c {
                '"' => return self.take(Kind::Code),
                '\\' => self.take_many(2, Kind::Literal),
                _ => self.take(Kind::Literal),
            }
        }
    }

    /// `'x'` and `'\n'` are characters; `'a` is a lifetime and stays code.
    fn quote(&mut self) {
        let length = match (self.ahead(1), self.ahead(2)) {
            (Some('\\'), _) => {
                (3..).take_while(|&by| self.ahead(by - 1).is_some()).find(|&by| self.ahead(by) == Some('\''))
            }
            (_, Some('\'')) => Some(2),
            _ => None,
        };
        self.take(Kind::Code);
        if let Some(length) = length {
            self.take_many(length - 1, Kind::Literal);
            self.take(Kind::Code);
        }
    }

    /// True at the `r` of `r"…"`, `r#"…"#` and their byte and C twins; false in `for"` and at `r#type`.
    fn starts_raw_string(&self) -> bool {
        let name = |back: usize| {
            let c = self.at.checked_sub(back).and_then(|at| self.chars.get(at));
            c.is_some_and(|c| c.is_alphanumeric() || *c == '_')
        };
        let prefix = self.at.checked_sub(1).and_then(|at| self.chars.get(at));
        let alone = !name(1) || (matches!(prefix, Some('b' | 'c')) && !name(2));
        alone && self.ahead(1 + self.hashes()) == Some('"')
    }

    /// How many `#` follow the `r` under the cursor.
    fn hashes(&self) -> usize {
        (1..).take_while(|&by| self.ahead(by) == Some('#')).count()
    }

    fn raw_string(&mut self) {
        let hashes = self.hashes();
        self.take_many(hashes + 2, Kind::Code);
        while self.ahead(0).is_some() {
            if self.ahead(0) == Some('"') && (1..=hashes).all(|by| self.ahead(by) == Some('#')) {
                return self.take_many(hashes + 1, Kind::Code);
            }
            self.take(Kind::Literal);
        }
    }
}

/// Which lines belong to an item under `#[cfg(test)]` or a `#[test]` attribute: from the attribute to the `}` (or `;`)
/// that ends the item. `code` has no braces in comments and literals any more.
fn test_lines(code: &[String]) -> Vec<bool> {
    let starts = |line: &str| {
        let line = line.trim_start();
        line.starts_with("#[cfg(test)]")
            || line.starts_with("#[cfg(all(test")
            || line.starts_with("#[test]")
            || line.starts_with("#[tokio::test")
    };
    let mut test = Vec::with_capacity(code.len());
    let mut inside = false;
    let (mut depth, mut opened) = (0_usize, false);
    for line in code {
        if !inside && starts(line) {
            (inside, depth, opened) = (true, 0, false);
        }
        test.push(inside);
        if !inside {
            continue;
        }
        for c in line.chars() {
            match c {
                '{' => (depth, opened) = (depth + 1, true),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        let ended_without_body = !opened && line.trim_end().ends_with(';');
        inside = !(ended_without_body || (opened && depth == 0));
    }
    test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_leave_the_code() {
        for (name, text, code, literals) in [
            ("line comment", "a // unsafe\nb", "a          \nb", "           \n "),
            ("nested block", "a/* x /* y */ z */b", "a                 b", ""),
            ("string", r#"f("uns\"afe")"#, r#"f("        ")"#, r#"   uns\"afe  "#),
            ("raw string", "r#\"a\"b\"#;", "r#\"   \"#;", "   a\"b   "),
            ("byte raw string", "br\"\\\";", "br\" \";", "   \\  "),
            ("raw name", "r#type \"x\"", "r#type \" \"", "        x "),
            ("character", "'\"' 'x' b'\\''", "' ' ' ' b'  '", " \"   x    \\' "),
            ("lifetime", "&'a str, 'b'", "&'a str, ' '", "          b "),
        ] {
            let (got_code, got_literals) = take_apart(text);
            assert_eq!(got_code, code, "{name}: code");
            if !literals.is_empty() {
                assert_eq!(got_literals, literals, "{name}: literals");
            }
        }
    }

    #[test]
    fn planted_violations_are_found_where_they_are() {
        let source = Source::new(
            "//! unsafe in a comment\nlet s = \"unsafe https://x\";\nunsafe { f() }\nlet unsafe_code = 1;\n\
             #[cfg(test)]\nmod tests {\n    fn f() { unsafe {} }\n}\nunsafe fn g() {}\n",
        );
        let wrong = |line: &str| has_word(line, "unsafe").then(|| "seen".to_owned());
        let lines = |found: Vec<Finding>| found.iter().map(|one| one.line).collect::<Vec<_>>();
        assert_eq!(lines(source.in_code(false, wrong)), [3, 9], "outside tests");
        assert_eq!(lines(source.in_code(true, wrong)), [3, 7, 9], "with tests");
        assert_eq!(lines(source.in_literals(true, wrong)), [2], "in literals");
        assert_eq!(source.code_lines(), 4);
    }

    #[test]
    fn a_test_attribute_covers_its_item_alone() {
        for (name, text, want) in [
            ("use", "#[cfg(test)]\nuse x;\nfn f() {}", &[true, true, false][..]),
            ("function", "#[test]\nfn f() {\n}\nfn g() {}", &[true, true, true, false]),
            ("one line", "#[cfg(test)] mod t { fn x() {} }\nfn g() {}", &[true, false]),
        ] {
            assert_eq!(Source::new(text).test, want, "{name}");
        }
    }
}
