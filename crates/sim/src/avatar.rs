//! What do people and rooms look like: webwxgeticon and webwxgetheadimg?

use crate::Sim;
use crate::check::Checker;
use crate::made;
use crate::names::{Peer, stable_hash};
use crate::request::{Answer, Endpoint, Request};

const SIDE: u32 = 64;
const BIG_SIDE: u32 = 128;

impl Sim {
    /// A small picture that follows from who it shows, and so stays the same from login to login.
    pub(crate) fn get_avatar(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let query = request.query();
        let mut state = account.lock();
        state.admit(account.uin, request, &query, None, &checker)?;
        state.check_query_skey(&query, &checker);
        let name = query.get("username").or_else(|| {
            let misspelt = query.get("userName");
            if misspelt.is_some() {
                checker.soft("userName instead of username");
            }
            misspelt
        });
        let name = name.unwrap_or_default();
        let peer = state.names.find(name);
        let of_room = matches!(peer, Some(Peer::Room(_)));
        if peer.is_some() && of_room != (checker.endpoint == Endpoint::GetHeadImg) {
            checker.soft("webwxgeticon is for people, webwxgetheadimg for rooms");
        }
        if let Some(encry) = query.get("chatroomid").filter(|id| !id.is_empty())
            && !state.names.encry.iter().any(|known| known == encry)
            && !matches!(state.names.find(encry), Some(Peer::Room(_)))
        {
            checker.soft("chatroomid is of no room");
        }
        let identity = match peer {
            Some(Peer::Me) => account.name.clone(),
            Some(Peer::Person(at)) => state.people.get(at).map(|person| person.wxid.clone()).unwrap_or_default(),
            Some(Peer::Room(at)) => state.rooms.get(at).map(|room| room.chatroom_id.clone()).unwrap_or_default(),
            Some(Peer::Special(id)) => id.to_owned(),
            None if state.names.requesters.contains_key(name) => name.to_owned(),
            None => {
                checker.soft("asked for the picture of an unknown UserName");
                return Ok(Answer::new(200, "image/png", ""));
            }
        };
        drop(state);
        let side = if query.get("type") == Some("big") { BIG_SIDE } else { SIDE };
        Ok(Answer::new(200, "image/png", made::picture(stable_hash(&identity), side, side)))
    }
}
