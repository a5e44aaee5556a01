//! Does somebody send too much at once? Messages of each member in a window that moves, in 20 bytes.

use std::time::Duration;

use wxbot_plugin::prelude::*;

use super::offence::Offence;
use crate::ladder::Rung;

/// Into how many parts the window is cut: a message is forgotten between 15/16 of it and all of it, never later.
const PARTS: usize = 16;

/// Too many messages of one member.
#[derive(Debug, PluginConfig)]
pub struct Flood {
    /// So many messages of any kind are fine; the next one within the window is a flood.
    #[config(default = 8, range = 2..=200)]
    pub messages: u32,
    /// The window.
    #[config(default = "10s", range = "1s"..="10min")]
    pub within: Duration,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// The messages of one member in the window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    /// The part that the last message fell into; it wraps, and only differences count.
    part: u32,
    counts: [u8; PARTS],
}

impl Flood {
    /// Counts one message; the offence if it is one too many. Then counting begins anew, so that it takes as many again
    /// until the next one.
    pub(crate) fn count(&self, window: &mut Window, now_ms: i64) -> Option<Offence> {
        let n = window.add(now_ms, self.within);
        if n <= self.messages {
            return None;
        }
        *window = Window::default();
        let within = wxbot_plugin::model::span::show_duration(self.within);
        Some(Offence::new("flood", "刷屏", self.rung).in_detail(format!("({within} 内 {n} 条)")))
    }
}

impl Window {
    /// Counts one message: how many there are within the window now.
    fn add(&mut self, now_ms: i64, within: Duration) -> u32 {
        let len_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX).max(1);
        let part_ms = (len_ms / PARTS as i64).max(1);
        // The low bits, on purpose: only differences count.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only differences count")]
        let now = (now_ms / part_ms) as u32;
        let (passed, behind) = (now.wrapping_sub(self.part), self.part.wrapping_sub(now));
        if (passed as usize) < PARTS {
            for step in 1..=passed {
                self.clear(self.part.wrapping_add(step));
            }
            self.part = now;
        } else if behind as usize >= PARTS {
            // Long ago; or the clock was set back. What came a little out of order falls into its own part.
            self.counts = [0; PARTS];
            self.part = now;
        }
        if let Some(count) = self.counts.get_mut(now as usize % PARTS) {
            *count = count.saturating_add(1);
        }
        self.counts.iter().map(|count| u32::from(*count)).sum()
    }

    fn clear(&mut self, part: u32) {
        if let Some(count) = self.counts.get_mut(part as usize % PARTS) {
            *count = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T0: i64 = 1_767_225_600_000;

    #[test]
    fn too_many_at_once() {
        let flood = Flood { messages: 3, within: Duration::from_secs(10), rung: Rung::Warn };
        for (name, times, want) in [
            ("slowly", &[0, 4_000, 8_000, 12_000, 16_000, 20_000][..], &[][..]),
            ("at once", &[0, 0, 0, 0], &[3]),
            ("within the window", &[0, 3_000, 6_000, 9_000], &[3]),
            ("just too slow", &[0, 3_000, 6_000, 10_001], &[]),
            ("and as many again", &[0, 0, 0, 0, 1, 1, 1, 1], &[3, 7]),
            ("the clock was set back", &[0, 0, 0, -50_000], &[]),
            ("a little out of order", &[1_000, 0, 1_000, 0], &[3]),
        ] {
            let mut window = Window::default();
            let found: Vec<usize> = times
                .iter()
                .enumerate()
                .filter(|(_, at)| flood.count(&mut window, T0 + **at).is_some())
                .map(|(n, _)| n)
                .collect();
            assert_eq!(found, want, "{name}");
        }
    }

    proptest! {
        /// Against lists of moments: never more than really were in the window, never fewer than in 15/16 of it.
        #[test]
        fn it_counts_what_was(gaps in proptest::collection::vec(0i64..6_000, 1..80)) {
            let (mut window, mut now, mut all) = (Window::default(), T0, Vec::new());
            for gap in gaps {
                now += gap;
                all.push(now);
                let n = window.add(now, Duration::from_secs(16)) as usize;
                let since = |len: i64| all.iter().filter(|at| now - **at < len).count();
                prop_assert!(n <= since(16_000) && n >= since(15_000), "{} of {} to {}", n, since(15_000), since(16_000));
            }
        }
    }
}
