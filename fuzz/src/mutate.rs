//! How is a new input made of old ones? By a few changes, drawn from a generator that a seed sets.

/// SplitMix64: small, even, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % bound).unwrap_or(0)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.draw() & 0xff).unwrap_or(0)
    }
}

/// Most inputs stay below this.
pub const SHORT: usize = 4 * 1024;
/// Some grow up to this: what is not linear shows there.
pub const LONG: usize = 64 * 1024;

/// What breaks parsers of anything.
const EVIL: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\xe2\x80\x85",
    b"\xf0\x9f\x98\x84",
    "你好".as_bytes(),
    b"-1",
    b"0",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1e999",
    b"99999999999999999999999999999999",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\\u0000",
    b"\\ud800",
    b"&#0;",
    b"&#x10FFFF;",
    b"%00",
    b"%",
    b"\r\n",
    b"{}",
    b"[]",
    b"\"\"",
    b"null",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"<a><a><a><a><a><a><a><a>",
];

/// Changes `input` in place: one to eight times. `others` are what parts may come from, `words` the target's own.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str], rng: &mut Rng) {
    let most = if rng.one_in(64) { LONG } else { SHORT.max(input.len()) };
    for _ in 0..=rng.below(8) {
        change(input, others, words, rng, most);
    }
    input.truncate(most);
}

fn change(input: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str], rng: &mut Rng, most: usize) {
    let at = rng.below(input.len() + 1);
    match rng.below(14) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        1 => {
            let new = rng.byte();
            if let Some(byte) = input.get_mut(at) {
                *byte = new;
            }
        }
        2 => {
            let new = rng.byte();
            input.insert(at, new);
        }
        3 | 4 => {
            let end = at + rng.below(input.len() - at + 1).min(1 << rng.below(8));
            input.drain(at..end);
        }
        5 => input.truncate(at),
        6 => {
            if let Some(evil) = rng.pick(EVIL) {
                insert(input, at, evil, most);
            }
        }
        7 | 8 => {
            if let Some(word) = rng.pick(words) {
                insert(input, at, word.as_bytes(), most);
            }
        }
        9 => {
            // Over what is there, so that lengths before it still fit.
            if let Some(word) = rng.pick(words) {
                for (to, from) in input.iter_mut().skip(at).zip(word.as_bytes()) {
                    *to = *from;
                }
            }
        }
        10 => {
            let piece = piece(input, rng).to_vec();
            insert(input, at, &piece, most);
        }
        11 => {
            // Many times the same: what is not linear, and what counts nesting.
            let piece = piece(input, rng).to_vec();
            let piece = piece.get(..piece.len().min(64)).unwrap_or_default();
            let times = 1 << rng.below(12);
            let room = most.saturating_sub(input.len()) / piece.len().max(1);
            insert(input, at, &piece.repeat(times.min(room)), most);
        }
        12 => {
            if let Some(other) = rng.pick(others) {
                let part = piece(other, rng).to_vec();
                insert(input, at, &part, most);
            }
        }
        _ => {
            // The beginning of one, the end of another.
            if let Some(other) = rng.pick(others) {
                let from = rng.below(other.len() + 1);
                input.truncate(at);
                insert(input, at, other.get(from..).unwrap_or_default(), most);
            }
        }
    }
}

fn piece<'a>(of: &'a [u8], rng: &mut Rng) -> &'a [u8] {
    let from = rng.below(of.len() + 1);
    let len = rng.below(of.len() - from + 1).min(1 << rng.below(12));
    of.get(from..from + len).unwrap_or_default()
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8], most: usize) {
    if input.len() + piece.len() <= most {
        let at = at.min(input.len());
        input.splice(at..at, piece.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let made = |seed| {
            let mut rng = Rng::new(seed);
            let others = vec![b"{\"other\":1}".to_vec()];
            let mut all = Vec::new();
            for _ in 0..2_000 {
                let mut input = b"{\"a\":[1,2,3]}".to_vec();
                mutate(&mut input, &others, &["msglist"], &mut rng);
                assert!(input.len() <= LONG);
                all.push(input);
            }
            all
        };
        let first = made(7);
        assert_eq!(first, made(7));
        assert_ne!(first, made(8));
        assert!(first.iter().any(|input| input.len() > SHORT), "some are long");
        assert!(first.iter().any(|input| input.windows(7).any(|part| part == b"msglist")), "words are used");
    }
}
