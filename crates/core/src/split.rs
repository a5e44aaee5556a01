//! How is a text sent that is longer than the service takes? In parts that end with a line, each of them whole by itself.
//!
//! A part counts against what a bot may send, so there are as few as possible: a line is only carried over when it does not
//! fit any more. A code block that has to be parted is closed and opened again, so that each part is shown as its author
//! meant it. Nothing is lost at a cut but the white space that stood there.

use std::sync::LazyLock;

use regex::Regex;

/// The longest language that is written again when a code block goes on.
const LANGUAGE: usize = 32;

/// What a reader takes for one character: never parted. By UAX 29 but for rare scripts.
#[expect(clippy::expect_used, reason = "a constant, which the tests use")]
static CLUSTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?xs)
        (?: \r\n | \p{RI}{2} | \p{gcb=L}*[\p{gcb=V}\p{gcb=LV}\p{gcb=LVT}][\p{gcb=V}\p{gcb=T}]* | . )
        (?: \x{200d}\p{ExtPict} | [\p{gcb=EX}\p{gcb=SM}\x{200d}] )*",
    )
    .expect("a valid expression")
});

/// How much of a limit a text takes: UTF-16 code units, as the services' own clients count. What lies outside the basic
/// plane, as most emoji do, counts two.
pub fn width(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Parts of a text, none of them wider than `limit` (see [`width`]; a limit below 2 counts as 2) and none of them blank. A
/// text that fits is its only part, as it is.
///
/// ```
/// # use wxbot_core::split::split_text;
/// assert_eq!(split_text("one\ntwo\nthree", 8), ["one\ntwo", "three"]);
/// assert_eq!(split_text("```sh\nls -l\npwd\n```", 16), ["```sh\nls -l\n```", "```sh\npwd\n```"]);
/// ```
pub fn split_text(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(2);
    if width(text) <= limit {
        return vec![text.to_owned()];
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let mut splitter = Splitter { limit, parts: Vec::new(), part: String::new(), used: 0, fence: None, bare: true };
    for (at, line) in lines.iter().enumerate() {
        splitter.line(line, lines.get(at + 1..).unwrap_or_default());
    }
    splitter.finish();
    if splitter.parts.is_empty() {
        // Nothing but white space, of which the service gets what it takes.
        splitter.parts.push(cut(text, limit, true).0.to_owned());
    }
    splitter.parts
}

/// A code block that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fence {
    mark: char,
    count: usize,
    /// The line that opens it again.
    open: String,
    /// The line that ends it.
    close: String,
}

impl Fence {
    /// What this line opens.
    fn opened(line: &str) -> Option<Self> {
        let inner = line.trim_start();
        let mark = inner.chars().next().filter(|c| ['`', '~'].contains(c))?;
        let count = inner.chars().take_while(|c| *c == mark).count();
        let info = inner.trim_start_matches(mark);
        if count < 3 || (mark == '`' && info.contains('`')) {
            return None;
        }
        let indent = line.get(..line.len() - inner.len()).unwrap_or_default();
        let close = format!("{indent}{}", inner.get(..count).unwrap_or_default());
        let fits = |word: &&str| width(word) <= LANGUAGE && !word.starts_with(mark);
        let language = info.split_whitespace().next().filter(fits).unwrap_or_default();
        Some(Self { mark, count, open: format!("{close}{language}"), close })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.chars().all(|c| c == self.mark) && line.chars().count() >= self.count
    }

    /// What it takes to part it.
    fn overhead(&self) -> usize {
        width(&self.open) + width(&self.close) + 2
    }

    /// How wide the block is, from its first line to the line that closes it, or to the end.
    fn block(&self, first: &str, rest: &[&str]) -> usize {
        let mut wide = width(first);
        for line in rest {
            wide += 1 + width(line);
            if self.is_closed_by(line) {
                break;
            }
        }
        wide
    }
}

struct Splitter {
    limit: usize,
    parts: Vec<String>,
    /// The part that is being filled, and its width.
    part: String,
    used: usize,
    /// The code block that the next line stands in.
    fence: Option<Fence>,
    /// There is nothing in the part but the line that opens a block again.
    bare: bool,
}

impl Splitter {
    fn line(&mut self, line: &str, rest: &[&str]) {
        match self.fence.clone() {
            Some(fence) if fence.is_closed_by(line) => {
                self.fence = None;
                // For the plain one there is always room.
                let line = if self.fits(line) { line } else { &fence.close };
                if self.bare && !self.parts.is_empty() {
                    // The block went on with nothing: the part before has closed it.
                    self.drop_part();
                } else {
                    self.push(line);
                }
            }
            Some(_) => self.place(line),
            None => match Fence::opened(line).filter(|fence| fence.overhead() <= self.limit / 4 * 3) {
                Some(fence) => self.open(fence, line, rest),
                None => self.place(line),
            },
        }
    }

    fn open(&mut self, fence: Fence, line: &str, rest: &[&str]) {
        let block = fence.block(line, rest);
        let room = self.room();
        if block > room {
            let next = rest.first().map_or(0, |next| 1 + width(next)).min(self.limit / 4);
            let begins = width(line) + next + 1 + width(&fence.close) <= room;
            // A block that need not be parted is not, unless that would leave half a part empty.
            if !begins || (block <= self.limit && self.used >= self.limit / 2) {
                self.flush();
            }
        }
        // Its own first line, which may say more than the one that opens it again.
        if self.fits_with(line, 1 + width(&fence.close)) {
            self.push(line);
        } else {
            let line = fence.open.clone();
            self.push(&line);
        }
        self.fence = Some(fence);
    }

    /// A line of text, or of a code block.
    fn place(&mut self, line: &str) {
        if self.fits(line) {
            self.push(line);
            return;
        }
        let fresh = self.limit - self.fence.as_ref().map_or(0, Fence::overhead);
        if width(line) <= fresh {
            self.flush();
            self.push(line);
            return;
        }
        let in_code = self.fence.is_some();
        let mut left = line;
        while !left.is_empty() {
            if self.fits(left) {
                self.push(left);
                return;
            }
            // Too little room to begin a long line in.
            if self.room_inside() < (self.limit / 4).max(2) && !self.bare {
                self.flush();
            }
            let (head, tail) = cut(left, self.room_inside().max(2), in_code);
            self.push(head);
            self.flush();
            left = if in_code { tail } else { tail.trim_start() };
        }
    }

    /// What the part still takes.
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.used + usize::from(!self.part.is_empty()))
    }

    /// The same, with the end of an open block.
    fn room_inside(&self) -> usize {
        self.room().saturating_sub(self.fence.as_ref().map_or(0, |fence| 1 + width(&fence.close)))
    }

    fn fits(&self, line: &str) -> bool {
        self.fits_with(line, self.fence.as_ref().map_or(0, |fence| 1 + width(&fence.close)))
    }

    fn fits_with(&self, line: &str, more: usize) -> bool {
        self.used + usize::from(!self.part.is_empty()) + width(line) + more <= self.limit
    }

    fn push(&mut self, line: &str) {
        if self.part.is_empty() && self.fence.is_none() && line.trim().is_empty() && !self.parts.is_empty() {
            // No part begins with what stood between two.
            return;
        }
        if !self.part.is_empty() {
            self.part.push('\n');
            self.used += 1;
        }
        self.part.push_str(line);
        self.used += width(line);
        self.bare = false;
    }

    fn flush(&mut self) {
        if self.bare {
            return;
        }
        if let Some(fence) = &self.fence {
            self.part.push('\n');
            self.part.push_str(&fence.close);
        }
        self.keep();
        if let Some(fence) = &self.fence {
            self.part = fence.open.clone();
            self.used = width(&fence.open);
        }
    }

    fn finish(&mut self) {
        if self.bare && self.fence.is_some() && !self.parts.is_empty() {
            self.drop_part();
        } else {
            self.keep();
        }
    }

    /// Ends the part.
    fn keep(&mut self) {
        let part = std::mem::take(&mut self.part);
        let whole = part.trim_end();
        if !whole.is_empty() {
            self.parts.push(whole.to_owned());
        }
        self.drop_part();
    }

    fn drop_part(&mut self) {
        self.part.clear();
        self.used = 0;
        self.bare = true;
    }
}

