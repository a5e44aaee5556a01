//! `wxbot backup`: all that wxbot remembers in one file, while it runs or not. Secrets stay behind unless they are asked
//! for, and then lie under a passphrase (security R21).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wxbot_model::size::show_size;
use wxbot_model::{MediaDigest, Secret};
use wxbot_runtime::backup::parcel::{Packer, Part};
use wxbot_runtime::backup::passphrase;
use wxbot_runtime::config::Registry;
use wxbot_runtime::media::FOLDER;
use wxbot_runtime::store::seal::KEY_FILE;
use wxbot_runtime::store::sqlite::{ARCHIVE_FILE, SPOOL_FILE};

use crate::args::Args;
use crate::control::now_ms;
use crate::mend::args::BackupOptions;
use crate::mend::{Counter, MendAsk};
use crate::passphrase_of::passphrase_of;
use crate::report::{Failure, OrExit, print, say};
use crate::server::MADE;

/// Secrets are keys and tokens; what is longer is none.
const LONGEST_SECRET: u64 = 64 * 1024;

/// What a backup is of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// The wxbot that made it.
    pub(crate) wxbot: String,
    /// When, milliseconds since 1970.
    pub(crate) made_ms: i64,
    pub(crate) media: bool,
    pub(crate) secrets: bool,
}

/// A file of the data directory that holds a secret.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SecretFile {
    /// `seal.key`, or `push/NAME`.
    pub(crate) name: String,
    /// Byte by byte: a key is no text.
    pub(crate) bytes: Vec<u8>,
}

/// A file that goes with this value.
pub(crate) struct Passing(pub(crate) PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

pub(crate) fn run(registry: &Registry, args: &Args, options: &BackupOptions) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    let lang = counter.lang;
    if options.file.exists() {
        return Err(Failure::new(format!("{} is there already; a backup overwrites nothing", options.file.display())));
    }
    // Before anything is copied: nobody waits for a copy only to hear that the passphrase is too short.
    let passphrase = match options.with_secrets {
        true => Some(passphrase_of(options.passphrase_file.as_deref(), true)?),
        false => None,
    };
    let line = counter.line(MendAsk::Snapshot { sessions: options.with_secrets })?;
    let name = line.get("snapshot").and_then(Value::as_str).unwrap_or_default();
    let copy = Passing(counter.dir.join(name));
    let made = pack(&counter.dir, &copy.0, options, passphrase.as_ref());
    let (parts, bytes) = made.or_exit(&format!("cannot write {}", options.file.display()))?;
    let left_out: Vec<&str> =
        [ARCHIVE_FILE, SPOOL_FILE].into_iter().filter(|name| counter.dir.join(name).exists()).collect();
    if options.json {
        let said = json!({ "file": options.file, "parts": parts, "bytes": bytes, "media": options.media, "secrets": options.with_secrets, "left_out": left_out });
        print(&said.to_string());
        return Ok(());
    }
    print(&format!("{} {}, {}", options.file.display(), lang.pick("is written", "已写入"), show_size(bytes)));
    if !options.with_secrets {
        say(lang.pick(
            "without sessions and keys: after a restore each account needs a login",
            "不含会话和密钥:恢复后每个账号都需要登录",
        ));
    }
    say(lang.pick(
        "messages in it are not encrypted; bot.toml and the files it names are not in it",
        "其中的消息未加密;不包含 bot.toml 及其引用的文件",
    ));
    for name in left_out {
        say(match name {
            ARCHIVE_FILE => lang.pick(
                "left out: archive.db, the history of `wxbot messages`; copy it while wxbot is stopped if you want to keep it",
                "未包含:archive.db,即 `wxbot messages` 的历史记录;如需保留,请在 wxbot 停止时另行复制",
            ),
            _ => lang.pick(
                "left out: spool.db, pushes that were answered and that no account has yet; stop wxbot when it is empty to miss none",
                "未包含:spool.db,即已回答但尚未交给账号的推送;在其为空时停止 wxbot 再备份,就不会遗漏",
            ),
        });
    }
    Ok(())
}

/// Writes the backup beside its place and gives it its name when it is whole.
fn pack(
    dir: &Path,
    copy: &Path,
    options: &BackupOptions,
    passphrase: Option<&Secret<String>>,
) -> io::Result<(u64, u64)> {
    let mut name = options.file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = Passing(options.file.with_file_name(name));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0)?;
    let mut packer = Packer::begin(file)?;
    let about = About {
        wxbot: env!("CARGO_PKG_VERSION").to_owned(),
        made_ms: now_ms(),
        media: options.media,
        secrets: options.with_secrets,
    };
    let about = serde_json::to_vec(&about)?;
    packer.add(&Part::About, about.len() as u64, &*about)?;
    let queue = File::open(copy)?;
    let digest = packer.add(&Part::Queue, queue.metadata()?.len(), queue)?;
    let mut parts = 2;
    if let Some(passphrase) = passphrase {
        let plain = Secret::new(serde_json::to_vec(&secrets(dir)?)?);
        let sealed = passphrase::seal(&plain, passphrase, &digest).map_err(io::Error::other)?;
        packer.add(&Part::Secrets, sealed.len() as u64, &*sealed)?;
        parts += 1;
    }
    if options.media {
        for (digest, path) in media(&dir.join(FOLDER))? {
            // One that was thrown away meanwhile, as the folder does with old ones, is not missed.
            let Ok(file) = File::open(&path) else { continue };
            packer.add(&Part::Media(digest), file.metadata()?.len(), file)?;
            parts += 1;
        }
    }
    packer.end()?;
    let bytes = fs::metadata(&part.0)?.len();
    // Not a rename: somebody may have taken the name meanwhile, and nothing is overwritten.
    match fs::hard_link(&part.0, &options.file) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied || e.kind() == io::ErrorKind::Unsupported => {
            drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&options.file)?);
            fs::rename(&part.0, &options.file)?;
        }
        linked => linked?,
    }
    let folder = options.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok((parts, bytes))
}

/// The key of the sessions, and what wxbot drew for services that push.
fn secrets(dir: &Path) -> io::Result<Vec<SecretFile>> {
    let mut found = Vec::new();
    let mut take = |name: String, path: &Path| -> io::Result<()> {
        if fs::metadata(path)?.len() > LONGEST_SECRET {
            return Err(io::Error::other(format!("{} is too long for a secret", path.display())));
        }
        found.push(SecretFile { name, bytes: fs::read(path)? });
        Ok(())
    };
    let key = dir.join(KEY_FILE);
    if key.exists() {
        take(KEY_FILE.to_owned(), &key)?;
    }
    let made = dir.join(MADE);
    if made.is_dir() {
        for entry in fs::read_dir(&made)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                take(format!("{MADE}/{}", entry.file_name().to_string_lossy()), &entry.path())?;
            }
        }
    }
    Ok(found)
}

/// The whole files of the media folder, by their digests.
fn media(folder: &Path) -> io::Result<Vec<(MediaDigest, PathBuf)>> {
    let mut found = Vec::new();
    let shelves = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        shelves => shelves?,
    };
    for shelf in shelves {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(shelf.path())? {
            let file = file?;
            let name = format!("{}{}", shelf.file_name().to_string_lossy(), file.file_name().to_string_lossy());
            if let (Ok(digest), true) = (name.parse(), file.file_type()?.is_file()) {
                found.push((digest, file.path()));
            }
        }
    }
    found.sort_unstable_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}
