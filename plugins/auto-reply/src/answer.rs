//! What does a rule answer? Texts, pictures, films, files, stickers, or what a model says; one of several by weight.

use std::fs::Metadata;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use wxbot_plugin::model::size::show_size;
use wxbot_plugin::model::{Capability, FileType, MediaShape};
use wxbot_plugin::template::{Facts, Known, Template};
use wxbot_plugin::{Ctx, Effects, MediaSource};

use crate::reading::{Placed, Reading, Table};
use crate::told::Told;

/// One answer has so many parts at most: the host takes 20, and away mode may add one.
pub(crate) const MOST_PARTS: usize = 19;
/// How many answers a rule may choose from.
const MOST_ANSWERS: usize = 1_000;
/// The largest weight, so that sums stay far from any border.
const MOST_WEIGHT: u64 = 1_000_000;
/// Characters of a system prompt.
const MOST_PROMPT: usize = 8_000;
const MIB: u64 = 1 << 20;
/// What to do about a file that is not there.
const PLACES: &str = "relative paths start from the folder of bot.toml";
/// What may stand in a table of `reply` or `answers`.
pub(crate) const PART_KEYS: [&str; 5] = ["text", "image", "video", "file", "sticker"];
/// What may stand in a table of `answers` besides.
pub(crate) const ANSWER_KEYS: [&str; 3] = ["reply", "model", "weight"];

/// The answers of a rule, of which one is given.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    list: Vec<(u64, Answer)>,
    /// The sum of the weights, at least 1.
    total: u64,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// All of these, in order.
    Parts(Vec<Part>),
    /// What the language model says; perhaps with a system prompt of the rule's own.
    Model(Option<String>),
}

/// One message of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A text.
    Text(Template),
    /// A file of ours.
    Media(MediaShape, PathBuf),
}

impl Answers {
    /// One of them, as often as its weight says. `random` is asked only when there is a choice.
    pub(crate) fn pick(&self, random: impl FnOnce() -> u64) -> Option<&Answer> {
        if let [(_, only)] = self.list.as_slice() {
            return Some(only);
        }
        let mut left = random() % self.total;
        for (weight, answer) in &self.list {
            match left.checked_sub(*weight) {
                Some(less) => left = less,
                None => return Some(answer),
            }
        }
        None
    }

    /// All media, and whether a model is asked.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = MediaShape> {
        self.list.iter().flat_map(|(_, answer)| shapes(answer))
    }

    pub(crate) fn has_texts(&self) -> bool {
        let texts = |answer: &Answer| match answer {
            Answer::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Text(_))),
            Answer::Model(_) => false,
        };
        self.list.iter().any(|(_, answer)| texts(answer))
    }

    pub(crate) fn has_model(&self) -> bool {
        self.list.iter().any(|(_, answer)| matches!(answer, Answer::Model(_)))
    }

    /// Reads `reply`, `answers` or `model`; a rule has one of them.
    pub(crate) fn read(reading: &mut Reading<'_>, rule: Table<'_>, known: &Known) -> Option<Self> {
        const WAYS: [&str; 3] = ["reply", "answers", "model"];
        let present: Vec<&str> = WAYS.into_iter().filter(|key| rule.get(key).is_some()).collect();
        let Some((first, more)) = present.split_first() else {
            reading.report(rule.here(), "the rule has no `reply`", "add `reply = \"…\"`, or `answers` to choose from");
            return None;
        };
        for key in more {
            let help = "a rule answers in one way; `answers` may hold several";
            reading.report(rule.at(key), format!("`{key}` stands beside `{first}`"), help);
        }
        // Each of them is looked at, even when there are too many.
        let mut read: Vec<Option<Self>> = Vec::new();
        for key in present {
            let value = rule.get(key)?;
            read.push(match key {
                "answers" => several(reading, value, &rule.at(key), known),
                "model" => model(reading, rule).map(Self::one),
                _ => parts(reading, value, &rule.at(key), key, known).map(|parts| Self::one(Answer::Parts(parts))),
            });
        }
        if read.len() == 1 { read.pop().flatten() } else { None }
    }

    fn one(answer: Answer) -> Self {
        Self { list: vec![(1, answer)], total: 1 }
    }
}

