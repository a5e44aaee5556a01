//! What are the events in a stream of bytes? `text/event-stream`, read piece by piece, as far as an endpoint uses it.
//!
//! Lines end in LF, CRLF or CR, wherever the network cuts them; a line with a colon in front is a comment; the `data:`
//! lines of one event belong together; an empty line ends it. Other fields (`event`, `id`, `retry`) say nothing here.

/// A line that is longer is none: events of models have some hundred bytes, those of a whole answer some thousand.
const MOST_LINE: usize = 512 * 1024;

/// A stream that is being read.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The last byte was a CR: a LF that follows ends no second line.
    after_cr: bool,
    begun: bool,
}

/// A line without an end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endless;

impl Sse {
    /// Takes the next bytes and answers the data of the events that they end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Endless> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.line_ended()),
                _ if self.line.len() >= MOST_LINE => return Err(Endless),
                _ => self.line.push(byte),
            }
        }
        match &self.data {
            Some(data) if data.len() > MOST_LINE => Err(Endless),
            Some(_) | None => Ok(events),
        }
    }

    /// The stream is over. The last event counts without its empty line, too: some servers leave it out.
    pub(crate) fn end(mut self) -> Option<Vec<u8>> {
        self.line_ended();
        self.data
    }

    fn line_ended(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        let line = match line.strip_prefix("\u{FEFF}".as_bytes()) {
            Some(rest) if !self.begun => rest,
            Some(_) | None => &line,
        };
        self.begun = true;
        if line.is_empty() {
            return self.data.take();
        }
        let value = match line.strip_prefix(b"data") {
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => value,
            Some([]) => &[],
            Some(_) | None => return None,
        };
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut sse = Sse::default();
        let mut events: Vec<_> = pieces.iter().flat_map(|piece| sse.push(piece).unwrap()).collect();
        events.extend(sse.end());
        events.into_iter().map(|event| String::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn events() {
        for (name, stream, want) in [
            ("nothing", "", vec![]),
            ("two", "data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
            ("CR", "data: a\r\rdata: b\r\r", vec!["a", "b"]),
            ("without a space", "data:a\n\n", vec!["a"]),
            ("one space goes", "data:  a\n\n", vec![" a"]),
            ("comments", ": ping\n\n: pong\ndata: a\n: in between\n\n", vec!["a"]),
            ("other fields", "event: message\nid: 1\nretry: 10\ndata: a\n\n", vec!["a"]),
            ("lines of one event", "data: {\ndata: }\n\n", vec!["{\n}"]),
            ("an empty one", "data\n\ndata:\n\n", vec!["", ""]),
            ("empty lines", "\n\n\ndata: a\n\n\n\n", vec!["a"]),
            ("no last line", "data: a\n\ndata: b", vec!["a", "b"]),
            ("a byte order mark", "\u{FEFF}data: a\n\n", vec!["a"]),
            ("another field that begins so", "database: a\n\n", vec![]),
        ] {
            assert_eq!(read(&[stream.as_bytes()]), want, "{name}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut sse = Sse::default();
        let piece = vec![b'a'; 64 * 1024];
        let taken = (0..100).take_while(|_| sse.push(&piece).is_ok()).count();
        assert_eq!(taken, MOST_LINE / piece.len());
        let mut sse = Sse::default();
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert!((0..100).take_while(|_| sse.push(&line).is_ok()).count() < 10, "lines of one event without end");
    }

    proptest! {
        /// However the network cuts it.
        #[test]
        fn cuts_make_no_difference(texts in prop::collection::vec("[^\r\n]{0,12}", 0..6), crlf: bool, cuts in prop::collection::vec(0usize..200, 0..6)) {
            let end = if crlf { "\r\n" } else { "\n" };
            let stream: String = texts.iter().map(|text| format!("data: {text}{end}{end}")).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), texts);
        }

        #[test]
        fn any_bytes_are_read(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut sse = Sse::default();
            for piece in &pieces {
                prop_assert!(sse.push(piece).is_ok());
            }
            sse.end();
        }
    }
}
