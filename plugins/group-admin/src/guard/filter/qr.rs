//! Which texts point to a QR code or to a private chat? Those with a word of the list [`USUAL`], which settings may replace
//! or extend. Pictures are not decoded: a picture is judged by the text around it.

use wxbot_plugin::prelude::*;

use crate::act::label;
use crate::guard::offence::Offence;
use crate::ladder::Rung;

/// The words, unless settings say others.
pub(crate) const USUAL: &[&str] = &[
    "扫码",
    "扫一扫",
    "扫二维码",
    "二维码",
    "扫描下方",
    "扫下方",
    "长按识别",
    "长按图片",
    "识别图中",
    "识别二维码",
    "进群码",
    "群码",
    "加v",
    "加vx",
    "加wx",
    "加微",
    "加薇",
    "加我微信",
    "加微信",
    "薇信",
    "威信号",
    "v信",
    "徽信",
    "微❤",
    "+v",
    "+vx",
    "+wx",
    "➕v",
    "vx",
    "wx号",
    "wx:",
    "vx:",
    "进群领",
    "入群领",
    "加群领",
    "私聊领",
    "私我领",
    "扣扣群",
    "qq群",
    "加q",
];

/// Texts that point to QR codes.
#[derive(Debug, PluginConfig)]
pub struct Qr {
    /// The words, in place of the usual ones.
    #[config(max_len = 2000)]
    pub words: Option<Vec<String>>,
    /// Words besides the usual ones.
    #[config(default, max_len = 2000)]
    pub more: Vec<String>,
    /// Usual words that may be said here.
    #[config(default, max_len = 2000)]
    pub except: Vec<String>,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

impl Qr {
    /// The words that count.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        let usual = if self.words.is_some() { &[][..] } else { USUAL };
        let own = self.words.iter().flatten().map(String::as_str);
        let all = usual.iter().copied().chain(own).chain(self.more.iter().map(String::as_str));
        all.filter(|word| !self.except.iter().any(|except| wxbot_plugin::text::fold(except) == *word))
    }

    pub(crate) fn offence(&self, word: &str) -> Offence {
        Offence::new("qr", "引导扫码或加好友", self.rung).in_detail(format!("「{}」", label(word)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wordset::{Folded, WordSet};
    use super::*;

    #[test]
    fn the_list_is_editable() {
        for (settings, text, want) in [
            (json!({}), "请 扫 码 进群", Some("扫码")),
            (json!({}), "＋Ｖ：abc_123", Some("+v")),
            (json!({}), "加V看更多", Some("加v")),
            (json!({}), "加vip会员", None),
            (json!({}), "今天开会", None),
            (json!({}), "Ctrl+C 再 Ctrl+V", None),
            (json!({}), "稍微增加威胁,v5 版", None),
            (json!({}), "➕V abc", Some("➕v")),
            (json!({ "except": ["二维码"] }), "这个二维码坏了", None),
            (json!({ "words": ["密聊"] }), "扫码", None),
            (json!({ "words": ["密聊"] }), "密-聊", Some("密聊")),
            (json!({ "more": ["小窗"] }), "来小窗", Some("小窗")),
        ] {
            let qr = Qr::read(&settings, &Place::default()).unwrap();
            let set = WordSet::new(qr.all()).unwrap();
            assert_eq!(set.find(&Folded::of(text)), want, "{settings} {text}");
        }
    }
}