fn shapes(answer: &Answer) -> Vec<MediaShape> {
    let Answer::Parts(parts) = answer else { return Vec::new() };
    let shape = |part: &Part| if let Part::Media(shape, _) = part { Some(*shape) } else { None };
    parts.iter().filter_map(shape).collect()
}

/// What sending in a shape needs.
pub(crate) fn needs(shape: MediaShape) -> Capability {
    match shape {
        MediaShape::Image => Capability::SendImage,
        MediaShape::Video => Capability::SendVideo,
        MediaShape::Sticker => Capability::SendSticker,
        MediaShape::File | _ => Capability::SendFile,
    }
}

/// The parts as effects, in order. Texts that come out blank are left out, and so is what the account cannot send, and a
/// file that is gone. Nothing at all when a template fails on what somebody wrote: half an answer is none, and an error
/// would only come again with each repeat of the event, while the chat waits.
/// `what` names them in the log; the first text mentions the sender when asked for.
pub(crate) async fn effects(
    parts: &[Part],
    facts: &Facts,
    mention: bool,
    cx: &Ctx,
    what: &str,
    told: &Told,
) -> Effects {
    let (mut effects, mut mention) = (Effects::none(), mention);
    for part in parts {
        match part {
            Part::Text(template) => {
                let text = match template.render(facts) {
                    Ok(Some(text)) => text,
                    Ok(None) => continue,
                    Err(why) => {
                        told.tell(what, &format!("the template failed, so nothing is answered: {why}"), cx);
                        return Effects::none();
                    }
                };
                effects = if mention { effects.and_reply_at_sender(text) } else { effects.and_reply(text) };
                // Once is polite; a mention in each text of a list would ring the phone each time.
                mention = false;
            }
            Part::Media(shape, path) if cx.can(needs(*shape)) => {
                // It was there at the start. An effect whose file is gone would fail the texts beside it too.
                if let Err(why) = still_there(path, *shape).await {
                    told.tell(what, &format!("`{}` {why}, and is left out", path.display()), cx);
                    continue;
                }
                let source = MediaSource::path(path);
                effects = match shape {
                    MediaShape::Image => effects.and_reply_image(source),
                    MediaShape::Video => effects.and_reply_video(source),
                    MediaShape::Sticker => effects.and_reply_sticker(source),
                    MediaShape::File | _ => effects.and_reply_file(source),
                };
            }
            Part::Media(shape, _) => {
                cx.note(what, false, || format!("this account cannot {}", needs(*shape).word()));
            }
        }
    }
    effects
}

/// What keeps a file that was good at the start from being sent now.
async fn still_there(path: &Path, shape: MediaShape) -> Result<(), String> {
    let about = tokio::fs::metadata(path).await.map_err(|error| format!("cannot be found: {error}"))?;
    sized(&about, &kind_of(shape)).map_err(|(why, _)| why)
}

/// `answers`: texts and tables, each with a weight.
fn several(reading: &mut Reading<'_>, value: &Value, at: &str, known: &Known) -> Option<Answers> {
    let Some(list) = value.as_array() else {
        reading.wrong_type(at, "`answers`", "a list of texts and tables", value);
        return None;
    };
    if list.is_empty() || list.len() > MOST_ANSWERS {
        let message = format!("`answers` must have 1 to {MOST_ANSWERS} entries, not {}", list.len());
        reading.report(at, message, "write at least one; `reply` is there for a single one");
        return None;
    }
    let mut answers = Vec::new();
    for (n, value) in list.iter().enumerate() {
        let here = format!("{at}/{n}");
        let Value::Object(map) = value else {
            let part = part(reading, value, &here, "answers", known);
            answers.push(part.map(|part| (1, Answer::Parts(vec![part]))));
            continue;
        };
        answers.push(weighted(reading, value, map, &here, known));
    }
    let list = answers.into_iter().collect::<Option<Vec<_>>>()?;
    let total = list.iter().map(|(weight, _)| weight).sum();
    Some(Answers { list, total })
}

