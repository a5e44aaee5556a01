//! Which bytes does the service keep for its users, and how much room is there for them?

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use md5::{Digest as _, Md5};

use crate::names::Peer;

/// The longer side of a thumbnail.
const THUMB_SIDE: u32 = 120;

/// Something that was uploaded or put into a message. The same bytes are kept once.
pub(crate) struct Blob {
    pub(crate) bytes: Bytes,
    /// 32 lower-case hex digits.
    pub(crate) md5: String,
    /// Content-Type, from the bytes themselves.
    pub(crate) kind: &'static str,
    /// Width and height of a picture.
    pub(crate) size: Option<(u32, u32)>,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes, {})", self.kind, self.bytes.len(), self.md5)
    }
}

impl Blob {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let (kind, size) = sniff(&bytes);
        Self { md5: hex_md5(&bytes), kind, size, bytes }
    }

    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Width and height of the thumbnail: (0, 0) for what is no picture.
    pub(crate) fn thumb_size(&self) -> (u32, u32) {
        let Some((width, height)) = self.size else { return (0, 0) };
        let longer = width.max(height).max(1);
        if longer <= THUMB_SIDE {
            return (width, height);
        }
        let scaled = |side: u32| {
            let side = u64::from(side) * u64::from(THUMB_SIDE) / u64::from(longer);
            u32::try_from(side).unwrap_or(THUMB_SIDE).max(1)
        };
        (scaled(width), scaled(height))
    }
}

/// A blob with the name under which it came.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) blob: Arc<Blob>,
    pub(crate) name: String,
}

/// What hangs on one message of one account.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) item: Named,
    pub(crate) msg_type: i64,
    /// The conversation, and whether the account itself sent it: together the FromUserName.
    pub(crate) chat: Peer,
    pub(crate) own: bool,
}

/// All blobs, and how many bytes they may take together.
#[derive(Debug)]
pub(crate) struct Shelf {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_md5: HashMap<String, Arc<Blob>>,
    /// Bytes of blobs and of uploads that have begun.
    used: usize,
}

/// There is no room left: the world's `media_limit` is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Room for an upload that has begun; given back when dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    shelf: Arc<Shelf>,
    bytes: usize,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut inner = self.shelf.lock();
        inner.used = inner.used.saturating_sub(self.bytes);
    }
}

impl Shelf {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, inner: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds room for bytes that will come in pieces.
    pub(crate) fn claim(self: &Arc<Self>, bytes: usize) -> Result<Claim, Full> {
        let mut inner = self.lock();
        let used = inner.used.checked_add(bytes).filter(|used| *used <= self.limit).ok_or(Full)?;
        inner.used = used;
        drop(inner);
        Ok(Claim { shelf: Arc::clone(self), bytes })
    }

    /// Keeps the bytes. `claim` is the room that was held for them, if it was.
    pub(crate) fn keep(&self, bytes: Bytes, claim: Option<Claim>) -> Result<Arc<Blob>, Full> {
        // The hash of many megabytes is not computed under the lock.
        let blob = Blob::new(bytes);
        drop(claim);
        let mut inner = self.lock();
        if let Some(known) = inner.by_md5.get(&blob.md5) {
            return Ok(Arc::clone(known));
        }
        let used = inner.used.checked_add(blob.bytes.len()).filter(|used| *used <= self.limit).ok_or(Full)?;
        inner.used = used;
        let blob = Arc::new(blob);
        inner.by_md5.insert(blob.md5.clone(), Arc::clone(&blob));
        Ok(blob)
    }

    pub(crate) fn find(&self, md5: &str) -> Option<Arc<Blob>> {
        self.lock().by_md5.get(md5).cloned()
    }
}

pub(crate) fn hex_md5(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Md5::digest(bytes).iter().fold(String::with_capacity(32), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes any text");
        hex
    })
}

/// Content-Type and, of a picture, width and height.
fn sniff(bytes: &[u8]) -> (&'static str, Option<(u32, u32)>) {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return ("image/png", big_endian(bytes, 16).zip(big_endian(bytes, 20)));
    }
    if bytes.starts_with(b"GIF8") {
        return ("image/gif", little_endian_16(bytes, 6).zip(little_endian_16(bytes, 8)));
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return ("image/jpeg", jpeg_size(bytes));
    }
    if bytes.starts_with(b"BM") {
        return ("image/bmp", None);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return ("video/mp4", None);
    }
    if bytes.starts_with(b"ID3") || matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0) {
        return ("audio/mp3", None);
    }
    ("application/octet-stream", None)
}

fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn little_endian_16(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 2)?.try_into().ok().map(|pair| u32::from(u16::from_le_bytes(pair)))
}

fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let two = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
    let mut at = 2;
    while let Some([0xff, marker]) = bytes.get(at..at + 2) {
        let length = usize::from(two(at + 2)?);
        // SOF0 to SOF15 but for the tables that share the range.
        if (0xc0..=0xcf).contains(marker) && ![0xc4, 0xc8, 0xcc].contains(marker) {
            return Some((u32::from(two(at + 7)?), u32::from(two(at + 5)?)));
        }
        at += 2 + length.max(2);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_of_the_standard() {
        assert_eq!(hex_md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex_md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn kinds_and_sizes() {
        let jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x20\x00\x40\x01\x01\x11\x00";
        for (name, bytes, want) in [
            ("png", &include_bytes!("../assets/picture.png")[..], ("image/png", Some((24, 24)))),
            ("gif", b"GIF89a\x03\x00\x05\x00", ("image/gif", Some((3, 5)))),
            ("jpeg", jpeg, ("image/jpeg", Some((64, 32)))),
            ("cut jpeg", b"\xff\xd8\xff\xe0", ("image/jpeg", None)),
            ("cut png", b"\x89PNG\r\n\x1a\n", ("image/png", None)),
            ("mp4", b"\0\0\0\x18ftypmp42", ("video/mp4", None)),
            ("mp3", b"\xff\xfb\x90", ("audio/mp3", None)),
            ("text", b"a,b", ("application/octet-stream", None)),
            ("nothing", b"", ("application/octet-stream", None)),
        ] {
            assert_eq!(sniff(bytes), want, "{name}");
        }
    }

    #[test]
    fn room_is_counted_once_and_given_back() {
        let shelf = Shelf::new(10);
        let first = shelf.keep(Bytes::from_static(b"123456"), None).unwrap();
        let again = shelf.keep(Bytes::from_static(b"123456"), None).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let claim = shelf.claim(4).unwrap();
        assert_eq!(shelf.claim(1).unwrap_err(), Full);
        assert_eq!(shelf.keep(Bytes::from_static(b"x"), None).unwrap_err(), Full);
        assert!(shelf.keep(Bytes::from_static(b"7890"), Some(claim)).is_ok());
        assert!(shelf.find(&hex_md5(b"7890")).is_some());
        assert_eq!(shelf.claim(1).unwrap_err(), Full);
    }

    #[test]
    fn thumbnails_keep_the_shape() {
        let blob = |size| Blob { bytes: Bytes::new(), md5: String::new(), kind: "", size };
        assert_eq!(blob(Some((1200, 300))).thumb_size(), (120, 30));
        assert_eq!(blob(Some((100, 30))).thumb_size(), (100, 30));
        assert_eq!(blob(Some((100_000, 1))).thumb_size(), (120, 1));
        assert_eq!(blob(None).thumb_size(), (0, 0));
    }
}
