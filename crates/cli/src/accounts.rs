//! `wxbot accounts`: the accounts, their states and what waits; of the running wxbot, else from the store.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wxbot_model::span::show_duration;
use wxbot_runtime::config::Registry;
use wxbot_runtime::session::cure::Cure;

use crate::args::Args;
use crate::control::{self, Request};
use crate::media::upload_line;
use crate::place::{Place, data_dir, read_config};
use crate::report::{Failure, OrExit, print, say};
use crate::words::Lang;

pub(crate) fn run(registry: &Registry, args: &Args, as_json: bool) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let dir = data_dir(&config, args);
    let running = control::ask_patiently(&dir, &Request::Accounts)?.map(Iterator::collect::<Vec<Value>>);
    let lines = match running {
        Some(lines) => lines,
        None => from_store(&config.accounts, &dir)?,
    };
    if as_json {
        print(&Value::Array(lines).to_string());
        return Ok(());
    }
    let lang = Lang::of_environment();
    let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let width = lines.iter().map(|l| text(l, "name").chars().count()).max().unwrap_or(0);
    for line in &lines {
        let name = text(line, "name");
        let pad = " ".repeat(width - name.chars().count());
        let why =
            [text(line, "why"), lang.cure(line)].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("; ");
        let since = line.get("since_s").and_then(Value::as_i64).map(ago).unwrap_or_default();
        print(
            format!("{name}{pad}  {:<8} {:<16} {since:<10} {why}", text(line, "protocol"), text(line, "state"))
                .trim_end(),
        );
        print(&format!("{}  {}", " ".repeat(width), amounts(line)));
        for slowed in line.get("slowed").and_then(Value::as_array).into_iter().flatten() {
            print(&format!("{}  {}", " ".repeat(width), slowed_line(slowed, lang)));
        }
        for window in window_lines(line, lang, control::now_ms()) {
            print(&format!("{}  {window}", " ".repeat(width)));
        }
        for upload in line.get("uploads").and_then(Value::as_array).into_iter().flatten() {
            print(&format!("{}  {}", " ".repeat(width), upload_line(upload)));
        }
    }
    Ok(())
}

pub(crate) fn ago(since_s: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = now.saturating_sub(u64::try_from(since_s).unwrap_or(0));
    let rounded = match age {
        0..=119 => age,
        120..=7_199 => age / 60 * 60,
        7_200..=172_799 => age / 3_600 * 3_600,
        _ => age / 86_400 * 86_400,
    };
    show_duration(Duration::from_secs(rounded))
}

/// Why it sends less than its pace, and for how long.
fn slowed_line(slowed: &Value, lang: Lang) -> String {
    let by = slowed.get("by").and_then(Value::as_str).unwrap_or_default();
    let (en, zh) = match by {
        "quiet_hours" => ("quiet hours: nothing is sent", "安静时段:暂停发送"),
        "quiet_hours_for_pushes" => ("quiet hours: only who writes is answered", "安静时段:只回复来信"),
        "warm_up" => ("slower after its login", "新登录,放慢发送"),
        "pace" => ("its pace is used up", "额度用完"),
        other => (other, other),
    };
    let until_ms = slowed.get("until_ms").and_then(Value::as_i64).unwrap_or(0);
    let left_s = u64::try_from((until_ms - control::now_ms()).max(0)).unwrap_or(0).div_ceil(1_000);
    let left = show_duration(Duration::from_secs(if left_s < 120 { left_s } else { left_s.div_ceil(60) * 60 }));
    match lang {
        Lang::En => format!("slowed: {en}, for {left}"),
        Lang::Zh => format!("放慢:{zh},还有 {left}"),
    }
}

/// Open reply windows that are shown; all are in the JSON.
const SHOWN_WINDOWS: usize = 10;

/// Which chats may be written to, how often still, and for how long; nothing where the service does not ask for that.
fn window_lines(line: &Value, lang: Lang, now_ms: i64) -> Vec<String> {
    let Some(windows) = line.get("windows").and_then(Value::as_array) else { return Vec::new() };
    if windows.is_empty() {
        return vec![
            lang.pick("reply windows: none is open; who writes opens one", "回复窗口:没有打开的;对方来信即打开")
                .to_owned(),
        ];
    }
    let mut lines: Vec<String> = windows.iter().take(SHOWN_WINDOWS).map(|one| window_line(one, lang, now_ms)).collect();
    if let Some(more @ 1..) = windows.len().checked_sub(SHOWN_WINDOWS) {
        lines.push(match lang {
            Lang::En => format!("reply windows: {more} more; --json shows them"),
            Lang::Zh => format!("回复窗口:还有 {more} 个;用 --json 查看"),
        });
    }
    lines
}

