//! What is the simplified form of a traditional character?
//!
//! Character by character: 髮 and 發 both become 发. That is too coarse for translating a text, and just right for
//! comparing two of them, because keywords and texts are treated alike.

use std::sync::LazyLock;

/// Pairs, many in a line; its head says where they come from and under which licence.
const PAIRS: &str = include_str!("simplify/traditional.txt");

/// Sorted by the traditional character.
static TABLE: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let mut chars = PAIRS.lines().filter(|line| !line.starts_with('#')).flat_map(str::chars);
    let mut table = Vec::new();
    while let (Some(traditional), Some(simplified)) = (chars.next(), chars.next()) {
        table.push((traditional, simplified));
    }
    table.sort_unstable();
    table
});

/// The simplified form, or the character itself.
pub(crate) fn simplified(c: char) -> char {
    // The first that has one is 㑯.
    if c < '\u{3400}' {
        return c;
    }
    let found = TABLE.binary_search_by_key(&c, |(traditional, _)| *traditional);
    found.ok().and_then(|at| TABLE.get(at)).map_or(c, |(_, simplified)| *simplified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_characters() {
        let (from, to): (Vec<char>, Vec<char>) = TABLE.iter().copied().unzip();
        assert_eq!((from.len(), to.len()), (3222, 3222), "the file is whole");
        for (traditional, simplified) in [
            ("發票", "发票"),
            ("頭髮", "头发"),
            ("臺灣後裡", "台湾后里"),
            ("加微信領紅包", "加微信领红包"),
            ("简体字 abc,日本の", "简体字 abc,日本の"),
            ("薴", "苎"),
        ] {
            let found: String = traditional.chars().map(super::simplified).collect();
            assert_eq!(found, simplified);
        }
    }

    #[test]
    fn twice_is_once() {
        for (_, to) in TABLE.iter() {
            assert_eq!(simplified(*to), *to, "a text that was simplified already");
        }
        assert!(TABLE.windows(2).all(|two| two[0].0 < two[1].0), "each stands once");
    }
}
