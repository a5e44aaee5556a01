//! What becomes of one character?

use std::sync::OnceLock;

use wxbot_plugin::text;

use super::Folding;
use crate::simplify::simplified;

// Three numbers that are no characters say what cannot be said by one.
/// It stays as it is.
pub(super) const SAME: u16 = 0xD800;
/// It leaves nothing.
pub(super) const GONE: u16 = 0xD801;
/// [`folded`] knows: several characters, or one beyond the table.
pub(super) const SEVERAL: u16 = 0xD802;

/// The form of each character up to U+FFFF, which is all that texts hold but emoji and rarest characters. Flat: for
/// Chinese the part in use is 40 KiB, and a look-up is one load.
#[derive(Debug)]
pub(super) struct Table(Box<[u16; 1 << 16]>);

impl Table {
    pub(super) fn of(folding: Folding) -> &'static Self {
        static TABLES: [OnceLock<Table>; 8] = [const { OnceLock::new() }; 8];
        let at = usize::from(folding.case) | usize::from(folding.width) << 1 | usize::from(folding.simplified) << 2;
        TABLES.get(at).expect("three bits").get_or_init(|| Self::new(folding))
    }

    fn new(folding: Folding) -> Self {
        let forms: Vec<u16> = (0..=u16::MAX).map(|unit| form(unit, folding)).collect();
        Self(forms.into_boxed_slice().try_into().expect("one for each"))
    }

    #[expect(clippy::indexing_slicing, reason = "there is one for each")]
    pub(super) fn form(&self, unit: u16) -> u16 {
        self.0[usize::from(unit)]
    }
}

fn form(unit: u16, folding: Folding) -> u16 {
    let Some(c) = char::from_u32(unit.into()) else { return SAME };
    let mut chars = folded(c, folding);
    match (chars.next(), chars.next()) {
        (None, _) => GONE,
        (Some(one), None) if one == c => SAME,
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(SEVERAL),
        (Some(_), Some(_)) => SEVERAL,
    }
}

/// What becomes of a character: nothing, one, or several.
pub(super) fn folded(c: char, folding: Folding) -> impl Iterator<Item = char> {
    let seen = !text::is_blank(c) || c.is_whitespace();
    let narrow = if folding.width { text::narrow(c) } else { c };
    let small = folding.case.then(|| narrow.to_lowercase()).into_iter().flatten();
    let as_is = (!folding.case).then_some(narrow);
    let chars = seen.then(|| small.chain(as_is)).into_iter().flatten();
    chars.map(move |c| if folding.simplified { simplified(c) } else { c })
}
