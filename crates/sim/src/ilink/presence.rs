//! Typing notices, `notifystart` and `notifystop`.

use serde_json::{Value, json};

use crate::ilink::IlinkSim;
use crate::ilink::bot::Bot;
use crate::ilink::call::Call;
use crate::ilink::journal::{IlinkPresence, IlinkTyping};

impl IlinkSim {
    /// `getconfig`: a ticket for typing notices.
    pub(super) fn get_config(&self, call: &Call<'_>, bot: &Bot) -> Value {
        let mut state = bot.state();
        let Some(at) = self.user(call, bot, &state.people) else {
            return json!({"ret": -2, "errmsg": "ilink_user_id required"});
        };
        let Some(person) = state.people.get_mut(at) else { return json!({"ret": -2}) };
        let token = call.text("context_token");
        if !token.is_empty() && !person.gave(token) {
            call.hard("a `context_token` that was not given for this person");
        }
        if person.tokens.is_empty() {
            return json!({"ret": -4, "errmsg": "GetTypingTicket rpc failed"});
        }
        let ticket = self.opaque(24);
        person.ticket = Some(ticket.clone());
        json!({"ret": 0, "typing_ticket": ticket})
    }

    /// `sendtyping`.
    pub(super) fn send_typing(&self, call: &Call<'_>, bot: &Bot) -> Value {
        let on = match call.body.get("status").and_then(Value::as_u64) {
            Some(1) => true,
            Some(2) => false,
            Some(_) | None => {
                call.hard("`status` is neither 1 nor 2");
                return json!({"ret": -2, "errmsg": "status required"});
            }
        };
        let mut state = bot.state();
        let Some(at) = self.user(call, bot, &state.people) else {
            return json!({"ret": -2, "errmsg": "ilink_user_id required"});
        };
        let Some(person) = state.people.get_mut(at) else { return json!({"ret": -2}) };
        let ticket = call.text("typing_ticket");
        if person.ticket.as_deref() != Some(ticket) {
            if ticket.is_empty() {
                call.hard("`typing_ticket` is missing");
            }
            return json!({"ret": -4, "errmsg": "typing ticket refused"});
        }
        person.typing = on;
        let (account, to) = (bot.name.clone(), person.nick.clone());
        drop(state);
        let entry = IlinkTyping { account, at_ms: self.now_ms(), to, on };
        self.shared.book.add(|journal| &mut journal.typing, entry);
        json!({"ret": 0})
    }

    /// `msg/notifystart` and `msg/notifystop`.
    pub(super) fn notify(&self, bot: &Bot, on: bool) -> Value {
        let entry = IlinkPresence { account: bot.name.clone(), at_ms: self.now_ms(), on };
        self.shared.book.add(|journal| &mut journal.presence, entry);
        json!({"ret": 0})
    }

    /// Whom `ilink_user_id` names; noted when it names nobody.
    fn user(&self, call: &Call<'_>, bot: &Bot, people: &[super::bot::Person]) -> Option<usize> {
        let id = call.text("ilink_user_id");
        if id.is_empty() {
            call.hard(match call.body.contains_key("user_id") {
                true => "`user_id` instead of `ilink_user_id`",
                false => "`ilink_user_id` is missing",
            });
            return None;
        }
        let found = people.iter().position(|person| person.id == id);
        if found.is_none() {
            tracing::debug!(account = bot.name, "A person that this bot does not know.");
            call.hard("`ilink_user_id` is nobody that this bot knows");
        }
        found
    }

    /// Forgets the typing tickets of a bot: the next notice is refused.
    pub fn expire_tickets(&self, account: &str) -> Result<(), crate::SimError> {
        self.bot(account)?.state().people.iter_mut().for_each(|person| person.ticket = None);
        Ok(())
    }
}