fn window_line(window: &Value, lang: Lang, now_ms: i64) -> String {
    let text = |key: &str| window.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| window.get(key).and_then(Value::as_i64).unwrap_or(0);
    let whom = format!("{} {}", text("chat"), crate::mend::shown(text("name")));
    let (whom, left, likely) = (whom.trim_end(), number("left"), number("likely"));
    let left_s = u64::try_from(number("until_ms") - now_ms).unwrap_or(0).div_ceil(1_000);
    let open = show_duration(Duration::from_secs(if left_s < 120 { left_s } else { left_s / 60 * 60 }));
    match (lang, likely < left) {
        (Lang::En, false) => format!("reply window: {whom}: {left} left, shuts in {open}"),
        (Lang::En, true) => {
            format!("reply window: {whom}: {left} left, the service is likely to take {likely}; shuts in {open}")
        }
        (Lang::Zh, false) => format!("回复窗口:{whom}:还可发 {left} 条,{open} 后关闭"),
        (Lang::Zh, true) => format!("回复窗口:{whom}:还可发 {left} 条,服务可能只收 {likely} 条;{open} 后关闭"),
    }
}

/// Only what is not zero, so that trouble stands out.
fn amounts(line: &Value) -> String {
    let mut parts = Vec::new();
    for (table, label) in [("inbox", "in"), ("outbox", "out")] {
        let counts = line.get(table).and_then(Value::as_object);
        for (state, count) in counts.into_iter().flatten() {
            if count.as_u64().unwrap_or(0) > 0 {
                parts.push(format!("{label} {state} {count}"));
            }
        }
    }
    if parts.is_empty() { "nothing yet".into() } else { parts.join(" · ") }
}

fn from_store(accounts: &[wxbot_runtime::config::AccountConfig], dir: &std::path::Path) -> Result<Vec<Value>, Failure> {
    if !dir.exists() {
        say("wxbot has not run here yet");
        return Ok(Vec::new());
    }
    crate::run::tokio_runtime()?.block_on(async {
        let place = Place::open(dir)?;
        let mut lines = Vec::new();
        for account in accounts {
            let counts = place.store.counts(&account.name).await.or_exit("cannot count what waits")?;
            lines.push(json!({
                "name": account.name, "protocol": account.protocol, "state": "stopped",
                "why": "wxbot does not run", "todo": Cure::Start.tell(account.name.as_str(), Lang::En.into()),
                "cure": Cure::Start, "duplicates": 0, "inbox": counts.inbox, "outbox": counts.outbox, "slowed": [], "windows": null,
                "uploads": [], "error": null,
            }));
        }
        place.store.close().await.ok();
        Ok(lines)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_chats_may_be_written_to() {
        let now_ms = 1_780_000_000_000_i64;
        let window = |left: u32, likely: u32| json!({ "chat": "p1", "name": "Alice\u{1b}", "left": left, "likely": likely, "until_ms": now_ms + 7_262_000 });
        let line = |windows: Value| json!({ "windows": windows });
        let lines = |windows, lang| window_lines(&line(windows), lang, now_ms);
        assert_eq!(lines(Value::Null, Lang::En), Vec::<String>::new(), "its service does not ask for that");
        assert_eq!(lines(json!([]), Lang::En), ["reply windows: none is open; who writes opens one"]);
        assert_eq!(lines(json!([window(7, 7)]), Lang::En), ["reply window: p1 Alice: 7 left, shuts in 121min"]);
        assert_eq!(
            lines(json!([window(7, 3)]), Lang::Zh),
            ["回复窗口:p1 Alice:还可发 7 条,服务可能只收 3 条;121min 后关闭"]
        );
        let many = lines(json!(vec![window(1, 1); 12]), Lang::En);
        assert_eq!((many.len(), many[10].as_str()), (11, "reply windows: 2 more; --json shows them"));
    }

    #[test]
    fn why_an_account_is_slow() {
        for (by, left_ms, lang, want) in [
            ("quiet_hours", 7_190_000, Lang::En, "slowed: quiet hours: nothing is sent, for 2h"),
            ("quiet_hours_for_pushes", 90_000, Lang::En, "slowed: quiet hours: only who writes is answered, for 90s"),
            ("warm_up", 1_200_000, Lang::Zh, "放慢:新登录,放慢发送,还有 20min"),
            ("pace", 0, Lang::En, "slowed: its pace is used up, for 0ms"),
        ] {
            // Whatever passes meanwhile is rounded away.
            let slowed = json!({ "by": by, "until_ms": control::now_ms() + left_ms });
            assert_eq!(slowed_line(&slowed, lang), want);
        }
    }
}
