//! Does a body come piece by piece over a real socket? On loopback, with a server that says when it goes on.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::StreamExt;
    use http::{HeaderMap, Method};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;
    use wxbot_core::http::HttpTransport;
    use wxbot_core::transport::{HttpRequest, MAX_BODY, Transport, TransportError};

    async fn listener() -> (TcpListener, HttpRequest) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/film?skey=secret", listener.local_addr().unwrap());
        let timeout = Duration::from_secs(20);
        let (method, headers) = (Method::GET, HeaderMap::new());
        (listener, HttpRequest { method, url: url.parse().unwrap(), headers, body: Bytes::new(), timeout })
    }

    /// One connection, its request read.
    async fn asked(listener: TcpListener) -> TcpStream {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.unwrap());
        }
        socket
    }

    fn carrier() -> HttpTransport {
        HttpTransport::new(None).unwrap()
    }

    #[tokio::test]
    async fn the_first_piece_is_there_before_the_last_is_sent() {
        let (listener, request) = listener().await;
        let (go_on, going_on) = oneshot::channel();
        let serve = async {
            let mut socket = asked(listener).await;
            socket
                .write_all(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nX-A: b\r\n\r\nfirst")
                .await
                .unwrap();
            going_on.await.unwrap();
            socket.write_all(b" last").await.unwrap();
            socket
        };
        let read = async {
            let mut answer = carrier().open(request).await.unwrap();
            assert_eq!((answer.status, answer.headers.get("x-a").unwrap().as_bytes()), (206, &b"b"[..]));
            assert_eq!(answer.body.next().await.unwrap().unwrap(), "first");
            go_on.send(()).unwrap();
            assert_eq!(answer.body.next().await.unwrap().unwrap(), " last");
            assert!(answer.body.next().await.is_none());
        };
        tokio::join!(serve, read);
    }

    #[tokio::test]
    async fn a_body_may_be_longer_than_any_answer_that_is_held() {
        let (listener, request) = listener().await;
        let len = MAX_BODY + 3 * 1024 * 1024;
        let serve = async {
            let mut socket = asked(listener).await;
            socket.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n").as_bytes()).await.unwrap();
            socket.write_all(&vec![7; len]).await.unwrap();
            socket
        };
        let read = async {
            let mut body = carrier().open(request).await.unwrap().body;
            let (mut came, mut longest) = (0, 0);
            while let Some(piece) = body.next().await {
                let piece = piece.unwrap().len();
                (came, longest) = (came + piece, longest.max(piece));
            }
            assert_eq!(came, len);
            assert!(longest < 1024 * 1024, "never held whole: {longest}");
        };
        tokio::join!(serve, read);
    }

    #[tokio::test]
    async fn what_goes_wrong_on_the_way_is_told_apart() {
        let short = Duration::from_millis(300);
        for (name, sends, closes, want) in [
            ("no headers", &b""[..], false, "no answer"),
            ("closed at once", b"", true, "no answer"),
            ("stalls", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst", false, "timeout"),
            ("closes early", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst", true, "broken"),
        ] {
            let (listener, request) = listener().await;
            let serve = async {
                let mut socket = asked(listener).await;
                socket.write_all(sends).await.unwrap();
                (!closes).then_some(socket)
            };
            let read = async {
                let Ok(mut answer) = carrier().open(HttpRequest { timeout: short, ..request }).await else {
                    return "no answer";
                };
                assert_eq!(answer.body.next().await.unwrap().unwrap(), "first", "{name}");
                let error = answer.body.next().await.unwrap().unwrap_err();
                assert!(answer.body.next().await.is_none(), "{name}: an error is the end");
                assert!(!error.to_string().contains("secret"), "{error}");
                if matches!(error, TransportError::Timeout { after, .. } if after == short) {
                    return "timeout";
                }
                if matches!(error, TransportError::Broken { .. }) { "broken" } else { "else" }
            };
            let (_socket, got) = tokio::join!(serve, read);
            assert_eq!(got, want, "{name}");
        }
        let (listener, request) = listener().await;
        drop(listener);
        assert!(matches!(carrier().open(request).await, Err(error) if error.surely_not_sent()));
    }
}
