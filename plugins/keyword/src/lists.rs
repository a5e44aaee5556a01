//! Which keywords are in these files? Text, CSV and TOML, as people make them and as Windows saves them.
//!
//! | Name ends in | One keyword is |
//! |---|---|
//! | `.csv`, `.tsv` | a row: keyword, reply, priority, tag, in this order or under a header with these names |
//! | `.toml` | an element of `keywords`, a string or `{ keyword = "…", reply = "…", priority = 1, tag = "…" }` |
//! | anything else | a line; `#` begins a comment line, `\#` a keyword that begins with `#` |
//!
//! A header and a table may say `word` ([between borders only](crate::matcher::Pattern::word)) and `regex` too. UTF-8,
//! UTF-16 with its mark and GB18030 (GBK) are told apart. All mistakes of all files come at once, with file and line.
//!
//! Reading waits for the disk: call it on `spawn_blocking`. A [`Stamp`] says cheaply whether it is worth it.
//!
//! Files in reading order: this one → `encoding` → `lines` → `rows` → `tables`.

mod encoding;
mod lines;
mod rows;
mod tables;

use std::collections::HashMap;
use std::collections::hash_map;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use encoding::Encoding;

use crate::fold::Folder;
use crate::matcher::MOST_CHARS;

/// The largest file.
pub const FILE_BYTES: usize = 16 << 20;
/// All files together.
pub const ALL_BYTES: usize = 64 << 20;
/// How many entries all files together may have, the same ones counted each time.
pub const MOST_ENTRIES: usize = 200_000;
/// The longest reply: no text that is sent is longer.
pub const REPLY_BYTES: usize = 4096;
/// The longest tag, in characters.
pub const TAG_CHARS: usize = 64;
/// More mistakes than these help nobody.
const MOST_PROBLEMS: usize = 50;

/// One keyword of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The keyword or regex, as it was written, without white space around it.
    pub keyword: String,
    /// It is a regex.
    pub regex: bool,
    /// Between borders only.
    pub word: bool,
    /// What to answer.
    pub reply: Option<String>,
    /// What wins over others; the rules say how.
    pub priority: Option<i32>,
    /// What to remember of the sender.
    pub tag: Option<String>,
    /// In which file, by its place in [`Read::files`].
    pub file: usize,
    /// In which line, from 1 on.
    pub line: usize,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// Each once, in the order of the files. Of those that are the same when folded the first stands here, with what
    /// only later ones say about reply, priority and tag.
    pub entries: Vec<Entry>,
    /// About each file.
    pub files: Vec<FileRead>,
}

/// About one file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub encoding: Encoding,
    /// How many entries it has, with those that stand elsewhere too.
    pub entries: usize,
    /// How many of them were there already.
    pub duplicates: usize,
    /// How long it is.
    pub bytes: usize,
}

