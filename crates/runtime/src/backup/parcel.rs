//! What does a backup file look like? A first line, then parts: a line with name and length, the bytes, a line with their
//! SHA-256; and a last line with the number of parts and a digest of all.
//!
//! Nothing in it is trusted: names are a fixed set and never become paths as they stand, lengths are checked against the
//! file, and every digest is checked before anything is written anywhere.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use ring::digest::{Context, Digest, SHA256};
use serde::{Deserialize, Serialize};
use wxbot_model::MediaDigest;

const FIRST: &str = "wxbot backup 1\n";
/// A line of the frame is far shorter.
const LONGEST_LINE: u64 = 1024;
/// Media files of a folder at most, and a few.
const MOST_PARTS: u64 = 1_000_000;

/// A part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What it is of, as JSON.
    About,
    /// The database.
    Queue,
    /// Keys, sealed under a passphrase.
    Secrets,
    /// A file of the media folder.
    Media(MediaDigest),
}

impl Part {
    fn name(&self) -> String {
        match self {
            Self::About => "about.json".to_owned(),
            Self::Queue => "queue.db".to_owned(),
            Self::Secrets => "secrets.sealed".to_owned(),
            Self::Media(digest) => format!("media/{digest}"),
        }
    }

    fn of(name: &str) -> Option<Self> {
        match name {
            "about.json" => Some(Self::About),
            "queue.db" => Some(Self::Queue),
            "secrets.sealed" => Some(Self::Secrets),
            _ => Some(Self::Media(name.strip_prefix("media/")?.parse().ok()?)),
        }
    }

