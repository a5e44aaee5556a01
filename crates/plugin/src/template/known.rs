//! Which names may a template use, and which of those that it uses can never have a value?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use minijinja::{ErrorKind, Value};
use regex::Regex;

use super::{Facts, Flaw, Template, environment};
use crate::config::did_you_mean;

/// What only the templates of a regex know.
const OF_REGEX: [&str; 2] = ["groups", "named"];

/// The names that a template may use.
///
/// ```
/// use wxbot_plugin::template::{Known, Shape, Template};
///
/// let regex = wxbot_plugin::text::regex(r"^天气 (?P<city>\S+)$", true).unwrap();
/// let known = Known::texts(&["sender"]).with_groups(&Shape::of(&regex));
/// assert!(Template::compile("{{ sender }}: {{ named.city }} {{ groups[1] }}", &known).is_ok());
/// let flaws = Template::compile("{{ named.town }}{{ groups[2] }}", &known).unwrap_err();
/// assert_eq!(flaws[1].message, "the regex has no group 2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    names: Vec<&'static str>,
    groups: Groups,
}

/// What is known of `groups` and `named`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Groups {
    /// This sort of template never has any.
    Never,
    /// It may have some, elsewhere: there is no regex here.
    NoRegex,
    /// Those of this regex.
    Of(Shape),
    /// There is a regex, and it is wrong: one complaint is enough.
    Unknown,
}

/// What the groups of a regex may be called: known before any message comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// How many groups there are with group 0.
    pub len: usize,
    /// The names of those that have one.
    pub names: Vec<String>,
}

impl Shape {
    /// That of this regex.
    pub fn of(regex: &Regex) -> Self {
        Self { len: regex.captures_len(), names: regex.capture_names().flatten().map(str::to_owned).collect() }
    }
}

