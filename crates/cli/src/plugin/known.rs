//! Which plugins are there? Those of this binary, those that `bot.toml` names as files, and a file by itself.

use std::path::{Path, PathBuf};

use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::config::{self, Config, ConfigError, Registry};

use crate::args::Args;
use crate::report::{Failure, chain};

/// A plugin and where it comes from.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) plugin: PluginFactory,
    /// `None`: it is linked into this binary.
    pub(super) library: Option<PathBuf>,
    /// The accounts that use it, in the order of `bot.toml`.
    pub(super) accounts: Vec<String>,
}

impl Known {
    pub(super) fn id(&self) -> &str {
        self.plugin.id()
    }

    /// The SHA-256 of its file.
    pub(super) fn sha256(&self) -> Option<&str> {
        self.library.as_ref().map(|_| self.plugin.build())
    }
}

/// All there are; without a good `bot.toml` those of this binary, and why there are no others.
pub(super) fn all(registry: &Registry, args: &Args) -> Result<(Vec<Known>, Option<String>), Failure> {
    let (config, why) = match config::read(&args.config, registry) {
        Ok(loaded) => (Some(loaded.config), None),
        Err(error) => (None, Some(only_built_in(&error, &args.config))),
    };
    let mut all: Vec<Known> = registry.plugins.iter().map(|plugin| of(plugin.clone(), None, config.as_ref())).collect();
    for path in config.iter().flat_map(|config| &config.libraries) {
        let plugin = open(registry, path)?;
        // A file goes before a built-in plugin of its name.
        all.retain(|known| known.id() != plugin.id());
        all.push(of(plugin, Some(path.clone()), config.as_ref()));
    }
    Ok((all, why))
}

fn of(plugin: PluginFactory, library: Option<PathBuf>, config: Option<&Config>) -> Known {
    let accounts = config.iter().flat_map(|config| &config.accounts);
    let accounts = accounts.filter(|account| account.plugins.iter().any(|one| one.id == plugin.id()));
    let accounts = accounts.map(|account| account.name.to_string()).collect();
    Known { plugin, library, accounts }
}

fn only_built_in(error: &ConfigError, file: &Path) -> String {
    let only = "so only what is built in is known here";
    match error {
        ConfigError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            format!("no {}, {only}; `--config` names another file", file.display())
        }
        ConfigError::Mistakes(mistakes) => {
            format!("{} has mistakes ({}), {only}; `wxbot check` shows them", file.display(), mistakes.list.len())
        }
        ConfigError::Unreadable { .. } | _ => format!("{}, {only}", chain(error)),
    }
}

/// The plugin of this id.
pub(super) fn find(registry: &Registry, args: &Args, id: &str) -> Result<Known, Failure> {
    let (mut all, why) = all(registry, args)?;
    if let Some(at) = all.iter().position(|known| known.id() == id) {
        return Ok(all.swap_remove(at));
    }
    let help = config::suggest(id, "plugins", all.iter().map(Known::id));
    let why = why.map_or_else(String::new, |why| format!("\n{why}"));
    Err(Failure::new(format!("no plugin `{id}`; {help}{why}")))
}

/// The plugin in this file.
pub(super) fn open(registry: &Registry, path: &Path) -> Result<PluginFactory, Failure> {
    let Some(libraries) = &registry.libraries else {
        return Err(Failure::new("this binary loads no plugins from files; link the plugin statically instead"));
    };
    libraries
        .open(path, None)
        .map_err(|refusal| Failure::new(format!("{}: {}; {}", path.display(), refusal.message, refusal.help)))
}

/// The plugin in this file, as one that no `bot.toml` names.
pub(super) fn in_file(registry: &Registry, path: &Path) -> Result<Known, Failure> {
    Ok(of(open(registry, path)?, Some(path.to_owned()), None))
}
