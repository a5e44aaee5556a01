//! What does `#[plugin]` write? A table of handlers, made once per type, and checks that run while it compiles.

use futures_util::future::BoxFuture;
use regex::Regex;
use wxbot_model::Event;

use super::heard::Heard;
use crate::ctx::Ctx;
use crate::dialogue::Open;
use crate::effects::Effects;
use crate::extract::{Asked, Extract, Miss, Shape};
use crate::manifest::{ArgSpec, HandlerSpec, Manifest, Trigger};
use crate::plugin::PluginError;
use crate::stored::Kept;
use crate::text::{Deaf, fold, regex};

/// A handler as a function: arguments are made, the method is called, its answer becomes effects.
pub type Run<P> = for<'a> fn(&'a P, &'a Asked<'a>) -> BoxFuture<'a, Result<Effects, Miss>>;

/// The handlers of a plugin type, in the order they are asked.
#[derive(Debug)]
pub struct Handlers<P> {
    pub(super) list: Vec<Handler<P>>,
    continues: bool,
    broken: Option<String>,
}

/// One handler.
#[derive(Debug)]
pub struct Handler<P> {
    pub(super) spec: HandlerSpec,
    pub(super) run: Run<P>,
    pub(super) ready: Ready,
    pub(super) whole_text: bool,
    /// Its place in the source.
    pub(super) number: usize,
}

/// What a trigger compares with, made once.
#[derive(Debug)]
pub(super) enum Ready {
    Words(Vec<String>),
    Regex(Regex),
    Nothing,
}

impl<P> Handler<P> {
    /// A handler with these arguments.
    pub fn new(spec: HandlerSpec, shapes: &[Shape], run: Run<P>) -> Self {
        Self { spec, run, ready: Ready::Nothing, whole_text: shapes.contains(&Shape::Text), number: 0 }
    }

    fn prepare(&mut self) -> Result<(), String> {
        self.ready = match &self.spec.trigger {
            Trigger::Command { words, .. } | Trigger::Keyword { any: words } => {
                Ready::Words(words.iter().map(|word| fold(word)).collect())
            }
            Trigger::Regex { pattern } => {
                let built = regex(pattern, false);
                Ready::Regex(built.map_err(|error| format!("the regex of `{}`: {error}", self.spec.name))?)
            }
            Trigger::Event { .. }
            | Trigger::Timer { .. }
            | Trigger::Schedule { .. }
            | Trigger::Cron { .. }
            | Trigger::Continues
            | Trigger::Unknown => Ready::Nothing,
        };
        Ok(())
    }
}

impl<P> Handlers<P> {
    /// Puts handlers into the order they are asked in.
    pub fn new(mut list: Vec<Handler<P>>) -> Self {
        let mut broken = None;
        for (number, handler) in list.iter_mut().enumerate() {
            handler.number = number;
            broken = handler.prepare().err().or(broken);
        }
        list.sort_by_key(|handler| (handler.spec.trigger != Trigger::Continues, -i64::from(handler.spec.priority)));
        let continues = list.iter().any(|handler| handler.spec.trigger == Trigger::Continues);
        Self { list, continues, broken }
    }

    /// The longest word of a command that was said, over all handlers.
    pub(super) fn longest(&self, heard: &Result<Heard<'_>, Deaf>) -> usize {
        let Ok(heard) = heard else { return 0 };
        let said = self.list.iter().filter_map(|handler| match (&handler.spec.trigger, &handler.ready) {
            (Trigger::Command { .. }, Ready::Words(words)) => heard.command(words),
            _ => None,
        });
        said.map(|said| said.len).max().unwrap_or(0)
    }

    /// The dialog with the sender, for plugins that go on with one.
    pub(super) async fn open_dialog(&self, event: &Event, cx: &Ctx, kept: &Kept) -> Result<Option<Open>, PluginError> {
        if self.continues && event.message().is_some() { Open::read(event, cx, kept).await } else { Ok(None) }
    }
}

impl HandlerSpec {
    /// Why it took an event.
    pub(super) fn trigger_found(&self) -> String {
        match &self.trigger {
            Trigger::Command { .. } => "the command was said".to_owned(),
            Trigger::Keyword { .. } => "text holds a keyword".to_owned(),
            Trigger::Regex { .. } => "text fits the regex".to_owned(),
            Trigger::Event { .. } => "it listens to this kind of event".to_owned(),
            Trigger::Timer { .. } | Trigger::Schedule { .. } | Trigger::Cron { .. } => "it was due".to_owned(),
            Trigger::Continues => "its dialog with the sender is open".to_owned(),
            Trigger::Unknown => String::new(),
        }
    }
}

/// What precedes a handler: see [`check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum On {
    /// `#[command]`
    Command,
    /// `#[regex]`
    Regex,
    /// `#[timer]`
    Timer,
    /// Any other.
    Other,
}

/// The shape of an argument.
pub const fn shape<'a, P, T: Extract<'a, P, Via>, Via>() -> Shape {
    T::SHAPE
}

