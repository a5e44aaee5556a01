//! Which methods are handlers, and what do they take?

use syn::{Attribute, Error, Expr, ExprLit, FnArg, Ident, ImplItemFn, Lit, Pat, ReturnType, Type};

use super::items::nearest;
use super::trigger::{ATTRIBUTES, Trigger};

/// Attributes of the language that look like ours.
const NOT_OURS: [&str; 2] = ["cold", "test"];

pub(super) struct Handler {
    pub(super) method: Ident,
    pub(super) about: String,
    pub(super) trigger: Trigger,
    pub(super) args: Vec<Arg>,
    pub(super) output: ReturnType,
    pub(super) is_async: bool,
}

pub(super) struct Arg {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) of: Type,
}

impl Handler {
    /// Takes our attributes off a method, and reads it when it is a handler.
    pub(super) fn take(method: &mut ImplItemFn) -> syn::Result<Option<Self>> {
        let (ours, others): (Vec<_>, Vec<_>) = std::mem::take(&mut method.attrs).into_iter().partition(is_ours);
        method.attrs = others;
        let args: Vec<(Vec<Attribute>, FnArg)> = method.sig.inputs.iter_mut().map(take_docs).collect();
        let mut ours = ours.iter();
        let Some(attribute) = ours.next() else { return no_typo(method).map(|()| None) };
        if let Some(more) = ours.next() {
            return Err(Error::new_spanned(more, "a handler listens to one thing: write a second method for this"));
        }
        if let Some(cfg) = method.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            return Err(Error::new_spanned(cfg, "a handler cannot come and go: put `#[cfg]` on the whole impl block"));
        }
        if let Some(parameter) = method.sig.generics.type_params().next() {
            return Err(Error::new_spanned(parameter, "a handler cannot have type parameters"));
        }
        let name = attribute.path().get_ident().map(Ident::to_string).unwrap_or_default();
        Ok(Some(Self {
            method: method.sig.ident.clone(),
            about: docs(&method.attrs),
            trigger: Trigger::read(attribute, &name)?,
            args: arguments(method, args)?,
            output: method.sig.output.clone(),
            is_async: method.sig.asyncness.is_some(),
        }))
    }

    pub(super) fn name(&self) -> String {
        bare(&self.method)
    }
}

fn is_ours(attribute: &Attribute) -> bool {
    ATTRIBUTES.iter().any(|name| attribute.path().is_ident(name))
}

fn no_typo(method: &ImplItemFn) -> syn::Result<()> {
    for attribute in &method.attrs {
        let Some(name) = attribute.path().get_ident().map(Ident::to_string) else { continue };
        if let Some(meant) = nearest(&name, &ATTRIBUTES)
            && name.starts_with(|first| meant.starts_with(first))
            && !NOT_OURS.contains(&&*name)
        {
            return Err(Error::new_spanned(attribute.path(), format!("did you mean `#[{meant}]`?")));
        }
    }
    Ok(())
}

/// Takes the doc comments off an argument, where the language allows none.
fn take_docs(arg: &mut FnArg) -> (Vec<Attribute>, FnArg) {
    let attrs = match arg {
        FnArg::Typed(typed) => &mut typed.attrs,
        FnArg::Receiver(receiver) => &mut receiver.attrs,
    };
    let (docs, others) = std::mem::take(attrs).into_iter().partition(|attribute| attribute.path().is_ident("doc"));
    *attrs = others;
    (docs, arg.clone())
}

fn arguments(method: &ImplItemFn, args: Vec<(Vec<Attribute>, FnArg)>) -> syn::Result<Vec<Arg>> {
    let mut args = args.into_iter();
    let wanted = format!("a handler takes `&self` first: `fn {}(&self, …)`", method.sig.ident);
    match args.next() {
        Some((_, FnArg::Receiver(me))) if me.reference.is_some() && me.mutability.is_none() => {}
        Some((_, FnArg::Receiver(me))) => {
            let why = "; several events run at the same time, so state sits behind a lock or in `Stored<T>`";
            return Err(Error::new_spanned(me, format!("{wanted}{why}")));
        }
        Some((_, first @ FnArg::Typed(_))) => return Err(Error::new_spanned(first, wanted)),
        None => return Err(Error::new_spanned(&method.sig, wanted)),
    }
    args.map(|(attrs, arg)| match arg {
        FnArg::Typed(typed) => Ok(Arg { name: name_of(&typed.pat)?, about: docs(&attrs), of: *typed.ty }),
        FnArg::Receiver(me) => Err(Error::new_spanned(me, "`self` comes first")),
    })
    .collect()
}

/// What people are told that an argument is called.
fn name_of(pattern: &Pat) -> syn::Result<String> {
    if let Pat::Ident(name) = pattern {
        Ok(bare(&name.ident).trim_start_matches('_').to_owned())
    } else if let Pat::Wild(_) = pattern {
        Ok(String::new())
    } else {
        Err(Error::new_spanned(pattern, "people are told the names of arguments: give this one a name"))
    }
}

/// A name without `r#`.
fn bare(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

/// The text of doc comments.
pub(super) fn docs(attrs: &[Attribute]) -> String {
    let line = |attribute: &Attribute| {
        let doc = attribute.meta.require_name_value().ok().filter(|doc| doc.path.is_ident("doc"))?;
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &doc.value else { return None };
        let text = text.value();
        Some(text.strip_prefix(' ').unwrap_or(&text).trim_end().to_owned())
    };
    attrs.iter().filter_map(line).collect::<Vec<_>>().join("\n").trim().to_owned()
}
