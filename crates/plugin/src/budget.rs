//! How much may go out now? What [`Ctx::budget`](crate::Ctx::budget) answers.

use serde::{Deserialize, Serialize};
use wxbot_model::ActionKind;

/// What the pacing allows at this moment, in one chat of the account. It is a look, not a promise: other handlers send too.
///
/// ```
/// # use wxbot_plugin::prelude::*;
/// # async fn handler(cx: &Ctx) -> Result<Effects, PluginError> {
/// let budget = cx.budget().await?;
/// if budget.answer(ActionKind::Text).now < 3 {
///     return Ok(Effects::reply("一条说完")); // three would go out one by one
/// }
/// # Ok(Effects::none())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Budget {
    /// Over all chats of the account.
    pub account: Allowance,
    /// Into this chat.
    pub chat: Allowance,
    /// Of the kinds of actions that have a pace of their own.
    pub kinds: Vec<KindAllowance>,
    /// Quiet hours are on.
    pub quiet: Option<Quiet>,
    /// A new login is being warmed up: until then the paces rise to what is configured. Milliseconds since 1970.
    pub warm_up_until_ms: Option<i64>,
    /// Where the service lets a bot answer and not begin: what is left of that in this chat. `None`: it does not ask for that.
    pub window: Option<ReplyWindow>,
}

/// How many actions may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Allowance {
    /// So many at once.
    pub now: u32,
    /// When the next one may go, milliseconds since 1970; `None` while some may go now, or where nobody knows: a
    /// [reply window](Budget::window) that is shut opens when somebody writes.
    pub next_ms: Option<i64>,
}

/// The allowance of one kind of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KindAllowance {
    /// Which.
    pub kind: ActionKind,
    /// How many, over all chats of the account.
    pub allowance: Allowance,
}

/// What may still be said in a chat before somebody writes there again.
///
/// ```
/// # use wxbot_plugin::prelude::*;
/// # async fn handler(cx: &Ctx) -> Result<Effects, PluginError> {
/// let window = cx.budget().await?.window;
/// if window.is_some_and(|window| window.likely < 3 || window.open_s < 600) {
///     return Ok(Effects::reply("全部说完")); // a second message may not come through
/// }
/// # Ok(Effects::none())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReplyWindow {
    /// Sends that are left; 0: it is shut. A long text that goes out in parts takes one for each.
    pub left: u32,
    /// How many of them the service is likely to take: fewer where it has refused earlier than it should have.
    pub likely: u32,
    /// Seconds until it shuts, whatever is left; 0: it is shut.
    pub open_s: u64,
}

/// Quiet hours that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Quiet {
    /// When they end, milliseconds since 1970.
    pub until_ms: i64,
    /// Whether answers wait too. What goes out by itself always does.
    #[serde(default)]
    pub answers_wait: bool,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::UNLIMITED
    }
}

impl Allowance {
    /// Nothing limits it.
    pub const UNLIMITED: Self = Self { now: u32::MAX, next_ms: None };

    /// So many at once; at least one.
    pub const fn of(now: u32) -> Self {
        Self { now: if now == 0 { 1 } else { now }, next_ms: None }
    }

    /// None before this moment.
    pub const fn not_before(ms: i64) -> Self {
        Self { now: 0, next_ms: Some(ms) }
    }

    /// What is left when both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { now: self.now.min(other.now), next_ms: self.next_ms.max(other.next_ms) }
    }
}

impl Budget {
    /// Nothing limits anything.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// The same with this allowance of the account.
    #[must_use]
    pub fn with_account(mut self, allowance: Allowance) -> Self {
        self.account = allowance;
        self
    }

    /// The same with this allowance of the chat.
    #[must_use]
    pub fn with_chat(mut self, allowance: Allowance) -> Self {
        self.chat = allowance;
        self
    }

    /// The same with this allowance of a kind of actions.
    #[must_use]
    pub fn with_kind(mut self, kind: ActionKind, allowance: Allowance) -> Self {
        self.kinds.retain(|known| known.kind != kind);
        self.kinds.push(KindAllowance { kind, allowance });
        self
    }

