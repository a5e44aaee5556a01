//! Does a configured proxy carry the requests? A real SOCKS5 handshake on loopback.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use wxbot_core::http::HttpTransport;
    use wxbot_core::transport::{HttpRequest, Transport, TransportError};

    fn get(url: &str) -> HttpRequest {
        HttpRequest {
            method: Method::GET,
            url: url.parse().unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(5),
        }
    }

    /// Takes one SOCKS5 connection and answers what is asked through it itself; returns the host that was wanted.
    async fn socks_once(listener: TcpListener) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 2];
        stream.read_exact(&mut hello).await.unwrap();
        let mut methods = vec![0; usize::from(hello[1])];
        stream.read_exact(&mut methods).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!((head[0], head[1], head[3]), (5, 1, 3), "CONNECT to a name: the proxy resolves it");
        let mut rest = vec![0; usize::from(head[4]) + 2];
        stream.read_exact(&mut rest).await.unwrap();
        let host = String::from_utf8(rest[..usize::from(head[4])].to_vec()).unwrap();
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).await.unwrap();
        let mut request = vec![0; 1024];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /through HTTP/1.1"));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        host
    }

    #[tokio::test]
    async fn socks5_carries_requests_and_resolves_names() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(socks_once(listener));
        let carrier = HttpTransport::new(Some(&proxy.parse().unwrap())).unwrap();
        let answer = carrier.send(get("http://wx.example/through")).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"hi"[..]));
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), "wx.example");
    }

    #[tokio::test]
    async fn a_dead_proxy_means_not_sent_and_its_password_stays_secret() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let proxy = format!("socks5://user:CANARY@127.0.0.1:{port}");
        let carrier = HttpTransport::new(Some(&proxy.parse().unwrap())).unwrap();
        let error = carrier.send(get("http://wx.example/?skey=CANARY")).await.unwrap_err();
        assert!(matches!(error, TransportError::NotSent { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let chunk = vec![b'x'; 1 << 20];
            while stream.write_all(&chunk).await.is_ok() {}
        });
        let error = HttpTransport::new(None).unwrap().send(get(&format!("http://{address}/"))).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { .. }), "{error}");
    }
}
