//! What is known of one key? Its type, what it means, what it is when nobody writes it, and how large it may be.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use serde_json::{Map, Value, json};
use wxbot_model::Secret;
use wxbot_model::span::show_duration;

use super::ConfigProblem;
use super::value::{At, ConfigValue};

/// One key of a [`Table`](super::Table).
///
/// ```
/// # use wxbot_plugin::config::Field;
/// let field = Field::<u16>::new("port").about("Where to listen.").default(|| 8080).env("PORT");
/// ```
pub struct Field<T> {
    pub(crate) key: &'static str,
    about: &'static str,
    env: Option<&'static str>,
    fallback: Option<Fallback<T>>,
    limits: Vec<Limit<T>>,
}

enum Fallback<T> {
    Made(fn() -> T),
    /// As it would stand in the file.
    Written(&'static str),
}

/// What is wrong with a value: the end of a sentence that begins with its name.
type Judge<T> = Box<dyn Fn(&T) -> Option<String>>;

struct Limit<T> {
    breaks: Judge<T>,
    schema: Map<String, Value>,
}

/// A value that a range can be demanded of.
pub trait Ranged {
    /// What is compared.
    type Bound: PartialOrd + 'static;

    /// What is compared; `None`: there is nothing to compare.
    fn measure(&self) -> Option<Self::Bound>;

    /// A bound as people write it.
    fn show(bound: &Self::Bound) -> String;

    /// A bound for the schema, where schemas can compare such values.
    fn in_schema(bound: &Self::Bound) -> Option<Value>;
}

/// A value that a length can be demanded of.
pub trait HasLen {
    /// What is counted, for people.
    const COUNTS: &'static str;
    /// The schema's words for least and most.
    const SCHEMA: Option<(&'static str, &'static str)>;

    /// How long it is; `None`: there is nothing to count.
    fn length(&self) -> Option<usize>;
}

impl<T: ConfigValue + 'static> Field<T> {
    /// The field under this key.
    pub fn new(key: &'static str) -> Self {
        Self { key, about: "", env: None, fallback: None, limits: Vec::new() }
    }

    /// What it means.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// The environment variable that is asked when the file says nothing.
    #[must_use]
    pub fn env(mut self, name: &'static str) -> Self {
        self.env = Some(name);
        self
    }

    /// What it is when nobody says anything.
    #[must_use]
    pub fn default(mut self, make: fn() -> T) -> Self {
        self.fallback = Some(Fallback::Made(make));
        self
    }

    /// What it is when nobody says anything, as it would stand in the file: `5s`.
    #[must_use]
    pub fn default_text(mut self, text: &'static str) -> Self {
        self.fallback = Some(Fallback::Written(text));
        self
    }

    /// How small and how large it may be.
    #[must_use]
    pub fn range(mut self, least: Bound<T::Bound>, most: Bound<T::Bound>) -> Self
    where
        T: Ranged,
    {
        let mut schema = Map::new();
        for (bound, words) in [(&least, ["minimum", "exclusiveMinimum"]), (&most, ["maximum", "exclusiveMaximum"])] {
            let (word, bound) = match (bound, words) {
                (Bound::Included(bound), [word, _]) | (Bound::Excluded(bound), [_, word]) => (word, bound),
                (Bound::Unbounded, _) => continue,
            };
            schema.extend(T::in_schema(bound).map(|bound| (word.to_owned(), bound)));
        }
        let breaks = move |value: &T| {
            let measure = value.measure()?;
            let inside = (least.as_ref(), most.as_ref()).contains(&measure);
            (!inside).then(|| format!("must be {}, not {}", span::<T>(&least, &most), T::show(&measure)))
        };
        self.limits.push(Limit { breaks: Box::new(breaks), schema });
        self
    }

    /// How short and how long it may be: characters of a text, entries of a list or table.
    #[must_use]
    pub fn length(mut self, least: Option<usize>, most: Option<usize>) -> Self
    where
        T: HasLen,
    {
        let mut schema = Map::new();
        if let Some((min, max)) = T::SCHEMA {
            schema.extend(least.map(|least| (min.to_owned(), json!(least))));
            schema.extend(most.map(|most| (max.to_owned(), json!(most))));
        }
        let breaks = move |value: &T| {
            let length = value.length()?;
            let counts = T::COUNTS;
            match (least, most) {
                (Some(least), _) if length < least => {
                    Some(format!("must have at least {least} {counts}, not {length}"))
                }
                (_, Some(most)) if length > most => Some(format!("must have at most {most} {counts}, not {length}")),
                (_, _) => None,
            }
        };
        self.limits.push(Limit { breaks: Box::new(breaks), schema });
        self
    }

    /// The value: from the file, else from the environment, else the default.
    pub(crate) fn read(&self, found: Option<&Value>, at: &At<'_>) -> Result<T, Vec<ConfigProblem>> {
        if let Some(value) = found {
            return self.within(T::read_value(value, at)?, at);
        }
        if let Some((name, text)) = self.env.and_then(|name| Some((name, at.place().env().get(name)?))) {
            // Not what is wrong with it: that would quote the variable.
            return T::read_env(&text, at).and_then(|value| self.within(value, at)).map_err(|_quotes| {
                let message = format!("{} comes from the variable `{name}`, which holds something else", at.name());
                vec![at.problem(message).help(format!("it is {}", T::want()))]
            });
        }
        match &self.fallback {
            Some(Fallback::Made(make)) => Ok(make()),
            Some(Fallback::Written(text)) => T::read_value(&json!(text), at).map_err(|problems| {
                let why = problems.into_iter().next().map(|problem| problem.message).unwrap_or_default();
                vec![at.problem(format!("the plugin's own default cannot be read: {why}"))]
            }),
            None => T::absent(at).ok_or_else(|| vec![self.missing(at)]),
        }
    }

