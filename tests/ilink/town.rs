//! What do these tests live in? A simulated iLink with its people's phones, and the folder of one wxbot.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use wxbot_sim::{AccountSpec, IlinkJournal, IlinkMessage, IlinkSay, IlinkSetup, IlinkSim, World};

use crate::support::wait;
use crate::support::wxbot::{self, Running, Said};

/// Whatever is waited for on a machine that does other things as well.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// The pace would only make the tests longer: what is tested here is not it.
pub(crate) const LIFTED: &str =
    "[pacing]\nper_account = \"1000000/s\"\nper_chat = \"1000000/s\"\nburst = 10000\nrepeat = \"allow\"\n";

/// `q1` is answered `a1`.
pub(crate) const RULES: &str = "[[plugins.auto-reply.rules]]\nregex = '^q(?P<n>\\d+)$'\nreply = \"a{{ named.n }}\"\n";

pub(crate) struct Town {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) tokio: tokio::runtime::Runtime,
    pub(crate) sim: wxbot_sim::Running<IlinkSim>,
    /// wxbot, or one with a plugin more.
    binary: PathBuf,
}

/// An example of this workspace, built with the tests or now.
fn example(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_wxbot")).with_file_name("examples").join(name);
    if !built.exists() {
        let cargo = Command::new(env!("CARGO")).args(["build", "--quiet", "--locked", "--example", name]).status();
        assert!(cargo.unwrap().success());
    }
    built
}

impl Town {
    /// One person, `home`, whose bot answers by `top`, which stands before the account; `lines` stand in it.
    pub(crate) fn open(top: &str, lines: &str) -> Self {
        Self::with(top, lines, IlinkSetup::default())
    }

    /// The same at a service with other rules.
    pub(crate) fn with(top: &str, lines: &str, setup: IlinkSetup) -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let world = World { accounts: vec![AccountSpec::new("home").friend("客人")], ..World::default() };
        let sim = tokio.block_on(IlinkSim::start(&world, setup)).unwrap();
        let town = Self { folder: tempfile::tempdir().unwrap(), tokio, sim, binary: wxbot::binary() };
        town.configure(top, lines);
        town
    }

    /// The same whose bot sends back whatever comes in.
    pub(crate) fn mirrored(setup: IlinkSetup, lines: &str) -> Self {
        let mut town = Self::with(LIFTED, &format!("use = [\"mirror\"]\nmiddleware = []\n{lines}"), setup);
        town.binary = example("mirror");
        town
    }

    pub(crate) fn configure(&self, top: &str, lines: &str) {
        let config = format!(
            "{top}\n[[accounts]]\nname = \"home\"\nprotocol = \"ilink\"\nendpoint = \"{}\"\n{lines}\n",
            self.sim.endpoint()
        );
        fs::write(self.path().join("bot.toml"), config).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let prepared = wxbot::command(self.path(), args);
        let mut command = Command::new(&self.binary);
        command.args(prepared.get_args()).current_dir(self.path()).stdin(Stdio::null());
        for (name, value) in prepared.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    pub(crate) fn call(&self, args: &[&str]) -> Said {
        wxbot::finish(self.command(args)).unwrap()
    }

    pub(crate) fn run(&self) -> Running {
        Running::spawn(self.path(), self.command(&["run"])).unwrap()
    }

    /// Starts it, and has the owner scan and tap.
    pub(crate) fn run_bound(&self) -> Running {
        let running = self.run();
        self.state(&running, &["needs_login"]);
        self.sim.change(|setup| setup.auto_confirm = true);
        let said = self.call(&["login", "home"]);
        self.sim.change(|setup| setup.auto_confirm = false);
        assert_eq!(said.code, Some(0), "{}{}\n{}", said.out, said.err, running.err().unwrap());
        self.state(&running, &["online"]);
        running
    }

    fn look(&self) -> io::Result<Value> {
        let said = wxbot::finish(self.command(&["accounts", "--json"]))?;
        let all: Vec<Value> = serde_json::from_str(&said.out)?;
        all.into_iter().next().ok_or_else(|| io::Error::other(said.err))
    }

    pub(crate) fn account(&self) -> Value {
        self.look().unwrap()
    }

    pub(crate) fn state(&self, running: &Running, states: &[&str]) -> Value {
        let reached = wait::until(&format!("home to be {}", states.join(" or ")), WITHIN, || {
            let one = self.look()?;
            let there = one["state"].as_str().is_some_and(|state| states.contains(&state));
            if there { Ok(Some(one)) } else { Err(io::Error::other(one.to_string())) }
        });
        reached.unwrap_or_else(|error| panic!("{error}\n{}", running.err().unwrap()))
    }

    /// The owner writes a text; its id.
    pub(crate) fn writes(&self, text: &str) -> String {
        self.says(IlinkSay::Text(text.to_owned()))
    }

    pub(crate) fn says(&self, say: IlinkSay) -> String {
        let _entered = self.tokio.enter();
        self.sim.say("home", &IlinkMessage::say(say)).unwrap()
    }

    /// The texts that the owner sees.
    pub(crate) fn seen(&self) -> Vec<String> {
        let journal = self.sim.journal();
        journal.texts_to("home", "home").map(str::to_owned).collect()
    }

    pub(crate) fn until(&self, running: &Running, what: &str, good: impl Fn(&IlinkJournal) -> bool) -> IlinkJournal {
        wait::until(what, WITHIN, || {
            let journal = self.sim.journal();
            Ok(good(&journal).then_some(journal))
        })
        .unwrap_or_else(|error| panic!("{error}: {:#?}\n{}", self.sim.journal().sends, running.err().unwrap()))
    }

    /// Waits until the owner has seen this.
    pub(crate) fn sees(&self, running: &Running, text: &str) {
        self.until(running, &format!("the owner to see {text}"), |journal| {
            journal.texts_to("home", "home").any(|seen| seen == text)
        });
    }

    /// Nothing that the service would not bear, and an orderly end.
    pub(crate) fn ends_well(&self, running: Running) {
        let hard: Vec<_> = self.sim.violations().into_iter().filter(|one| one.hard).collect();
        assert!(hard.is_empty(), "{hard:#?}");
        let log = running.err().unwrap();
        assert!(!log.contains("panic"), "{log}");
        assert!(running.stop("TERM", WITHIN).unwrap().success(), "{log}");
    }
}

