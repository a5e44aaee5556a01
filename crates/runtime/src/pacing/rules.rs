//! Which rules hold at this moment? What a claim takes along into the store.

use wxbot_core::ReplyWindow;
use wxbot_model::ActionKind;

use super::manners::Manners;

/// What holds for one claim, besides the paces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Of the account.
    pub manners: Manners,
    /// How many actions of a kind may go at once at most.
    pub burst: u32,
    /// What the random times of this claim are made of.
    pub seed: u64,
    /// Quiet hours that are on.
    pub quiet: Option<QuietNow>,
    /// How long a chat may be written in after somebody wrote there, where the service asks for that.
    pub window: Option<ReplyWindow>,
    /// How wide one text may be, by [`wxbot_core::split::width`].
    pub text_limit: Option<usize>,
}

/// Quiet hours that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietNow {
    /// When they end, milliseconds since 1970.
    pub until_ms: i64,
    /// Answers wait too.
    pub all: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { manners: Manners::NONE, burst: 1, seed: 0, quiet: None, window: None, text_limit: None }
    }
}

impl Rules {
    /// The `n`th random number of this claim below `bound`.
    pub(crate) fn draw(&self, n: u64, bound: i64) -> i64 {
        // SplitMix64: as good as it takes to spread sends, and the same for the same seed.
        let mut z = self.seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).unwrap_or(0).max(1);
        i64::try_from((z ^ (z >> 31)) % bound).unwrap_or(0)
    }
}

/// Why a send exists, which decides what it waits for and how old it may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// It answers a message in its chat.
    Answer,
    /// It answers nobody.
    Push,
    /// It was asked for by what happened in its chat, and is as good later: who is a friend, who is in a room.
    Deed,
}

impl Class {
    /// Of a send into `to`, for an event in `here`; `None`: for no event, or one of a clock.
    pub(crate) fn of(here: Option<&str>, to: &str, kind: ActionKind) -> Self {
        match here {
            Some(here) if here == to && kind.is_deed() => Self::Deed,
            Some(here) if here == to => Self::Answer,
            Some(_) | None => Self::Push,
        }
    }

    /// As it is stored.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Answer => 0,
            Self::Push => 1,
            Self::Deed => 2,
        }
    }

    /// As it was stored.
    pub(crate) fn of_number(number: i64) -> Self {
        match number {
            1 => Self::Push,
            2 => Self::Deed,
            _ => Self::Answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_where_the_event_came_from() {
        for (here, to, kind, want) in [
            (Some("p1"), "p1", ActionKind::Text, Class::Answer),
            (Some("p1"), "p2", ActionKind::Text, Class::Push),
            (Some("r1"), "r1", ActionKind::RoomChange, Class::Deed),
            (Some("r1"), "r1", ActionKind::Recall, Class::Answer),
            (Some("p1"), "p1", ActionKind::FriendAccept, Class::Deed),
            (Some("p1"), "p9", ActionKind::FriendRequest, Class::Push),
            (None, "p1", ActionKind::Text, Class::Push),
        ] {
            let class = Class::of(here, to, kind);
            assert_eq!((class, Class::of_number(class.number())), (want, want), "{here:?} {to} {kind}");
        }
    }

    #[test]
    fn drawn_times_are_the_same_for_the_same_seed_and_spread() {
        let (one, other) = (Rules { seed: 7, ..Rules::default() }, Rules { seed: 8, ..Rules::default() });
        let all: Vec<i64> = (0..200).map(|n| one.draw(n, 1_000)).collect();
        assert_eq!(all, (0..200).map(|n| one.draw(n, 1_000)).collect::<Vec<_>>());
        assert_ne!(all, (0..200).map(|n| other.draw(n, 1_000)).collect::<Vec<_>>());
        assert!(all.iter().all(|at| (0..1_000).contains(at)));
        let mean = all.iter().sum::<i64>() / 200;
        assert!((400..600).contains(&mean), "{mean}");
        assert_eq!(one.draw(0, 0), 0);
    }
}
