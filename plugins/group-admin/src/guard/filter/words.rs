//! Which words must not be said? Those in the settings, and those in a file next to `bot.toml`.

use std::path::PathBuf;

use serde_json::{Value, json};
use wxbot_plugin::config::{At, ConfigValue};
use wxbot_plugin::prelude::*;

use crate::act::label;
use crate::guard::offence::Offence;
use crate::ladder::Rung;

/// How large a file of words may be.
const FILE_BYTES: u64 = 1024 * 1024;
/// How many words there may be, in settings and file each.
const WORDS: usize = 20_000;

/// Words that must not be said.
#[derive(Debug, PluginConfig)]
#[config(check = Words::check)]
pub struct Words {
    /// The words. Capitals, full-width and invisible characters make no difference, nor do signs within Chinese words.
    #[config(default, max_len = 20000)]
    pub list: Vec<String>,
    /// A text file with one word per line, UTF-8; lines that begin with `#` are remarks. It is read when the settings are.
    pub file: Option<WordFile>,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// A file of words, already read.
#[derive(Debug)]
pub struct WordFile {
    words: Vec<String>,
}

impl Words {
    fn check(&self) -> Vec<ConfigProblem> {
        if self.all().next().is_some() {
            return Vec::new();
        }
        vec![ConfigProblem::at("", "there are no words").help("name some in `list`, or a `file`")]
    }

    /// All words.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        let file = self.file.iter().flat_map(|file| &file.words);
        self.list.iter().chain(file).map(String::as_str).filter(|word| !word.trim().is_empty())
    }

    pub(crate) fn offence(&self, word: &str) -> Offence {
        // The room is not told which word it was: the warning would say it again.
        Offence::new("words", "违禁词", self.rung).in_detail(format!("「{}」", label(word)))
    }
}

impl ConfigValue for WordFile {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1 })
    }

    fn want() -> String {
        "the path of a text file".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let path = PathBuf::read_value(value, at)?;
        let wrong =
            |why: String, help: &str| vec![at.problem(format!("{}: {} {why}", at.name(), path.display())).help(help)];
        let len = std::fs::metadata(&path)
            .map_err(|error| {
                wrong(format!("cannot be read: {error}"), "the path is relative to the folder of bot.toml")
            })?
            .len();
        if len > FILE_BYTES {
            return Err(wrong(format!("has {len} bytes"), "at most 1 MiB is read: split it, or shorten it"));
        }
        let bytes = std::fs::read(&path)
            .map_err(|error| wrong(format!("cannot be read: {error}"), "see that wxbot may read it"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            wrong(format!("is not UTF-8 (byte {at})"), "save it as UTF-8; GBK and UTF-16 are not read")
        })?;
        let lines = text.trim_start_matches('\u{FEFF}').lines().map(str::trim);
        let words: Vec<String> =
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
        if words.len() > WORDS {
            return Err(wrong(format!("has {} words", words.len()), "at most 20,000 are read"));
        }
        Ok(Self { words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &std::path::Path, file: &str) -> Result<Vec<String>, ConfigProblem> {
        let words = Words::read(&json!({ "list": ["一"], "file": file }), &Place::of(folder));
        words.map(|words| words.all().map(str::to_owned).collect()).map_err(|mut problems| problems.remove(0))
    }

    #[test]
    fn files_of_words() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("good.txt", "\u{FEFF}# remark\n二\r\n\n 三 \n".as_bytes());
        write("gbk.txt", b"\xb6\xc4\xb2\xa9\n");
        write("large.txt", &vec![b'a'; 1024 * 1024 + 1]);
        assert_eq!(read(folder.path(), "good.txt").unwrap(), ["一", "二", "三"]);
        for (file, part) in
            [("gbk.txt", "not UTF-8 (byte 0)"), ("large.txt", "1048577 bytes"), ("none.txt", "cannot be read")]
        {
            let problem = read(folder.path(), file).unwrap_err();
            assert!(problem.message.contains(part) && problem.help.is_some(), "{problem:?}");
            assert_eq!(problem.pointer, "/file");
        }
        assert_eq!(Words::read(&json!({}), &Place::default()).unwrap_err()[0].message, "there are no words");
    }
}
