//! Which environment do settings mean by `env = "NAME"`? The process's, or in tests a given one.

use std::collections::BTreeMap;
use std::fmt;

/// The variables that settings may name. Its `Debug` shows no values.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Environment {
    /// The process's own.
    #[default]
    Process,
    /// These and no others.
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// These variables and no others.
    pub fn given<N: Into<String>, V: Into<String>>(all: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::Given(all.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable; an empty one, or one that is no text, counts as not set.
    ///
    /// ```
    /// use wxbot_plugin::config::Environment;
    /// let env = Environment::given([("CITY", "北京"), ("EMPTY", "")]);
    /// assert_eq!(env.get("CITY").as_deref(), Some("北京"));
    /// assert_eq!((env.get("EMPTY"), env.get("OTHER")), (None, None));
    /// ```
    pub fn get(&self, name: &str) -> Option<String> {
        // A name with `=` or NUL panics on some systems.
        let value = match self {
            Self::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Self::Process => std::env::var(name).ok(),
            Self::Given(all) => all.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("Process"),
            Self::Given(all) => f.debug_tuple("Given").field(&all.keys().collect::<Vec<_>>()).finish(),
        }
    }
}
