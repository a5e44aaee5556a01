//! `wxbot restore`: a data directory made of a backup. Everything is checked before anything is written, and what is there
//! is moved aside at most.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;
use wxbot_model::Secret;
use wxbot_runtime::backup::parcel::{Parcel, Part};
use wxbot_runtime::backup::passphrase;
use wxbot_runtime::config::{Config, Registry};
use wxbot_runtime::media::FOLDER;
use wxbot_runtime::store::seal::KEY_FILE;
use wxbot_runtime::store::sqlite::{DataDir, QUEUE_FILE, SqliteStore};
use wxbot_runtime::store::{KeepStore, Restored, Store, StoreError};

use crate::args::Args;
use crate::backup::{About, SecretFile};
use crate::control::now_ms;
use crate::mend::args::RestoreOptions;
use crate::passphrase_of::passphrase_of;
use crate::place::{data_dir, read_config};
use crate::report::{Failure, OrExit, print, say};
use crate::server::MADE;
use crate::words::Lang;

pub(crate) fn run(registry: &Registry, args: &Args, options: &RestoreOptions) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let (dir, lang) = (data_dir(&config, args), Lang::of_environment());
    let what = format!("{} is not restored", options.file.display());
    let mut parcel = Parcel::open(File::open(&options.file).or_exit(&what)?).or_exit(&what)?;
    let about = parcel.read(&Part::About).or_exit(&what)?.unwrap_or_default();
    let about: About = serde_json::from_slice(&about).or_exit(&what)?;
    let Some(digest) = parcel.digest(&Part::Queue).map(str::to_owned) else {
        return Err(Failure::new(format!("{what}: it has no queue.db")));
    };
    // The last questions before anything is written.
    let secrets = secrets(&mut parcel, &digest, options)?;
    let _held = free(&dir, options.force)?;
    let staging = Staging::make(&dir).or_exit("cannot make a folder beside the data directory")?;
    unpack(&mut parcel, &staging.0, secrets.as_deref()).or_exit(&what)?;
    let restored = begin(&staging.0, &about, &config, secrets.is_some())?;
    let aside = swap(&dir, staging).or_exit("cannot put the data directory in its place")?;
    told(&dir, aside.as_deref(), &restored, secrets.is_some(), options.json, lang);
    Ok(())
}

/// What the backup has of secrets; `None` when nothing of it is wanted, or there is nothing.
fn secrets(parcel: &mut Parcel, digest: &str, options: &RestoreOptions) -> Result<Option<Vec<SecretFile>>, Failure> {
    let sealed = parcel.read(&Part::Secrets).or_exit("cannot read the secrets")?;
    let Some(sealed) = sealed.filter(|_| !options.without_secrets) else { return Ok(None) };
    let passphrase = passphrase_of(options.passphrase_file.as_deref(), false)?;
    let plain: Secret<Vec<u8>> =
        passphrase::open(&sealed, &passphrase, digest).or_exit("the secrets cannot be opened")?;
    let files: Vec<SecretFile> = serde_json::from_slice(plain.expose()).or_exit("the secrets cannot be read")?;
    let good = |name: &str| {
        let made = name.strip_prefix(MADE).and_then(|rest| rest.strip_prefix('/'));
        name == KEY_FILE || made.is_some_and(|name| !name.is_empty() && !name.starts_with('.') && !name.contains('/'))
    };
    match files.iter().find(|file| !good(&file.name)) {
        Some(bad) => Err(Failure::new(format!("the secrets have a file that is none of wxbot's: {:?}", bad.name))),
        None => Ok(Some(files)),
    }
}

/// Nobody uses the data directory, and it holds nothing; or what it holds may be moved aside. Holds it meanwhile.
fn free(dir: &Path, force: bool) -> Result<Option<DataDir>, Failure> {
    if !dir.exists() {
        return Ok(None);
    }
    let empty = fs::read_dir(dir).or_exit("cannot look into the data directory")?.next().is_none();
    if empty {
        return Ok(None);
    }
    let held = match DataDir::open(dir) {
        Ok(held) => held,
        Err(error @ StoreError::Locked { .. }) => return Err(Failure::new(format!("{error}; stop it first"))),
        Err(error) => return Err(Failure::new(error.to_string())),
    };
    if force {
        return Ok(Some(held));
    }
    let why = "is not empty; --force moves what is there aside, or give another folder by --data-dir";
    Err(Failure::new(format!("{} {why}", dir.display())))
}