/// What is wrong with a list. `Display` is `path:line: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListProblem {
    /// In which file.
    pub path: PathBuf,
    /// In which line, from 1 on; `None`: the file as a whole.
    pub line: Option<usize>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// When, how long and which: what changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp(Option<Marks>);

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Marks {
    len: u64,
    modified: Option<SystemTime>,
    /// Which file it is, and when anything of it changed: what a copy with the old time and length has anew.
    #[cfg(unix)]
    inode: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Marks {
    fn of(about: &fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            len: about.len(),
            modified: about.modified().ok(),
            #[cfg(unix)]
            inode: (about.dev(), about.ino()),
            #[cfg(unix)]
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

/// A mistake before it is known in which file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flaw {
    line: Option<usize>,
    message: String,
    help: &'static str,
}

/// An entry before it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Draft {
    keyword: String,
    regex: bool,
    word: bool,
    reply: Option<String>,
    priority: Option<i32>,
    tag: Option<String>,
    line: usize,
}

/// Takes what a format finds. `Break`: no more is wanted.
trait Sink {
    fn entry(&mut self, draft: Draft) -> std::ops::ControlFlow<()>;
    fn flaw(&mut self, flaw: Flaw) -> std::ops::ControlFlow<()>;
}

/// Reads all of them. `folder` says which entries are the same.
///
/// # Errors
/// All that is wrong in any of the files, the first fifty; nothing is read by halves.
pub fn read<P: AsRef<Path>>(paths: &[P], folder: Folder) -> Result<Read, Vec<ListProblem>> {
    let mut lists = Lists::new(folder);
    let mut bytes = 0;
    for path in paths {
        let path = path.as_ref();
        match content(path, &mut bytes) {
            Ok(content) => lists.file(path, content),
            Err(flaw) => lists.problems.push(flaw.in_file(path)),
        }
        if lists.problems.len() >= MOST_PROBLEMS || lists.seen > MOST_ENTRIES {
            break;
        }
    }
    lists.done()
}

/// The bytes of one file.
///
/// # Errors
/// Why it cannot be read, or that it is too large.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Vec<ListProblem>> {
    content(path, &mut 0).map_err(|flaw| vec![flaw.in_file(path)])
}

/// [`read`] of one file whose [`bytes`] are there.
///
/// # Errors
/// As of [`read`].
pub fn read_bytes(path: &Path, bytes: Vec<u8>, folder: Folder) -> Result<Read, Vec<ListProblem>> {
    let mut lists = Lists::new(folder);
    lists.file(path, bytes);
    lists.done()
}

struct Lists {
    folder: Folder,
    read: Read,
    /// Where the entry is that counts as the same.
    places: HashMap<(String, bool, bool), usize>,
    seen: usize,
    problems: Vec<ListProblem>,
}

/// One file of [`Lists`].
struct Filling<'a> {
    lists: &'a mut Lists,
    path: &'a Path,
    file: usize,
    entries: usize,
    duplicates: usize,
}

impl Lists {
    fn new(folder: Folder) -> Self {
        Self { folder, read: Read::default(), places: HashMap::new(), seen: 0, problems: Vec::new() }
    }

    fn done(self) -> Result<Read, Vec<ListProblem>> {
        if self.problems.is_empty() { Ok(self.read) } else { Err(self.problems) }
    }

    fn file(&mut self, path: &Path, content: Vec<u8>) {
        let bytes = content.len();
        let (text, encoding) = match encoding::decode(content) {
            Ok(read) => read,
            Err(flaw) => return self.problems.push(flaw.in_file(path)),
        };
        let file = self.read.files.len();
        let mut filling = Filling { lists: self, path, file, entries: 0, duplicates: 0 };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let _stopped = match &*ending {
            "csv" => rows::read(&text, b',', &mut filling),
            "tsv" => rows::read(&text, b'\t', &mut filling),
            "toml" => tables::read(&text, &mut filling),
            _ => lines::read(&text, &mut filling),
        };
        let Filling { entries, duplicates, .. } = filling;
        self.read.files.push(FileRead { path: path.to_owned(), encoding, entries, duplicates, bytes });
    }
}

/// The bytes of a file that is no larger than it may be.
fn content(path: &Path, bytes: &mut usize) -> Result<Vec<u8>, Flaw> {
    let unreadable = |error: io::Error| Flaw {
        line: None,
        message: format!("the list cannot be read: {error}"),
        help: "write the path of a text, CSV or TOML file that the bot may read",
    };
    // Looked at before it is opened: opening a pipe waits for somebody who writes.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Flaw {
            line: None,
            message: "this is no file".to_owned(),
            help: "write the paths of the files, not that of their folder",
        });
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    *bytes += content.len();
    let too_large = |what: &str, most: usize| Flaw {
        line: None,
        message: format!("{what} larger than {} MiB", most >> 20),
        help: "a list of 200,000 keywords has some 4 MiB: is this the right file?",
    };
    if content.len() > FILE_BYTES {
        return Err(too_large("the file is", FILE_BYTES));
    }
    if *bytes > ALL_BYTES {
        return Err(too_large("with this file all lists together are", ALL_BYTES));
    }
    Ok(content)
}

