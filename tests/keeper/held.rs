//! Are sockets that somebody else holds taken, with a keeper and without one? As systemd gives them: by port, in the file
//! system, and the address that hooks share besides.

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

/// Starts `wxbot run` with a socket that we hold, as systemd does: descriptor 3, and variables that name it.
fn run_with(scene: &Scene, held: &TcpListener, args: &str) -> Running {
    run_holding(scene, held.try_clone().unwrap().into(), args)
}

fn run_holding(scene: &Scene, held: OwnedFd, args: &str) -> Running {
    let plain = wxbot::command(scene.path(), &[]);
    let mut command = Command::new("sh");
    // The shell's process becomes wxbot, so that LISTEN_PID is right.
    let script = format!(
        "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=wxbot exec {:?} {args}",
        wxbot::binary()
    );
    command.args(["-c", &script]).current_dir(scene.path());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(held);
    Running::spawn(scene.path(), command).unwrap()
}

#[test]
fn with_a_socket_that_systemd_holds_no_connection_is_refused_while_wxbot_is_killed() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = held.local_addr().unwrap();
    let scene = Scene::open(&listen(at));
    let mut running = Some(run_with(&scene, &held, "run"));
    scene.until_up(at);
    let log = scene.post_while(at, 1, 300, || {
        for _ in 0..kills() {
            // What is killed three times in its hand is given up, by design.
            scene.until_handled();
            running.take().unwrap().kill().unwrap();
            // Long enough for posts to wait where nobody is.
            wait::pause(Duration::from_millis(50));
            running = Some(run_with(&scene, &held, "run"));
            scene.until_up(at);
        }
    });
    let unanswered = scene.judge(&log);
    assert!(unanswered <= kills(), "{unanswered} unanswered after {} kills", kills());
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Silence(why) if why.contains("ConnectionRefused"));
    assert!(!log.iter().any(|(_, outcome)| refused(outcome)), "{log:?}");
    // Children of wxbot must not take the socket for theirs.
    let environment = fs::read(format!("/proc/{}/environ", running.as_ref().unwrap().pid())).unwrap();
    assert!(String::from_utf8_lossy(&environment).contains("LISTEN_FDNAMES=wxbot"), "what it was started with");
    let status = running.take().unwrap().stop("TERM", WITHIN).unwrap();
    assert_eq!(status.code(), Some(0), "{}", scene.err());
}

#[test]
fn a_held_socket_must_be_the_one_that_the_file_asks_for() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let scene = Scene::open("listen = \"127.0.0.1:1\"");
    let status = run_with(&scene, &held, "run").ended(WITHIN).unwrap();
    assert_eq!(status.code(), Some(1));
    let told = scene.err();
    assert!(told.contains("ListenStream=") && told.contains("127.0.0.1:1"), "{told}");
}

#[test]
fn a_keeper_takes_a_held_socket_too() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = held.local_addr().unwrap();
    let mut scene = Scene::open(&listen(at));
    scene.running = Some(run_with(&scene, &held, "run --keeper"));
    scene.until_up(at);
    assert_eq!(scene.post(at).1, Outcome::Answered);
    // Not even the keeper's own end refuses anybody.
    scene.running.take().unwrap().kill().unwrap();
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| scene.post(at).1);
        wait::pause(Duration::from_millis(50));
        let _again = run_with(&scene, &held, "run --keeper");
        let outcome = waits.join().unwrap();
        assert_eq!(outcome, Outcome::Answered, "{}", scene.err());
        scene.until_taken(at);
        assert_eq!(scene.handled(), 2);
    });
}

/// The other two ways in: a socket of the file system, and the address that hooks share whose own cannot be set.
#[test]
fn a_keeper_takes_a_unix_socket_and_the_path_without_a_secret() {
    let shared = free_address();
    let mut scene = Scene::open(&format!("{}\ndefault_path_listen = \"{shared}\"", listen(free_address())));
    let file = scene.path().join("bot.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "default_path = true\n").unwrap();
    let socket = scene.path().join("push.sock");
    let held = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    scene.running = Some(run_holding(&scene, held.into(), "run --keeper"));
    let request = |line: &str, body: &str| {
        let len = body.len();
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}")
    };
    let ask = |request: &str| {
        let stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        exchange_over(stream, request)
    };
    let spooled = |number: &str| {
        wait::until("health by the socket", WITHIN, || {
            let (status, text) = ask(&request("GET /healthz", ""))?;
            let good = status == 200 && text.contains(&format!("(spool) {number} waiting"));
            if good { Ok(Some(())) } else { Err(io::Error::other(text)) }
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", scene.err()));
    };
    spooled("0");
    // Nobody is behind them just now, and each is answered all the same.
    signal("KILL", scene.child("core"));
    let (own, common) = (format!("POST /push/shop/{SECRET}"), "POST /api/user/recive_msg");
    assert_eq!(ask(&request(&own, &scene.body(1))).unwrap().0, 200, "{}", scene.err());
    assert_eq!(exchange(shared, &request(common, &scene.body(2))).unwrap().0, 200, "{}", scene.err());
    let elsewhere = exchange(shared, &request(&own, &scene.body(3))).unwrap();
    assert_eq!(elsewhere.0, 404, "there is nothing else at that address");
    spooled("0");
    assert_eq!(scene.handled(), 2, "{}", scene.err());
    assert!(scene.has(1) && scene.has(2));
    scene.stop();
}

/// It has no address that could be told, and needs none.
#[test]
fn a_wxbot_listens_at_a_unix_socket_alone() {
    let scene = Scene::open(&listen(free_address()));
    let socket = scene.path().join("push.sock");
    let held = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let running = run_holding(&scene, held.into(), "run");
    let body = scene.body(1);
    let len = body.len();
    let head = format!("POST /push/shop/{SECRET} HTTP/1.1\r\nHost: localhost\r\nConnection: close");
    wait::until("an answer by the socket", WITHIN, || {
        let stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let (status, text) = exchange_over(stream, &format!("{head}\r\nContent-Length: {len}\r\n\r\n{body}"))?;
        if status == 200 { Ok(Some(())) } else { Err(io::Error::other(text)) }
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", scene.err()));
    assert_eq!(scene.handled(), 1, "{}", scene.err());
    assert_eq!(running.stop("TERM", WITHIN).unwrap().code(), Some(0), "{}", scene.err());
}
