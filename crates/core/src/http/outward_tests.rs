//! Does the client for addresses out of messages stay outside, and within its limits? Real sockets on loopback that play
//! hosts of the internet: the test says which name is which address, and which socket stands behind it.
#![expect(clippy::disallowed_methods, reason = "what a test spawns ends with its runtime")]

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Names, and what stands behind addresses.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    /// The answers to each look-up of a name, the last one again and again.
    names: HashMap<String, VecDeque<Vec<SocketAddr>>>,
    sockets: HashMap<SocketAddr, SocketAddr>,
    looked_up: Vec<String>,
    dialled: Vec<SocketAddr>,
}

impl World {
    fn name(self, name: &str, answers: &[&[&str]]) -> Self {
        let answer = |ips: &&[&str]| ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 80)).collect();
        self.0.lock().unwrap().names.insert(name.into(), answers.iter().map(answer).collect());
        self
    }

    fn socket(self, address: &str, socket: SocketAddr) -> Self {
        self.0.lock().unwrap().sockets.insert(address.parse().unwrap(), socket);
        self
    }

    fn client(&self, owners: &[&str], limits: Limits) -> Outward {
        let owners = owners.iter().map(|url| url.parse().unwrap()).collect();
        Outward::over(Box::new(self.clone()), owners, limits)
    }

    fn looked_up(&self) -> Vec<String> {
        self.0.lock().unwrap().looked_up.clone()
    }

    fn dialled(&self) -> Vec<String> {
        self.0.lock().unwrap().dialled.iter().map(ToString::to_string).collect()
    }
}

impl Net for World {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let mut inside = self.0.lock().unwrap();
            inside.looked_up.push(host.to_owned());
            let answers = inside.names.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
            let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            Ok(answer.unwrap_or_default().into_iter().map(|at| SocketAddr::new(at.ip(), port)).collect())
        })
    }

    fn dial(&self, at: SocketAddr) -> BoxFuture<'_, Result<Wire, String>> {
        Box::pin(async move {
            let socket = {
                let mut inside = self.0.lock().unwrap();
                inside.dialled.push(at);
                inside.sockets.get(&at).copied()
            };
            let socket = socket.ok_or("nothing stands there")?;
            Ok(Wire::Plain(TcpStream::connect(socket).await.map_err(|error| error.to_string())?))
        })
    }

    fn secure<'a>(&'a self, _host: &'a str, _wire: Wire) -> BoxFuture<'a, Result<Wire, String>> {
        Box::pin(async { Err("the certificate is not this host's".to_owned()) })
    }
}

/// A host that gives each connection the next of these answers, and the heads that it got.
async fn host(answers: Vec<String>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, heads) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let got = Arc::clone(&heads);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = head_of(&mut stream).await;
            got.lock().unwrap().push(head);
            // Whoever refuses what is coming closes.
            _ = stream.write_all(answer.as_bytes()).await;
        }
        // Whoever comes too often is not left waiting, and is counted.
        while let Ok((stream, _)) = listener.accept().await {
            got.lock().unwrap().push("one too many".into());
            drop(stream);
        }
    });
    (at, heads)
}

async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn gives(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn sends_to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nSet-Cookie: canary=1\r\nContent-Length: 0\r\n\r\n")
}