    fn within(&self, value: T, at: &At<'_>) -> Result<T, Vec<ConfigProblem>> {
        let broken = self.limits.iter().filter_map(|limit| (limit.breaks)(&value));
        let problems: Vec<_> = broken.map(|why| at.problem(format!("{} {why}", at.name()))).collect();
        if problems.is_empty() { Ok(value) } else { Err(problems) }
    }

    fn missing(&self, at: &At<'_>) -> ConfigProblem {
        let or = self.env.map(|name| format!(", or set the environment variable `{name}`")).unwrap_or_default();
        let about = if self.about.is_empty() { String::new() } else { format!(": {}", self.about) };
        at.problem(format!("{} is missing", at.name())).help(format!("add `{}`, {}{or}{about}", self.key, T::want()))
    }

    /// Whether the file must say it.
    pub(crate) fn is_required(&self, at: &At<'_>) -> bool {
        self.env.is_none() && self.fallback.is_none() && T::absent(at).is_none()
    }

    /// Its part of the schema.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = T::value_schema();
        let Some(map) = schema.as_object_mut() else { return schema };
        map.extend(self.limits.iter().flat_map(|limit| limit.schema.clone()));
        let about = match self.env {
            Some(name) => format!("{} Else the environment variable `{name}`.", self.about).trim().to_owned(),
            None => self.about.to_owned(),
        };
        if !about.is_empty() {
            map.insert("description".to_owned(), json!(about));
        }
        let default = match &self.fallback {
            Some(Fallback::Made(make)) => make().shown(),
            Some(Fallback::Written(text)) => Some(json!(text)),
            None => None,
        };
        map.extend(default.map(|default| ("default".to_owned(), default)));
        schema
    }
}

fn span<T: Ranged>(least: &Bound<T::Bound>, most: &Bound<T::Bound>) -> String {
    let least = match least {
        Bound::Included(bound) => Some(format!("at least {}", T::show(bound))),
        Bound::Excluded(bound) => Some(format!("above {}", T::show(bound))),
        Bound::Unbounded => None,
    };
    let most = match most {
        Bound::Included(bound) => Some(format!("at most {}", T::show(bound))),
        Bound::Excluded(bound) => Some(format!("below {}", T::show(bound))),
        Bound::Unbounded => None,
    };
    least.into_iter().chain(most).collect::<Vec<_>>().join(" and ")
}

macro_rules! ranged_numbers {
    ($($number:ty),*) => {$(
        impl Ranged for $number {
            type Bound = Self;

            fn measure(&self) -> Option<Self> {
                Some(*self)
            }

            fn show(bound: &Self) -> String {
                bound.to_string()
            }

            fn in_schema(bound: &Self) -> Option<Value> {
                Some(json!(bound))
            }
        }
    )*};
}

ranged_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f64);

impl Ranged for Duration {
    type Bound = Self;

    fn measure(&self) -> Option<Self> {
        Some(*self)
    }

    fn show(bound: &Self) -> String {
        show_duration(*bound)
    }

    fn in_schema(_bound: &Self) -> Option<Value> {
        None
    }
}

impl<T: Ranged> Ranged for Option<T> {
    type Bound = T::Bound;

    fn measure(&self) -> Option<T::Bound> {
        self.as_ref().and_then(T::measure)
    }

    fn show(bound: &T::Bound) -> String {
        T::show(bound)
    }

    fn in_schema(bound: &T::Bound) -> Option<Value> {
        T::in_schema(bound)
    }
}

impl HasLen for String {
    const COUNTS: &'static str = "characters";
    const SCHEMA: Option<(&'static str, &'static str)> = Some(("minLength", "maxLength"));

    fn length(&self) -> Option<usize> {
        Some(self.chars().count())
    }
}

impl HasLen for Secret<String> {
    const COUNTS: &'static str = "characters";
    const SCHEMA: Option<(&'static str, &'static str)> = None;

    fn length(&self) -> Option<usize> {
        Some(self.expose().chars().count())
    }
}

impl<T> HasLen for Vec<T> {
    const COUNTS: &'static str = "entries";
    const SCHEMA: Option<(&'static str, &'static str)> = Some(("minItems", "maxItems"));

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<T> HasLen for BTreeMap<String, T> {
    const COUNTS: &'static str = "entries";
    const SCHEMA: Option<(&'static str, &'static str)> = Some(("minProperties", "maxProperties"));

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<T: HasLen> HasLen for Option<T> {
    const COUNTS: &'static str = T::COUNTS;
    const SCHEMA: Option<(&'static str, &'static str)> = T::SCHEMA;

    fn length(&self) -> Option<usize> {
        self.as_ref().and_then(T::length)
    }
}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.key)
    }
}