impl Known {
    /// These names. Each of them needs a value in the [`Facts`]: an absent one fails when it is reached.
    pub fn texts(names: &[&'static str]) -> Self {
        Self { names: names.to_vec(), groups: Groups::Never }
    }

    /// And these.
    #[must_use]
    pub fn and(mut self, names: &[&'static str]) -> Self {
        self.names.extend_from_slice(names);
        self
    }

    /// And `groups` and `named` of this regex.
    #[must_use]
    pub fn with_groups(mut self, shape: &Shape) -> Self {
        self.groups = Groups::Of(shape.clone());
        self
    }

    /// And `groups` and `named`, with anything in them: for a regex that is wrong itself, so that the template is not
    /// complained of as well.
    #[must_use]
    pub fn with_any_groups(mut self) -> Self {
        self.groups = Groups::Unknown;
        self
    }

    /// Says that `groups` and `named` are there in a rule with a regex, and not here.
    #[must_use]
    pub fn with_groups_elsewhere(mut self) -> Self {
        self.groups = Groups::NoRegex;
        self
    }

    /// All that could never work.
    pub(super) fn flaws_of(&self, template: &Template, source: &str) -> Vec<Flaw> {
        let mut flaws = self.unknown_names(template, source);
        if flaws.is_empty() {
            flaws.extend(self.unknown_calls(template));
        }
        flaws
    }

    /// Names that the template uses and that can never have a value.
    fn unknown_names(&self, template: &Template, source: &str) -> Vec<Flaw> {
        let Ok(compiled) = template.compiled() else { return Vec::new() };
        let own = set_in(source);
        let known = match self.groups {
            Groups::Never | Groups::NoRegex => self.names.clone(),
            Groups::Of(_) | Groups::Unknown => [self.names.as_slice(), OF_REGEX.as_slice()].concat(),
        };
        // Sorted, because a set of the standard library would tell them in another order each time.
        let used: BTreeSet<String> = compiled.undeclared_variables(true).into_iter().collect();
        let mut flaws = Vec::new();
        for path in &used {
            let (name, attribute) = path.split_once('.').map_or((path.as_str(), None), |(n, a)| (n, Some(a)));
            if own.contains(name) || environment().globals().any(|(global, _)| global == name) {
                continue;
            }
            match (name, attribute, &self.groups) {
                _ if OF_REGEX.contains(&name) && self.groups == Groups::NoRegex => {
                    flaws.push(Flaw::unknown(format!("`{name}` is only known in a rule with `regex`"), name, &known));
                }
                _ if !known.contains(&name) => {
                    flaws.push(Flaw::unknown(format!("the template uses `{name}`, which is not known"), name, &known));
                }
                ("named", Some(attribute), Groups::Of(shape)) => flaws.extend(unknown_group(attribute, shape)),
                ("named", _, _) | (_, None, _) => {}
                (_, Some(attribute), _) => flaws.push(Flaw {
                    message: format!("`{name}` has no `{attribute}`"),
                    help: format!("write `{{{{ {name} }}}}`"),
                }),
            }
        }
        if let Groups::Of(shape) = &self.groups {
            flaws.extend(unknown_items(source, &own, shape));
        }
        flaws.dedup();
        flaws
    }

    /// Filters, tests and methods are looked up when they are reached. A run with made-up values reaches most of them;
    /// only what no value could mend is a flaw, because the made-up values prove nothing else.
    fn unknown_calls(&self, template: &Template) -> Option<Flaw> {
        let mut facts = Facts::new();
        for name in &self.names {
            facts = facts.text(name, "1");
        }
        if let Groups::Of(shape) = &self.groups {
            let one = || Value::from("1");
            facts.values.insert("groups", (0..shape.len).map(|_| one()).collect());
            let named = shape.names.iter().map(|name| (name.clone(), one())).collect::<BTreeMap<_, _>>();
            facts.values.insert("named", Value::from(named));
        }
        let error = template.run(&facts).err()?;
        let hopeless =
            [ErrorKind::UnknownFilter, ErrorKind::UnknownTest, ErrorKind::UnknownMethod, ErrorKind::UnknownFunction];
        hopeless.contains(&error.kind()).then(|| Flaw {
            message: format!("the template cannot run: {}", reason(&error)),
            help: "minijinja's built-in filters and tests are there, like `| upper` or `is odd`".to_owned(),
        })
    }
}

/// What the template itself sets. minijinja's own analysis forgets a `set` at the end of its `if`, the engine does not.
fn set_in(source: &str) -> BTreeSet<&str> {
    #[expect(clippy::expect_used, reason = "constant, compiled by every test here")]
    static SET: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{%[-+]?\s*set\s+([^=%]+)").expect("constant"));
    let targets = SET.captures_iter(source).filter_map(|found| found.get(1));
    targets
        .flat_map(|m| m.as_str().split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|n| !n.is_empty())
        .collect()
}

/// `groups[7]` and `named["x"]` that the regex does not have.
fn unknown_items(source: &str, own: &BTreeSet<&str>, shape: &Shape) -> Vec<Flaw> {
    #[expect(clippy::expect_used, reason = "constant, compiled by every test here")]
    static TAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s)\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}").expect("constant"));
    #[expect(clippy::expect_used, reason = "constant, compiled by every test here")]
    static ITEM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\b(?:groups\s*(?:\[\s*(\d+)\s*\]|\.(\d+))|named\s*\[\s*["'](\w+)["']\s*\])"#).expect("constant")
    });
    let mut flaws = Vec::new();
    let tags = TAG.find_iter(source).map(|tag| tag.as_str()).filter(|tag| !tag.starts_with("{#"));
    for item in tags.flat_map(|tag| ITEM.captures_iter(tag)) {
        if let Some(name) = item.get(3).filter(|_| !own.contains("named")) {
            flaws.extend(unknown_group(name.as_str(), shape));
        }
        let number = item.get(1).or_else(|| item.get(2)).filter(|_| !own.contains("groups"));
        // A number too large for `usize` is beyond the last group as well.
        if let Some(number) = number.filter(|n| n.as_str().parse().unwrap_or(usize::MAX) >= shape.len) {
            flaws.push(Flaw {
                message: format!("the regex has no group {}", number.as_str()),
                help: format!("its last group is {}; group 0 is the whole match", shape.len.saturating_sub(1)),
            });
        }
    }
    flaws
}

fn unknown_group(name: &str, shape: &Shape) -> Option<Flaw> {
    let known: Vec<&str> = shape.names.iter().map(String::as_str).collect();
    let help = match known.is_empty() {
        true => format!("name a group with `(?P<{name}>…)`"),
        false => did_you_mean(name, &known),
    };
    (!known.contains(&name)).then(|| Flaw { message: format!("the regex has no group named `{name}`"), help })
}

pub(super) fn reason(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}
