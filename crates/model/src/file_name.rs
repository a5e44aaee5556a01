//! What may a file be called that somebody else named? A label from a message becomes a name that harms nobody (R13).

/// The longest name, in bytes. Many file systems take 255; room is left for ` (2)` and for what other tools add.
pub const LONGEST: usize = 120;
/// A longer part after the last dot is no extension.
const LONGEST_EXTENSION: usize = 16;
/// Devices of Windows, whatever follows the dot.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// The last part of `label` without what makes a name dangerous or misleading: no folder, no control character or mark
/// of direction, no leading dot or dash, no device of Windows, at most [`LONGEST`] bytes with its extension kept. Where
/// nothing is left it is `otherwise`; where there is no extension, `extension` is added (without its dot; may be empty).
///
/// ```
/// use wxbot_model::file_name::safe;
/// assert_eq!(safe("../../.ssh/authorized_keys", "file", ""), "authorized_keys");
/// assert_eq!(safe("photo\u{202e}gnp.exe", "file", ""), "photognp.exe");
/// assert_eq!(safe("..", "image", "png"), "image.png");
/// ```
pub fn safe(label: &str, otherwise: &str, extension: &str) -> String {
    let mut name = pass(label, otherwise, extension);
    // What the cut left may have another extension than before, and so another rule to keep. It only ever gets shorter,
    // but for the mark in front of a device.
    for _ in 0..8 {
        let next = pass(&name, otherwise, "");
        if next == name {
            break;
        }
        name = next;
    }
    name
}

fn pass(label: &str, otherwise: &str, extension: &str) -> String {
    let own = clean(label);
    let own = if own.is_empty() { clean(otherwise) } else { own };
    let own = if own.is_empty() { "file".to_owned() } else { own };
    let extension = clean(extension);
    let (stem, kept) = split(&own);
    let (stem, kept) = if kept.is_empty() && !extension.is_empty() && extension.len() <= LONGEST_EXTENSION {
        (own.as_str(), extension.as_str())
    } else {
        (stem, kept)
    };
    let stem = if is_reserved(&own) { format!("_{stem}") } else { stem.to_owned() };
    let room = LONGEST - if kept.is_empty() { 0 } else { kept.len() + 1 };
    let stem = cut(&stem, room).trim_end_matches([' ', '.']);
    if kept.is_empty() { stem.to_owned() } else { format!("{stem}.{kept}") }
}

/// Name and extension; the extension is empty where there is none.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !stem.trim_end_matches([' ', '.']).is_empty()
                && (1..=LONGEST_EXTENSION).contains(&extension.len())
                && !extension.contains(' ') =>
        {
            (stem, extension)
        }
        Some(_) | None => (name, ""),
    }
}

fn clean(label: &str) -> String {
    let last = label.rsplit(['/', '\\']).find(|part| !trim(part).is_empty()).unwrap_or_default();
    let plain = |c: char| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c };
    let name: String = last.chars().filter(|c| !c.is_control() && !is_unseen(*c)).map(plain).collect();
    trim(&name).to_owned()
}

/// Leading dots hide a file, leading dashes look like an option, and Windows drops what stands at the end.
fn trim(name: &str) -> &str {
    let begun = name.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '-' | '~'));
    begun.trim_end_matches(|c: char| c.is_whitespace() || c == '.')
}

/// Characters that show nothing, or that turn around what stands beside them.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_reserved(name: &str) -> bool {
    let device = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |word: &str| {
        let rest = device.strip_prefix(word).map(|rest| rest.chars().collect::<Vec<_>>());
        matches!(rest.as_deref(), Some([digit]) if digit.is_ascii_digit() || matches!(digit, '¹' | '²' | '³'))
    };
    RESERVED.contains(&device.as_str()) || numbered("COM") || numbered("LPT")
}

/// The first so many bytes, less what would be half a character.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r13_hostile_names_become_safe_ones() {
        for (label, want) in [
            ("cat.png", "cat.png"),
            ("报价单 2024.xlsx", "报价单 2024.xlsx"),
            ("/etc/passwd", "passwd"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("..\\..\\Windows\\win.ini", "win.ini"),
            ("C:\\x\\y.exe", "y.exe"),
            ("C:y.exe", "C_y.exe"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("a\0b\r\n\u{7f}.txt", "ab.txt"),
            ("zero\u{200b}width\u{feff}.txt", "zerowidth.txt"),
            (".bashrc", "bashrc"),
            ("...hidden", "hidden"),
            ("-rf", "rf"),
            ("~root.txt", "root.txt"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("nul .tar.gz", "_nul .tar.gz"),
            ("COM1.log", "_COM1.log"),
            ("lpt²", "_lpt²"),
            ("COM10", "COM10"),
            ("console.log", "console.log"),
            ("trailing. . .", "trailing"),
            ("a<b>c:d\"e|f?g*h", "a_b_c_d_e_f_g_h"),
            ("folder/", "folder"),
            ("", "file"),
            ("..", "file"),
            ("/", "file"),
            (" \u{202e} ", "file"),
            ("名\u{e0041}字", "名字"),
        ] {
            assert_eq!(safe(label, "file", ""), want, "{label:?}");
        }
    }

    #[test]
    fn sec_r13_long_names_keep_their_extension() {
        let name = safe(&format!("{}.tar.gz", "长".repeat(200)), "file", "");
        assert!(name.len() <= LONGEST && name.ends_with("长.gz"), "{name}");
        let name = safe(&format!("a.{}", "b".repeat(300)), "file", "");
        assert_eq!(name.len(), LONGEST);
        assert_eq!(safe(&format!("{} .png", " .".repeat(90)), "file", ""), "png");
    }

    #[test]
    fn the_content_gives_the_extension_where_the_label_has_none() {
        for (label, want) in [
            ("", "image.png"),
            ("cat", "cat.png"),
            ("cat.jpg", "cat.jpg"),
            ("v1.2 final", "v1.2 final.png"),
            (".", "image.png"),
        ] {
            assert_eq!(safe(label, "image", "png"), want, "{label:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn sec_r13_any_label_gives_a_safe_name(label in ".{0,200}", extension in "[a-z0-9]{0,5}") {
            let name = safe(&label, "file", &extension);
            proptest::prop_assert!(!name.is_empty() && name.len() <= LONGEST, "{}", name);
            proptest::prop_assert!(!name.contains(['/', '\\', '\0', ':']), "{}", name);
            proptest::prop_assert!(!name.chars().any(|c| c.is_control() || is_unseen(c)), "{}", name);
            proptest::prop_assert!(!name.starts_with(['.', '-', ' ']) && !name.ends_with(['.', ' ']), "{}", name);
            proptest::prop_assert!(!is_reserved(&name), "{}", name);
            proptest::prop_assert_eq!(&safe(&name, "file", ""), &name, "twice is once");
        }

        #[test]
        fn sec_r13_nasty_labels_give_safe_names(label in "[./\\\\:a-cAUXCON0-9 \\-\u{202e}\u{0}~長]{0,160}") {
            let name = safe(&label, "file", "");
            proptest::prop_assert!(!name.is_empty() && name.len() <= LONGEST && !is_reserved(&name), "{}", name);
            proptest::prop_assert_eq!(&safe(&name, "file", ""), &name, "twice is once");
        }
    }
}
