//! Does the body of a request go out piece by piece over a real socket? On loopback, with a server that says when it goes on.

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::stream::{self, StreamExt};
    use http::{HeaderMap, Method};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;
    use wxbot_core::http::HttpTransport;
    use wxbot_core::transport::{HttpRequest, HttpResponse, Pieces, Transport, TransportError};

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";

    async fn listener() -> (TcpListener, HttpRequest) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/upload?param=secret", listener.local_addr().unwrap()).parse().unwrap();
        let (headers, body, timeout) = (HeaderMap::new(), Bytes::new(), Duration::from_secs(20));
        (listener, HttpRequest { method: Method::POST, url, headers, body, timeout })
    }

    /// The head of the next request, as far as it comes.
    async fn head(socket: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = socket.read_u8().await else { break };
            head.push(byte);
        }
        String::from_utf8(head).unwrap()
    }

    fn pieces(len: u64, pieces: Vec<io::Result<Bytes>>) -> Pieces {
        Pieces { len, stream: stream::iter(pieces).boxed() }
    }

    fn carrier() -> HttpTransport {
        HttpTransport::new(None).unwrap()
    }

    fn is_ok(answer: &HttpResponse) -> bool {
        (answer.status, answer.header("x-a"), &answer.body[..]) == (200, Some("b"), b"ok")
    }

    #[tokio::test]
    async fn the_first_piece_is_out_before_the_last_is_made() {
        let (listener, request) = listener().await;
        let (go_on, going_on) = oneshot::channel::<()>();
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let head = head(&mut socket).await.to_lowercase();
            assert!(head.starts_with("post /upload?param=secret http/1.1") && head.contains("content-length: 10\r\n"));
            assert!(!head.contains("transfer-encoding"), "{head}");
            let mut first = [0; 5];
            socket.read_exact(&mut first).await.unwrap();
            go_on.send(()).unwrap();
            let mut last = [0; 5];
            socket.read_exact(&mut last).await.unwrap();
            assert_eq!((&first, &last), (b"first", b" last"));
            socket.write_all(OK).await.unwrap();
            socket
        };
        let later = stream::once(async {
            going_on.await.unwrap();
            Ok(Bytes::from_static(b" last"))
        });
        let stream = stream::iter([Ok(Bytes::from_static(b"first"))]).chain(later).boxed();
        let carrier = carrier();
        let (_socket, answer) = tokio::join!(serve, carrier.put(request, Pieces { len: 10, stream }));
        assert!(is_ok(&answer.unwrap()));
    }

    #[tokio::test]
    async fn a_kept_connection_carries_the_next_one() {
        let (listener, request) = listener().await;
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                head(&mut socket).await;
                let mut body = [0; 3];
                socket.read_exact(&mut body).await.unwrap();
                assert_eq!(&body, b"abc");
                socket.write_all(OK).await.unwrap();
            }
            socket
        };
        let ask = async {
            let carrier = carrier();
            for _ in 0..2 {
                let body = pieces(3, vec![Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"c"))]);
                assert!(is_ok(&carrier.put(request.clone(), body).await.unwrap()));
            }
        };
        tokio::join!(serve, ask);
    }

    #[tokio::test]
    async fn a_slow_way_is_no_dead_one() {
        let (listener, request) = listener().await;
        let step = Duration::from_millis(150);
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            head(&mut socket).await;
            let mut body = [0; 4];
            socket.read_exact(&mut body).await.unwrap();
            socket.write_all(OK).await.unwrap();
            socket
        };
        let slow = stream::iter(0..4).then(move |_| async move {
            tokio::time::sleep(step).await;
            Ok(Bytes::from_static(b"x"))
        });
        let carrier = carrier();
        let request = HttpRequest { timeout: step * 2, ..request };
        let (_socket, answer) = tokio::join!(serve, carrier.put(request, Pieces { len: 4, stream: slow.boxed() }));
        assert!(is_ok(&answer.unwrap()));
    }

    #[tokio::test]
    async fn what_goes_wrong_on_the_way_is_told_apart() {
        let whole = || vec![Ok(Bytes::from_static(b"whole"))];
        let stalls = || stream::iter([Ok(Bytes::from_static(b"fir"))]).chain(stream::pending()).boxed();
        let fails = vec![Ok(Bytes::from_static(b"fir")), Err(io::Error::other("the disk is gone"))];
        let rejected: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nX-Error-Message: no\r\n\r\n";
        for (name, body, answers, want) in [
            ("no answer", pieces(5, whole()), &b""[..], "timeout"),
            ("no more pieces", Pieces { len: 5, stream: stalls() }, b"", "timeout"),
            ("a piece fails", pieces(5, fails), b"", "broken"),
            ("too few", pieces(6, whole()), b"", "broken"),
            ("too many", pieces(4, whole()), b"", "broken"),
            ("refused before the end", Pieces { len: 5, stream: stalls() }, rejected, "400"),
        ] {
            let (listener, request) = listener().await;
            let serve = async {
                let (mut socket, _) = listener.accept().await.unwrap();
                head(&mut socket).await;
                socket.write_all(answers).await.unwrap();
                socket
            };
            let carrier = carrier();
            let request = HttpRequest { timeout: Duration::from_millis(300), ..request };
            let (_socket, answer) = tokio::join!(serve, carrier.put(request, body));
            let got = match answer {
                Ok(answer) => answer.status.to_string(),
                Err(error) => {
                    assert!(!error.to_string().contains("secret"), "{error}");
                    if matches!(error, TransportError::Timeout { .. }) { "timeout".into() } else { "broken".into() }
                }
            };
            assert_eq!(got, want, "{name}");
        }
        let (listener, request) = listener().await;
        drop(listener);
        assert!(matches!(carrier().put(request, pieces(5, whole())).await, Err(error) if error.surely_not_sent()));
    }

    /// Has whole answers only, as simulators in memory do.
    #[derive(Debug)]
    struct Whole;

    impl Transport for Whole {
        fn send(
            &self,
            request: HttpRequest,
        ) -> futures_util::future::BoxFuture<'_, Result<HttpResponse, TransportError>> {
            Box::pin(async move { Ok(HttpResponse { status: 200, headers: request.headers, body: request.body }) })
        }
    }

    #[tokio::test]
    async fn a_carrier_of_whole_requests_gets_a_whole_one() {
        let (_listener, request) = listener().await;
        let both = vec![Ok(Bytes::from_static(b"a")), Ok(Bytes::from_static(b"b"))];
        assert_eq!(Whole.put(request.clone(), pieces(2, both)).await.unwrap().body, "ab");
        let error = Whole.put(request, pieces(2, vec![Err(io::Error::other("gone"))])).await.unwrap_err();
        assert!(error.surely_not_sent());
    }
}
