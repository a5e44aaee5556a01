//! Who answers a call? A completion, exactly once: by its answer, or by being dropped.

use std::ffi::c_void;
use std::fmt;

use super::table::{WxBuf, WxDone};
use super::words::Status;

/// The duty to answer one call of the other side. Whatever becomes of the work, the other side hears of its end: a
/// completion that is dropped unanswered answers with its last word, or PANIC while a panic unwinds.
pub struct Completion {
    user: *mut c_void,
    done: Option<WxDone>,
    last_word: Status,
}

// SAFETY: `done` may be called from any thread (rule 1 of the boundary), and `user` is only handed back to it.
unsafe impl Send for Completion {}

impl Completion {
    /// Takes over the duty. Without `done` nobody waits.
    ///
    /// # Safety
    /// `user` and `done` are those of one call that nobody else answers.
    pub unsafe fn new(user: *mut c_void, done: Option<WxDone>, last_word: Status) -> Self {
        Self { user, done, last_word }
    }

    /// Answers. The reply of a status other than OK is an encoded [`Fault`](super::Fault), or nothing.
    pub fn answer(mut self, status: Status, reply: Vec<u8>) {
        self.end(status, reply);
    }

    fn end(&mut self, status: Status, reply: Vec<u8>) {
        let Some(done) = self.done.take() else { return };
        let mut reply = WxBuf::give(reply);
        // SAFETY: the maker of this completion promised that these belong together; `take` above makes it happen once.
        unsafe { done(self.user, status.0, &raw mut reply) };
        // The receiver took the contents. One that did not must not make us leak.
        reply.release();
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let last_word = if std::thread::panicking() { Status::PANIC } else { self.last_word };
        self.end(last_word, Vec::new());
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("answered", &self.done.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::abi::buf::take;

    type Heard = Mutex<Vec<(i32, Vec<u8>)>>;

    unsafe extern "C" fn hear(user: *mut c_void, status: i32, reply: *mut WxBuf) {
        // SAFETY: the tests below give a `Heard` that outlives the completion.
        let heard = unsafe { &*user.cast::<Heard>() };
        // SAFETY: the completion gives a buffer of its own.
        let reply = unsafe { take(reply) };
        heard.lock().unwrap().push((status, reply));
    }

    fn completion(heard: &Heard) -> Completion {
        let user = std::ptr::from_ref(heard).cast_mut().cast();
        // SAFETY: one completion for each call of this function.
        unsafe { Completion::new(user, Some(hear), Status::STOPPING) }
    }

    #[test]
    fn every_end_is_heard_once() {
        let heard = Heard::default();
        completion(&heard).answer(Status::OK, b"yes".to_vec());
        drop(completion(&heard));
        let held = completion(&heard);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = held;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let want = [(Status::OK.0, b"yes".to_vec()), (Status::STOPPING.0, vec![]), (Status::PANIC.0, vec![])];
        assert_eq!(*heard.lock().unwrap(), want);
    }
}
