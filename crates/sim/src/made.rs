//! What do pictures, voices and films look like that nobody gave bytes for?
//!
//! All of them follow from a number: the same person always has the same face.

use bytes::Bytes;

/// Cells of a face, mirrored in the middle.
const CELLS: u32 = 5;
/// One frame of 32 kbit/s at 16 kHz: 144 bytes, 36 ms.
const MP3_FRAME: usize = 144;
const MP3_FRAME_MS: u64 = 36;
/// Frames of the longest voice message (60 s).
const MP3_FRAMES_MAX: u64 = 60_000 / MP3_FRAME_MS;

/// A PNG of this size, its colours and pattern drawn from `seed`.
pub(crate) fn picture(seed: u64, width: u32, height: u32) -> Bytes {
    let (width, height) = (width.clamp(1, 2_000), height.clamp(1, 2_000));
    let [red, green, blue, ..] = seed.to_be_bytes();
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (column, row) = (x * CELLS / width, y * CELLS / height);
            let column = column.min(CELLS - 1 - column);
            let dark = seed >> ((row * 3 + column) % 40) & 1 == 1;
            pixels.extend(if dark { [red / 2, green / 2, blue / 2] } else { [red | 0x80, green | 0x80, blue | 0x80] });
        }
    }
    Bytes::from(png(width, height, &pixels).unwrap_or_else(|error| {
        tracing::warn!(%error, "A picture cannot be drawn.");
        crate::server::PICTURE.to_vec()
    }))
}

fn png(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// A GIF of one pixel.
pub(crate) fn sticker(seed: u64) -> Bytes {
    let [red, green, blue, ..] = seed.to_be_bytes();
    let mut bytes = b"GIF89a\x01\x00\x01\x00\x80\x00\x00".to_vec();
    bytes.extend([red, green, blue, 0xff, 0xff, 0xff]);
    bytes.extend(b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b");
    Bytes::from(bytes)
}

/// MP3 frames for about so long.
pub(crate) fn voice(seed: u64, ms: u64) -> Bytes {
    let frames = (ms / MP3_FRAME_MS).clamp(1, MP3_FRAMES_MAX);
    let mut bytes = Vec::new();
    for frame in 0..frames {
        let from = bytes.len();
        // MPEG 2, layer III, 32 kbit/s, 16 kHz, one channel.
        bytes.extend([0xff, 0xf3, 0x48, 0xc0]);
        bytes.extend(noise(seed ^ frame).take(8));
        bytes.resize(from + MP3_FRAME, 0);
    }
    Bytes::from(bytes)
}

/// A SILK file without sound for about so long: frames of 20 ms, each with its length before it.
pub(crate) fn silk(seed: u64, ms: u64) -> Bytes {
    let mut bytes = b"#!SILK_V3".to_vec();
    for frame in 0..(ms / 20).clamp(1, 3_000) {
        bytes.extend(18_u16.to_le_bytes());
        bytes.extend(noise(seed ^ frame).take(18));
    }
    Bytes::from(bytes)
}

/// The boxes of an MP4 whose film is noise.
pub(crate) fn film(seed: u64) -> Bytes {
    let mut bytes = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom".to_vec();
    bytes.extend(b"\x00\x00\x08\x08mdat");
    bytes.extend(noise(seed).take(2_048));
    Bytes::from(bytes)
}

/// A file without a form.
pub(crate) fn file(seed: u64) -> Bytes {
    noise(seed).take(1_760).collect()
}

/// Bytes that look random and are not (splitmix64).
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    (1_u64..).flat_map(move |step| {
        let mut word = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_be_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Blob;

    #[test]
    fn made_things_are_what_they_say() {
        for (name, bytes, kind) in [
            ("picture", picture(7, 40, 30), "image/png"),
            ("sticker", sticker(7), "image/gif"),
            ("voice", voice(7, 1_580), "audio/mp3"),
            ("film", film(7), "video/mp4"),
            ("file", file(7), "application/octet-stream"),
        ] {
            assert_eq!(Blob::new(bytes).kind, kind, "{name}");
        }
        assert_eq!(Blob::new(picture(7, 40, 30)).size, Some((40, 30)));
        assert_eq!(picture(7, 40, 30), picture(7, 40, 30));
        assert_ne!(picture(7, 40, 30), picture(0x0123_4567_89ab_cdef, 40, 30));
        let decoded = png::Decoder::new(std::io::Cursor::new(picture(9, 12, 12).to_vec())).read_info();
        assert_eq!(decoded.unwrap().info().width, 12);
    }
}
