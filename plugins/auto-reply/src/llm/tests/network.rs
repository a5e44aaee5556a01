//! Does it work over sockets, and is whoever answers there looked at?

use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use wxbot_plugin::testing::Kit;

use super::fake::{Fake, say};
use super::talk::{Talk, with};
use crate::llm::endpoint::Endpoint;
use crate::llm::net::{Dial as _, Net, connector};
use crate::llm::trouble::Trouble;
use crate::tests::log::Log;

#[tokio::test]
async fn over_the_loopback() {
    let fake = Fake::new();
    let url = fake.listen().await;
    let mut bot = Kit::<Talk>::start(with(json!({ "endpoint": url }))).await.unwrap();
    fake.will([say(&["你", "好"]), say(&["再见"])]);
    assert_eq!(bot.say("在吗").await.unwrap(), ["你好"]);
    assert_eq!(bot.say("走了").await.unwrap(), ["再见"]);
    let seen = fake.seen();
    assert_eq!(format!("http://{}/v1", seen[0].headers["host"].to_str().unwrap()), url);
}

#[tokio::test]
async fn nobody_listens_there() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let settings = with(json!({ "endpoint": format!("http://127.0.0.1:{port}"), "retries": 0 }));
    let mut bot = Kit::<Talk>::start(settings).await.unwrap();
    let (log, _guard) = Log::collect();
    assert_eq!(bot.say("在吗").await.unwrap(), ["F"]);
    assert!(log.told()[0].contains("cannot be reached"));
}

#[tokio::test]
async fn whoever_speaks_no_http_is_left() {
    for (name, first, then) in [
        ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n", ""),
        ("a head without end", "HTTP/1.1 200 OK\r\n", "x: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
        ("a line without end", "HTTP/1.1 200 ", "OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO"),
        ("chunks that are none", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", ""),
        ("less than it said", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{", ""),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = with(json!({ "endpoint": format!("http://{}", listener.local_addr().unwrap()), "retries": 0 }));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            _ = stream.read(&mut request).await;
            _ = stream.write_all(first.as_bytes()).await;
            while !then.is_empty() && stream.write_all(then.as_bytes()).await.is_ok() {}
        });
        let mut bot = Kit::<Talk>::start(settings).await.unwrap();
        assert_eq!(bot.say("在吗").await.unwrap(), ["F"], "{name}");
    }
}

#[tokio::test]
async fn certificates_are_looked_at() {
    let (certificate, key) = (include_bytes!("localhost.crt"), include_bytes!("localhost.key"));
    let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let server =
        server.with_no_client_auth().with_single_cert(chain.clone(), PrivateKeyDer::from_pem_slice(key).unwrap());
    let acceptor = TlsAcceptor::from(Arc::new(server.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            _ = acceptor.accept(stream).await;
        }
    });
    let trusting = || {
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        Net { tls: OnceLock::from(connector(|builder| Ok(builder.with_root_certificates(roots))).unwrap()) }
    };
    for (name, net, host, good) in [
        ("of an issuer that this system does not know", Net::default(), "localhost", false),
        ("of one that is trusted", trusting(), "localhost", true),
        ("of another host", trusting(), "127.0.0.1", false),
    ] {
        let endpoint = Endpoint::parse(&format!("https://{host}:{port}/v1"), true).unwrap();
        match net.dial(&endpoint).await {
            Ok(_wire) => assert!(good, "{name}"),
            Err(Trouble::Insecure { why }) => assert!(!good && why.contains("certificate"), "{name}: {why}"),
            Err(other) => panic!("{name}: {other}"),
        }
    }
}
