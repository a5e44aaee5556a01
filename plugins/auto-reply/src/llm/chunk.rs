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
    /// Whether a word came, of a thought or of the answer.
    begun: bool,
    thought: Thought,
    /// Bytes of thoughts that came apart from the text, and are not kept.
    apart: usize,
}

/// Whether the model, as some do, thinks aloud before it speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Thought {
    /// Too little came to tell.
    #[default]
    Perhaps,
    /// The text is a thought so far.
    Is,
    /// It does not, or not any more.
    Over,
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
    /// What the model thinks, apart from what it says: under the first name at most servers, the second at some.
    reasoning_content: Option<Value>,
    reasoning: Option<Value>,
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
        let before = self.text.len();
        // Others were not asked for.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            let said = choice.delta.or(choice.message);
            let (content, thoughts) =
                said.map_or((None, [None, None]), |said| (said.content, [said.reasoning_content, said.reasoning]));
            for thought in thoughts.iter().flatten().filter_map(Value::as_str) {
                self.apart = self.apart.saturating_add(thought.len());
            }
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
        self.begun |= !self.text.is_empty() || self.apart > 0;
        if self.apart > MOST_THOUGHT {
            self.end = Some(End::Length);
            return Ok(Next::Done);
        }
        let thinks = self.thinks(before);
        let most = if thinks { MOST_THOUGHT } else { MOST_TEXT };
        if self.text.len() <= most {
            return Ok(Next::More);
        }
        self.text.truncate(self.text.floor_char_boundary(most));
        self.end = Some(End::Length);
        Ok(Next::Done)
    }

    /// Whether all of the text is a thought; one that is over is thrown away. What stood there `before` was looked at
    /// before: whoever sends a long thought letter by letter must not make us read it anew with each.
    fn thinks(&mut self, before: usize) -> bool {
        if self.thought == Thought::Perhaps {
            let text = self.text.trim_start();
            self.thought = match text.starts_with(THOUGHT.0) {
                true => Thought::Is,
                false if THOUGHT.0.starts_with(text) => Thought::Perhaps,
                false => Thought::Over,
            };
        }
        if self.thought != Thought::Is {
            return false;
        }
        let from = self.text.floor_char_boundary(before.saturating_sub(THOUGHT.1.len()));
        let end = self.text.get(from..).and_then(|new| new.find(THOUGHT.1));
        let Some(end) = end else { return true };
        self.text.drain(..from + end + THOUGHT.1.len());
        self.thought = Thought::Over;
        false
    }

    /// Whether a word came.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The text alone, without what the model thought aloud before it.
    pub(crate) fn spoken(&self) -> &str {
        if self.thought == Thought::Is { "" } else { self.text.trim() }
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
            (
                "thoughts apart",
                vec![
                    r#"{"choices":[{"delta":{"role":"assistant","content":null,"reasoning_content":"hm"}}]}"#,
                    r#"{"choices":[{"delta":{"reasoning":"hm","content":""}}]}"#,
                    r#"{"choices":[{"delta":{"content":"hi","reasoning":{"x":1}}}]}"#,
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
    fn a_long_thought_costs_no_answer_and_no_time() {
        let word = |text: &str| json!({ "choices": [{ "delta": { "content": text } }] }).to_string();
        let mut said = Said::default();
        for piece in
            [" <th", "ink", ">"].into_iter().chain(std::iter::repeat_n("想", 20_000)).chain(["</thi", "nk>", "好"])
        {
            assert_eq!(said.json(word(piece).as_bytes()).unwrap(), Next::More);
            assert!(said.has_begun());
        }
        assert_eq!((said.spoken(), said.end), ("好", None));
        let endless =
            (0..).take_while(|_| said.json(word(&"好".repeat(1000)).as_bytes()).unwrap() == Next::More).count();
        assert_eq!(endless, MOST_TEXT / 3000);
        let mut said = Said::default();
        said.json(word("<think>").as_bytes()).unwrap();
        let thought =
            (0..).take_while(|_| said.json(word(&"想".repeat(10_000)).as_bytes()).unwrap() == Next::More).count();
        assert_eq!((thought, said.spoken()), (MOST_THOUGHT / 30_000, ""));
    }

    #[test]
    fn a_thought_apart_is_a_beginning_and_has_an_end() {
        for key in ["reasoning_content", "reasoning"] {
            let piece = |text: &str| json!({ "choices": [{ "delta": { key: text } }] }).to_string();
            let mut said = Said::default();
            said.json(piece("").as_bytes()).unwrap();
            assert!(!said.has_begun());
            said.json(piece("想").as_bytes()).unwrap();
            assert!(said.has_begun() && said.spoken().is_empty());
            let long = piece(&"想".repeat(10_000));
            let taken = (0..).take_while(|_| said.json(long.as_bytes()).unwrap() == Next::More).count();
            assert_eq!((taken, said.end, said.spoken()), (MOST_THOUGHT / 30_000, Some(End::Length), ""), "{key}");
        }
    }

    #[test]
    fn tokens_are_counted_by_the_endpoint() {
        let (said, _) = said(&[r#"{"choices":[],"usage":{"total_tokens":16}}"#, r#"{"choices":[]}"#]).unwrap();
        assert_eq!(said.tokens, Some(16));
    }
}
