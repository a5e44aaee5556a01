//! Who frees what? Bytes that cross are lent until a call returns, or given away with the function that frees them.

use std::mem;
use std::slice;

use super::table::{WxBuf, WxSlice};

/// Lends these bytes. The slice holds no borrow: it is for the arguments of one call.
pub fn lend(bytes: &[u8]) -> WxSlice {
    WxSlice { ptr: bytes.as_ptr(), len: bytes.len() }
}

/// Copies lent bytes.
///
/// # Safety
/// The slice is as the other side made it for the call that still runs: `len` readable bytes at `ptr`, or none.
pub unsafe fn copy(lent: WxSlice) -> Vec<u8> {
    if lent.ptr.is_null() || lent.len == 0 {
        return Vec::new();
    }
    // SAFETY: not null, and the caller promises `len` readable bytes.
    unsafe { slice::from_raw_parts(lent.ptr, lent.len) }.to_vec()
}

/// Takes the contents of a buffer that the other side gave: copies the bytes and lets the other side free its own.
/// What stays behind is empty, so that taking twice takes nothing.
///
/// # Safety
/// `given` is null, or points to a buffer whose contents nobody else takes: `len` readable bytes at `ptr`, which `free`
/// frees.
pub unsafe fn take(given: *mut WxBuf) -> Vec<u8> {
    if given.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, and the caller promises that it points to a buffer that is ours alone.
    let buf = mem::replace(unsafe { &mut *given }, WxBuf::EMPTY);
    // SAFETY: the caller promises `len` readable bytes at `ptr`, and they are freed only below.
    let bytes = unsafe { copy(WxSlice { ptr: buf.ptr, len: buf.len }) };
    if let Some(free) = buf.free {
        // SAFETY: these are the values that the maker of the buffer wrote, and the buffer is used no more.
        unsafe { free(buf.ptr, buf.len, buf.cap) };
    }
    bytes
}

impl WxBuf {
    /// Gives bytes away. Whoever gets the buffer frees it; forgetting it leaks.
    pub fn give(bytes: Vec<u8>) -> Self {
        let mut bytes = mem::ManuallyDrop::new(bytes);
        Self { ptr: bytes.as_mut_ptr(), len: bytes.len(), cap: bytes.capacity(), free: Some(free_vec) }
    }

    /// Frees what is still in it; nothing after somebody [took](take) it.
    pub(super) fn release(&mut self) {
        // SAFETY: `self` is borrowed alone, and a buffer is made by `give` or is empty on this side.
        drop(unsafe { take(self) });
    }
}

/// Frees what [`WxBuf::give`] gave.
unsafe extern "C" fn free_vec(ptr: *mut u8, len: usize, cap: usize) {
    // SAFETY: the three values are those of the vector in `give`, and the other side gives them back once.
    drop(unsafe { Vec::from_raw_parts(ptr, len, cap) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_taken_once() {
        for bytes in [Vec::new(), Vec::with_capacity(100), b"hello".to_vec()] {
            let want = bytes.clone();
            let mut buf = WxBuf::give(bytes);
            // SAFETY: made by `give` and ours alone.
            assert_eq!(unsafe { take(&raw mut buf) }, want);
            // SAFETY: the first `take` left an empty buffer.
            assert_eq!(unsafe { take(&raw mut buf) }, b"");
        }
    }

    #[test]
    fn nothing_may_be_spelled_as_null() {
        // SAFETY: null is allowed.
        assert_eq!(unsafe { take(std::ptr::null_mut()) }, b"");
        // SAFETY: so is a null slice, whatever its length says.
        assert_eq!(unsafe { copy(WxSlice { ptr: std::ptr::null(), len: 7 }) }, b"");
        // SAFETY: the bytes live to the end of the line.
        assert_eq!(unsafe { copy(lend(b"abc")) }, b"abc");
    }
}
