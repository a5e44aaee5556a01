//! What can be set of a room's life? The tables `welcome`, `rules`, `join`, `topic`, `stats`, `polls`, `checkin` and
//! `announce` under `[plugins.group-admin]`: a table that is there switches its part on.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use wxbot_plugin::config::{At, ConfigValue, Value};
use wxbot_plugin::local::Zone;
use wxbot_plugin::manifest::Missed;
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::{Known, Template};

use super::topic;
use crate::settings::Spoken;

/// Rooms that one announcement goes to.
pub(crate) const MOST_ROOMS: usize = 200;

/// Greets whoever comes into a room.
#[derive(Debug, PluginConfig)]
pub struct Welcome {
    /// What is said; `name`, `count`, `members`, `room`, `date`, `time` and `rules` are known.
    #[config(default = "欢迎 {{ name }} 加入「{{ room }}」!")]
    pub text: Written<OfWelcome>,
    /// Mention those who came.
    #[config(default = true)]
    pub mention: bool,
    /// How long to wait for more people: they are welcomed together.
    #[config(default = "5s", range = "0s"..="1h")]
    pub delay: Duration,
    /// How long somebody who left and comes back is not welcomed again.
    #[config(default = "30d", range = "0s"..="3650d")]
    pub again: Duration,
}

/// Tells the rules of a room to whoever asks.
#[derive(Debug, PluginConfig)]
pub struct Rules {
    /// The rules.
    pub text: Spoken,
    /// What people say to see them.
    #[config(default = words(&["群规", "rules"]), min_len = 1, max_len = 20)]
    pub words: Vec<Word>,
    /// How long a room is not told again.
    #[config(default = "30s", range = "0s"..="1d")]
    pub cooldown: Duration,
}

/// Brings friends who ask for it in a private chat into the first of several rooms that has a place.
#[derive(Debug, PluginConfig)]
pub struct Join {
    /// What they say.
    #[config(default = words(&["进群"]), min_len = 1, max_len = 20)]
    pub words: Vec<Word>,
    /// The rooms, the first to be filled first.
    #[config(min_len = 1, max_len = 10)]
    pub rooms: Vec<ContactId>,
    /// From how many members on a room is full.
    #[config(default = 500, range = 3..=500)]
    pub full: usize,
    /// How long the same person is not answered again.
    #[config(default = "1min", range = "1s"..="1d")]
    pub every: Duration,
}

/// Sets a room's name back when somebody changes it.
#[derive(Debug, PluginConfig)]
#[config(check = Topic::check)]
pub struct Topic {
    /// The locked names by room; the command 改名 locks others and has the last word.
    #[config(default)]
    pub names: BTreeMap<String, String>,
}

/// Counts messages: `排行`, `我的`, `潜水`.
#[derive(Debug, PluginConfig)]
pub struct Stats {
    /// After how many days without a message somebody is listed as silent, unless the command says another number.
    #[config(default = 30, range = 1..=3650)]
    pub silent_days: u32,
}

/// Lets members vote: `投票`, `投`, `结束投票`.
#[derive(Debug, PluginConfig)]
pub struct Polls {
    /// How long a poll is open unless whoever opens it says otherwise.
    #[config(default = "1h", range = "10s"..="30d")]
    pub duration: Duration,
    /// The longest that may be said.
    #[config(default = "7d", range = "10s"..="30d")]
    pub longest: Duration,
    /// Who may open one.
    #[config(default = Role::User)]
    pub allow: Role,
}

/// Lets members check in each day: `签到`, `签到榜`.
#[derive(Debug, PluginConfig)]
pub struct CheckIn {
    /// Mention whoever checks in.
    #[config(default = true)]
    pub mention: bool,
}

/// Says something at certain times.
#[derive(Debug, PluginConfig)]
#[config(check = Announce::check)]
pub struct Announce {
    /// When: second, minute, hour, day, month, weekday.
    #[config(min_len = 1)]
    pub cron: String,
    /// By which clock, where it is not the plugin's.
    pub tz: Option<Zone>,
    /// In which rooms.
    #[config(min_len = 1, max_len = 200)]
    pub rooms: Vec<ContactId>,
    /// What; `room`, `members`, `date`, `time` and `weekday` are known.
    pub text: Option<Written<OfAnnounce>>,
    /// A picture, before the text.
    pub image: Option<PathBuf>,
    /// What happens about times that passed while wxbot was down.
    #[config(default = MissedTimes::Skip)]
    pub missed: MissedTimes,
}

