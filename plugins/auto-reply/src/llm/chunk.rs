//! What does one piece of an answer say? The JSON behind `data:`, and that of an answer in one piece.
//!
//! Only texts are taken out of it. Tool calls, files and whatever else a model may write is not even read (R33).

use serde::Deserialize;
use serde_json::Value;

use super::trouble::{Trouble, words_of};

/// An answer grows up to this, then the rest is not fetched: five messages are 20 KiB.
pub(crate) const MOST_TEXT: usize = 24 * 1024;
/// What a model thinks before it speaks may be longer than what it says, and is thrown away.
const MOST_THOUGHT: usize = 1024 * 1024;
const THOUGHT: (&str, &str) = ("<think>", "</think>");

/// An answer, as far as it came.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// The text.
    pub(crate) text: String,
    /// Why it ended.
    pub(crate) end: Option<End>,
    /// The tokens of question and answer, by the endpoint's count.
    pub(crate) tokens: Option<u64>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The model was done.
    Stop,
    /// `max_tokens` were used up, or [`MOST_TEXT`].
    Length,
    /// The endpoint does not want to give it.
    Filtered,
}

/// Whether more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    More,
    Done,
}

/// A piece of a stream, and an answer in one piece: they differ in `delta` and `message`.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    delta: Option<Content>,
    message: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Content {
    /// A text, or a list of parts.
    content: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    total_tokens: Option<u64>,
}

impl Said {
    /// Takes the data of one event.
    pub(crate) fn event(&mut self, data: &[u8]) -> Result<Next, Trouble> {
        match data.trim_ascii() {
            b"" => Ok(Next::More),
            b"[DONE]" => Ok(Next::Done),
            json => self.json(json),
        }
    }

    /// Takes a piece, or all of it.
    pub(crate) fn json(&mut self, json: &[u8]) -> Result<Next, Trouble> {
        // Never serde's own words: they quote what stands there.
        let chunk: Chunk = serde_json::from_slice(json).map_err(|_quotes| Trouble::garbage("no JSON of an answer"))?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Trouble::Refused { status: None, words: words_of(&error) });
        }
        self.tokens = chunk.usage.and_then(|usage| usage.total_tokens).or(self.tokens);
        // Others were not asked for.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            let content = choice.delta.or(choice.message).and_then(|said| said.content);
            match content {
                Some(Value::String(text)) => self.text.push_str(&text),
                Some(Value::Array(parts)) => {
                    let texts = parts.iter().filter(|part| part["type"] == "text");
                    texts.filter_map(|part| part["text"].as_str()).for_each(|text| self.text.push_str(text));
                }
                Some(_) | None => {}
            }
            self.end = choice
                .finish_reason
                .map(|why| match &*why {
                    "length" => End::Length,
                    "content_filter" => End::Filtered,
                    _ => End::Stop,
                })
                .or(self.end);
        }
        let most = if self.is_thought() { MOST_THOUGHT } else { MOST_TEXT };
        if self.text.len() <= most {
            return Ok(Next::More);
        }
        self.text.truncate(self.text.floor_char_boundary(most));
        self.end = Some(End::Length);
        Ok(Next::Done)
    }

    /// Whether the model, if it is one that thinks aloud, has not begun to speak.
    fn is_thought(&self) -> bool {
        let text = self.text.trim_start();
        text.starts_with(THOUGHT.0) && !text.contains(THOUGHT.1)
    }

    /// Whether a word came that a person may see.
    pub(crate) fn has_begun(&self) -> bool {
        !self.text.is_empty()
    }

    /// The text alone, without what the model thought aloud before it.
    pub(crate) fn spoken(&self) -> &str {
        let text = self.text.trim();
        match text.strip_prefix(THOUGHT.0) {
            Some(thought) => thought.split_once(THOUGHT.1).map_or("", |(_, spoken)| spoken.trim()),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(events: &[&str]) -> Result<(Said, Next), Trouble> {
        let mut said = Said::default();
        let mut next = Next::More;
        for event in events {
            next = said.event(event.as_bytes())?;
        }
        Ok((said, next))
    }

    #[test]
    fn pieces_become_a_text() {
        for (name, events, text, end, next) in [
            ("nothing", vec![""], "", None, Next::More),
            (
                "pieces",
                vec![
                    r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#,
                    r#"{"choices":[{"index":0,"delta":{"content":"你"}}]}"#,
                    r#"{"choices":[{"index":0,"delta":{"content":"好"},"finish_reason":null}]}"#,
                    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                    "[DONE]",
                ],
                "你好",
                Some(End::Stop),
                Next::Done,
            ),
            (
                "whole",
                vec![r#"{"choices":[{"message":{"content":" hi "},"finish_reason":"length"}]}"#],
                "hi",
                Some(End::Length),
                Next::More,
            ),
            (
                "others",
                vec![r#"{"choices":[{"index":1,"delta":{"content":"x"}},{"index":0,"delta":{"content":"y"}}]}"#],
                "y",
                None,
                Next::More,
            ),
            (
                "parts",
                vec![
                    r#"{"choices":[{"delta":{"content":[{"type":"thinking","text":"hm"},{"type":"text","text":"y"}]}}]}"#,
                ],
                "y",
                None,
                Next::More,
            ),
            (
                "null",
                vec![r#"{"choices":[{"delta":{"content":null}}],"usage":null,"error":null}"#],
                "",
                None,
                Next::More,
            ),
            (
                "a tool call",
                vec![
                    r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"kick"}}]},"finish_reason":"tool_calls"}]}"#,
                ],
                "",
                Some(End::Stop),
                Next::More,
            ),
            (
                "thoughts",
                vec![
                    r#"{"choices":[{"delta":{"content":"<think>hm"}}]}"#,
                    r#"{"choices":[{"delta":{"content":"</think>\n\nhi"}}]}"#,
                ],
                "hi",
                None,
                Next::More,
            ),
            ("only thoughts", vec![r#"{"choices":[{"delta":{"content":"<think>hm"}}]}"#], "", None, Next::More),
        ] {
            let (said, after) = said(&events).unwrap();
            assert_eq!((said.spoken(), said.end, after), (text, end, next), "{name}");
        }
    }

    #[test]
    fn errors_and_garbage() {
        for (name, event, want) in [
            ("error", r#"{"error":{"message":"你说了我的密码","code":"overloaded"}}"#, "overloaded"),
            ("garbage", "hello", "no JSON"),
            ("another shape", r#"{"choices":"none"}"#, "no JSON"),
            ("a list", "[]", "no JSON"),
        ] {
            let trouble = said(&[event]).unwrap_err().to_string();
            assert!(trouble.contains(want) && !trouble.contains("密码"), "{name}: {trouble}");
        }
    }

    #[test]
    fn a_long_answer_is_not_fetched_to_its_end() {
        let piece = json!({ "choices": [{ "delta": { "content": "长".repeat(1000) } }] }).to_string();
        let mut said = Said::default();
        let taken = (0..1000).take_while(|_| said.json(piece.as_bytes()).unwrap() == Next::More).count();
        assert_eq!((taken, said.end), (MOST_TEXT / 3000, Some(End::Length)));
        assert!(said.text.len() <= MOST_TEXT);
    }

    #[test]
    fn tokens_are_counted_by_the_endpoint() {
        let (said, _) = said(&[r#"{"choices":[],"usage":{"total_tokens":16}}"#, r#"{"choices":[]}"#]).unwrap();
        assert_eq!(said.tokens, Some(16));
    }
}
