//! How much memory does a large file take on its way up, and down again? A test of its own: it looks at the whole process.
//!
//! The service stands in this process too, so that what is measured is both of them.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::StreamExt;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use wxbot_core::http::HttpTransport;
    use wxbot_core::ilink::crypt::{MediaKey, Opener, Sealer, sealed_len};
    use wxbot_core::ilink::{ILink, Settings};
    use wxbot_core::protocol::{Fetch, MediaFile, Outgoing, Progress};
    use wxbot_core::source::Source;
    use wxbot_core::{Protocol, ReplyWindow, SavedSession};
    use wxbot_model::{Action, Media, MediaHandle, MediaKind, MediaShape};

    const MIB: u64 = 1024 * 1024;
    const LEN: u64 = 20 * MIB;
    const MOST: u64 = 8 * MIB;
    const OWNER: &str = "o9cq80Zq1aExampleUser0000001@im.wechat";
    const PIECE: usize = 64 * 1024;

    /// What the file holds at this place: no piece is like the next.
    fn pattern(from: u64, len: usize) -> Vec<u8> {
        (from..).take(len).map(|at| u8::try_from((at / 251 + at) % 251).unwrap()).collect()
    }

    fn memory(field: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The most that `work` took beyond what was there before.
    async fn peak_of<T>(work: impl Future<Output = T>) -> (u64, T) {
        // Begins the peak anew.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = memory("VmRSS");
        let done = work.await;
        (memory("VmHWM").saturating_sub(before), done)
    }

    /// What the service was given to keep.
    #[derive(Default)]
    struct Service {
        announced: Value,
        same: bool,
    }

    impl Service {
        async fn serve(&mut self, listener: &TcpListener) {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = BufReader::with_capacity(PIECE, socket);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let path = head.split([' ', '?']).nth(1).unwrap().to_owned();
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let len: u64 = len.parse().unwrap();
            let name = path.rsplit('/').next().unwrap();
            if name == "upload" {
                self.take(&mut socket, len).await;
                let answer =
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nx-encrypted-param: p\r\nContent-Length: 0\r\n\r\n";
                return socket.get_mut().write_all(answer.as_bytes()).await.unwrap();
            }
            if name == "download" {
                return give(socket.get_mut()).await;
            }
            let mut body = vec![0; usize::try_from(len).unwrap()];
            socket.read_exact(&mut body).await.unwrap();
            let answer = match name {
                "getuploadurl" => {
                    self.announced = serde_json::from_slice(&body).unwrap();
                    json!({"upload_param": "p"})
                }
                "sendmessage" => json!({"message_id": 7}),
                _ => json!({"ret": 0}),
            };
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
            socket.get_mut().write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }

        /// Opens what comes, and compares it.
        async fn take(&mut self, socket: &mut BufReader<TcpStream>, len: u64) {
            assert_eq!(Some(len), self.announced["filesize"].as_u64());
            let mut opener = Opener::new(&MediaKey::of_hex(self.announced["aeskey"].as_str().unwrap()).unwrap());
            let (mut left, mut at, mut piece) = (len, 0, vec![0; PIECE]);
            self.same = true;
            while left > 0 {
                let most = PIECE.min(usize::try_from(left).unwrap());
                let got = socket.read(&mut piece[..most]).await.unwrap();
                assert!(got > 0, "cut");
                left -= u64::try_from(got).unwrap();
                let plain = opener.open(&piece[..got]);
                self.same &= plain == pattern(at, plain.len());
                at += u64::try_from(plain.len()).unwrap();
            }
            let plain = opener.end().unwrap();
            self.same &= plain == pattern(at, plain.len()) && at + u64::try_from(plain.len()).unwrap() == LEN;
        }
    }

    fn key() -> MediaKey {
        MediaKey::new([7; 16])
    }

    async fn give(socket: &mut TcpStream) {
        let len = sealed_len(LEN);
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut sealer = Sealer::new(&key());
        let mut at = 0;
        while at < LEN {
            socket.write_all(&sealer.seal(&pattern(at, PIECE))).await.unwrap();
            at += u64::try_from(PIECE).unwrap();
        }
        socket.write_all(&sealer.end()).await.unwrap();
    }

    #[tokio::test]
    async fn twenty_mib_up_and_down_take_less_than_eight() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let settings = Settings {
            endpoint: Some(endpoint.clone()),
            cdn: None,
            version: "2.4.9".into(),
            agent: "wxbot/0.1.0".into(),
            route_tag: None,
            hold: Duration::from_secs(35),
            window: ReplyWindow { sends: 10, open_for: Duration::from_secs(86_400) },
            text_limit: 2000,
            experimental_voice: false,
        };
        let credentials = json!({
            "version": 1, "protocol": "ilink", "place": endpoint.origin().ascii_serialization(),
            "bot_id": "0a1b2c3d4e5f@im.bot", "user_id": OWNER, "token": "t", "base_url": endpoint,
            "peers": {OWNER: {"context_token": "c", "context_at_ms": 1}},
        });
        let saved = SavedSession { credentials: credentials.to_string().into_bytes().into(), cursor: "".into() };
        let protocol = ILink::new(settings, Arc::new(HttpTransport::new(None).unwrap()), Source::system());
        let mut service = Service::default();
        let (session, ()) = tokio::join!(protocol.resume(&saved), service.serve(&listener));
        let sender = session.unwrap().sender();

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        {
            let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
            for at in (0..LEN).step_by(PIECE) {
                std::io::Write::write_all(&mut file, &pattern(at, PIECE)).unwrap();
            }
        }
        let progress = Progress::default();
        let file = MediaFile { path, len: LEN, name: "film.mp4".into(), progress: progress.clone() };
        let media = Media::Received { media: MediaHandle::new(MediaKind::Video, "1", None), name: String::new() };
        let outgoing = Outgoing {
            action: Action::SendMedia { to: "p1".parse().unwrap(), shape: MediaShape::Video, media },
            to: Some(OWNER.parse().unwrap()),
            others: Vec::new(),
            media: Some(file),
            client_id: protocol.draw_client_msg_id(),
        };
        let (up, (receipt, ())) = peak_of(async {
            tokio::join!(sender.perform(outgoing), async {
                for _ in ["getuploadurl", "upload", "sendmessage"] {
                    service.serve(&listener).await;
                }
            })
        })
        .await;
        assert_eq!(receipt.unwrap().server_id.as_deref(), Some("7"));
        assert!(service.same, "what came is what was sent");
        assert_eq!(progress.get(), LEN);

        let mut media = MediaHandle::new(MediaKind::Video, "1", None);
        media.params.insert("encrypt_query_param".into(), "p".into());
        media.params.insert(MediaHandle::AES_KEY.into(), key().outbound().expose().clone());
        let (down, (came, ())) = peak_of(async {
            let read = async {
                let mut body = sender.fetch(Fetch::Media(media)).await.unwrap().body;
                let mut came = 0;
                while let Some(piece) = body.next().await {
                    let piece = piece.unwrap();
                    assert_eq!(piece, pattern(came, piece.len()));
                    came += u64::try_from(piece.len()).unwrap();
                }
                came
            };
            tokio::join!(read, service.serve(&listener))
        })
        .await;
        assert_eq!(came, LEN);
        assert!(up < MOST && down < MOST, "up {} KiB, down {} KiB", up / 1024, down / 1024);
        println!("20 MiB up: {} KiB more, down: {} KiB more", up / 1024, down / 1024);
    }
}
