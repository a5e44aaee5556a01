//! What does an account keep to besides its two paces? Kinds of actions, jitter, warm-up, the same text, pushes.
//!
//! Numbers alone, so that a protocol's defaults are constants; quiet hours stand beside them in the configuration.

use std::time::Duration;

use wxbot_model::ActionKind;
use wxbot_model::span::Rate;

/// The rules of an account besides its paces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manners {
    /// How fast actions of each kind go, over all chats.
    pub kinds: Kinds,
    /// Each send is followed by a random time of up to so many hundredths of the account's interval.
    pub jitter_percent: u32,
    /// How a new login begins.
    pub warm_up: WarmUp,
    /// The same text to many chats.
    pub same_text: SameText,
    /// The same text into one chat again.
    pub repeat: Repeat,
    /// What becomes of pushes that had to wait.
    pub pushes: Pushes,
}

/// The rates of the kinds of actions; those that have none of their own are limited by the account's and the chat's alone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Kinds {
    /// Of texts.
    pub text: Option<Rate>,
    /// Of media and what apps share.
    pub media: Option<Rate>,
    /// Of friend requests of ours.
    pub friend_request: Option<Rate>,
    /// Of accepted ones.
    pub friend_accept: Option<Rate>,
    /// Of changes of rooms; each person that is brought in or put out counts.
    pub room_change: Option<Rate>,
    /// Of messages taken back.
    pub recall: Option<Rate>,
}

/// How a new login begins: at a part of each pace, which rises evenly to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmUp {
    /// How long it takes; zero: there is none.
    pub over: Duration,
    /// The part at the beginning, in hundredths.
    pub from_percent: u32,
}

/// When one text goes to many chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameText {
    /// What is done with what is too much.
    pub act: OnSameText,
    /// So many chats may get it …
    pub chats: u32,
    /// … within this time. At most [`SameText::LONGEST`].
    pub per: Duration,
    /// Whether answers count and wait too. Otherwise only what goes out by itself.
    pub answers_too: bool,
}

/// What becomes of a text that too many chats have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSameText {
    /// It fails, with the reason.
    Refuse,
    /// It waits until the first of them are long enough ago.
    Wait,
    /// Nothing.
    Allow,
}

/// When one text goes into one chat again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// What is done with it.
    pub act: OnRepeat,
    /// So soon is too soon. At most [`SameText::LONGEST`].
    pub after: Duration,
}

/// What becomes of a text that its chat has just got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRepeat {
    /// It waits until that is long enough ago.
    Space,
    /// It is dropped, with the reason.
    Drop,
    /// Nothing.
    Allow,
}

/// What becomes of pushes that had to wait. A push is what answers nobody: it comes from a timer or a schedule, goes into
/// another chat than its event came from, or belongs to no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushes {
    /// They go out later, within a [day](Pushes::LONGEST).
    Wait,
    /// The same, and texts for one chat become one message.
    Merge,
    /// They expire as answers do.
    Expire,
}

impl Pushes {
    /// Longer than this no push waits.
    pub const LONGEST: Duration = Duration::from_secs(86_400);
}

impl SameText {
    /// Longer than this no text is remembered.
    pub const LONGEST: Duration = Duration::from_secs(86_400);
}

impl Kinds {
    /// The rate of a kind and how many may go at once; `burst` is what the account allows. What services watch most goes one
    /// by one, or by few.
    pub fn of(self, kind: ActionKind, burst: u32) -> Option<(Rate, u32)> {
        let (rate, most) = match kind {
            ActionKind::Text => (self.text?, u32::MAX),
            ActionKind::Media => (self.media?, u32::MAX),
            ActionKind::FriendRequest => (self.friend_request?, 1),
            ActionKind::FriendAccept => (self.friend_accept?, 3),
            ActionKind::RoomChange => (self.room_change?, 3),
            ActionKind::Recall => (self.recall?, u32::MAX),
            ActionKind::Other | _ => return None,
        };
        Some((rate, burst.min(rate.count).min(most)))
    }
}

impl WarmUp {
    /// None.
    pub const NONE: Self = Self { over: Duration::ZERO, from_percent: 100 };

