//! What happens when rules act? Replies, messages passed on, invitations, notices, tags, and the end of the event's way.

mod forwards;
mod notices;
mod rests;
mod tags;

use wxbot_plugin::Effect;
use wxbot_plugin::local::Local;
use wxbot_plugin::model::ContactKind;
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::{Facts, TEXT_BYTES};
use wxbot_plugin::text::shortened;

use crate::engine::Hit;
use crate::judge::Ruling;
use crate::settings::{Notify, Per, Reply, Rule, Settings};

pub(crate) use forwards::are_passed;
pub(crate) use notices::{More, merged};
pub(crate) use rests::are_over;

use forwards::{Forwards, Held};
use notices::Notices;
use rests::{Of, Rests};

/// What one event may do at most: wxbot refuses the whole answer when it is more.
const ACTIONS: usize = 20;
/// How many actions are left for whoever adds some to [those of the rules](is_little).
pub(crate) const SPARE: usize = 5;
/// Replies to one text; whoever writes a page with a hundred keywords gets no page back.
const REPLIES: usize = 5;
/// How long the same person is not invited again to the same room.
const INVITE_EVERY_MS: i64 = 10 * 60_000;
/// How much of a text a notice repeats.
const QUOTED_BYTES: usize = 1_000;

/// What one event comes to.
struct Acts<'a> {
    settings: &'a Settings,
    event: &'a Event,
    cx: &'a Ctx,
    message: &'a Message,
    sender: &'a ContactId,
    now: Local,
    effects: Effects,
    actions: usize,
    replies: usize,
}

