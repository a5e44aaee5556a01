//! Is an instance entered as it should be: so many at a time, and no more after it has failed too often?

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;
use wxbot_model::{Chat, ChatKind, EventKind};
use wxbot_plugin::Effects;
use wxbot_plugin::host::OpenDialog;

use super::*;

/// Takes a second for each call and counts them; `answer` is what it gives.
#[derive(Default)]
struct Slow {
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    calls: AtomicUsize,
    fails: bool,
    answer: Answer,
    forgotten: Mutex<Vec<u64>>,
}

impl Instance for Slow {
    fn call(&self, _call: Call) -> BoxFuture<'static, Result<Answer, PluginError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let (inside, most, fails) = (Arc::clone(&self.inside), Arc::clone(&self.most), self.fails);
        let answer = self.answer.clone();
        Box::pin(async move {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            if fails { Err(PluginError::msg("asked to")) } else { Ok(answer) }
        })
    }
    fn forget(&self, dialog: u64) {
        self.forgotten.lock().unwrap().push(dialog);
    }
    fn guard(&self, _event: Arc<Event>, _meta: CallMeta) -> BoxFuture<'static, Result<Verdict, PluginError>> {
        Box::pin(std::future::ready(Ok(Verdict::Pass)))
    }
    fn stop(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn active(instance: &Arc<Slow>) -> ActivePlugin {
    ActivePlugin {
        id: "slow".into(),
        manifest: Manifest::new("slow", "Takes its time."),
        schedules: Vec::new(),
        instance: Arc::clone(instance) as Arc<dyn Instance>,
        handlers: Entrance::default(),
        guard: Entrance::default(),
    }
}

fn call() -> Call {
    let id = "p1".parse().unwrap();
    let chat = Chat { id, kind: ChatKind::Private, name: String::new() };
    let (account, key) = ("a".parse().unwrap(), "1".parse().unwrap());
    let event = Event { account, key, chat, sender: None, at_s: 0, late: false, kind: EventKind::ContactChanged };
    Call { event: Arc::new(event), meta: CallMeta::first(), dialog: None }
}

#[tokio::test(start_paused = true)]
async fn so_many_calls_at_a_time_and_the_others_wait_without_losing_their_time() {
    let slow = Arc::new(Slow::default());
    let plugin = active(&slow);
    // The last of them waits longer than a handler may take.
    let begun = Instant::now();
    let calls = join_all((0..40 * IN_FLIGHT).map(|_| plugin.run(call())));
    let guarded = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        plugin.guard(call().event, CallMeta::first()).await
    };
    let (answers, verdict) = tokio::join!(calls, tokio::time::timeout(Duration::from_secs(1), guarded));
    assert_eq!(verdict.unwrap(), Ok(Verdict::Pass), "a guard waits for no handlers");
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((slow.most.load(Ordering::SeqCst), begun.elapsed().as_secs()), (IN_FLIGHT, 40));
}

#[tokio::test(start_paused = true)]
async fn who_waited_while_it_began_to_rest_is_not_let_in() {
    let slow = Arc::new(Slow { fails: true, ..Slow::default() });
    let plugin = active(&slow);
    let answers = join_all((0..2 * IN_FLIGHT).map(|_| plugin.run(call()))).await;
    let open = answers.iter().filter(|answer| matches!(answer, Err(Trouble::Open(_)))).count();
    assert!(open > IN_FLIGHT / 2 && slow.calls.load(Ordering::SeqCst) < 2 * IN_FLIGHT, "{open}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_behind_a_refused_answer_is_forgotten() {
    let mut answer = Answer::of(Effects::reply(""));
    answer.dialog = Some(OpenDialog { id: 7, timeout_ms: 1_000 });
    let slow = Arc::new(Slow { answer, ..Slow::default() });
    assert_eq!(active(&slow).run(call()).await, Err(Trouble::Failed("an empty text".into())));
    assert_eq!(*slow.forgotten.lock().unwrap(), [7]);
}
