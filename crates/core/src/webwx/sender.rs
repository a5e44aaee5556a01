//! How does an action go out, and what does its answer mean for doing it again?

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use wxbot_model::{Action, Contact, MediaShape, PeerId, Stranger};

use super::book::Book;
use super::calls::{Letter, Shown};
use super::client::Client;
use super::convert::{self, share};
use super::outcome::of_act;
use super::ret::Ret;
use super::upload::{Kind, Ready};
use crate::error::{Advice, Error, FetchError, SendError};
use crate::protocol::{ActionSender, Fetch, Fetched, MediaFile, Outgoing, Receipt};

/// The sending half of a session.
pub(super) struct WebSender {
    pub(super) client: Arc<Client>,
    pub(super) book: Arc<RwLock<Book>>,
    pub(super) me: PeerId,
    pub(super) mark_read: bool,
}

impl ActionSender for WebSender {
    fn perform(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
        Box::pin(async move {
            if let Some((why, risk)) = self.client.stopped() {
                return Err(SendError::Stopped { why, risk });
            }
            let done = self.act(&outgoing).await;
            if let Err(SendError::Stopped { why, risk }) = &done {
                self.client.stop(why, *risk);
            }
            done
        })
    }

    fn fetch(&self, what: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(self.asked(Arc::clone(&self.client).fetch(what)))
    }

    fn look_up<'a>(&'a self, peer: &'a PeerId) -> BoxFuture<'a, Result<Arc<Contact>, FetchError>> {
        Box::pin(self.asked(self.ask_who(peer)))
    }
}

impl WebSender {
    /// Asks, unless risk control has stopped the session; its word stops it.
    async fn asked<T>(&self, question: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        if let Some((why, risk)) = self.client.stopped() {
            return Err(FetchError::Stopped { why, risk });
        }
        let answer = question.await;
        if let Err(FetchError::Stopped { why, risk }) = &answer {
            self.client.stop(why, *risk);
        }
        answer
    }
}

fn failed(why: &str) -> SendError {
    SendError::Failed { why: why.to_owned() }
}

/// The service's id of a message; `None` where it gave none.
fn sent(id: String) -> Receipt {
    Receipt { server_id: Some(id).filter(|id| !id.is_empty()) }
}

impl WebSender {
    async fn act(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let others = outgoing.others.as_slice();
        let to = || outgoing.to.as_ref().ok_or_else(|| failed("it goes to nobody"));
        let letter = |to| Letter { me: &self.me, to, id: outgoing.client_id.as_str() };
        let done = |()| Receipt::default();
        match &outgoing.action {
            Action::SendText { text, .. } => {
                let to = to()?;
                self.read(to).await?;
                let (text, source) = {
                    let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
                    convert::mention_text(text, to, others, &book)
                };
                self.client.send_text(letter(to), &text, source.as_deref()).await.map(sent).map_err(of_act)
            }
            Action::SendMedia { shape, .. } => {
                let file = outgoing.media.as_ref().ok_or_else(|| failed("there are no bytes to send"))?;
                self.send_media(letter(to()?), *shape, file).await
            }
            Action::SendSticker { md5, .. } => {
                self.read(to()?).await?;
                self.client.send_known_sticker(letter(to()?), md5).await.map(sent).map_err(of_act)
            }
            Action::SendLink { link, .. } => {
                let xml = share::link(&self.client.mode, link);
                self.read(to()?).await?;
                self.client.send_app(letter(to()?), share::LINK, &xml, false).await.map(sent).map_err(of_act)
            }
            Action::SendApp { app, .. } => {
                let xml = share::app(&self.client.mode, app);
                self.read(to()?).await?;
                self.client.send_app(letter(to()?), app.app_type, &xml, true).await.map(sent).map_err(of_act)
            }
            Action::Recall { msg, .. } => {
                let msg = msg.as_ref().ok_or_else(|| failed("no message is named that could be taken back"))?;
                let client_id = outgoing.client_id.as_str();
                self.client.revoke(to()?, msg.as_str(), client_id).await.map(done).map_err(of_act)
            }
            Action::MarkRead { .. } => self.client.notify_read(&self.me, to()?).await.map(done).map_err(of_act),
            Action::AddFriend { person, greeting } => {
                let who = match person {
                    Stranger::Contact(_) => to()?,
                    Stranger::Peer(peer) => peer,
                    _ => return Err(failed("Web WeChat cannot find a person by this")),
                };
                self.client.ask_friend(who, greeting).await.map(done).map_err(of_act)
            }
            Action::AcceptFriend { user, ticket } => self.accept_friend(user, ticket.expose()).await.map(done),
            Action::SetRemark { remark, .. } => self.set_remark(to()?, remark).await.map(done),
            Action::Pin { on, .. } => self.pin(to()?, *on).await.map(done),
            Action::CreateRoom { topic, .. } => self.create_room(others, topic).await,
            Action::AddMembers { .. } => self.add_members(to()?, others).await.map(done),
            Action::RemoveMembers { .. } => self.remove_members(to()?, others).await.map(done),
            Action::SetTopic { topic, .. } => self.set_topic(to()?, topic).await.map(done),
            Action::LeaveRoom { .. } => self.leave_room(to()?).await.map(done),
            other => Err(SendError::Failed { why: format!("Web WeChat cannot do this: {}", other.needs()) }),
        }
    }