/// What happens about times that passed while wxbot was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum MissedTimes {
    /// Nothing.
    Skip,
    /// The last of them is made up for.
    Once,
    /// Each is made up for.
    All,
}

impl From<MissedTimes> for Missed {
    fn from(missed: MissedTimes) -> Self {
        match missed {
            MissedTimes::Skip => Self::Skip,
            MissedTimes::Once => Self::Once,
            MissedTimes::All => Self::All,
        }
    }
}

impl Topic {
    fn check(&self) -> Vec<ConfigProblem> {
        let at = |room: &str| format!("/names/{}", room.replace('~', "~0").replace('/', "~1"));
        let mut problems = Vec::new();
        for (room, name) in &self.names {
            match room.parse::<ContactId>() {
                Ok(id) if id.as_str().starts_with('r') => {}
                Ok(_) | Err(_) => {
                    let help = "rooms have ids like `r12`; `wxbot contacts` lists them";
                    problems.push(ConfigProblem::at(at(room), format!("`{room}` is no room")).help(help));
                }
            }
            if let Err(why) = topic::parse(name) {
                problems.push(ConfigProblem::at(at(room), why).help("shorten the name, or remove the key"));
            }
        }
        problems
    }
}

impl Announce {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.text.is_none() && self.image.is_none() {
            let problem = ConfigProblem::at("", "the announcement says nothing");
            problems.push(problem.help("add `text`, `image`, or both"));
        }
        if let Some(image) = &self.image
            && !image.is_file()
        {
            let problem = ConfigProblem::at("/image", format!("there is no file {}", image.display()));
            problems.push(problem.help("relative paths start from the folder of `bot.toml`"));
        }
        problems
    }
}

/// A word that people say: compared without regard to case, width and invisible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    /// Whether this is said, and nothing else.
    pub(crate) fn is(&self, folded: &str) -> bool {
        self.0 == folded
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self(wxbot_plugin::text::fold(text.trim()))
    }
}

fn words(words: &[&str]) -> Vec<Word> {
    words.iter().map(|word| Word::from(*word)).collect()
}

impl ConfigValue for Word {
    fn value_schema() -> Value {
        String::value_schema()
    }

    fn want() -> String {
        "a word".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = String::read_value(value, at)?;
        if wxbot_plugin::text::is_blank_text(&text) || text.len() > 100 {
            let problem = at.problem(format!("{} is empty or longer than 100 bytes", at.name()));
            return Err(vec![problem.help("write what people say, like \"群规\"")]);
        }
        Ok(Self::from(&*text))
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::from(self.0.clone()))
    }
}

/// What the text of a part knows.
pub trait Names: 'static {
    /// The names.
    const NAMES: &'static [&'static str];
}

/// A text with holes that is checked with the settings.
pub struct Written<N> {
    template: Template,
    source: String,
    knows: PhantomData<fn() -> N>,
}

/// The text of a welcome.
#[derive(Debug)]
pub enum OfWelcome {}

/// The text of an announcement.
#[derive(Debug)]
pub enum OfAnnounce {}

impl Names for OfWelcome {
    const NAMES: &'static [&'static str] = &["name", "count", "members", "room", "date", "time", "rules"];
}

impl Names for OfAnnounce {
    const NAMES: &'static [&'static str] = &["room", "members", "date", "time", "weekday"];
}

impl<N> Written<N> {
    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

impl<N> fmt::Debug for Written<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl<N: Names> ConfigValue for Written<N> {
    fn value_schema() -> Value {
        serde_json::json!({ "type": "string", "minLength": 1, "description": format!("a template that knows {}", N::NAMES.join(", ")) })
    }

    fn want() -> String {
        "a text".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let template = Template::read(value, at, &Known::texts(N::NAMES))?;
        Ok(Self { template, source: value.as_str().unwrap_or_default().to_owned(), knows: PhantomData })
    }

    fn shown(&self) -> Option<Value> {
        Some(Value::from(self.source.clone()))
    }
}
