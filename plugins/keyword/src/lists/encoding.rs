//! In which encoding is a file, and what does it say?
//!
//! A guess that is wrong makes keywords that nobody ever writes, and nobody notices. So there is no guess: a mark at the
//! beginning says it, or the bytes are right in UTF-8 to the last one, or they are GB18030 *and* look like Chinese. All
//! else is an error with a cure.

use std::fmt;

use encoding_rs::{DecoderResult, GB18030, UTF_16BE, UTF_16LE};

use super::Flaw;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// With or without its mark.
    Utf8,
    /// Either byte order, with its mark.
    Utf16,
    /// And with it GBK and GB2312: what Chinese Windows calls ANSI.
    Gb18030,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Gb18030 => "GB18030",
        })
    }
}

const SAVE_AS: &str = "save it again as UTF-8 (in Excel: \"CSV UTF-8\"; in Notepad: encoding UTF-8)";

/// The text of a file.
pub(super) fn decode(bytes: Vec<u8>) -> Result<(String, Encoding), Flaw> {
    let (text, encoding) = told_apart(bytes)?;
    let odd = |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || c == char::REPLACEMENT_CHARACTER;
    match text.find(odd) {
        None => Ok((text, encoding)),
        Some(at) => {
            let before = text.get(..at).unwrap_or_default();
            let code = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, u32::from);
            Err(flaw(Some(line(before)), format!("this is no plain text: it holds U+{code:04X}"), SAVE_AS))
        }
    }
}

fn told_apart(bytes: Vec<u8>) -> Result<(String, Encoding), Flaw> {
    let utf16 = |encoding, rest| {
        let broken = |line| flaw(Some(line), "a character is cut in two (the file is UTF-16)".to_owned(), SAVE_AS);
        Ok((strictly(encoding, rest).map_err(broken)?, Encoding::Utf16))
    };
    match &*bytes {
        [0xFF, 0xFE, rest @ ..] => return utf16(UTF_16LE, rest),
        [0xFE, 0xFF, rest @ ..] => return utf16(UTF_16BE, rest),
        // ZIP, and what Office wrote before it.
        [b'P', b'K', 3, 4, ..] | [0xD0, 0xCF, 0x11, 0xE0, ..] => {
            return Err(flaw(None, "this is a workbook or an archive, not a text".to_owned(), SAVE_AS));
        }
        _ if bytes.contains(&0) => {
            let message = "this is no plain text, or UTF-16 without its mark".to_owned();
            return Err(flaw(None, message, SAVE_AS));
        }
        _ => {}
    }
    let marked = bytes.starts_with(b"\xEF\xBB\xBF");
    let bytes = match String::from_utf8(bytes) {
        Ok(mut text) => {
            if marked {
                text.drain(..3);
            }
            return Ok((text, Encoding::Utf8));
        }
        Err(error) => error.into_bytes(),
    };
    if marked || mostly_utf8(&bytes) {
        let before = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        return Err(flaw(Some(line(before)), "the file is UTF-8, but not here".to_owned(), SAVE_AS));
    }
    match strictly(GB18030, &bytes) {
        Ok(text) if looks_chinese(&bytes) => Ok((text, Encoding::Gb18030)),
        Ok(_) => {
            let message = "the file is neither UTF-8 nor Chinese in GBK (Big5, perhaps)".to_owned();
            Err(flaw(None, message, SAVE_AS))
        }
        Err(line) => Err(flaw(Some(line), "these bytes are neither UTF-8 nor GBK".to_owned(), SAVE_AS)),
    }
}

fn flaw(line: Option<usize>, message: String, help: &'static str) -> Flaw {
    Flaw { line, message, help }
}

/// In which line is what follows this?
fn line(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// The text, or the line with the first bytes that mean nothing.
fn strictly(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> Result<String, usize> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or_default();
    let mut text = String::with_capacity(most);
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true).0 {
        DecoderResult::InputEmpty => Ok(text),
        DecoderResult::OutputFull | DecoderResult::Malformed(..) => Err(line(&text)),
    }
}

/// One broken character does not make a file of another encoding out of it, though most UTF-8 can be read as GBK.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut right, mut wrong) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        right += chunk.valid().bytes().filter(|byte| !byte.is_ascii()).count();
        wrong += chunk.invalid().len();
    }
    right > wrong
}

/// Are at least half of its double bytes simplified characters or Chinese signs? Of GBK nearly all are, of Big5, Japanese
/// and Latin read as GBK hardly any.
fn looks_chinese(bytes: &[u8]) -> bool {
    let (mut common, mut all, mut at) = (0, 0, 0);
    while let Some(rest) = bytes.get(at..) {
        at += match *rest {
            [lead, ..] if lead.is_ascii() => 1,
            [lead, tail, ..] => {
                all += 1;
                // GB2312: signs, and the characters in rows 16 to 87.
                common += usize::from(tail >= 0xA1 && matches!(lead, 0xA1 | 0xA3 | 0xB0..=0xF7));
                if tail.is_ascii_digit() { 4 } else { 2 }
            }
            [_] => 1,
            [] => break,
        };
    }
    common * 2 >= all
}