    /// What stands in memory when it is read: these are small.
    fn most(&self) -> u64 {
        match self {
            Self::About => 64 * 1024,
            Self::Secrets => 1024 * 1024,
            Self::Queue | Self::Media(_) => u64::MAX,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    part: String,
    len: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: u64,
    sha256: String,
}

fn hex(digest: &Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Writes a backup, part by part. It is none before [`end`](Self::end).
pub struct Packer {
    file: BufWriter<File>,
    parts: u64,
    all: Context,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Packer {
    /// Begins in an empty file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(file: File) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(FIRST.as_bytes())?;
        Ok(Self { file, parts: 0, all: Context::new(&SHA256) })
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_string(value)?;
        line.push('\n');
        self.all.update(line.as_bytes());
        self.file.write_all(line.as_bytes())
    }

    /// Adds a part of exactly `len` bytes, and answers its SHA-256.
    ///
    /// # Errors
    /// When either cannot be read or written, or `from` ends before.
    pub fn add(&mut self, part: &Part, len: u64, from: impl Read) -> io::Result<String> {
        self.line(&Head { part: part.name(), len })?;
        let mut hash = Context::new(&SHA256);
        let copied = copy(from.take(len), &mut self.file, &mut hash)?;
        if copied != len {
            return Err(bad(format!("{} became shorter while it was read", part.name())));
        }
        let sha256 = hex(&hash.finish());
        self.line(&Tail { sha256: sha256.clone() })?;
        self.parts += 1;
        Ok(sha256)
    }

    /// Ends the backup, which is on the disk then.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self) -> io::Result<()> {
        let sha256 = hex(&self.all.clone().finish());
        let end = End { end: self.parts, sha256 };
        self.line(&end)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

fn copy(mut from: impl Read, to: &mut impl Write, hash: &mut Context) -> io::Result<u64> {
    let mut buffer = vec![0u8; 64 * 1024];
    let mut copied = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        hash.update(bytes);
        to.write_all(bytes)?;
        copied += read as u64;
    }
}

/// Where a part lies.
#[derive(Debug)]
struct Place {
    part: Part,
    at: u64,
    len: u64,
    sha256: String,
}

/// A backup that is whole: every digest was right when it was opened.
#[derive(Debug)]
pub struct Parcel {
    file: BufReader<File>,
    places: Vec<Place>,
}

impl Parcel {
    /// Reads a backup from its beginning to its end, and checks all of it.
    ///
    /// # Errors
    /// In words, when it is none, was cut short, or was changed.
    pub fn open(file: File) -> io::Result<Self> {
        let all = file.metadata()?.len();
        let mut reader = Reader { file: BufReader::new(file), at: 0, all: Context::new(&SHA256) };
        if reader.raw_line().ok().as_deref() != Some(FIRST) {
            return Err(bad("it is no backup of this wxbot: it does not begin as one"));
        }
        let mut places: Vec<Place> = Vec::new();
        loop {
            let before = hex(&reader.all.clone().finish());
            let line = reader.line()?;
            if let Ok(End { end, sha256 }) = serde_json::from_str(&line) {
                if end != places.len() as u64 || sha256 != before || reader.at != all {
                    return Err(bad("its end does not fit: it was changed"));
                }
                return Ok(Self { file: reader.file, places });
            }
            let Head { part: name, len } = serde_json::from_str(&line).map_err(|_other| bad("it was changed"))?;
            let part = Part::of(&name).ok_or_else(|| bad(format!("it has a part that no backup has: {name:?}")))?;
            if places.iter().any(|place| place.part == part && !matches!(part, Part::Media(_))) {
                return Err(bad(format!("it has {name} twice")));
            }
            if len > all.saturating_sub(reader.at) || len > part.most() || places.len() as u64 >= MOST_PARTS {
                return Err(bad(format!("it is cut short, or {name} is longer than it can be")));
            }
            let at = reader.at;
            let found = reader.skip(len)?;
            let Tail { sha256 } = serde_json::from_str(&reader.line()?).map_err(|_other| bad("it was changed"))?;
            if found != sha256 {
                return Err(bad(format!("{name} was changed: its SHA-256 is another")));
            }
            if let Part::Media(digest) = &part
                && *digest.as_str() != sha256
            {
                return Err(bad(format!("{name} is not what its name says")));
            }
            places.push(Place { part, at, len, sha256 });
        }
    }

    /// What it has, and how long each part is.
    pub fn parts(&self) -> impl Iterator<Item = (&Part, u64)> {
        self.places.iter().map(|place| (&place.part, place.len))
    }

    /// The SHA-256 of a part; `None` when it has none of that kind.
    pub fn digest(&self, part: &Part) -> Option<&str> {
        self.places.iter().find(|place| place.part == *part).map(|place| place.sha256.as_str())
    }

    /// Copies the part with this place in the list into `to`, and checks it once more: the file may have changed.
    ///
    /// # Errors
    /// When either cannot be read or written, or there is no such part.
    pub fn unpack(&mut self, index: usize, to: &mut impl Write) -> io::Result<()> {
        let place = self.places.get(index).ok_or_else(|| bad("it has no such part"))?;
        self.file.seek(SeekFrom::Start(place.at))?;
        let mut hash = Context::new(&SHA256);
        let copied = copy(self.file.by_ref().take(place.len), to, &mut hash)?;
        if copied != place.len || hex(&hash.finish()) != place.sha256 {
            return Err(bad("it was changed while it was read"));
        }
        Ok(())
    }

    /// A small part as a whole.
    ///
    /// # Errors
    /// As [`unpack`](Self::unpack).
    pub fn read(&mut self, part: &Part) -> io::Result<Option<Vec<u8>>> {
        let Some(index) = self.places.iter().position(|place| place.part == *part) else { return Ok(None) };
        let mut bytes = Vec::new();
        self.unpack(index, &mut bytes)?;
        Ok(Some(bytes))
    }
}

struct Reader {
    file: BufReader<File>,
    at: u64,
    all: Context,
}

impl Reader {
    fn raw_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let read = self.file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        self.at += read as u64;
        if !line.ends_with(b"\n") {
            return Err(bad("it is cut short, or was changed"));
        }
        String::from_utf8(line).map_err(|_not_text| bad("it was changed"))
    }

    fn line(&mut self) -> io::Result<String> {
        let line = self.raw_line()?;
        self.all.update(line.as_bytes());
        Ok(line)
    }

    fn skip(&mut self, len: u64) -> io::Result<String> {
        let mut hash = Context::new(&SHA256);
        let read = copy(self.file.by_ref().take(len), &mut io::sink(), &mut hash)?;
        self.at += read;
        if read == len { Ok(hex(&hash.finish())) } else { Err(bad("it is cut short")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn packed() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut packer = Packer::begin(File::create(&path).unwrap()).unwrap();
        packer.add(&Part::About, 2, &b"{}"[..]).unwrap();
        packer.add(&Part::Queue, 9, &b"the\nqueue"[..]).unwrap();
        packer.add(&Part::Media(ABC.parse().unwrap()), 3, &b"abc"[..]).unwrap();
        packer.end().unwrap();
        std::fs::read(path).unwrap()
    }

    fn opened(bytes: &[u8]) -> io::Result<Parcel> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Parcel::open(file)
    }

    #[test]
    fn what_was_packed_comes_out() {
        let mut parcel = opened(&packed()).unwrap();
        let lens: Vec<u64> = parcel.parts().map(|(_, len)| len).collect();
        assert_eq!(lens, [2, 9, 3]);
        assert_eq!(parcel.read(&Part::Queue).unwrap().unwrap(), b"the\nqueue");
        assert_eq!(parcel.read(&Part::Secrets).unwrap(), None);
        let mut media = Vec::new();
        parcel.unpack(2, &mut media).unwrap();
        assert_eq!(media, b"abc");
    }

    #[test]
    fn sec_r21_every_byte_that_is_changed_or_missing_is_noticed() {
        let good = packed();
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            assert!(opened(&changed).is_err(), "changed at {at}");
            assert!(opened(&good[..at]).is_err(), "cut at {at}");
        }
        assert!(opened(&[&good[..], b"x"].concat()).is_err(), "something behind it");
    }

    #[test]
    fn sec_r21_no_name_leads_anywhere() {
        let good = String::from_utf8(packed()).unwrap();
        for name in ["../queue.db", "/etc/passwd", "media/../../x", "media/", "seal.key", "queue.db/..", ""] {
            let named = good.replace("\"queue.db\"", &serde_json::to_string(name).unwrap());
            let error = opened(named.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("no backup has"), "{name}: {error}");
        }
        let twice = good.replace("\"queue.db\"", "\"about.json\"");
        assert!(opened(twice.as_bytes()).unwrap_err().to_string().contains("twice"));
        let lie = good.replace(ABC, &ABC.replace('b', "c"));
        assert!(opened(lie.as_bytes()).is_err());
    }

    #[test]
    fn a_source_that_shrinks_is_told() {
        let mut packer = Packer::begin(tempfile::tempfile().unwrap()).unwrap();
        assert!(packer.add(&Part::Queue, 9, &b"short"[..]).unwrap_err().to_string().contains("became shorter"));
    }
}
