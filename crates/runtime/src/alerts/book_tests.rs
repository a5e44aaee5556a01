//! Incidents in virtual time: when each is told, repeated and over.

use super::*;
use crate::explain::Lang;

const S: i64 = 1_000;
const H: i64 = 3_600 * S;

fn settings() -> AlertSettings {
    AlertSettings {
        after: Duration::from_secs(60),
        repeat: Duration::from_secs(6 * 3_600),
        all_clear: true,
        uncertain: 2,
        qr: false,
        webhook: None,
        command: Vec::new(),
        via: None,
    }
}

fn one(account: &str, state: &'static str) -> Sight {
    Sight {
        account: account.to_owned(),
        state,
        well: state == "online",
        at_once: matches!(state, "needs_login" | "logged_out"),
        meant: state == "stopped",
        why: if state == "online" { String::new() } else { format!("{state} because of x") },
        cure: if state == "needs_login" { Cure::LogIn } else { Cure::Nothing },
        dead: 0,
        uncertain: 0,
    }
}

/// Plays what is seen from second to second, and answers when which bulletin came, with what it names.
struct Play {
    book: Book,
    settings: AlertSettings,
    now_ms: i64,
    told: Vec<(i64, String)>,
}

impl Play {
    fn new(settings: AlertSettings) -> Self {
        Self { book: Book::default(), settings, now_ms: 0, told: Vec::new() }
    }

    fn show(&mut self, seconds: i64, sights: &[Sight]) -> &mut Self {
        self.show_with(seconds, sights, Some(DISK_RESERVE))
    }

    fn show_with(&mut self, seconds: i64, sights: &[Sight], free: Option<u64>) -> &mut Self {
        for _ in 0..seconds {
            let sights = Sights { accounts: sights.to_vec(), free };
            self.book.see(&sights, &self.settings, self.now_ms);
            if let Some(bulletin) = self.book.take(self.now_ms) {
                self.told.push((self.now_ms / S, words(&bulletin)));
            }
            self.now_ms += S;
        }
        self
    }

    fn told(&mut self) -> Vec<(i64, String)> {
        std::mem::take(&mut self.told)
    }
}

fn words(bulletin: &Bulletin) -> String {
    let list = |sign: &str, reports: &[Report]| -> Vec<String> {
        let of = |report: &Report| match &report.subject {
            Subject::Disk => format!("{sign}disk"),
            Subject::Account { account } => format!("{sign}{account}:{}", report.state),
            Subject::Dead { account } => format!("{sign}{account} dead {}", report.count),
            Subject::Uncertain { account } => format!("{sign}{account} uncertain {}", report.count),
        };
        reports.iter().map(of).collect()
    };
    [list("+", &bulletin.opened), list("=", &bulletin.repeated), list("-", &bulletin.ended)].concat().join(" ")
}

fn at(s: i64, what: &str) -> (i64, String) {
    (s, what.to_owned())
}

#[test]
fn one_incident_is_one_alert_and_one_all_clear() {
    let mut play = Play::new(settings());
    play.show(100, &[one("a", "online")]);
    assert_eq!(play.told(), []);
    // Out of work from second 100 on: an incident after a minute, told ten seconds later.
    play.show(300, &[one("a", "reconnecting")]);
    assert_eq!(play.told(), [at(170, "+a:reconnecting")]);
    // Whatever state it goes through meanwhile, it is the same incident.
    play.show(600, &[one("a", "degraded")]).show(60, &[one("a", "starting")]).show(60, &[one("a", "reconnecting")]);
    assert_eq!(play.told(), []);
    // Well at 1120: the all-clear when it has been so for a minute.
    play.show(600, &[one("a", "online")]);
    assert_eq!(play.told(), [at(1_190, "-a:online")]);
    assert_eq!(play.book.open(), 0);
    // Without all-clear nobody hears of the end.
    let mut play = Play::new(AlertSettings { all_clear: false, ..settings() });
    play.show(100, &[one("a", "degraded")]).show(600, &[one("a", "online")]);
    assert_eq!(play.told(), [at(70, "+a:degraded")]);
    assert_eq!(play.book.open(), 0);
}

