//! Does the real carrier use connections again, and say the truth when one breaks? Real sockets on loopback.

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::StreamExt;
    use http::{HeaderMap, Method};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use wxbot_core::http::HttpTransport;
    use wxbot_core::transport::{HttpRequest, Transport, TransportError};

    /// What a server does with one request.
    #[derive(Clone, Copy)]
    enum Deed {
        /// Answers, and keeps the connection.
        Answer(&'static str),
        /// Answers, and closes the connection without having said so.
        AnswerAndClose,
        /// Says more than it sends, and closes the connection.
        AnswerShort,
        /// Closes it without an answer.
        Close,
        /// Sends this and then nothing any more.
        Stall(&'static str),
    }

    struct Server {
        base: String,
        connections: Arc<AtomicUsize>,
        closed: mpsc::Receiver<()>,
        _tasks: JoinSet<()>,
    }

    impl Server {
        /// Does the deeds in order, one a request, over whatever connections come.
        async fn start(deeds: &'static [Deed]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let connections = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&connections);
            let (tell, closed) = mpsc::channel(8);
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                let next = AtomicUsize::new(0);
                while let Ok((mut stream, _)) = listener.accept().await {
                    count.fetch_add(1, Ordering::SeqCst);
                    while let Some(()) = request(&mut stream).await {
                        match deeds[next.fetch_add(1, Ordering::SeqCst)] {
                            Deed::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                            Deed::AnswerAndClose => {
                                stream.write_all(OK.as_bytes()).await.unwrap();
                                break;
                            }
                            Deed::AnswerShort => {
                                let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi";
                                stream.write_all(short.as_bytes()).await.unwrap();
                                break;
                            }
                            Deed::Close => break,
                            Deed::Stall(text) => {
                                stream.write_all(text.as_bytes()).await.unwrap();
                                std::future::pending::<()>().await;
                            }
                        }
                    }
                    drop(stream);
                    tell.send(()).await.ok();
                }
            });
            Self { base, connections, closed, _tasks: tasks }
        }

        fn connections(&self) -> usize {
            self.connections.load(Ordering::SeqCst)
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";
    const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";

    /// Reads one request without a body; `None` when the client went away.
    async fn request(stream: &mut TcpStream) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        assert!(head.starts_with(b"GET /path?q=%2F HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&head));
        assert!(String::from_utf8_lossy(&head).to_lowercase().contains("host: 127.0.0.1:"));
        Some(())
    }

    fn get(base: &str) -> HttpRequest {
        HttpRequest {
            method: Method::GET,
            url: format!("{base}/path?q=%2F#part").parse().unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(5),
        }
    }

    fn body(answer: Result<wxbot_core::transport::HttpResponse, TransportError>) -> String {
        String::from_utf8(answer.unwrap().body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn one_connection_carries_one_request_after_the_other() {
        let server = Server::start(&[
            Deed::Answer(OK),
            Deed::Answer(CHUNKED),
            Deed::Answer(EMPTY),
            Deed::Answer(LAST),
            Deed::Answer(OK),
        ])
        .await;
        let carrier = HttpTransport::new(None).unwrap();
        for want in ["hi", "abcdefg", "", "hi"] {
            assert_eq!(body(carrier.send(get(&server.base)).await), want);
        }
        assert_eq!(server.connections(), 1);
        assert_eq!(body(carrier.send(get(&server.base)).await), "hi");
        assert_eq!(server.connections(), 2, "the server had said that it closes");
    }

    #[tokio::test]
    async fn a_connection_closed_at_rest_costs_nothing() {
        let mut server = Server::start(&[Deed::AnswerAndClose, Deed::Answer(OK)]).await;
        let carrier = HttpTransport::new(None).unwrap();
        assert_eq!(body(carrier.send(get(&server.base)).await), "hi");
        server.closed.recv().await.unwrap();
        assert_eq!(body(carrier.send(get(&server.base)).await), "hi");
        assert_eq!(server.connections(), 2);
    }

    #[tokio::test]
    async fn a_request_that_was_read_and_not_answered_may_have_been_done() {
        let server = Server::start(&[Deed::Answer(OK), Deed::Close]).await;
        let carrier = HttpTransport::new(None).unwrap();
        assert_eq!(body(carrier.send(get(&server.base)).await), "hi");
        let error = carrier.send(get(&server.base)).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    }

    #[tokio::test]
    async fn nobody_there_means_not_sent() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let carrier = HttpTransport::new(None).unwrap();
        for base in [format!("http://127.0.0.1:{port}"), "ftp://127.0.0.1".to_owned()] {
            let error = carrier.send(get(&base)).await.unwrap_err();
            assert!(error.surely_not_sent(), "{base}: {error}");
        }
    }

    #[tokio::test]
    async fn a_stall_ends_with_the_timeout() {
        for deeds in [&[Deed::Stall("")], &[Deed::Stall(CUT)]] {
            let server = Server::start(deeds).await;
            let request = HttpRequest { timeout: Duration::from_millis(200), ..get(&server.base) };
            let error = HttpTransport::new(None).unwrap().send(request).await.unwrap_err();
            assert!(matches!(error, TransportError::Timeout { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn a_stream_gives_what_came_before_the_stall() {
        let server = Server::start(&[Deed::Stall(CUT)]).await;
        let request = HttpRequest { timeout: Duration::from_millis(200), ..get(&server.base) };
        let mut answer = HttpTransport::new(None).unwrap().open(request).await.unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "abc");
        let error = answer.body.next().await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Timeout { .. }), "{error}");
    }

    const CUT: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";

    #[tokio::test]
    async fn a_streamed_answer_gives_its_connection_back() {
        let server = Server::start(&[Deed::Answer(CHUNKED), Deed::Answer(OK)]).await;
        let carrier = HttpTransport::new(None).unwrap();
        let answer = carrier.open(get(&server.base)).await.unwrap();
        let pieces: Vec<_> = answer.body.map(|piece| piece.unwrap()).collect().await;
        assert_eq!(pieces.concat(), b"abcdefg");
        assert_eq!(body(carrier.send(get(&server.base)).await), "hi");
        assert_eq!(server.connections(), 1);
    }

    #[tokio::test]
    async fn a_body_shorter_than_stated_is_broken() {
        let server = Server::start(&[Deed::AnswerShort]).await;
        let error = HttpTransport::new(None).unwrap().send(get(&server.base)).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    }
}
