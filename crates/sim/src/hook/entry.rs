//! What does a push of the hook look like, key by key and in the order of the samples?

use serde::{Deserialize, Serialize};

use crate::service::proto::Proto;

/// One entry of `msglist`, or the keys of a flattened push. Every value is a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry(Vec<(&'static str, String)>);

/// Where the vendor's JSON is not what the standard says, or not what its own document says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sloppy {
    /// A comma behind the last key of an object and the last entry of a list, in pushes and answers.
    pub commas: bool,
    /// Numbers are numbers, where all samples but one have texts.
    pub numbers: bool,
    /// `msgnumber` is `"0"`.
    pub msgnumber: bool,
    /// Control characters and the backslashes of paths stand in strings as they are.
    pub raw: bool,
}

/// Who pushes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) port: u16,
    pub(crate) me: &'a str,
    /// `sendorrecv`: 1 the local client, 2 the server.
    pub(crate) local: bool,
}

/// Keys whose values are numbers when the service writes numbers.
const NUMBERS: [&str; 6] = ["ServerPort", "sendorrecv", "msgnumber", "index", "msgtype", "fromtype"];

impl Entry {
    /// An entry with `msgsvrid`, which is empty for what the local client makes.
    pub(crate) fn new(time: &str, msg_type: u32, msgsvrid: &str, msg: &str) -> Self {
        Self(vec![
            ("time", time.to_owned()),
            ("msgtype", msg_type.to_string()),
            ("msgsvrid", msgsvrid.to_owned()),
            ("msg", msg.to_owned()),
        ])
    }

    /// An entry without `msgsvrid`.
    pub(crate) fn nameless(time: &str, msg_type: u32, msg: &str) -> Self {
        let mut entry = Self::new(time, msg_type, "", msg);
        entry.0.retain(|(key, _)| *key != "msgsvrid");
        entry
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value)
    }

    /// The flattened form of the same message: no type, no peers, an id of its own.
    pub(crate) fn flat(&self, key: &'static str, msgsvrid: &str) -> Self {
        let of = |key: &str| self.get(key).to_owned();
        Self(vec![("msgsvrid", msgsvrid.to_owned()), (key, of(key)), ("time", of("time")), ("msg", of("msg"))])
    }
}

/// Mode 1: a `msglist`. `count` is told instead of the true number.
pub(crate) fn list(origin: Origin<'_>, count: Option<usize>, entries: &[Entry], sloppy: Sloppy) -> String {
    let number = if sloppy.msgnumber { 0 } else { count.unwrap_or(entries.len()) };
    let mut out = Writer::begin(origin, sloppy);
    out.pair("msgnumber", &number.to_string());
    out.raw("\"msglist\":[");
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            out.raw(",");
        }
        out.raw("{");
        out.pair("index", &(at + 1).to_string());
        out.pairs(entry);
        out.end("}");
    }
    if sloppy.commas {
        out.raw(",");
    }
    out.raw("],");
    out.end("}");
    out.text
}

/// The second push of a media message.
pub(crate) fn flat(origin: Origin<'_>, entry: &Entry, sloppy: Sloppy) -> String {
    let mut out = Writer::begin(origin, sloppy);
    out.pairs(entry);
    out.end("}");
    out.text
}

/// Mode 2: protobuf as hex. The only form whose sample has a comma too much, always.
pub(crate) fn raw(origin: Origin<'_>, pb_data: &str, sloppy: Sloppy) -> String {
    let mut out = Writer::begin(origin, sloppy);
    out.pair("pb_data", pb_data);
    out.end("}");
    out.text
}

/// What mode 2 carries for a message: the layout of the note's hint, which nobody vouches for.
pub(crate) struct RawMessage<'a> {
    pub(crate) msg_id: u64,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) msg_type: u64,
    pub(crate) content: &'a str,
    pub(crate) create_time_s: u64,
    pub(crate) new_msg_id: u64,
}

impl RawMessage<'_> {
    /// Upper-case hex.
    pub(crate) fn hex(&self) -> String {
        let text = |text: &str| Proto::new().bytes(1, text.as_bytes());
        Proto::new()
            .number(1, self.msg_id)
            .message(2, &text(self.from))
            .message(3, &text(self.to))
            .number(4, self.msg_type)
            .message(5, &text(self.content))
            .number(9, self.create_time_s)
            .number(12, self.new_msg_id)
            .hex()
            .to_uppercase()
    }
}

/// JSON in the order it is told, with the faults it is told.
struct Writer {
    text: String,
    sloppy: Sloppy,
}

impl Writer {
    fn begin(origin: Origin<'_>, sloppy: Sloppy) -> Self {
        let mut out = Self { text: "{".to_owned(), sloppy };
        out.pair("ServerPort", &origin.port.to_string());
        out.pair("selfwxid", origin.me);
        out.pair("sendorrecv", if origin.local { "1" } else { "2" });
        out
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn pairs(&mut self, entry: &Entry) {
        for (key, value) in &entry.0 {
            self.pair(key, value);
        }
    }

    fn pair(&mut self, key: &str, value: &str) {
        let number = self.sloppy.numbers && NUMBERS.contains(&key);
        let value = if number { value.to_owned() } else { self.quoted(key, value) };
        self.text.push_str(&format!("\"{key}\":{value},"));
    }

    fn quoted(&self, key: &str, value: &str) -> String {
        let strict = serde_json::to_string(value).unwrap_or_default();
        if !self.sloppy.raw {
            return strict;
        }
        if key.ends_with("_path") {
            return format!("\"{}\"", value.replace('"', "\\\""));
        }
        strict.replace("\\n", "\n").replace("\\t", "\t")
    }

    /// Closes an object; the comma behind its last key goes, unless it stays.
    fn end(&mut self, bracket: &str) {
        if !self.sloppy.commas && self.text.ends_with(',') {
            self.text.pop();
        }
        self.raw(bracket);
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
