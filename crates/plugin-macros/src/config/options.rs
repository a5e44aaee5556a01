//! What may stand in `#[config(…)]`, on a struct, a field and a variant?

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, ExprRange, Lit, LitStr, Meta, Path, Token};

/// `#[config(check = …)]` on a struct.
#[derive(Default)]
pub(super) struct TypeOptions {
    pub(super) check: Option<Path>,
}

/// `#[config(…)]` on a field.
#[derive(Default)]
pub(super) struct FieldOptions {
    /// `default`, or `default = …`.
    pub(super) default: Option<Option<Expr>>,
    pub(super) range: Option<ExprRange>,
    pub(super) min_len: Option<Expr>,
    pub(super) max_len: Option<Expr>,
    pub(super) env: Option<LitStr>,
    pub(super) rename: Option<String>,
}

/// `#[config(…)]` on a variant.
#[derive(Default)]
pub(super) struct VariantOptions {
    pub(super) rename: Option<String>,
}

impl TypeOptions {
    pub(super) fn read(attrs: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self::default();
        each(attrs, |meta| {
            if meta.path.is_ident("check") {
                options.check = Some(path(&meta)?);
                return Ok(());
            }
            Err(meta.error("known are `check = path::of::a_function`"))
        })?;
        Ok(options)
    }
}

impl FieldOptions {
    pub(super) fn read(attrs: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self::default();
        each(attrs, |meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match name.as_str() {
                "default" => {
                    options.default = Some(if meta.input.peek(Token![=]) { Some(value(&meta)?) } else { None })
                }
                "range" => {
                    let value = value(&meta)?;
                    let Expr::Range(range) = value else {
                        return Err(syn::Error::new_spanned(value, "a range like `1..=10`, please"));
                    };
                    options.range = Some(range);
                }
                "min_len" => options.min_len = Some(value(&meta)?),
                "max_len" => options.max_len = Some(value(&meta)?),
                "env" => {
                    let text: LitStr = meta.value()?.parse()?;
                    if text.value().is_empty() || text.value().contains(['=', '\0']) {
                        return Err(syn::Error::new(text.span(), "no environment variable is called so"));
                    }
                    options.env = Some(text);
                }
                "rename" => options.rename = Some(key(&meta)?),
                _ => {
                    return Err(meta.error(
                        "known are `default`, `default = …`, `range = 1..=10`, `min_len`, `max_len`, `env = \"NAME\"`, \
                         `rename = \"key\"`",
                    ));
                }
            }
            Ok(())
        })?;
        Ok(options)
    }
}

impl VariantOptions {
    pub(super) fn read(attrs: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self::default();
        each(attrs, |meta| {
            if meta.path.is_ident("rename") {
                options.rename = Some(key(&meta)?);
                return Ok(());
            }
            Err(meta.error("known are `rename = \"word\"`"))
        })?;
        Ok(options)
    }
}

fn each(attrs: &[Attribute], mut option: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>) -> syn::Result<()> {
    attrs.iter().filter(|attr| attr.path().is_ident("config")).try_for_each(|attr| attr.parse_nested_meta(&mut option))
}

fn value(meta: &ParseNestedMeta<'_>) -> syn::Result<Expr> {
    meta.value()?.parse()
}

fn key(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().is_empty() { Err(syn::Error::new(text.span(), "an empty name")) } else { Ok(text.value()) }
}

/// A path, with or without quotes.
fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let value = meta.value()?;
    if value.peek(LitStr) { value.parse::<LitStr>()?.parse() } else { value.parse() }
}

/// The doc comment on one line, paragraphs apart.
pub(super) fn docs(attrs: &[Attribute]) -> String {
    let mut text = String::new();
    for attr in attrs {
        let Meta::NameValue(meta) = &attr.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &meta.value else { continue };
        if !meta.path.is_ident("doc") {
            continue;
        }
        let line = line.value();
        match line.trim() {
            "" if !text.is_empty() => text.push_str("\n\n"),
            line => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text.trim_end().to_owned()
}