/// One table of `answers`.
fn weighted(
    reading: &mut Reading<'_>,
    value: &Value,
    map: &Map<String, Value>,
    at: &str,
    known: &Known,
) -> Option<(u64, Answer)> {
    let keys = [PART_KEYS.as_slice(), ANSWER_KEYS.as_slice()].concat();
    let table = reading.table(value, at, "an answer", &keys)?;
    let weight = match table.get("weight") {
        None => Some(1),
        Some(value) => {
            let weight = value.as_u64().filter(|weight| (1..=MOST_WEIGHT).contains(weight));
            if weight.is_none() {
                let message = format!("`weight` is a whole number from 1 to {MOST_WEIGHT}");
                reading.report(
                    table.at("weight"),
                    message,
                    "an answer of weight 3 comes three times as often as one of 1",
                );
            }
            weight
        }
    };
    let ways = map.keys().filter(|key| *key != "weight" && keys.contains(&key.as_str())).count();
    let answer = if ways == 1 && map.contains_key("reply") {
        let value = table.get("reply")?;
        parts(reading, value, &table.at("reply"), "reply", known).map(Answer::Parts)
    } else if ways == 1 && map.contains_key("model") {
        model(reading, table)
    } else {
        of_table(reading, table, ways, known).map(|part| Answer::Parts(vec![part]))
    };
    Some((weight?, answer?))
}

/// `model = true`, or the system prompt.
fn model(reading: &mut Reading<'_>, table: Table<'_>) -> Option<Answer> {
    match table.get("model")? {
        Value::Bool(true) => Some(Answer::Model(None)),
        value @ Value::String(_) => {
            let Placed { text, at } = reading.visible(value, table.at("model"), "model")?;
            if text.chars().count() > MOST_PROMPT {
                let message = format!("`model` has more than {MOST_PROMPT} characters");
                reading.report(at, message, "a shorter system prompt costs less with each message");
                return None;
            }
            Some(Answer::Model(Some(text.to_owned())))
        }
        Value::Bool(false) => {
            reading.report(table.at("model"), "`model` is only ever true", "remove `model = false`");
            None
        }
        other @ (Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            reading.wrong_type(table.at("model"), "`model`", "true or a system prompt", other);
            None
        }
    }
}

/// `reply`: one text or table, or a list of them. Wrong ones of a list are reported and left out, so that the others are
/// still looked at.
pub(crate) fn parts(reading: &mut Reading<'_>, value: &Value, at: &str, key: &str, known: &Known) -> Option<Vec<Part>> {
    let Some(list) = value.as_array() else {
        if value.is_string() || value.is_object() {
            return part(reading, value, at, key, known).map(|part| vec![part]);
        }
        reading.wrong_type(
            at,
            &format!("`{key}`"),
            "a text, a table like `{ image = \"…\" }`, or a list of these",
            value,
        );
        return None;
    };
    if list.is_empty() {
        reading.report(at, format!("`{key}` is an empty list"), "write at least one text");
        return None;
    }
    if list.len() > MOST_PARTS {
        let message = format!("`{key}` has {} parts; at most {MOST_PARTS} are sent for one message", list.len());
        reading.report(at, message, "put several lines into one text");
        return None;
    }
    let read: Vec<Option<Part>> =
        list.iter().enumerate().map(|(n, value)| part(reading, value, &format!("{at}/{n}"), key, known)).collect();
    read.into_iter().collect()
}

/// One text or table.
fn part(reading: &mut Reading<'_>, value: &Value, at: &str, key: &str, known: &Known) -> Option<Part> {
    if value.is_object() {
        let table = reading.table(value, at, "a part of an answer", &PART_KEYS)?;
        let ways = PART_KEYS.into_iter().filter(|key| table.get(key).is_some()).count();
        return of_table(reading, table, ways, known);
    }
    if !value.is_string() {
        reading.wrong_type(at, &format!("`{key}`"), "a text or a table like `{ image = \"…\" }`", value);
        return None;
    }
    text(reading, value, at.to_owned(), key, known)
}

