//! What is a program made of wxbot? The bundled parts, your own plugins, and the command line.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use wxbot_plugin::middleware::Station;
use wxbot_plugin::{Plugin, StationConfig};
use wxbot_runtime::config::{self, Registry};

use crate::args::{Args, Command, MediaCommand, RunOptions};
use crate::mend::args::AccountsCommand;
use crate::report::{Failure, OrExit};
use crate::{
    accounts, backup, check, contacts, dead, doctor, explain, forget, ingress, init, keeper, login, logs, media,
    messages, outbox, plugin, process, registry, reload, replay, restore, run, schedule, send, sim,
};

/// wxbot with a set of plugins.
#[derive(Debug)]
pub struct App {
    registry: Registry,
}

impl App {
    /// The protocols and plugins that come with wxbot.
    pub fn bundled() -> Self {
        Self { registry: registry::bundled() }
    }

    /// One plugin more, linked statically. A plugin of the same id replaces a bundled one.
    #[must_use]
    pub fn plugin<P: Plugin>(mut self) -> Self {
        self.registry.add_static::<P>();
        self
    }

    /// One middleware more, for `middleware = [...]` under its name and with its table of settings. One of the same name
    /// replaces a built-in one.
    #[must_use]
    pub fn middleware<M: StationConfig>(mut self) -> Self {
        self.registry.add_station(Station::of::<M>());
        self
    }

    /// What is built in: protocols, plugins, middleware.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Reads the command line, does what it says, and answers the exit code: 0 done, 1 failed, 2 usage, 78 bad
    /// configuration; `send --wait` also 3 and 4.
    pub fn main(self) -> ExitCode {
        process::prepare();
        let args = Args::parse();
        logs::start(&args);
        #[cfg(debug_assertions)]
        if let Err(failure) = process::arm() {
            return failure.show();
        }
        match self.dispatch(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.show(),
        }
    }

    fn dispatch(mut self, args: Args) -> Result<(), Failure> {
        // They open no plugins.
        if let Command::Run(RunOptions { keeper: true, .. }) = args.command {
            return keeper::run(&self.registry, &args);
        }
        if let Command::Ingress = args.command {
            return ingress::run(self.registry, &args);
        }
        let _while_plugins_are_opened = plugin::shelf::Place::prepare(&mut self.registry, &args);
        match args.command {
            // Done above.
            Command::Ingress => Ok(()),
            Command::Run(ref options) => run::run(self.registry, &args, options),
            Command::Check { json } => check::run(&self.registry, &args, json),
            Command::Login(ref options) => login::run(&self.registry, &args, options),
            Command::Accounts { command: None, json } => accounts::run(&self.registry, &args, json),
            Command::Accounts { command: Some(AccountsCommand::Forget { ref name }), json } => {
                forget::run(&self.registry, &args, name, json)
            }
            Command::Doctor { json } => doctor::run(&self.registry, &args, json),
            Command::Dead { ref command, json } => dead::run(&self.registry, &args, command, json),
            Command::Outbox { ref command, json } => outbox::run(&self.registry, &args, command, json),
            Command::Replay(ref options) => replay::run(&self.registry, &args, options),
            Command::Send(ref options) => send::run(&self.registry, &args, options),
            Command::Schedule { ref command, json } => schedule::run(&self.registry, &args, command, json),
            Command::Backup(ref options) => backup::run(&self.registry, &args, options),
            Command::Restore(ref options) => restore::run(&self.registry, &args, options),
            Command::Reload { json } => reload::run(&self.registry, &args, json),
            Command::Media { ref command, json } => {
                media::run(&self.registry, &args, command.as_ref().unwrap_or(&MediaCommand::List), json)
            }
            Command::Plugin { ref command } => plugin::run(&self.registry, &args, command),
            Command::Dev(ref options) => plugin::dev::run(&self.registry, &args, options),
            Command::Contacts(ref options) => contacts::run(&self.registry, &args, options),
            Command::Messages { ref command } => messages::run(&self.registry, &args, command),
            Command::Explain(ref options) => explain::run(&self.registry, &args, options),
            Command::Init { ref dir } => init::run(dir),
            Command::Sim(ref options) => sim::run(options),
            Command::Schema => {
                let registry = config::registry_with_files(&args.config, &self.registry);
                let schema =
                    serde_json::to_string_pretty(&config::schema(&registry)).or_exit("cannot write the schema")?;
                crate::report::print(&schema);
                Ok(())
            }
            Command::Completions { shell } => {
                let mut out = Vec::new();
                clap_complete::generate(shell, &mut Args::command(), "wxbot", &mut out);
                crate::report::print(String::from_utf8_lossy(&out).trim_end());
                Ok(())
            }
        }
    }
}