    /// The same in quiet hours.
    #[must_use]
    pub fn in_quiet_hours(mut self, until_ms: i64, answers_wait: bool) -> Self {
        self.quiet = Some(Quiet { until_ms, answers_wait });
        self
    }

    /// The same while a new login is warmed up.
    #[must_use]
    pub fn warming_up(mut self, until_ms: i64) -> Self {
        self.warm_up_until_ms = Some(until_ms);
        self
    }

    /// The same in a chat with a reply window: what is left, what of it is likely to be taken, and for how many seconds.
    #[must_use]
    pub fn with_window(mut self, left: u32, likely: u32, open_s: u64) -> Self {
        self.window = Some(ReplyWindow { left, likely: likely.min(left), open_s });
        self
    }

    fn paced(&self, kind: ActionKind) -> Allowance {
        let of_kind = self.kinds.iter().find(|known| known.kind == kind).map(|known| known.allowance);
        // Where the next one goes when somebody writes, no moment is known.
        let window = match (self.window, kind) {
            (Some(window), ActionKind::Text | ActionKind::Media) => Allowance { now: window.left, next_ms: None },
            (_, _) => Allowance::UNLIMITED,
        };
        self.account.and(self.chat).and(of_kind.unwrap_or_default()).and(window)
    }

    /// What may go into this chat in answer to a message there.
    pub fn answer(&self, kind: ActionKind) -> Allowance {
        match self.quiet {
            Some(quiet) if quiet.answers_wait => self.paced(kind).and(Allowance::not_before(quiet.until_ms)),
            Some(_) | None => self.paced(kind),
        }
    }

    /// What may go into this chat by itself: from a timer or a schedule, from a message in another chat, or by
    /// [`send_now`](crate::Ctx::send_now).
    pub fn push(&self, kind: ActionKind) -> Allowance {
        match self.quiet {
            Some(quiet) => self.paced(kind).and(Allowance::not_before(quiet.until_ms)),
            None => self.paced(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_holds() {
        let open = Budget::unlimited();
        let (text, friend) = (ActionKind::Text, ActionKind::FriendRequest);
        for (name, budget, kind, answer, push) in [
            ("nothing", open.clone(), text, Allowance::UNLIMITED, Allowance::UNLIMITED),
            (
                "the chat is narrower",
                open.clone().with_account(Allowance::of(5)).with_chat(Allowance::of(2)),
                text,
                Allowance::of(2),
                Allowance::of(2),
            ),
            (
                "the later of two",
                open.clone().with_account(Allowance::not_before(7)).with_chat(Allowance::not_before(9)),
                text,
                Allowance::not_before(9),
                Allowance::not_before(9),
            ),
            (
                "another kind",
                open.clone().with_kind(friend, Allowance::not_before(7)),
                text,
                Allowance::UNLIMITED,
                Allowance::UNLIMITED,
            ),
            (
                "this kind",
                open.clone().with_kind(friend, Allowance::not_before(7)),
                friend,
                Allowance::not_before(7),
                Allowance::not_before(7),
            ),
            (
                "quiet for what comes by itself",
                open.clone().in_quiet_hours(5, false),
                text,
                Allowance::UNLIMITED,
                Allowance::not_before(5),
            ),
            ("a window with two left", open.clone().with_window(2, 1, 60), text, Allowance::of(2), Allowance::of(2)),
            (
                "a window that is shut",
                open.clone().with_window(0, 0, 0),
                text,
                Allowance { now: 0, next_ms: None },
                Allowance { now: 0, next_ms: None },
            ),
            (
                "a window is for what is said",
                open.clone().with_window(0, 0, 0),
                friend,
                Allowance::UNLIMITED,
                Allowance::UNLIMITED,
            ),
            ("quiet for all", open.in_quiet_hours(5, true), text, Allowance::not_before(5), Allowance::not_before(5)),
        ] {
            assert_eq!((budget.answer(kind), budget.push(kind)), (answer, push), "{name}");
        }
    }
}
