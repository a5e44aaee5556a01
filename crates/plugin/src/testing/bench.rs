//! What becomes of an event in a test? What a running wxbot would make of it: dialogs first, then the handlers, one commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use wxbot_model::{AccountName, Action, Chat, ChatKind, ContactId, Event, EventKey, EventKind, Person};

use super::SentMedia;
use super::heard::Sent;
use super::host::{Conflict, FakeHost};
use crate::config::PluginConfig as _;
use crate::ctx::InitCtx;
use crate::effects::{Effect, Effects};
use crate::host::{Answer, Call, CallMeta, Host, Instance, Note};
use crate::instance::Local;
use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::plugin::{Plugin, PluginError};
use crate::role::Role;

/// What a person is told whose dialog has ended without their doing, as by a running wxbot.
const INTERRUPTED: &str = "刚才的对话中断了,请重新开始 (the dialog was interrupted; please start again)";
/// How often an event is handled anew because others changed what it wanted to change, as by a running wxbot.
const MAX_CONFLICTS: u32 = 20;

/// A plugin, and everything around it that a test may look at.
pub(super) struct Bench<P> {
    settings: Value,
    init: InitCtx,
    manifest: Manifest,
    plan: Plan,
    instance: Mutex<Arc<Local<P>>>,
    pub(super) host: Arc<FakeHost>,
    book: Mutex<Book>,
}

/// What the host of a real plugin keeps in its store.
#[derive(Default)]
pub(super) struct Book {
    pub(super) events: u64,
    pub(super) people: Vec<Person>,
    pub(super) rooms: Vec<Chat>,
    dialogs: HashMap<Whom, Dialog>,
    timers: Vec<Timer>,
    /// What was sent and not looked at, by conversation.
    unread: HashMap<ContactId, Vec<Sent>>,
    pub(super) media: Vec<SentMedia>,
    pub(super) acted: Vec<Action>,
    pub(super) crash: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Whom {
    chat: ContactId,
    person: ContactId,
}

struct Dialog {
    until_ms: i64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting(u64),
    Interrupted,
    Over,
}

struct Timer {
    name: String,
    due_ms: i64,
    chat: Chat,
    payload: Value,
}

/// What comes next on the clock.
enum Due {
    Timer(Timer),
    Dialog(u64),
}

/// What one event came to.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) sent: Vec<Sent>,
    pub(super) notes: Vec<Note>,
    pub(super) block: bool,
}

impl Whom {
    fn of(event: &Event) -> Option<Self> {
        let person = event.message().filter(|message| !message.from_self).and(event.sender.as_ref())?;
        (!event.late).then(|| Self { chat: event.chat.id.clone(), person: person.id.clone() })
    }
}

impl<P: Plugin> Bench<P> {
    pub(super) async fn start(settings: Value, init: InitCtx, host: FakeHost) -> Result<Self, PluginError> {
        let host = Arc::new(host);
        let instance = Local::<P>::start(&settings, init.clone(), host.clone()).await?;
        let instance = Mutex::new(Arc::new(instance));
        // Settings that a plugin starts with are good.
        let plan = P::Config::read(&settings, &init.place).map(|config| P::plan(&config)).unwrap_or_default();
        Ok(Self { settings, init, plan, manifest: P::manifest(), instance, host, book: Mutex::default() })
    }

