//! What do the commands answer? Adding, removing, listing and testing words, and reading the files anew.

use wxbot_plugin::prelude::*;
use wxbot_plugin::text::{head, is_blank};

use crate::act::promise;
use crate::added::Word;
use crate::judge::{Here, Ruling};
use crate::{Keyword, Said};

/// Words that one command adds at most: one a line.
const LINES: usize = 50;
/// Words on a page of the list.
const PAGE: usize = 20;
/// How much of a word or a reply a list shows.
const SHOWN_BYTES: usize = 60;
/// What an answer is cut to; texts may have 4 KiB.
const ANSWER_BYTES: usize = 3_000;

/// For whom words are: in a room for this room, in private for everywhere, which is for admins alone.
pub(crate) fn room_of(event: &Event, cx: &Ctx) -> Result<Option<ContactId>, PluginError> {
    if event.is_group() {
        Ok(Some(event.chat.id.clone()))
    } else if cx.may(&Role::Admin) {
        Ok(None)
    } else {
        Err(PluginError::told("请在群里用,只管那个群 (use it in your room)"))
    }
}

fn place(room: Option<&ContactId>) -> &'static str {
    if room.is_some() { "本群" } else { "全部会话" }
}

/// A line of `加词`: the word, and what it answers.
fn line(text: &str) -> Option<(&str, Option<&str>)> {
    let (word, reply) =
        match text.split_once("=>").or_else(|| text.split_once("=＞")).or_else(|| text.split_once("＝＞")) {
            Some((word, reply)) => (word, Some(reply.trim_matches(is_blank))),
            None => (text, None),
        };
    let word = word.trim_matches(is_blank);
    (!word.is_empty()).then_some((word, reply.filter(|reply| !reply.is_empty())))
}

impl Keyword {
    pub(crate) async fn add_words(&self, text: &str, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let room = room_of(event, cx)?;
        let Some(by) = event.sender.as_ref().map(|sender| sender.id.clone()) else { return Ok(Effects::none()) };
        let lines: Vec<(&str, Option<&str>)> = text.lines().filter_map(line).collect();
        if lines.is_empty() {
            return Err(PluginError::told("没有词。用法: 加词 词 => 回复 (no word)"));
        }
        if lines.len() > LINES {
            return Err(PluginError::told(format!("一次最多 {LINES} 个词 (too many lines)")));
        }
        let acts = self.settings.rules.get(self.settings.added()).is_some_and(crate::settings::Rule::acts);
        for (word, reply) in &lines {
            let why = match self.added.refused(word, *reply, cx.may(&Role::Admin)) {
                Some(why) => why,
                None if reply.is_none() && !acts => "要写回复,像「加词 词 => 回复」;或者在 bot.toml 里给一条规则写上 \
                                                     `added = true` (write a reply, or mark a rule with `added = true`)"
                    .to_owned(),
                None => continue,
            };
            return Err(PluginError::told(format!("「{}」: {why}", head(word, SHOWN_BYTES))));
        }
        let now = self.added.words(cx).await?;
        let at_ms = cx.now_ms();
        let word = |(text, reply): (&str, Option<&str>)| Word {
            text: text.to_owned(),
            room: room.clone(),
            reply: reply.map(str::to_owned),
            by: by.clone(),
            at_ms,
        };
        let count = lines.len();
        let (effects, new) = self.added.add(&now, lines.into_iter().map(word).collect(), cx.random_u64())?;
        let changed = count.saturating_sub(new);
        let changed = if changed > 0 { format!(",改了 {changed} 个") } else { String::new() };
        let answer = format!("加了 {new} 个词{changed},{}生效 (added)", place(room.as_ref()));
        Ok(Effects::reply(answer).then(effects))
    }

    pub(crate) async fn remove_word(&self, word: &str, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let room = room_of(event, cx)?;
        let now = self.added.words(cx).await?;
        let word = word.trim_matches(is_blank);
        match self.added.remove(&now, room.as_ref(), word, cx.random_u64())? {
            Some(effects) => Ok(Effects::reply(format!("删了「{}」(removed)", head(word, SHOWN_BYTES))).then(effects)),
            None => Err(PluginError::told(format!(
                "{}没有加过「{}」;bot.toml 和文件里的词要在那里改 (not among the added words)",
                place(room.as_ref()),
                head(word, SHOWN_BYTES)
            ))),
        }
    }

