//! How many bytes? As people write it in `bot.toml` and read it in lists: `"512MiB"`, `"1GiB"`.

use crate::span::SpanError;

const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads `"512MiB"`, `"1GiB"`, `"100 KiB"`: a whole number and a unit (B, KiB, MiB, GiB, TiB), at most 1024 TiB. `MB` and
/// its like are refused: half of the people mean one thing by them and half the other.
///
/// # Errors
/// Says what is wrong and shows a good example.
pub fn parse_size(text: &str) -> Result<u64, SpanError> {
    let bad = || {
        SpanError::new(format!(
            "`{text}` is not a size; write a number and a unit (B, KiB, MiB, GiB, TiB), like \"512MiB\""
        ))
    };
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = trimmed.split_at(split);
    let number: u64 = number.parse().map_err(|_ignored| bad())?;
    let (_, size) = UNITS.iter().find(|(word, _)| *word == unit.trim()).ok_or_else(bad)?;
    match number.checked_mul(*size) {
        Some(bytes) if bytes <= 1 << 50 => Ok(bytes),
        Some(_) | None => Err(SpanError::new(format!("`{text}` is more than 1024TiB"))),
    }
}

/// A size for people: `"3.4 MiB"`, `"512 B"`; rounded, so it does not read back.
pub fn show_size(bytes: u64) -> String {
    let (unit, size) = UNITS.iter().find(|(_, size)| bytes >= *size).copied().unwrap_or(("B", 1));
    if size == 1 {
        return format!("{bytes} B");
    }
    // In tenths, rounded down: a full folder must not look more than full.
    let tenths = u128::from(bytes) * 10 / u128::from(size);
    if tenths.is_multiple_of(10) || tenths >= 1_000 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("1GiB", Some(1 << 30)),
            (" 512 MiB ", Some(512 << 20)),
            ("20KiB", Some(20_480)),
            ("7B", Some(7)),
            ("1024TiB", Some(1 << 50)),
            ("1025TiB", None),
            ("99999999999999999999B", None),
            ("1GB", None),
            ("1gib", None),
            ("1.5GiB", None),
            ("-1B", None),
            ("10", None),
            ("", None),
        ] {
            assert_eq!(parse_size(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn shown() {
        for (bytes, want) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (1_536, "1.5 KiB"),
            ((3 << 20) + 500_000, "3.4 MiB"),
            ((200 << 20) + 900_000, "200 MiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(show_size(bytes), want, "{bytes}");
        }
    }
}
