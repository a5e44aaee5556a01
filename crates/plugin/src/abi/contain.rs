//! Where does a panic end? On the side that owns the code: another copy of std would abort the process.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` and answers nothing when it panicked. The panic hook has said what there is to say.
pub fn contain<R>(work: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => Some(answer),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops what a panic carried. That is code of the one who panicked, and may panic too.
pub fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    #[test]
    fn panics_end_here() {
        assert_eq!(contain(|| 7), Some(7));
        assert_eq!(contain(|| panic!("on purpose")), None::<()>);
        assert_eq!(contain(|| std::panic::panic_any(PanicsWhenDropped)), None::<()>);
    }
}
