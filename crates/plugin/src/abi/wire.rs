//! As which bytes do records cross? MessagePack with field names.
//!
//! Positions instead of names would break with the first field that one side adds: both sides skip fields that they do
//! not know and fill those that are missing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::claims;
use super::words::{Fault, LogRecord, Status};

/// How deep a record may nest. Ours nest a dozen times; a value of JSON in one of them may nest as deep as JSON may. Without
/// it, two kilobytes of opening brackets end the process: the reader calls itself for each, and the stack is over.
const MAX_DEPTH: usize = 160;

/// Encodes a value.
///
/// # Errors
/// A fault of the status INTERNAL, when the value cannot be written.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    rmp_serde::to_vec_named(value).map_err(|e| Fault::new(Status::INTERNAL, format!("cannot be encoded: {e}")))
}

/// Decodes a value.
///
/// # Errors
/// A fault of the status DECODE. It names the place, never the bytes: they may be somebody's message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if !claims::are_covered(bytes) {
        let why = format!("{} bytes cannot be decoded: they claim more than is there", bytes.len());
        return Err(Fault::new(Status::DECODE, why));
    }
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(MAX_DEPTH);
    T::deserialize(&mut reader).map_err(|e| {
        // What stands in quotes is a value.
        let e = e.to_string();
        let why = e.split(['"', '`']).next().unwrap_or_default().trim_end();
        Fault::new(Status::DECODE, format!("{} bytes cannot be decoded: {why}", bytes.len()))
    })
}

impl Fault {
    /// The status and the reply to answer with.
    pub fn into_reply(self) -> (Status, Vec<u8>) {
        let reply = encode(&self).unwrap_or_default();
        (self.status, reply)
    }

    /// What was answered: the reply of a good end, or the fault. One that cannot be read says what its status says.
    ///
    /// # Errors
    /// The fault, unless the status is OK.
    pub fn of_reply(status: i32, reply: Vec<u8>) -> Result<Vec<u8>, Self> {
        let status = Status(status).known();
        if status == Status::OK {
            return Ok(reply);
        }
        let read: Option<Self> = if reply.is_empty() { None } else { decode(&reply).ok() };
        Err(read
            .filter(|fault| !fault.message.is_empty())
            .map_or_else(|| Self::of(status), |fault| Self { status, ..fault }))
    }
}

impl LogRecord {
    /// The bytes of the record; none when it cannot be written.
    pub fn encode(&self) -> Vec<u8> {
        encode(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_cross_and_come_back() {
        let sent = Fault { code: "no_such_room".into(), retryable: true, ..Fault::new(Status::DENIED, "no") };
        let (status, reply) = sent.clone().into_reply();
        assert_eq!(Fault::of_reply(status.0, reply), Err(sent));
        for (name, status, reply, want) in [
            ("well", 0, b"x".to_vec(), Ok(b"x".to_vec())),
            ("nothing said", 2, vec![], Err(Fault::of(Status::PANIC))),
            ("garbage", 9, vec![0xc1, 0xff], Err(Fault::of(Status::TIMEOUT))),
            ("a status from the future", 99, vec![], Err(Fault::of(Status::ERROR))),
        ] {
            assert_eq!(Fault::of_reply(status, reply), want, "{name}");
        }
    }

    /// What was sent may be somebody's message, and faults get into logs.
    #[test]
    fn a_fault_names_no_value() {
        let sent = encode(&serde_json::json!({ "message": "hi", "fields": "meet me at eight" })).unwrap();
        let fault = decode::<LogRecord>(&sent).map(|record| record.message).unwrap_err();
        assert!(fault.message.contains("cannot be decoded") && !fault.message.contains("eight"), "{fault:?}");
    }

    /// A library may write anything. Found by the fuzz target `plugin-abi`.
    #[test]
    fn sec_r10_a_record_that_nests_without_end_is_refused() {
        let deep = |times: usize| [vec![0x91; times], vec![0xc0]].concat();
        for times in [MAX_DEPTH + 1, 2_000, 1_000_000] {
            let fault = decode::<serde_json::Value>(&deep(times)).unwrap_err();
            assert_eq!(fault.status, Status::DECODE, "{times}");
        }
        let whole = decode::<serde_json::Value>(&deep(128)).unwrap();
        assert_eq!(encode(&whole).unwrap(), deep(128), "as deep as JSON may be");
    }

    /// Old and new sides: fields that one of them does not know are skipped, those it misses are filled.
    #[test]
    fn records_of_other_versions_are_read() {
        #[derive(Serialize)]
        struct Younger {
            message: &'static str,
            thread: u32,
        }
        let bytes = encode(&Younger { message: "hi", thread: 7 }).unwrap();
        let record: LogRecord = decode(&bytes).unwrap();
        assert_eq!(record, LogRecord { message: "hi".into(), ..LogRecord::default() });
    }
}
