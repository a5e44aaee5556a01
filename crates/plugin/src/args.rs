//! How does a word that a person typed become a value? And what is the person told when it does not?

use std::time::Duration;

use wxbot_model::span::parse_duration;

use crate::text::narrow;

/// A value that can be typed: the type of a command's argument or of an answer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be typed by a person",
    note = "arguments of commands are text, numbers, `bool`, `Duration`, or a type of yours with `impl FromArg`"
)]
pub trait FromArg: Sized {
    /// What it is, for help texts: a word like `text` or `number`.
    const KIND: &'static str;

    /// Reads it.
    ///
    /// # Errors
    /// One sentence for the person who typed it.
    fn from_arg(text: &str) -> Result<Self, String>;
}

impl FromArg for String {
    const KIND: &'static str = "text";

    fn from_arg(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

macro_rules! numbers {
    ($kind:literal, $($number:ty),*) => {$(
        impl FromArg for $number {
            const KIND: &'static str = $kind;

            fn from_arg(text: &str) -> Result<Self, String> {
                let plain: String = text.chars().map(narrow).collect();
                plain.parse().map_err(|error| format!("「{}」不是这里能用的数字 ({error})", short(text)))
            }
        }
    )*};
}

numbers!("number", u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

macro_rules! decimals {
    ($($number:ty),*) => {$(
        impl FromArg for $number {
            const KIND: &'static str = "decimal";

            fn from_arg(text: &str) -> Result<Self, String> {
                let plain: String = text.chars().map(narrow).collect();
                // "nan" and "inf" are numbers to Rust, and none to people.
                let number = plain.parse::<$number>().ok().filter(|number| number.is_finite());
                number.ok_or_else(|| format!("「{}」不是数字 (not a number)", short(text)))
            }
        }
    )*};
}

decimals!(f32, f64);

/// What is repeated to whoever typed it: a bot is no megaphone, and an answer has a limit.
fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

impl FromArg for bool {
    const KIND: &'static str = "yes/no";

    fn from_arg(text: &str) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "yes" | "y" | "true" | "on" | "是" | "对" | "好" | "开" => Ok(true),
            "no" | "n" | "false" | "off" | "否" | "不" | "不是" | "关" => Ok(false),
            _ => Err(format!("「{}」: 请回答 是 或 否 (yes or no, please)", short(text))),
        }
    }
}

impl FromArg for Duration {
    const KIND: &'static str = "duration";

    fn from_arg(text: &str) -> Result<Self, String> {
        parse_duration(text)
            .map_err(|_other| format!("「{}」: 请写成 30s、10m 或 2h (a time like 30s, 10m or 2h)", short(text)))
    }
}

#[cfg(test)]
mod finite {
    use super::*;

    #[test]
    fn nan_is_no_number_of_people() {
        assert_eq!(f64::from_arg("1.5"), Ok(1.5));
        for text in ["nan", "inf", "-infinity", "x"] {
            assert!(f64::from_arg(text).is_err(), "{text}");
        }
    }
}
