//! How does the hook name files, and which of them may be opened? Only those below a configured root (security R07).
//!
//! Everything here is about the text of a path: nothing is looked up. Links inside a root are the opener's business.

/// A path out of JSON as it was meant. Backslashes come single, doubled, or, where nobody escaped them, as the control
/// characters that JSON took them for. No Windows path holds any of those.
pub fn meant(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        let unescaped = match c {
            '\t' => Some('t'),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            _ => None,
        };
        // Two at the beginning are a share; elsewhere they are one that was escaped twice.
        if (unescaped.is_some() || c == '\\') && !(out.ends_with('\\') && out.len() > 1) {
            out.push('\\');
        }
        out.extend(unescaped.or(Some(c).filter(|c| *c != '\\')));
    }
    out
}

/// Where a path is below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// Which of the roots, by its place in the list.
    pub root: usize,
    /// The folders below it and the file, at least one. None of them is `.` or `..`, is empty, or holds a separator.
    pub parts: Vec<String>,
}

/// Where `path` is below one of `roots`; `None` when it is nowhere, is a root itself, or is not absolute.
///
/// Paths of Windows (`C:\…`, `\\server\share\…`) compare without regard to case, those of Unix (`/…`) with it. `..` is
/// refused rather than followed, and so are device paths (`\\?\`, `\\.\`), names of devices (`CON`), streams (`a.jpg:b`), and
/// names that Windows would shorten (`a.jpg.`).
pub fn below_roots<R: AsRef<str>>(path: &str, roots: &[R]) -> Option<Below> {
    let path = Absolute::read(path)?;
    roots.iter().enumerate().find_map(|(index, root)| {
        let root = Absolute::read(root.as_ref())?;
        let parts = path.behind(&root)?;
        Some(Below { root: index, parts: parts.iter().map(|part| (*part).to_owned()).collect() })
    })
}

/// A path that says where it is without asking anything else.
#[derive(Debug, PartialEq, Eq)]
struct Absolute<'a> {
    start: Start<'a>,
    parts: Vec<&'a str>,
}

#[derive(Debug, PartialEq, Eq)]
enum Start<'a> {
    Drive(char),
    Share { server: &'a str, share: &'a str },
    Unix,
}

impl<'a> Absolute<'a> {
    fn read(path: &'a str) -> Option<Self> {
        let separator = |c: char| c == '\\' || c == '/';
        if path.starts_with(r"\\") || path.starts_with("//") {
            let mut parts = path.get(2..)?.split(separator);
            let (server, share) = (parts.next()?, parts.next()?);
            let named = |part: &str| !part.is_empty() && !matches!(part, "." | ".." | "?") && windows_name(part);
            if !named(server) || !named(share) {
                return None;
            }
            return Some(Self { start: Start::Share { server, share }, parts: checked(parts, windows_name)? });
        }
        if let Some(rest) = path.strip_prefix('/') {
            return Some(Self { start: Start::Unix, parts: checked(rest.split('/'), unix_name)? });
        }
        let mut chars = path.chars();
        let (drive, colon, slash) = (chars.next()?, chars.next()?, chars.next()?);
        if !drive.is_ascii_alphabetic() || colon != ':' || !separator(slash) {
            return None;
        }
        let parts = checked(chars.as_str().split(separator), windows_name)?;
        Some(Self { start: Start::Drive(drive.to_ascii_uppercase()), parts })
    }

    /// What of this path is behind the end of `root`.
    fn behind(&self, root: &Self) -> Option<&[&'a str]> {
        let same = |a: &str, b: &str| match self.start {
            Start::Unix => a == b,
            Start::Drive(_) | Start::Share { .. } => folded(a) == folded(b),
        };
        let same_start = match (&self.start, &root.start) {
            (Start::Drive(a), Start::Drive(b)) => a == b,
            (Start::Share { server, share }, Start::Share { server: other, share: its }) => {
                same(server, other) && same(share, its)
            }
            (Start::Unix, Start::Unix) => true,
            _ => false,
        };
        let (above, below) = self.parts.split_at_checked(root.parts.len())?;
        let inside = same_start && above.iter().zip(&root.parts).all(|(a, b)| same(a, b));
        (inside && !below.is_empty()).then_some(below)
    }
}

fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// The parts without empty ones; `None` when one of them is not what it seems.
fn checked<'a>(parts: impl Iterator<Item = &'a str>, fine: fn(&str) -> bool) -> Option<Vec<&'a str>> {
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| (!matches!(part, "." | "..") && fine(part)).then_some(part)).collect()
}

fn unix_name(part: &str) -> bool {
    // A backslash is a letter there, and whoever reads the path as one of Windows sees another one.
    !part.contains(['\0', '\\']) && !part.chars().any(char::is_control)
}