/// `wxbot login` as it goes on, with somebody at its keyboard.
pub(crate) struct Login {
    child: Child,
    /// What it writes to standard output.
    pub(crate) out: PathBuf,
    err: PathBuf,
}

impl Login {
    pub(crate) fn start(town: &Town, args: &[&str], variables: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = |what: &str| town.path().join(format!("login-{number}.{what}"));
        let (out, err) = (place("out"), place("err"));
        let mut command = town.command(&[&["login", "home"], args].concat());
        command.envs(variables.iter().copied()).stdin(Stdio::piped());
        let child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
        Self { child, out, err }
    }

    /// All that it said so far.
    pub(crate) fn told(&self) -> String {
        let mut all = String::new();
        for path in [&self.out, &self.err] {
            File::open(path).unwrap().read_to_string(&mut all).unwrap();
        }
        all
    }

    pub(crate) fn until(&self, what: &str, times: usize) {
        wait::until(&format!("`{what}` to be said {times} times"), WITHIN, || {
            Ok((self.told().matches(what).count() >= times).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
    }

    pub(crate) fn types(&mut self, line: &str) {
        let keyboard = self.child.stdin.as_mut().unwrap();
        writeln!(keyboard, "{line}").unwrap();
        keyboard.flush().unwrap();
    }

    /// Nobody types here any more.
    pub(crate) fn leave(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let status = wait::until("the end of the login", WITHIN, || self.child.try_wait());
        let status = status.unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
        (status.code(), self.told())
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The code that is shown, once the service has given it.
pub(crate) fn code(town: &Town) -> String {
    wait::until("a code to be asked for", WITHIN, || Ok(town.sim.pending().pop())).unwrap()
}

/// Taps "connect" as soon as the phone lets.
pub(crate) fn tap(town: &Town, code: &str) {
    wait::until("the phone to let tap", WITHIN, || {
        let _entered = town.tokio.enter();
        town.sim.confirm(code).map(Some).map_err(io::Error::other)
    })
    .unwrap();
}