async fn all(fetched: Fetched) -> Result<Vec<u8>, FetchError> {
    let mut whole = Vec::new();
    let mut body = fetched.body;
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

async fn whole(client: &Outward, address: &str) -> Result<String, FetchError> {
    Ok(String::from_utf8(all(client.fetch(address).await?).await?).unwrap())
}

#[tokio::test]
async fn sec_r14_a_host_is_looked_up_once_and_the_address_that_was_judged_is_asked() {
    let (at, heads) = host(vec![gives("GIF")]).await;
    // A name that says something else a moment later, which is how one gets in.
    let world = World::default()
        .name("pictures.example", &[&["127.0.0.1", "8.8.8.8", "::1"], &["127.0.0.1"]])
        .socket("8.8.8.8:80", at);
    let client = world.client(&[], Limits::default());
    let fetched = client.fetch("http://pictures.example/a.gif?key=1").await.unwrap();
    assert_eq!((fetched.stated_len, fetched.content_type.as_deref()), (Some(3), Some("image/gif")));
    assert_eq!(all(fetched).await.unwrap(), b"GIF");
    assert_eq!((world.looked_up(), world.dialled()), (vec!["pictures.example".into()], vec!["8.8.8.8:80".into()]));
    let error = whole(&client, "http://pictures.example/a.gif").await.unwrap_err();
    assert!(matches!(&error, FetchError::Refused { why } if why.contains("leads to no public address")), "{error}");
    assert_eq!(world.dialled().len(), 1, "what leads inside is not connected to");
    assert!(heads.lock().unwrap()[0].starts_with("GET /a.gif?key=1 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn sec_r14_nothing_of_ours_goes_along_and_no_cookie_comes_back() {
    let (first, heads) = host(vec![sends_to("http://second.example/b.gif"), sends_to("c.gif"), gives("GIF")]).await;
    let world = World::default()
        .name("first.example", &[&["8.8.8.8"]])
        .name("second.example", &[&["9.9.9.9"]])
        .socket("8.8.8.8:80", first)
        .socket("9.9.9.9:80", first);
    let client = world.client(&[], Limits::default());
    assert_eq!(whole(&client, "http://first.example/a.gif#CANARY").await.unwrap(), "GIF");
    let heads = heads.lock().unwrap().clone();
    let lines: Vec<&str> = heads.iter().filter_map(|head| head.lines().next()).collect();
    assert_eq!(lines, ["GET /a.gif HTTP/1.1", "GET /b.gif HTTP/1.1", "GET /c.gif HTTP/1.1"]);
    for head in heads {
        let mut names: Vec<String> =
            head.lines().skip(1).filter_map(|l| Some(l.split_once(':')?.0.to_lowercase())).collect();
        names.sort();
        assert_eq!(names, ["accept", "host", "user-agent"], "{head}");
    }
}

#[tokio::test]
async fn sec_r14_a_redirect_is_judged_like_the_first_address() {
    let (inside, asked) = host(vec![gives("the owner's own")]).await;
    let port = inside.port();
    for (name, location) in [
        ("loopback", "http://127.0.0.1/".to_owned()),
        ("its port too", format!("http://127.0.0.1:{port}/")),
        ("a name that leads there", "http://inside.example/".to_owned()),
        ("that name and port", format!("http://inside.example:{port}/")),
        ("without a scheme", "//127.0.0.1/".to_owned()),
        ("mapped", "http://[::ffff:127.0.0.1]/".to_owned()),
        ("another form", "http://2130706433/".to_owned()),
        ("another scheme", "file:///etc/passwd".to_owned()),
        ("with a password", "http://a:b@pictures.example/".to_owned()),
        ("nowhere", String::new()),
    ] {
        let answer = if location.is_empty() { "HTTP/1.1 302 Found\r\n\r\n".to_owned() } else { sends_to(&location) };
        let (outside, _) = host(vec![answer]).await;
        let world = World::default()
            .name("pictures.example", &[&["8.8.8.8"]])
            .name("inside.example", &[&["127.0.0.1"]])
            .socket("8.8.8.8:80", outside)
            // They can be reached, if somebody tries.
            .socket("127.0.0.1:80", inside)
            .socket("[::ffff:127.0.0.1]:80", inside)
            .socket(&format!("127.0.0.1:{port}"), inside);
        let client = world.client(&[], Limits::default());
        let error = whole(&client, "http://pictures.example/a.gif").await.unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{name}: {error}");
        assert_eq!(world.dialled(), ["8.8.8.8:80"], "{name}");
    }
    assert!(asked.lock().unwrap().is_empty(), "nobody came in");
}

#[tokio::test]
async fn sec_r14_three_redirects_are_followed_and_a_fourth_is_not() {
    for (hops, good) in [(3, true), (4, false)] {
        let mut answers: Vec<String> = (0..hops).map(|hop| sends_to(&format!("/{hop}"))).collect();
        answers.push(gives("GIF"));
        let (at, heads) = host(answers).await;
        let world = World::default().name("pictures.example", &[&["8.8.8.8"]]).socket("8.8.8.8:80", at);
        let got = whole(&world.client(&[], Limits::default()), "http://pictures.example/a.gif").await;
        assert_eq!(got.is_ok(), good, "{hops}: {got:?}");
        assert_eq!(heads.lock().unwrap().len(), 4, "{hops}");
        assert_eq!(world.looked_up().len(), 4, "each is looked up and judged by itself");
    }
}

#[tokio::test]
async fn sec_r14_what_the_owner_wrote_may_be_inside_and_what_it_sends_to_may_not() {
    let (inside, _) = host(vec![gives("GIF"), sends_to("http://127.0.0.1/x"), sends_to("/c.gif"), gives("c")]).await;
    let own = format!("http://127.0.0.1:{}", inside.port());
    // Real look-ups and connections.
    let client = Outward::new(None, vec![own.parse().unwrap()]).unwrap();
    assert_eq!(whole(&client, &format!("{own}/a.gif")).await.unwrap(), "GIF");
    let error = whole(&client, &format!("{own}/b.gif")).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1 is no public address"), "{error}");
    assert_eq!(whole(&client, &format!("{own}/c.gif")).await.unwrap(), "c");
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    for address in
        [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/"), "http://localhost/".into()]
    {
        let error = whole(&client, &address).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{address}: {error}");
    }
}

#[tokio::test]
async fn sec_r14_no_more_bytes_than_the_limit() {
    let limits = Limits { bytes: 10, ..Limits::default() };
    let chunked = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    let unstated = |body: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
    let lies = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nshort".to_owned();
    for (name, answer, good) in [
        ("as long as it may be", gives("0123456789"), true),
        ("one more, stated", gives("0123456789x"), false),
        ("in chunks", chunked("0123456789"), true),
        ("one more in chunks", chunked("0123456789x"), false),
        ("until the end", unstated("0123456789"), true),
        ("one more until the end", unstated("0123456789x"), false),
        ("stated as far longer than it is", lies, false),
    ] {
        let (at, _) = host(vec![answer]).await;
        let world = World::default().name("pictures.example", &[&["8.8.8.8"]]).socket("8.8.8.8:80", at);
        let got = whole(&world.client(&[], limits), "http://pictures.example/").await;
        match got {
            Ok(body) => assert!(good && body == "0123456789", "{name}: {body}"),
            Err(error) => {
                let too_long = matches!(&error, FetchError::Refused { why } if why.contains("longer than 10 bytes"));
                assert!(!good && too_long, "{name}: {error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sec_r14_no_longer_than_its_time_whoever_dawdles() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let world = World::default().name("pictures.example", &[&["8.8.8.8"]]).socket("8.8.8.8:80", at);
    let client = world.client(&[], Limits::default());
    let begun = Instant::now();
    // Nobody accepts, nobody answers.
    let error = whole(&client, "http://pictures.example/").await.unwrap_err();
    assert!(matches!(&error, FetchError::NotNow { why } if why.contains("within 10s")), "{error}");
    assert_eq!(begun.elapsed().as_secs(), 10);

    // One byte now and then, each soon enough.
    let dripping = tokio::spawn(async move {
        drop(listener.accept().await);
        let (mut stream, _) = listener.accept().await.unwrap();
        head_of(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        for _ in 0..1_000 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            if stream.write_all(b"x").await.is_err() {
                break;
            }
        }
    });
    let begun = Instant::now();
    let error = whole(&client, "http://pictures.example/").await.unwrap_err();
    assert!(matches!(error, FetchError::NotNow { .. }), "{error}");
    assert_eq!(begun.elapsed().as_secs(), 10, "the whole of it, and not each piece");
    dripping.await.unwrap();
}

#[tokio::test]
async fn sec_r14_a_proxy_is_not_gone_around_and_gets_the_address_that_was_judged() {
    let (proxy, heads) = host(vec!["HTTP/1.1 200 OK\r\n\r\n".into()]).await;
    let proxy = format!("http://127.0.0.1:{}", proxy.port()).parse().unwrap();
    let client = Outward::new(Some(&proxy), Vec::new()).unwrap();
    // What it plays ends there.
    assert!(whole(&client, "http://8.8.8.8/a.gif").await.is_err());
    assert!(heads.lock().unwrap()[0].starts_with("CONNECT 8.8.8.8:80 HTTP/1.1\r\n"), "{heads:?}");
    assert!(whole(&client, "http://127.0.0.1/").await.unwrap_err().to_string().contains("no public address"));
    assert_eq!(heads.lock().unwrap().len(), 1, "what may not be asked is not asked for");
}

#[tokio::test]
async fn what_a_host_answers_is_told_by_whether_asking_again_helps() {
    for (status, want) in [(404, "gone"), (410, "gone"), (403, "never"), (204, "never"), (503, "later"), (429, "later")]
    {
        let (at, _) = host(vec![format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")]).await;
        let world = World::default().name("pictures.example", &[&["8.8.8.8"]]).socket("8.8.8.8:80", at);
        let client = world.client(&[], Limits::default());
        let error = whole(&client, "http://pictures.example/?key=CANARY").await.unwrap_err();
        let got = match &error {
            FetchError::Gone { .. } => "gone",
            FetchError::NotNow { .. } => "later",
            FetchError::Refused { .. } => "never",
            FetchError::Ended(_) => "ended",
        };
        assert_eq!(got, want, "{status}");
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }
    let world = World::default().name("pictures.example", &[&["8.8.8.8"]]);
    let client = world.client(&[], Limits::default());
    for address in ["http://pictures.example/", "http://nobody.example/"] {
        let error = whole(&client, address).await.unwrap_err();
        assert!(matches!(error, FetchError::NotNow { .. }), "{error}");
    }
}

#[tokio::test]
async fn sec_r15_a_certificate_is_looked_at_outward_too() {
    let (at, heads) = host(vec![gives("GIF")]).await;
    let world = World::default().name("pictures.example", &[&["8.8.8.8"]]).socket("8.8.8.8:443", at);
    let error = whole(&world.client(&[], Limits::default()), "https://pictures.example/").await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(heads.lock().unwrap().iter().all(|head| !head.starts_with("GET")), "{heads:?}");
    // The real one against a host that speaks no TLS: nothing is asked in the clear.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("https://{}/", listener.local_addr().unwrap());
    let client = Outward::new(None, vec![own.parse().unwrap()]).unwrap();
    let hello = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 3];
        stream.read_exact(&mut first).await.unwrap();
        _ = stream.write_all(gives("GIF").as_bytes()).await;
        first
    };
    let (got, first) = tokio::join!(whole(&client, &own), hello);
    assert!(got.is_err(), "{got:?}");
    assert_eq!(first[0], 22, "a handshake, and not a request");
}
