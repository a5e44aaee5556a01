//! Which filters could fill the memory at one call, and how are they kept from it?
//!
//! Fuel counts instructions, and one `indent(1000000000000)` is one instruction. Its number may come out of a message:
//! `{{ text | indent(groups[1] | int) }}`.

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

/// The largest number that these filters take.
const MOST: i64 = 10_000;

/// Puts bounded ones in place of the filters whose output grows with a number.
pub(super) fn limit(env: &mut Environment<'static>) {
    for (name, filter) in [
        ("indent", Value::from_function(filters::indent)),
        ("batch", Value::from_function(filters::batch)),
        ("slice", Value::from_function(filters::slice)),
        ("format", Value::from_function(filters::format)),
    ] {
        env.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            let too_large = match (name, args.first()) {
                ("format", text) => text.and_then(Value::as_str).is_some_and(is_wide),
                _ => args.iter().skip(1).any(is_beyond),
            };
            if too_large {
                return Err(Error::new(ErrorKind::InvalidOperation, format!("a number is too large for {name}")));
            }
            filter.call(state, &args)
        });
    }
}

/// Whether an argument is a number, or names one, that makes too much.
fn is_beyond(arg: &Value) -> bool {
    if arg.is_kwargs() {
        let Ok(named) = Kwargs::try_from(arg.clone()) else { return true };
        return named.args().any(|name| named.peek::<Value>(name).is_ok_and(|value| is_beyond(&value)));
    }
    arg.is_number() && !arg.as_i64().is_some_and(|number| (-MOST..=MOST).contains(&number))
}

/// Whether a format text asks for columns of more than four digits, or takes their width from an argument.
fn is_wide(format: &str) -> bool {
    format.contains('*') || digits(format) > 4
}

/// The most digits that stand together.
fn digits(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}
