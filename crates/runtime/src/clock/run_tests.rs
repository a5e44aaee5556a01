//! Does what is due become an event, once, at its time, whatever the clock does?

use wxbot_model::{Chat, ChatKind, Event, EventKind};

use super::*;
use crate::clock::keepsake;
use crate::store::sqlite::{DataDir, QUEUE_FILE, SqliteStore};
use crate::store::{Accept, Finish, Finished, NewRow, TimerChange};

/// Saturday, 2026-05-30 12:00:00 in Shanghai.
const NOON_S: u64 = 1_780_113_600;
const NOON: i64 = 1_780_113_600_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

struct Rig {
    store: Arc<SqliteStore>,
    source: Source,
    wanted: watch::Sender<Arc<[WantedSchedule]>>,
    _lock: DataDir,
    dir: tempfile::TempDir,
}

fn shop() -> AccountName {
    "shop".parse().unwrap()
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let lock = DataDir::open(&dir.path().join("data")).unwrap();
    let store = Arc::new(SqliteStore::open(&lock).unwrap());
    Rig { store, source: Source::seeded(1, NOON_S), wanted: watch::Sender::new(Arc::from([])), _lock: lock, dir }
}

fn wanted(name: &str, expr: &str, missed: Missed) -> WantedSchedule {
    let schedule = Arc::new(Schedule::parse(expr, Some("Asia/Shanghai")).unwrap());
    WantedSchedule { account: shop(), plugin: "p".into(), name: name.into(), schedule, missed }
}

impl Rig {
    /// As a start makes one.
    fn clock(&self) -> Clock {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        Clock::new(store, self.source.clone(), Roster::default(), self.wanted.subscribe())
    }

    fn want(&self, schedules: impl Into<Arc<[WantedSchedule]>>) {
        self.wanted.send_replace(schedules.into());
    }

    /// Ends an event that sets timers, as handlers do.
    async fn set(&self, timers: Vec<(&str, i64)>) {
        let chat = Chat { id: "p1".parse().unwrap(), kind: ChatKind::Private, name: "Alice".into() };
        let key = format!("k{}", self.source.random_u64()).parse().unwrap();
        let row = NewRow { key, conv: chat.id.clone(), kind: "message", body: "{}".into(), echo: None };
        let now_ms = self.source.now_ms();
        let batch = Accept {
            account: shop(),
            rows: vec![row],
            cursor: None,
            sealed: None,
            contacts: vec![],
            opens: Vec::new(),
            claim: 1,
            now_ms,
        };
        let seq = self.store.accept(batch).await.unwrap().seqs[0].unwrap();
        let set = |(name, due_ms): (&str, i64)| TimerChange::Set {
            plugin: "p".into(),
            name: name.to_owned(),
            conv: chat.id.clone(),
            due_ms,
            body: keepsake(&chat, &name.into()),
        };
        let end = Finish {
            seq,
            account: shop(),
            note: None,
            sends: vec![],
            swaps: vec![],
            kv: vec![],
            timers: timers.into_iter().map(set).collect(),
            direct: None,
            now_ms,
        };
        assert_eq!(self.store.finish(end).await.unwrap(), Finished::Done(vec![]));
    }

    /// Events that came since the last call: which, how late, and how long after noon, in seconds.
    async fn events(&self) -> Vec<(String, i64)> {
        let rows = self.store.due(&shop(), i64::MAX / 2, 1_000).await.unwrap().0;
        let event = |body: &str| serde_json::from_str::<Event>(body).unwrap();
        let told = |body: &str| {
            let (EventKind::Timer { name, due_ms, .. } | EventKind::Schedule { name, due_ms, .. }) = event(body).kind
            else {
                panic!("neither: {body}")
            };
            (name, (due_ms - NOON) / 1_000)
        };
        rows.iter().map(|row| told(&row.body)).collect()
    }

    async fn due_after_noon(&self) -> Vec<i64> {
        self.events().await.into_iter().map(|(_, at)| at).collect()
    }