/// A folder beside the data directory that goes with this value, unless it became that directory.
struct Staging(PathBuf);

impl Staging {
    fn make(dir: &Path) -> io::Result<Self> {
        let path = beside(dir, &format!("restoring-{}", std::process::id()));
        if let Some(parent) = dir.parent() {
            DirBuilder::new().recursive(true).create(parent)?;
        }
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn beside(dir: &Path, what: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    dir.with_file_name(name)
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn new_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn unpack(parcel: &mut Parcel, to: &Path, secrets: Option<&[SecretFile]>) -> io::Result<()> {
    let parts: Vec<Part> = parcel.parts().map(|(part, _)| part.clone()).collect();
    for (index, part) in parts.iter().enumerate() {
        let path = match part {
            Part::Queue => to.join(QUEUE_FILE),
            Part::Media(digest) => {
                let (first, rest) = digest.as_str().split_at_checked(2).unwrap_or_default();
                let shelf = to.join(FOLDER).join(first);
                new_dir(&to.join(FOLDER))?;
                new_dir(&shelf)?;
                shelf.join(rest)
            }
            Part::About | Part::Secrets => continue,
        };
        let mut file = new_file(&path)?;
        parcel.unpack(index, &mut file)?;
        file.sync_all()?;
    }
    for secret in secrets.unwrap_or_default() {
        if secret.name.starts_with(MADE) {
            new_dir(&to.join(MADE))?;
        }
        let mut file = new_file(&to.join(&secret.name))?;
        io::Write::write_all(&mut file, &secret.bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Opens what was unpacked as a start would, and makes it fit to go on.
fn begin(staging: &Path, about: &About, config: &Config, secrets: bool) -> Result<Restored, Failure> {
    let longest = config.accounts.iter().map(|account| account.pacing.max_age).max().unwrap_or_default();
    let max_age_ms = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
    crate::run::tokio_runtime()?.block_on(async {
        let dir = DataDir::open(staging).or_exit("cannot open what was restored")?;
        let store = SqliteStore::open(&dir).or_exit("cannot open what was restored")?;
        if !secrets {
            // Sessions that their key is not there for are of no use to anybody.
            for account in &config.accounts {
                store.set_session_aside(&account.name).await.or_exit("cannot set sessions aside")?;
            }
        }
        let restored = store.restored(about.made_ms, max_age_ms).await.or_exit("cannot begin from the backup")?;
        store.close().await.or_exit("cannot close what was restored")?;
        Ok(restored)
    })
}

/// Moves what is there aside, and what was unpacked into its place. Answers where the old one is.
fn swap(dir: &Path, staging: Staging) -> io::Result<Option<PathBuf>> {
    let empty = dir.exists() && fs::read_dir(dir)?.next().is_none();
    let mut aside = None;
    if empty {
        fs::remove_dir(dir)?;
    } else if dir.exists() {
        // Two restores of one second must not meet.
        let mut names = (now_ms() / 1_000..).map(|stamp| beside(dir, &format!("before-restore-{stamp}")));
        let old = names.find(|name| !name.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(dir, &old)?;
        aside = Some(old);
    }
    fs::rename(&staging.0, dir)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()?;
    Ok(aside)
}

fn told(dir: &Path, aside: Option<&Path>, restored: &Restored, secrets: bool, as_json: bool, lang: Lang) {
    let Restored { uncertain, expired, .. } = restored;
    if as_json {
        let said =
            json!({ "data_dir": dir, "aside": aside, "uncertain": uncertain, "expired": expired, "secrets": secrets });
        print(&said.to_string());
    } else {
        print(&format!("{} {}", lang.pick("restored:", "已恢复:"), dir.display()));
    }
    if let Some(aside) = aside {
        say(&format!("{} {}", lang.pick("what was there is in", "原有数据在"), aside.display()));
    }
    if *uncertain > 0 {
        let what = lang.pick(
            "sends may have gone out since the backup and are not repeated; `wxbot outbox list` shows them",
            "条发送可能在备份之后已发出,不会重发;用 `wxbot outbox list` 查看",
        );
        say(&format!("{uncertain} {what}"));
    }
    if !secrets {
        say(lang.pick(
            "without sessions and keys: each account needs a login (`wxbot login --all`)",
            "不含会话和密钥:每个账号都需要登录 (`wxbot login --all`)",
        ));
    }
}
