//! How do friends and rooms change? Each change is one call; what it teaches goes into the book.

use std::slice::from_ref;
use std::sync::{Arc, PoisonError};

use wxbot_model::{Contact, ContactKind, PeerId};

use super::convert;
use super::outcome::{of_act, of_question};
use super::ret::Ret;
use super::sender::WebSender;
use crate::error::{Advice, Error, FetchError, SendError};
use crate::protocol::Receipt;

impl WebSender {
    /// Asks who this is. The answer is kept: what another asks next is known.
    pub(super) async fn ask_who(&self, peer: &PeerId) -> Result<Arc<Contact>, FetchError> {
        let gone = || FetchError::Gone { why: format!("it does not say who {peer} is") };
        let told = self.described(peer).await.map_err(of_question)?.ok_or_else(gone)?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        book.note_asked(from_ref(peer), true, self.client.source.now_s());
        if let Some(merged) = book.merged(told) {
            book.put(merged);
        }
        book.get(peer).cloned().ok_or_else(gone)
    }

    /// What the service says of somebody. Of a stranger it says more when it is told in which room we met.
    async fn described(&self, peer: &PeerId) -> Result<Option<Contact>, Error> {
        let room = {
            let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
            let is_stranger = book.get(peer).is_none();
            let has = |contact: &&Arc<Contact>| contact.kind == ContactKind::Room && contact.member(peer).is_some();
            book.all().find(|contact| is_stranger && has(contact)).map(|room| room.peer.clone())
        };
        let told = match room {
            Some(room) => self.client.member_of(&room, peer).await?,
            None => self.client.contacts_of(from_ref(peer)).await?,
        };
        Ok(convert::contacts(told, &self.me).into_iter().find(|contact| contact.peer == *peer))
    }

    /// Somebody is new: who it is belongs into the book. What is done is done, so nothing here is an error; who it is
    /// comes with the next sync at the latest.
    async fn meet(&self, peer: &PeerId) {
        match self.described(peer).await {
            Ok(Some(contact)) => self.learn(contact),
            Ok(None) => tracing::debug!(%peer, "The service does not say yet who is new."),
            Err(error) => tracing::debug!(%peer, %error, "It cannot be asked who is new."),
        }
    }

    fn learn(&self, contact: Contact) {
        self.book.write().unwrap_or_else(PoisonError::into_inner).learn(contact);
    }

    fn known(&self, peer: &PeerId) -> Option<Arc<Contact>> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).get(peer).cloned()
    }

    pub(super) async fn accept_friend(&self, user: &PeerId, ticket: &str) -> Result<(), SendError> {
        if ticket.is_empty() {
            return Err(SendError::Failed { why: "the friend request came without a ticket".into() });
        }
        self.client.accept_friend(user, ticket).await.map_err(of_act)?;
        self.meet(user).await;
        Ok(())
    }

    pub(super) async fn set_remark(&self, who: &PeerId, remark: &str) -> Result<(), SendError> {
        self.client.remark(who, remark).await.map_err(of_act)?;
        // The next pin repeats it. A merge would keep the old one over an empty one, so it is put in place.
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(contact) = book.get(who).cloned() {
            book.replace(Contact { remark_name: remark.into(), ..(*contact).clone() });
        }
        Ok(())
    }

    pub(super) async fn pin(&self, chat: &PeerId, on: bool) -> Result<(), SendError> {
        let contact = self.known(chat);
        let remark = contact.as_ref().map_or("", |contact| &contact.remark_name);
        self.client.pin(chat, on, remark).await.map_err(of_act)
    }

    /// The receipt names the new room.
    pub(super) async fn create_room(&self, members: &[PeerId], topic: &str) -> Result<Receipt, SendError> {
        if members.len() < 2 {
            return Err(SendError::Failed { why: "a room needs two friends at least".into() });
        }
        let made = self.client.create_room(members, topic).await.map_err(of_act)?;
        for one in made.left_out() {
            tracing::warn!(room = made.chat_room_name, who = one.user_name, why = one.why(), "Not in the new room.");
        }
        match made.chat_room_name.parse() {
            Ok(room) => self.meet(&room).await,
            Err(error) => tracing::warn!(%error, "The new room has a name that cannot be used."),
        }
        Ok(Receipt { server_id: Some(made.chat_room_name) })
    }

    /// Brings them in, or invites them where the room is too large or the service wants it so.
    pub(super) async fn add_members(&self, room: &PeerId, members: &[PeerId]) -> Result<(), SendError> {
        somebody(members)?;
        let present = self.members_of(room).await;
        let after = u64::try_from(present.saturating_add(members.len())).unwrap_or(u64::MAX);
        let mut invited = after >= self.client.invite_from();
        let answer = if invited {
            self.client.invite_members(room, members).await
        } else {
            match self.client.add_members(room, members).await {
                Err(Error::Refused { refusal, .. })
                    if Ret(refusal.ret).may_invite() && refusal.advice == Advice::TryLater =>
                {
                    tracing::debug!(ret = refusal.ret, %room, "The room takes nobody at once; inviting.");
                    invited = true;
                    self.client.invite_members(room, members).await
                }
                other => other,
            }
        };
        let answer = answer.map_err(of_act)?;
        for one in answer.left_out() {
            tracing::warn!(%room, who = one.user_name, why = one.why(), "Did not come into the room.");
        }
        tracing::debug!(%room, count = members.len(), invited, "Members added.");
        Ok(())
    }

    /// How many are in a room; 0 when nobody says, and then the service decides.
    async fn members_of(&self, room: &PeerId) -> usize {
        let count = |contact: &Contact| contact.members.len();
        match self.known(room).as_deref().map(count) {
            Some(known) if known > 0 => known,
            Some(_) | None => self.described(room).await.ok().flatten().as_ref().map_or(0, count),
        }
    }

    pub(super) async fn remove_members(&self, room: &PeerId, members: &[PeerId]) -> Result<(), SendError> {
        somebody(members)?;
        self.client.remove_members(room, members).await.map(drop).map_err(of_act)
    }

    pub(super) async fn set_topic(&self, room: &PeerId, topic: &str) -> Result<(), SendError> {
        self.client.set_topic(room, topic).await.map(drop).map_err(of_act)
    }

    pub(super) async fn leave_room(&self, room: &PeerId) -> Result<(), SendError> {
        self.client.leave_room(room).await.map(drop).map_err(of_act)
    }
}

fn somebody(members: &[PeerId]) -> Result<(), SendError> {
    if members.is_empty() {
        return Err(SendError::Failed { why: "nobody is named".into() });
    }
    Ok(())
}

#[cfg(test)]
#[path = "circle_tests.rs"]
mod tests;