    /// Marks a chat read before an answer in it. A courtesy: what keeps it from happening will keep the send from it too,
    /// and is told there; but risk control is not asked twice.
    async fn read(&self, chat: &PeerId) -> Result<(), SendError> {
        if self.mark_read
            && let Err(error @ SendError::Stopped { .. }) =
                self.client.notify_read(&self.me, chat).await.map_err(of_act)
        {
            return Err(error);
        }
        Ok(())
    }

    async fn send_media(&self, letter: Letter<'_>, shape: MediaShape, file: &MediaFile) -> Result<Receipt, SendError> {
        let kind = match shape {
            MediaShape::Image => Kind::Image,
            MediaShape::Video => Kind::Video,
            MediaShape::File => Kind::File,
            MediaShape::Sticker => Kind::Sticker,
            _ => return Err(failed("Web WeChat has no such kind of media")),
        };
        let mut once_more = true;
        loop {
            let ready = self.client.ready(&self.me, letter.to, file, kind).await?;
            self.read(letter.to).await?;
            let answer = self.send_ready(letter, kind, file, &ready).await;
            if let Err(Error::Refused { refusal, .. }) = &answer
                && may_be_the_bytes(refusal.advice, Ret(refusal.ret))
            {
                self.client.uploaded.forget(&ready.key, &ready.given).await;
                if !ready.fresh && once_more {
                    once_more = false;
                    // Nobody says how long an upload is good for. A no is a no, so nothing is sent twice.
                    tracing::debug!(ret = refusal.ret, "An earlier upload is refused; uploading again.");
                    continue;
                }
            }
            return answer.map(sent).map_err(of_act);
        }
    }

    async fn send_ready(
        &self,
        letter: Letter<'_>,
        kind: Kind,
        file: &MediaFile,
        ready: &Ready,
    ) -> Result<String, Error> {
        let media_id = ready.given.media_id.as_str();
        let xml;
        let shown = match kind {
            Kind::Image => Shown::Image { media_id },
            Kind::Video => Shown::Video { media_id },
            Kind::Sticker => Shown::Sticker { media_id },
            Kind::File => {
                xml = share::file(&self.client.mode, &file.name, file.len, media_id);
                let signature = ready.given.signature.as_ref().map(|signature| signature.expose().as_str());
                Shown::File { xml: &xml, signature }
            }
        };
        self.client.send_media(letter, shown).await
    }
}

/// False for refusals that say nothing about what was uploaded.
fn may_be_the_bytes(advice: Advice, ret: Ret) -> bool {
    match advice {
        Advice::TryLater | Advice::GiveUp => !ret.is_about_peer(),
        Advice::Stop(_) => false,
    }
}

impl fmt::Debug for WebSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSender({})", self.me)
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
