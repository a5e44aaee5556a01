//! Is a push that was answered ever lost while one process after another is killed? `wxbot run --keeper`, and sockets that
//! systemd would hold.
//!
//! A PC hook's posts come at some hundred a second, one connection each, while children are ended with SIGKILL. Each is
//! then answered, refused, or neither; and wxbot says what it has. `WXBOT_KEEPER_KILLS` sets the kills of a scene (10).
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests fail like tests")]
#![expect(clippy::print_stdout, reason = "figures of a run")]
#![expect(clippy::disallowed_types, reason = "no runtime here: real processes, real time")]

#[path = "keeper/held.rs"]
mod held;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::wxbot::{self, Running};
use support::{skip, wait};
use wxbot_sim::{AccountSpec, HookSetup, HookSim, World};

const WITHIN: Duration = Duration::from_secs(30);
/// A post that is not answered by then never will be.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Conversations: what is killed three times in the middle of one message gives that message up, so there are several.
const FRIENDS: [&str; 6] = ["小红", "小明", "小刚", "小丽", "小芳", "小强"];
/// One in so many posts is answered in the chat: enough to see a double, and no pace to wait for.
const ECHOED: usize = 13;

fn kills() -> usize {
    std::env::var("WXBOT_KEEPER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// A hook that takes orders, a wxbot, and its folder.
struct Scene {
    folder: tempfile::TempDir,
    _tokio: tokio::runtime::Runtime,
    hook: wxbot_sim::Running<HookSim>,
    /// Their ids.
    friends: Vec<String>,
    running: Option<Running>,
    posted: AtomicUsize,
}

/// What became of one post.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Answered,
    Refused(String),
    /// The connection ended, or nothing came.
    Silence(String),
}

/// Posts and their outcomes, by number.
type Log = Vec<(usize, Outcome)>;

impl Scene {
    fn open(server: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("wxbot-keeper-").tempdir().unwrap();
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let account = FRIENDS.iter().fold(AccountSpec::new("shop"), |account, friend| account.friend(*friend));
        let world = World { accounts: vec![account], ..World::default() };
        let hook = tokio.block_on(HookSim::start(&world, HookSetup::new(folder.path().join("windows")))).unwrap();
        let friends = FRIENDS.iter().map(|friend| hook.id_of("shop", friend).unwrap()).collect();
        let scene = Self { folder, _tokio: tokio, hook, friends, running: None, posted: AtomicUsize::new(0) };
        fs::write(scene.path().join("secret"), SECRET).unwrap();
        scene.configure(server);
        scene
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `server` stands in `[server]`.
    fn configure(&self, server: &str) {
        let (port, wxid) = (self.hook.port("shop").unwrap(), self.hook.wxid("shop").unwrap());
        let config = format!(
            "middleware = []\n\n[server]\n{server}\n\n[pacing]\nper_account = \"1000000/s\"\nburst = 10000\nper_chat = \"1000000/s\"\n\n\
             [[plugins.auto-reply.rules]]\nregex = '^q(?P<n>\\d+)$'\nreply = \"a{{{{ named.n }}}}\"\n\n\
             [[accounts]]\nname = \"shop\"\nprotocol = \"pc-hook\"\nprofile = \"v3\"\n\
             endpoint = \"http://127.0.0.1:{port}\"\nserver_port = {port}\nself_wxid = \"{wxid}\"\ncallback = \"by-hand\"\n\
             push_secret = {{ file = \"secret\" }}\n"
        );
        fs::write(self.path().join("bot.toml"), config).unwrap();
    }

    fn keep(&mut self) {
        self.running = Some(Running::start(self.path(), &["run", "--keeper"]).unwrap());
    }

    /// The same by a shell that has done this before.
    fn keep_after(&mut self, before: &str) {
        let mut command = Command::new("sh");
        let script = format!("{before}; exec {:?} run --keeper", wxbot::binary());
        command.args(["-c", &script]).current_dir(self.path()).stdin(Stdio::null());
        self.running = Some(Running::spawn(self.path(), command).unwrap());
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Lines of the log, as JSON.
    fn logged(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join("run.err")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The last process that was started as this child.
    fn child(&self, name: &str) -> u32 {
        wait::until(&format!("the {name} to be started"), WITHIN, || {
            let started = |line: &Value| line["message"] == "Started." && line["child"] == name;
            let last = self.logged().into_iter().rfind(started);
            Ok(last.and_then(|line| u32::try_from(line["pid"].as_u64()?).ok()))
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.err()))
    }

    fn err(&self) -> String {
        fs::read_to_string(self.path().join("run.err")).unwrap_or_default()
    }

    fn body(&self, number: usize) -> String {
        let id = 7_000_000_000_000_000_000_u64 + number as u64;
        let msg = if number.is_multiple_of(ECHOED) { format!("q{number}") } else { format!("第 {number} 句") };
        let wxid = self.hook.wxid("shop").unwrap();
        json!({
            "ServerPort": self.hook.port("shop").unwrap().to_string(), "selfwxid": wxid, "sendorrecv": "2", "msgnumber": "1",
            "msglist": [{
                "index": "1", "time": "2023-03-05 13:07:54", "msgtype": "1", "msgsvrid": id.to_string(), "msg": msg,
                "fromtype": "1", "fromwxid": self.friends[number % FRIENDS.len()], "toid": wxid,
            }],
        })
        .to_string()
    }

    /// Posts the next message on a connection of its own.
    fn post(&self, to: SocketAddr) -> (usize, Outcome) {
        let number = self.posted.fetch_add(1, Ordering::Relaxed) + 1;
        (number, post(to, &self.body(number)))
    }

    /// Waits until pushes are taken and kept.
    fn until_up(&self, to: SocketAddr) {
        wait::until("health", WITHIN, || {
            let (status, text) = get(to, "/healthz")?;
            if status == 200 { Ok(Some(())) } else { Err(io::Error::other(text)) }
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.err()));
    }

    /// Posts at about this pace, from so many senders, until `work` is done.
    fn post_while(&self, to: SocketAddr, senders: usize, per_second: u64, work: impl FnOnce()) -> Log {
        let enough = AtomicBool::new(false);
        let pause = Duration::from_micros(1_000_000 * senders as u64 / per_second);
        std::thread::scope(|threads| {
            let send = || {
                let mut log = Log::new();
                while !enough.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    log.push(self.post(to));
                    wait::pause(pause.saturating_sub(began.elapsed()));
                }
                log
            };
            let senders: Vec<_> = (0..senders).map(|_| threads.spawn(send)).collect();
            let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            enough.store(true, Ordering::Relaxed);
            let log = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
            if let Err(panic) = worked {
                std::panic::resume_unwind(panic);
            }
            log
        })
    }

    /// Kills a child again and again, each time when the one before it is back.
    fn kill_often(&self, name: &str, to: SocketAddr) {
        for round in 1..=kills() {
            // What is killed three times in its hand is given up, by design: a life ends when it has done what it found.
            self.until_up(to);
            self.until_handled();
            wait::pause(Duration::from_millis(50 + 70 * round as u64 % 200));
            let pid = self.child(name);
            signal("KILL", pid);
            wait::until("another one", WITHIN, || Ok((self.child(name) != pid).then_some(()))).unwrap();
        }
        self.until_up(to);
    }

    /// Waits until all is handled that is there now.
    fn until_handled(&self) {
        let mut wanted = None;
        wait::until("what was there to be handled", WITHIN, || {
            let inbox = wxbot::account(self.path(), "shop")?["inbox"].clone();
            let of = |word: &str| inbox[word].as_u64().unwrap_or(0);
            let wanted = *wanted.get_or_insert(of("done") + of("waiting"));
            if of("done") >= wanted { Ok(Some(())) } else { Err(io::Error::other(format!("{wanted}: {inbox}"))) }
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.err()));
    }

    /// Rows of the inbox, when all of them are handled.
    fn handled(&self) -> u64 {
        let look = || {
            let inbox = wxbot::account(self.path(), "shop")?["inbox"].clone();
            let of = |word: &str| inbox[word].as_u64().unwrap_or(0);
            assert_eq!(of("dead"), 0, "{inbox}");
            if of("waiting") > 0 {
                return Err(io::Error::other(inbox.to_string()));
            }
            Ok(Some(of("done") + of("stopped") + of("late")))
        };
        wait::until("everything to be handled", WITHIN, look).unwrap_or_else(|error| panic!("{error}\n{}", self.err()))
    }

    /// Whether the message of a post is there, in whatever state.
    fn has(&self, number: usize) -> bool {
        let id = format!("{}:msg", 7_000_000_000_000_000_000_u64 + number as u64);
        wxbot::call(self.path(), &["explain", &id, "--account", "shop"]).unwrap().code == Some(0)
    }

    /// Waits until nothing is spooled.
    fn until_taken(&self, to: SocketAddr) {
        wait::until("an empty spool", WITHIN, || Ok((waiting(to)? == 0).then_some(())))
            .unwrap_or_else(|error| panic!("{error}\n{}", self.err()));
    }

    /// Compares what was answered with what wxbot has: how many posts got no answer.
    fn judge(&self, log: &Log) -> usize {
        let answered = log.iter().filter(|(_, outcome)| *outcome == Outcome::Answered).count();
        let others: Vec<_> = log.iter().filter(|(_, outcome)| *outcome != Outcome::Answered).collect();
        let refused: Vec<_> = others.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Refused(_))).collect();
        assert!(refused.is_empty(), "while there is room nothing is refused: {refused:?}\n{}", self.err());
        let kept_all_the_same = others.iter().filter(|(number, _)| self.has(*number)).count();
        let rows = self.handled();
        println!(
            "{} posts, {answered} answered, {} not, of which {kept_all_the_same} are there",
            log.len(),
            others.len()
        );
        assert!(answered > 0);
        assert_eq!(rows, (answered + kept_all_the_same) as u64, "each answered post is there once\n{}", self.err());
        // What is handled twice answers twice.
        let account = wxbot::account(self.path(), "shop").unwrap();
        let uncertain = account["outbox"]["uncertain"].as_u64().unwrap();
        let journal = self.hook.journal();
        let texts: Vec<&str> = FRIENDS.iter().flat_map(|friend| journal.texts_to(friend)).collect();
        let different: BTreeSet<&str> = texts.iter().copied().collect();
        assert_eq!(different.len(), texts.len(), "no reply twice: {texts:?}");
        let asked =
            |(number, outcome): &&(usize, Outcome)| *outcome == Outcome::Answered && number.is_multiple_of(ECHOED);
        let missing: Vec<_> =
            log.iter().filter(asked).filter(|(n, _)| !different.contains(&*format!("a{n}"))).collect();
        assert!(missing.len() as u64 <= uncertain, "{uncertain} uncertain, but no reply to {missing:?}");
        others.len()
    }

    /// Ends the keeper as a service manager does.
    fn stop(&mut self) {
        let running = self.running.take().unwrap();
        let children = [self.child("core"), self.child("ingress")];
        let status = running.stop("TERM", WITHIN).unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.err());
        assert!(!children.iter().any(|pid| is_alive(*pid)), "children end first\n{}", self.err());
    }
}

