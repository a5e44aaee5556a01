//! How many bytes may a picture have, or a film? Limits per kind, declared and counted (security R12).

use wxbot_model::{MediaKind, MediaShape};

const MIB: u64 = 1 << 20;
const IMAGE: u64 = 20 * MIB;
const VIDEO: u64 = 200 * MIB;
const FILE: u64 = 100 * MIB;
/// A minute of speech, the longest there is, has less than one.
const VOICE: u64 = 5 * MIB;
const STICKER: u64 = 10 * MIB;
/// Stills and the pictures of people.
const SMALL: u64 = 5 * MIB;

/// The most bytes that are fetched of this kind.
pub fn limit(kind: MediaKind) -> u64 {
    match kind {
        MediaKind::Image => IMAGE,
        MediaKind::Thumbnail => SMALL,
        MediaKind::Voice => VOICE,
        MediaKind::Video => VIDEO,
        MediaKind::Sticker => STICKER,
        MediaKind::File | _ => FILE,
    }
}

/// The most bytes that are sent in this shape.
pub fn limit_of(shape: MediaShape) -> u64 {
    match shape {
        MediaShape::Image => IMAGE,
        MediaShape::Video => VIDEO,
        MediaShape::Sticker => STICKER,
        MediaShape::File | _ => FILE,
    }
}

/// The most bytes of a person's picture.
pub(super) const AVATAR: u64 = SMALL;
