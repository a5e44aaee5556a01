//! How do words behind a command become arguments? One after the other, by their types. And which arguments may be missing?

use std::future::{Future, ready};

use super::{Asked, Extract, Given, Miss, Perhaps, Rest, Several, Shape, Typed};
use crate::args::FromArg;

impl<'a, P, T: FromArg + Send> Extract<'a, P, Typed> for T {
    const SHAPE: Shape = Shape::Word(T::KIND);

    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(one(asked, name).and_then(|value| value.ok_or_else(|| missing(asked, name))))
    }
}

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

impl<'a, P> Extract<'a, P, Typed> for Rest {
    const SHAPE: Shape = Shape::Rest;

    fn extract(asked: &'a Asked<'a>, name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(rest(asked).and_then(|rest| rest.ok_or_else(|| missing(asked, name))))
    }
}

impl<'a, P> Extract<'a, P, Several> for Option<Rest> {
    const SHAPE: Shape = Shape::OptionalRest;

    fn extract(asked: &'a Asked<'a>, _name: &'static str) -> impl Future<Output = Result<Self, Miss>> + Send {
        ready(rest(asked))
    }
}

impl<'a, P, T: Extract<'a, P, Given> + Send> Extract<'a, P, Perhaps> for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    async fn extract(asked: &'a Asked<'a>, name: &'static str) -> Result<Self, Miss> {
        match T::extract(asked, name).await {
            Ok(value) => Ok(Some(value)),
            Err(Miss::Pass(_why)) => Ok(None),
            Err(error @ Miss::Error(_)) => Err(error),
        }
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
