//! What are these bytes? Told by their beginning, never by a name or by what a server says (security R12).

use serde::{Deserialize, Serialize};

/// A type of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "file types by their usual names")]
pub enum FileType {
    Png,
    Jpeg,
    Gif,
    Webp,
    Bmp,
    Heic,
    Avif,
    Mp4,
    Mov,
    Webm,
    Avi,
    M4a,
    Mp3,
    Wav,
    Ogg,
    Flac,
    Amr,
    Silk,
    Pdf,
    Zip,
    Rar,
    SevenZip,
    Gzip,
    /// The old form of Word, Excel and PowerPoint; the new one is a [`Zip`](Self::Zip).
    Ole,
    Html,
    Xml,
    Json,
    /// A program for Windows or Linux.
    Program,
    /// UTF-8 without control characters.
    Text,
    /// Nothing that is known here.
    #[serde(other)]
    Unknown,
}

impl FileType {
    /// So many bytes from the beginning are looked at; more change nothing.
    pub const HEAD: usize = 512;

    /// All there are.
    pub const ALL: [Self; 30] = [
        Self::Png,
        Self::Jpeg,
        Self::Gif,
        Self::Webp,
        Self::Bmp,
        Self::Heic,
        Self::Avif,
        Self::Mp4,
        Self::Mov,
        Self::Webm,
        Self::Avi,
        Self::M4a,
        Self::Mp3,
        Self::Wav,
        Self::Ogg,
        Self::Flac,
        Self::Amr,
        Self::Silk,
        Self::Pdf,
        Self::Zip,
        Self::Rar,
        Self::SevenZip,
        Self::Gzip,
        Self::Ole,
        Self::Html,
        Self::Xml,
        Self::Json,
        Self::Program,
        Self::Text,
        Self::Unknown,
    ];

    /// Looks at the beginning of a file.
    pub fn of(bytes: &[u8]) -> Self {
        let head = bytes.get(..Self::HEAD).unwrap_or(bytes);
        MAGIC
            .iter()
            .find(|(at, magic, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
            .map(|(_, _, found)| *found)
            .or_else(|| boxes(head))
            .or_else(|| riff(head))
            .or_else(|| mp3(head))
            .unwrap_or_else(|| text(head, bytes.len() > head.len()))
    }

    /// The MIME type.
    pub fn mime(self) -> &'static str {
        self.words().0
    }

    /// The usual extension, without the dot; empty for [`Unknown`](Self::Unknown).
    pub fn extension(self) -> &'static str {
        self.words().1
    }

    /// The type that has this MIME type here.
    pub fn of_mime(mime: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.mime() == mime).unwrap_or(Self::Unknown)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Png => ("image/png", "png"),
            Self::Jpeg => ("image/jpeg", "jpg"),
            Self::Gif => ("image/gif", "gif"),
            Self::Webp => ("image/webp", "webp"),
            Self::Bmp => ("image/bmp", "bmp"),
            Self::Heic => ("image/heic", "heic"),
            Self::Avif => ("image/avif", "avif"),
            Self::Mp4 => ("video/mp4", "mp4"),
            Self::Mov => ("video/quicktime", "mov"),
            Self::Webm => ("video/webm", "webm"),
            Self::Avi => ("video/x-msvideo", "avi"),
            Self::M4a => ("audio/mp4", "m4a"),
            Self::Mp3 => ("audio/mpeg", "mp3"),
            Self::Wav => ("audio/wav", "wav"),
            Self::Ogg => ("audio/ogg", "ogg"),
            Self::Flac => ("audio/flac", "flac"),
            Self::Amr => ("audio/amr", "amr"),
            Self::Silk => ("audio/silk", "silk"),
            Self::Pdf => ("application/pdf", "pdf"),
            Self::Zip => ("application/zip", "zip"),
            Self::Rar => ("application/vnd.rar", "rar"),
            Self::SevenZip => ("application/x-7z-compressed", "7z"),
            Self::Gzip => ("application/gzip", "gz"),
            Self::Ole => ("application/x-ole-storage", "doc"),
            Self::Html => ("text/html", "html"),
            Self::Xml => ("text/xml", "xml"),
            Self::Json => ("application/json", "json"),
            Self::Program => ("application/x-executable", "bin"),
            Self::Text => ("text/plain", "txt"),
            Self::Unknown => ("application/octet-stream", ""),
        }
    }
}

type Magic = (usize, &'static [u8], FileType);

/// Longer marks before shorter ones that begin alike.
const MAGIC: &[Magic] = &[
    (0, b"\x89PNG\r\n\x1a\n", FileType::Png),
    (0, b"\xff\xd8\xff", FileType::Jpeg),
    (0, b"GIF87a", FileType::Gif),
    (0, b"GIF89a", FileType::Gif),
    (0, b"\x1a\x45\xdf\xa3", FileType::Webm),
    (0, b"ID3", FileType::Mp3),
    (0, b"OggS", FileType::Ogg),
    (0, b"fLaC", FileType::Flac),
    (0, b"#!AMR", FileType::Amr),
    // The phone puts a byte in front.
    (0, b"\x02#!SILK_V3", FileType::Silk),
    (0, b"#!SILK_V3", FileType::Silk),
    (0, b"%PDF-", FileType::Pdf),
    (0, b"PK\x03\x04", FileType::Zip),
    (0, b"PK\x05\x06", FileType::Zip),
    (0, b"Rar!\x1a\x07", FileType::Rar),
    (0, b"7z\xbc\xaf\x27\x1c", FileType::SevenZip),
    (0, b"\x1f\x8b\x08", FileType::Gzip),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileType::Ole),
    (0, b"\x7fELF", FileType::Program),
];