/// An address that nobody has.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn listen(at: SocketAddr) -> String {
    format!("listen = \"{at}\"")
}

fn signal(name: &str, pid: u32) {
    Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status().unwrap();
}

fn is_alive(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that ended and was not waited for is dead.
    !state.is_empty() && !state.contains(") Z ")
}

fn exchange(to: SocketAddr, request: &str) -> io::Result<(u16, String)> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    exchange_over(stream, request)
}

fn exchange_over(mut stream: impl io::Read + io::Write, request: &str) -> io::Result<(u16, String)> {
    stream.write_all(request.as_bytes())?;
    let mut lines = BufReader::new(stream);
    let mut text = String::new();
    while lines.read_line(&mut text)? > 0 {}
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))?;
    Ok((status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}

fn get(to: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    exchange(to, &format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"))
}

fn post(to: SocketAddr, body: &str) -> Outcome {
    let request = format!(
        "POST /push/shop/{SECRET} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    match exchange(to, &request) {
        Ok((200, _)) => Outcome::Answered,
        Ok((status, body)) => Outcome::Refused(format!("{status} {body}")),
        Err(error) => Outcome::Silence(format!("{:?} {error}", error.kind())),
    }
}

/// Bodies in the spool, as the ingress says it.
fn waiting(to: SocketAddr) -> io::Result<u64> {
    let (_, health) = get(to, "/healthz")?;
    let line = health.lines().find_map(|line| line.strip_prefix("(spool) ")?.strip_suffix(" waiting"));
    line.and_then(|number| number.parse().ok()).ok_or_else(|| io::Error::other(health))
}

#[test]
fn a_core_that_is_killed_costs_no_push_its_answer() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    scene.keep();
    scene.until_up(at);
    let log = scene.post_while(at, 4, 300, || scene.kill_often("core", at));
    scene.until_taken(at);
    let unanswered = scene.judge(&log);
    assert_eq!(unanswered, 0, "{log:?}");
    let told = scene.logged().into_iter().any(|line| line["child"] == "core" && line["level"] == "ERROR");
    assert!(told, "whoever ended is named\n{}", scene.err());
    scene.stop();
}

#[test]
fn an_ingress_that_is_killed_costs_at_most_the_push_in_its_hand() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    scene.keep();
    scene.until_up(at);
    // One sender, as a hook is one.
    let log = scene.post_while(at, 1, 400, || scene.kill_often("ingress", at));
    scene.until_taken(at);
    let unanswered = scene.judge(&log);
    assert!(unanswered <= kills(), "{unanswered} unanswered after {} kills", kills());
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Silence(why) if why.contains("ConnectionRefused"));
    assert!(!log.iter().any(|(_, outcome)| refused(outcome)), "{log:?}");
    scene.stop();
}

