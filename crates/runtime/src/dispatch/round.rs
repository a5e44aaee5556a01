//! Who sees an event, and in which order? At the end of the chain: whoever waits for it, wxbot itself, then the plugins.
//!
//! What a station holds back is for plugins that keep watch alone. An event of a plugin's own clock goes to that plugin alone. A message that somebody waits for goes to that handler
//! alone. Everything else goes to the plugins by priority, until one of them blocks it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use wxbot_model::Event;
use wxbot_plugin::host::{Answer, Call, CallMeta};
use wxbot_plugin::middleware::{Destination, HeldBack};
use wxbot_plugin::{Effects, Envelope, Outcome};

use super::WXBOT;
use super::collect::{Hands, Share};
use super::dialogs::{self, Parked, Question, Turn, Whom};
use super::roles::roles_of;
use crate::account::{Account, Settings};
use crate::builtin;
use crate::explain::Recorder;
use crate::explain::trace::Skip;
use crate::plugin::{Held, Trouble};
use crate::store::InboxRow;

/// The end of the chain for one try of one event.
pub(super) struct Round<'a> {
    pub(super) account: &'a Account,
    pub(super) settings: &'a Settings,
    pub(super) row: &'a InboxRow,
    /// Errors of former tries.
    pub(super) errors: u32,
    /// Plugins whose answers the store has refused in this try: they are not asked again, this is their error.
    pub(super) refused: &'a [(Arc<str>, String)],
    /// Who keeps the trace, if somebody does.
    seen: Option<&'a Recorder>,
    harvest: Mutex<Harvest>,
}

/// What the plugins made of one event.
#[derive(Default)]
pub(super) struct Harvest {
    pub(super) shares: Vec<Share>,
    /// The first trouble; the others are tried again with it.
    pub(super) trouble: Option<(Arc<str>, Trouble)>,
    /// Those that shall not see it again: they answered, or were blocked.
    pub(super) done: Vec<String>,
    /// Whose dialog is over with this event, unless there is another question.
    pub(super) talk: Option<Whom>,
    asked: usize,
}

impl<'a> Round<'a> {
    pub(super) fn new(
        account: &'a Account,
        settings: &'a Settings,
        row: &'a InboxRow,
        errors: u32,
        refused: &'a [(Arc<str>, String)],
        seen: Option<&'a Recorder>,
    ) -> Self {
        Self { account, settings, row, errors, refused, seen, harvest: Mutex::default() }
    }

    /// What came of it.
    pub(super) fn harvest(self) -> Harvest {
        self.harvest.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination for Round<'_> {
    fn arrive(&self, env: Envelope) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let mut event = env.event;
            // Somebody asked for it now, however old it is.
            event.late &= self.row.replay.is_none();
            let event = Arc::new(event);
            let meta = CallMeta::first().attempt(env.attempt).roles(roles_of(self.settings, &event));
            let meta = meta.explain(self.seen.is_some()).replay(self.row.replay.is_some());
            let mut turn = Hand { round: self, event, meta, held: env.held, harvest: Harvest::default() };
            let outcome = turn.out().await;
            *self.harvest.lock().unwrap_or_else(PoisonError::into_inner) = turn.harvest;
            outcome
        })
    }
}

/// One event in hand.
struct Hand<'a> {
    round: &'a Round<'a>,
    event: Arc<Event>,
    meta: CallMeta,
    held: Option<HeldBack>,
    harvest: Harvest,
}

/// What an asked plugin leaves for those behind it.
enum Asked {
    /// They see the event too.
    Next,
    /// They do not.
    Blocked,
}

