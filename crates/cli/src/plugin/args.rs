//! What can be typed after `wxbot plugin` and `wxbot dev`?

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins, built in and from files, and the accounts that use them
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a plugin does: its commands, what it listens to, what it needs, its settings
    Show {
        /// Its id, or the file that `wxbot plugin build` made
        plugin: String,
        /// Print the manifest and the schema of the settings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a new plugin crate with a command, a test and a README
    New(NewOptions),
    /// Build a plugin crate as a library that a running wxbot can load
    Build(BuildOptions),
    /// Let the running wxbot take up plugins that were built anew
    Reload {
        /// Which one is meant; its id
        plugin: Option<String>,
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// Its name: lower-case letters, digits and `-`
    pub(crate) name: String,
    /// The folder it is made in, as DIR/NAME
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The wxbot it is written for: the folder of a checkout, or a version
    #[arg(long, env = "WXBOT_SDK", value_name = "PATH_OR_VERSION")]
    pub(crate) wxbot: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildOptions {
    /// The folder of the crate
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Build with optimizations
    #[arg(long)]
    pub(crate) release: bool,
    /// Copy it into `plugins` beside bot.toml, also where there is no bot.toml yet
    #[arg(long)]
    pub(crate) install: bool,
    /// Copy it into this folder instead
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print what was built as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// The folder of the crate
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Build with optimizations
    #[arg(long)]
    pub(crate) release: bool,
}