/// `BM`, `MZ` and the like are too short to be sure; they are looked at after text was ruled out.
const WEAK: &[(&[u8], FileType)] = &[(b"BM", FileType::Bmp), (b"MZ", FileType::Program)];

/// The ISO form of MP4, QuickTime and HEIC: a `ftyp` box that names a brand.
fn boxes(head: &[u8]) -> Option<FileType> {
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    Some(match head.get(8..12)? {
        b"qt  " => FileType::Mov,
        b"M4A " | b"M4B " => FileType::M4a,
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => FileType::Heic,
        b"avif" | b"avis" => FileType::Avif,
        _ => FileType::Mp4,
    })
}

fn riff(head: &[u8]) -> Option<FileType> {
    if head.get(..4)? != b"RIFF" {
        return None;
    }
    match head.get(8..12)? {
        b"WEBP" => Some(FileType::Webp),
        b"WAVE" => Some(FileType::Wav),
        b"AVI " => Some(FileType::Avi),
        _ => None,
    }
}

/// A frame of MPEG audio, layer III, whose bit rate and sampling rate exist.
fn mp3(head: &[u8]) -> Option<FileType> {
    let [sync, kind, rates, ..] = head else { return None };
    let layer3 = *sync == 0xff && kind & 0xe6 == 0xe2 && kind & 0x18 != 0x08;
    (layer3 && rates & 0xf0 != 0xf0 && rates & 0x0c != 0x0c).then_some(FileType::Mp3)
}

fn text(head: &[u8], cut: bool) -> FileType {
    let readable = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The cut may go through a character.
        Err(error) if cut && error.error_len().is_none() => {
            head.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok())
        }
        Err(_) => None,
    };
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    let Some(text) = readable.filter(|text| !text.is_empty() && !text.contains(control)) else {
        return WEAK.iter().find(|(magic, _)| head.starts_with(magic)).map_or(FileType::Unknown, |(_, found)| *found);
    };
    let begin: String = text.trim_start_matches('\u{feff}').trim_start().chars().take(64).collect();
    let lower = begin.to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        FileType::Html
    } else if lower.starts_with("<?xml") {
        FileType::Xml
    } else if lower.starts_with("{\"") || lower.starts_with("{\n") || lower.starts_with("[{") {
        FileType::Json
    } else {
        FileType::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r12_the_type_comes_from_the_bytes() {
        for (name, bytes, want) in [
            ("png", &b"\x89PNG\r\n\x1a\nrest"[..], FileType::Png),
            ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF", FileType::Jpeg),
            ("gif", b"GIF89a\x01\0", FileType::Gif),
            ("webp", b"RIFF\x10\0\0\0WEBPVP8 ", FileType::Webp),
            ("wav", b"RIFF\x10\0\0\0WAVEfmt ", FileType::Wav),
            ("bmp", b"BM\x46\0\0\0\0\0", FileType::Bmp),
            ("a text that begins with BM", b"BMW or bus?", FileType::Text),
            ("mp4", b"\0\0\0\x20ftypisom\0\0", FileType::Mp4),
            ("mov", b"\0\0\0\x14ftypqt  \0\0", FileType::Mov),
            ("heic", b"\0\0\0\x18ftypheic\0\0", FileType::Heic),
            ("mp3 with tags", b"ID3\x03\0", FileType::Mp3),
            ("mp3 frame", b"\xff\xfb\x90\x64\0", FileType::Mp3),
            ("no bit rate", b"\xff\xfb\xf0\x64\0", FileType::Unknown),
            ("silk of the phone", b"\x02#!SILK_V3\x0c", FileType::Silk),
            ("amr", b"#!AMR\n", FileType::Amr),
            ("docx", b"PK\x03\x04\x14\0", FileType::Zip),
            ("exe", b"MZ\x90\0\x03", FileType::Program),
            ("elf", b"\x7fELF\x02", FileType::Program),
            ("page", b"\n<!DOCTYPE HTML><html>", FileType::Html),
            ("page in UTF-8 with a mark", b"\xef\xbb\xbf<html lang=zh>", FileType::Html),
            ("json", b"{\"BaseResponse\":{}}", FileType::Json),
            ("words", "你好".as_bytes(), FileType::Text),
            ("words with a null", b"ab\0cd", FileType::Unknown),
            ("nothing", b"", FileType::Unknown),
        ] {
            assert_eq!(FileType::of(bytes), want, "{name}");
        }
        let long = "中".repeat(400);
        assert_eq!(FileType::of(long.as_bytes()), FileType::Text, "the cut goes through a character");
    }

    #[test]
    fn mime_types_lead_back() {
        for one in FileType::ALL {
            assert_eq!(FileType::of_mime(one.mime()), one);
        }
        assert_eq!(FileType::of_mime("application/x-new"), FileType::Unknown);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_a_type(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            let found = FileType::of(&bytes);
            proptest::prop_assert_eq!(found, FileType::of(bytes.get(..FileType::HEAD + 1).unwrap_or(&bytes)));
        }
    }
}
