//! What does a storm in one room cost the others? One account answers its friends while a thousand messages come in one
//! of its rooms, and everything is timed by the simulator.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::pace::Pace;
use super::rig::{self, Bot, Sim};
use super::wait;

/// Topic of the room.
const ROOM: &str = "storm";
/// Conversations that go on beside it, each slow enough for its own pace.
const FRIENDS: usize = 64;
/// Messages a second of all friends together.
const FRIENDS_PER_SECOND: usize = 20;
/// 20 a minute in one chat: the default of real accounts, and what the room may hear of us.
const PER_CHAT: Pace = Pace { burst: 20, interval_ms: 3_000 };
const ONLINE_WITHIN: Duration = Duration::from_secs(60);
/// How long the room is looked at after the storm: what waits for the pace goes out then.
const AFTERMATH: Duration = Duration::from_secs(4);

/// How large, and whether anybody keeps order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    /// Members who speak.
    pub(crate) speakers: usize,
    /// Messages in the room.
    pub(crate) messages: usize,
    /// In which time.
    pub(crate) seconds: usize,
}

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Delays of answers to friends without a storm, ms.
    pub(crate) calm: (f64, f64),
    /// The same while it rages.
    pub(crate) storm: (f64, f64),
    /// Messages of the room that plugins were given.
    pub(crate) handled: u64,
    /// Texts that went into the room.
    pub(crate) sends: u64,
    /// How many the pace allowed in that time.
    pub(crate) allowed: u64,
    /// Members that were removed, and calls it took.
    pub(crate) removed: u64,
    /// A stretch in which more went out than the pace allows.
    pub(crate) broken: Option<(u64, u64)>,
}

impl Seen {
    /// How much later the slowest of a hundred answers came, ms.
    pub(crate) fn added_p99_ms(&self) -> f64 {
        self.storm.1 - self.calm.1
    }
}

impl Storm {
    fn speaker(number: usize) -> String {
        format!("s{number}")
    }

    fn world(self) -> String {
        let mut world = rig::world_toml(1, FRIENDS);
        let members: Vec<String> = (1..=self.speakers).map(|number| format!("\"{}\"", Self::speaker(number))).collect();
        _ = writeln!(world, "rooms = [{{ topic = \"{ROOM}\", members = [{}], saved = true }}]", members.join(", "));
        world
    }

    /// All middleware that would spare the plugin the storm is switched off: it shall see each message.
    fn bot(endpoint: &str, keeps_order: bool) -> String {
        // Everything that looks at each message, and what writes a value for each.
        let order = "[plugins.group-admin]\nmode = \"enforce\"\nlinks = {}\nqr = {}\nrepeats = {}\nprobation = {}\n\
                     stats = {}\nwords = { list = [\"代开发票\"] }\nflood = { messages = 4, within = \"10s\" }\n\
                     ladder = { remove = 3 }\n\n";
        format!(
            "data_dir = \"data\"\nmiddleware = []\n\n[pacing]\nper_account = \"1000000/s\"\nper_chat = \"20/min\"\n\
             burst = 10000\n\n{}[[plugins.auto-reply.rules]]\nany = true\nin = \"private\"\nreply = \"{{{{ text }}}}\"\n\n\
             [[accounts]]\nname = \"{}\"\nprotocol = \"web\"\nendpoint = \"{endpoint}\"\n",
            if keeps_order { order } else { "" },
            rig::account(1),
        )
    }