/// Whether arguments of these shapes may stand behind such an attribute, in this order. It fails while the plugin compiles.
///
/// # Panics
/// With what is wrong.
pub const fn check(on: On, mut shapes: &[Shape]) {
    let (mut optional, mut last) = (false, false);
    while let [shape, others @ ..] = shapes {
        shapes = others;
        match shape {
            Shape::Context => {}
            Shape::Text => {
                assert!(!matches!(on, On::Timer), "a timer brings no text: take `Due<T>`");
            }
            Shape::Captures => {
                assert!(matches!(on, On::Regex), "only a `#[regex]` handler can take `Captures`");
            }
            Shape::Due => assert!(matches!(on, On::Timer), "only a `#[timer]` handler can take `Due<T>`"),
            Shape::Word(_) | Shape::Optional(_) | Shape::Many(_) | Shape::Rest | Shape::OptionalRest => {
                assert!(
                    matches!(on, On::Command),
                    "only a `#[command]` handler can take words: take `Text` for all that was typed"
                );
                assert!(!last, "nothing can follow an argument that takes all that is left (`Vec<T>`, `Rest`)");
                assert!(
                    !(optional && matches!(shape, Shape::Word(_) | Shape::Rest)),
                    "an argument that must be given cannot follow one that may be left out"
                );
                optional = !matches!(shape, Shape::Word(_));
                last = matches!(shape, Shape::Many(_) | Shape::Rest | Shape::OptionalRest);
            }
        }
    }
}

/// The arguments of a command that people type, for the manifest: shapes, names and doc comments of all of them.
pub fn args(shapes: &[Shape], told: &[(&str, &str)]) -> Vec<ArgSpec> {
    shapes.iter().zip(told).filter_map(|(shape, (name, about))| arg(*shape, name, about)).collect()
}

fn arg(shape: Shape, name: &str, about: &str) -> Option<ArgSpec> {
    let (kind, optional, rest) = match shape {
        Shape::Word(kind) => (kind, false, false),
        Shape::Optional(kind) => (kind, true, false),
        Shape::Many(kind) => (kind, true, true),
        Shape::Rest => ("text", false, true),
        Shape::OptionalRest => ("text", true, true),
        Shape::Context | Shape::Text | Shape::Captures | Shape::Due => return None,
    };
    let mut arg = ArgSpec::new(name, kind);
    (arg.optional, arg.rest, arg.about) = (optional, rest, about.to_owned());
    Some(arg)
}

/// Makes one argument. Boxed, because the compiler cannot prove yet that a future with the trait's lifetime in it is
/// `Send` (rust-lang/rust#100013).
pub fn extract<'a, P, T, Via>(asked: &'a Asked<'a>, name: &'static str) -> BoxFuture<'a, Result<T, Miss>>
where
    P: 'a,
    T: Extract<'a, P, Via> + 'a,
    Via: 'a,
{
    Box::pin(T::extract(asked, name))
}

/// Fills in what a manifest says of handlers: their specs, and the kinds of event they listen to.
pub fn manifest<P>(mut manifest: Manifest, handlers: &Handlers<P>) -> Manifest {
    manifest.events.clear();
    for Handler { spec, .. } in &handlers.list {
        let kinds = match &spec.trigger {
            Trigger::Command { .. } | Trigger::Keyword { .. } | Trigger::Regex { .. } | Trigger::Continues => {
                &["message".to_owned()][..]
            }
            Trigger::Event { kinds } => kinds,
            Trigger::Timer { .. } | Trigger::Schedule { .. } | Trigger::Cron { .. } | Trigger::Unknown => &[],
        };
        for kind in kinds {
            if !manifest.events.contains(kind) {
                manifest.events.push(kind.clone());
            }
        }
        manifest.handlers.push(spec.clone());
    }
    manifest
}

/// The id of a plugin by the name of its crate.
pub fn id_of(package: &str) -> String {
    package.strip_prefix("wxbot-").unwrap_or(package).to_lowercase().replace('_', "-")
}

/// Ends the making of an instance: handlers that cannot work stop it.
///
/// # Errors
/// What `init` answered, or what is wrong with the handlers.
pub fn made<P, E: Into<PluginError>>(made: Result<P, E>, handlers: &Handlers<P>) -> Result<P, PluginError> {
    match &handlers.broken {
        Some(why) => Err(PluginError::msg(why.clone())),
        None => made.map_err(Into::into),
    }
}

/// A plugin without `init`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can be made neither by `init` nor by default",
    note = "write `async fn init(config: …, cx: &InitCtx) -> Result<Self, PluginError>` into the impl block",
    note = "or derive `Default`"
)]
pub trait MadeByDefault: Sized {
    fn made_by_default() -> Result<Self, PluginError>;
}

impl<P: Default> MadeByDefault for P {
    fn made_by_default() -> Result<Self, PluginError> {
        Ok(Self::default())
    }
}
