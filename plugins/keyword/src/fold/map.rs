//! Where did a byte of the folded text stand in the original?

/// The way from offsets of a folded text to those of its original.
///
/// It grows only where folding changed the length of a character, so that it is empty for most texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    /// In the order of both texts. Before the first piece both run alike from 0.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the folded text.
    folded: usize,
    /// Where it begins in the original.
    original: usize,
    /// The length of the one character of the original that it stands for, or 0: byte for byte from here on.
    whole: usize,
}

impl Map {
    /// Where the character begins that the folded byte at `offset` came from.
    pub fn start(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.folded <= offset);
        match self.before(after) {
            None => offset,
            Some(piece) if piece.whole > 0 => piece.original,
            Some(piece) => piece.original + (offset - piece.folded),
        }
    }

    /// Where the character ends that the folded byte just before `offset` came from.
    pub fn end(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.folded < offset);
        match self.before(after) {
            None => offset,
            Some(piece) if piece.whole > 0 => piece.original + piece.whole,
            Some(piece) => piece.original + (offset - piece.folded),
        }
    }

    fn before(&self, after: usize) -> Option<&Piece> {
        after.checked_sub(1).and_then(|at| self.pieces.get(at))
    }

    pub(super) fn clear(&mut self) {
        self.pieces.clear();
    }

    /// One character of `len` bytes at `original` became what begins at `folded`.
    pub(super) fn one(&mut self, folded: usize, original: usize, len: usize) {
        self.drop_empty(folded);
        self.pieces.push(Piece { folded, original, whole: len });
    }

    /// From here on both run alike again.
    pub(super) fn resume(&mut self, folded: usize, original: usize) {
        self.drop_empty(folded);
        // Nothing to say where they run alike already: a character gave way to one of the same length.
        let alike = match self.pieces.last() {
            None => folded == original,
            Some(piece) => piece.whole == 0 && original - piece.original == folded - piece.folded,
        };
        if !alike {
            self.pieces.push(Piece { folded, original, whole: 0 });
        }
    }

    /// A piece in which nothing stands is of no use, and a text of invisible characters would make many.
    fn drop_empty(&mut self, folded: usize) {
        self.pieces.pop_if(|last| last.whole == 0 && last.folded == folded);
    }
}
