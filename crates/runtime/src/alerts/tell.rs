//! What does a bulletin say? A text that fits into a message, in the language of whoever runs wxbot.

use wxbot_model::size::show_size;
use wxbot_model::span::show_duration;

use super::{Bulletin, Report, Subject};
use crate::explain::Lang;
use crate::session::cure::state_word;

/// Incidents that are told one by one; of more, only the number.
const LINES: usize = 12;

impl Bulletin {
    /// The whole text: at most `most` bytes, cut at a line. `now_ms` tells how long something has been so.
    pub fn text(&self, lang: Lang, now_ms: i64, most: usize) -> String {
        let mut lines = Vec::new();
        for (reports, en, zh) in [
            (&self.opened, "wxbot: something is wrong", "wxbot:出现问题"),
            (&self.repeated, "wxbot: still wrong", "wxbot:问题仍在"),
            (&self.ended, "wxbot: well again", "wxbot:已恢复"),
        ] {
            if reports.is_empty() {
                continue;
            }
            lines.push(format!("{} ({})", pick(lang, en, zh), reports.len()));
            let well = std::ptr::eq(reports, &self.ended);
            lines.extend(reports.iter().take(LINES).map(|report| report.line(lang, now_ms, well)));
            if let Some(more) = reports.len().checked_sub(LINES).filter(|more| *more > 0) {
                let all = pick(lang, "more; `wxbot accounts` shows all", "个更多;`wxbot accounts` 显示全部");
                lines.push(format!("… {more} {all}"));
            }
        }
        let mut text = String::new();
        for line in lines {
            let room = most.saturating_sub(text.len() + 1);
            if line.len() > room {
                // Rather a line less than half a sentence; the first is cut where nothing else would be left.
                if text.is_empty() {
                    text.push_str(line.get(..line.floor_char_boundary(room)).unwrap_or_default());
                }
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
        }
        text
    }
}

impl Report {
    fn line(&self, lang: Lang, now_ms: i64, well: bool) -> String {
        let what = match (&self.subject, well) {
            (Subject::Account { account }, false) => format!("{account}: {}", state_word(&self.state, lang)),
            (Subject::Account { account }, true) => format!("{account}: {}", pick(lang, "works again", "恢复工作")),
            (Subject::Dead { account }, false) => {
                let words = pick(
                    lang,
                    "messages were given up (dead letters): `wxbot explain` tells why",
                    "条消息被放弃(死信):`wxbot explain` 说明原因",
                );
                format!("{account}: {} {words}", self.count)
            }
            (Subject::Dead { account }, true) => format!("{account}: {}", pick(lang, "no dead letters", "没有死信")),
            (Subject::Uncertain { account }, false) => {
                let words = pick(
                    lang,
                    "replies are held, for nobody knows whether they went out: look at the chats",
                    "条回复被保留,因为不知道是否已发出:请查看会话",
                );
                format!("{account}: {} {words}", self.count)
            }
            (Subject::Uncertain { account }, true) => {
                format!("{account}: {}", pick(lang, "held replies are settled", "保留的回复已处理"))
            }
            (Subject::Disk, false) => format!(
                "{} {}",
                pick(lang, "the disk is nearly full; free:", "磁盘即将写满;剩余:"),
                show_size(self.count)
            ),
            (Subject::Disk, true) => pick(lang, "the disk has room again", "磁盘空间已恢复").to_owned(),
        };
        let mut line = format!("· {what}");
        if well {
            return line;
        }
        let for_ms = u64::try_from(now_ms - self.since_ms).unwrap_or(0);
        let time = show_duration(std::time::Duration::from_secs(for_ms / 1_000));
        line.push_str(&match lang {
            Lang::En => format!(" (for {time})"),
            Lang::Zh => format!("(已持续 {time})"),
        });
        let account = self.subject.account().unwrap_or_default();
        for part in [self.why.clone(), self.cure.tell(account, lang)].into_iter().filter(|part| !part.is_empty()) {
            line.push_str("; ");
            // A service's words must not make lines of their own.
            line.extend(part.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        line
    }
}

fn pick<'a>(lang: Lang, en: &'a str, zh: &'a str) -> &'a str {
    match lang {
        Lang::En => en,
        Lang::Zh => zh,
    }
}
