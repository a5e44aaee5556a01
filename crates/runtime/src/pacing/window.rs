//! May somebody still be written to, where a service lets a bot answer and not begin? The meter of one chat, without any
//! store: `store/sqlite/meter.rs` keeps it, and the toll asks it.
//!
//! A meter counts from the last message of a person on. It says what the service was told to allow
//! ([`ReplyWindow`], from the protocol's settings), and what the service itself has refused: after a refusal nothing goes
//! before the person writes again. How many went before it is remembered, so that the next window warns earlier; it is no
//! limit, since nobody knows what the service really counts, and it is forgotten once more than that have gone.

use serde::{Deserialize, Serialize};
use wxbot_core::ReplyWindow;

use crate::explain::Lang;

/// What is kept of one chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meter {
    /// When a person wrote there last, milliseconds since 1970.
    pub opened_ms: i64,
    /// Sends since then that the service took, or may have taken; those under way count.
    pub spent: u32,
    /// The service refused one since then.
    pub refused: bool,
    /// Whatever comes in, nothing goes before this.
    pub not_before_ms: i64,
    /// The service has refused after so many sends, and has not been seen to take more since.
    pub learnt: Option<u32>,
}

/// Why nothing goes into a chat before a person writes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// Nobody has written there yet.
    NobodyWrote,
    /// All sends are used.
    Used,
    /// Its time is over.
    Over,
    /// The service refused.
    Refused,
}

/// A meter at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// So many more, until this moment, milliseconds since 1970.
    Open {
        /// Sends.
        left: u32,
        /// Until when.
        until_ms: i64,
        /// Not before then, since the service has refused a moment ago; `None`: now.
        from_ms: Option<i64>,
    },
    /// Nothing before a person writes.
    Shut(Shut),
}

impl Meter {
    /// What it says now. A send that was `counted` before needs no room of its own.
    pub fn read(&self, window: ReplyWindow, now_ms: i64, counted: bool) -> Reading {
        let open_ms = i64::try_from(window.open_for.as_millis()).unwrap_or(i64::MAX / 4);
        let until_ms = self.opened_ms.saturating_add(open_ms);
        let left = window.sends.max(1).saturating_sub(self.spent);
        if self.refused {
            Reading::Shut(Shut::Refused)
        } else if now_ms >= until_ms {
            Reading::Shut(Shut::Over)
        } else if left == 0 && !counted {
            Reading::Shut(Shut::Used)
        } else {
            let from_ms = Some(self.not_before_ms).filter(|at_ms| *at_ms > now_ms);
            Reading::Open { left, until_ms, from_ms }
        }
    }

    /// How many of those that are left the service is likely to take, by what it refused before.
    pub fn likely(&self, left: u32) -> u32 {
        self.learnt.map_or(left, |learnt| left.min(learnt.saturating_sub(self.spent)))
    }
}

impl Shut {
    const ALL: [Self; 4] = [Self::NobodyWrote, Self::Used, Self::Over, Self::Refused];

    /// As it stands beside a send that waits.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NobodyWrote => "the reply window is shut: nobody has written in this chat yet",
            Self::Used => "the reply window is shut: all its sends are used; it opens when they write again",
            Self::Over => "the reply window is shut: its time is over; it opens when they write again",
            Self::Refused => "the reply window is shut: the service refused; it opens when they write again",
        }
    }

    /// What such a reason means.
    pub fn of_reason(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shut| shut.reason() == reason)
    }

    /// In words.
    pub fn tell(self, lang: Lang) -> &'static str {
        match (lang, self) {
            (Lang::En, shut) => shut.reason(),
            (Lang::Zh, Self::NobodyWrote) => "回复窗口未打开:对方还没有在此聊天里发过消息",
            (Lang::Zh, Self::Used) => "回复窗口已关闭:次数已用完;对方再发消息时打开",
            (Lang::Zh, Self::Over) => "回复窗口已关闭:时间已过;对方再发消息时打开",
            (Lang::Zh, Self::Refused) => "回复窗口已关闭:服务拒绝;对方再发消息时打开",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: i64 = 1_780_000_000_000;
    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_meter_is_read() {
        let window = ReplyWindow { sends: 10, open_for: Duration::from_secs(24 * 3_600) };
        let meter = Meter { opened_ms: NOW, ..Meter::default() };
        let until_ms = NOW + 24 * HOUR;
        let open = |left| Reading::Open { left, until_ms, from_ms: None };
        let rests = |from_ms| Reading::Open { left: 10, until_ms, from_ms: Some(from_ms) };
        let learnt = Some(3);
        for (name, meter, at_ms, want) in [
            ("fresh", meter, NOW, open(10)),
            ("three sent", Meter { spent: 3, ..meter }, NOW, open(7)),
            ("a learnt number is no limit", Meter { spent: 5, learnt, ..meter }, NOW, open(5)),
            ("all sent", Meter { spent: 10, ..meter }, NOW, Reading::Shut(Shut::Used)),
            ("more than all, of a larger window", Meter { spent: 12, ..meter }, NOW, Reading::Shut(Shut::Used)),
            ("just before its end", meter, until_ms - 1, open(10)),
            ("at its end", meter, until_ms, Reading::Shut(Shut::Over)),
            ("refused", Meter { refused: true, not_before_ms: NOW + 1, ..meter }, NOW, Reading::Shut(Shut::Refused)),
            ("written to since", Meter { not_before_ms: NOW + 9, ..meter }, NOW, rests(NOW + 9)),
            ("and rested", Meter { not_before_ms: NOW + 9, ..meter }, NOW + 9, open(10)),
            ("never opened", Meter::default(), NOW, Reading::Shut(Shut::Over)),
        ] {
            assert_eq!(meter.read(window, at_ms, false), want, "{name}");
        }
        let used = Meter { spent: 10, ..meter };
        assert_eq!(used.read(window, NOW, true), open(0), "what was counted goes once more");
        assert_eq!(used.read(window, until_ms, true), Reading::Shut(Shut::Over), "but never outside of it");
        for (spent, learnt, left, want) in
            [(0, None, 10, 10), (0, Some(3), 10, 3), (2, Some(3), 8, 1), (5, Some(3), 5, 0), (9, Some(12), 1, 1)]
        {
            assert_eq!(Meter { spent, learnt, ..meter }.likely(left), want, "{spent} spent, {learnt:?} learnt");
        }
        // A window of nothing would never open.
        let none = ReplyWindow { sends: 0, ..window };
        assert_eq!(meter.read(none, NOW, false), open(1));
    }

    #[test]
    fn every_reason_is_known_again_and_told_in_both_languages() {
        for shut in Shut::ALL {
            assert_eq!(Shut::of_reason(shut.reason()), Some(shut));
            assert!(!shut.tell(Lang::Zh).is_ascii() && shut.tell(Lang::En) == shut.reason(), "{shut:?}");
        }
        assert_eq!(Shut::of_reason("older than max_age"), None);
    }
}