#[test]
fn pushes_wait_on_disk_while_the_core_is_down_and_are_refused_when_there_is_no_room() {
    let at = free_address();
    let server = format!("{}\nspool_max = \"1MiB\"", listen(at));
    let mut scene = Scene::open(&server);
    scene.keep();
    scene.until_up(at);
    // A core that cannot start: its configuration is broken, where the ingress does not look.
    let good = fs::read_to_string(scene.path().join("bot.toml")).unwrap();
    fs::write(scene.path().join("bot.toml"), good.replace("regex = '", "regex = '(")).unwrap();
    signal("KILL", scene.child("core"));
    let down = wait::until("the ingress to notice", WITHIN, || {
        let (status, text) = get(at, "/healthz")?;
        Ok((status == 503 && text.contains("(core) down")).then_some(text))
    });
    let down = down.unwrap_or_else(|error| panic!("{error}\n{}", scene.err()));
    assert!(down.contains("shop core_down"), "{down}");
    let log: Log = (0..40).map(|_| scene.post(at)).collect();
    assert!(log.iter().all(|(_, outcome)| *outcome == Outcome::Answered), "{log:?}");
    assert_eq!(waiting(at).unwrap(), 40);
    let (_, figures) = get(at, "/metrics").unwrap();
    for line in ["wxbot_spool_bodies{account=\"shop\"} 40", "wxbot_core_up{} 0"] {
        assert!(figures.contains(line), "{line} in\n{figures}");
    }
    // Large ones until there is no more room; then the service is told, and nothing that was answered goes.
    let large = "x".repeat(300_000);
    let mut kept = 0;
    let full = wait::until("no room", WITHIN, || match post(at, &large) {
        Outcome::Answered => {
            kept += 1;
            Ok(None)
        }
        other @ (Outcome::Refused(_) | Outcome::Silence(_)) => Ok(Some(other)),
    });
    assert!(matches!(full, Ok(Outcome::Refused(ref why)) if why.starts_with("503")), "{full:?}");
    assert!((3..20).contains(&kept), "{kept}");
    let (status, text) = get(at, "/healthz").unwrap();
    assert!(status == 503 && text.contains("spool_max"), "{text}");
    // The file is good again, and so is everything else.
    fs::write(scene.path().join("bot.toml"), good).unwrap();
    scene.until_up(at);
    scene.until_taken(at);
    // Each that cannot be read is an event too; the same twice is one.
    assert_eq!(scene.handled(), 41, "{}", scene.err());
    let again = wait::until("room", WITHIN, || Ok(Some(scene.post(at).1).filter(|it| *it == Outcome::Answered)));
    again.unwrap();
    scene.stop();
}

