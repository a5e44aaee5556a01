//! What does `#[wxbot_plugin::test]` make of a function? A test on simulated people and time.

use proc_macro2::TokenStream;

pub(crate) fn expand(_options: TokenStream, _item: TokenStream) -> syn::Result<TokenStream> {
    Err(syn::Error::new(proc_macro2::Span::call_site(), "not written yet"))
}
