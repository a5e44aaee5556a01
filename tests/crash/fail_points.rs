//! Does a wxbot that ends at any named point lose something, or say it twice? Each point of `failpoint.rs` once.
//!
//! One world after the other point by point: a life armed with the point, what leads there, its end by SIGKILL with the
//! point as its last word, and the next life on the same files. What an event has crashed twice is handled to its end
//! in a life that is not armed, since the third crash would make it a dead letter, as it should.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wxbot_runtime::failpoint::{self, Edge};

use crate::ledger::{Ledger, SendState};
use crate::support::rig::{Bot, Sim};
use crate::support::{skip, wait};
use crate::told::{Told, tail};

/// Two worlds side by side: starts and logins wait more than they compute.
const WORLDS: usize = 2;
/// Reaching a point takes a start and a message.
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// Points that may fail before a world is given up: each failure waits.
const MOST_PROBLEMS: usize = 5;
const ONLINE_WITHIN: Duration = Duration::from_secs(30);
/// The account whose uncertain sends are dropped at the next start.
const DROPS: &str = "a2";

/// What leads to a point.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The start alone.
    Start,
    /// The first start in an empty folder.
    FirstStart,
    /// The first login.
    FirstLogin,
    /// A session that the service ends.
    Refusal,
    /// A friend says these one after the other.
    Say(&'static [&'static str]),
    /// A friend sends a picture, which goes back.
    Picture,
    /// An end at this point with these words, and then a start.
    After(&'static str, &'static str, &'static [&'static str]),
    /// A send to somebody whom nobody knows.
    Stranger,
    /// The same, and then the stranger becomes a friend.
    StrangerMet,
    /// SIGTERM, while these are being handled.
    Stop(&'static [&'static str]),
}

fn way_to(point: &str) -> Way {
    let step = point.split_once(": ").map_or(point, |(step, _)| step);
    match (step, point) {
        (_, "open: directory locked") => Way::Start,
        ("open", _) => Way::FirstStart,
        ("login" | "save a session" | "bind contacts", _) => Way::FirstLogin,
        ("set a session aside", _) => Way::Refusal,
        (
            "recover"
            | "take due events"
            | "note schedules"
            | "sweep old rows"
            | "strike media files off"
            | "see whom sends wait for",
            _,
        ) => Way::Start,
        ("start" | "session", _) => Way::Start,
        ("take a batch" | "finish an event" | "settle a send" | "poll" | "accept" | "send", _) => Way::Say(&["echo"]),
        (_, "event: failure noted") | ("note a failed try", _) => Way::Say(&["fail"]),
        ("event", _) => Way::Say(&["keep"]),
        ("claim an event" | "fire what is due" | "clock", _) => Way::Say(&["later"]),
        ("store a send", _) => Way::Say(&["now"]),
        ("withdraw a send", _) => Way::Say(&["nobody"]),
        ("claim sends", _) => Way::After("a1", "finish an event: after commit", &["two"]),
        ("decide uncertain sends", _) => Way::After(DROPS, "send: answered", &["echo"]),
        ("note a media file" | "note that a media file is used" | "media", _) => Way::Say(&["file"]),
        ("hold a media file", _) => Way::Picture,
        ("hold sends", _) => Way::Stranger,
        ("let held sends go", _) => Way::StrangerMet,
        ("give events back", _) | (_, "stop: handlers ended") => Way::Stop(&["slow", "echo", "echo"]),
        ("stop" | "close", _) => Way::Stop(&[]),
        _ => panic!("no way is known to the fail point `{point}`: add one to way_to()"),
    }
}