#[test]
fn children_end_by_themselves_when_their_keeper_is_killed() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    scene.keep();
    scene.until_up(at);
    let children = [scene.child("core"), scene.child("ingress")];
    scene.running.take().unwrap().kill().unwrap();
    wait::until("the end of the children", WITHIN, || Ok((!children.iter().any(|pid| is_alive(*pid))).then_some(())))
        .unwrap_or_else(|error| panic!("{error}\n{}", scene.err()));
    // Their place is free for the next one.
    scene.keep();
    scene.until_up(at);
    assert_eq!(scene.post(at).1, Outcome::Answered);
    scene.until_taken(at);
    assert_eq!(scene.handled(), 1);
    scene.stop();
}

#[test]
fn a_keeper_that_is_told_to_stop_lets_the_core_end_first() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    scene.keep();
    scene.until_up(at);
    let log = scene.post_while(at, 2, 200, || {
        // A child that is told to end is not started again.
        let running = scene.running();
        signal("TERM", running.pid());
        wait::until("the end of the keeper", WITHIN, || Ok((!is_alive(running.pid())).then_some(()))).unwrap();
    });
    let status = scene.running.take().unwrap().ended(WITHIN).unwrap();
    assert_eq!(status.code(), Some(0), "{}", scene.err());
    let ended = |line: &Value| line["message"] == "Ended, as it was told.";
    let ends: Vec<_> = scene.logged().into_iter().filter(ended).map(|line| line["child"].clone()).collect();
    assert_eq!(ends, ["core", "ingress"], "{}", scene.err());
    // What was answered is there, in the inbox or in the spool, and the next life handles it.
    let answered = log.iter().filter(|(_, outcome)| *outcome == Outcome::Answered).count();
    assert!(answered > 0);
    scene.keep();
    scene.until_up(at);
    scene.until_taken(at);
    let others = log.iter().filter(|(_, outcome)| *outcome != Outcome::Answered);
    let there = others.filter(|(number, _)| scene.has(*number)).count();
    assert_eq!(scene.handled(), (answered + there) as u64, "{}", scene.err());
    scene.stop();
}