fn windows_name(part: &str) -> bool {
    const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
    let stem = part.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let port = numbered.is_some_and(|number| {
        let mut chars = number.chars();
        chars.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && chars.next().is_none()
    });
    let odd = |c: char| c.is_control() || r#"<>:"|?*"#.contains(c);
    !part.chars().any(odd) && !part.ends_with(['.', ' ']) && !DEVICES.contains(&stem.as_str()) && !port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_they_were_meant() {
        for (text, want) in [
            (r"C:\\Users\\A\\a.jpg", r"C:\Users\A\a.jpg"),
            (r"C:\Users\A\a.jpg", r"C:\Users\A\a.jpg"),
            ("C:\temp\new\report\u{8}in\u{c}ile", r"C:\temp\new\report\bin\file"),
            (r"\\\\nas\\share\\a", r"\\nas\share\a"),
            (r"\\nas\share\a", r"\\nas\share\a"),
            (" /home/a/b ", "/home/a/b"),
            ("", ""),
        ] {
            assert_eq!(meant(text), want, "{text:?}");
        }
    }

    #[test]
    fn sec_r07_only_below_a_root() {
        let roots = [r"C:\Users\Administrator\Documents\WeChat Files", r"\\nas\wechat", "/srv/wechat/", r"D:\"];
        for (name, path, want) in [
            ("below", r"C:\Users\Administrator\Documents\WeChat Files\a\b.dat", Some((0, "a/b.dat"))),
            ("another case", r"c:\users\ADMINISTRATOR\documents\wechat files\Ä.dat", Some((0, "Ä.dat"))),
            ("slashes", r"C:/Users/Administrator/Documents/WeChat Files//b.dat", Some((0, "b.dat"))),
            ("a share", r"\\NAS\WeChat\b.dat", Some((1, "b.dat"))),
            ("unix", "/srv/wechat/x/y", Some((2, "x/y"))),
            ("a whole drive", r"d:\x", Some((3, "x"))),
            ("the root itself", "/srv/wechat", None),
            ("a neighbour with the same beginning", "/srv/wechat2/x", None),
            ("a neighbour on Windows", r"C:\Users\Administrator\Documents\WeChat Files2\b", None),
            ("up and out", r"C:\Users\Administrator\Documents\WeChat Files\..\..\..\secret", None),
            ("up and in again", r"C:\Users\Administrator\Documents\WeChat Files\a\..\b", None),
            ("up in unix", "/srv/wechat/../../etc/passwd", None),
            ("up with a blank", r"C:\Users\Administrator\Documents\WeChat Files\.. \x", None),
            ("another drive", r"E:\x", None),
            ("relative to a drive", r"D:x", None),
            ("relative", r"x\y", None),
            ("another share", r"\\nas\other\b.dat", None),
            ("another server", r"\\evil\wechat\b.dat", None),
            ("a device path", r"\\?\C:\Users\Administrator\Documents\WeChat Files\b.dat", None),
            ("another device path", r"\\.\pipe\x", None),
            ("up in a share", r"\\nas\wechat\..\other\x", None),
            ("a share of ..", r"\\nas\..\x", None),
            ("a stream", r"D:\b.dat:hidden", None),
            ("a device", r"D:\con.txt", None),
            ("a port", r"D:\COM1", None),
            ("a shortened name", r"D:\b.dat.", None),
            ("a control character", "D:\\a\u{0}b", None),
            ("other case in unix", "/srv/WeChat/x", None),
            ("a backslash in unix", r"/srv/wechat/..\x", None),
            ("nothing", "", None),
            ("an address", "http://a/b", None),
        ] {
            let below = below_roots(path, &roots);
            let found = below.map(|below| (below.root, below.parts.join("/")));
            assert_eq!(found.as_ref().map(|(root, parts)| (*root, parts.as_str())), want, "{name}");
        }
        assert_eq!(below_roots(r"C:\a", &[""; 0]), None, "without roots nothing is opened");
        assert_eq!(below_roots(r"C:\a\b", &["relative", "."]), None, "a root that says nothing");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_below_stays_below(path in "(C:|/|\\\\|\\.|a|b| |:|r){0,24}") {
            if let Some(below) = below_roots(&path, &[r"C:\r", "/r", r"\\a\r"]) {
                proptest::prop_assert!(!below.parts.is_empty());
                for part in below.parts {
                    proptest::prop_assert!(!part.is_empty() && part != ".." && part != "." && !part.contains(['/', '\\']));
                }
            }
        }

        #[test]
        fn any_text_is_a_path_or_none(path in ".*") {
            let once = meant(&path);
            proptest::prop_assert_eq!(meant(&once), once);
            below_roots(&path, &["/"]);
        }
    }
}
