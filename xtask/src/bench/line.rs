//! How is a push posted on a connection that stays open, and timed? Without a runtime, one thread a connection.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A post that is not answered by then is lost; the server's own limit is 10 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// No answer is longer: a word, or the figures of one account.
const LONGEST: u64 = 1 << 20;

/// One connection to the server that is pushed to.
#[derive(Debug)]
pub(super) struct Line {
    stream: BufReader<TcpStream>,
    authority: String,
}

impl Line {
    /// Connects to `127.0.0.1:PORT`.
    pub(super) fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self { stream: BufReader::new(stream), authority: authority.to_owned() })
    }

    /// Asks, and gives back the body of an answer with 200; any other answer is an error.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<String> {
        // Head and body in one write: two small ones would wait for each other.
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        let mut length = 0;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut answer = String::new();
        self.stream.by_ref().take(u64::min(length, LONGEST)).read_to_string(&mut answer)?;
        if status.split(' ').nth(1) == Some("200") {
            Ok(answer)
        } else {
            Err(io::Error::other(format!("a push was answered with {status}: {}", answer.trim())))
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn several_answers_come_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = BufReader::new(stream.try_clone().unwrap());
            for answer in
                ["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1", "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nfull"]
            {
                let mut line = String::new();
                while seen.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let mut body = [0; 2];
                seen.read_exact(&mut body).unwrap();
                assert_eq!(&body, b"{}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut line = Line::open(&authority).unwrap();
        assert_eq!(line.ask("POST", "/push", "{}").unwrap(), "1");
        let refused = line.ask("POST", "/push", "{}").unwrap_err().to_string();
        assert!(refused.contains("503") && refused.contains("full"), "{refused}");
        server.join().unwrap();
    }
}
