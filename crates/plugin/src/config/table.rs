//! How are the keys of a table read together, so that each mistake is told and no unknown key slips through?

use serde_json::{Map, Value, json};

use super::field::Field;
use super::value::{At, ConfigValue};
use super::words::did_you_mean;
use super::{ConfigProblem, Place};

/// A table that is being read. `#[derive(PluginConfig)]` writes what can also be written by hand:
///
/// ```
/// use serde_json::{Value, json};
/// use wxbot_plugin::config::{ConfigProblem, Field, Place, PluginConfig, Shape, Table};
///
/// struct Limits {
///     least: u8,
///     most: u8,
/// }
///
/// impl Limits {
///     fn least() -> Field<u8> {
///         Field::new("least").about("How few.").default(|| 1)
///     }
///     fn most() -> Field<u8> {
///         Field::new("most").about("How many.")
///     }
/// }
///
/// impl PluginConfig for Limits {
///     fn schema() -> Value {
///         Shape::new("How many.").field(Self::least()).field(Self::most()).end()
///     }
///     fn read(settings: &Value, place: &Place) -> Result<Self, Vec<ConfigProblem>> {
///         let mut table = Table::open(settings, place)?;
///         let (least, most) = (table.field(Self::least()), table.field(Self::most()));
///         let read = least.zip(most).map(|(least, most)| Self { least, most });
///         table.end(read, |limits| match limits.least > limits.most {
///             true => vec![ConfigProblem::at("/most", "`most` is less than `least`")],
///             false => Vec::new(),
///         })
///     }
/// }
///
/// let problems = Limits::read(&json!({ "least": -1, "mots": 3 }), &Place::default()).err().unwrap();
/// let pointers: Vec<&str> = problems.iter().map(|problem| &*problem.pointer).collect();
/// assert_eq!(pointers, ["/least", "/most", "/mots"]);
/// ```
#[derive(Debug)]
pub struct Table<'v> {
    map: &'v Map<String, Value>,
    at: At<'v>,
    known: Vec<&'static str>,
    problems: Vec<ConfigProblem>,
    /// Whether any of its keys holds a secret.
    secrets: bool,
}

impl<'v> Table<'v> {
    /// Begins with a table.
    ///
    /// # Errors
    /// When it is something else.
    pub fn open(settings: &'v Value, place: &'v Place) -> Result<Self, Vec<ConfigProblem>> {
        let at = At::top(place);
        let map = settings.as_object().ok_or_else(|| at.wants("a table", settings))?;
        Ok(Self { map, at, known: Vec::new(), problems: Vec::new(), secrets: false })
    }

    /// Reads one key; `None` when something is wrong with it.
    pub fn field<T: ConfigValue>(&mut self, field: Field<T>) -> Option<T> {
        self.known.push(field.key);
        self.secrets |= T::SECRET;
        let read = field.read(self.map.get(field.key), &self.at.key(field.key));
        read.map_err(|problems| self.problems.extend(problems)).ok()
    }

    /// Ends with what was read of all fields, if it could be. Keys that were not read are mistakes. `check` is asked
    /// about rules between fields once all else is good.
    ///
    /// # Errors
    /// All problems, never an empty list.
    pub fn end<T>(
        mut self,
        read: Option<T>,
        check: impl FnOnce(&T) -> Vec<ConfigProblem>,
    ) -> Result<T, Vec<ConfigProblem>> {
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let problem = self.at.key(key).problem(format!("there is no setting `{key}`"));
            // Perhaps a misspelt key of a secret: then its value is one.
            let problem = if self.secrets { problem.secret() } else { problem };
            self.problems.push(problem.help(did_you_mean(key, &self.known)));
        }
        match read {
            Some(read) if self.problems.is_empty() => {
                let problems = check(&read);
                if problems.is_empty() { Ok(read) } else { Err(problems) }
            }
            None if self.problems.is_empty() => Err(vec![self.at.problem("the settings cannot be read")]),
            Some(_) | None => Err(self.problems),
        }
    }
}

/// The schema of a table that is being written.
#[derive(Debug, Default)]
pub struct Shape {
    about: &'static str,
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl Shape {
    /// Begins with what the table is for.
    pub fn new(about: &'static str) -> Self {
        Self { about, ..Self::default() }
    }

    /// Adds a key.
    #[must_use]
    pub fn field<T: ConfigValue>(mut self, field: Field<T>) -> Self {
        if field.is_required(&At::top(&Place::default())) {
            self.required.push(field.key);
        }
        self.properties.insert(field.key.to_owned(), field.schema());
        self
    }

    /// The schema.
    pub fn end(self) -> Value {
        let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": self.properties });
        if let Some(map) = schema.as_object_mut() {
            if !self.required.is_empty() {
                map.insert("required".to_owned(), json!(self.required));
            }
            if !self.about.is_empty() {
                map.insert("description".to_owned(), json!(self.about));
            }
        }
        schema
    }
}