#[test]
fn wxbot_ends_at_each_point_and_nothing_is_lost_or_repeated() {
    if !cfg!(debug_assertions) {
        skip::note("fail points", "release builds have none").unwrap();
        return;
    }
    let wanted = std::env::var("WXBOT_POINT").ok();
    let mut all: Vec<String> = failpoint::all();
    all.retain(|point| wanted.as_ref().is_none_or(|wanted| point.contains(wanted)));
    // What needs a new folder or a login is for the first world, in the order of a life; the rest is dealt out.
    let is_first = |point: &String| matches!(way_to(point), Way::FirstStart | Way::FirstLogin | Way::Refusal);
    let (mut first, rest): (Vec<String>, Vec<String>) = all.into_iter().partition(is_first);
    first.sort_by_key(|point| match way_to(point) {
        Way::FirstStart => 0,
        Way::FirstLogin => 1,
        _ => 2,
    });
    let shares: Vec<Vec<String>> = (0..WORLDS)
        .map(|world| {
            // The first world has its own points before: it gets fewer of the others.
            let own = rest.iter().enumerate().filter(|(n, _)| if n % 3 == 0 { world == 0 } else { world == 1 });
            let own = own.map(|(_, point)| point.clone());
            if world == 0 { first.iter().cloned().chain(own).collect() } else { own.collect() }
        })
        .collect();
    let problems: Vec<String> = std::thread::scope(|threads| {
        let worlds: Vec<_> = shares.iter().map(|points| threads.spawn(move || play(points))).collect();
        worlds.into_iter().flat_map(|world| world.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Plays a list of points in a world of its own; what went wrong.
fn play(points: &[String]) -> Vec<String> {
    let folder = tempfile::Builder::new().prefix("wxbot-points-").tempdir().unwrap();
    let problems = match World::open(folder.path()).and_then(|world| world.play(points)) {
        Ok(problems) => problems,
        Err(error) => vec![error.to_string()],
    };
    if !problems.is_empty() {
        println!("all files are kept in {}", folder.keep().display());
    }
    problems
}

struct World {
    sim: Sim,
    bot: Bot,
    told: Told,
    logged_in: bool,
    strangers: usize,
    reached: Vec<String>,
}

impl World {
    fn open(folder: &Path) -> io::Result<Self> {
        let world = folder.join("world.toml");
        let friends = "friends = [{ nick = \"f1\" }, { nick = \"f2\" }]";
        let account = |name: &str| format!("[[accounts]]\nname = \"{name}\"\nnick = \"Nick of {name}\"\n{friends}\n");
        std::fs::write(&world, format!("seed = 1\n\n{}{}", account("a1"), account(DROPS)))?;
        let sim = Sim::start(Path::new(env!("CARGO_BIN_EXE_wxbot")), &world, folder)?;
        let account = |name: &str, policy: &str| {
            format!(
                "\n[[accounts]]\nname = \"{name}\"\nprotocol = \"web\"\nendpoint = \"{}\"\nuse = [\"drill\"]\n\
                 on_uncertain = \"{policy}\"\n",
                sim.base()
            )
        };
        let config = format!(
            "data_dir = \"data\"\nmiddleware = []\n\n[pacing]\nper_account = \"1000000/s\"\nper_chat = \"1000000/s\"\n\
             burst = 10000\n{}{}",
            account("a1", "hold"),
            account(DROPS, "drop")
        );
        let bot = Bot::new(&example("drill"), folder, &config)?;
        Ok(Self { sim, bot, told: Told::default(), logged_in: false, strangers: 0, reached: Vec::new() })
    }

    fn play(mut self, points: &[String]) -> io::Result<Vec<String>> {
        let mut problems = Vec::new();
        for point in points {
            match self.end_at(point) {
                Ok(()) => self.reached.push(point.clone()),
                Err(error) => {
                    problems.push(format!("fail point `{point}`: {error}\n{}", tail(&self.bot.log())));
                    self.bot.kill().ok();
                    if problems.len() >= MOST_PROBLEMS {
                        return Ok(problems);
                    }
                }
            }
        }
        self.live_and_rest()?;
        self.bot.stop()?;
        let sums = self.told.sums(&self.sim, &self.bot, DROPS)?;
        println!(
            "{} points: {} said, {} answered, {} uncertain, {} of them not sent",
            self.reached.len(),
            sums.said,
            sums.answered,
            sums.uncertain,
            sums.held_back
        );
        problems.extend(sums.problems);
        // At each end at most what is under way is uncertain: one send a conversation, and these are said in one.
        if sums.uncertain > 2 * self.reached.len() {
            problems.push(format!("{} uncertain after {} ends", sums.uncertain, self.reached.len()));
        }
        Ok(problems)
    }

    fn end_at(&mut self, point: &str) -> io::Result<()> {
        let way = way_to(point);
        if !self.logged_in && !matches!(way, Way::FirstStart | Way::FirstLogin) {
            self.start()?;
            self.bot.log_in_all(&self.sim, ONLINE_WITHIN)?;
            self.logged_in = true;
            self.bot.kill()?;
        }
        match way {
            Way::Start | Way::FirstStart => {
                self.start_until(point)?;
            }
            Way::FirstLogin => {
                self.start_until(point)?;
                return self.log_in_to(point);
            }
            Way::Refusal => {
                self.start_until(point)?;
                // It ends by the refusal of whatever it asks next, or of its resumption.
                self.sim.api().post("/__sim/expire", &json!({ "account": "a1", "ret": 1102 }))?;
                self.until_there(point)?;
                self.start()?;
                if point.ends_with(Edge::After.words()) {
                    // Set aside is set aside: somebody has to scan.
                    self.bot.log_in_all(&self.sim, ONLINE_WITHIN)?;
                    return self.bot.kill();
                }
                // The phone is asked once more, and says yes.
                wait::until("a1 to be confirmed on its phone", ONLINE_WITHIN, || {
                    let pending = self.sim.api().get("/__sim/pending")?;
                    for prompt in pending.get("prompts").and_then(Value::as_array).into_iter().flatten() {
                        self.sim.api().post("/__sim/confirm", &json!({ "uuid": prompt.get("uuid") }))?;
                    }
                    let accounts = self.bot.accounts()?;
                    let online = |one: &Value| one.get("state").and_then(Value::as_str) == Some("online");
                    Ok(accounts.iter().all(online).then_some(()))
                })?;
                return self.bot.kill();
            }
            Way::Say(words) => {
                self.start_until(point)?;
                self.say("a1", "f1", words)?;
            }
            Way::Picture => {
                self.start_until(point)?;
                let picture = json!({ "account": "a1", "from": "f2", "said": { "image": {} } });
                self.sim.api().post("/__sim/messages", &picture)?;
            }
            Way::After(account, before, words) => {
                // Or it would end at what is left of others.
                self.live_and_rest()?;
                self.start_until(before)?;
                self.say(account, "f1", words)?;
                self.until_there(before)?;
                let left = self.ledger()?.sends(0).map_err(io::Error::other)?;
                if !left
                    .iter()
                    .any(|s| s.account == account && matches!(s.state, SendState::Queued | SendState::Sending))
                {
                    return Err(io::Error::other(format!("the end at `{before}` left nothing to go on with")));
                }
                self.start_until(point)?;
            }
            Way::Stranger | Way::StrangerMet => {
                self.start_until(point)?;
                let next = self.ledger()?.last_contact("a1").map_err(io::Error::other)? + 1;
                // The same one until it is met: the next contact gets this id.
                let (id, nick) = (format!("p{next}"), format!("stranger{}", self.strangers));
                self.told.say_to(&self.sim, "a1", "f2", (&id, &nick))?;
                let mark = self.told.last_mark();
                wait::until("the send to nobody to be held", REACHED_WITHIN, || {
                    let sends = self.ledger()?.sends(0).map_err(io::Error::other)?;
                    let held = sends.iter().any(|send| send.text == mark && send.state == SendState::Uncertain);
                    Ok((held || self.bot.has_ended()?.is_some()).then_some(()))
                })?;
                if matches!(way, Way::StrangerMet) {
                    let order = json!({ "account": "a1", "set": { "nick": nick } });
                    self.sim.api().post("/__sim/friend", &order)?;
                    self.strangers += 1;
                } else {
                    // What is held is looked at again with the next batch.
                    self.say("a1", "f2", &["echo"])?;
                }
            }
            Way::Stop(words) => {
                self.start_until(point)?;
                self.bot.until_online(ONLINE_WITHIN)?;
                let before = self.ledger()?.events().map_err(io::Error::other)?;
                self.say("a1", "f1", words)?;
                wait::until("the words to come in", REACHED_WITHIN, || {
                    let events = self.ledger()?.events().map_err(io::Error::other)?;
                    let came = events.open() + events.done - before.open() - before.done;
                    Ok((came >= words.len() as u64).then_some(()))
                })?;
                self.bot.terminate()?;
            }
        }
        self.until_there(point)?;
        let crashes = self.ledger().and_then(|ledger| ledger.events().map_err(io::Error::other)).map(|e| e.crashes);
        if crashes.is_ok_and(|crashes| crashes >= 2) { self.live_and_rest() } else { Ok(()) }
    }

    fn say(&mut self, account: &str, friend: &str, words: &[&str]) -> io::Result<()> {
        words.iter().try_for_each(|word| self.told.say(&self.sim, account, friend, word))
    }

    fn start_until(&mut self, point: &str) -> io::Result<u32> {
        self.forget_socket()?;
        self.bot.start_until(point)
    }

    fn start(&mut self) -> io::Result<u32> {
        self.forget_socket()?;
        self.bot.start()
    }

    /// A socket that nobody listens at makes `wxbot login` work on the store alone, and keep the next life out of it.
    fn forget_socket(&self) -> io::Result<()> {
        match std::fs::remove_file(self.bot.data().join("wxbot.sock")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    fn ledger(&self) -> io::Result<Ledger> {
        Ledger::open(&self.bot.data()).map_err(io::Error::other)
    }

    /// A login while the armed life lasts.
    fn log_in_to(&mut self, point: &str) -> io::Result<()> {
        self.bot.log_in_or_end(&self.sim, ONLINE_WITHIN)?;
        self.until_there(point)
    }

    /// Waits for the end, and fails unless it was here.
    fn until_there(&mut self, point: &str) -> io::Result<()> {
        let status = match self.bot.until_ended(REACHED_WITHIN) {
            Ok(status) => status,
            Err(error) => return Err(io::Error::other(format!("it was not reached: {error}"))),
        };
        // Other threads may say something more before the signal is there.
        let log = self.bot.log();
        let last = log.lines().rev().find_map(|line| line.strip_prefix("fail point: ")).unwrap_or_default();
        if status.signal() == Some(9) && last == point {
            return Ok(());
        }
        Err(io::Error::other(format!("it ended with {status} and not there; the last point was `{last}`")))
    }

    /// A life to its good end: everything that was said is handled, every send has ended.
    fn live_and_rest(&mut self) -> io::Result<()> {
        self.start()?;
        if !self.logged_in {
            self.bot.log_in_all(&self.sim, ONLINE_WITHIN)?;
            self.logged_in = true;
        }
        self.told.until_quiet(&mut self.bot)?;
        self.bot.kill()
    }
}

/// The example beside the binary of the same profile; made if only this file's tests were built.
fn example(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_wxbot")).with_file_name("examples").join(name);
    if !built.exists() {
        let cargo = Command::new(env!("CARGO")).args(["build", "--quiet", "--locked", "--example", name]).status();
        assert!(cargo.unwrap().success());
    }
    built
}

#[test]
fn a_release_build_has_no_fail_point() {
    let Some(binary) = std::env::var_os("WXBOT_BIN") else {
        skip::note("fail points of the release build", "WXBOT_BIN names no release build").unwrap();
        return;
    };
    let bytes = std::fs::read(&binary).unwrap();
    for word in ["WXBOT_FAIL_AT", "fail point: "] {
        assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{binary:?} knows `{word}`");
    }
}

/// Steps of the store that no point stands at.
#[test]
fn each_transaction_of_the_store_has_its_points() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/runtime/src/store/sqlite");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(steps_in(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found.dedup();
    let mut listed: Vec<&str> = failpoint::STEPS.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed, "the steps in the code (left) are not those of failpoint.rs (right): list them there");
}

fn steps_in(text: &str) -> Vec<String> {
    let calls = ["self.write(", "self.write_and_ring("];
    let of = |call: &str| {
        let behind = text.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
        behind.filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    calls.iter().flat_map(|call| of(call)).collect()
}

#[test]
fn steps_are_read_from_the_code() {
    let text = "self.write(\"one\", f); self.write_and_ring(\n  \"two\", x); self.read(\"three\")";
    assert_eq!(steps_in(text), ["one", "two"]);
}