/// Does what the rules say that act, and says for `wxbot explain` what it did and left undone.
pub(crate) async fn act(
    settings: &Settings,
    event: &Event,
    cx: &Ctx,
    rulings: &[Ruling<'_>],
) -> Result<Effects, PluginError> {
    let (Some(message), Some(sender)) = (event.message(), &event.sender) else { return Ok(Effects::none()) };
    let acting = || rulings.iter().filter(|ruling| ruling.why_not.is_none());
    let mut acts = Acts {
        settings,
        event,
        cx,
        message,
        sender: &sender.id,
        now: Local::at(cx.now_ms(), &settings.tz),
        effects: Effects::none(),
        actions: 0,
        replies: 0,
    };
    let chat = &event.chat.id;
    let rests = |of: Per| acting().any(|ruling| matches!(settings.silence(ruling.rule), (1.., per) if per == of));
    let mut rests = Resting {
        chat: Rests::read(cx, chat, Of::Chat, rests(Per::Chat)).await?,
        person: Rests::read(cx, chat, Of::Person(&sender.id), rests(Per::Person)).await?,
    };
    let any = |wants: fn(&Rule) -> bool| acting().any(|ruling| ruling.rule.is_some_and(wants));
    let mut invited = Rests::read(cx, chat, Of::Invited(&sender.id), any(|rule| rule.invite_to.is_some())).await?;
    let mut forwards = Forwards::read(cx, chat, any(|rule| !rule.forward_to.is_empty())).await?;
    let notified = acting().any(|ruling| ruling.rule.is_some_and(|rule| rule.notify.is_on()));
    let mut notices = Notices::read(cx, &event.chat.id, notified).await?;
    for ruling in acting() {
        acts.reply(ruling, &mut rests);
        if let Some(rule) = ruling.rule {
            acts.forward(ruling, rule, &mut forwards)?;
            acts.invite(ruling, rule, &mut invited);
            acts.notify(ruling, rule, &mut notices)?;
            if rule.stop {
                cx.block();
            }
        }
    }
    let tags = acting().flat_map(tags_of).collect::<Vec<_>>();
    let tagged = tags::remember(cx, &sender.id, &tags, cx.now_ms()).await?;
    let kept = rests.chat.written()?.then(rests.person.written()?).then(invited.written()?).then(forwards.written()?);
    Ok(acts.effects.then(kept).then(notices.written()?).then(tagged))
}

/// What nobody in the chat hears for a while, and what the sender does not.
struct Resting {
    chat: Rests,
    person: Rests,
}

/// Whether [so many](SPARE) actions may be added.
pub(crate) fn is_little(effects: &Effects) -> bool {
    let actions = effects.iter().filter(|effect| matches!(effect, Effect::Reply { .. } | Effect::Act(_)));
    actions.count() + SPARE <= ACTIONS
}

/// What a rule remembers of whoever said one of its keywords.
fn tags_of(ruling: &Ruling<'_>) -> Vec<String> {
    let of_rule = ruling.rule.into_iter().flat_map(|rule| rule.tag.iter().map(|tag| tag.text.clone()));
    of_rule.chain(ruling.found.hits.iter().filter_map(|hit| hit.tag.clone())).collect()
}

impl Acts<'_> {
    /// Room for one more action?
    fn room(&mut self, ruling: &Ruling<'_>, what: &str) -> bool {
        if self.actions < ACTIONS {
            self.actions += 1;
            return true;
        }
        self.note(ruling, false, || format!("{what}: {ACTIONS} things are done for one message and no more"));
        false
    }

    fn note(&self, ruling: &Ruling<'_>, took: bool, why: impl FnOnce() -> String) {
        self.cx.note(&format!("rule {}", ruling.name), took, why);
    }

    fn reply(&mut self, ruling: &Ruling<'_>, rests: &mut Resting) {
        let own = ruling.found.own_reply();
        let template = ruling.rule.and_then(|rule| rule.reply.as_ref());
        if own.is_none() && template.is_none() {
            return;
        }
        let (silence_ms, per) = self.settings.silence(ruling.rule);
        let rests = match per {
            Per::Chat => &mut rests.chat,
            Per::Person => &mut rests.person,
        };
        if let Some(left_ms) = rests.left_ms(&ruling.name, self.cx.now_ms()) {
            let left_s = left_ms.cast_unsigned().div_ceil(1_000);
            return self.note(ruling, false, || format!("cooldown: it would reply, and rests for {left_s} s more"));
        }
        if self.replies == REPLIES {
            return self.note(ruling, false, || format!("reply: {REPLIES} replies to one message and no more"));
        }
        let text = match (own, template) {
            (Some(own), _) => Some(shortened(own, TEXT_BYTES)),
            (None, Some(template)) => self.filled(ruling, "reply", template),
            (None, None) => None,
        };
        let Some(text) = text else { return };
        if !self.room(ruling, "reply") {
            return;
        }
        self.replies += 1;
        let mention = self.event.is_group() && ruling.rule.is_some_and(|rule| rule.mention);
        let effects = std::mem::take(&mut self.effects);
        self.effects = if mention { effects.and_reply_at_sender(text) } else { effects.and_reply(text) };
        rests.begin(&ruling.name, silence_ms, self.cx.now_ms());
        self.note(ruling, true, || "it replies".to_owned());
    }

    fn forward(&mut self, ruling: &Ruling<'_>, rule: &Rule, passed: &mut Forwards) -> Result<(), PluginError> {
        let said = (self.sender, self.event.text().unwrap_or_default());
        let most = self.settings.forward_limit;
        for to in rule.forward_to.iter() {
            if *to == self.event.chat.id {
                self.note(ruling, false, || "forward: this is the chat it would go to".to_owned());
            } else if self.actions < ACTIONS
                && let Err(held) = passed.pass((&ruling.name, to), said, most, self.cx.now_ms())
            {
                self.note(ruling, false, || match held {
                    Held::Same => format!("forward: it passed the same on to {to} a moment ago"),
                    Held::Full => {
                        format!("forward: it passed {most} messages on to {to} in a minute (`forward_limit`)")
                    }
                });
            } else if self.room(ruling, "forward") {
                self.effects = std::mem::take(&mut self.effects).forward(to.clone(), self.message)?;
                self.note(ruling, true, || format!("it passes the message on to {to}"));
            }
        }
        Ok(())
    }

    fn invite(&mut self, ruling: &Ruling<'_>, rule: &Rule, invited: &mut Rests) {
        let Some(room) = &rule.invite_to else { return };
        if let Some(why) = not_invited(self.event, self.cx, self.sender, room) {
            self.note(ruling, false, || format!("invite: {why}"));
        } else if invited.left_ms(room.as_str(), self.cx.now_ms()).is_some() {
            self.note(ruling, false, || "invite: it invited this person a moment ago".to_owned());
        } else if self.room(ruling, "invite") {
            self.effects = std::mem::take(&mut self.effects).add_members(room.clone(), [self.sender.clone()]);
            invited.begin(room.as_str(), INVITE_EVERY_MS, self.cx.now_ms());
            self.note(ruling, true, || format!("it invites the sender to {room}"));
        }
    }

    fn notify(&mut self, ruling: &Ruling<'_>, rule: &Rule, notices: &mut Notices) -> Result<(), PluginError> {
        if !rule.notify.is_on() {
            return Ok(());
        }
        let mut told = recipients(&rule.notify, self.cx);
        told.retain(|id| id != self.sender && *id != self.event.chat.id);
        if told.is_empty() {
            self.note(ruling, false, || {
                "notify: there is nobody to tell but who said it (`notify`, or owners in [accounts.roles])".to_owned()
            });
            return Ok(());
        }
        let every_ms = crate::settings::ms(self.settings.notify_every);
        if let Some(timer) = notices.hold_back(&ruling.name, self.cx.now_ms(), every_ms) {
            self.note(ruling, true, || "notify: it told a moment ago, and counts".to_owned());
            if let Some(after) = timer {
                let more = More { rule: ruling.name.clone(), n: ruling.n };
                let name = format!("more:{}:{}", self.event.chat.id, ruling.n);
                self.effects = std::mem::take(&mut self.effects).timer(name, after, &more)?;
            }
            return Ok(());
        }
        let text = match &rule.notify_text {
            Some(template) => self.filled(ruling, "notify_text", template),
            None => Some(self.usual_notice(ruling)),
        };
        let Some(text) = text else { return Ok(()) };
        for to in told {
            if self.room(ruling, "notify") {
                self.effects = std::mem::take(&mut self.effects).and_send(to.clone(), &*text);
                self.note(ruling, true, || format!("it tells {to}"));
            }
        }
        notices.told(ruling.name.clone(), self.cx.now_ms());
        Ok(())
    }

    fn usual_notice(&self, ruling: &Ruling<'_>) -> String {
        let sender = self.event.sender.as_ref().map_or("", |person| &person.name);
        let place = if self.event.is_group() {
            format!("「{}」里的", self.event.chat.name)
        } else {
            "私聊里的".to_owned()
        };
        let words: Vec<&str> = ruling.found.hits.iter().take(5).map(|hit| &*hit.found).collect();
        let text = shortened(self.event.text().unwrap_or_default().trim(), QUOTED_BYTES);
        format!("🔔 {}:{place}{sender} 说了「{}」\n{text}", ruling.name, words.join("」「"))
    }

    /// A template's text; when it fails the rule's other actions go on.
    fn filled(&self, ruling: &Ruling<'_>, key: &str, template: &Reply) -> Option<String> {
        let facts = facts(self.event, ruling, self.now);
        template.template().render(&facts).unwrap_or_else(|why| {
            tracing::warn!(rule = %ruling.name, key, %why, "A template failed.");
            self.note(ruling, false, || format!("its `{key}` failed: {why}"));
            None
        })
    }
}

