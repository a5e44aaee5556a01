//! `wxbot media`: what lies in the media folder, clearing it, and taking a file out; of the running wxbot, else directly.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wxbot_core::source::Source;
use wxbot_model::size::show_size;
use wxbot_model::span::parse_duration;
use wxbot_model::{FileType, MediaDigest, file_name};
use wxbot_runtime::account::Account;
use wxbot_runtime::config::{MediaSettings, Registry};
use wxbot_runtime::media::uploads::Upload;
use wxbot_runtime::media::{Cleared, FOLDER, Going, MediaFolder};
use wxbot_runtime::store::sqlite::QUEUE_FILE;

use crate::accounts::ago;
use crate::args::{Args, ClearOptions, ExportOptions, MediaCommand};
use crate::control::{self, Request};
use crate::place::{Place, data_dir, read_config};
use crate::report::{Failure, OrExit, print, say};

/// Digits of a digest that lists show.
const SHOWN: usize = 12;
/// Fewer digits name no file on purpose.
const FEWEST: usize = 4;
/// Uploads that are over before anybody could read of them are not shown.
const WORTH_SHOWING: Duration = Duration::from_secs(2);

/// What can be asked of a running wxbot.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum MediaAsk {
    /// A line with the amounts, then one per file.
    List,
    /// One line: what went.
    Clear(Going),
}

/// Answers one line after another; the last one says `error` when it failed.
pub(crate) async fn answer(folder: &MediaFolder, ask: MediaAsk, tell: &mpsc::Sender<Value>) {
    let failed = |error: &dyn std::error::Error| json!({ "error": error.to_string() });
    match ask {
        MediaAsk::List => match folder.list().await {
            Ok(listing) => {
                let (count, total) = (listing.files.len(), listing.total);
                let amounts = json!({
                    "files": count, "total": total, "max_size": listing.max_size, "keep_ms": listing.keep_ms,
                });
                tell.send(amounts).await.ok();
                for row in listing.files {
                    let mut line = json!(row);
                    if let Value::Object(line) = &mut line {
                        line.insert("mime".to_owned(), json!(row.file_type.mime()));
                    }
                    tell.send(line).await.ok();
                }
            }
            Err(error) => drop(tell.send(failed(&error)).await),
        },
        MediaAsk::Clear(going) => {
            let line = match folder.clear(going).await {
                Ok(cleared) => json!(cleared),
                Err(error) => failed(&error),
            };
            tell.send(line).await.ok();
        }
    }
}

/// The uploads of an account that take their time.
pub(crate) fn uploads(account: &Account, now_ms: i64) -> Value {
    worth_showing(account.uploads(), now_ms)
}

fn worth_showing(uploads: Vec<Upload>, now_ms: i64) -> Value {
    let old = |since_ms: i64| u128::try_from(now_ms - since_ms).is_ok_and(|age| age >= WORTH_SHOWING.as_millis());
    uploads.into_iter().filter(|upload| old(upload.since_ms)).map(|upload| json!(upload)).collect()
}

/// One upload in words.
pub(crate) fn upload_line(upload: &Value) -> String {
    let number = |key: &str| upload.get(key).and_then(Value::as_u64).unwrap_or(0);
    let text = |key: &str| upload.get(key).and_then(Value::as_str).unwrap_or_default();
    let (done, total) = (number("done"), number("total"));
    let percent = (u128::from(done) * 100).checked_div(u128::from(total)).unwrap_or(0);
    let since = upload.get("since_ms").and_then(Value::as_i64).map(|ms| ago(ms / 1000)).unwrap_or_default();
    let (name, to) = (file_name::safe(text("name"), "a file", ""), text("to"));
    format!("uploading {name} to {to}: {percent}% of {} since {since}", show_size(total))
}

pub(crate) fn run(registry: &Registry, args: &Args, command: &MediaCommand, as_json: bool) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let place = Where { dir: data_dir(&config, args), settings: config.media };
    match command {
        MediaCommand::List => list(&place, as_json),
        MediaCommand::Clear(options) => clear(&place, options, as_json),
        MediaCommand::Export(options) => export(&place, options, as_json),
    }
}

struct Where {
    dir: PathBuf,
    settings: MediaSettings,
}