/// A table of which `ways` keys say what is sent.
fn of_table(reading: &mut Reading<'_>, table: Table<'_>, ways: usize, known: &Known) -> Option<Part> {
    if ways != 1 {
        let what = if ways == 0 { "says nothing" } else { "says several things" };
        let help = "it holds one of `text`, `image`, `video`, `file`, `sticker`; a list holds several";
        reading.report(table.here(), format!("this part of an answer {what}"), help);
        return None;
    }
    let key = PART_KEYS.into_iter().find(|key| table.get(key).is_some())?;
    let (value, at) = (table.get(key)?, table.at(key));
    match key {
        "image" => file(reading, MediaShape::Image, value, at, key),
        "video" => file(reading, MediaShape::Video, value, at, key),
        "sticker" => file(reading, MediaShape::Sticker, value, at, key),
        "file" => file(reading, MediaShape::File, value, at, key),
        _ => text(reading, value, at, key, known),
    }
}

fn text(reading: &mut Reading<'_>, value: &Value, at: String, key: &str, known: &Known) -> Option<Part> {
    let Placed { text, at } = reading.visible(value, at, key)?;
    match Template::compile(text, known) {
        Ok(template) => Some(Part::Text(template)),
        Err(flaws) => {
            flaws.into_iter().for_each(|flaw| reading.report(&*at, flaw.message, flaw.help));
            None
        }
    }
}

/// A file that is there and can be sent in this shape.
fn file(reading: &mut Reading<'_>, shape: MediaShape, value: &Value, at: String, key: &str) -> Option<Part> {
    let Placed { text, at } = reading.visible(value, at, key)?;
    let path = reading.place.folder().join(text.trim());
    match looked_at(&path, shape) {
        Ok(()) => Some(Part::Media(shape, path)),
        Err((why, help)) => {
            reading.report(at, format!("`{text}` {why}"), help);
            None
        }
    }
}

/// What a shape takes: its name for people, the most bytes, and the types (all when empty).
type Takes = (&'static str, u64, &'static [FileType]);

fn kind_of(shape: MediaShape) -> Takes {
    match shape {
        MediaShape::Image => ("picture", 20 * MIB, &[FileType::Png, FileType::Jpeg, FileType::Bmp, FileType::Gif]),
        MediaShape::Video => ("film", 200 * MIB, &[FileType::Mp4, FileType::Mov]),
        MediaShape::Sticker => ("sticker", 20 * MIB, &[FileType::Gif]),
        MediaShape::File | _ => ("file", 100 * MIB, &[]),
    }
}

/// Whether it is a file of a size that can be sent; else why not, and what to do.
fn sized(about: &Metadata, (what, most, _): &Takes) -> Result<(), (String, String)> {
    if !about.is_file() {
        return Err(("is no file".to_owned(), PLACES.to_owned()));
    }
    if about.len() == 0 {
        return Err(("is empty".to_owned(), "write the file anew".to_owned()));
    }
    if about.len() > *most {
        let help = format!("a {what} may have {} at most", show_size(*most));
        return Err((format!("has {}", show_size(about.len())), help));
    }
    Ok(())
}

/// What keeps a file from being sent, and what to do.
fn looked_at(path: &Path, shape: MediaShape) -> Result<(), (String, String)> {
    let takes = kind_of(shape);
    let (what, _, types) = takes;
    let about = std::fs::metadata(path).map_err(|error| (format!("cannot be found: {error}"), PLACES.to_owned()))?;
    sized(&about, &takes)?;
    let mut head = Vec::new();
    let looked = u64::try_from(FileType::HEAD).unwrap_or(u64::MAX);
    let opened = std::fs::File::open(path).and_then(|file| file.take(looked).read_to_end(&mut head));
    opened.map_err(|error| (format!("cannot be read: {error}"), "look at its permissions".to_owned()))?;
    let found = FileType::of(&head);
    if types.is_empty() || types.contains(&found) {
        return Ok(());
    }
    let wanted: Vec<&str> = types.iter().map(|one| one.extension()).collect();
    let help = format!("a {what} is one of: {}; anything can be sent with `file`", wanted.join(", "));
    Err((format!("is no {what} but {}", found.mime()), help))
}