/// Why this person is not invited to the room. Whoever can merely be seen in a room never asked to be.
fn not_invited(event: &Event, cx: &Ctx, sender: &ContactId, room: &ContactId) -> Option<&'static str> {
    let is_friend = || cx.contact(sender).is_some_and(|contact| contact.kind == ContactKind::Person && contact.is_ours);
    if *room == event.chat.id {
        Some("the sender is in that room")
    } else if !cx.can(Capability::AddMembers) {
        Some("this account's protocol cannot do it")
    } else if event.is_group() && !is_friend() {
        Some("the sender is no friend of this account")
    } else {
        None
    }
}

fn recipients(notify: &Notify, cx: &Ctx) -> Vec<ContactId> {
    match notify {
        Notify::Nobody => Vec::new(),
        Notify::Owners => cx.people(&Role::Owner),
        Notify::These(ids) => ids.iter().cloned().collect(),
    }
}

/// What templates know.
pub(crate) fn facts(event: &Event, ruling: &Ruling<'_>, now: Local) -> Facts {
    let best = ruling.found.best();
    let hit = |of: fn(&Hit) -> &str| best.map_or("", of);
    let (sender, sender_id) =
        event.sender.as_ref().map_or(("", ""), |person| (person.name.as_str(), person.id.as_str()));
    Facts::new()
        .text("sender", sender)
        .text("sender_id", sender_id)
        .text("room", if event.is_group() { &event.chat.name } else { "" })
        .text("chat", &event.chat.name)
        .text("chat_id", event.chat.id.as_str())
        .text("text", event.text().unwrap_or_default().trim())
        .text("keyword", hit(|hit| &hit.keyword))
        .text("found", hit(|hit| &hit.found))
        .text("rule", &ruling.name)
        .text("account", event.account.as_str())
        .text("date", &now.date())
        .text("time", &now.time())
}

/// What a rule that acts would do, for people.
pub(crate) fn promise(settings: &Settings, event: &Event, cx: &Ctx, ruling: &Ruling<'_>) -> Vec<String> {
    let mut all = Vec::new();
    let now = Local::at(cx.now_ms(), &settings.tz);
    let template = ruling.rule.and_then(|rule| rule.reply.as_ref());
    let reply = match (ruling.found.own_reply(), template) {
        (Some(own), _) => Some(own.to_owned()),
        (None, Some(template)) => match template.template().render(&facts(event, ruling, now)) {
            Ok(text) => text,
            Err(why) => Some(format!("(模板出错: {why})")),
        },
        (None, None) => None,
    };
    all.extend(reply.map(|text| format!("回复「{}」", shortened(&text, 200))));
    if let Some(rule) = ruling.rule {
        all.extend(rule.forward_to.iter().map(|to| format!("转发给 {to}")));
        if let (Some(room), Some(sender)) = (&rule.invite_to, &event.sender) {
            all.push(match not_invited(event, cx, &sender.id, room) {
                None => format!("邀请进 {room}"),
                Some(why) => format!("不邀请 ({why})"),
            });
        }
        if rule.notify.is_on() {
            all.push(format!("通知 {} 人", recipients(&rule.notify, cx).len()));
        }
    }
    let tags = tags_of(ruling);
    if !tags.is_empty() {
        all.push(format!("标记「{}」", tags.join("」「")));
    }
    if ruling.rule.is_some_and(|rule| rule.stop) {
        all.push("到此为止".to_owned());
    }
    all
}