/// Asks the running wxbot, or opens the folder as long as none runs; `None` where wxbot has never run.
fn lines(place: &Where, ask: MediaAsk) -> Result<Option<Vec<Value>>, Failure> {
    let mut lines = match control::ask_patiently(&place.dir, &Request::Media(ask))? {
        Some(lines) => lines.collect(),
        None if !place.dir.join(QUEUE_FILE).exists() => {
            say("wxbot has not run here yet");
            return Ok(None);
        }
        None => directly(place, ask)?,
    };
    if let Some(error) = lines.iter_mut().find_map(|line| line.get("error").and_then(Value::as_str)) {
        return Err(Failure::new(format!("the media folder: {error}")));
    }
    Ok(Some(lines))
}

fn directly(place: &Where, ask: MediaAsk) -> Result<Vec<Value>, Failure> {
    crate::run::tokio_runtime()?.block_on(async {
        let opened = Place::open_patiently(&place.dir).await?;
        let folder = opened.media(place.settings, Source::system()).await?;
        let (tell, mut told) = mpsc::channel(64);
        let asked = async {
            answer(&folder, ask, &tell).await;
            drop(tell);
        };
        let heard = async {
            let mut lines = Vec::new();
            while let Some(line) = told.recv().await {
                lines.push(line);
            }
            lines
        };
        let ((), lines) = tokio::join!(asked, heard);
        opened.store.close().await.ok();
        Ok(lines)
    })
}

fn list(place: &Where, as_json: bool) -> Result<(), Failure> {
    let lines = lines(place, MediaAsk::List)?.unwrap_or_default();
    let (amounts, rows) = match lines.split_first() {
        Some((amounts, rows)) => (amounts.clone(), rows),
        None => (
            json!({ "files": 0, "total": 0, "max_size": place.settings.max_size, "keep_ms": place.settings.keep.as_millis() }),
            [].as_slice(),
        ),
    };
    if as_json {
        print(
            &json!({ "total": amounts.get("total"), "max_size": amounts.get("max_size"),
            "keep_ms": amounts.get("keep_ms"), "files": rows })
            .to_string(),
        );
        return Ok(());
    }
    for file in rows {
        let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| file.get(key).and_then(Value::as_u64).unwrap_or(0);
        let digest: String = text("digest").chars().take(SHOWN).collect();
        let added = ago(file.get("added_ms").and_then(Value::as_i64).unwrap_or(0) / 1000);
        let used = match number("waiting") {
            0 => "",
            1 => " · a send needs it",
            _ => " · sends need it",
        };
        let line = format!(
            "{digest}  {:>10}  {:<16} {:<12} {added:<6} {}{used}",
            show_size(number("len")),
            text("mime"),
            text("account"),
            text("name")
        );
        print(line.trim_end());
    }
    let number = |key: &str| amounts.get(key).and_then(Value::as_u64).unwrap_or(0);
    print(&format!("{}, {} of {}", files(number("files")), show_size(number("total")), show_size(number("max_size"))));
    Ok(())
}

fn files(count: u64) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}

fn clear(place: &Where, options: &ClearOptions, as_json: bool) -> Result<(), Failure> {
    let unused = match &options.older_than {
        Some(text) => parse_duration(text).or_exit("--older-than")?,
        None => Duration::ZERO,
    };
    let going = Going { unused_ms: u64::try_from(unused.as_millis()).unwrap_or(u64::MAX), dry_run: options.dry_run };
    let line = lines(place, MediaAsk::Clear(going))?.and_then(|lines| lines.into_iter().next());
    let cleared: Cleared = match line {
        Some(line) => serde_json::from_value(line).or_exit("cannot read what the running wxbot answered")?,
        None => Cleared::default(),
    };
    if as_json {
        print(&json!({ "dry_run": options.dry_run, "files": cleared.files, "bytes": cleared.bytes, "kept": cleared.kept }).to_string());
        return Ok(());
    }
    let word = if options.dry_run { "would remove" } else { "removed" };
    let mut text = format!("{word} {}, {}", files(cleared.files), show_size(cleared.bytes));
    match cleared.kept {
        0 => {}
        1 => text.push_str("; 1 stays, a send or handler needs it"),
        kept => text.push_str(&format!("; {kept} stay, sends or handlers need them")),
    }
    print(&text);
    Ok(())
}

