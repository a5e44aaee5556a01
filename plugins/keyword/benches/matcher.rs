//! How fast are thousands of keywords looked for: alone, with folding, in one message, and how long does it take to get
//! ready?
//!
//! `cargo bench -p wxbot-keyword --bench matcher`. Keywords are Chinese of two to six characters and latin words, three
//! to one; texts are made of the same characters, drawn like in ordinary writing (few of them often, most of them
//! rarely), some latin words and signs, and a keyword every 400 characters or so. All is drawn from a fixed seed.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a bench draws numbers and prints"
)]

use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use wxbot_keyword::fold::{Folder, Folding};
use wxbot_keyword::matcher::{Kind, Matcher, Pattern, Scratch};

fn main() {
    divan::main();
}

const FOLDING: Folding = Folding { case: true, width: true, simplified: true };

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of 3,500 characters from 一 on; like in writing, a tenth of them makes up most of a text.
    fn hanzi(&mut self) -> char {
        let unit = self.below(1 << 20) as f64 / (1 << 20) as f64;
        let rank = (unit * unit * unit * 3500.0) as u32;
        // Spread over the block, so that common ones are no neighbours.
        char::from_u32(0x4E00 + rank * 7919 % 20_900).expect("a character")
    }

    fn latin(&mut self) -> String {
        let len = 2 + self.below(7);
        (0..len)
            .map(|nth| {
                char::from(if nth % 2 == 0 { b"bcdfglmnprst" } else { b"aeiouaeiouyh" }[self.below(12) as usize])
            })
            .collect()
    }
}

fn keywords(count: usize) -> Vec<String> {
    let mut dice = Dice(1);
    let mut one = || match dice.below(4) {
        0 => {
            let word = dice.latin();
            format!("{word}{}", dice.latin())
        }
        _ => (0..2 + dice.below(5)).map(|_| dice.hanzi()).collect(),
    };
    (0..count).map(|_| one()).collect()
}

/// At least so many bytes, in pieces that a message may be.
fn text(bytes: usize, keywords: &[String]) -> String {
    let mut dice = Dice(2);
    let mut text = String::with_capacity(bytes + 64);
    while text.len() < bytes {
        match dice.below(400) {
            0 => text.push_str(&keywords[dice.below(keywords.len() as u64) as usize]),
            1..=15 => {
                let word = dice.latin();
                text.push_str(&if word.len() > 4 { word } else { word.to_uppercase() });
                text.push(' ');
            }
            16..=50 => {
                text.push(['\u{FF0C}', '。', '\u{FF01}', '\u{FF1F}', ',', '1', '\u{FF11}'][dice.below(7) as usize])
            }
            51..=52 => text.push('😀'),
            _ => text.push(dice.hanzi()),
        }
    }
    text
}

fn matcher(keywords: &[String]) -> Matcher {
    let patterns: Vec<_> =
        keywords.iter().zip(0..).map(|(text, id)| Pattern { id, kind: Kind::Text(text), word: false }).collect();
    Matcher::build(&patterns, FOLDING).expect("keywords")
}

/// The text in pieces that are searched one by one; the matcher looks at 16 KiB.
fn pieces(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(15_000));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

const TEXT_BYTES: usize = 1 << 20;

#[divan::bench(args = [1_000, 10_000, 100_000])]
fn matching_alone(bencher: Bencher<'_, '_>, count: usize) {
    let keywords = keywords(count);
    let (matcher, folded) = (matcher(&keywords), Folder::new(FOLDING).fold(&text(TEXT_BYTES, &keywords)));
    let (pieces, mut scratch) = (pieces(&folded), Scratch::default());
    let hits: usize = pieces.iter().map(|piece| matcher.hits_folded(piece, &mut scratch).len()).sum();
    println!("{hits} hits in {} KiB, matcher {} KiB", folded.len() >> 10, matcher.memory() >> 10);
    bencher.counter(BytesCount::new(folded.len())).bench_local(|| {
        pieces.iter().map(|piece| matcher.hits_folded(black_box(piece), &mut scratch).len()).sum::<usize>()
    });
}

#[divan::bench(args = [1_000, 10_000, 100_000])]
fn folding_and_matching(bencher: Bencher<'_, '_>, count: usize) {
    let keywords = keywords(count);
    let (matcher, text) = (matcher(&keywords), text(TEXT_BYTES, &keywords));
    let (pieces, mut scratch) = (pieces(&text), Scratch::default());
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| pieces.iter().map(|piece| matcher.hits(black_box(piece), &mut scratch).len()).sum::<usize>());
}

