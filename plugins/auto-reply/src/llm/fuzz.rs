//! What do the fuzz targets call? Both forms of an answer, without a network. No part of the API.

use super::chunk::{Next, Said};
use super::sse::Sse;

/// A stream that comes in these pieces: its text, or `None` where the endpoint or its answer is given up.
pub fn read_stream(pieces: &[&[u8]]) -> Option<String> {
    let (mut said, mut sse) = (Said::default(), Sse::default());
    for piece in pieces {
        for event in sse.push(piece).ok()? {
            if said.event(&event).ok()? == Next::Done {
                return Some(said.spoken().to_owned());
            }
        }
    }
    if let Some(last) = sse.end() {
        said.event(&last).ok()?;
    }
    Some(said.spoken().to_owned())
}

/// An answer in one piece.
pub fn read_whole(bytes: &[u8]) -> Option<String> {
    let mut said = Said::default();
    said.json(bytes).ok()?;
    Some(said.spoken().to_owned())
}
