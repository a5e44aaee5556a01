//! What does `/why` answer? How the message before it in this chat was handled, or the event of a number or id.

use wxbot_model::Event;

use crate::account::Account;
use crate::explain::{self, Explanation, Lang};
use crate::store::{StoreError, Story};

/// So many events are looked at for one that is worth explaining: between two messages the phone tells a lot.
const LOOKED_AT: usize = 20;

pub(super) async fn lines(account: &Account, event: &Event, what: Option<&str>) -> Vec<String> {
    let found = match what {
        // Of this chat only: what happened in others is not told here.
        Some(what) => explain::find(&*account.store, std::slice::from_ref(&account.name), what)
            .await
            .map(|story| story.filter(|story| story.conv == event.chat.id)),
        None => before(account, event).await,
    };
    match found {
        Ok(Some(story)) => {
            let trace = account.trace(story.seq);
            explain::lines(&Explanation { story, trace }, Lang::Zh, account.source.now_ms())
        }
        Ok(None) => vec!["本聊天没有找到这条消息 (no such message in this chat)".to_owned()],
        Err(error) => vec![format!("读取失败 (cannot read the store): {error}")],
    }
}

/// The last message before this event that somebody else wrote.
async fn before(account: &Account, event: &Event) -> Result<Option<Story>, StoreError> {
    let store = &account.store;
    let Some(mut seq) = store.find_event(&account.name, &event.key).await? else { return Ok(None) };
    for _ in 0..LOOKED_AT {
        let Some(earlier) = store.last_event(&account.name, &event.chat.id, seq).await? else { return Ok(None) };
        seq = earlier;
        let own = |story: &Story| story.note.as_deref().is_some_and(|note| note.starts_with("ignore-self:"));
        if let Some(story) = store.story(seq).await?.filter(|story| story.kind == "message" && !own(story)) {
            return Ok(Some(story));
        }
    }
    Ok(None)
}
