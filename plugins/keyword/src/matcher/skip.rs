//! Where may a keyword begin? An answer that is quick and errs on one side only.
//!
//! Of 10,000 keywords hardly one begins like a given place of an ordinary text. Two characters tell most of them
//! apart, so a bit for each pair that begins a keyword is all there is to look at. Pairs share bits, 1 of 30 by accident.

/// The beginnings of all keywords.
#[derive(Debug)]
pub(super) struct Skip {
    /// A bit for each pair of characters that begins a keyword. A power of two of words.
    pairs: Box<[u64]>,
    /// Bits of [`hash`] that are dropped, so that the others name a bit of `pairs`.
    shift: u32,
    /// A bit for each keyword of one character, by the lower 16 bits of it; empty if there are none.
    singles: Box<[u64]>,
}

/// Bits for each keyword: 1 of 32 pairs that begin nothing is taken for one.
const BITS_PER_KEYWORD: usize = 32;
/// 512 KiB: what keeps to the second cache of most machines.
const MOST_BITS: usize = 1 << 22;

impl Skip {
    pub(super) fn new<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let bits = (texts.len() * BITS_PER_KEYWORD).next_power_of_two().clamp(1 << 10, MOST_BITS);
        let (mut pairs, shift) = (vec![0; bits / 64], 64 - bits.trailing_zeros());
        let mut singles = Vec::new();
        for text in texts {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(one), Some(two)) => {
                    let bit = hash(one, two) >> shift;
                    if let Some(word) = pairs.get_mut((bit / 64) as usize) {
                        *word |= 1 << (bit % 64);
                    }
                }
                (Some(one), None) => {
                    singles.resize(1 << 10, 0);
                    let (word, bit) = single(one);
                    if let Some(word) = singles.get_mut(word) {
                        *word |= bit;
                    }
                }
                (None, _) => {}
            }
        }
        Self { pairs: pairs.into(), shift, singles: singles.into() }
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.pairs) + size_of_val(&*self.singles)
    }

    /// The first place at `from` or behind it where a keyword may begin.
    pub(super) fn next(&self, text: &str, from: usize) -> Option<usize> {
        let mut chars = text.get(from..)?.char_indices();
        let (mut at, mut one) = chars.next()?;
        for (next, two) in chars {
            if self.may_begin(one, two) {
                return Some(from + at);
            }
            (at, one) = (next, two);
        }
        self.alone(one).then_some(from + at)
    }

    /// The length of the first character.
    pub(super) fn width(&self, bytes: &[u8]) -> usize {
        match bytes.first() {
            Some(0xF0..) => 4,
            Some(0xE0..) => 3,
            Some(0xC0..) => 2,
            _ => 1,
        }
    }

    fn may_begin(&self, one: char, two: char) -> bool {
        let bit = hash(one, two) >> self.shift;
        let word = self.pairs.get((bit / 64) as usize).copied().unwrap_or_default();
        word >> (bit % 64) & 1 == 1 || self.alone(one)
    }

    fn alone(&self, one: char) -> bool {
        let (word, bit) = single(one);
        self.singles.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Which word of [`Skip::singles`], and which bit of it.
fn single(one: char) -> (usize, u64) {
    let unit = u32::from(one) & 0xFFFF;
    ((unit / 64) as usize, 1 << (unit % 64))
}

/// The upper bits are the good ones.
fn hash(one: char, two: char) -> u64 {
    (u64::from(one) << 21 | u64::from(two)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