    fn sql(&self, batch: &str) {
        let path = self.dir.path().join("data").join(QUEUE_FILE);
        rusqlite::Connection::open(path).unwrap().execute_batch(batch).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_fires_at_its_time_though_a_later_one_was_waited_for() {
    let rig = rig();
    let stop = CancellationToken::new();
    let clock = rig.clock().run(stop.clone());
    let check = async {
        rig.set(vec![("late", NOON + 20_000)]).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.set(vec![("early", NOON + 10_000), ("past", NOON)]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(rig.events().await, [("past".into(), 0)], "at once");
        tokio::time::sleep(Duration::from_millis(6_950)).await;
        assert!(rig.events().await.is_empty() && rig.source.now_ms() < NOON + 10_000);
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(rig.events().await, [("early".into(), 10)]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(rig.events().await, [("late".into(), 20)]);
        stop.cancel();
    };
    tokio::join!(clock, check);
}

#[tokio::test(start_paused = true)]
async fn schedules_are_wanted_changed_and_no_longer_wanted_while_it_runs() {
    let rig = rig();
    let stop = CancellationToken::new();
    let clock = rig.clock().run(stop.clone());
    let check = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.want([wanted("a", "*/20 * * * * *", Missed::Skip), wanted("b", "30 0 * * * *", Missed::Skip)]);
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert_eq!(rig.events().await, [("a".into(), 20), ("b".into(), 30), ("a".into(), 40)]);
        rig.want([wanted("a", "*/7 * * * * *", Missed::All)]);
        tokio::time::sleep(Duration::from_secs(12)).await;
        // At 46 s it was changed: what the new one would have been due at before is no business of its.
        assert_eq!(rig.events().await, [("a".into(), 49), ("a".into(), 56)]);
        rig.want([]);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(rig.events().await.is_empty());
        stop.cancel();
    };
    tokio::join!(clock, check);
}

#[tokio::test]
async fn a_start_makes_up_for_what_was_missed_as_far_as_wanted() {
    let hourly = "0 0 * * * *";
    for (what, missed, off_until, want) in [
        ("skip", Missed::Skip, 5 * HOUR + 2 * MINUTE, vec![]),
        ("skip, over the due second", Missed::Skip, 5 * HOUR + MINUTE, vec![5]),
        ("once", Missed::Once, 5 * HOUR + 2 * MINUTE, vec![5]),
        ("all", Missed::All, 5 * HOUR + 2 * MINUTE, vec![3, 4, 5]),
        ("nothing missed", Missed::All, 2 * HOUR + 59 * MINUTE, vec![]),
        ("at most a hundred", Missed::All, 500 * HOUR, (401..=500).collect()),
    ] {
        let rig = rig();
        rig.want([wanted("a", hourly, missed)]);
        let mut clock = rig.clock();
        // The first hour is due while it runs; before that it was not wanted.
        for at in [10 * MINUTE, HOUR, HOUR + 1, 2 * HOUR] {
            clock.round(NOON + at).await.unwrap();
        }
        assert_eq!(rig.due_after_noon().await, [3_600, 7_200], "{what}");
        drop(clock);
        let mut again = rig.clock();
        let next = again.round(NOON + off_until).await.unwrap();
        let want: Vec<i64> = want.into_iter().map(|hour: i64| hour * 3_600).collect();
        assert_eq!(rig.due_after_noon().await, want, "{what}");
        assert_eq!(next, NOON + (off_until / HOUR + 1) * HOUR, "{what}");
        // A second start right after it repeats nothing.
        rig.clock().round(NOON + off_until + 1).await.unwrap();
        assert!(rig.events().await.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_schedule_that_was_never_due_is_missed_from_when_it_was_wanted() {
    let rig = rig();
    rig.want([wanted("a", "0 9 * * *", Missed::Once)]);
    rig.clock().round(NOON).await.unwrap();
    rig.clock().round(NOON + 22 * HOUR).await.unwrap();
    assert_eq!(rig.due_after_noon().await, [21 * 3_600], "off from noon to ten, and due at nine");
}

#[tokio::test]
async fn a_clock_set_back_fires_nothing_twice_and_one_set_forward_is_a_time_missed() {
    let rig = rig();
    rig.want([wanted("skip", "*/5 * * * *", Missed::Skip), wanted("all", "*/5 * * * *", Missed::All)]);
    rig.set(vec![("t", NOON + 7 * MINUTE)]).await;
    let mut clock = rig.clock();
    let of = async |name: &str| -> Vec<i64> {
        rig.events().await.into_iter().filter(|(of, _)| of == name).map(|(_, at)| at / 60).collect()
    };
    clock.round(NOON).await.unwrap();
    for minute in [5, 7, 10] {
        clock.round(NOON + minute * MINUTE).await.unwrap();
    }
    assert_eq!(rig.events().await.len(), 5);
    // Back by nine minutes: the same times come once more.
    let next = clock.round(NOON + MINUTE).await.unwrap();
    assert_eq!(next, NOON + 5 * MINUTE, "it goes by the clock, and is not deaf until the time it had seen");
    for minute in [5, 7, 10] {
        clock.round(NOON + minute * MINUTE).await.unwrap();
    }
    assert!(rig.events().await.is_empty());
    clock.round(NOON + 15 * MINUTE).await.unwrap();
    assert_eq!(of("all").await, [15]);
    clock.round(NOON + 33 * MINUTE).await.unwrap();
    assert_eq!(of("all").await, [20, 25, 30]);
    clock.round(NOON + 35 * MINUTE).await.unwrap();
    assert_eq!(rig.events().await, [("skip".into(), 35 * 60), ("all".into(), 35 * 60)]);
    // Years ahead and back: it is no later than it is.
    clock.round(NOON + 9_000 * 24 * HOUR).await.unwrap();
    rig.events().await;
    drop(clock);
    let mut again = rig.clock();
    again.round(NOON + 36 * MINUTE).await.unwrap();
    again.round(NOON + 40 * MINUTE).await.unwrap();
    assert_eq!(rig.events().await, [("skip".into(), 40 * 60), ("all".into(), 40 * 60)]);
}

#[tokio::test]
async fn a_store_that_fails_delays_and_loses_nothing() {
    let rig = rig();
    rig.want([wanted("a", "* * * * *", Missed::Skip)]);
    rig.set(vec![("t", NOON)]).await;
    let mut clock = rig.clock();
    let fail = "CREATE TRIGGER t BEFORE INSERT ON inbox WHEN NEW.state = 2 BEGIN SELECT raise(ABORT, 'no'); END";
    rig.sql(fail);
    clock.round(NOON).await.unwrap_err();
    clock.round(NOON + MINUTE).await.unwrap_err();
    rig.sql("DROP TRIGGER t");
    clock.round(NOON + MINUTE + 900).await.unwrap();
    assert_eq!(rig.events().await, [("t".into(), 0), ("a".into(), 60)]);
    // Now there is no timer that would fail before the schedule does.
    rig.sql(fail);
    clock.round(NOON + 2 * MINUTE).await.unwrap_err();
    rig.sql("DROP TRIGGER t");
    clock.round(NOON + 2 * MINUTE + 900).await.unwrap();
    assert_eq!(rig.events().await, [("a".into(), 120)]);
}

#[tokio::test]
async fn many_that_are_due_at_once_all_fire() {
    let rig = rig();
    let names: Vec<String> = (0..2 * BATCH).map(|n| format!("{n:04}")).collect();
    rig.set(names.iter().map(|name| (&**name, NOON)).collect()).await;
    let all: Vec<_> = names.iter().map(|name| wanted(name, "0 12 * * *", Missed::Skip)).collect();
    rig.want(all);
    let mut clock = rig.clock();
    clock.round(NOON - 1).await.unwrap();
    assert!(rig.events().await.is_empty());
    assert_eq!(clock.round(NOON).await.unwrap(), NOON + 24 * HOUR);
    assert_eq!(rig.events().await.len(), 4 * BATCH.min(250), "as many as one look gives");
    assert_eq!(rig.events().await.len(), 4 * BATCH - 1_000);
}
