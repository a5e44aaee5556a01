//! What do the two sides lay out in memory? The tables of ABI major 1, as `include/wxbot_plugin.h` draws them.
//!
//! Within a major a table only grows at its end: whoever reads a field looks first whether `size` covers it. Function
//! pointers are options here, since a table from elsewhere may hold a null.

#![expect(clippy::cast_possible_truncation, reason = "the tables are some dozens of bytes long")]

use std::ffi::c_void;

/// The first eight bytes of a plugin's table: `WXBOTPL\0`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"WXBOTPL\0");

/// The highest minor this side speaks. In use is the lower of the two.
pub const MINOR: u32 = 0;

/// Bytes that are lent until the call returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct WxSlice {
    /// The first byte; may be null when there are none.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

/// Bytes that are given away. Whoever has them frees them, and only through `free`.
#[repr(C)]
#[derive(Debug)]
pub struct WxBuf {
    /// The first byte; may be null when there are none.
    pub ptr: *mut u8,
    /// How many are in use.
    pub len: usize,
    /// How many are allocated.
    pub cap: usize,
    /// Frees `ptr` on the side that made it; none when there is nothing to free.
    pub free: Option<unsafe extern "C" fn(ptr: *mut u8, len: usize, cap: usize)>,
}

/// Ends one call: exactly once, from any thread, possibly before `call` returns. The receiver takes the contents of
/// `reply`, which may be null.
pub type WxDone = unsafe extern "C" fn(user: *mut c_void, status: i32, reply: *mut WxBuf);

/// What a library offers.
#[repr(C)]
#[derive(Debug)]
pub struct WxPluginV1 {
    /// [`MAGIC`].
    pub magic: u64,
    /// The size of this table as built.
    pub size: u32,
    /// The highest minor spoken.
    pub minor: u32,
    /// Writes the manifest (JSON).
    pub manifest: Option<unsafe extern "C" fn(out: *mut WxBuf) -> i32>,
    /// Makes an instance with these settings (JSON), without starting it: INIT does.
    pub create: Option<
        unsafe extern "C" fn(
            host: *const WxHostV1,
            settings: WxSlice,
            instance: *mut *mut c_void,
            error: *mut WxBuf,
        ) -> i32,
    >,
    /// Begins an operation and answers the id to cancel it by; 0: nothing to cancel.
    pub call: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            op: u32,
            payload: WxSlice,
            user: *mut c_void,
            done: Option<WxDone>,
        ) -> u64,
    >,
    /// Asks for the end of a call, which still ends through `done`. Any id, any number of times.
    pub cancel: Option<unsafe extern "C" fn(instance: *mut c_void, call_id: u64)>,
    /// Frees an instance. All of its calls have ended.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Ends the threads of the whole library; the last call.
    pub shutdown: Option<unsafe extern "C" fn(timeout_ms: u64) -> i32>,
}

/// What wxbot offers to one instance. It lives as long as the process.
#[repr(C)]
#[derive(Debug)]
pub struct WxHostV1 {
    /// The size of this table as built.
    pub size: u32,
    /// The highest minor spoken.
    pub minor: u32,
    /// Given back with each call.
    pub ctx: *mut c_void,
    /// The most verbose level that is wanted: 0 nothing, 1 errors, … 5 all.
    pub log_level: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u32>,
    /// Takes one record.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, record: WxSlice)>,
    /// Asks the host something.
    pub call: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            op: u32,
            payload: WxSlice,
            user: *mut c_void,
            done: Option<WxDone>,
        ) -> u64,
    >,
}

impl WxSlice {
    /// No bytes.
    pub const EMPTY: Self = Self { ptr: std::ptr::null(), len: 0 };
}

impl WxPluginV1 {
    /// The size of the table as this side knows it.
    pub const SIZE: u32 = size_of::<Self>() as u32;
}

impl WxHostV1 {
    /// The size of the table as this side knows it.
    pub const SIZE: u32 = size_of::<Self>() as u32;
}

impl WxBuf {
    /// No bytes.
    pub const EMPTY: Self = Self { ptr: std::ptr::null_mut(), len: 0, cap: 0, free: None };
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Every fact of the layout, as C spells it, with the number that it has forever.
    fn layout() -> Vec<(&'static str, usize, usize)> {
        macro_rules! fields {
            ($c:literal, $rust:ty { $($field:ident: $at:literal),* } $size:literal) => {
                vec![
                    $((concat!("offsetof(", $c, ", ", stringify!($field), ")"), offset_of!($rust, $field), $at),)*
                    (concat!("sizeof(", $c, ")"), size_of::<$rust>(), $size),
                ]
            };
        }
        [
            fields!("wx_slice", WxSlice { ptr: 0, len: 8 } 16),
            fields!("wx_buf", WxBuf { ptr: 0, len: 8, cap: 16, free: 24 } 32),
            fields!(
                "wx_plugin_v1",
                WxPluginV1 {
                    magic: 0, size: 8, minor: 12, manifest: 16, create: 24, call: 32, cancel: 40, destroy: 48, shutdown: 56
                } 64
            ),
            fields!("wx_host_v1", WxHostV1 { size: 0, minor: 4, ctx: 8, log_level: 16, log: 24, call: 32 } 40),
            vec![("sizeof(wx_done)", size_of::<Option<WxDone>>(), 8)],
        ]
        .concat()
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_layout_never_moves() {
        for (fact, ours, forever) in layout() {
            assert_eq!(ours, forever, "{fact}");
        }
        assert_eq!(&MAGIC.to_le_bytes(), b"WXBOTPL\0");
    }

    /// The header is the authority for authors in C. The compiler itself compares it with our tables and numbers.
    #[test]
    fn the_header_says_the_same() {
        let mut source = String::from("#include <stddef.h>\n#include \"wxbot_plugin.h\"\n");
        for (fact, ours, _) in layout() {
            source.push_str(&format!("_Static_assert({fact} == {ours}, \"{fact}\");\n"));
        }
        let mut numbers = vec![("WX_MAGIC".to_owned(), MAGIC), ("WX_MINOR".to_owned(), MINOR.into())];
        numbers.extend(super::super::words::tests::spelled_for_c());
        for (name, number) in numbers {
            source.push_str(&format!("_Static_assert({name} == {number}ull, \"{name}\");\n"));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("layout.c");
        std::fs::write(&file, source).unwrap();
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-I"]).arg(include).arg(&file);
        let output = cc.output().expect("a C compiler; SQLite needs one too");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