#[test]
fn a_short_trouble_is_none_and_one_that_comes_and_goes_is_one() {
    let mut play = Play::new(settings());
    for _ in 0..20 {
        play.show(59, &[one("a", "reconnecting")]).show(1, &[one("a", "online")]);
    }
    assert_eq!(play.told(), [], "never a whole minute");
    play.show(61, &[one("a", "reconnecting")]);
    for _ in 0..50 {
        play.show(30, &[one("a", "online")]).show(90, &[one("a", "reconnecting")]);
    }
    let told = play.told();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn who_needs_a_person_is_told_at_once() {
    let mut play = Play::new(settings());
    play.show(5, &[one("a", "online")]).show(20, &[one("a", "needs_login")]);
    assert_eq!(play.told(), [at(15, "+a:needs_login")]);
    // Becoming so while it is known already is no second incident.
    let mut play = Play::new(settings());
    play.show(100, &[one("a", "reconnecting")]).show(100, &[one("a", "needs_login")]);
    assert_eq!(play.told(), [at(70, "+a:reconnecting")]);
    // Nobody is told of what was meant.
    let mut play = Play::new(settings());
    play.show(1_000, &[one("a", "stopped")]);
    assert_eq!(play.told(), []);
}

#[test]
fn what_goes_on_is_repeated_and_no_more_often_than_that() {
    let mut play = Play::new(settings());
    play.show(13 * H / S, &[one("a", "needs_login")]);
    let hours = 6 * H / S;
    assert_eq!(
        play.told(),
        [at(10, "+a:needs_login"), at(10 + hours + 10, "=a:needs_login"), at(20 + 2 * hours + 10, "=a:needs_login")]
    );
}

#[test]
fn a_thousand_accounts_are_one_bulletin() {
    let mut play = Play::new(settings());
    let all = |state| (0..1_000).map(|n| one(&format!("a{n}"), state)).collect::<Vec<_>>();
    play.show(30, &all("online")).show(120, &all("needs_login"));
    let told = play.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1.split(' ').count(), 1_000);
    // The text of it fits into any message, whatever it names.
    let mut book = Book::default();
    let sights = Sights { accounts: all("needs_login"), free: Some(1) };
    book.see(&sights, &settings(), 0);
    let bulletin = book.take(10 * S).unwrap();
    for most in [2_048, 200, 10, 0] {
        for lang in [Lang::En, Lang::Zh] {
            let text = bulletin.text(lang, 70 * S, most);
            assert!(text.len() <= most, "{most}: {}", text.len());
            assert_eq!(text.is_empty(), most == 0);
        }
    }
    let text = bulletin.text(Lang::En, 70 * S, 1 << 20);
    assert!(
        text.starts_with("wxbot: something is wrong (1001)\n· the disk is nearly full; free: 1 B (for 70s)"),
        "{text}"
    );
    assert!(text.contains("· a0: needs_login (for 70s); needs_login because of x; run `wxbot login a0`"), "{text}");
    assert!(text.ends_with("… 989 more; `wxbot accounts` shows all"), "{text}");
    // A few stragglers within the ten seconds go along.
    let mut play = Play::new(settings());
    play.show(5, &[one("a", "needs_login"), one("b", "online")])
        .show(60, &[one("a", "needs_login"), one("b", "logged_out")]);
    assert_eq!(play.told(), [at(10, "+a:needs_login +b:logged_out")]);
}

#[test]
fn dead_letters_held_sends_and_the_disk() {
    let with = |dead, uncertain| vec![Sight { dead, uncertain, ..one("a", "online") }];
    let mut play = Play::new(settings());
    play.show(20, &with(0, 2));
    assert_eq!(play.told(), [], "two held ones are allowed");
    play.show(20, &with(1, 3));
    assert_eq!(play.told(), [at(30, "+a dead 1 +a uncertain 3")]);
    play.show(600, &with(9, 50));
    assert_eq!(play.told(), [], "more of the same is the same");
    play.show(100, &with(0, 2));
    assert_eq!(play.told(), [at(710, "-a dead 0 -a uncertain 2")]);
    let online = [one("a", "online")];
    play.show_with(20, &online, Some(DISK_RESERVE - 1));
    assert_eq!(play.told(), [at(750, "+disk")]);
    // A disk that cannot be looked at is neither full nor well.
    play.show_with(200, &online, None);
    assert_eq!(play.told(), []);
    play.show(100, &online);
    assert_eq!(play.told(), [at(1_030, "-disk")]);
}

#[test]
fn a_restart_tells_nothing_twice_and_an_account_that_leaves_is_forgotten() {
    let mut play = Play::new(settings());
    play.show(60, &[one("a", "needs_login"), one("b", "logged_out")]);
    play.show(60, &[one("a", "needs_login"), one("b", "logged_out"), one("c", "reconnecting")]);
    assert_eq!(play.told().len(), 1);
    let memory = play.book.memory();
    assert_eq!(memory.open.len(), 2, "what was not told is told by the next run: {memory:?}");
    let memory: Memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
    let mut after = Play { book: Book::of(memory), settings: settings(), now_ms: play.now_ms, told: Vec::new() };
    after.show(100, &[one("a", "needs_login"), one("b", "logged_out"), one("c", "reconnecting")]);
    assert_eq!(after.told(), [at(190, "+c:reconnecting")]);
    after.show(5, &[one("a", "online"), one("c", "reconnecting")]);
    assert_eq!(after.book.open(), 2);
    after.show(100, &[one("a", "online"), one("c", "online")]);
    let told = after.told();
    assert!(told.iter().all(|(_, words)| !words.contains('b')), "{told:?}");
    assert_eq!(after.book.open(), 0);
}

#[test]
fn reasons_are_cut_and_cannot_write_lines_of_their_own() {
    let mut book = Book::default();
    let sights = Sights {
        accounts: vec![Sight {
            why: format!("no\nwxbot: well again {}", "x".repeat(5_000)),
            ..one("a", "needs_login")
        }],
        free: None,
    };
    book.see(&sights, &settings(), 0);
    let bulletin = book.take(10 * S).unwrap();
    assert_eq!(bulletin.opened[0].why.chars().count(), WHY);
    assert_eq!(bulletin.text(Lang::Zh, 10 * S, 4_096).lines().count(), 2);
}
