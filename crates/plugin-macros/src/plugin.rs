//! What does `#[plugin]` make of an impl block? A manifest, a table of handlers, and the trait.

use proc_macro2::TokenStream;

pub(crate) fn expand(_options: TokenStream, _item: TokenStream) -> syn::Result<TokenStream> {
    Err(syn::Error::new(proc_macro2::Span::call_site(), "not written yet"))
}
