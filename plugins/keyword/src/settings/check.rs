//! What is wrong with rules that no key can know alone?

use std::collections::BTreeMap;
use std::path::Path;

use wxbot_plugin::config::ConfigProblem;
use wxbot_plugin::model::ContactId;

use super::{Ids, Notify, Rule, Settings, Where};
use crate::engine::{Lists, Sought, Source};
use crate::lists::{ALL_BYTES, MOST_ENTRIES, TAG_CHARS};
use crate::matcher::Matcher;

/// To how many a rule sends one message: with its reply that is less than wxbot allows for one.
const MOST_TOLD: usize = 10;
/// How many tags a rule gives.
const MOST_TAGS: usize = 16;

impl Settings {
    /// All mistakes between keys, and all words and patterns that cannot be looked for.
    pub(super) fn check(&self) -> Vec<ConfigProblem> {
        let mut problems: Vec<ConfigProblem> = Vec::new();
        for (n, rule) in self.rules.iter().enumerate() {
            problems.extend(rule.check().into_iter().map(|problem| problem.below(&format!("/rules/{n}"))));
            let earlier = self.rules.iter().take(n);
            if let Some(name) = &rule.name
                && earlier.clone().any(|other| other.name.as_ref() == Some(name))
            {
                let problem = ConfigProblem::at(format!("/rules/{n}/name"), "another rule has this name");
                problems.push(problem.help("statistics and silences are kept by name: give it a name of its own"));
            }
            if rule.added && earlier.clone().any(|other| other.added) {
                let problem = ConfigProblem::at(format!("/rules/{n}/added"), "another rule has `added = true`");
                problems.push(problem.help("words of the chat belong to one rule; add its actions there"));
            }
        }
        problems.extend(self.unsearchable());
        problems
    }

    /// What the matcher refuses. Of files only the regexes are tried here: a hundred thousand words are put together when
    /// the plugin starts, away from the threads that handle events.
    fn unsearchable(&self) -> Vec<ConfigProblem> {
        let lists = self.lists();
        let entries: usize = lists.iter().flatten().map(|list| list.entries.len()).sum();
        if entries > MOST_ENTRIES {
            let problem = ConfigProblem::at("/rules", format!("all lists together have {entries} entries"));
            return vec![problem.help(format!("at most {MOST_ENTRIES} are looked for: remove what is not needed"))];
        }
        if let Some(bytes) = too_many_bytes(&lists) {
            let problem = ConfigProblem::at("/rules", format!("all lists together have {} MiB", bytes >> 20));
            return vec![problem.help(format!("at most {} MiB are read: remove what is not needed", ALL_BYTES >> 20))];
        }
        let sought: Vec<Sought<'_>> = self
            .sought(&lists)
            .into_iter()
            .filter(|one| one.is_regex() || matches!(one.source, Source::Rule(_)))
            .collect();
        let patterns: Vec<_> = sought.iter().map(Sought::pattern).collect();
        let Err(mistakes) = Matcher::build(&patterns, self.folding()) else { return Vec::new() };
        let told = mistakes.into_iter().filter_map(|(n, why)| {
            let one = sought.get(n)?;
            let place = format!("/rules/{}", one.rule);
            let problem = match one.source {
                Source::Rule(pointer) => ConfigProblem::at(pointer, why.to_string()),
                Source::File { file, line } => {
                    ConfigProblem::at(&*file.pointer, format!("the list `{}`: line {line}: {why}", file.written))
                }
            };
            Some(problem.below(&place).help(why.help()))
        });
        told.collect()
    }
}

/// How long all files are together, each counted once, if that is too long.
pub(crate) fn too_many_bytes(lists: &Lists) -> Option<usize> {
    let files = lists.iter().flatten().flat_map(|list| &list.files);
    let by_path: BTreeMap<&Path, usize> = files.map(|file| (&*file.path, file.bytes)).collect();
    let bytes = by_path.into_values().sum();
    (bytes > ALL_BYTES).then_some(bytes)
}

impl Rule {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut wrong = |pointer: &str, message: String, help: &str| {
            problems.push(ConfigProblem::at(pointer, message).help(help));
        };
        if self.any.is_empty() && self.regex.is_empty() && self.files.is_empty() && !self.added {
            let help = "add `any`, `regex` or `files`, or `added = true` for the words of the chat";
            wrong("", "the rule does not say what it looks for".to_owned(), help);
        }
        if !self.acts() && !self.added {
            let help = "add `reply`, `forward_to`, `invite_to`, `notify`, `tag` or `stop`";
            wrong("", "the rule does nothing".to_owned(), help);
        }
        let in_private = self.place == Where::Private;
        if in_private && self.at_me {
            wrong("/at_me", "nobody is mentioned in a private chat".to_owned(), "remove `at_me` or `in`");
        }
        if in_private && !self.rooms.is_empty() {
            wrong("/rooms", "a rule for private chats is never heard in rooms".to_owned(), "remove `rooms` or `in`");
        }
        for (key, ids, letter, sort) in [("rooms", &self.rooms, 'r', "room"), ("people", &self.people, 'p', "person")] {
            if let Some(other) = not(ids, letter) {
                let help = format!("ids of {sort}s begin with `{letter}`; `wxbot contacts` lists them");
                wrong(&format!("/{key}"), format!("`{other}` is no {sort}"), &help);
            }
        }
        if let Some(room) = self.invite_to.as_ref().filter(|room| !room.as_str().starts_with('r')) {
            let help = "ids of rooms begin with `r`; `wxbot contacts` lists them";
            wrong("/invite_to", format!("`{room}` is no room"), help);
        }
        let told = if let Notify::These(ids) = &self.notify { ids.len() } else { 0 };
        for (key, count) in [("forward_to", self.forward_to.len()), ("notify", told)] {
            if count > MOST_TOLD {
                let message = format!("`{key}` names {count} people and rooms; at most {MOST_TOLD} are sent to");
                wrong(&format!("/{key}"), message, "remove some, or send to a room where all of them are");
            }
        }
        if self.tag.len() > MOST_TAGS {
            wrong("/tag", format!("a rule gives at most {MOST_TAGS} tags"), "one or two say enough");
        }
        for tag in self.tag.iter().filter(|tag| tag.text.chars().count() > TAG_CHARS) {
            wrong(&tag.pointer, format!("a tag has at most {TAG_CHARS} characters"), "write a short word");
        }
        if self.mention && self.reply.is_none() && !self.added {
            wrong("/mention", "without `reply` there is nothing to mention in".to_owned(), "add `reply`");
        }
        if self.notify_text.is_some() && !self.notify.is_on() {
            wrong("/notify_text", "nobody is told".to_owned(), "add `notify = true` for the owner, or ids");
        }
        problems
    }
}

/// The first of the ids that is of another sort.
fn not(ids: &Ids, letter: char) -> Option<&ContactId> {
    ids.iter().find(|id| !id.as_str().starts_with(letter))
}
