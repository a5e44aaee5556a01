//! What do the attributes of a plugin crate write? `#[plugin]` with its handlers, `#[derive(PluginConfig)]`, `#[test]`.
//!
//! Use them through `wxbot_plugin`, which documents them with examples that run.

mod config;
mod plugin;
mod test;

use proc_macro::TokenStream;

/// See `wxbot_plugin::plugin`.
#[proc_macro_attribute]
pub fn plugin(options: TokenStream, item: TokenStream) -> TokenStream {
    plugin::expand(options.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// See `wxbot_plugin::PluginConfig`.
#[proc_macro_derive(PluginConfig, attributes(config))]
pub fn plugin_config(item: TokenStream) -> TokenStream {
    config::expand(item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// See `wxbot_plugin::test`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(options.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}
