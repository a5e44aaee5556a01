//! How long ago was that? By a clock that people set back at times.

/// Milliseconds since `then_ms`; `None` when that moment is still to come. Such a moment was written while the clock was
/// wrong and counts as never: else a silence would last as long as the clock was ahead.
pub(crate) fn since(now_ms: i64, then_ms: i64) -> Option<i64> {
    now_ms.checked_sub(then_ms).filter(|since| *since >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_come_is_not_past() {
        for (now, then, want) in [
            (10, 3, Some(7)),
            (10, 10, Some(0)),
            (10, 11, None),
            (i64::MAX, -1, None),
            (i64::MIN, i64::MAX, None),
            (0, i64::MIN, None),
        ] {
            assert_eq!(since(now, then), want, "{now} {then}");
        }
    }
}