#[test]
fn sec_r19_nobody_may_read_the_memory_of_any_process_of_a_keeper() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    let mut command = wxbot::command(scene.path(), &["run", "--keeper"]);
    // Root's own processes look the same either way.
    wxbot::without_rights(&mut command, scene.path()).unwrap();
    command.stdin(Stdio::null());
    let Ok(running) = Running::spawn(scene.path(), command) else {
        skip::note("keeper: sec_r19 memory", "`nobody` may not start the binary").unwrap();
        return;
    };
    scene.running = Some(running);
    scene.until_up(at);
    for (name, pid) in
        [("keeper", scene.running().pid()), ("core", scene.child("core")), ("ingress", scene.child("ingress"))]
    {
        // The kernel gives the files of a process that is not dumpable to root.
        let owner = fs::metadata(format!("/proc/{pid}/status")).unwrap().uid();
        assert_eq!(owner, 0, "the {name} is dumpable");
    }
    scene.stop();
}

/// Every process of a keeper is as protected as `wxbot run` alone.
#[test]
fn sec_r19_no_process_of_a_keeper_leaves_a_core_dump() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    // Where dumps are off already, nothing is proved.
    let raised = Command::new("sh").args(["-c", "ulimit -c unlimited"]).stderr(Stdio::null()).status().unwrap();
    if !raised.success() {
        skip::note("sec_r19 of a keeper", "core dumps are off here for everybody").unwrap();
        return;
    }
    scene.keep_after("ulimit -c unlimited");
    scene.until_up(at);
    for pid in [scene.running().pid(), scene.child("core"), scene.child("ingress")] {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let words: Vec<_> = core.split_whitespace().skip(4).collect();
        assert_eq!(words, ["0", "0", "bytes"], "{core}");
    }
    scene.stop();
}

/// Files that three processes made are their user's alone.
#[test]
fn sec_r17_nothing_that_a_keeper_makes_is_for_others() {
    let at = free_address();
    let mut scene = Scene::open(&listen(at));
    let data = scene.path().join("data");
    // Whatever the mask of whoever starts it.
    scene.keep_after("umask 000");
    scene.until_up(at);
    assert_eq!(scene.post(at).1, Outcome::Answered);
    // The ingress answers before the core is there.
    wait::until("the core's own socket", WITHIN, || Ok(data.join("wxbot.sock").exists().then_some(()))).unwrap();
    let mut seen = BTreeSet::new();
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", folder.display());
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            seen.insert(entry.file_name().into_string().unwrap());
            let Ok(meta) = entry.metadata() else { continue };
            assert_eq!(
                meta.permissions().mode() & 0o077,
                0,
                "{} {:o}",
                entry.path().display(),
                meta.permissions().mode()
            );
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    for name in ["spool.db", "ingress.sock", "spool.lock", "queue.db", "wxbot.sock"] {
        assert!(seen.contains(name), "{name} of {seen:?}");
    }
    scene.stop();
}