fn export(place: &Where, options: &ExportOptions, as_json: bool) -> Result<(), Failure> {
    let wanted = options.digest.as_str();
    if wanted.len() < FEWEST || !wanted.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Failure::new(format!(
            "`{wanted}` is no digest; write at least {FEWEST} digits of one that `wxbot media` shows"
        )));
    }
    let lines = lines(place, MediaAsk::List)?.unwrap_or_default();
    let digest_of = |line: &Value| line.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted = wanted.to_ascii_lowercase();
    let found: Vec<&Value> = lines.iter().skip(1).filter(|line| digest_of(line).starts_with(&wanted)).collect();
    let file = match found.as_slice() {
        [one] => *one,
        [] => return Err(Failure::new(format!("the media folder has no file {wanted}…; `wxbot media` lists all"))),
        more => return Err(Failure::new(format!("{} files begin with {wanted}; write more digits", more.len()))),
    };
    let digest: MediaDigest = digest_of(file).parse().or_exit("cannot read the list")?;
    let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
    let short: String = digest.as_str().chars().take(SHOWN).collect();
    let name = file_name::safe(text("name"), &short, FileType::of_mime(text("mime")).extension());
    let (first, rest) = digest.as_str().split_at_checked(2).unwrap_or_default();
    let from = place.dir.join(FOLDER).join(first).join(rest);
    let to = put(&from, &options.to, &name).or_exit("cannot export the file")?;
    if as_json {
        print(&json!({ "digest": digest, "to": to, "bytes": file.get("len") }).to_string());
    } else {
        print(&to.display().to_string());
    }
    Ok(())
}

/// Copies into the folder under the first free name: `a.png`, `a (2).png`, …. Nothing is ever overwritten, and a good
/// name is only given to a whole file: what is interrupted leaves a hidden one at most.
fn put(from: &Path, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let mut source = File::open(from)?;
    let part = Part(folder.join(format!(".wxbot-export-{}.part", std::process::id())));
    let told = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", part.0.display()));
    // One that a process of the same number left.
    std::fs::remove_file(&part.0).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0).map_err(told)?;
    io::copy(&mut source, &mut file).and_then(|_| file.sync_all()).map_err(told)?;
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) => (stem, format!(".{extension}")),
        None => (name, String::new()),
    };
    for number in 1..=1_000 {
        let name = if number == 1 { name.to_owned() } else { format!("{stem} ({number}){extension}") };
        let to = folder.join(name);
        match publish(&part.0, &to) {
            Ok(()) => {
                drop(part);
                // The bytes are on the disk; a folder that cannot be opened costs the name at most.
                File::open(folder).and_then(|folder| folder.sync_all()).ok();
                return Ok(to);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", to.display()))),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("there are a thousand files called {name}")))
}

/// A hidden file that goes with this value.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// Gives a whole file its name, if that is free.
fn publish(part: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, to) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied || e.kind() == io::ErrorKind::Unsupported => {
            // A memory stick knows no second names: the name is taken first, and given at once.
            drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?);
            std::fs::rename(part, to)
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r13_an_export_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::write(&from, b"new").unwrap();
        std::fs::write(dir.path().join("a.png"), b"mine").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("a (2).png")).unwrap();
        let to = put(&from, dir.path(), "a.png").unwrap();
        assert_eq!(to, dir.path().join("a (3).png"), "a link that leads nowhere is a name that is taken");
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert_eq!(std::fs::read(dir.path().join("a.png")).unwrap(), b"mine");
        assert_eq!(put(&from, dir.path(), "none").unwrap(), dir.path().join("none"));
        assert!(put(&from, &dir.path().join("missing"), "a").unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn an_export_that_fails_leaves_nothing_and_a_whole_one_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let there = || std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
        // A folder can be opened and not be read: it fails after the copy has begun.
        put(Path::new("/"), dir.path(), "a.png").unwrap_err();
        assert!(there().is_empty(), "{:?}", there());
        let from = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(from.path(), b"new").unwrap();
        let part = dir.path().join(format!(".wxbot-export-{}.part", std::process::id()));
        std::fs::write(&part, b"left by a kill").unwrap();
        put(from.path(), dir.path(), "a.png").unwrap();
        assert_eq!(there(), ["a.png"]);
        std::fs::write(&part, b"whole").unwrap();
        assert_eq!(publish(&part, &dir.path().join("a.png")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_upload_is_shown_after_two_seconds() {
        let since = |since_ms| Upload { name: "a".into(), to: "p1".parse().unwrap(), done: 0, total: 9, since_ms };
        let shown = worth_showing(vec![since(8_000), since(8_001), since(20_000)], 10_000);
        assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
        assert_eq!(shown[0]["since_ms"], 8_000);
    }

    #[test]
    fn an_upload_in_words() {
        let upload = json!({ "name": "a\n.mp4", "to": "p1", "done": 50, "total": 200, "since_ms": 0 });
        let line = upload_line(&upload);
        assert!(line.starts_with("uploading a.mp4 to p1: 25% of 200 B since "), "{line}");
    }
}