    /// How many thousandths of each pace hold, and until when it is less than the whole; both in microseconds. A login that
    /// lies further ahead than a whole warm-up is a clock that was set back, and none.
    pub fn at(self, login_us: Option<i64>, now_us: i64) -> (u32, Option<i64>) {
        let over_us = i64::try_from(self.over.as_micros()).unwrap_or(i64::MAX / 4);
        let Some(since) = login_us.map(|login| now_us.saturating_sub(login)) else { return (1_000, None) };
        if over_us == 0 || since >= over_us || since < -over_us {
            return (1_000, None);
        }
        let from = i64::from(self.from_percent.min(100)) * 10;
        let risen = from + (1_000 - from) * since.max(0) / over_us;
        (u32::try_from(risen).unwrap_or(1_000).clamp(1, 1_000), Some(now_us + (over_us - since.max(0))))
    }
}

impl Manners {
    /// None at all: what goes to nobody who watches, and load tests.
    pub const NONE: Self = Self {
        kinds: Kinds {
            text: None,
            media: None,
            friend_request: None,
            friend_accept: None,
            room_change: None,
            recall: None,
        },
        jitter_percent: 0,
        warm_up: WarmUp::NONE,
        same_text: SameText { act: OnSameText::Allow, chats: 5, per: Duration::from_secs(600), answers_too: false },
        repeat: Repeat { act: OnRepeat::Allow, after: Duration::from_secs(3) },
        pushes: Pushes::Wait,
    };

    /// Those of an account that is somebody's own: what a careful person does by hand.
    pub const PERSON: Self = Self {
        kinds: Kinds {
            text: None,
            media: Some(Rate::new(20, Duration::from_secs(60))),
            friend_request: Some(Rate::new(10, Duration::from_secs(3_600))),
            friend_accept: Some(Rate::new(30, Duration::from_secs(3_600))),
            room_change: Some(Rate::new(30, Duration::from_secs(3_600))),
            recall: Some(Rate::new(20, Duration::from_secs(60))),
        },
        jitter_percent: 50,
        warm_up: WarmUp { over: Duration::from_secs(1_800), from_percent: 33 },
        same_text: SameText { act: OnSameText::Refuse, ..Self::NONE.same_text },
        repeat: Repeat { act: OnRepeat::Space, ..Self::NONE.repeat },
        pushes: Pushes::Wait,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_rises_evenly_and_ends() {
        const SECOND: i64 = 1_000_000;
        let warm = WarmUp { over: Duration::from_secs(100), from_percent: 40 };
        let login = 1_000 * SECOND;
        for (name, warm, login, at_s, want) in [
            ("at the login", warm, Some(login), 1_000, (400, Some(1_100 * SECOND))),
            ("half way", warm, Some(login), 1_050, (700, Some(1_100 * SECOND))),
            ("just before its end", warm, Some(login), 1_099, (994, Some(1_100 * SECOND))),
            ("at its end", warm, Some(login), 1_100, (1_000, None)),
            ("no login known", warm, None, 1_000, (1_000, None)),
            ("none wanted", WarmUp::NONE, Some(login), 1_000, (1_000, None)),
            ("the clock set back a little", warm, Some(login), 950, (400, Some(1_050 * SECOND))),
            ("the clock set back by far", warm, Some(login), 0, (1_000, None)),
        ] {
            assert_eq!(warm.at(login, at_s * SECOND), want, "{name}");
        }
    }

    #[test]
    fn what_services_watch_goes_one_by_one() {
        let kinds = Manners::PERSON.kinds;
        for (kind, most) in [
            (ActionKind::Text, None),
            (ActionKind::Media, Some(5)),
            (ActionKind::FriendRequest, Some(1)),
            (ActionKind::FriendAccept, Some(3)),
            (ActionKind::RoomChange, Some(3)),
            (ActionKind::Other, None),
        ] {
            assert_eq!(kinds.of(kind, 5).map(|(_, burst)| burst), most, "{kind}");
        }
        assert_eq!(Kinds::default(), Manners::NONE.kinds);
    }
}
