//! What does `#[plugin]` make of an impl block? A manifest, a table of handlers, and the trait.
//!
//! Reading order of the folder: [`options`] of the block, [`handler`] for one method, [`trigger`] for its attribute,
//! [`items`] how attributes are written, [`check`] what their values must be, [`write`] the code that comes out.

mod check;
mod handler;
mod items;
mod options;
#[cfg(test)]
mod tests;
mod trigger;
mod write;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl};

use handler::Handler;
use options::Options;

/// The methods of the block that are no handlers but parts of the trait.
#[derive(Default)]
struct Parts {
    init: Option<ImplItemFn>,
    stop: Option<ImplItemFn>,
    guard: Option<ImplItemFn>,
    plan: Option<ImplItemFn>,
}

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let mut block: ItemImpl = syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            "`#[plugin]` stands before the impl block that holds the handlers: `impl Weather { … }`",
        )
    })?;
    plain(&block)?;
    let mut errors = Errors::default();
    let options = errors.keep(syn::parse2::<Options>(options));
    let (mut parts, mut handlers) = (Parts::default(), Vec::new());
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        if let Some(Some(handler)) = errors.keep(Handler::take(method)) {
            handlers.push(handler);
            continue;
        }
        let name = method.sig.ident.to_string();
        let part = match name.as_str() {
            "init" => &mut parts.init,
            "stop" => &mut parts.stop,
            "guard" => &mut parts.guard,
            "plan" => &mut parts.plan,
            _ => continue,
        };
        errors.keep(part_is_right(&name, method));
        *part = Some(method.clone());
    }
    errors.keep(check::distinct_words(&handlers));
    if handlers.is_empty() && errors.0.is_none() && parts.guard.is_none() {
        errors.keep::<()>(Err(Error::new(
            block.self_ty.span(),
            "no method of this block is a handler: write `#[command(\"…\")]`, `#[keyword(any = […])]`, `#[regex(\"…\")]`, \
             `#[on(…)]`, `#[timer(\"…\")]`, `#[cron(\"…\")]` or `#[continues]` before one",
        )));
    }
    match (options, errors.0) {
        (_, Some(error)) => Err(error),
        (Some(options), None) => Ok(write::plugin(&block, &options, &parts, &handlers)),
        (None, None) => Err(Error::new(block.span(), "the options of `#[plugin]` cannot be read")),
    }
}

/// All mistakes of a block, told at once.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn keep<T>(&mut self, of: syn::Result<T>) -> Option<T> {
        match (of, &mut self.0) {
            (Ok(value), _) => return Some(value),
            (Err(error), Some(all)) => all.combine(error),
            (Err(error), none @ None) => *none = Some(error),
        }
        None
    }
}

fn plain(block: &ItemImpl) -> syn::Result<()> {
    if let Some((_, of, _)) = &block.trait_ {
        let why = "`#[plugin]` stands before `impl Weather { … }` and writes `impl Plugin for Weather` itself";
        return Err(Error::new_spanned(of, why));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(&block.generics, "a plugin is one type: it cannot have parameters"));
    }
    Ok(())
}

/// The arguments that the trait's own methods take.
fn part_is_right(name: &str, method: &ImplItemFn) -> syn::Result<()> {
    let takes_self = matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_)));
    let count = method.sig.inputs.len();
    let (right, how) = match name {
        "init" => (!takes_self && count <= 2, "async fn init(config: …, cx: &InitCtx) -> Result<Self, PluginError>"),
        "plan" => (!takes_self && count == 1 && method.sig.asyncness.is_none(), "fn plan(config: &…) -> Plan"),
        "stop" => (takes_self && count == 1, "async fn stop(&self)"),
        _ => {
            (takes_self && count == 3, "async fn guard(&self, event: &Event, cx: &Ctx) -> Result<Verdict, PluginError>")
        }
    };
    if right {
        return Ok(());
    }
    Err(Error::new_spanned(&method.sig, format!("`{name}` is a part of every plugin and is written `{how}`")))
}
