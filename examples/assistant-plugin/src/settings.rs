//! What can be set? `[plugins.assistant]` of `bot.toml`.

use std::time::Duration;

use wxbot_plugin::prelude::*;

/// Keeps notes, reminds, and looks at pictures.
#[derive(Debug, PluginConfig)]
#[config(check = Settings::check)]
pub struct Settings {
    /// How it calls itself.
    #[config(default = "小助手", min_len = 1, max_len = 16, env = "ASSISTANT_NAME")]
    pub name: String,
    /// How it speaks.
    #[config(default = Tone::Friendly)]
    pub tone: Tone,
    /// How many notes a chat may have.
    #[config(default = 20, range = 1..=100)]
    pub notes: usize,
    /// The shortest time of a reminder.
    #[config(default = "5s", range = "1s"..)]
    pub shortest: Duration,
    /// The longest time of a reminder.
    #[config(default = "7d", range = ..="30d")]
    pub longest: Duration,
    /// The room that gets its notes on the morning of each working day.
    pub room: Option<ContactId>,
}

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum Tone {
    /// With a word more than needed.
    Friendly,
    /// With none.
    Terse,
}

impl Settings {
    /// What no field can know alone.
    fn check(&self) -> Vec<ConfigProblem> {
        if self.shortest <= self.longest {
            return Vec::new();
        }
        let problem = ConfigProblem::at("/shortest", "`shortest` is longer than `longest`: no reminder would fit");
        vec![problem.help("make `shortest` smaller or `longest` larger")]
    }

    /// The answer, in the tone that is set.
    pub(crate) fn says(&self, text: &str) -> String {
        match self.tone {
            Tone::Friendly => format!("好的!{text} —— {}", self.name),
            Tone::Terse => text.to_owned(),
        }
    }
}
