//! What crosses the boundary between wxbot and a plugin that it loads from a file? A small C table and bytes.
//!
//! Authors need nothing of this but [`export_plugin!`](crate::export_plugin). Reading order: `table` what the two sides
//! lay out in memory → `words` which numbers and records they exchange, `wire` as which bytes, `claims` whether they are all there → `buf` and `done` who frees
//! and who answers → `contain` where panics end → `tickets` how a side finds its own waiting call again → `shim` the side
//! of the plugin (feature `dylib`), with `running` its runtime and calls, `link` its way to the host, and `forward` what
//! it logs → `asks` what the two say to each other about plugins, `export` a [`Plugin`](crate::Plugin) behind the shim
//! and `over` its host.
//!
//! The C header `include/wxbot_plugin.h` says the same to authors in other languages; a test keeps the two equal.
#![expect(unsafe_code, reason = "one of the two places where memory of another library is touched")]

#[cfg(feature = "wire")]
pub mod asks;
mod buf;
#[cfg(feature = "wire")]
mod claims;
mod contain;
mod done;
mod table;
mod tickets;
#[cfg(feature = "wire")]
mod wire;
mod words;

#[cfg(feature = "dylib")]
pub mod export;
#[cfg(feature = "dylib")]
mod forward;
#[cfg(feature = "dylib")]
mod link;
#[cfg(feature = "dylib")]
mod over;
#[cfg(feature = "dylib")]
mod running;
#[cfg(feature = "dylib")]
pub mod shim;

pub use buf::{copy, lend, take};
pub use contain::{contain, discard};
pub use done::Completion;
pub use table::{MAGIC, MINOR, WxBuf, WxDone, WxHostV1, WxPluginV1, WxSlice};
pub use tickets::Tickets;
#[cfg(feature = "wire")]
pub use wire::{decode, encode};
pub use words::{Fault, HostOp, LogLevel, LogRecord, PluginOp, Status};

#[cfg(feature = "dylib")]
pub use link::HostLink;

/// Exports a plugin from a library that wxbot loads at run time.
///
/// The symbol is written only when the *author's* crate is built with its own feature `dylib`, so that the same crate can
/// be linked statically: two crates that both export it do not link. Write into `Cargo.toml`:
///
/// ```toml
/// [features]
/// dylib = ["wxbot-plugin/dylib"]
/// ```
///
/// and below the plugin `export_plugin!(Keyword);`, or `export_plugin!(Keyword, threads = 2);` for a library whose
/// handlers compute much: 1 to 4 threads, 1 unless stated.
///
/// The exported symbol is an unsafe attribute, and the macro brings its own `allow`; a crate that *forbids* `unsafe_code`
/// cannot be exported.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        $crate::export_plugin!($plugin, threads = 1);
    };
    ($plugin:ty, threads = $threads:literal) => {
        #[cfg(feature = "dylib")]
        #[allow(unsafe_code, reason = "the symbol that wxbot looks for")]
        const _: () = {
            static TABLE: $crate::abi::WxPluginV1 = $crate::abi::shim::table_of::<$plugin, $threads>();

            #[unsafe(no_mangle)]
            pub extern "C" fn wxbot_plugin_entry_v1() -> *const $crate::abi::WxPluginV1 {
                &raw const TABLE
            }
        };
    };
}
