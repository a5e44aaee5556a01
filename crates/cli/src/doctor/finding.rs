//! What was found? One thing that was looked at: good, worth knowing, or a problem with its cure.

use std::fmt::Display;

use serde::Serialize;

use crate::words::Lang;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    Warning,
    Problem,
}

/// One finding. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `store`, `endpoint`, ….
    pub(super) check: String,
    /// Which of them: an account, a file.
    pub(super) subject: String,
    pub(super) level: Level,
    /// What was found.
    pub(super) says: String,
    /// What to do; empty when nothing.
    pub(super) cure: String,
}

impl Finding {
    fn new(check: &str, level: Level, says: impl Into<String>) -> Self {
        Self { check: check.to_owned(), subject: String::new(), level, says: says.into(), cure: String::new() }
    }

    pub(super) fn ok(check: &str, says: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, says)
    }

    pub(super) fn warning(check: &str, says: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, says)
    }

    pub(super) fn problem(check: &str, says: impl Into<String>) -> Self {
        Self::new(check, Level::Problem, says)
    }

    /// Which of them it is about.
    pub(super) fn of(mut self, subject: impl Display) -> Self {
        self.subject = subject.to_string();
        self
    }

    /// A figure or a reason behind what it says.
    pub(super) fn with(mut self, what: impl Display) -> Self {
        self.says = format!("{} {what}", self.says);
        self
    }

    /// What to do about it.
    pub(super) fn cured(mut self, cure: impl Into<String>) -> Self {
        self.cure = cure.into();
        self
    }

    /// For people: a line, and below it what to do.
    pub(super) fn text(&self, lang: Lang) -> String {
        let sign = match self.level {
            Level::Ok => "✓",
            Level::Warning => "!",
            Level::Problem => "✗",
        };
        let mut text = format!("{sign} {}", word(&self.check, lang));
        for part in [&self.subject, &self.says].into_iter().filter(|part| !part.is_empty()) {
            text.push_str(if part == &self.says { ": " } else { " " });
            // Services and files are quoted: what could move the cursor is left out.
            text.extend(part.chars().filter(|c| !c.is_control()));
        }
        if !self.cure.is_empty() {
            text.push_str("\n    → ");
            text.extend(self.cure.chars().filter(|c| !c.is_control()));
        }
        text
    }
}

fn word(check: &str, lang: Lang) -> &str {
    let zh = match check {
        "config" => "配置",
        "plugin" => "插件库",
        "directory" => "数据目录",
        "store" => "数据库",
        "key" => "密钥",
        "disk" => "磁盘",
        "media" => "媒体目录",
        "secret" => "秘密",
        "alerts" => "告警",
        "socket" => "控制套接字",
        "account" => "账号",
        "server" => "回调服务",
        "endpoint" => "服务地址",
        "proxy" => "代理",
        "clock" => "时钟",
        other => other,
    };
    lang.pick(check, zh)
}

/// The last line.
pub(super) fn summary(findings: &[Finding], lang: Lang) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (bad, odd) = (count(Level::Problem), count(Level::Warning));
    match (bad, odd) {
        (0, 0) => lang.pick("nothing is wrong", "一切正常").to_owned(),
        _ => match lang {
            Lang::En => format!("problems: {bad}, warnings: {odd}"),
            Lang::Zh => format!("问题 {bad} 个,警告 {odd} 个"),
        },
    }
}
