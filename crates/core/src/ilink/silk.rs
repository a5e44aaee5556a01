//! Is a file speech as WeChat records it, and how long does it last? SILK says neither; its packets are counted.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// What SILK begins with; phones write a byte 2 before it.
const MAGIC: &[u8] = b"#!SILK_V3";
/// One packet.
const PACKET_MS: u64 = 20;
/// Ten minutes: phones record one.
const MOST: u64 = 30_000;

/// Milliseconds of speech; `None` for what is no whole SILK file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn length_ms(path: &Path) -> io::Result<Option<u64>> {
    match packets(BufReader::new(File::open(path)?)) {
        Ok(packets) => Ok(packets.map(|packets| packets * PACKET_MS)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn packets(mut file: impl Read) -> io::Result<Option<u64>> {
    let mut first = [0];
    file.read_exact(&mut first)?;
    let mut magic = vec![0; MAGIC.len() - usize::from(first != [2])];
    file.read_exact(&mut magic)?;
    let begin = [if first == [2] { &[] } else { &first[..] }, &magic].concat();
    if begin != MAGIC {
        return Ok(None);
    }
    for packets in 0..MOST {
        let mut len = [0; 2];
        match file.read(&mut len)? {
            0 => return Ok(Some(packets).filter(|packets| *packets > 0)),
            1 => file.read_exact(&mut len[1..])?,
            _ => {}
        }
        let len = u16::from_le_bytes(len);
        if len == u16::MAX {
            return Ok(Some(packets).filter(|packets| *packets > 0));
        }
        let skipped = io::copy(&mut (&mut file).take(len.into()), &mut io::sink())?;
        if skipped < len.into() {
            return Ok(None);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_counted() {
        let head = [&[2], MAGIC].concat();
        let two = [&head[..], &[3, 0, 1, 2, 3], &[1, 0, 9]].concat();
        for (name, bytes, want) in [
            ("two packets", two.clone(), Some(2)),
            ("without the byte before", two[1..].to_vec(), Some(2)),
            ("with an end", [&two[..], &[0xff, 0xff, 7]].concat(), Some(2)),
            ("no packet", head.clone(), None),
            ("cut in a packet", two[..two.len() - 1].to_vec(), None),
            ("cut in a length", [&two[..], &[1]].concat(), None),
            ("something else", b"#!AMR\n1234567890".to_vec(), None),
            ("nothing", Vec::new(), None),
            ("endless", [&head[..], &[0; 70_000]].concat(), None),
        ] {
            let got = packets(&bytes[..])
                .or_else(|e| if e.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(e) });
            assert_eq!(got.unwrap(), want, "{name}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &two).unwrap();
        assert_eq!(length_ms(file.path()).unwrap(), Some(40));
        assert!(length_ms(&file.path().with_extension("no")).is_err());
    }
}