#[divan::bench]
fn folding_alone(bencher: Bencher<'_, '_>) {
    let (text, folder, mut out) = (text(TEXT_BYTES, &keywords(10_000)), Folder::new(FOLDING), String::new());
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        folder.fold_into(black_box(&text), &mut out);
        out.len()
    });
}

/// 50 characters without a hit, and 50 with one.
#[divan::bench(args = [false, true])]
fn message_of_50_characters(bencher: Bencher<'_, '_>, hit: bool) {
    let keywords = keywords(10_000);
    let (matcher, mut scratch) = (matcher(&keywords), Scratch::default());
    let long = text(TEXT_BYTES, &keywords);
    let chars: Vec<char> = long.chars().collect();
    let mut messages = chars.chunks_exact(50).map(|chunk| chunk.iter().collect::<String>());
    let message = messages.find(|message| (matcher.hits(message, &mut scratch).len() > 0) == hit).expect("one such");
    bencher
        .counter(BytesCount::new(message.len()))
        .bench_local(|| matcher.hits(black_box(&message), &mut scratch).len());
}

/// 10,000 keywords and so many regexes.
#[divan::bench(args = [20, 200, 2_000])]
fn message_of_50_characters_with_regexes(bencher: Bencher<'_, '_>, count: usize) {
    let (keywords, regexes) = (keywords(10_000), regexes(count));
    let (matcher, mut scratch) = (with_regexes(&keywords, &regexes), Scratch::default());
    let message: String = text(400, &keywords).chars().skip(20).take(50).collect();
    println!("matcher {} KiB", matcher.memory() >> 10);
    bencher
        .counter(BytesCount::new(message.len()))
        .bench_local(|| matcher.hits(black_box(&message), &mut scratch).len());
}

/// All kinds of messages, so that the regexes meet ever new characters.
#[divan::bench(args = [20, 200, 2_000])]
fn texts_with_regexes(bencher: Bencher<'_, '_>, count: usize) {
    let (keywords, regexes) = (keywords(10_000), regexes(count));
    let (matcher, mut scratch, text) =
        (with_regexes(&keywords, &regexes), Scratch::default(), text(1 << 16, &keywords));
    let messages: Vec<String> =
        text.chars().collect::<Vec<_>>().chunks(50).map(|chunk| chunk.iter().collect()).collect();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        messages.iter().map(|message| matcher.hits(black_box(message), &mut scratch).len()).sum::<usize>()
    });
}

/// As people write them: a word or two, something between them, digits at the end.
fn regexes(count: usize) -> Vec<String> {
    let words = keywords(2 * count);
    let pairs = words.chunks_exact(2).zip(0..);
    pairs
        .map(|(pair, nth)| match (nth % 4, pair) {
            (0, [one, two]) => format!("{one}.{{0,5}}{two}"),
            (1, [one, _]) => format!(r"{one}\s*[:=]?\d{{5,11}}"),
            (2, [one, two]) => format!("({one}|{two})+[a-z]+"),
            (_, pair) => format!("[加+]?(v|微)(x|信){}", pair.concat()),
        })
        .collect()
}

fn with_regexes(keywords: &[String], regexes: &[String]) -> Matcher {
    let texts = keywords.iter().zip(0..).map(|(text, id)| Pattern { id, kind: Kind::Text(text), word: false });
    let regexes =
        regexes.iter().zip(1_000_000..).map(|(regex, id)| Pattern { id, kind: Kind::Regex(regex), word: false });
    Matcher::build(&texts.chain(regexes).collect::<Vec<_>>(), FOLDING).expect("patterns")
}

/// What a text costs that was made to be slow: all beginnings, no end.
#[divan::bench]
fn hostile_text_of_16_kib(bencher: Bencher<'_, '_>) {
    let keywords: Vec<String> = (2..=250).map(|len| format!("{}{len}", "a".repeat(len))).collect();
    let (matcher, mut scratch, text) = (matcher(&keywords), Scratch::default(), "a".repeat(16 << 10));
    bencher.counter(BytesCount::new(text.len())).bench_local(|| matcher.hits(black_box(&text), &mut scratch).len());
}

#[divan::bench(args = [10_000, 100_000], sample_count = 10)]
fn building(bencher: Bencher<'_, '_>, count: usize) {
    let keywords = keywords(count);
    bencher.bench_local(|| matcher(black_box(&keywords)));
}