    pub(super) fn book<T>(&self, f: impl FnOnce(&mut Book) -> T) -> T {
        f(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn instance(&self) -> Arc<Local<P>> {
        Arc::clone(&self.instance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn plugin(&self) -> &str {
        &self.manifest.id
    }

    /// An event that happens now.
    pub(super) fn event(&self, chat: Chat, sender: Option<Person>, kind: EventKind) -> Event {
        let number = self.book(|book| {
            book.events += 1;
            book.events + 1
        });
        #[expect(clippy::expect_used, reason = "one is constant, the other digits")]
        let (account, key) =
            ("test".parse::<AccountName>().expect("constant"), number.to_string().parse::<EventKey>().expect("digits"));
        Event { account, key, chat, sender, at_s: self.host.now_ms() / 1000, late: false, kind }
    }

    /// Makes a new instance over the same KV. Handlers that wait for somebody are gone.
    pub(super) async fn restart(&self) -> Result<(), PluginError> {
        let new = Local::<P>::start(&self.settings, self.init.clone(), self.host.clone()).await?;
        let old = std::mem::replace(&mut *self.instance.lock().unwrap_or_else(PoisonError::into_inner), Arc::new(new));
        self.book(|book| {
            let waiting = book.dialogs.values_mut().filter(|dialog| matches!(dialog.state, State::Waiting(_)));
            waiting.for_each(|dialog| dialog.state = State::Interrupted);
        });
        old.stop().await;
        Ok(())
    }

    /// Handles one event to its end.
    pub(super) async fn deliver(&self, event: Event) -> Result<Delivery, PluginError> {
        let event = Arc::new(event);
        let mut delivery = Delivery::default();
        if let Some(why) = self.unwanted(&event) {
            delivery.notes.push(Note { what: self.plugin().to_owned(), took: false, why });
            return Ok(delivery);
        }
        let whom = Whom::of(&event);
        let mut dialog = whom.as_ref().and_then(|whom| self.turn(whom, &mut delivery, &event));
        for attempt in 1..=MAX_CONFLICTS {
            let meta = CallMeta::first().attempt(attempt).roles(self.roles(&event)).explain(true);
            let call = Call { event: Arc::clone(&event), meta, dialog: dialog.take() };
            let answer = self.host.within_deadline(self.instance().call(call)).await;
            self.performed(&mut delivery);
            if self.book(|book| std::mem::take(&mut book.crash)) {
                self.restart().await?;
                dialog = whom.as_ref().and_then(|whom| self.turn(whom, &mut delivery, &event));
                continue;
            }
            let answer = answer?;
            if answer.is_lost_dialog() {
                delivery.sent.push(interrupted(&event));
                continue;
            }
            match self.commit(answer, &event, whom.as_ref(), &mut delivery) {
                Ok(()) => return Ok(delivery),
                Err(Conflict(key)) => {
                    let note = Note { what: key, took: false, why: "it was changed meanwhile: handled anew".into() };
                    delivery.notes.push(note);
                    // The handler that waited is gone.
                    dialog = whom.as_ref().and_then(|whom| self.turn(whom, &mut delivery, &event));
                }
            }
        }
        Err(PluginError::msg(format!("it was handled {MAX_CONFLICTS} times and others were always faster")))
    }

    fn unwanted(&self, event: &Event) -> Option<String> {
        let word = event.kind.word();
        if matches!(event.kind, EventKind::Timer { .. } | EventKind::Schedule { .. }) {
            return None;
        }
        if !self.manifest.events.iter().any(|wanted| wanted == word) {
            return Some(format!("its manifest wants no `{word}`"));
        }
        (event.late && !self.manifest.wants_late).then(|| "its manifest wants no late messages".to_owned())
    }

    /// The dialog that the event is the answer in, if its handler still waits. A person whose dialog was interrupted is
    /// told so.
    fn turn(&self, whom: &Whom, delivery: &mut Delivery, event: &Event) -> Option<u64> {
        let now_ms = self.host.now_ms();
        self.book(|book| {
            let dialog = book.dialogs.get_mut(whom)?;
            match dialog.state {
                State::Waiting(id) => {
                    dialog.state = State::Interrupted;
                    Some(id)
                }
                State::Interrupted if now_ms <= dialog.until_ms => {
                    delivery.sent.push(interrupted(event));
                    None
                }
                State::Interrupted | State::Over => None,
            }
        })
    }

    fn roles(&self, event: &Event) -> Vec<Role> {
        let Some(sender) = &event.sender else { return Vec::new() };
        let keys = [(sender.id.clone(), None), (sender.id.clone(), Some(event.chat.id.clone()))];
        self.host.state(|s| keys.iter().filter_map(|key| s.roles.get(key)).flatten().cloned().collect())
    }

    /// What was sent at once counts even when the handler fails.
    fn performed(&self, delivery: &mut Delivery) {
        let actions = self.host.state(|s| std::mem::take(&mut s.sent_now));
        for action in actions {
            delivery.sent.extend(Sent::of_action(&action));
            self.book(|book| book.acted.push(action));
        }
    }

    fn commit(
        &self,
        answer: Answer,
        event: &Event,
        whom: Option<&Whom>,
        delivery: &mut Delivery,
    ) -> Result<(), Conflict> {
        if let Err(conflict) = self.host.commit(&answer.effects) {
            if let Some(open) = answer.dialog {
                self.instance().forget(open.id);
            }
            return Err(conflict);
        }
        let now_ms = self.host.now_ms();
        let mut forgotten = None;
        self.book(|book| {
            if let Some(whom) = whom {
                let opened = answer
                    .dialog
                    .map(|open| Dialog { until_ms: later(now_ms, open.timeout_ms), state: State::Waiting(open.id) });
                let ended = book.dialogs.remove(whom);
                forgotten = ended.and_then(|dialog| match dialog.state {
                    State::Waiting(id) => Some(id),
                    State::Interrupted | State::Over => None,
                });
                book.dialogs.extend(opened.map(|dialog| (whom.clone(), dialog)));
            }
            for effect in answer.effects {
                book.take(effect, event, now_ms, &mut delivery.sent);
            }
        });
        if let Some(id) = forgotten {
            self.instance().forget(id);
        }
        delivery.notes.extend(answer.notes);
        delivery.block |= answer.block;
        Ok(())
    }

    /// Keeps what was sent to others than `chat` until somebody looks.
    pub(super) fn leave(&self, sent: Vec<Sent>, chat: Option<&ContactId>) -> Vec<Sent> {
        let (here, elsewhere) = sent.into_iter().partition::<Vec<_>, _>(|sent| Some(&sent.to) == chat);
        self.book(|book| {
            for sent in elsewhere {
                book.unread.entry(sent.to.clone()).or_default().push(sent);
            }
        });
        here
    }

    pub(super) fn unread(&self, chat: &ContactId) -> Vec<Sent> {
        self.book(|book| book.unread.remove(chat).unwrap_or_default())
    }

    /// Lets time pass: timers fire and dialogs end when they are due, the earliest first.
    pub(super) async fn advance(&self, ms: i64) -> Result<Delivery, PluginError> {
        let target_ms = self.host.now_ms().saturating_add(ms);
        let mut all = Delivery::default();
        while let Some((due_ms, due)) = self.book(|book| book.next_due(target_ms)) {
            self.host.pass_ms((due_ms - self.host.now_ms()).max(0)).await;
            match due {
                Due::Dialog(id) => self.instance().forget(id),
                Due::Timer(Timer { name, due_ms, chat, payload }) => {
                    let kind = EventKind::Timer { plugin: self.plugin().to_owned(), name, payload, due_ms };
                    let delivery = self.deliver(self.event(chat, None, kind)).await?;
                    self.leave(delivery.sent.clone(), None);
                    all.sent.extend(delivery.sent);
                    all.notes.extend(delivery.notes);
                }
            }
        }
        self.host.pass_ms((target_ms - self.host.now_ms()).max(0)).await;
        Ok(all)
    }

    /// The event of a schedule that is due now; it belongs to no conversation.
    pub(super) fn schedule(&self, name: &str) -> Event {
        #[expect(clippy::expect_used, reason = "a letter and a digit")]
        let chat = Chat { id: "m0".parse().expect("a contact id"), kind: ChatKind::Special, name: String::new() };
        let due_ms = self.host.now_ms();
        let kind = EventKind::Schedule { plugin: self.plugin().to_owned(), name: name.to_owned(), due_ms };
        self.event(chat, None, kind)
    }

    /// The names of the plugin's schedules, of its handlers and of its settings.
    pub(super) fn schedules(&self) -> Vec<&str> {
        let is_cron = |trigger: &crate::manifest::Trigger| matches!(trigger, crate::manifest::Trigger::Cron { .. });
        let handlers = self.manifest.handlers.iter();
        let of_handlers = handlers.filter(|handler| is_cron(&handler.trigger)).map(|handler| &*handler.name);
        of_handlers.chain(self.plan.schedules.iter().map(|planned| &*planned.name)).collect()
    }
}

impl Book {
    fn take(&mut self, effect: Effect, event: &Event, now_ms: i64, sent: &mut Vec<Sent>) {
        match effect {
            Effect::Reply { text, mention_sender } => {
                sent.push(Sent::reply(&event.chat.id, text, mention_sender && event.is_group()));
            }
            Effect::Media { to, shape, source } => {
                let media = SentMedia { to: to.unwrap_or_else(|| event.chat.id.clone()), shape, source };
                sent.push(Sent::of_media(media.clone()));
                self.media.push(media);
            }
            Effect::Act(action) => {
                sent.extend(Sent::of_action(&action));
                self.acted.push(action);
            }
            Effect::Timer { name, after_ms, payload } => {
                self.timers.retain(|timer| timer.name != name);
                let due_ms = later(now_ms, after_ms);
                self.timers.push(Timer { name, due_ms, chat: event.chat.clone(), payload });
            }
            Effect::CancelTimer { name } => self.timers.retain(|timer| timer.name != name),
            Effect::Put { .. } | Effect::Delete { .. } | Effect::Swap { .. } => {}
        }
    }

    /// The first thing that is due until then. A dialog that ends at the moment a timer fires ends before it.
    fn next_due(&mut self, until_ms: i64) -> Option<(i64, Due)> {
        let waiting = self.dialogs.values_mut().filter_map(|dialog| match dialog.state {
            State::Waiting(id) => Some((dialog.until_ms, id, dialog)),
            State::Interrupted | State::Over => None,
        });
        let dialog = waiting.min_by_key(|(due_ms, id, _)| (*due_ms, *id));
        let timer = self.timers.iter().enumerate().min_by_key(|(_, timer)| timer.due_ms);
        let timer = timer.map(|(n, timer)| (timer.due_ms, n));
        match (dialog, timer) {
            (Some((due_ms, id, dialog)), timer) if timer.is_none_or(|(at_ms, _)| due_ms <= at_ms) => {
                (due_ms <= until_ms).then(|| {
                    dialog.state = State::Over;
                    (due_ms, Due::Dialog(id))
                })
            }
            (_, Some((due_ms, n))) => (due_ms <= until_ms).then(|| (due_ms, Due::Timer(self.timers.remove(n)))),
            (_, None) => None,
        }
    }

    /// The names of the timers that are set.
    pub(super) fn timers(&self) -> Vec<String> {
        self.timers.iter().map(|timer| timer.name.clone()).collect()
    }
}

fn later(now_ms: i64, by_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(by_ms).unwrap_or(i64::MAX))
}

fn interrupted(event: &Event) -> Sent {
    Sent::reply(&event.chat.id, INTERRUPTED.to_owned(), event.is_group())
}

/// Runs a handler without any of this.
pub(super) async fn effects<P: Plugin>(bench: &Bench<P>, event: &Event) -> Result<Effects, PluginError> {
    let call = Call { event: Arc::new(event.clone()), meta: CallMeta::first(), dialog: None };
    Ok(bench.instance().call(call).await?.effects)
}
