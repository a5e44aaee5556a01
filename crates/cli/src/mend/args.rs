//! What can be typed after `wxbot dead`, `outbox`, `replay`, `send`, `schedule`, `backup` and `restore`?

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List the events that were given up, and why
    List(DeadFilterOptions),
    /// Print one of them, with what the message says
    Show {
        /// Its number
        id: u64,
    },
    /// Handle them again, by the plugins that were not done with them
    Replay(DeadOptions),
    /// End them for good
    Drop(DeadOptions),
}

#[derive(Debug, Args)]
pub(crate) struct DeadFilterOptions {
    /// Of this account alone
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Those that this plugin could not handle
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: Option<String>,
    /// Those that came since then: `2026-12-01 09:00`, or how long ago, like `2h`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub(crate) struct DeadOptions {
    /// Their numbers
    #[arg(value_name = "ID", num_args = 1..=1000)]
    pub(crate) ids: Vec<u64>,
    /// All that fit the filters
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: DeadFilterOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List sends, the newest first; absent states: all that are not sent, expired or dropped
    List {
        /// In this state; may be repeated
        #[arg(long, value_name = "STATE")]
        state: Vec<StateWord>,
        /// Of this account alone
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
    },
    /// Decide about sends of which nobody knows, or that failed
    Resolve(ResolveOptions),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").required(true).args(["sent", "resend", "drop"])))]
pub(crate) struct ResolveOptions {
    /// Their numbers
    #[arg(required = true, value_name = "ID", num_args = 1..=1000)]
    pub(crate) ids: Vec<u64>,
    /// They arrived (uncertain and held ones)
    #[arg(long)]
    pub(crate) sent: bool,
    /// Send them again, perhaps a second time (uncertain, held and failed ones)
    #[arg(long)]
    pub(crate) resend: bool,
    /// Give them up (queued, uncertain and held ones)
    #[arg(long)]
    pub(crate) drop: bool,
}

/// A state of a send, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateWord {
    Queued,
    Sending,
    Uncertain,
    Held,
    Sent,
    Failed,
    Expired,
    Dropped,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// Events that came from then on: `2026-12-01 09:00`, or how long ago, like `2h`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,
    /// Events that came before then
    #[arg(long, value_name = "TIME")]
    pub(crate) to: String,
    /// For this plugin alone
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: String,
    /// Of this account alone
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Also send what the plugin answers; otherwise it is kept as dropped
    #[arg(long)]
    pub(crate) send: bool,
    /// Only count the events
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["text", "file"])))]
pub(crate) struct SendOptions {
    /// In whose name
    pub(crate) account: String,
    /// To whom: a contact id like p12, or a name that fits one contact alone
    pub(crate) to: String,
    /// What
    pub(crate) text: Option<String>,
    /// Send this file instead
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// Mention this member of the room, by contact id; may be repeated
    #[arg(long, value_name = "ID", requires = "text")]
    pub(crate) mention: Vec<String>,
    /// Wait until it is settled: exits with 0 when sent, 1 when it failed, 3 when nobody knows, 4 when it took too long
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait, like 30s
    #[arg(long, value_name = "TIME", default_value = "2min", requires = "wait")]
    pub(crate) timeout: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List the planned messages, and when each is due next
    List {
        /// Of this account alone
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Plan a text to one recipient
    Add(ScheduleOptions),
    /// Take planned messages back
    Remove {
        /// Their numbers
        #[arg(required = true, value_name = "ID", num_args = 1..=1000)]
        ids: Vec<u64>,
    },
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("when").required(true).args(["at", "cron"])))]
pub(crate) struct ScheduleOptions {
    /// In whose name
    pub(crate) account: String,
    /// To whom: a contact id like p12, or a name that fits one contact alone
    pub(crate) to: String,
    /// Once, then: `2026-12-01 09:00`
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Each time: `0 0 9 * * *` is at nine every day
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) cron: Option<String>,
    /// On the clock of this place, like Asia/Shanghai; absent: the machine's
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// What to do when wxbot did not run at its time: nothing, or send it once when it runs again
    #[arg(long, value_name = "POLICY", default_value = "skip")]
    pub(crate) missed: MissedWord,
    /// What
    #[arg(long)]
    pub(crate) text: String,
    /// Mention this member of the room, by contact id; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) mention: Vec<String>,
}

/// What becomes of a message that was missed, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MissedWord {
    Skip,
    Once,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// Delete all that is stored of an account that bot.toml no longer has, its keys first
    Forget {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    /// The file to write; it must not exist
    pub(crate) file: PathBuf,
    /// With the media folder
    #[arg(long)]
    pub(crate) media: bool,
    /// With sessions and keys, under a passphrase (WXBOT_BACKUP_PASSPHRASE, --passphrase-file, or asked for)
    #[arg(long)]
    pub(crate) with_secrets: bool,
    /// The file whose first line is the passphrase
    #[arg(long, value_name = "PATH", requires = "with_secrets")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreOptions {
    /// The backup
    pub(crate) file: PathBuf,
    /// Move what is in the data directory aside
    #[arg(long)]
    pub(crate) force: bool,
    /// Leave out the secrets that are in it: every account needs a login
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) without_secrets: bool,
    /// The file whose first line is the passphrase
    #[arg(long, value_name = "PATH")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