    pub(crate) async fn list_words(&self, page: usize, event: &Event, cx: &Ctx) -> Result<String, PluginError> {
        let room = room_of(event, cx)?;
        let now = self.added.words(cx).await?;
        let words = now.shown(room.as_ref());
        let from_files = self.watch.engine().len();
        if words.is_empty() {
            return Ok(format!("还没有加词;bot.toml 和文件里有 {from_files} 个 (no added words)"));
        }
        let pages = words.len().div_ceil(PAGE);
        let page = page.clamp(1, pages);
        let shown = words.iter().skip((page - 1) * PAGE).take(PAGE).enumerate();
        let lines = shown.map(|(n, (key, word))| {
            let reply = word.reply.as_deref().map_or_else(String::new, |reply| format!(" => {}", short(reply)));
            let place = match (&word.room, &room) {
                (Some(of), None) => {
                    format!(
                        " [{}]",
                        cx.contact(of).map_or_else(|| of.to_string(), |room| room.display_name().to_owned())
                    )
                }
                (None, Some(_)) => " [全部会话]".to_owned(),
                (Some(_), Some(_)) | (None, None) => String::new(),
            };
            let unfit = if now.is_fit(key) { "" } else { " ⚠️ 找不了 (nothing to look for)" };
            format!("{}. {}{reply}{place}{unfit}", (page - 1) * PAGE + n + 1, short(&word.text))
        });
        let lines: Vec<String> = lines.collect();
        let total = words.len();
        let head = format!("加的词共 {total} 个,第 {page}/{pages} 页;bot.toml 和文件里有 {from_files} 个");
        Ok(head_of(format!("{head}\n{}", lines.join("\n"))))
    }

    /// What would happen if the sender said this here. Nothing of it is done.
    pub(crate) async fn test_text(&self, text: &str, event: &Event, cx: &Ctx) -> Result<String, PluginError> {
        room_of(event, cx)?;
        let mut said = event.clone();
        if let EventKind::Message(message) = &mut said.kind {
            message.content = Content::Text { text: text.to_owned() };
        }
        let (Ok(text), Some(here)) = (Said::of(&said), Here::of(&said)) else { return Ok(NOTHING.to_owned()) };
        let rulings = self.rulings(text, here, cx).await?;
        if rulings.is_empty() {
            return Ok(NOTHING.to_owned());
        }
        let lines: Vec<String> = rulings.iter().map(|ruling| self.tell(ruling, &said, cx)).collect();
        Ok(head_of(lines.join("\n")))
    }

    fn tell(&self, ruling: &Ruling<'_>, said: &Event, cx: &Ctx) -> String {
        let hits = ruling.found.hits.iter().take(5).map(|hit| {
            let keyword = if hit.keyword == hit.found { String::new() } else { format!(" ({})", short(&hit.keyword)) };
            format!("「{}」第 {} 字{keyword}", short(&hit.found), hit.at)
        });
        let hits: Vec<String> = hits.collect();
        let then = match &ruling.why_not {
            Some(why) => format!("不动作: {}", why.in_chat()),
            None => match promise(&self.settings, said, cx, ruling) {
                all if all.is_empty() => "什么也不做 (nothing)".to_owned(),
                all => all.join(";"),
            },
        };
        format!("规则「{}」命中 {}\n  → {then}", ruling.name, hits.join("、"))
    }

    /// Looks at the files now.
    pub(crate) async fn look_now(&self) -> Result<String, PluginError> {
        let looked = self.watch.look().await?;
        let told = format!("重读了 {} 个文件,共 {} 个词 (read anew)", looked.read, looked.words);
        Ok(match looked.trouble {
            None => told,
            Some(trouble) => head_of(format!("{told}\n有错,沿用旧的 (mistakes, the old one stays):\n{}", trouble.text)),
        })
    }
}

const NOTHING: &str = "没有规则命中 (no rule is hit)";

fn short(text: &str) -> String {
    wxbot_plugin::text::shortened(text.lines().next().unwrap_or_default(), SHOWN_BYTES)
}

fn head_of(text: String) -> String {
    wxbot_plugin::text::shortened(&text, ANSWER_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_line_is_read(text in any::<String>(), said in "[a-z发票]{1,9}", reply in "[a-z看公告]{1,9}") {
            if let Some((word, reply)) = line(&text) {
                prop_assert!(!word.is_empty() && word.trim_matches(is_blank) == word && !word.contains("=>"));
                prop_assert!(reply.is_none_or(|reply| !reply.is_empty() && text.contains(reply)));
            }
            let written = format!("{said} => {reply}");
            prop_assert_eq!(line(&written), Some((&*said, Some(&*reply))));
        }
    }

    #[test]
    fn lines_of_words() {
        for (name, text, want) in [
            ("a word", " 发票 ", Some(("发票", None))),
            ("and its reply", "价格 => 看公告", Some(("价格", Some("看公告")))),
            ("as a Chinese keyboard writes it", "价格＝＞看公告", Some(("价格", Some("看公告")))),
            ("a word with spaces", "加 微信 =>不要", Some(("加 微信", Some("不要")))),
            ("no reply behind the arrow", "价格 =>", Some(("价格", None))),
            ("only the first arrow", "a => b => c", Some(("a", Some("b => c")))),
            ("no word", " => 回复", None),
            ("nothing", "\u{200B} ", None),
        ] {
            assert_eq!(line(text), want, "{name}");
        }
    }
}
