//! A list with a keyword in each line.

use std::ops::ControlFlow;

use super::{Draft, Sink};

pub(super) fn read(text: &str, sink: &mut impl Sink) -> ControlFlow<()> {
    for (line, at) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let keyword = line.strip_prefix('\\').filter(|rest| rest.starts_with('#')).unwrap_or(line);
        sink.entry(Draft { keyword: keyword.to_owned(), line: at, ..Draft::default() })?;
    }
    ControlFlow::Continue(())
}
