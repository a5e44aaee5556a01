//! When is a handler called? Its attribute: `#[command]`, `#[keyword]`, `#[regex]`, `#[on]`, `#[timer]`, `#[schedule]`,
//! `#[cron]`, `#[continues]`.

use proc_macro2::Span;
use syn::parse::Parser;
use syn::{Attribute, Error, Expr, Ident, LitStr, Meta};

use super::check::{self, Cooldown};
use super::items::{Item, Items, number, text, texts, truth, unknown, word};

/// The attributes that make a method a handler.
pub(super) const ATTRIBUTES: [&str; 8] =
    ["command", "keyword", "regex", "on", "timer", "schedule", "cron", "continues"];

/// What says of every message handler whom it is for.
const FILTERS: [&str; 7] = ["only", "at_me", "from", "allow", "cooldown", "priority", "block"];
const CLOCK: [&str; 2] = ["priority", "block"];

/// Events of the clock have attributes of their own.
const KINDS: [&str; 17] = [
    "Message",
    "Recall",
    "Status",
    "ContactChanged",
    "ContactRemoved",
    "Gap",
    "FriendRequest",
    "FriendAdded",
    "NotFriend",
    "MembersJoined",
    "MembersRemoved",
    "RemovedMe",
    "TopicChanged",
    "Pat",
    "MembersChanged",
    "OwnerChanged",
    "MediaReady",
];

/// One attribute, read.
pub(super) struct Trigger {
    pub(super) on: On,
    pub(super) filters: Filters,
}

pub(super) enum On {
    Command(Vec<LitStr>),
    Keyword(Vec<LitStr>),
    Regex(LitStr),
    Event(Vec<String>),
    Timer(LitStr),
    Schedule(LitStr),
    Cron { expression: LitStr, tz: Option<LitStr>, missed: &'static str },
    Continues,
}

#[derive(Default)]
pub(super) struct Filters {
    pub(super) only: Option<&'static str>,
    pub(super) at_me: bool,
    pub(super) from: Vec<LitStr>,
    pub(super) allow: Option<Expr>,
    pub(super) cooldown: Option<Cooldown>,
    pub(super) priority: i32,
    pub(super) block: Option<bool>,
}

/// An attribute while it is read.
struct Reading {
    name: String,
    span: Span,
    texts: Vec<LitStr>,
    flags: Vec<Ident>,
    values: Vec<(Ident, Expr)>,
}

impl Trigger {
    pub(super) fn read(attribute: &Attribute, name: &str) -> syn::Result<Self> {
        let mut reading = Reading::of(attribute, name)?;
        let known: &[&str] = if matches!(name, "timer" | "schedule" | "cron") { &CLOCK } else { &FILTERS };
        let on = reading.on(known)?;
        let filters = reading.filters(known)?;
        Ok(Self { on, filters })
    }
}

impl Reading {
    fn of(attribute: &Attribute, name: &str) -> syn::Result<Self> {
        let items = match &attribute.meta {
            Meta::Path(_) => None,
            Meta::List(list) => Some(Parser::parse2(<Items as syn::parse::Parse>::parse, list.tokens.clone())?),
            Meta::NameValue(_) => {
                return Err(Error::new_spanned(attribute, format!("this is written `#[{name}(…)]`")));
            }
        };
        let span = attribute.path().get_ident().map_or_else(Span::call_site, Ident::span);
        let mut reading =
            Self { name: name.to_owned(), span, texts: Vec::new(), flags: Vec::new(), values: Vec::new() };
        for item in items.into_iter().flatten() {
            match item {
                Item::Text(text) => reading.texts.push(text),
                Item::Flag(flag) => reading.flags.push(flag),
                Item::Value(key, value) => reading.values.push((key, value)),
            }
        }
        Ok(reading)
    }

    fn value(&mut self, key: &str) -> Option<Expr> {
        let at = self.values.iter().position(|(known, _)| known == key)?;
        Some(self.values.remove(at).1)
    }

    /// The text that comes first, which is the only one.
    fn one(&mut self, example: &str) -> syn::Result<LitStr> {
        let mut texts = std::mem::take(&mut self.texts).into_iter();
        match (texts.next(), texts.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Error::new(self.span, format!("this is written `#[{}({example})]`", self.name))),
            (Some(_), Some(more)) => {
                Err(Error::new(more.span(), format!("`#[{}]` takes one text: `#[{0}({example})]`", self.name)))
            }
        }
    }

