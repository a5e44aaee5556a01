//! How is the simulator's control API called without an HTTP library? One connection a request, JSON both ways.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longer than any control order but a load run, which states its own limit.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A client of one server on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// `127.0.0.1:PORT`
    authority: String,
    answer_within: Duration,
}

impl Client {
    /// A client of the server at `base`, `http://127.0.0.1:PORT`.
    pub(crate) fn new(base: &str) -> io::Result<Self> {
        let authority = base.strip_prefix("http://").ok_or_else(|| bad(format!("not an http:// address: {base}")))?;
        Ok(Self { authority: authority.trim_end_matches('/').to_owned(), answer_within: ANSWER_WITHIN })
    }

    /// The same client with another limit for the silence before and within an answer.
    pub(crate) fn answer_within(mut self, limit: Duration) -> Self {
        self.answer_within = limit;
        self
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Value> {
        self.send("GET", path, &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> io::Result<Value> {
        self.send("POST", path, body.to_string().as_bytes())
    }

    fn send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Value> {
        let context = |error: io::Error| io::Error::new(error.kind(), format!("{method} {path}: {error}"));
        let (status, answer) = self.exchange(method, path, body).map_err(context)?;
        let text = String::from_utf8_lossy(&answer);
        if !(200..300).contains(&status) {
            return Err(bad(format!("{method} {path} answered {status}: {}", text.trim())));
        }
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).map_err(|error| bad(format!("{method} {path} answered no JSON: {error}")))
    }

    fn exchange(&self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(self.answer_within))?;
        // Head and body in one write: two small ones would wait for each other (Nagle and delayed ACK, 40 ms).
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.authority,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        (&stream).write_all(&request)?;
        read_answer(&mut BufReader::new(stream))
    }
}

/// Reads status and body; understands `Content-Length`, `chunked` and "until the end".
fn read_answer(from: &mut impl BufRead) -> io::Result<(u16, Vec<u8>)> {
    let status_line = read_line(from)?;
    let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| bad(format!("not an HTTP answer: {status_line:?}")))?;

    let (mut length, mut chunked) = (None, false);
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }

    let mut body = Vec::new();
    if chunked {
        loop {
            let size = read_line(from)?;
            let digits = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_e| bad(format!("not a chunk size: {size:?}")))?;
            if size == 0 {
                break;
            }
            read_exactly(from, size, &mut body)?;
            read_line(from)?;
        }
    } else if let Some(length) = length {
        read_exactly(from, length, &mut body)?;
    } else {
        from.read_to_end(&mut body)?;
    }
    Ok((status, body))
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = u64::try_from(from.take(length).read_to_end(body)?).unwrap_or(u64::MAX);
    if read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
