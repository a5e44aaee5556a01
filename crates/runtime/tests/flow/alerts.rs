//! Are people told what is wrong with accounts that really run, once, and through an account that works?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wxbot_runtime::alerts::{AlertSettings, Bulletin, Deliver, Memory, Subject, Watched, send};
use wxbot_runtime::session::cure::Cure;
use wxbot_sim::{Fault, FaultKind};

use crate::rig::{Rig, say};

#[derive(Debug, Default)]
struct Told {
    bulletins: Mutex<Vec<Bulletin>>,
    memory: Mutex<Memory>,
    /// How long telling takes.
    slow: Duration,
}

struct Ear(Arc<Told>);

impl Deliver for Ear {
    fn deliver(&self, bulletin: Bulletin, _settings: AlertSettings) -> BoxFuture<'static, ()> {
        let told = Arc::clone(&self.0);
        Box::pin(async move {
            tokio::time::sleep(told.slow).await;
            told.bulletins.lock().unwrap().push(bulletin);
        })
    }

    fn remember(&self, memory: &Memory) {
        *self.0.memory.lock().unwrap() = memory.clone();
    }
}

impl Told {
    fn take(&self) -> Vec<Bulletin> {
        std::mem::take(&mut *self.bulletins.lock().unwrap())
    }
}

fn settings() -> AlertSettings {
    AlertSettings {
        after: Duration::from_secs(60),
        repeat: Duration::from_secs(6 * 3_600),
        all_clear: true,
        uncertain: 0,
        qr: false,
        webhook: None,
        command: Vec::new(),
        reserve: 0,
        via: None,
    }
}

/// Watches over a rig until the token is cancelled.
async fn watched(rig: &Rig, told: &Arc<Told>, memory: Memory, stop: CancellationToken) {
    let (_keep, settings) = watch::channel(Some(settings()));
    let watched = Watched {
        roster: rig.runtime().roster(),
        store: Arc::clone(rig.runtime().store()),
        dir: rig.data(),
        source: rig.source().clone(),
        settings,
        memory,
    };
    wxbot_runtime::alerts::watch::run(watched, Arc::new(Ear(Arc::clone(told))), stop).await;
}

/// Plays while somebody watches.
async fn play(rig: &Rig, told: &Arc<Told>, memory: Memory, scene: impl AsyncFnOnce()) {
    let stop = CancellationToken::new();
    tokio::join!(watched(rig, told, memory, stop.clone()), async {
        scene().await;
        stop.cancel();
    });
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_is_told_once_and_so_is_its_return() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    let told = Arc::new(Told::default());
    play(&rig, &told, Memory::default(), async || {
        pass(300).await;
        assert_eq!(told.take(), [], "nothing is wrong");
        rig.sim.expire("shop", 1101).unwrap();
        rig.phase("needs_login").await;
        pass(3_600).await;
        let bulletins = told.take();
        let [bulletin] = bulletins.as_slice() else { panic!("{bulletins:?}") };
        let report = &bulletin.opened[0];
        // After a minute, when the phone is still being asked.
        assert_eq!((report.subject.account(), report.state.as_str()), (Some("shop"), "awaiting_confirm"), "{report:?}");
        assert_eq!(report.cure, Cure::Confirm, "{report:?}");
    })
    .await;
    // A restart tells nothing twice, and the all-clear comes all the same.
    let memory = told.memory.lock().unwrap().clone();
    assert_eq!(memory.open.len(), 1);
    play(&rig, &told, memory, async || {
        pass(600).await;
        assert_eq!(told.take(), []);
        let ask = rig.ask();
        let uuid = rig.sim.next_uuid().await;
        rig.sim.scan(&uuid, "shop").unwrap();
        rig.sim.confirm(&uuid).unwrap();
        rig.online().await;
        drop(ask);
        pass(300).await;
        let bulletins = told.take();
        assert!(bulletins.len() == 1 && bulletins[0].ended.len() == 1, "{bulletins:?}");
    })
    .await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn held_sends_and_dead_letters_are_told_and_a_slow_way_gathers() {
    // Without a chain: after ten minutes of tries it would be an old message, which that plugin does not want.
    let mut rig = Rig::new("use = [\"echo\", \"bad\"]\nmiddleware = []").await;
    rig.log_in().await;
    let told = Arc::new(Told { slow: Duration::from_secs(150), ..Told::default() });
    play(&rig, &told, Memory::default(), async || {
        rig.sim.inject(Fault::once("webwxsendmsg", FaultKind::DropAfter));
        rig.sim.deliver("shop", say("Alice", "hello")).unwrap();
        rig.until(async |rig| rig.counts().await.outbox.uncertain == 1).await;
        // While the first is being told, a message is given up after its tries.
        rig.sim.deliver("shop", say("鲍勃", "fail")).unwrap();
        rig.until(async |rig| rig.counts().await.inbox.dead == 1).await;
        pass(1_000).await;
        let bulletins = told.take();
        let subjects: Vec<Vec<Subject>> = bulletins
            .iter()
            .map(|bulletin| bulletin.opened.iter().map(|report| report.subject.clone()).collect())
            .collect();
        let (account, of) = (|| "shop".to_owned(), |subject| vec![subject]);
        assert_eq!(subjects, [of(Subject::Uncertain { account: account() }), of(Subject::Dead { account: account() })]);
        assert_eq!(bulletins[1].opened[0].count, 1);
    })
    .await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_goes_through_the_outbox_of_an_account_that_works() {
    let mut rig = Rig::new("").await;
    let account = Arc::clone(&rig.runtime().accounts()[0]);
    let why = send::send(&account, &"p1".parse().unwrap(), "x".into()).await.unwrap_err();
    assert!(why.contains("`shop` is"), "not while it is out of work: {why}");
    rig.log_in().await;
    let alice = rig.id_of("Alice").unwrap();
    send::send(&account, &alice, "wxbot: something is wrong".into()).await.unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    assert_eq!(rig.sends(), [("Alice".to_owned(), "wxbot: something is wrong".to_owned())]);
    rig.until(async |rig| rig.counts().await.outbox.sent == 1).await;
    let why = send::send(&account, &"p999".parse().unwrap(), "x".into()).await.unwrap_err();
    assert!(why.contains("knows no `p999`"), "{why}");
    drop(account);
    rig.stop().await;
}