/// Parts a line: the first half is as wide as it may be, and ends where a reader pauses if that is not far.
fn cut(line: &str, room: usize, in_code: bool) -> (&str, &str) {
    let (mut wide, mut end, mut best, mut before) = (0, 0, (0, 0), None);
    for cluster in CLUSTER.find_iter(line) {
        wide += width(cluster.as_str());
        if wide > room {
            break;
        }
        end = cluster.end();
        let last = cluster.as_str().chars().next();
        let pause = pause(before, last, in_code);
        if pause > 0 && wide * 2 > room && pause >= best.0 {
            best = (pause, end);
        }
        before = last;
    }
    if end == 0 {
        // One character that is made of more than there is room for.
        wide = 0;
        for (at, c) in line.char_indices() {
            wide += c.len_utf16();
            if wide > room {
                break;
            }
            end = at + c.len_utf8();
        }
    }
    line.split_at_checked(if best.1 > 0 && end < line.len() { best.1 } else { end }).unwrap_or((line, ""))
}

/// How good it is to stop behind this character; 0 where it is not.
fn pause(before: Option<char>, last: Option<char>, in_code: bool) -> u8 {
    match last {
        Some(c) if c.is_whitespace() && !in_code && before.is_some_and(|c| ".!?;".contains(c)) => 3,
        Some(c) if !in_code && "。！？；…".contains(c) => 3,
        Some(c) if c.is_whitespace() => 2,
        Some(c) if !in_code && "，、：".contains(c) => 1,
        _ => 0,
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
