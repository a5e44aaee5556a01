//! What can be typed? The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::mend::args::{
    AccountsCommand, BackupOptions, DeadCommand, OutboxCommand, ReplayOptions, RestoreOptions, ScheduleCommand,
    SendOptions,
};
use crate::plugin::args::{DevOptions, PluginCommand};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Runs many WeChat accounts from one binary. 一个程序运行多个微信账号。
#[derive(Debug, Parser)]
#[command(name = "wxbot", version, styles = STYLES, propagate_version = true)]
pub(crate) struct Args {
    /// The configuration file
    #[arg(long, short, global = true, env = "WXBOT_CONFIG", default_value = "bot.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Where state is kept, instead of `data_dir` in the configuration
    #[arg(long, global = true, env = "WXBOT_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// What is logged: error, warn, info, debug, trace, or a filter like `wxbot_runtime=debug`
    #[arg(long, global = true, env = "WXBOT_LOG", value_name = "FILTER", value_parser = log_filter)]
    pub(crate) log: Option<String>,

    /// How it is logged; text on a terminal, else JSON
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}; write a level like `debug`, or `wxbot_runtime=debug`")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// As it is typed.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all accounts of the configuration
    Run(RunOptions),
    /// Takes pushes for `wxbot run --keeper`
    #[command(hide = true)]
    Ingress,
    /// Check the configuration; shows all mistakes at once
    Check {
        /// Print the mistakes as JSON
        #[arg(long)]
        json: bool,
    },
    /// Log accounts in by QR code
    Login(LoginOptions),
    /// List the accounts, their states and what waits; forget one
    Accounts {
        /// What to do; absent: list
        #[command(subcommand)]
        command: Option<AccountsCommand>,
        /// Print as JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Look for what is wrong here, and tell the cure; sends no message
    Doctor {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Let the running wxbot read the configuration again
    Reload {
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show, clear or export the pictures, films and files that wxbot keeps
    Media {
        /// What to do; absent: list
        #[command(subcommand)]
        command: Option<MediaCommand>,
        /// Print as JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// List, show, write, build and reload plugins
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
    },
    /// Work on a plugin: each save is built, and swapped into a bot on the console and the simulator
    Dev(DevOptions),
    /// Find people and rooms of an account by a part of their names
    Contacts(ContactsOptions),
    /// Search what was said, or delete it; needs `[archive]` in bot.toml
    Messages {
        #[command(subcommand)]
        command: MessagesCommand,
    },
    /// Tell why a message was answered, or why not
    Explain(ExplainOptions),
    /// Show, handle again or drop events that were given up
    Dead {
        #[command(subcommand)]
        command: DeadCommand,
        /// Print as JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Show what waits, failed or is uncertain of what is sent, and decide about it
    Outbox {
        #[command(subcommand)]
        command: OutboxCommand,
        /// Print as JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Let a plugin handle events of the past once more; nothing is sent unless asked
    Replay(ReplayOptions),
    /// Send one message to one recipient
    Send(SendOptions),
    /// Plan messages, list them, take them back
    Schedule {
        #[command(subcommand)]
        command: ScheduleCommand,
        /// Print as JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Write all that wxbot remembers into one file, while it runs or not; secrets only when asked
    Backup(BackupOptions),
    /// Make a data directory of a backup
    Restore(RestoreOptions),
    /// Write an annotated bot.toml to begin with
    Init {
        /// Where
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Run a simulated WeChat over HTTP, to try things out without an account
    Sim(SimOptions),
    /// Print the JSON Schema of bot.toml, for editors
    Schema,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunOptions {
    /// As three processes: what services push is taken and kept even while the others start again
    #[arg(long)]
    pub(crate) keeper: bool,
    /// As the child of a keeper
    #[arg(long, hide = true, conflicts_with = "keeper")]
    pub(crate) kept: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MediaCommand {
    /// List the files, the last used first, and how full the folder is
    List,
    /// Remove files, but none that a send still needs
    Clear(ClearOptions),
    /// Copy a file out of the folder under a safe name
    Export(ExportOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MessagesCommand {
    /// Find messages by words; without words, the newest ones
    Search(SearchOptions),
    /// Delete what was said with a contact: its conversation, and what it said in rooms
    Forget(ForgetOptions),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SearchOptions {
    /// Words that must all be there, of one Chinese character or more
    pub(crate) words: Vec<String>,
    /// Of this account only
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// In this conversation only: a contact id
    #[arg(long, value_name = "ID")]
    pub(crate) chat: Option<String>,
    /// Said by this person only: a contact id
    #[arg(long, value_name = "ID")]
    pub(crate) from: Option<String>,
    /// Not before: 2026-01-31, "2026-01-31 08:00", or 7d for seven days ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// At most so many, the newest ones
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    /// Print as JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ForgetOptions {
    /// Whose conversation
    pub(crate) account: String,
    /// With whom: a contact id, as `wxbot contacts` shows it
    pub(crate) contact: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true, args = ["older_than", "all"])]
pub(crate) struct ClearOptions {
    /// Only files that were not used for this long, like 7d
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "all")]
    pub(crate) older_than: Option<String>,
    /// All files
    #[arg(long)]
    pub(crate) all: bool,
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportOptions {
    /// The beginning of its digest, as `wxbot media` shows it
    pub(crate) digest: String,
    /// The folder to copy it into
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) to: PathBuf,
}

fn duration(text: &str) -> Result<String, String> {
    match wxbot_model::span::parse_duration(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct LoginOptions {
    /// Which accounts
    #[arg(required_unless_present = "all")]
    pub(crate) accounts: Vec<String>,
    /// All accounts that need a login
    #[arg(long, conflicts_with = "accounts")]
    pub(crate) all: bool,
    /// Print what happens as JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the QR code to this file: .svg or .png
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub(crate) qr_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ContactsOptions {
    /// Whose
    pub(crate) account: String,
    /// A part of the remark, name or WeChat id, or how the name sounds in pinyin; without it, everybody
    #[arg(default_value = "")]
    pub(crate) search: String,
    /// Rooms only
    #[arg(long)]
    pub(crate) rooms: bool,
    /// People only
    #[arg(long, conflicts_with = "rooms")]
    pub(crate) people: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainOptions {
    /// Its number, as logs show it (`seq`), or the id of the message
    pub(crate) event: String,
    /// Whose, where several accounts know the id
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SimOptions {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// The accounts, friends and rooms of the simulation; without it, the demo's
    #[arg(long, value_name = "FILE")]
    pub(crate) world: Option<PathBuf>,
    /// Play a PC hook too: the port of the first account, the others have the next ones (30001 is the real service's)
    #[arg(long, value_name = "PORT")]
    pub(crate) hook: Option<u16>,
    /// The folder of the hook's machine, where it keeps and looks for media
    #[arg(long, value_name = "FOLDER", default_value = "hook-files", requires = "hook")]
    pub(crate) hook_files: PathBuf,
    /// Play WeCom too, at this port
    #[arg(long, value_name = "PORT")]
    pub(crate) wecom: Option<u16>,
    /// Play iLink (ClawBot) too, at this port
    #[arg(long, value_name = "PORT")]
    pub(crate) ilink: Option<u16>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
