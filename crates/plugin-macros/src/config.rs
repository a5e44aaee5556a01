//! What does `#[derive(PluginConfig)]` make of a type? Of a struct a schema and a reading that tells all mistakes, of an
//! enum the words that stand for its variants.

mod options;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Expr, Fields, Ident, Lit, RangeLimits};

use options::{FieldOptions, TypeOptions, VariantOptions};

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(Error::new(
            item.generics.span(),
            "settings have no parameters: they are read without being told more",
        ));
    }
    match &item.data {
        Data::Struct(data) => table(&item, &data.fields),
        Data::Enum(data) => words(&item, data),
        Data::Union(_) => Err(Error::new(item.ident.span(), "settings are a struct, or an enum without data")),
    }
}

/// A struct: `impl PluginConfig`.
fn table(item: &DeriveInput, fields: &Fields) -> syn::Result<TokenStream> {
    let TypeOptions { check } = TypeOptions::read(&item.attrs)?;
    let named = match fields {
        Fields::Named(named) => named.named.iter().collect::<Vec<_>>(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => {
            return Err(Error::new(fields.span(), "the keys of settings are the names of fields: name them"));
        }
    };
    let (mut made, mut wrong) = (Vec::new(), Vec::new());
    for field in named {
        match read_field(field) {
            Ok(field) => made.push(field),
            Err(error) => wrong.push(error),
        }
    }
    let twice = made.iter().enumerate().filter(|(n, field)| made.iter().take(*n).any(|other| other.key == field.key));
    wrong.extend(
        twice.map(|(_, field)| Error::new(field.name.span(), format!("a second field is called `{}`", field.key))),
    );
    if let Some(error) = wrong.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        return Err(error);
    }
    let (name, about) = (&item.ident, options::docs(&item.attrs));
    let (names, specs): (Vec<_>, Vec<_>) = made.iter().map(|field| (&field.name, &field.spec)).unzip();
    let locals: Vec<_> = (0..names.len()).map(|n| format_ident!("field_{n}", span = Span::mixed_site())).collect();
    let check = check.map_or_else(|| quote!(|_| ::std::vec::Vec::new()), |check| quote!(|read: &Self| #check(read)));
    let read = if names.is_empty() {
        quote!(::std::option::Option::Some(Self {}))
    } else {
        quote! {
            if let (#(::std::option::Option::Some(#locals),)*) = (#(#locals,)*) {
                ::std::option::Option::Some(Self { #(#names: #locals,)* })
            } else {
                ::std::option::Option::None
            }
        }
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::wxbot_plugin::config::PluginConfig for #name {
            fn schema() -> ::wxbot_plugin::config::Value {
                ::wxbot_plugin::config::Shape::new(#about)#(.field(#specs))*.end()
            }

            fn read(
                settings: &::wxbot_plugin::config::Value,
                place: &::wxbot_plugin::config::Place,
            ) -> ::std::result::Result<Self, ::std::vec::Vec<::wxbot_plugin::config::ConfigProblem>> {
                #[allow(unused_mut, reason = "without fields nothing is read")]
                let mut table = ::wxbot_plugin::config::Table::open(settings, place)?;
                #(let #locals = table.field(#specs);)*
                let read = #read;
                table.end(read, #check)
            }
        }
    })
}

struct MadeField {
    name: Ident,
    key: String,
    /// The expression that makes the `Field`.
    spec: TokenStream,
}

fn read_field(field: &syn::Field) -> syn::Result<MadeField> {
    let FieldOptions { default, range, min_len, max_len, env, rename } = FieldOptions::read(&field.attrs)?;
    let name = field.ident.clone().ok_or_else(|| Error::new(field.span(), "a field without a name"))?;
    let key = rename.unwrap_or_else(|| name.unraw().to_string());
    let (ty, about) = (&field.ty, options::docs(&field.attrs));
    // The type's own span, so that a type that cannot be read is underlined, and not the whole derive.
    let mut spec = quote_spanned!(ty.span()=> ::wxbot_plugin::config::Field::<#ty>::new(#key));
    if !about.is_empty() {
        spec.extend(quote!(.about(#about)));
    }
    if let Some(env) = env {
        spec.extend(quote!(.env(#env)));
    }
    spec.extend(match default {
        None => None,
        Some(None) => Some(quote!(.default(<#ty as ::std::default::Default>::default))),
        Some(Some(Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }))) => Some(quote!(.default_text(#text))),
        Some(Some(value)) => Some(quote_spanned!(value.span()=> .default(|| #value))),
    });
    if let Some(range) = range {
        let least = match &range.start {
            Some(bound) => included(bound)?,
            None => quote!(::std::ops::Bound::Unbounded),
        };
        let most = match (&range.end, &range.limits) {
            (Some(bound), RangeLimits::Closed(_)) => included(bound)?,
            (Some(bound), RangeLimits::HalfOpen(_)) => {
                let bound = bound_of(bound)?;
                quote!(::std::ops::Bound::Excluded(#bound))
            }
            (None, _) => quote!(::std::ops::Bound::Unbounded),
        };
        spec.extend(quote_spanned!(range.span()=> .range(#least, #most)));
    }
    if min_len.is_some() || max_len.is_some() {
        let option = |len: Option<Expr>| match len {
            Some(len) => quote!(::std::option::Option::Some(#len)),
            None => quote!(::std::option::Option::None),
        };
        let (least, most) = (option(min_len), option(max_len));
        spec.extend(quote_spanned!(ty.span()=> .length(#least, #most)));
    }
    Ok(MadeField { name, key, spec })
}

fn included(bound: &Expr) -> syn::Result<TokenStream> {
    let bound = bound_of(bound)?;
    Ok(quote!(::std::ops::Bound::Included(#bound)))
}

/// A bound: an expression, or a duration in quotes.
fn bound_of(bound: &Expr) -> syn::Result<TokenStream> {
    let Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) = bound else { return Ok(quote!(#bound)) };
    let wrong = || Error::new(text.span(), "a range in quotes is one of durations, like \"1s\"..=\"10min\"");
    let ms = millis(&text.value()).ok_or_else(wrong)?;
    Ok(quote!(::std::time::Duration::from_millis(#ms)))
}

/// As `wxbot_model::span::parse_duration`, which a macro cannot call: it would compile the model twice.
fn millis(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_at(text.trim().find(|c: char| !c.is_ascii_digit())?);
    let unit: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// An enum: `impl ConfigValue`, a word for each variant.
fn words(item: &DeriveInput, data: &syn::DataEnum) -> syn::Result<TokenStream> {
    if data.variants.is_empty() {
        return Err(Error::new(item.ident.span(), "without variants no word is right"));
    }
    let (mut names, mut words, mut abouts) = (Vec::new(), Vec::<String>::new(), Vec::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a word has no data: use a struct with an enum and `Option`s in it";
            return Err(Error::new(variant.fields.span(), message));
        }
        let word =
            VariantOptions::read(&variant.attrs)?.rename.unwrap_or_else(|| kebab(&variant.ident.unraw().to_string()));
        if words.contains(&word) {
            return Err(Error::new(variant.ident.span(), format!("a second variant is called `{word}`")));
        }
        names.push(&variant.ident);
        words.push(word);
        abouts.push(options::docs(&variant.attrs));
    }
    let (name, about) = (&item.ident, options::docs(&item.attrs));
    Ok(quote! {
        #[automatically_derived]
        impl ::wxbot_plugin::config::ConfigValue for #name {
            fn value_schema() -> ::wxbot_plugin::config::Value {
                ::wxbot_plugin::config::words::schema(#about, &[#((#words, #abouts)),*])
            }

            fn want() -> ::std::string::String {
                ::wxbot_plugin::config::words::want(&[#(#words),*])
            }

            fn read_value(
                value: &::wxbot_plugin::config::Value,
                at: &::wxbot_plugin::config::At<'_>,
            ) -> ::std::result::Result<Self, ::std::vec::Vec<::wxbot_plugin::config::ConfigProblem>> {
                ::wxbot_plugin::config::words::pick(value, at, [#((#words, Self::#names)),*])
            }

            fn shown(&self) -> ::std::option::Option<::wxbot_plugin::config::Value> {
                ::std::option::Option::Some(::wxbot_plugin::config::Value::from(match self { #(Self::#names => #words),* }))
            }
        }
    })
}

/// `GroupAdmin` → `group-admin`.
fn kebab(name: &str) -> String {
    let mut word = String::new();
    for (n, c) in name.chars().enumerate() {
        if c.is_uppercase() && n > 0 {
            word.push('-');
        }
        word.extend(c.to_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the author is told; `ok` when nothing.
    fn told(item: TokenStream) -> String {
        expand(item).err().map_or_else(|| "ok".to_owned(), |error| error.to_string())
    }

    #[test]
    fn what_cannot_be_settings_is_told() {
        for (name, item, want) in [
            (
                "good",
                quote!(
                    struct A {
                        #[config(default = 5, range = 1..=10)]
                        a: u8,
                    }
                ),
                "ok",
            ),
            (
                "nothing",
                quote!(
                    struct A;
                ),
                "ok",
            ),
            (
                "tuple",
                quote!(
                    struct A(u8);
                ),
                "name them",
            ),
            ("union", quote!(union A { a: u8 }), "a struct, or an enum without data"),
            (
                "generic",
                quote!(
                    struct A<T> {
                        a: T,
                    }
                ),
                "no parameters",
            ),
            (
                "data in an enum",
                quote!(
                    enum A {
                        B(u8),
                    }
                ),
                "a word has no data",
            ),
            (
                "no words",
                quote!(
                    enum A {}
                ),
                "no word is right",
            ),
            (
                "same word",
                quote!(
                    enum A {
                        #[config(rename = "b")]
                        A,
                        B,
                    }
                ),
                "a second variant",
            ),
            (
                "same key",
                quote!(
                    struct A {
                        #[config(rename = "b")]
                        a: u8,
                        b: u8,
                    }
                ),
                "a second field",
            ),
            (
                "unknown option",
                quote!(
                    struct A {
                        #[config(defualt)]
                        a: u8,
                    }
                ),
                "known are",
            ),
            (
                "no range",
                quote!(
                    struct A {
                        #[config(range = 5)]
                        a: u8,
                    }
                ),
                "a range like",
            ),
            (
                "no duration",
                quote!(
                    struct A {
                        #[config(range = "1x"..)]
                        a: Duration,
                    }
                ),
                "one of durations",
            ),
            (
                "no name",
                quote!(
                    struct A {
                        #[config(env = "A=B")]
                        a: u8,
                    }
                ),
                "variable",
            ),
        ] {
            let told = told(item);
            assert!(told.contains(want), "{name}: {told}");
        }
    }

    #[test]
    fn words_of_variants() {
        for (name, want) in [("Celsius", "celsius"), ("GroupAdmin", "group-admin"), ("A", "a")] {
            assert_eq!(kebab(name), want);
        }
    }
}
