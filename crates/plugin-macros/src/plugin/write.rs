//! Which code does a plugin become? The block itself, a table of its handlers, and `impl Plugin`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ImplItemFn, ItemImpl, ReturnType, Type};

use super::Parts;
use super::handler::{Arg, Handler, docs};
use super::options::Options;
use super::trigger::{Filters, On};

pub(super) fn plugin(block: &ItemImpl, options: &Options, parts: &Parts, handlers: &[Handler]) -> TokenStream {
    let me = &*block.self_ty;
    let config = options.config.as_ref().map_or_else(|| quote!(::wxbot_plugin::NoConfig), |config| quote!(#config));
    let manifest = manifest(block, options, parts);
    let init = init(me, parts.init.as_ref());
    let stop = parts.stop.as_ref().map(|stop| {
        let wait = wait(stop);
        quote! { async fn stop(&self) { Self::stop(self) #wait } }
    });
    let guard = parts.guard.as_ref().map(|guard| {
        let wait = wait(guard);
        quote! {
            async fn guard(
                &self,
                event: &::wxbot_plugin::model::Event,
                cx: &::wxbot_plugin::Ctx,
            ) -> ::core::result::Result<::wxbot_plugin::Verdict, ::wxbot_plugin::PluginError> {
                Self::guard(self, event, cx) #wait
            }
        }
    });
    let plan = parts.plan.as_ref().map(|_plan| {
        quote! { fn plan(config: &Self::Config) -> ::wxbot_plugin::Plan { Self::plan(config) } }
    });
    let handlers = handlers.iter().map(|each| handler(me, each));
    quote! {
        #block

        impl #me {
            #[doc(hidden)]
            fn __wxbot_handlers() -> &'static ::wxbot_plugin::route::Handlers<Self> {
                static HANDLERS: ::std::sync::OnceLock<::wxbot_plugin::route::Handlers<#me>> =
                    ::std::sync::OnceLock::new();
                HANDLERS.get_or_init(|| ::wxbot_plugin::route::Handlers::new(::std::vec![#(#handlers),*]))
            }
        }

        impl ::wxbot_plugin::Plugin for #me {
            type Config = #config;

            fn manifest() -> ::wxbot_plugin::Manifest {
                #manifest
            }

            #plan
            #init

            async fn on_event(
                &self,
                event: &::wxbot_plugin::model::Event,
                cx: &::wxbot_plugin::Ctx,
            ) -> ::core::result::Result<::wxbot_plugin::Effects, ::wxbot_plugin::PluginError> {
                ::wxbot_plugin::route::run(Self::__wxbot_handlers(), self, event, cx).await
            }

            #guard
            #stop
        }
    }
}

fn wait(method: &ImplItemFn) -> TokenStream {
    method.sig.asyncness.map(|_| quote!(.await)).unwrap_or_default()
}

fn manifest(block: &ItemImpl, options: &Options, parts: &Parts) -> TokenStream {
    let id = match &options.id {
        Some(id) => quote!(#id),
        None => quote!(::wxbot_plugin::route::id_of(::core::env!("CARGO_PKG_NAME"))),
    };
    let first = docs(&block.attrs).lines().next().unwrap_or_default().to_owned();
    let about = match &options.about {
        Some(about) => quote!(#about),
        None if first.is_empty() => quote!(::core::option_env!("CARGO_PKG_DESCRIPTION").unwrap_or_default()),
        None => quote!(#first),
    };
    let version =
        options.version.as_ref().map_or_else(|| quote!(::core::env!("CARGO_PKG_VERSION")), |version| quote!(#version));
    let needs = match &options.needs {
        Some(needs) => quote!(#needs),
        None => quote!([::wxbot_plugin::model::Capability::SendText]),
    };
    let priority = options.priority;
    let late = options.wants_late.then(|| quote!(.wants_late()));
    let watches = options.watches.then(|| quote!(.watches()));
    let guards = parts.guard.is_some().then(|| quote!(.guards()));
    quote! {
        ::wxbot_plugin::route::manifest(
            ::wxbot_plugin::Manifest::new(#id, #about).version(#version).needs(&#needs).priority(#priority) #late #watches #guards,
            Self::__wxbot_handlers(),
        )
    }
}

fn init(me: &Type, init: Option<&ImplItemFn>) -> TokenStream {
    let made = match init {
        Some(init) => {
            let wait = wait(init);
            let args = match init.sig.inputs.len() {
                0 => quote!(),
                1 => quote!(config),
                _ => quote!(config, cx),
            };
            quote!(Self::init(#args) #wait)
        }
        None => quote_spanned!(me.span()=> <#me as ::wxbot_plugin::route::MadeByDefault>::made_by_default()),
    };
    quote! {
        async fn init(
            config: Self::Config,
            cx: &::wxbot_plugin::InitCtx,
        ) -> ::core::result::Result<Self, ::wxbot_plugin::PluginError> {
            let _unless_taken = (&config, cx);
            ::wxbot_plugin::route::made(#made, Self::__wxbot_handlers())
        }
    }
}

/// One entry of the table.
fn handler(me: &Type, handler: &Handler) -> TokenStream {
    let (method, name) = (&handler.method, handler.name());
    let shapes = handler
        .args
        .iter()
        .map(|Arg { of, .. }| quote_spanned!(of.span()=> ::wxbot_plugin::route::shape::<#me, #of, _>()));
    let on = match &handler.trigger.on {
        On::Command(_) => quote!(Command),
        On::Regex(_) => quote!(Regex),
        On::Timer(_) => quote!(Timer),
        On::Keyword(_) | On::Event(_) | On::Schedule(_) | On::Cron { .. } | On::Continues => quote!(Other),
    };
    let checked = quote_spanned! {method.span()=>
        const _: () = ::wxbot_plugin::route::check(::wxbot_plugin::route::On::#on, &SHAPES);
    };
    let values: Vec<_> = (0..handler.args.len()).map(|n| format_ident!("value_{n}")).collect();
    let extracts = handler.args.iter().zip(&values).map(|(Arg { name, of, .. }, value)| {
        quote_spanned!(of.span()=> let #value = ::wxbot_plugin::route::extract::<#me, #of, _>(asked, #name).await?;)
    });
    let wait = handler.is_async.then(|| quote!(.await));
    let answer = quote!(let answer = <#me>::#method(plugin, #(#values),*) #wait;);
    let into = match &handler.output {
        ReturnType::Default => quote!(::wxbot_plugin::IntoEffects::into_effects(answer)?),
        ReturnType::Type(_, of) => quote_spanned!(of.span()=> ::wxbot_plugin::IntoEffects::into_effects(answer)?),
    };
    let (count, spec) = (values.len(), spec(handler, &name));
    quote! {
        {
            const SHAPES: [::wxbot_plugin::extract::Shape; #count] = [#(#shapes),*];
            #checked
            ::wxbot_plugin::route::Handler::new(#spec, &SHAPES, |plugin, asked| {
                ::std::boxed::Box::pin(async move {
                    #(#extracts)*
                    asked.end()?;
                    #answer
                    ::core::result::Result::<_, ::wxbot_plugin::extract::Miss>::Ok(#into)
                })
            })
        }
    }
}

/// What the manifest says of a handler.
fn spec(handler: &Handler, name: &str) -> TokenStream {
    let trigger = match &handler.trigger.on {
        On::Command(words) => {
            let told = handler.args.iter().map(|Arg { name, about, .. }| quote!((#name, #about)));
            quote!(Command {
                words: ::std::vec![#(#words.into()),*],
                args: ::wxbot_plugin::route::args(&SHAPES, &[#(#told),*]),
            })
        }
        On::Keyword(any) => quote!(Keyword { any: ::std::vec![#(#any.into()),*] }),
        On::Regex(pattern) => quote!(Regex { pattern: #pattern.into() }),
        On::Event(kinds) => quote!(Event { kinds: ::std::vec![#(#kinds.into()),*] }),
        On::Timer(name) => quote!(Timer { name: #name.into() }),
        On::Schedule(name) => quote!(Schedule { name: #name.into() }),
        On::Cron { expression, tz, missed } => {
            let missed = format_ident!("{missed}");
            let tz = option(tz.as_ref().map(|tz| quote!(#tz.into())));
            quote!(Cron { expression: #expression.into(), tz: #tz, missed: ::wxbot_plugin::manifest::Missed::#missed })
        }
        On::Continues => quote!(Continues),
    };
    let Filters { only, at_me, from, allow, cooldown, priority, block } = &handler.trigger.filters;
    let only = option(only.map(|only| {
        let only = if only == "group" { quote!(Group) } else { quote!(Private) };
        quote!(::wxbot_plugin::manifest::Only::#only)
    }));
    let allow = option(allow.as_ref().map(|role| quote!(#role)));
    let cooldown = option(cooldown.as_ref().map(|cooldown| {
        let (ms, per) = (cooldown.ms, format_ident!("{}", cooldown.per));
        quote!(::wxbot_plugin::manifest::Cooldown::new(#ms, ::wxbot_plugin::manifest::Per::#per))
    }));
    let block = block.unwrap_or(matches!(handler.trigger.on, On::Command(_) | On::Continues));
    let about = &handler.about;
    quote! {{
        let mut spec = ::wxbot_plugin::manifest::HandlerSpec::new(#name, ::wxbot_plugin::manifest::Trigger::#trigger);
        spec.about = #about.into();
        spec.only = #only;
        spec.at_me = #at_me;
        spec.from = ::std::vec![#(#from.into()),*];
        spec.allow = #allow;
        spec.cooldown = #cooldown;
        spec.priority = #priority;
        spec.block = #block;
        spec
    }}
}

fn option(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}
