//! How does a dialog survive a restart? Its state is kept in the KV store, and the next message finds it there.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_model::Event;

use crate::ctx::Ctx;
use crate::extract::{Asked, Extract, Miss};
use crate::plugin::PluginError;
use crate::stored::Kept;

/// How long a dialog waits for the next message unless stated.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A dialog with the sender in this chat. Whoever takes it can [go on](Self::go_on) or [end](Self::end); a handler under
/// `#[continues]` gets the person's next messages as long as it is open, before any command.
///
/// **Which one?** [`Ctx::ask`] reads like a conversation and is right for a question or two that may be forgotten when
/// wxbot restarts. A `Dialogue` is right for what must not be: orders, forms, games. It costs one read of the KV store
/// per message of the plugin.
///
/// ```
/// # use wxbot_plugin::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// enum Order { Dish, Count { dish: String } }
///
/// #[derive(Default)]
/// struct Canteen;
///
/// #[plugin(id = "canteen")]
/// impl Canteen {
///     /// 订餐
///     #[command("订餐")]
///     fn begin(&self, mut order: Dialogue<Order>) -> &'static str {
///         order.go_on(Order::Dish);
///         "吃什么?"
///     }
///
///     #[continues]
///     fn answer(&self, mut order: Dialogue<Order>, text: Text) -> Result<String, PluginError> {
///         match order.take() {
///             None | Some(Order::Dish) => {
///                 order.go_on(Order::Count { dish: text.into_string() });
///                 Ok("几份?".into())
///             }
///             Some(Order::Count { dish }) => Ok(format!("{} 份 {dish}", &*text)),
///         }
///     }
/// }
/// ```
///
/// The state is found again by the name of its type, so renaming `Order` ends the dialogs that are open. 取消 or `cancel`
/// ends one without asking the handler. There is one dialog per plugin, chat and person; beginning another replaces it.
pub struct Dialogue<S> {
    state: Option<S>,
    key: String,
    was: Option<Value>,
    next: Next<S>,
    now_ms: i64,
    patience: Duration,
    kept: Arc<Kept>,
    write: fn(&S) -> Result<Value, serde_json::Error>,
}

enum Next<S> {
    Same,
    GoOn(S),
    End,
}

/// What the KV store holds.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    of: String,
    until_ms: i64,
    state: Value,
}

/// A dialog with the sender that is open, whatever it is about.
#[derive(Debug)]
pub(crate) struct Open {
    key: String,
    was: Value,
}

impl Open {
    /// The one that is open; `None` for events without a sender.
    pub(crate) async fn read(event: &Event, cx: &Ctx, kept: &Kept) -> Result<Option<Self>, PluginError> {
        let Some(key) = key(event) else { return Ok(None) };
        let Some(was) = kept.read(cx, &key).await? else { return Ok(None) };
        let open = Stored::deserialize(&was)?.until_ms > cx.now_ms();
        Ok(open.then_some(Self { key, was }))
    }

    /// Ends it.
    pub(crate) fn close(&self, kept: &Kept) {
        kept.change(self.key.clone(), Some(self.was.clone()), None);
    }
}

fn key(event: &Event) -> Option<String> {
    event.sender.as_ref().map(|sender| format!("dialogue:{}:{}", event.chat.id, sender.id))
}

/// The name of a type without its path, so that moving it to another module ends no dialog.
fn name_of<S>() -> &'static str {
    let whole = type_name::<S>();
    let path_ends = whole.find('<').unwrap_or(whole.len());
    let start = whole.get(..path_ends).and_then(|path| path.rfind("::")).map_or(0, |at| at + 2);
    whole.get(start..).unwrap_or(whole)
}

impl<'a, P, S: Serialize + DeserializeOwned + Send> Extract<'a, P> for Dialogue<S> {
    async fn extract(asked: &'a Asked<'a>, _name: &'static str) -> Result<Self, Miss> {
        let key = key(asked.event).ok_or_else(|| Miss::pass("it has no sender to talk to"))?;
        let now_ms = asked.cx.now_ms();
        let was = asked.kept.read(asked.cx, &key).await?;
        let open = was.as_ref().map(Stored::deserialize).transpose()?.filter(|open| open.until_ms > now_ms);
        let mine = open.filter(|open| open.of == name_of::<S>());
        // A state that an older version wrote and this one cannot read has ended.
        let mine = mine.and_then(|open| S::deserialize(open.state).ok());
        if mine.is_none() && asked.continues() {
            return Err(Miss::pass("the open dialog is about something else"));
        }
        let state = mine;
        let (kept, write) = (Arc::clone(&asked.kept), (|state: &S| serde_json::to_value(state)) as fn(&S) -> _);
        Ok(Self { state, key, was, next: Next::Same, now_ms, patience: PATIENCE, kept, write })
    }
}

impl<S> Dialogue<S> {
    /// How far the dialog is; `None` when it has not begun.
    pub fn state(&self) -> Option<&S> {
        self.state.as_ref()
    }

    /// How far the dialog is, taken out. It ends with this, unless it [goes on](Self::go_on).
    pub fn take(&mut self) -> Option<S> {
        self.next = Next::End;
        self.state.take()
    }

    /// How long the next message is waited for; 1 h unless stated.
    pub fn patience(&mut self, patience: Duration) -> &mut Self {
        self.patience = patience;
        self
    }

    /// Waits for the next message in this state. It is written with the handler's effects.
    pub fn go_on(&mut self, state: S) {
        self.next = Next::GoOn(state);
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.next = Next::End;
    }
}

impl<S> Drop for Dialogue<S> {
    fn drop(&mut self) {
        let now = match std::mem::replace(&mut self.next, Next::Same) {
            Next::Same => return,
            Next::End => Ok(None),
            Next::GoOn(state) => (self.write)(&state).and_then(|state| {
                let patience = i64::try_from(self.patience.as_millis()).unwrap_or(i64::MAX);
                let until_ms = self.now_ms.saturating_add(patience);
                serde_json::to_value(Stored { of: name_of::<S>().to_owned(), until_ms, state }).map(Some)
            }),
        };
        match now {
            Ok(now) if now == self.was => {}
            Ok(now) => self.kept.change(std::mem::take(&mut self.key), self.was.take(), now),
            Err(error) => self.kept.fail(error.into()),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Dialogue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue").field("state", &self.state).finish_non_exhaustive()
    }
}
