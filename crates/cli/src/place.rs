//! Where is everything of a configuration? The file, the data directory, the store in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wxbot_core::source::Source;
use wxbot_runtime::config::{self, Config, ConfigError, Loaded, MediaSettings, Registry};
use wxbot_runtime::media::MediaFolder;
use wxbot_runtime::store::seal::{KeySource, Vault};
use wxbot_runtime::store::sqlite::{DataDir, SqliteStore};
use wxbot_runtime::store::{Store, StoreError};

use crate::args::Args;
use crate::key;
use crate::report::{Failure, chain, say};

/// Reads the configuration; warnings are shown, mistakes end the command with 78.
pub(crate) fn read_config(registry: &Registry, args: &Args) -> Result<Config, Failure> {
    let loaded = config::read(&args.config, registry).map_err(|error| {
        if matches!(&error, ConfigError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound) {
            say("hint: `wxbot init` writes an annotated bot.toml to begin with");
        }
        Failure::Config(error)
    })?;
    warn_of(&loaded, args);
    Ok(loaded.config)
}

/// Shows what is worth knowing about a good file.
pub(crate) fn warn_of(loaded: &Loaded, args: &Args) {
    if !loaded.warnings.is_empty() {
        let text = std::fs::read_to_string(&args.config).unwrap_or_default();
        for warning in &loaded.warnings {
            let (line, column) = config::line_col(&text, warning.span.start);
            say(&format!("warning: {}:{line}:{column}: {}", args.config.display(), warning.message));
        }
    }
}

/// The data directory: the flag before the file.
pub(crate) fn data_dir(config: &Config, args: &Args) -> PathBuf {
    args.data_dir.clone().unwrap_or_else(|| config.data_dir.clone())
}

/// The opened place of a run. Needs a tokio runtime.
pub(crate) struct Place {
    pub(crate) dir: DataDir,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    /// Where the vault's key came from.
    pub(crate) key: KeySource,
}

/// Commands like `wxbot accounts` hold the directory for a moment; a start waits that long.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

impl Place {
    /// As [`open`](Self::open), waiting a little for another command to end.
    pub(crate) async fn open_patiently(path: &Path) -> Result<Self, Failure> {
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            match Self::try_open(path) {
                Err(StoreError::Locked { .. }) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other.map_err(failure),
            }
        }
    }

    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Self::try_open(path).map_err(failure)
    }

    /// Its media folder.
    pub(crate) async fn media(&self, settings: MediaSettings, source: Source) -> Result<Arc<MediaFolder>, Failure> {
        MediaFolder::open(self.dir.path(), Arc::clone(&self.store), source, settings).await.map_err(failure)
    }

    fn try_open(path: &Path) -> Result<Self, StoreError> {
        let dir = DataDir::open(path)?;
        let source =
            key::source().map_err(|why| StoreError::Key { source_of_key: "the environment".to_owned(), why })?;
        let vault = Arc::new(Vault::open_with(path, &source)?);
        let store = Arc::new(SqliteStore::open(&dir)?);
        Ok(Self { dir, store, vault, key: source })
    }
}

/// Makes a data directory if need be, looks at its rights and locks it, waiting a little for another command to end.
pub(crate) async fn lock_patiently(path: &Path) -> Result<DataDir, Failure> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match DataDir::open(path) {
            Err(StoreError::Locked { .. }) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other.map_err(failure),
        }
    }
}

pub(crate) fn failure(error: StoreError) -> Failure {
    let cure = match &error {
        StoreError::Locked { .. } => "; stop it first, or use another `data_dir`",
        StoreError::TooNew { .. } => {
            "; run the newer wxbot, or restore the copy that was made before it changed the file"
        }
        StoreError::Rights { .. }
        | StoreError::Engine { .. }
        | StoreError::Seal { .. }
        | StoreError::Key { .. }
        | StoreError::Closed
        | _ => "",
    };
    Failure::new(format!("{}{cure}", chain(&error)))
}
