//! How do words behind a command become arguments? One after the other, by their types.

use std::future::{Future, ready};

use super::{Asked, Extract, Miss, Rest, Shape, Typed};
use crate::args::FromArg;

impl<'a, P, T: FromArg + Send> Extract<'a, P, Typed> for T {
    const SHAPE: Shape = Shape::Word(T::KIND);

    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(one(asked, name).and_then(|value| value.ok_or_else(|| missing(asked, name))))
    }
}

/// Words that may be missing, and lists: `Typed` for what they are made of, so that nothing else is meant.
#[derive(Debug)]
pub enum Several {}

impl<'a, P, T: FromArg + Send> Extract<'a, P, Several> for Option<T> {
    const SHAPE: Shape = Shape::Optional(T::KIND);

    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(one(asked, name))
    }
}

impl<'a, P, T: FromArg + Send> Extract<'a, P, Several> for Vec<T> {
    const SHAPE: Shape = Shape::Many(T::KIND);

    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(std::iter::from_fn(|| one(asked, name).transpose()).collect())
    }
}

impl<'a, P> Extract<'a, P> for Rest {
    const SHAPE: Shape = Shape::Rest;

    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(rest(asked).and_then(|rest| rest.ok_or_else(|| missing(asked, name))))
    }
}

impl<'a, P> Extract<'a, P> for Option<Rest> {
    const SHAPE: Shape = Shape::OptionalRest;

    fn extract(asked: &'a Asked<'a>, _name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(rest(asked))
    }
}

fn one<T: FromArg>(asked: &Asked<'_>, name: &str) -> Result<Option<T>, Miss> {
    let Some(word) = asked.words()?.next() else { return Ok(None) };
    T::from_arg(word).map(Some).map_err(|why| asked.told(&format!("{name}: {why}")))
}

fn rest(asked: &Asked<'_>) -> Result<Option<Rest>, Miss> {
    let rest = asked.words()?.rest();
    Ok((!rest.is_empty()).then(|| Rest::new(rest)))
}

fn missing(asked: &Asked<'_>, name: &str) -> Miss {
    asked.told(&format!("缺少 {name} (missing: {name})"))
}
