//! How is a QR code shown? In the terminal, as an SVG or PNG file, and as an address for machines without a screen.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{QRBuilder, QRCode};

use crate::report::{Failure, OrExit};

fn code(payload: &str) -> Result<QRCode, Failure> {
    QRBuilder::new(payload).build().map_err(|_ignored| Failure::new("the login address is too long for a QR code"))
}

/// Half-block characters for a dark or light terminal; two modules a line.
pub(crate) fn for_terminal(payload: &str) -> Result<String, Failure> {
    Ok(code(payload)?.to_str())
}

/// Writes the code to a file that only its owner can read: for some minutes it is as good as the account.
pub(crate) fn to_file(payload: &str, path: &Path) -> Result<(), Failure> {
    let code = code(payload)?;
    let bytes = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => SvgBuilder::default().to_str(&code).into_bytes(),
        Some("png") => png(&code)?,
        _ => return Err(Failure::new(format!("{}: a QR code is written as .svg or .png", path.display()))),
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .or_exit(&format!("cannot write {}", path.display()))?;
    file.write_all(&bytes).or_exit(&format!("cannot write {}", path.display()))
}

/// Pixels a module, and modules of quiet zone around.
const SCALE: usize = 8;
const QUIET: usize = 4;

fn png(code: &QRCode) -> Result<Vec<u8>, Failure> {
    let side = (code.size + 2 * QUIET) * SCALE;
    let dark = |x: usize, y: usize| {
        let (x, y) = ((x / SCALE).checked_sub(QUIET)?, (y / SCALE).checked_sub(QUIET)?);
        let row = (y < code.size && x < code.size).then(|| &code[y])?;
        row.get(x).map(|module| module.value())
    };
    let pixels: Vec<u8> =
        (0..side * side).map(|i| if dark(i % side, i / side).unwrap_or(false) { 0 } else { 255 }).collect();
    let side = u32::try_from(side).or_exit("the QR code is too large")?;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().or_exit("cannot write a PNG")?;
    writer.write_image_data(&pixels).or_exit("cannot write a PNG")?;
    writer.finish().or_exit("cannot write a PNG")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const PAYLOAD: &str = "https://login.weixin.qq.com/l/gf5Gk61zEA==";

    #[test]
    fn three_ways_to_show_a_code() {
        let dir = tempfile::tempdir().unwrap();
        assert!(for_terminal(PAYLOAD).unwrap().lines().count() > 10);
        for (name, magic) in [("a.svg", &b"<svg"[..]), ("a.png", &b"\x89PNG"[..])] {
            let path = dir.path().join(name);
            to_file(PAYLOAD, &path).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(magic), "{name}");
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        assert!(to_file(PAYLOAD, &dir.path().join("a.gif")).is_err());
    }

    #[test]
    fn the_png_shows_the_same_modules_as_the_code() {
        let code = code(PAYLOAD).unwrap();
        let bytes = png(&code).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let side = info.width as usize;
        for y in 0..code.size {
            for x in 0..code.size {
                let pixel = pixels[((y + QUIET) * SCALE + 1) * side + (x + QUIET) * SCALE + 1];
                assert_eq!(pixel == 0, code[y][x].value(), "{x},{y}");
            }
        }
        assert_eq!(pixels[0], 255, "a quiet zone");
    }
}