impl Hand<'_> {
    async fn out(&mut self) -> Outcome {
        if let Some(plugin) = self.round.row.replay.as_ref().and_then(|replay| replay.plugin.clone()) {
            return self.ask_again(&plugin).await;
        }
        if let Some(plugin) = self.event.kind.of_plugin() {
            let plugin = plugin.to_owned();
            return self.ask_its_plugin(&plugin).await;
        }
        let dialogs = &self.round.account.dialogs;
        // What is held back answers those that keep watch, and nobody else.
        let whom = Whom::of(&self.event).filter(|_| !self.event.late);
        let whom = whom.filter(|whom| self.held.is_none() || dialogs.waits_for(whom, |held| held.manifest.watches));
        if let Some(whom) = whom
            && self.goes_on(whom).await
        {
            return self.passed();
        }
        if self.held.is_none() && self.ask_wxbot().await {
            return self.passed();
        }
        self.ask_plugins().await
    }

    fn passed(&self) -> Outcome {
        let shares = || self.harvest.shares.iter();
        Outcome::Passed {
            actions: shares().map(|share| share.sends.len()).sum(),
            said: shares().map(|share| share.said).sum(),
        }
    }

    async fn ask_its_plugin(&mut self, id: &str) -> Outcome {
        let settings = self.round.settings;
        let Some(plugin) = settings.plugins.iter().find(|plugin| *plugin.id == *id) else {
            let why = format!("the account no longer uses plugin `{id}`, whose it is");
            return Outcome::stopped(self.event.kind.word(), why);
        };
        if self.is_silenced(plugin) {
            return Outcome::stopped(self.event.kind.word(), "`/plugin off` silenced the plugin in this chat");
        }
        self.ask(plugin).await;
        self.passed()
    }

    /// What is handled once more for one plugin: the others, dialogs and wxbot's own commands had their turn.
    async fn ask_again(&mut self, id: &str) -> Outcome {
        let Round { account, settings, row, .. } = *self.round;
        let stopped = |why: String| Outcome::stopped("replay", why);
        let Some(plugin) = settings.plugins.iter().find(|plugin| *plugin.id == *id) else {
            return stopped(format!("the account does not use plugin `{id}` any more"));
        };
        match self.skips(plugin) {
            Some(Skip::Silenced) => return stopped(format!("`/plugin off` silenced `{id}` in this chat")),
            Some(Skip::HeldBack { by }) => return stopped(format!("{by} holds it back")),
            Some(Skip::NotWanted { kind }) => return stopped(format!("`{id}` does not take `{kind}`")),
            Some(Skip::DoneBefore) => return self.passed(),
            Some(_) | None => {}
        }
        let _withheld = row.replay.as_ref().filter(|replay| !replay.send).map(|_| account.withheld.begin(&plugin.id));
        self.ask(plugin).await;
        self.passed()
    }

    /// Whether the event was the answer in a dialog, and has nothing else to do.
    async fn goes_on(&mut self, whom: Whom) -> bool {
        let Round { account, row, errors, .. } = *self.round;
        let first = errors == 0 && row.done.is_empty();
        match account.dialogs.turn(&whom, &self.event, row.seq, first, account.source.now_ms()) {
            Turn::Ordinary => return false,
            Turn::Over => {}
            Turn::Interrupted => self.tell_interrupted().await,
            Turn::Answer(parked) => {
                if self.resume(&whom, parked).await {
                    return true;
                }
                self.tell_interrupted().await;
            }
        }
        self.harvest.talk = Some(whom);
        false
    }

    /// Hands the event to the handler that waits for it; false when there is none any more.
    async fn resume(&mut self, whom: &Whom, parked: Parked) -> bool {
        let plugin = Arc::clone(&parked.plugin);
        if self.is_silenced(&plugin) {
            return false;
        }
        let answer = self.run(&plugin, parked.dialog()).await;
        match answer {
            Ok(answer) if answer.is_lost_dialog() => return false,
            // It was not asked, and is when its rest is over.
            Err(trouble @ Trouble::Open(_)) => {
                self.round.account.dialogs.put_back(whom, parked, self.round.account.source.now_ms());
                self.fail(&plugin.id, trouble);
            }
            // Its dialog has ended with that. The next try is that of an ordinary message.
            Err(trouble @ Trouble::Failed(_)) => {
                // Perhaps it was never reached: what waits there is forgotten with `parked`.
                self.fail(&plugin.id, trouble);
            }
            Ok(answer) => {
                parked.resumed();
                if self.take(&plugin, answer).await.is_some() {
                    self.harvest.talk = Some(whom.clone());
                }
            }
        }
        true
    }

    async fn tell_interrupted(&mut self) {
        // Whoever cannot be told need not be: the account cannot send texts.
        let told = Effects::none().and_reply_at_sender(dialogs::INTERRUPTED);
        if let Ok(share) = self.hands(&Arc::from(WXBOT)).collect(&self.event, told, 0).await {
            self.harvest.shares.push(share);
        }
    }

    /// Whether it was for wxbot itself.
    async fn ask_wxbot(&mut self) -> bool {
        let Round { account, settings, .. } = *self.round;
        let answer = builtin::answer(account, settings, &self.event, &self.meta.roles).await;
        let Some((word, effects)) = answer else { return false };
        self.round.seen.inspect(|seen| seen.builtin(word));
        let own = Arc::from(WXBOT);
        let told = self.harvest.shares.iter().map(|share| share.sends.len()).sum();
        match self.hands(&own).collect(&self.event, effects, told).await {
            Ok(share) => self.harvest.shares.push(share),
            Err(why) => self.fail(&own, Trouble::Failed(why)),
        }
        true
    }

    async fn ask_plugins(&mut self) -> Outcome {
        let mut too_late = false;
        let mut plugins = self.round.settings.plugins.iter();
        while let Some(plugin) = plugins.next() {
            if let Some(why) = self.skips(plugin) {
                if why == Skip::Late {
                    too_late = true;
                    // Noted, since at a next try nobody is skipped for the time that the failures took.
                    self.harvest.done.push(plugin.id.to_string());
                }
                self.round.seen.inspect(|seen| seen.skipped(&plugin.id, why));
                continue;
            }
            if let Asked::Blocked = self.ask(plugin).await {
                // Noted, since another one's failure may bring the event back.
                for later in plugins {
                    let by = plugin.id.to_string();
                    self.round.seen.inspect(|seen| seen.skipped(&later.id, Skip::Blocked { by }));
                    self.harvest.done.push(later.id.to_string());
                }
                break;
            }
        }
        if let Some(HeldBack { by, why }) = self.held.take_if(|_| self.harvest.asked == 0) {
            return Outcome::Stopped { by, why };
        }
        if too_late && self.harvest.asked == 0 {
            return Outcome::stopped("late", "older than the limit, and no plugin asked for late messages");
        }
        self.passed()
    }

    /// Why the plugin is not asked, if it is not.
    fn skips(&self, plugin: &Held) -> Option<Skip> {
        if !plugin.wants(&self.event) {
            Some(Skip::NotWanted { kind: self.event.kind.word().to_owned() })
        } else if self.round.row.done.iter().any(|id| **id == *plugin.id) {
            Some(Skip::DoneBefore)
        } else if let Some(held) = self.held.as_ref().filter(|_| !plugin.manifest.watches) {
            Some(Skip::HeldBack { by: held.by.to_string() })
        } else if self.event.late && !plugin.manifest.wants_late && self.round.errors == 0 {
            // At the first try. What was in time then and failed since is tried to its end, and is dead at last: ending as
            // too late would hide the failure.
            Some(Skip::Late)
        } else if self.is_silenced(plugin) {
            Some(Skip::Silenced)
        } else {
            None
        }
    }

    fn is_silenced(&self, plugin: &Held) -> bool {
        self.round.account.silenced.has(&self.event.chat.id, &plugin.id)
    }

    async fn ask(&mut self, plugin: &Arc<Held>) -> Asked {
        self.harvest.asked += 1;
        if let Some((_, why)) = self.round.refused.iter().find(|(id, _)| *id == plugin.id) {
            self.fail(&plugin.id, Trouble::Failed(why.clone()));
            return Asked::Next;
        }
        match self.run(plugin, None).await {
            Ok(answer) => self.take(plugin, answer).await.unwrap_or(Asked::Next),
            Err(trouble) => {
                self.fail(&plugin.id, trouble);
                Asked::Next
            }
        }
    }

    /// Takes what a plugin answered; `None` when it asks for what cannot be done.
    async fn take(&mut self, plugin: &Arc<Held>, answer: Answer) -> Option<Asked> {
        let parked = answer.dialog.map(|open| (Parked::new(plugin, open.id), open));
        let mut collected = self.hands(&plugin.id).collect(&self.event, answer.effects, 0).await;
        if let (Ok(share), Some((parked, open))) = (&mut collected, parked) {
            let now_ms = self.round.account.source.now_ms();
            match self.whom_to_ask(now_ms) {
                Ok(whom) => share.question = Some(Question::new(whom, self.round.row.seq, parked, open, now_ms)),
                Err(why) => collected = Err(why),
            }
        }
        match collected {
            Ok(share) => {
                self.harvest.shares.push(share);
                self.harvest.done.push(plugin.id.to_string());
                Some(if answer.block { Asked::Blocked } else { Asked::Next })
            }
            Err(why) => {
                self.fail(&plugin.id, Trouble::Failed(why));
                None
            }
        }
    }

    fn whom_to_ask(&self, now_ms: i64) -> Result<Whom, String> {
        let whom = Whom::of(&self.event).ok_or("it asked somebody where there is nobody to answer")?;
        if self.round.account.dialogs.has_room_for(&whom, now_ms) { Ok(whom) } else { Err(dialogs::FULL.into()) }
    }

    async fn run(&self, plugin: &Held, dialog: Option<u64>) -> Result<Answer, Trouble> {
        let call = Call { event: Arc::clone(&self.event), meta: self.meta.clone(), dialog };
        let Some(seen) = self.round.seen else { return plugin.run(call).await };
        let begun = Instant::now();
        let answer = plugin.run(call).await;
        seen.asked(&plugin.id, begun.elapsed(), answer.as_ref());
        answer
    }

    fn hands<'h>(&'h self, plugin: &'h Arc<str>) -> Hands<'h> {
        Hands { account: self.round.account, settings: self.round.settings, plugin }
    }

    fn fail(&mut self, plugin: &Arc<str>, trouble: Trouble) {
        self.harvest.trouble.get_or_insert((Arc::clone(plugin), trouble));
    }
}
