//! `wxbot plugin` and `wxbot dev`: how is a plugin found, written, built, and swapped while wxbot runs?
//!
//! Reading order: [`args`] what can be typed → [`known`] which plugins there are, [`shelf`] where files are opened → [`list`] → [`show`], with [`handlers`]
//! and [`settings`] in words → [`new`], with [`name`] and [`sdk`] → [`build`], with [`cargo`] and [`install`] → [`reload`]
//! → [`dev`].

pub(crate) mod args;
mod build;
mod cargo;
pub(crate) mod dev;
mod handlers;
mod install;
mod known;
mod list;
mod name;
mod new;
mod reload;
mod sdk;
mod settings;
pub(crate) mod shelf;
mod show;

use wxbot_runtime::config::Registry;

use crate::args::Args;
use crate::report::Failure;
use args::PluginCommand;

/// Does what `wxbot plugin …` says.
pub(crate) fn run(registry: &Registry, args: &Args, command: &PluginCommand) -> Result<(), Failure> {
    match command {
        PluginCommand::List { json } => list::run(registry, args, *json),
        PluginCommand::Show { plugin, json } => show::run(registry, args, plugin, *json),
        PluginCommand::New(options) => new::run(options),
        PluginCommand::Build(options) => build::run(registry, args, options),
        PluginCommand::Reload { plugin, json } => reload::run(registry, args, plugin.as_deref(), *json),
    }
}
