//! What do the fuzz targets call that nobody else may: parsers of the binary that have no public door. No part of the API.

use std::path::Path;

use wxbot_runtime::config::{self, Registry};

use crate::control::Request;
use crate::report::drawn;

/// How many mistakes of one text are drawn.
const DRAWN: usize = 3;

/// One line of the control socket: whether it is understood.
pub fn control_request(line: &[u8]) -> bool {
    // As the socket's side reads it: a line is text.
    std::str::from_utf8(line).is_ok_and(|line| serde_json::from_str::<Request>(line).is_ok())
}

/// What `wxbot check` says of a text as `bot.toml`; `None` when it is good.
pub fn bot_toml(text: &str, registry: &Registry) -> Option<String> {
    let mut mistakes = config::parse(text, Path::new("bot.toml"), registry).err()?;
    // Drawing is most of the work, and one mistake is drawn like another.
    mistakes.list.truncate(DRAWN);
    Some(drawn(&mistakes, "nothing was started", false))
}
