//! What do a plugin's handlers listen to, in words for people?

use std::time::Duration;

use wxbot_model::span::show_duration;
use wxbot_plugin::manifest::{ArgSpec, Cooldown, HandlerSpec, Missed, Only, Per, Trigger};

/// One text for the commands, one for what else is heard; none for what there is none of.
pub(super) fn in_words(handlers: &[HandlerSpec]) -> Vec<String> {
    let (commands, others): (Vec<_>, Vec<_>) =
        handlers.iter().partition(|handler| matches!(handler.trigger, Trigger::Command { .. }));
    let part = |title: &str, list: Vec<&HandlerSpec>| {
        let shown: Vec<_> = list.into_iter().map(one).collect();
        (!shown.is_empty()).then(|| format!("{title}\n{}", shown.join("\n")))
    };
    [part("Commands", commands), part("Also listens to", others)].into_iter().flatten().collect()
}

fn one(handler: &HandlerSpec) -> String {
    let mut lines = vec![format!("  {}", trigger(&handler.trigger))];
    lines.extend(handler.about.lines().map(|line| format!("      {line}").trim_end().to_owned()));
    if let Trigger::Command { args, .. } = &handler.trigger {
        lines.extend(args.iter().filter(|arg| !arg.about.is_empty()).map(|arg| {
            let optional = if arg.optional { ", may be left out" } else { "" };
            format!("      {}: {}{optional}; {}", arg.name, arg.kind, arg.about)
        }));
    }
    let conditions = conditions(handler);
    if !conditions.is_empty() {
        lines.push(format!("      {}", conditions.join(" · ")));
    }
    lines.join("\n")
}

fn trigger(trigger: &Trigger) -> String {
    let quoted = |words: &[String]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    match trigger {
        Trigger::Command { words, args } => usage(words, args),
        Trigger::Keyword { any } => format!("texts with {}", quoted(any)),
        Trigger::Regex { pattern } => format!("texts that fit /{pattern}/"),
        Trigger::Event { kinds } => format!("events: {}", kinds.join(", ")),
        Trigger::Timer { name } => format!("its timer `{name}`"),
        Trigger::Schedule { name } => format!("the time `{name}` of its settings"),
        Trigger::Cron { expression, tz, missed } => {
            let zone = tz.as_deref().unwrap_or("the machine's time zone");
            let missed = match missed {
                Missed::Skip => "missed times are skipped",
                Missed::Once => "the last missed time is made up for",
                Missed::All => "missed times are made up for",
            };
            format!("the clock: `{expression}` in {zone}; {missed}")
        }
        Trigger::Continues => "the next message of whoever has a dialog with it open".to_owned(),
        Trigger::Unknown | _ => "something that this wxbot is too old to know".to_owned(),
    }
}

/// `天气 <city> [days]   or: weather`.
fn usage(words: &[String], args: &[ArgSpec]) -> String {
    let (first, aliases) = words.split_first().map_or(("", words), |(first, rest)| (first.as_str(), rest));
    let mut usage = first.to_owned();
    for arg in args {
        let dots = if arg.rest { "…" } else { "" };
        let (open, close) = if arg.optional { ('[', ']') } else { ('<', '>') };
        usage.push_str(&format!(" {open}{}{dots}{close}", arg.name));
    }
    if aliases.is_empty() { usage } else { format!("{usage}   or: {}", aliases.join(", ")) }
}

/// When and for whom, as far as it is not always and for everybody.
fn conditions(handler: &HandlerSpec) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(handler.only.map(|only| match only {
        Only::Group => "in rooms only".to_owned(),
        Only::Private => "in private chats only".to_owned(),
    }));
    if handler.at_me {
        all.push("in rooms when the account is mentioned".to_owned());
    }
    if !handler.from.is_empty() {
        all.push(format!("from {}", handler.from.join(", ")));
    }
    all.extend(handler.allow.as_ref().map(|role| format!("for role `{}`", role.word())));
    all.extend(handler.cooldown.map(rests));
    if handler.priority != 0 {
        all.push(format!("priority {}", handler.priority));
    }
    if handler.block {
        all.push("nobody after it sees the event".to_owned());
    }
    all
}

fn rests(cooldown: Cooldown) -> String {
    let whom = match cooldown.per {
        Per::User => "for each person",
        Per::Chat => "in each chat",
        Per::All => "for all together",
    };
    format!("once in {} {whom}", show_duration(Duration::from_millis(cooldown.ms)))
}

#[cfg(test)]
mod tests {
    use wxbot_plugin::Role;

    use super::*;

    #[test]
    fn a_plugin_of_all_sorts() {
        let arg = |name: &str, optional, rest| {
            let mut arg = ArgSpec::new(name, "text");
            (arg.optional, arg.rest) = (optional, rest);
            arg
        };
        let mut city = arg("city", false, false);
        city.about = "where".into();
        let words = vec!["天气".to_owned(), "weather".to_owned()];
        let args = vec![city, arg("note", true, true)];
        let mut weather = HandlerSpec::new("weather", Trigger::Command { words, args });
        weather.about = "Tells the weather.\n\nOf tomorrow too.".into();
        (weather.only, weather.at_me, weather.block, weather.priority) = (Some(Only::Group), true, true, 3);
        (weather.allow, weather.cooldown) = (Some(Role::Admin), Some(Cooldown::new(5_000, Per::User)));
        weather.from = vec!["r1".into()];
        let cron =
            Trigger::Cron { expression: "0 30 7 * * *".into(), tz: Some("Asia/Shanghai".into()), missed: Missed::Once };
        let all = [
            HandlerSpec::new("rain", Trigger::Keyword { any: vec!["rain".into(), "雨".into()] }),
            weather,
            HandlerSpec::new("daily", cron),
            HandlerSpec::new("new", Trigger::Event { kinds: vec!["friend_request".into()] }),
        ];
        assert_eq!(
            in_words(&all).join("\n\n"),
            r#"Commands
  天气 <city> [note…]   or: weather
      Tells the weather.

      Of tomorrow too.
      city: text; where
      in rooms only · in rooms when the account is mentioned · from r1 · for role `admin` · once in 5s for each person · priority 3 · nobody after it sees the event

Also listens to
  texts with "rain", "雨"
  the clock: `0 30 7 * * *` in Asia/Shanghai; the last missed time is made up for
  events: friend_request"#
        );
        assert_eq!(in_words(&[]), Vec::<String>::new());
    }
}