    /// What the handler listens to; `known` are the keys that every such attribute has besides.
    fn on(&mut self, known: &[&str]) -> syn::Result<On> {
        let own: &[&str] = match self.name.as_str() {
            "command" => &["alias"],
            "keyword" => &["any"],
            "cron" => &["tz", "missed"],
            _ => &[],
        };
        let is_known = |key: &Ident| own.iter().chain(known).any(|known| key == known);
        let kinds = self.name == "on";
        let stray = |key: &&Ident| !(is_known(key) || kinds && key.to_string().starts_with(char::is_uppercase));
        if let Some(key) = self.flags.iter().chain(self.values.iter().map(|(key, _)| key)).find(stray) {
            let all: Vec<&str> = own.iter().chain(known).copied().collect();
            return Err(unknown(key, &format!("`#[{}]`", self.name), &all));
        }
        Ok(match self.name.as_str() {
            "command" => {
                let mut words = vec![self.one("\"天气\"")?];
                words.extend(self.value("alias").map(|list| texts(&list)).transpose()?.unwrap_or_default());
                check::words(&words)?;
                On::Command(words)
            }
            "keyword" => {
                let mut any = std::mem::take(&mut self.texts);
                any.extend(self.value("any").map(|list| texts(&list)).transpose()?.unwrap_or_default());
                if any.is_empty() {
                    return Err(Error::new(self.span, "this is written `#[keyword(any = [\"价格\", \"price\"])]`"));
                }
                check::words(&any)?;
                On::Keyword(any)
            }
            "regex" => On::Regex(check::regex(self.one("r\"^订单 (?P<no>\\d+)$\"")?)?),
            "timer" => On::Timer(self.one("\"remind\"")?),
            "schedule" => On::Schedule(self.one("\"announce\"")?),
            "cron" => {
                let expression = check::cron(self.one("\"0 30 7 * * *\"")?)?;
                let tz = self.value("tz").map(|value| text(&value).and_then(check::time_zone)).transpose()?;
                let missed = self.value("missed").map(|value| word(&value, &["Skip", "Once", "All"])).transpose()?;
                On::Cron { expression, tz, missed: missed.unwrap_or("Skip") }
            }
            "continues" => On::Continues,
            _ => On::Event(self.kinds()?),
        })
    }

    fn kinds(&mut self) -> syn::Result<Vec<String>> {
        let (kinds, flags) = std::mem::take(&mut self.flags).into_iter().partition(|flag| *flag != "at_me");
        self.flags = flags;
        let kinds: Vec<Ident> = kinds;
        if kinds.is_empty() {
            return Err(Error::new(
                self.span,
                "this is written `#[on(FriendRequest)]`, with one or more kinds of event",
            ));
        }
        let word = |kind: &Ident| match kind.to_string().as_str() {
            "Timer" => Err(Error::new(kind.span(), "timers have an attribute of their own: `#[timer(\"its name\")]`")),
            "Schedule" => Err(Error::new(
                kind.span(),
                "schedules have attributes of their own: `#[cron(\"0 30 7 * * *\")]`, or `#[schedule(\"its name\")]` for one that \
                 `plan` makes of settings",
            )),
            known if KINDS.contains(&known) => Ok(snake(known)),
            _ => Err(unknown(kind, "`EventKind`", &KINDS)),
        };
        kinds.iter().map(word).collect()
    }

    fn filters(&mut self, known: &[&str]) -> syn::Result<Filters> {
        if let Some(text) = self.texts.first() {
            return Err(Error::new(text.span(), format!("`#[{}]` takes no such text", self.name)));
        }
        let mut filters = Filters::default();
        for flag in &self.flags {
            match flag.to_string().as_str() {
                "at_me" => filters.at_me = true,
                "block" => filters.block = Some(true),
                name => return Err(Error::new(flag.span(), format!("`{name}` needs a value: `{name} = …`"))),
            }
        }
        for (key, value) in &self.values {
            match key.to_string().as_str() {
                "only" => filters.only = Some(word(value, &["group", "private"])?),
                "at_me" => filters.at_me = truth(value)?,
                "from" => filters.from = check::contacts(texts(value)?)?,
                "allow" => filters.allow = Some(value.clone()),
                "cooldown" => filters.cooldown = Some(check::cooldown(&text(value)?)?),
                "priority" => filters.priority = number(value)?,
                "block" => filters.block = Some(truth(value)?),
                _ => return Err(unknown(key, &format!("`#[{}]`", self.name), known)),
            }
        }
        Ok(filters)
    }
}

/// `FriendRequest` → `friend_request`.
fn snake(kind: &str) -> String {
    let mut word = String::new();
    for c in kind.chars() {
        if c.is_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.extend(c.to_lowercase());
    }
    word
}
