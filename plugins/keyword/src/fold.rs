//! How does a text look when capitals, full-width forms and invisible characters make no difference, and where was it
//! so in the original?
//!
//! Same result as `wxbot_plugin::text::fold`, with three differences: one table look-up per character instead of
//! several searches, no allocation but the caller's buffers, and, if asked for, the way back to the sender's own
//! characters. With [`Folding::simplified`] 發票 and 发票 are the same too.

mod map;
mod table;

pub use map::Map;

use self::table::{GONE, SAME, SEVERAL, Table};

/// Which differences count for nothing. Invisible characters never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Folding {
    /// Capitals are small letters.
    pub case: bool,
    /// Full-width signs and the ideographic space are half-width ones.
    pub width: bool,
    /// Traditional characters are simplified ones.
    pub simplified: bool,
}

impl Default for Folding {
    /// As commands and keywords of `#[plugin]` compare: everything but [`simplified`](Self::simplified).
    fn default() -> Self {
        Self { case: true, width: true, simplified: false }
    }
}

/// A text in its folded form, and the way back. To be used again for the next text.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    /// The folded form.
    pub text: String,
    /// Where each byte of [`text`](Self::text) stood.
    pub map: Map,
}

/// Folds texts in one way. Cheap to make and to copy: the tables are made once in the life of the program.
#[derive(Debug, Clone, Copy)]
pub struct Folder {
    table: &'static Table,
    folding: Folding,
}

impl Folder {
    /// For this folding.
    pub fn new(folding: Folding) -> Self {
        Self { table: Table::of(folding), folding }
    }

    /// In which way it folds.
    pub fn folding(&self) -> Folding {
        self.folding
    }

    /// The folded form, in a string of its own.
    pub fn fold(&self, text: &str) -> String {
        let mut out = String::new();
        self.fold_into(text, &mut out);
        out
    }

    /// The folded form in place of what is in `out`.
    pub fn fold_into(&self, text: &str, out: &mut String) {
        self.run::<false>(text, out, &mut Map::default());
    }

    /// The folded form and the way back, in place of what is in `out`.
    pub fn fold_mapped(&self, text: &str, out: &mut Folded) {
        out.map.clear();
        self.run::<true>(text, &mut out.text, &mut out.map);
    }

    fn run<const MAPPED: bool>(&self, text: &str, out: &mut String, map: &mut Map) {
        out.clear();
        out.reserve(text.len());
        // Most characters stay as they are: they are copied by runs, and `kept` is where the present run began.
        let (mut at, mut kept) = (0, 0);
        while let Some(rest) = text.as_bytes().get(at..) {
            let (form, len) = match *rest {
                // Small letters are made at the end, for the whole text at once.
                [lead, ..] if lead < 0x80 => {
                    at += ascii(rest);
                    continue;
                }
                [a, b, ..] if a < 0xE0 => (self.table.form((u16::from(a & 0x1F) << 6) | tail(b)), 2),
                [a, b, c, ..] if a < 0xF0 => {
                    (self.table.form((u16::from(a & 0xF) << 12) | (tail(b) << 6) | tail(c)), 3)
                }
                // An emoji is what it is.
                [0xF0, 0x9F, ..] => (SAME, 4),
                [_, _, _, _, ..] => (SEVERAL, 4),
                _ => break,
            };
            if form == SAME {
                at += len;
                continue;
            }
            out.push_str(text.get(kept..at).unwrap_or_default());
            if form != GONE {
                let from = out.len();
                match char::from_u32(form.into()) {
                    Some(c) => out.push(c),
                    None => {
                        let c = text.get(at..).and_then(|rest| rest.chars().next());
                        out.extend(c.into_iter().flat_map(|c| table::folded(c, self.folding)));
                    }
                }
                // Where nothing is left of it there is nothing to find the way back from.
                if MAPPED && out.len() > from && (form == SEVERAL || out.len() - from != len) {
                    map.one(from, at, len);
                }
            }
            at += len;
            kept = at;
            if MAPPED {
                map.resume(out.len(), at);
            }
        }
        out.push_str(text.get(kept..).unwrap_or_default());
        if self.folding.case {
            out.make_ascii_lowercase();
        }
    }
}

/// The six bits that a byte behind the first one holds.
fn tail(byte: u8) -> u16 {
    u16::from(byte & 0x3F)
}

/// How many bytes at the beginning are ASCII; there is one at least.
fn ascii(bytes: &[u8]) -> usize {
    let mut len = 1;
    while let Some(eight) = bytes.get(len..).and_then(|rest| rest.first_chunk::<8>()) {
        let high = u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080;
        if high != 0 {
            return len + (high.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    while bytes.get(len).is_some_and(u8::is_ascii) {
        len += 1;
    }
    len
}

#[cfg(test)]
pub(crate) mod tests;