    /// Runs it with `binary` in the empty `folder`.
    pub(crate) fn run(self, binary: &Path, folder: &Path, keeps_order: bool) -> io::Result<Seen> {
        let world = folder.join("world.toml");
        fs::write(&world, self.world())?;
        let sim = Sim::start(binary, &world, folder)?;
        let mut bot = Bot::new(binary, folder, &Self::bot(sim.base(), keeps_order))?;
        bot.start()?;
        bot.log_in_all(&sim, ONLINE_WITHIN)?;
        bot.until_online(ONLINE_WITHIN)?;

        let calm = self.friends(&sim, "calm ")?;
        let before = done(&bot)?;
        let (talk, own) = (sim.api().clone().answer_within(Duration::from_secs(120)), self.chatter());
        let raging = thread::spawn(move || talk.post("/__sim/chatter", &own));
        let storm = self.friends(&sim, "storm ");
        let said = raging.join().map_err(|_panic| io::Error::other("the chatter panicked"))?;
        let (said, storm) = (said?, storm?);
        let said = said.get("msg_ids").and_then(Value::as_array).map_or(0, Vec::len);
        wait::pause(AFTERMATH);

        let sends: Vec<u64> = sim.sends()?.into_iter().filter(|sent| sent.to == ROOM).map(|sent| sent.at_ms).collect();
        let lasted = Duration::from_secs(self.seconds as u64) + AFTERMATH;
        let friends = (self.seconds * FRIENDS_PER_SECOND) as u64;
        let handled = wait::until("all messages to be dealt with", ONLINE_WITHIN, || {
            let handled = done(&bot)?.saturating_sub(before + friends);
            Ok((handled >= said as u64).then_some(handled))
        })?;
        let violations = sim.hard_violations()?;
        if !violations.is_empty() {
            return Err(io::Error::other(format!("hard violations: {}", violations.join(", "))));
        }
        let removed = removed(&sim)?;
        bot.stop()?;
        Ok(Seen {
            calm,
            storm,
            handled,
            sends: sends.len() as u64,
            allowed: PER_CHAT.allowed(lasted.as_millis().try_into().unwrap_or(u64::MAX)),
            removed,
            broken: PER_CHAT.broken_by(&sends),
        })
    }

    fn chatter(self) -> Value {
        let from: Vec<String> = (1..=self.speakers).map(Self::speaker).collect();
        json!({
            "account": rig::account(1), "room": ROOM, "from": from, "count": self.messages,
            "texts": ["快来看 {n}", "https://spam.example/{n}", "+1 +1 +1", "加我微信 {n}"],
            "over_ms": self.seconds * 1_000,
        })
    }

    /// Friends write at a steady pace; median and 99th percentile of the answers' delays.
    fn friends(self, sim: &Sim, prefix: &str) -> io::Result<(f64, f64)> {
        let order = json!({
            "accounts": [rig::account(1)], "per_account": self.seconds * FRIENDS_PER_SECOND,
            "rate_per_second": FRIENDS_PER_SECOND, "timeout_ms": 120_000, "text_prefix": prefix,
        });
        let answer = sim.api().clone().answer_within(Duration::from_secs(150)).post("/__sim/load", &order)?;
        let number = |key: &str| {
            let found = answer.get(key).and_then(Value::as_f64);
            found.ok_or_else(|| io::Error::other(format!("the load answer has no number `{key}`: {answer}")))
        };
        if number("messages")? > number("answered")? || number("duplicates")? + number("unexpected")? > 0.0 {
            return Err(io::Error::other(format!("not each friend was answered exactly once: {answer}")));
        }
        Ok((number("p50_ms")?, number("p99_ms")?))
    }
}

/// Events that were handled to the end.
fn done(bot: &Bot) -> io::Result<u64> {
    let all = bot.accounts()?;
    let done = all.first().and_then(|one| one.pointer("/inbox/done")).and_then(Value::as_u64);
    done.ok_or_else(|| io::Error::other(format!("no count of events: {all:?}")))
}

/// Members that the service removed for the account.
fn removed(sim: &Sim) -> io::Result<u64> {
    let journal = sim.api().get("/__sim/journal")?;
    let calls = journal.get("room_calls").and_then(Value::as_array).cloned().unwrap_or_default();
    let good = calls.iter().filter(|call| call.get("fun").and_then(Value::as_str) == Some("delmember"));
    let good = good.filter(|call| call.get("ret").and_then(Value::as_i64) == Some(0));
    Ok(good.filter_map(|call| call.get("who").and_then(Value::as_array)).map(|who| who.len() as u64).sum())
}
