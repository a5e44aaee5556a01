//! What does `#[wxbot_plugin::test]` make of a function? A test on simulated people and time.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser as _;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, ItemFn};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let Options { settings, env } = Options::read(options)?;
    let test: ItemFn = syn::parse2(item)?;
    let (name, inputs, output) = (&test.sig.ident, &test.sig.inputs, &test.sig.output);
    if test.sig.asyncness.is_none() {
        return Err(Error::new(test.sig.fn_token.span(), "what people say is awaited: `async fn`"));
    }
    if inputs.len() != 1 || test.sig.receiver().is_some() || !test.sig.generics.params.is_empty() {
        let message = "a test takes the kit with the plugin in it: `async fn greets(bot: Kit<Greeter>)`";
        return Err(Error::new(test.sig.paren_token.span.join(), message));
    }
    let none = || quote!(::wxbot_plugin::config::Value::Object(::std::default::Default::default()));
    let settings = settings.map_or_else(none, |settings| quote!(#settings));
    let env = env.map_or_else(|| quote!([]), |env| quote!(#env));
    let (attrs, body) = (&test.attrs, &test.block);
    Ok(quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        fn #name() #output {
            async fn test(#inputs) #output #body
            ::wxbot_plugin::testing::run(#settings, &#env, test)
        }
    })
}

#[derive(Default)]
struct Options {
    settings: Option<Expr>,
    env: Option<Expr>,
}

impl Options {
    fn read(options: TokenStream) -> syn::Result<Self> {
        let mut read = Self::default();
        syn::meta::parser(|meta| {
            let option = if meta.path.is_ident("settings") {
                &mut read.settings
            } else if meta.path.is_ident("env") {
                &mut read.env
            } else {
                return Err(meta.error("known are `settings = json!({ … })` and `env = [(\"NAME\", \"value\")]`"));
            };
            *option = Some(meta.value()?.parse()?);
            Ok(())
        })
        .parse2(options)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_test_is_told() {
        let good = quote!(
            async fn a(bot: Kit<A>) {}
        );
        for (name, options, item, want) in [
            ("good", quote!(), good.clone(), "ok"),
            ("with settings", quote!(settings = json!({}), env = [("A", "b")]), good.clone(), "ok"),
            ("unknown option", quote!(setings = 1), good, "known are"),
            (
                "not async",
                quote!(),
                quote!(
                    fn a(bot: Kit<A>) {}
                ),
                "async fn",
            ),
            (
                "nothing to test",
                quote!(),
                quote!(
                    async fn a() {}
                ),
                "takes the kit",
            ),
            (
                "a method",
                quote!(),
                quote!(
                    async fn a(&self) {}
                ),
                "takes the kit",
            ),
        ] {
            let told = expand(options, item).err().map_or_else(|| "ok".to_owned(), |error| error.to_string());
            assert!(told.contains(want), "{name}: {told}");
        }
    }
}