impl Filling<'_> {
    /// What is wrong with this entry, if anything.
    fn look(&self, draft: &Draft, folded: &str) -> Option<Flaw> {
        let flaw = |message: String, help| Some(Flaw { line: Some(draft.line), message, help });
        let chars = draft.keyword.chars().count();
        if chars > MOST_CHARS {
            let message = format!("a keyword has at most {MOST_CHARS} characters, this one has {chars}");
            flaw(message, "one keyword a line; write the part of it that is telling")
        } else if folded.trim().is_empty() {
            flaw("nobody can see this keyword".to_owned(), "remove the line: it holds invisible characters only")
        } else if draft.keyword.contains(['\n', '\r']) {
            flaw("a keyword goes over several lines".to_owned(), "close the quotation mark in the line it stands in")
        } else if draft.word && draft.regex {
            flaw("`word` is for keywords, not for a regex".to_owned(), "write \\b at both ends of the regex")
        } else if draft.reply.as_ref().is_some_and(|reply| reply.len() > REPLY_BYTES) {
            flaw(format!("a reply has at most {REPLY_BYTES} bytes"), "write less, or a link")
        } else if draft.tag.as_ref().is_some_and(|tag| tag.chars().count() > TAG_CHARS) {
            flaw(format!("a tag has at most {TAG_CHARS} characters"), "write a short word")
        } else {
            None
        }
    }
}

impl Sink for Filling<'_> {
    fn entry(&mut self, draft: Draft) -> std::ops::ControlFlow<()> {
        self.lists.seen += 1;
        if self.lists.seen > MOST_ENTRIES {
            let message = format!("all lists together have more than {MOST_ENTRIES} entries");
            return self.flaw(Flaw { line: Some(draft.line), message, help: "remove what is not needed" });
        }
        // A regex is not folded: `\W` is not `\w`.
        let same = if draft.regex { draft.keyword.clone() } else { self.lists.folder.fold(&draft.keyword) };
        if let Some(flaw) = self.look(&draft, &same) {
            return self.flaw(flaw);
        }
        self.entries += 1;
        let entries = &mut self.lists.read.entries;
        match self.lists.places.entry((same, draft.regex, draft.word)) {
            hash_map::Entry::Vacant(place) => {
                place.insert(entries.len());
                let Draft { keyword, regex, word, reply, priority, tag, line } = draft;
                entries.push(Entry { keyword, regex, word, reply, priority, tag, file: self.file, line });
            }
            hash_map::Entry::Occupied(place) => {
                self.duplicates += 1;
                if let Some(first) = entries.get_mut(*place.get()) {
                    first.reply = first.reply.take().or(draft.reply);
                    first.priority = first.priority.or(draft.priority);
                    first.tag = first.tag.take().or(draft.tag);
                }
            }
        }
        std::ops::ControlFlow::Continue(())
    }

    fn flaw(&mut self, flaw: Flaw) -> std::ops::ControlFlow<()> {
        self.lists.problems.push(flaw.in_file(self.path));
        if self.lists.problems.len() < MOST_PROBLEMS && self.lists.seen <= MOST_ENTRIES {
            std::ops::ControlFlow::Continue(())
        } else {
            std::ops::ControlFlow::Break(())
        }
    }
}

impl Flaw {
    fn in_file(self, path: &Path) -> ListProblem {
        let Self { line, message, help } = self;
        ListProblem { path: path.to_owned(), line, message, help: help.to_owned() }
    }
}

impl fmt::Display for ListProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Stamp {
    /// Of what is at this path now; a file that is not there has a stamp too.
    pub fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|about| Marks::of(&about)))
    }
}

#[cfg(test)]
mod tests;
